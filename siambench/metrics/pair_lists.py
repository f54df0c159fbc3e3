"""Verification pairs that a file names: the form of LFW's ``pairs.txt``, and a table with commas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.named_items import cells_of, lines_of, places_in, whole_number
from siambench.metrics.pairs import Pairs

if TYPE_CHECKING:
    from torch import Tensor

_TRUE = frozenset({"1", "true", "yes"})
_FALSE = frozenset({"0", "false", "no"})


@dataclass(frozen=True)
class NamedPairs:
    """Pairs as a file gives them.

    Args:
        left: name of one item of each pair.
        right: name of the other.
        same: whether both are of one class: same = 1.
        fold: of each pair, from 0.
        score: how alike people find the two, higher is more alike; None where the file says nothing of it.
    """

    left: tuple[str, ...]
    right: tuple[str, ...]
    same: tuple[bool, ...]
    fold: tuple[int, ...]
    score: tuple[float, ...] | None = None

    def __len__(self) -> int:
        return len(self.left)


def parse_pairs(text: str) -> NamedPairs:
    """Read a list of pairs.

    Two forms. LFW's: a line with the number of folds and of pairs of each kind (or only the latter: one fold), then per
    fold so many genuine pairs, ``name n1 n2``, and as many impostors, ``name1 n1 name2 n2``, separated by white space;
    item n of a name is called ``name/name_000n``. And a table with commas and a heading that names the columns ``left``,
    ``right``, ``same`` (1 or 0) and, where there are folds, ``fold``; ``score`` may say how alike people find the two.

    Raises:
        MetricError: naming the first line that does not hold.
    """
    lines = lines_of(text)
    if not lines:
        raise MetricError("a list of pairs must not be empty")
    found = _parse_table(lines) if "," in lines[0][1] else _parse_lfw(lines)
    genuine = sum(found.same)
    if not 0 < genuine < len(found):
        raise MetricError(f"a list of pairs needs both kinds, got {genuine} genuine pairs and {len(found) - genuine} impostors")
    return found


def _parse_lfw(lines: Sequence[tuple[int, str]]) -> NamedPairs:
    head = [whole_number(part) for part in lines[0][1].split()]
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
        first, second = (whole_number(fields[place].strip()) if len(fields) == (3 if genuine else 4) else None for place in (1, -1))
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


def _parse_table(lines: Sequence[tuple[int, str]]) -> NamedPairs:
    columns = cells_of(*lines[0])
    if not {"left", "right", "same"} <= set(columns) or len(set(columns)) < len(columns):
        raise MetricError(f"a table of pairs needs the columns left, right and same, each once, got {', '.join(columns)}")
    left, right, same, fold = [], [], [], []
    score: list[float] = []
    for number, line in lines[1:]:
        cells = cells_of(number, line)
        if len(cells) != len(columns):
            raise MetricError(f"line {number} has {len(cells)} cells, the heading has {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        if row["same"].lower() not in _TRUE | _FALSE:
            raise MetricError(f"line {number}: same must be 1 or 0, got {row['same']!r}")
        own_fold = whole_number(row.get("fold", "0"))
        if own_fold is None:
            raise MetricError(f"line {number}: fold must be a whole number from 0, got {row['fold']!r}")
        left.append(row["left"])
        right.append(row["right"])
        same.append(row["same"].lower() in _TRUE)
        fold.append(own_fold)
        if "score" in row:
            score.append(_score(row["score"], number))
    if not left:
        raise MetricError("a table of pairs needs a line below its heading")
    return NamedPairs(tuple(left), tuple(right), tuple(same), tuple(fold), tuple(score) if "score" in columns else None)


def _score(text: str, number: int) -> float:
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not math.isfinite(found):
        raise MetricError(f"line {number}: score must be a finite number, got {text[:40]!r}")
    return found


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
    one, other = map(torch.tensor, places_in((named.left, named.right), names, rows="pairs"))
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
    score = None if named.score is None else torch.tensor(named.score, dtype=torch.float64)
    return Pairs(torch.minimum(one, other), torch.maximum(one, other), same, torch.tensor(named.fold), score)


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
