"""Writes docs/verdicts.md, all that may be said of a training run: condition, remedy, and where each threshold is from.

    python docs/verdicts.py            write it
    python docs/verdicts.py --check    exit 6 where the page is another

All of it stands in `siambench/verdicts/rules.py` and `siambench/verdicts/thresholds.py`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from written_pages import cell, write_or_check

from siambench.verdicts import FINDINGS, STUDY_RULES, VERDICTS, Rule
from siambench.verdicts.thresholds import Threshold

PAGE = Path(__file__).parents[1] / "docs" / "verdicts.md"

HEAD = """# Verdicts and findings

<!-- Written by `python docs/verdicts.py`: do not edit it. -->

A trial that failed for a reason that has nothing to do with its method must not pass for a fair result of it. What was measured while a
unit trained is judged by rules, when the unit has ended. A unit has one **verdict**, the first of the table that holds, else `ok`; beside
it any number of **findings**, and a study one more. Each comes with one sentence of evidence, with its numbers, and one of what to do.

- They stand in a record's telemetry, as `diagnosis`, beside the measures and outside the outcome: a new threshold makes no record another.
  A record without measures has none, and nothing is said of it.
- `siambench show study TRACK ROW` shows each trial's verdict, the names of its findings and the evidence; `siambench status DIR` counts
  them; a table says in a sentence which of a row's trials and final models have another verdict than `ok`.
- Of a trial with several folds, and of a final unit with several models, the verdict that comes first counts.
- Where a measure is missing a rule that needs it does not hold. No verdict reads a test score. Only numbers that are not finite, or a loss
  without a gradient, end a unit early.
- Severity: `fatal`, it stopped training; `likely`, it explains a bad score; `possible`, it may; `note`, it is worth knowing.
- The probe is a fixed handful of training items, embedded as when they are judged. Distances are Euclidean, between embeddings as the loss
  sees them.

A threshold that is *provisional* is a first value that nothing was measured for yet: take what rests on it with that in mind.
"""


def _at(rule: Rule) -> str:
    """The thresholds of a rule, or where its condition is from."""
    told = [f"{one.name}: {one.value:g}{' (provisional)' if one.provisional else ''}" for one in rule.thresholds]
    return cell("; ".join([*told, *([rule.source] if rule.source else [])]))


def rows(rules: Iterable[Rule]) -> list[str]:
    """The lines of a table of rules."""
    lines = ["| name | severity | holds where | compares with | what to do |", "|---|---|---|---|---|"]
    return lines + [f"| `{rule.name}` | {rule.severity} | {cell(rule.condition)} | {_at(rule)} | {cell(rule.remedy)} |" for rule in rules]


def thresholds() -> list[Threshold]:
    """Each threshold once, in the order in which the rules use them."""
    return list(dict.fromkeys(one for rule in (*VERDICTS, *FINDINGS, *STUDY_RULES) for one in rule.thresholds))


def page() -> str:
    """The page as it should be."""
    lines = [HEAD, "## Verdicts, in the order in which they are asked", "", *rows(VERDICTS), "", "## Findings", "", *rows(FINDINGS), ""]
    lines += [
        "## Of a study",
        "",
        *rows(STUDY_RULES),
        "",
        "## Thresholds",
        "",
        "| what | value | from | provisional |",
        "|---|---|---|---|",
    ]
    lines += [f"| {cell(one.name)} | {one.value:g} | {cell(one.source)} | {'yes' if one.provisional else 'no'} |" for one in thresholds()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    return write_or_check(PAGE, page(), arguments, source="the rules")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
