"""Writes the simulated tables into docs/statistics.md: `python docs/simulations.py`, some minutes of one core.

    python docs/simulations.py            simulate, and write them
    python docs/simulations.py --quick    a hundredth of the tables, printed: that it runs

What is simulated is what tests/stats/test_study_simulations.py holds at 10,000 tables a cell, by the functions that tables rest on.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "statistics.md"
MARKS = re.compile(r"(<!-- simulations -->\n).*?(<!-- /simulations -->)", re.DOTALL)
TABLES = 10_000
DIFFERENCE = 0.04
SPREADS = {
    "equal": "all alike, .0125",
    "half": "half the rows .004, half .02",
    "one": "one row .02, the others .004",
    "three": "three rows .02, the others .004",
    "ladder": "0 to .02 in equal steps, repetitions .008",
    "mixed": "every other row 0, the others .02, repetitions .003 to .018",
}


def error_rates(tables: int) -> list[str]:
    """Share of tables of equally good rows that show any difference, by spread and number of rows: lines of a table."""
    from test_study_simulations import ROWS, STUDIES, spreads, studies_of, tables_with_a_difference

    lines = [f"| standard deviation over studies | {' | '.join(f'{rows} rows' for rows in ROWS)} |", "|---|" + "---|" * len(ROWS)]
    for pattern, name in SPREADS.items():
        cells = []
        for rows in ROWS:
            generator = np.random.default_rng([rows, list(SPREADS).index(pattern)])
            tuning, repetition = spreads(rows, pattern)
            cells.append(f"{tables_with_a_difference(studies_of(generator, tuning, repetition, (tables, rows, STUDIES))):.3f}")
        lines.append(f"| {name} | {' | '.join(cell.removeprefix('0') for cell in cells)} |")
    return lines


def powers(tables: int) -> list[str]:
    """Share of the true differences that are found where the first half of the rows is better by `DIFFERENCE`: lines of a table."""
    from test_study_simulations import ROWS, STUDIES, found_by_holm, moments, spreads, studies_of

    from siambench.stats.studies import _moderate, _test

    chosen = [rows for rows in ROWS if rows > 3]
    lines = [f"| standard deviation over studies | {' | '.join(f'{rows} rows' for rows in chosen)} |", "|---|" + "---|" * len(chosen)]
    for pattern in ("equal", "half"):
        cells = []
        for rows in chosen:
            generator = np.random.default_rng([rows, list(SPREADS).index(pattern), 3])
            better = np.arange(rows) < rows // 2
            tuning, repetition = spreads(rows, pattern)
            scores = studies_of(generator, tuning, repetition, (tables // 2, rows, STUDIES)) + DIFFERENCE * better[:, None]
            mean, variance = moments(scores)
            first, second = np.triu_indices(rows, k=1)
            studies = np.full(rows, STUDIES)
            found = found_by_holm(_test(mean, _moderate(variance, studies), studies).p_value)
            cells.append(f"{found[:, better[first] != better[second]].mean():.2f}".removeprefix("0"))
        lines.append(f"| {SPREADS[pattern]} | {' | '.join(cells)} |")
    return lines


def shown(tables: int) -> str:
    """Both tables, with what they are."""
    sys.path.insert(0, str(ROOT / "tests" / "stats"))
    power = f"How many of the true differences are found where half of the rows are better by {DIFFERENCE:g}".replace("0.", ".")
    return "\n".join(
        [
            f"Share of {tables:,} tables of equally good rows that show any difference:",
            "",
            *error_rates(tables),
            "",
            f"{power}, over {tables // 2:,} tables:",
            "",
            *powers(tables),
            "",
            "Both by `python docs/simulations.py`.",
        ]
    )


def main(arguments: list[str]) -> int:
    """Write the tables, or print small ones."""
    if "--quick" in arguments:
        sys.stdout.write(shown(TABLES // 100) + "\n")
        return 0
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(MARKS.sub(lambda found: f"{found.group(1)}\n{shown(TABLES)}\n\n{found.group(2)}", text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
