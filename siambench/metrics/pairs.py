"""The pairs of a verification exam: drawn from a seed, balanced, in folds that share no class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_distance, check_embeddings, check_labels, finite_float64, unit_length

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.metrics.neighbours import Distance

_MOST_FOLDS = 10
_ROWS_AT_ONCE = 16_384
# Below this many candidates a shuffle of all of them is cheap; above it, distinct ones are drawn by trying again.
_SHUFFLED = 2**16


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of items and the fold each belongs to.

    Args:
        left: index of one item, int64 [P].
        right: index of the other item, int64 [P], larger than ``left``.
        same: whether both share a label, bool [P]: same = 1.
        fold: 0 ... F - 1, int64 [P]. Both items of a pair are of classes that occur in no other fold.
        score: how alike people find the two, float64 [P], higher is more alike; None where nobody was asked.
    """

    left: Tensor
    right: Tensor
    same: Tensor
    fold: Tensor
    score: Tensor | None = None


def draw_pairs(labels: Tensor, *, seed: int, queries: int | None = None, folds: int | None = None, pairs_per_fold: int = 600) -> Pairs:
    """Draw genuine and impostor pairs in class-disjoint folds.

    Classes are dealt to the folds at random, those with two items or more first. Within a fold there are as many
    genuine pairs as impostors: half of ``pairs_per_fold`` each, or as many as the scarcer kind has. Genuine pairs are
    spread over classes, and impostors over pairs of classes, as evenly as their sizes allow, so that large classes do
    not make up the exam. No pair occurs twice. Where queries are compared with a gallery, each pair is one of both.

    Args:
        labels: int64 [N]. A class of one item gives impostors, but no genuine pair.
        seed: of a generator of its own; the same seed and labels give the same pairs.
        queries: Q, where the items from Q on are a gallery of their own: ``left`` is then below Q, ``right`` is not. None: all items are
            paired with each other.
        folds: how many; by default as many as the classes allow, at most 10. Every fold needs two classes, one of them with two
            items, which with a gallery are a query and one of the gallery.
        pairs_per_fold: genuine and impostors together, even.

    Returns:
        The pairs, ordered by fold, genuine ones first, on the device of ``labels``.

    Raises:
        MetricError: where no two folds are possible, with the reason; or if more folds are asked for than are possible.
    """
    check_labels(labels)
    if pairs_per_fold < 2 or pairs_per_fold % 2:
        raise MetricError(f"pairs_per_fold must be even and at least 2, got {pairs_per_fold}")
    if queries is not None and not 0 < queries < len(labels):
        raise MetricError(f"queries must leave a gallery: between 1 and {len(labels) - 1}, got {queries}")
    classes, class_of, counts = torch.unique(labels.cpu(), return_inverse=True, return_counts=True)
    # Items sorted by class, queries first: those of class c are at starts[c] ... starts[c] + counts[c] - 1.
    items = class_of.argsort(stable=True)
    starts = counts.cumsum(dim=0) - counts
    asked = counts if queries is None else torch.bincount(class_of[:queries], minlength=len(classes))
    sides = _Sides(starts, counts, asked, apart=queries is not None)
    genuine_of_class = sides.genuine
    folds = _fold_count(len(classes), int((genuine_of_class > 0).sum()), folds)
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(classes), generator=generator)
    shuffled = shuffled[(genuine_of_class[shuffled] == 0).to(torch.int8).argsort(stable=True)]

    left, right, same, fold = [], [], [], []
    for number in range(folds):
        members = sides.of(shuffled[number::folds])
        size = min(pairs_per_fold // 2, int(members.genuine.sum()), members.impostors)
        kinds = ((True, _genuine), (False, _impostors)) if queries is None else ((True, _genuine_apart), (False, _impostors_apart))
        for genuine, draw in kinds:
            one, other = draw(members, size, generator)
            one, other = items[one], items[other]
            left.append(torch.minimum(one, other))
            right.append(torch.maximum(one, other))
            same.append(torch.full((size,), genuine))
            fold.append(torch.full((size,), number))
    return Pairs(*(torch.cat(parts).to(labels.device) for parts in (left, right, same, fold)))


@dataclass(frozen=True, eq=False)
class _Sides:
    """Where the items of each class stand, and which of them are queries; all int64 [K].

    Args:
        starts: of the first item of each class; queries come first.
        counts: of its items.
        queries: how many of them are queries.
        apart: whether the others are a gallery.
    """

    starts: Tensor
    counts: Tensor
    queries: Tensor
    apart: bool

    def of(self, classes: Tensor) -> _Sides:
        return _Sides(self.starts[classes], self.counts[classes], self.queries[classes], self.apart)

    @property
    def gallery(self) -> Tensor:
        return self.counts - self.queries

    @property
    def genuine(self) -> Tensor:
        """How many genuine pairs each class has."""
        return self.queries * self.gallery if self.apart else self.counts * (self.counts - 1) // 2

    @property
    def impostors(self) -> int:
        """How many pairs of two classes there are."""
        if self.apart:
            return int(self.queries.sum()) * int(self.gallery.sum()) - int(self.genuine.sum())
        return (int(self.counts.sum()) ** 2 - int(self.counts.square().sum())) // 2


@torch.no_grad()
def pair_similarity(embeddings: Tensor, pairs: Pairs, *, distance: Distance = "cosine") -> Tensor:
    """How similar the two items of each pair are.

    Args:
        embeddings: [N, D], any real type.
        pairs: indices below N.
        distance: ``"cosine"`` gives the cosine in [-1, 1], ``"euclidean"`` the distance with its sign turned.

    Returns:
        Larger is more similar, float64 [P].

    Raises:
        MetricError: if the embeddings are not finite or the distance is unknown.
    """
    check_distance(distance)
    check_embeddings(embeddings)
    exact = finite_float64(embeddings)
    if distance == "cosine":
        exact = unit_length(exact)
    parts = []
    for start in range(0, len(pairs.left), _ROWS_AT_ONCE):
        one, other = (exact[index[start : start + _ROWS_AT_ONCE]] for index in (pairs.left, pairs.right))
        parts.append((one * other).sum(dim=1) if distance == "cosine" else -(one - other).norm(dim=1))
    return torch.cat(parts) if parts else exact.new_empty(0)


def _fold_count(classes: int, with_pairs: int, wanted: int | None) -> int:
    possible = min(classes // 2, with_pairs)
    given = f"{classes} classes, {with_pairs} of them with two items or more"
    if possible < 2:
        raise MetricError(f"verification needs two folds of two classes, one of them with two items or more; got {given}")
    if wanted is not None and not 2 <= wanted <= possible:
        raise MetricError(f"folds must be between 2 and the {possible} that {given}, allow; got {wanted}")
    return min(possible, _MOST_FOLDS) if wanted is None else wanted


def _genuine(members: _Sides, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    starts, counts = members.starts, members.counts
    shares = _even_shares(counts * (counts - 1) // 2, size, generator)
    one, other = [], []
    for place in shares.nonzero()[:, 0].tolist():
        count = int(counts[place])
        code = _distinct(count * (count - 1) // 2, int(shares[place]), generator)
        # Items on a circle: a code is an item and a step of 1 ... count // 2, which names each pair exactly once.
        item, step = code % count, code // count + 1
        one.append(starts[place] + item)
        other.append(starts[place] + (item + step) % count)
    return _joined(one), _joined(other)


def _impostors(members: _Sides, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    starts, counts = members.starts, members.counts
    classes = len(counts)
    couples = classes * (classes - 1) // 2
    if couples >= size:
        code, shares = _distinct(couples, size, generator), torch.ones(size, dtype=torch.int64)
    else:
        code = torch.arange(couples)
        first, second = code % classes, (code % classes + code // classes + 1) % classes
        shares = _even_shares(counts[first] * counts[second], size, generator)
    first, second = code % classes, (code % classes + code // classes + 1) % classes
    one, other = [], []
    for a, b, share in zip(first.tolist(), second.tolist(), shares.tolist(), strict=True):
        cell = _distinct(int(counts[a] * counts[b]), share, generator)
        one.append(starts[a] + cell // counts[b])
        other.append(starts[b] + cell % counts[b])
    return _joined(one), _joined(other)


def _genuine_apart(members: _Sides, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    places = torch.arange(len(members.counts))
    return _cells(members, places, places, _even_shares(members.genuine, size, generator), generator)


def _impostors_apart(members: _Sides, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    capacities = torch.outer(members.queries, members.gallery).fill_diagonal_(0)
    first, second = capacities.nonzero(as_tuple=True)
    if len(first) >= size:
        code = _distinct(len(first), size, generator)
        return _cells(members, first[code], second[code], torch.ones(size, dtype=torch.int64), generator)
    return _cells(members, first, second, _even_shares(capacities[first, second], size, generator), generator)


def _cells(members: _Sides, first: Tensor, second: Tensor, shares: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """So many different pairs of a query of the first class and one of the gallery of the second, for each couple of classes."""
    queries, gallery = members.queries.tolist(), members.gallery.tolist()
    one, other = [], []
    for a, b, share in zip(first.tolist(), second.tolist(), shares.tolist(), strict=True):
        cell = _distinct(queries[a] * gallery[b], share, generator)
        if share:
            one.append(members.starts[a] + cell // gallery[b])
            other.append(members.starts[b] + queries[b] + cell % gallery[b])
    return _joined(one), _joined(other)


def _joined(parts: list[Tensor]) -> Tensor:
    return torch.cat(parts) if parts else torch.empty(0, dtype=torch.int64)


def _even_shares(capacities: Tensor, total: int, generator: torch.Generator) -> Tensor:
    """Shares that sum to ``total``, none above its capacity, otherwise as equal as they can be."""
    shares = torch.zeros_like(capacities)
    while total > 0:
        open_places = (shares < capacities).nonzero()[:, 0]
        each = total // len(open_places)
        if each == 0:
            shares[open_places[torch.randperm(len(open_places), generator=generator)[:total]]] += 1
            break
        given = (capacities - shares).clamp(max=each)
        shares += given
        total -= int(given.sum())
    return shares


def _distinct(population: int, size: int, generator: torch.Generator) -> Tensor:
    """``size`` different numbers below ``population``, in random order."""
    if population <= _SHUFFLED or size > population // 4:
        return torch.randperm(population, generator=generator)[:size]
    drawn: dict[int, None] = {}
    while len(drawn) < size:
        drawn.update(dict.fromkeys(torch.randint(population, (2 * size,), generator=generator).tolist()))
    return torch.tensor(list(drawn)[:size], dtype=torch.int64)
