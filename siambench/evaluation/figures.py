"""What the pictures of a unit are drawn from, taken from the embeddings that were scored: nothing is drawn at random, and nothing changed.

Beyond what metrics keep anyway it takes memory for the pairs that there are, for the sample that is shown, and for one tile of queries.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from siambench import metrics
from siambench.data.thumbnails import thumbnails
from siambench.errors import MetricError
from siambench.evaluation.error_rates import Levels, distance_of, equal_error, histogram, rounded, thinned
from siambench.evaluation.shown import NEIGHBOURS, Order, asking, attribute_of, on_map, short
from siambench.evaluation.view import Evaluated
from siambench.metrics.checks import unit_length
from siambench.records.unit_figures import Answer, Class, EmbeddingMap, Item, OfGroup, UnitFigures, Verification

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from siambench.tracks.parts import Items

MOST_PICTURE_BYTES = 18_000
"""Of all thumbnails of one unit; in a file they take a third more."""

MOST_GROUPS = 60
"""Groups that have an error rate of their own; of more those are left out that come last by name."""

_EVERY_PAIR_BY_GROUP = 3_000
"""Items up to which every pair is compared once more, group by group."""

_DIGITS = 4


@dataclass(frozen=True, eq=False)
class Seen:
    """A part of a data set as it was evaluated.

    Args:
        evaluated: what metrics asked; of items with two sides both sides of each, the first ones first.
        items: the part.
        places: position in the part of each evaluated item, int64 [N]; of two sides of the first sides.
    """

    evaluated: Evaluated
    items: Items
    places: Tensor

    @property
    def positions(self) -> NDArray[np.int64]:
        """Of each evaluated item, or side of one, in the part: int64."""
        found: NDArray[np.int64] = self.places.cpu().numpy()
        return np.tile(found, 2) if self.items.dataset.sides else found

    def role(self, row: int) -> Literal["both", "query", "gallery"]:
        """Of an evaluated item, by its row."""
        if not self.evaluated.has_gallery:
            return "both"
        return "query" if row < self.evaluated.queries else "gallery"


def figures_of(seen: Seen, *, unit: str, dataset: str, models: int = 1) -> UnitFigures:
    """What its pictures are drawn from.

    Args:
        seen: what was scored.
        unit: the id of the unit.
        dataset: by what name it asks for the data.
        models: how many models' embeddings stand side by side.

    Returns:
        The value, of which ``outcome`` is empty: there is none before the unit has ended.
    """
    evaluated, items = seen.evaluated, seen.items
    attribute = attribute_of(items.class_attributes)
    order = Order.of(items, attribute)
    rows_at: dict[int, list[int]] = {}
    for row, position in enumerate(seen.positions.tolist()):
        rows_at.setdefault(position, []).append(row)
    on_plane = [row for position in on_map(order) for row in rows_at[position]]
    can_be_asked = np.zeros(len(items), dtype=bool)
    known = (evaluated.relevant > 0).cpu().numpy()
    can_be_asked[seen.positions[: evaluated.queries][known]] = True
    # Of an item that is in no gallery, and of one with two sides, the first row is the one that asks.
    queries = [rows_at[position][0] for position in asking(order, can_be_asked)]
    found = neighbours(evaluated, queries)
    rows = list(dict.fromkeys([*on_plane, *(row for query, near, _ in found for row in (query, *near))]))
    place = {row: number for number, row in enumerate(rows)}
    pictured = list(dict.fromkeys(row for query, near, _ in found for row in (query, *near)))
    numbers = sorted({int(items.labels[seen.positions[row]]) for row in rows})
    return UnitFigures(
        unit=unit,
        outcome="",
        dataset=dataset,
        distance=evaluated.distance,
        models=models,
        attribute=attribute,
        classes=tuple(_class(items, number, attribute) for number in numbers),
        items=_items(seen, rows, numbers, _pictures(seen, pictured)),
        verification=_verification(evaluated, _groups(items, attribute, seen.positions)),
        map=_map(evaluated, on_plane, place),
        answers=tuple(Answer(place[query], tuple(place[row] for row in near), apart) for query, near, apart in found),
    )


def _class(items: Items, number: int, attribute: str | None) -> Class:
    return Class(number, short(items.class_names[number]), None if attribute is None else items.class_attributes[attribute][number])


def _items(seen: Seen, rows: Sequence[int], numbers: Sequence[int], pictures: dict[int, str]) -> tuple[Item, ...]:
    names, places = seen.items.dataset.item_names, {number: place for place, number in enumerate(numbers)}
    found = []
    for row in rows:
        position = int(seen.positions[row])
        index = int(seen.items.indices[position])
        label = places[int(seen.items.labels[position])]
        found.append(Item(index, label, None if names is None else short(names[index]), seen.role(row), pictures.get(row)))
    return tuple(found)


def _pictures(seen: Seen, rows: Sequence[int]) -> dict[int, str]:
    """Thumbnails of evaluated items that are images, by their rows; none where they are not, or take too much room."""
    sides, single = seen.items.dataset.sides, len(seen.places)
    shown = [row for row in rows if (sides[row // single].form if sides else seen.items.dataset.form) == "images"]
    if sides:
        images = [np.asarray(sides[row // single].read(seen.items.indices[seen.positions[[row]]]))[0] for row in shown]
    else:
        images = list(np.asarray(seen.items.read(seen.positions[shown]))) if shown else []
    if any(image.shape[0] not in (1, 3) for image in images):
        # Channels that are no colours cannot be shown.
        return {}
    made = thumbnails(images, most=MOST_PICTURE_BYTES)
    return {row: base64.b64encode(png).decode() for row, png in zip(shown, made, strict=False)}


def plane(points: Tensor) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """The first two principal components of points, and the share of the variance in each.

    The sign of each axis is such that the point farthest from its middle, of several the first, lies on the positive side.

    Args:
        points: any real type, [N, D].

    Returns:
        Coordinates, float64 [N, 2], and two shares in [0, 1]; a second axis that there is not is zero.

    Source:
        Jolliffe, Principal Component Analysis, 2nd edition, 2002.
    """
    exact = points.detach().cpu().to(torch.float64)
    exact = exact - exact.mean(dim=0)
    # Of products of points rather than of dimensions: a raw image has thousands of those. By torch, which keeps to a unit's one thread.
    found, vectors = torch.linalg.eigh(exact @ exact.T)
    values = found.numpy()[::-1]
    # What rounding leaves of an axis that there is not.
    values = np.where(values > 1e-12 * values[0], np.maximum(values, 0.0), 0.0)
    total = float(values.sum())
    axes = (vectors.numpy()[:, ::-1] * np.sqrt(values))[:, :2]
    axes = np.pad(axes, ((0, 0), (0, max(0, 2 - axes.shape[1]))))
    # The farthest by some digits: of two that are equally far rounding would decide.
    farthest = np.abs(axes / max(float(np.abs(axes).max()), 1e-300)).round(9).argmax(axis=0)
    axes = axes * np.where(axes[farthest, [0, 1]] < 0, -1.0, 1.0)
    shares = [float(value) / total if total > 0 else 0.0 for value in (*values, 0.0)[:2]]
    return axes, (round(shares[0], 6), round(shares[1], 6))


def _map(evaluated: Evaluated, rows: Sequence[int], place: dict[int, int]) -> EmbeddingMap | None:
    if len(rows) < 3:
        return None
    points = evaluated.given(torch.tensor(rows)).cpu().to(torch.float64)
    axes, share = plane(points if evaluated.distance == "euclidean" else unit_length(points))
    x, y = (tuple(rounded(value, _DIGITS) for value in axis.tolist()) for axis in axes.T)
    return EmbeddingMap(tuple(place[row] for row in rows), x, y, share)


def neighbours(evaluated: Evaluated, queries: Sequence[int]) -> list[tuple[int, list[int], tuple[float, ...]]]:
    """Each query, the rows of the items nearest to it, nearest first, and how far these are."""
    if not queries:
        return []
    first = evaluated.queries if evaluated.has_gallery else 0
    references = evaluated.given(slice(first, None))
    asked = evaluated.given(torch.tensor(queries))
    # One more than is shown, for an item finds itself where all are compared with all.
    wanted = min(NEIGHBOURS + (not evaluated.has_gallery), len(references))
    nearest = metrics.nearest(asked, references, wanted, exclude_self=False, distance=evaluated.distance)
    found = []
    for query, near in zip(queries, (nearest + first).tolist(), strict=True):
        others = [row for row in near if row != query][:NEIGHBOURS]
        left = torch.zeros(len(others), dtype=torch.int64)
        pairs = metrics.Pairs(left, left + torch.arange(1, len(others) + 1), left.bool(), left)
        similarity = metrics.pair_similarity(evaluated.given(torch.tensor([query, *others])).cpu(), pairs, distance=evaluated.distance)
        apart = distance_of(similarity.numpy(), evaluated.distance)
        found.append((query, others, tuple(rounded(value, _DIGITS) for value in apart.tolist())))
    return found


def _groups(items: Items, attribute: str | None, positions: NDArray[np.int64]) -> tuple[list[str], NDArray[np.int64]] | None:
    """The groups' names, and the number of that of each evaluated item."""
    if attribute is None:
        return None
    names, of_class = np.unique(np.array(items.class_attributes[attribute], dtype=str), return_inverse=True)
    return names.tolist(), of_class[items.labels[positions]]


def _verification(evaluated: Evaluated, groups: tuple[list[str], NDArray[np.int64]] | None) -> Verification | None:
    kind: Literal["drawn", "listed", "every"] = evaluated.kind_of_pairs
    every = evaluated.every_pair if kind == "every" else None
    if every is not None:
        levels = Levels.of_every_pair(every)
    elif evaluated.pairs is not None and evaluated.similarities is not None:
        levels = Levels.of_pairs(evaluated.similarities, evaluated.pairs.same)
    else:
        return None
    if not levels.is_whole:
        return None
    error, similarity = equal_error(levels)
    return Verification(
        pairs=kind,
        genuine=int(levels.genuine.sum()),
        impostors=int(levels.impostors.sum()),
        equal_error_rate=round(error, 7),
        threshold=rounded(float(distance_of(np.array([similarity]), evaluated.distance)[0])),
        rates=thinned(levels, evaluated.distance),
        distances=histogram(levels, evaluated.distance),
        groups=() if groups is None else tuple(_by_group(evaluated, *groups)),
    )


def _by_group(evaluated: Evaluated, names: Sequence[str], group: NDArray[np.int64]) -> list[OfGroup]:
    by_every = evaluated.kind_of_pairs == "every"
    if by_every and len(group) > _EVERY_PAIR_BY_GROUP:
        return []
    points = unit_length(evaluated.given(slice(None)).cpu().to(torch.float64)) if by_every else None
    found = []
    for number, name in list(enumerate(names))[:MOST_GROUPS]:
        own = torch.from_numpy(group == number)
        if points is not None:
            queries = evaluated.queries if evaluated.has_gallery else None
            similarity, same = _every_pair_of(points, evaluated.labels.cpu(), own, queries)
        elif evaluated.pairs is not None and evaluated.similarities is not None:
            touched = own[evaluated.pairs.left.cpu()] | own[evaluated.pairs.right.cpu()]
            similarity, same = evaluated.similarities.cpu()[touched], evaluated.pairs.same.cpu()[touched]
        else:
            return []
        try:
            error = metrics.equal_error_rate(similarity, same)
        except MetricError:
            # Without a genuine pair, or without an impostor, there is no error rate.
            continue
        found.append(OfGroup(short(name), int(same.sum()), int((~same).sum()), round(error, 6)))
    return found


def _every_pair_of(points: Tensor, labels: Tensor, own: Tensor, queries: int | None) -> tuple[Tensor, Tensor]:
    """Cosines of all pairs one of whose items is marked, each once, and whether they are of one class."""
    marked = own.nonzero()[:, 0]
    similarity, same = points[marked] @ points.T, labels[marked][:, None] == labels[None]
    row = torch.arange(len(own))
    if queries is None:
        # Of two marked items the pair stands in two rows.
        counted = ~own[None] | (marked[:, None] < row[None])
    else:
        asks = marked[:, None] < queries
        # A marked query with the gallery; a marked item of the gallery with the queries that are not marked.
        counted = torch.where(asks, (row >= queries)[None], ((row < queries) & ~own)[None])
    return similarity[counted], same[counted]
