"""What a format promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import copy
import unicodedata
from collections.abc import Iterator
from typing import Any

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.interfaces import ColumnView, RowView, SectionView, TableView
from siambench.plugin import FormatEntry, call_factory
from siambench.testing.contracts.blame import nothing_printed
from siambench.testing.contracts.process import left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.state import seed_globals

_NAMES = ("triplet+hard", "proxy-anchor@conv4", "contrastive:pairs", "raw")
_ODD = ("a\x1b[2Jb", "c\x9bd\x07", "e\u202ef", "g\r\nh")
_LINE_ENDS = "\n\r\t"
_JUDGED_STEPS = 8


def _table(names: tuple[str, ...] = _NAMES) -> TableView:
    """A table with a row for each name, missing scores, and a section."""
    scores: list[float | None] = [0.75, 0.5, 0.25, None][: len(names)]
    ranks: list[int | None] = [1, 2, 2, None][: len(names)]
    rows = tuple(RowView(name, baseline=place == 3, fresh=place == 1, group=ranks[place]) for place, name in enumerate(names))
    cells = tuple(None if score is None else {"mean": score, "ci95": 0.01, "n": 3, "classes95": None} for score in scores)
    texts = tuple("–" if score is None else f"{100 * score:.1f} ± 1.0" for score in scores)
    columns = (
        ColumnView("rank", "rank", "all", tuple(ranks), tuple("" if rank is None else str(rank) for rank in ranks)),
        ColumnView("row", "method", "all", names, names),
        ColumnView("map@r", "map@r", "people", cells, texts),
        ColumnView("test_opened", "test opened", "machines", tuple([3] * len(names)), tuple(["3"] * len(names))),
    )
    flat_names = ("rank", "row", "map@r", "map@r_ci95")
    flat = tuple(
        {"rank": rank, "row": name, "map@r": score, "map@r_ci95": None if score is None else 0.01}
        for rank, name, score in zip(ranks, names, scores, strict=True)
    )
    return TableView(
        title="made: a table for a check",
        track="made",
        version="1.0",
        command="siambench leaderboard made --write",
        notes="A note.",
        rows=rows,
        columns=columns,
        flat_names=flat_names,
        flat=flat,
        captions=("A caption.",) if names else (),
        legend="A legend.",
        sections=(SectionView("Costs", "What it took.", ("method", "hours"), tuple((name, "1.0") for name in names), ("A line.",)),),
        document={"schema": 1, "track": {"name": "made"}, "rows": [dict(row) for row in flat]},
    )


def _rendered(component: Component, table: TableView) -> Any:
    entry: FormatEntry = component.entry
    return call_factory(entry.render, {"table": table})


def text(component: Component) -> None:
    """It gives text for a table with rows, and the same for the same table."""
    found = _rendered(component, _table())
    if not isinstance(found, str):
        raise PluginError(f"it must give text, got {type(found).__name__}")
    if not found.strip():
        raise PluginError("it gives nothing for a table with rows")


def determinism(component: Component) -> None:
    """The same table is the same text: pages are compared byte for byte."""
    if _rendered(component, _table()) != _rendered(component, _table()):
        raise PluginError("the same table gave two texts")


def rows_are_there(component: Component) -> None:
    """Every row of a table is in the text, by its name."""
    found = _rendered(component, _table())
    lost = [name for name in _NAMES if not any(form in found for form in (name, name.replace("@", "&#64;"), name.replace("+", "&#43;")))]
    if lost:
        raise PluginError(f"the row {lost[0]} is not in the text")


def empty_tables(component: Component) -> None:
    """A table without rows, and one of a single row, are text too."""
    for names in ((), _NAMES[:1]):
        found = _rendered(component, _table(names))
        if not isinstance(found, str):
            raise PluginError(f"of a table with {len(names)} rows it must give text, got {type(found).__name__}")


def controls_are_escaped(component: Component) -> None:
    """What a terminal or a reader obeys, in the name of a row, does not come out as it went in."""
    found = _rendered(component, _table(_ODD))
    raw = sorted({letter for letter in found if unicodedata.category(letter) in ("Cc", "Cf") and letter not in _LINE_ENDS})
    if raw:
        raise PluginError(f"it lets the control character U+{ord(raw[0]):04X} of a name through: escape it")


def inputs_are_kept(component: Component) -> None:
    """The table is the same after it was written down."""
    table = _table()
    before = copy.deepcopy(table)
    _rendered(component, table)
    if before != table:
        raise PluginError("it changes what it is given: the table")


def prints_nothing(component: Component) -> None:
    """It gives the text, and prints none of it."""
    with nothing_printed():
        _rendered(component, _table())


def leaves_the_process_alone(component: Component) -> None:
    """Writing, judged after each of several tables, leaves the process as it was."""

    def run(seed: int) -> Iterator[str]:
        for step in range(_JUDGED_STEPS):
            seed_globals(seed, step)
            _rendered(component, _table())
            yield f"after table {step + 1}"

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("text", "it gives text for a table with rows", text, first=True),
    Contract("rows", "every row is in the text, by its name", rows_are_there),
    Contract("empty-tables", "a table without rows, or of one row, is text too", empty_tables),
    Contract("escaped", "no control character and no mark of direction comes from a name into the text", controls_are_escaped),
    Contract("determinism", "the same table is the same text", determinism),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a format, in this order."""
