"""What the units of a folder were called, by method: `python docs/verdict_counts.py OUT/glyphs-101bfe42 [--again]`.

Verdicts count units, trials' and final models' alike; findings stand beside them, any number to a unit. As Markdown. With `--again` today's
rules are asked of what was measured then, and nothing is trained.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from siambench.clock import Clock
from siambench.execution import worker
from siambench.identity import canonical, from_json
from siambench.interfaces import Diagnosis
from siambench.records.folder import Folder
from siambench.records.record import Record
from siambench.spec import Context
from siambench.verdicts import OK, verdicts


def judged_again(record: Record) -> Diagnosis | None:
    """What today's rules say of a unit that was measured; None of one that was not."""
    if not record.measures:
        return None
    # What a worker is ready with: the data and the loss's entry are its own affair.
    ready = worker._ready(record.unit, Context(exam=record.exam), Clock())  # noqa: SLF001
    ready.kept.rows.extend(record.measures)
    told = worker._judged(record.unit, ready, record.outcome).get("diagnosis")  # noqa: SLF001
    return None if told is None else from_json(Diagnosis, canonical(told), where="diagnosis")


def counts(
    records: Iterable[Record], called: Callable[[Record], Diagnosis | None] = lambda record: record.diagnosis
) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Of each method how often each verdict and each finding was told; what was not judged, as of baselines, is left out.

    Args:
        records: of the folder.
        called: what a record's unit was called; by default when it ran.
    """
    found: dict[str, tuple[Counter[str], Counter[str]]] = {}
    for record in records:
        diagnosis = called(record)
        if diagnosis is None:
            continue
        told, beside = found.setdefault(record.unit.method.name, (Counter(), Counter()))
        told[diagnosis.verdict] += 1
        beside.update({finding.name for finding in diagnosis.findings} - {diagnosis.verdict})
    return found


def table(found: dict[str, tuple[Counter[str], Counter[str]]]) -> str:
    """A line for each method, best first by its share of `ok`, and one of all."""
    both = (sum((told for told, _ in found.values()), Counter()), sum((beside for _, beside in found.values()), Counter()))
    known = [name for name in verdicts() if name != OK and both[0][name]]
    columns = ["method", "units", OK, *known, "findings"]
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    ordered = sorted(found.items(), key=lambda item: (-item[1][0][OK] / sum(item[1][0].values()), item[0]))
    for name, (told, beside) in (*ordered, ("all", both)):
        cells = [name, str(sum(told.values())), str(told[OK]), *(str(told[one] or "") for one in known)]
        cells.append(", ".join(f"{one} {number}" for one, number in beside.most_common()) or "–")
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    records = Folder(Path(sys.argv[1])).read().records
    print(table(counts(records, judged_again) if "--again" in sys.argv else counts(records)))  # noqa: T201  a script
