"""What the units of a folder were called, by method: `python docs/verdict_counts.py OUT/glyphs-101bfe42`.

Verdicts count units, trials' and final models' alike; findings stand beside them, any number to a unit. As Markdown.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from siambench.records.folder import Folder
from siambench.records.record import Record
from siambench.verdicts import OK, verdicts


def counts(records: Iterable[Record]) -> dict[str, tuple[Counter[str], Counter[str]]]:
    """Of each method how often each verdict and each finding was told; what was not judged, as of baselines, is left out."""
    found: dict[str, tuple[Counter[str], Counter[str]]] = {}
    for record in records:
        diagnosis = record.diagnosis
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
    lines = [f"| method | units | ok | {' | '.join(known)} | findings |", f"|---|---|---|{'---|' * len(known)}---|"]
    ordered = sorted(found.items(), key=lambda item: (-item[1][0][OK] / sum(item[1][0].values()), item[0]))
    for name, (told, beside) in (*ordered, ("all", both)):
        cells = [name, str(sum(told.values())), str(told[OK]), *(str(told[one] or "") for one in known)]
        lines.append(f"| {' | '.join(cells)} | {', '.join(f'{one} {number}' for one, number in beside.most_common()) or '–'} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(counts(Folder(Path(sys.argv[1])).read().records)))  # noqa: T201  a script
