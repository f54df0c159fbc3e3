"""Writes docs/losses.md, a table of all losses that ship: paper, equation, the reference that a test holds it against, where it differs.

    python docs/losses.py            write it
    python docs/losses.py --check    exit 6 where the page is another

Papers, equations and differences are the entries'; references are those of tests/builtin/losses/references.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

from written_pages import cell, write_or_check

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "losses.md"

HEAD = """# Losses

<!-- Written by `python docs/losses.py`: do not edit it. -->

Every loss is held by `tests/builtin/losses/test_losses.py` against a reference in loops over lists, in float64, on batches with ties,
duplicates, singletons, two classes and one, and its gradient against finite differences. "Reference" is the formula as that test computes
it. An option is what `siambench show loss NAME` tells more of; a distance and a reducer are held against pytorch-metric-learning called
by hand, triplet's variants and all regularisers against formulas in loops. Losses of both sides of items are held so by `test_sides.py`.
"""


def page() -> str:
    """The page as it should be."""
    sys.path.insert(0, str(ROOT / "tests" / "builtin" / "losses"))
    from references import references

    from siambench.builtin.losses import siambench_losses

    known = references()
    lines = [HEAD, "| loss | paper | equation | reference | where it differs | options |", "|---|---|---|---|---|---|"]
    for name, entry in sorted(siambench_losses().items()):
        if entry.wraps:
            continue
        reference = known[name].formula
        place = Path(inspect.getsourcefile(reference) or "").name
        formula = f"[{place}](../tests/builtin/losses/references/{place}): {inspect.getdoc(reference)}"
        differs = "; ".join(entry.differs) or "nowhere that we know of"
        options = ", ".join(f"`{option}`" for option in entry.options) or "none"
        lines.append(f"| `{name}` | {cell(entry.source)} | {cell(entry.equation)} | {cell(formula)} | {cell(differs)} | {options} |")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Write the page, or compare it."""
    return write_or_check(PAGE, page(), arguments, source="the entries and the references")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
