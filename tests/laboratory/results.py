"""Writes RESULTS.md: what the laboratory's failures and healthy units were called, and what measuring costs.

    python tests/laboratory/results.py --out DIR                  train what is not in DIR yet, then write: four hours of one core
    python tests/laboratory/results.py --out DIR --kept           write from what is in DIR, and train nothing

Units that are kept are asked of today's rules again; one's own objects, which are judged by training them, are not.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    # Before torch is imported: one thread, and no plugin but what ships.
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "SIAMBENCH_PLUGINS": ""}

import healthy
import torch
from laboratory import HEADING, Kept, Pair, pairs_of, row_of
from scenarios import SCENARIOS
from unit_runs import DATA, check_data

from siambench.machine import processor
from siambench.stats import clopper_pearson

HERE: Final = Path(__file__).parent
PAGE: Final = HERE / "RESULTS.md"
REPETITIONS: Final = 5
COST: Final = "cost.md"
"""What the folder keeps of the cost of measuring: the table of `tests/benchmarks/watching.py`."""

_COUNTED: Final = (
    "Thresholds were set on the first line alone: glyphs, the first dose of each scenario. The others judge them. Counted are failures "
    "that cost, with a score below their twin's in every repetition, and those that need not."
)

SETS: Final = (("glyphs", "first"), ("glyphs", "other"), ("omniglot", "first"), ("omniglot", "other"))
"""Data and doses; thresholds come from the first of them alone, and are judged on the others."""


def told(pairs: Sequence[Pair]) -> list[Pair]:
    """Those that count: failures that cost, or need not."""
    return [pair for pair in pairs if pair.costs or not pair.scenario.costs]


def share(right: int, number: int) -> str:
    """So many of so many, with the Clopper–Pearson interval."""
    if not number:
        return "–"
    rate, low, high = clopper_pearson(right, number)
    return f"{right} of {number}, {rate:.1%} [{low:.1%}, {high:.1%}]"


def summary(name: str, pairs: Sequence[Pair]) -> str:
    """One line: how many failures cost, how many runs of them were called what they must be, and how many twins anything but ``ok``."""
    counted = told(pairs)
    right, number = sum(pair.right or 0 for pair in counted), sum(len(pair.failing) for pair in counted)
    verdict = sum(run.verdict in pair.scenario.verdicts for pair in counted for run in pair.failing)
    twins = {id(run): run for pair in counted for run in pair.healthy}
    alarms = sum(run.verdict != "ok" for run in twins.values())
    return f"| {name} | {len(counted)} of {len(pairs)} | {share(verdict, number)} | {share(right, number)} | {share(alarms, len(twins))} |"


def confusion(pairs: Iterable[Pair]) -> str:
    """A table: what must be said, beside how often each verdict was."""
    counts: dict[str, Counter[str]] = {}
    for pair in told(list(pairs)):
        of = counts.setdefault(" or ".join(pair.scenario.verdicts), Counter())
        of.update(str(run.verdict) for run in pair.failing)
    columns = sorted({name for of in counts.values() for name in of})
    lines = [f"| must be | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    lines += [f"| {must} | {' | '.join(str(of[name] or '') for name in columns)} |" for must, of in sorted(counts.items())]
    return "\n".join(lines)


def findings(pairs: Iterable[Pair]) -> str:
    """A table: of each finding that must be there, in how many runs it was."""
    counts: dict[str, list[int]] = {}
    for pair in told(list(pairs)):
        for name in pair.scenario.findings:
            found = counts.setdefault(name, [0, 0])
            found[0] += sum(name in run.findings for run in pair.failing)
            found[1] += len(pair.failing)
    lines = ["| finding | found where it must be |", "|---|---|"]
    return "\n".join([*lines, *(f"| {name} | {found} of {number} |" for name, (found, number) in sorted(counts.items()))])


def page(sets: Sequence[tuple[str, Sequence[Pair]]], healthy_table: str, cost: str) -> str:
    """The whole page."""
    today = dt.datetime.now(tz=dt.UTC).date().isoformat()
    judged = [pair for _, pairs in sets[1:] for pair in pairs]
    harmless = [f"{pair.scenario.name} at {pair.dose:g} on {name}" for name, pairs in sets for pair in pairs if pair not in told(pairs)]
    where = (
        f"`python tests/laboratory/results.py --out DIR`, {REPETITIONS} repetitions, on {processor()}, one thread a run, torch "
        f"{torch.__version__.partition('+')[0]}, {today}. [README.md](README.md) says what is trained and how it is counted."
    )
    parts = [
        "<!-- written by tests/laboratory/results.py -->",
        "# What the laboratory found",
        where,
        "## Failures",
        _COUNTED,
        "| set | counted | verdict right | verdict and findings right | alarms on twins |\n|---|---|---|---|---|\n"
        + "\n".join(summary(name, pairs) for name, pairs in sets)
        + "\n"
        + summary("**all but the first**", judged),
        f"Harmless, and so not counted: {', '.join(harmless) or 'none'}.",
        "### Verdicts, all sets but the first",
        confusion(judged),
        "### Findings, all sets but the first",
        findings(judged),
        "## Healthy units",
        healthy_table,
        "## What measuring costs",
        cost.strip() or "Not measured yet.",
        "## Every scenario",
    ]
    for name, pairs in sets:
        parts += [f"### {name}", "\n".join([*HEADING, *map(row_of, pairs)])]
    return "\n\n".join(parts) + "\n"


def _kept_only(pairs: Iterable[Pair]) -> Iterable[Pair]:
    try:
        yield from pairs
    except KeyError as missing:
        raise SystemExit(f"{missing.args[0]} was not trained yet: leave --kept out") from missing


def main(arguments: list[str] | None = None) -> int:
    """Train what is left, judge, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder in which runs are kept")
    parser.add_argument("--kept", action="store_true", help="train nothing")
    given = parser.parse_args(arguments)
    for data in DATA:
        check_data(data)
    torch.set_num_threads(1)
    kept = Kept(given.out, only=given.kept)
    sets = []
    for data, doses in SETS:
        found = pairs_of(list(SCENARIOS), data=data, repetitions=REPETITIONS, doses=doses, kept=kept, again=True)
        sets.append((f"{data}, {'first doses' if doses == 'first' else 'other doses'}", list(_kept_only(found))))
    own = Kept(given.out / "healthy", only=given.kept)
    units = list(healthy.trained(own, data="glyphs", number=0 if given.kept else None, again=True))
    cost = given.out / COST
    if not cost.exists() and not given.kept:
        command = [sys.executable, str(HERE.parent / "benchmarks" / "watching.py")]
        cost.write_text(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, encoding="utf-8")
    PAGE.write_text(page(sets, healthy.table(units), cost.read_text(encoding="utf-8") if cost.exists() else ""), encoding="utf-8")
    print(f"wrote {PAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
