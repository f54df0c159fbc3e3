"""Verification pairs that a file names: the form of LFW's ``pairs.txt``, and a table with commas."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.pairs import Pairs

if TYPE_CHECKING:
    from torch import Tensor

_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"0", "false", "no"})
_MOST_DIGITS = 9


@dataclass(frozen=True)
class NamedPairs:
    """Pairs as a file gives them.

    Args:
        left: name of one item of each pair.
        right: name of the other.
        same: whether both are of one class: same = 1.
        fold: of each pair, from 0.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    same: tuple[bool, ...]
    fold: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.left)


def parse_pairs(text: str) -> NamedPairs:
    """Read a list of pairs.

    Two forms. LFW's: a line with the number of folds and of pairs of each kind (or only the latter: one fold), then per
    fold so many genuine pairs, ``name n1 n2``, and as many impostors, ``name1 n1 name2 n2``, separated by white space;
    item n of a name is called ``name/name_000n``. And a table with commas and a heading that names the columns ``left``,
    ``right``, ``same`` (1 or 0) and, where there are folds, ``fold``.

    Raises:
        MetricError: naming the first line that does not hold.
    """
    lines = [(number, line.strip()) for number, line in enumerate(text.lstrip("\ufeff").splitlines(), 1) if line.strip()]
    if not lines:
        raise MetricError("a list of pairs must not be empty")
    found = _parse_table(lines) if "," in lines[0][1] else _parse_lfw(lines)
    genuine = sum(found.same)
    if not 0 < genuine < len(found):
        raise MetricError(f"a list of pairs needs both kinds, got {genuine} genuine pairs and {len(found) - genuine} impostors")
    return found


def _parse_lfw(lines: Sequence[tuple[int, str]]) -> NamedPairs:
    head = [_number(part) for part in lines[0][1].split()]
    if len(head) > 2 or not all(head):
        raise MetricError(
            f"line {lines[0][0]}: a list of pairs begins with the numbers of folds and pairs, or with the columns left,right,same, "
            f"got {lines[0][1][:60]!r}"
        )
    folds, each = head[0] or 0 if len(head) == 2 else 1, head[-1] or 0
    if len(lines) - 1 != 2 * folds * each:
        raise MetricError(f"{folds} folds of {each} genuine and {each} impostor pairs are {2 * folds * each} lines, got {len(lines) - 1}")
    left, right, same, fold = [], [], [], []
    for place, (number, line) in enumerate(lines[1:]):
        genuine = place % (2 * each) < each
        fields = line.split("\t") if "\t" in line else line.split()
        first, second = (_number(fields[place].strip()) if len(fields) == (3 if genuine else 4) else None for place in (1, -1))
        if first is None or second is None:
            wanted = "a genuine pair, name n1 n2" if genuine else "an impostor pair, name1 n1 name2 n2"
            raise MetricError(f"line {number} must be {wanted}, got {line[:60]!r}")
        left.append(_lfw_name(fields[0], first))
        right.append(_lfw_name(fields[0] if genuine else fields[2], second))
        same.append(genuine)
        fold.append(place // (2 * each))
    return NamedPairs(tuple(left), tuple(right), tuple(same), tuple(fold))


def _lfw_name(person: str, number: int) -> str:
    return f"{person.strip()}/{person.strip()}_{number:04d}"


def _number(text: str) -> int | None:
    """A whole number from 0, or None for any other text."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS else None


def _parse_table(lines: Sequence[tuple[int, str]]) -> NamedPairs:
    columns = _cells(*lines[0])
    if not {"left", "right", "same"} <= set(columns) or len(set(columns)) < len(columns):
        raise MetricError(f"a table of pairs needs the columns left, right and same, each once, got {', '.join(columns)}")
    left, right, same, fold = [], [], [], []
    for number, line in lines[1:]:
        cells = _cells(number, line)
        if len(cells) != len(columns):
            raise MetricError(f"line {number} has {len(cells)} cells, the heading has {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        if row["same"].lower() not in _TRUE | _FALSE:
            raise MetricError(f"line {number}: same must be 1 or 0, got {row['same']!r}")
        own_fold = _number(row.get("fold", "0"))
        if own_fold is None:
            raise MetricError(f"line {number}: fold must be a whole number from 0, got {row['fold']!r}")
        left.append(row["left"])
        right.append(row["right"])
        same.append(row["same"].lower() in _TRUE)
        fold.append(own_fold)
    if not left:
        raise MetricError("a table of pairs needs a line below its heading")
    return NamedPairs(tuple(left), tuple(right), tuple(same), tuple(fold))


def _cells(number: int, line: str) -> list[str]:
    # One line at a time: a quotation mark that is never closed spoils its own line only.
    try:
        return [cell.strip() for cell in next(csv.reader([line], skipinitialspace=True, strict=True))]
    except csv.Error as error:
        raise MetricError(f"line {number} is no row of a table: {error}") from error


def resolve_pairs(named: NamedPairs, names: Sequence[str], labels: Tensor) -> Pairs:
    """Pairs by the indices of their items.

    Args:
        named: as a file gives them.
        names: of the items, [N]. A file may leave out their suffix (``.jpg``); a name that is a number and no item's name
            is an index from 0.
        labels: of the items, int64 [N]; what the file calls the same must be so.

    Raises:
        MetricError: for a name that no item or several have, a pair of an item with itself, or one whose ``same`` the labels
            contradict.
    """
    places = _places(names)
    left = [_place(name, places, names) for name in named.left]
    right = [_place(name, places, names) for name in named.right]
    _check_known(named, left, right, names)
    one, other = torch.tensor(left), torch.tensor(right)
    same = torch.tensor(named.same)
    twice = (one == other).nonzero()
    if len(twice):
        raise MetricError(f"pair {int(twice[0]) + 1} is an item with itself: {named.left[int(twice[0])]!r}")
    wrong = ((labels.cpu()[one] == labels.cpu()[other]) != same).nonzero()
    if len(wrong):
        at = int(wrong[0])
        raise MetricError(
            f"{len(wrong)} pairs contradict the labels, the first: {named.left[at]!r}, {named.right[at]!r}, same = {int(named.same[at])}"
        )
    return Pairs(torch.minimum(one, other), torch.maximum(one, other), same, torch.tensor(named.fold))


def _places(names: Sequence[str]) -> dict[str, int | None]:
    """The index of each name, and of each without its suffix where that is no other's name; None where several have it."""
    whole: dict[str, int | None] = {}
    stems: dict[str, int | None] = {}
    for index, name in enumerate(names):
        whole[name] = None if name in whole else index
        if "." in name.rpartition("/")[2]:
            stem = name.rpartition(".")[0]
            stems[stem] = None if stem in stems else index
    return stems | whole


def _place(name: str, places: Mapping[str, int | None], names: Sequence[str]) -> int:
    """The index of an item, or -1 where none is called so."""
    index = places[name] if name in places else _number(name)
    if index is None and name in places:
        raise MetricError(f"the pairs name {name!r}, which more than one of the {len(names)} items is called")
    return -1 if index is None or index >= len(names) else index


def _check_known(named: NamedPairs, left: Sequence[int], right: Sequence[int], names: Sequence[str]) -> None:
    concerned = [pair for pair in range(len(named)) if min(left[pair], right[pair]) < 0]
    if not concerned:
        return
    first = concerned[0]
    name = named.left[first] if left[first] < 0 else named.right[first]
    places = _places(names)
    slashed = name.replace("\\", "/")
    hint = "; there folders are parted by /, not \\" if slashed != name and slashed in places else ""
    raise MetricError(
        f"the pairs name {name!r}, which none of the {len(names)} items is called: {len(concerned)} of {len(named)} pairs are concerned, "
        f"an item is called {names[0]!r}{hint}"
    )


def repeated_pairs(named: NamedPairs, pairs: Pairs) -> str | None:
    """Which pairs of a list stand in it more than once, in whatever order of the two, for people; None where none does."""
    seen: dict[tuple[int, int], int] = {}
    again = [
        (seen[both], place)
        for place, both in enumerate(zip(pairs.left.tolist(), pairs.right.tolist(), strict=True))
        if seen.setdefault(both, place) != place
    ]
    if not again:
        return None
    first, second = again[0]
    names = f"{named.left[first]!r}, {named.right[first]!r}"
    return f"{len(again)} of {len(named)} pairs repeat another, the first: pair {second + 1} is pair {first + 1}, {names}"
