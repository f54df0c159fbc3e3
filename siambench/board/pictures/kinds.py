"""The kinds of figures, by name: what each shows in a line, and how it is drawn. To add one is to add a line here."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from siambench.board.pictures import counted, learning, of_units, scores, spent, tuned
from siambench.board.table import Table
from siambench.errors import NothingToDrawError, UnknownNameError
from siambench.figures import Picture

_LEAST_DIGITS = 4


@dataclass(frozen=True)
class Kind:
    """A kind of figure.

    Args:
        name: by which commands and files know it.
        about: what it shows, in a line.
        draw: from a table; raises `NothingToDrawError` where the table holds no data for it.
        of_one: whether one record alone can be drawn so, as a table of its row.
    """

    name: str
    about: str
    draw: Callable[[Table], Picture]
    of_one: bool = False


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("scores", "each row's score with its interval, its studies and its ranks", scores.scores),
        Kind("proven", "who is proven better than whom, as a matrix", scores.proven),
        Kind("groups", "each row's score by groups of test classes, such as scripts or writers", counted.groups),
        Kind("tuned", "from the default to what was selected, on validation classes", tuned.tuned),
        Kind("trials", "the best on validation classes after so many trials", tuned.trials),
        Kind("expected", "the best that so many random trials are expected to find", tuned.expected),
        Kind("seconds", "the best on validation classes after so many seconds of tuning", spent.seconds),
        Kind("cost", "the score against the seconds of tuning, and who is beaten in neither", spent.cost),
        Kind("validation", "validation against test", tuned.validation),
        Kind("losses", "the training loss of final models, epoch by epoch", learning.losses, of_one=True),
        Kind("separation", "how classes came apart in training, epoch by epoch", learning.separation, of_one=True),
        Kind("epochs", "the score on validation classes, epoch by epoch", learning.epochs),
        Kind("verdicts", "how many trials and final models have which verdict", counted.verdicts),
        Kind("roc", "genuine pairs accepted against impostors accepted, of one model a row", of_units.roc, of_one=True),
        Kind("det", "both errors of verification against each other, of one model a row", of_units.det, of_one=True),
        Kind(
            "distances",
            "how far pairs of one class and of two are apart, and where errors are equal",
            of_units.distances,
            of_one=True,
        ),
        Kind("group-errors", "the equal error rate by groups of test classes, of one model a row", of_units.group_errors, of_one=True),
        Kind("map", "test items in the plane of their first principal components, of one model a row", of_units.maps, of_one=True),
        Kind("neighbours", "queries and what lies nearest to each: hits and misses, of one model a row", of_units.neighbours, of_one=True),
    )
}
"""In the order in which a report shows them."""


@dataclass(frozen=True)
class Left:
    """A figure that was left out.

    Args:
        name: of its kind.
        reason: why, a sentence without a full stop.
    """

    name: str
    reason: str


def drawn(table: Table) -> tuple[tuple[Picture, ...], tuple[Left, ...]]:
    """All figures for which a table holds data, in the order of their kinds; and those for which it does not."""
    found, left = [], []
    for kind in KINDS.values():
        try:
            found.append(kind.draw(table))
        except NothingToDrawError as error:
            left.append(Left(kind.name, str(error)))
    return tuple(found), tuple(left)


def pictures_of(table: Table) -> tuple[Picture, ...]:
    """All figures for which a table holds data, in the order of their kinds."""
    return drawn(table)[0]


def selected(table: Table, rows: Sequence[str]) -> Table:
    """A table of some of its rows, in its order; ranks and tests stay those of the whole.

    Args:
        table: the whole.
        rows: names of methods and baselines, or ``row:KEY``, as the flag tells apart those of one name; none: all rows.

    Raises:
        UnknownNameError: if it has no row of that name.
    """
    if not rows:
        return table
    kept = sorted({place for name in rows for place in _places(table, name)})
    moved = {old: new for new, old in enumerate(kept)}
    lines = []
    for place in kept:
        line = table.lines[place]
        beats = tuple(moved[other] for other in line.beats if other in moved)
        lines.append(dataclasses.replace(line, beats=beats))
    return dataclasses.replace(table, lines=tuple(lines))


def _places(table: Table, name: str) -> list[int]:
    """Of the rows that bear a name, or of the one whose key begins so."""
    found = [place for place, line in enumerate(table.lines) if line.row.name == name]
    digits = name.removeprefix("row:")
    if not found and name != digits and len(digits) >= _LEAST_DIGITS:
        found = [place for place, line in enumerate(table.lines) if line.row.key.startswith(digits)]
    if not found:
        raise UnknownNameError("row", name, {line.row.name for line in table.lines})
    return found
