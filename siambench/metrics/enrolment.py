"""Verification against enrolled classes: a few references stand for a class, and an item is asked whether it is of that class."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from siambench.errors import MetricError
from siambench.metrics.checks import check_distance, check_embeddings, check_labels, finite_float64, unit_length
from siambench.metrics.references import References, draw_references

if TYPE_CHECKING:
    from siambench.metrics.neighbours import Distance

Template = Literal["mean", "nearest"]
"""What stands for a class: the mean of its references, or whichever of them is nearest."""

DRAWS = 5
"""How often references are drawn anew. Raw images of glyphs have an error of 0.30 to 0.43, by k and template; from draw to draw it varies
by 0.002 to 0.005 (standard deviation of six), the mean of five by less than half of that. Every method meets the same draws."""

MOST_COMPARISONS = 2**26
"""Of one draw: they are sorted in memory, at some thirty bytes each."""

_ROWS, _PANEL, _COLUMNS = 512, 192, 4096
_NOBODY = -1


@dataclass(frozen=True)
class EnrolledVerification:
    """Verification of items against enrolled classes, over several draws of the references.

    Args:
        equal_error_rate: mean over the draws, in [0, 1], lower is better.
        deviation: standard deviation over the draws (n - 1).
        classes: that are enrolled.
        genuine: comparisons of an item with its own class, in each draw.
        impostors: comparisons with another class.
    """

    equal_error_rate: float
    deviation: float
    classes: int
    genuine: int
    impostors: int


def enrolled_verification(
    embeddings: Tensor,
    labels: Tensor,
    *,
    k: int,
    seeds: Sequence[int],
    template: Template = "mean",
    queries: int | None = None,
    distance: Distance = "cosine",
) -> EnrolledVerification:
    """Enrol k items of each class that has more, and compare every other item with every enrolled class.

    How near an item is to a class: to the mean of its references (under ``"cosine"``, of the references at unit length), or to the
    nearest of them. Each draw has a threshold of its own, at which false accepts and false rejects are equally frequent. Items of classes
    with too few are impostors to all. Nothing is sampled but the references.

    Args:
        embeddings: [N, D], any real type.
        labels: int64 [N], not negative.
        k: references of a class, at least 1.
        seeds: of the draws, one each; see `draw_references`.
        template: what stands for a class.
        queries: Q, where the items from Q on are a gallery of their own: references are drawn from it, and every query is compared.
            None: all items are both.
        distance: what near means.

    Raises:
        MetricError: if shapes do not fit, an embedding is not finite, no class has enough items, one kind of comparisons is missing, or
            there are more than `MOST_COMPARISONS` of them.

    Source:
        ISO/IEC 19795-1, Biometric performance testing and reporting; Wan, Wang, Papir, Lopez Moreno, Generalized End-to-End Loss for
        Speaker Verification, ICASSP 2018 (enrolled by the mean).
    """
    drawn = _draws(embeddings, labels, k=k, seeds=seeds, template=template, queries=queries, distance=distance)
    return _over(drawn, _NOBODY)


def enrolled_without_each_class(
    embeddings: Tensor,
    labels: Tensor,
    *,
    k: int,
    seeds: Sequence[int],
    template: Template = "mean",
    queries: int | None = None,
    distance: Distance = "cosine",
) -> dict[int, EnrolledVerification | None]:
    """`enrolled_verification` with each class left out in turn, as item and as enrolled class, for the jackknife over classes.

    References of the other classes stay as they were drawn. Comparisons are sorted once a draw, so that all classes together cost little
    more than one score.

    Args:
        embeddings: [N, D], any real type.
        labels: int64 [N], not negative.
        k: references of a class.
        seeds: of the draws.
        template: what stands for a class.
        queries: Q, where there is a gallery.
        distance: what near means.

    Returns:
        By label, in rising order; None where without that class one kind of comparisons is missing.

    Raises:
        MetricError: as `enrolled_verification`.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 11.
    """
    drawn = _draws(embeddings, labels, k=k, seeds=seeds, template=template, queries=queries, distance=distance)
    found: dict[int, EnrolledVerification | None] = {}
    for label in sorted(set(labels.tolist())):
        try:
            found[label] = _over(drawn, label)
        except MetricError:
            found[label] = None
    return found


@torch.no_grad()
def enrolled_similarities(
    embeddings: Tensor, references: References, *, template: Template = "mean", distance: Distance = "cosine"
) -> Tensor:
    """How similar each of the other items is to each enrolled class, larger is more similar.

    Args:
        embeddings: [N, D], any real type.
        references: who is enrolled.
        template: what stands for a class.
        distance: ``"cosine"`` (a mean of zero has similarity 0 to everything), or ``"euclidean"``: the distance, negative.

    Returns:
        float64 [P, C].

    Raises:
        MetricError: if shapes do not fit, or an embedding is not finite.
    """
    check_distance(distance)
    check_embeddings(embeddings)
    if template not in {"mean", "nearest"}:
        raise MetricError(f"template must be 'mean' or 'nearest', got {template!r}")
    exact = finite_float64(embeddings)
    exact = unit_length(exact) if distance == "cosine" else exact
    known, asked = exact[references.items], exact[references.others]
    if template == "mean":
        mean = known.mean(dim=1)
        known = (unit_length(mean) if distance == "cosine" else mean)[:, None]
    found = exact.new_empty(len(asked), len(known))
    step = max(_COLUMNS // known.shape[1], 1)
    for first in range(0, len(known), step):
        block = known[first : first + step]
        near = _products if distance == "cosine" else _distances
        for top in range(0, len(asked), _ROWS):
            rows = asked[top : top + _ROWS]
            found[top : top + _ROWS, first : first + step] = near(rows, block.flatten(0, 1)).view(len(rows), *block.shape[:2]).amax(dim=2)
    return found


def _products(rows: Tensor, columns: Tensor) -> Tensor:
    # Of whole panels, whose products are summed in one order: equal items are equally similar.
    padded = rows.new_zeros(_ROWS, rows.shape[1])
    padded[: len(rows)] = rows
    panels = rows.new_zeros(-(-len(columns) // _PANEL) * _PANEL, rows.shape[1])
    panels[: len(columns)] = columns
    return (padded @ panels.T)[: len(rows), : len(columns)]


def _distances(rows: Tensor, columns: Tensor) -> Tensor:
    # Not by products, which lose the differences between near items.
    return -torch.cdist(rows, columns, compute_mode="donot_use_mm_for_euclid_dist")


@dataclass(frozen=True, eq=False)
class _Draw:
    """One draw, its similarities sorted into levels.

    Args:
        level: of each comparison, int64 [P, C].
        labels: of the other items, int64 [P].
        classes: that are enrolled, int64 [C].
        genuine: how many genuine comparisons lie below each level, and below none beyond the last, int64 [L + 1].
        impostors: how many others, int64 [L + 1].
    """

    level: Tensor
    labels: Tensor
    classes: Tensor
    genuine: Tensor
    impostors: Tensor

    def score(self, without: int) -> tuple[float, int, int]:
        """The equal error rate with a class left out, and how many genuine comparisons and impostors there are then."""
        away, off = self.labels == without, self.classes == without
        own, column = self.level[away], self.level[:, off][~away].flatten()
        genuine = own[:, off].flatten().sort().values
        impostors = torch.cat([own[:, ~off].flatten(), column]).sort().values
        positives, negatives = int(self.genuine[-1]) - len(genuine), int(self.impostors[-1]) - len(impostors)
        if positives == 0 or negatives == 0:
            raise MetricError(f"both kinds of comparisons are needed, got {positives} genuine and {negatives} impostors")

        def rates(level: int) -> tuple[float, float]:
            """False accepts and false rejects where everything from a level on is accepted."""
            rejected = int(self.genuine[level]) - _below(genuine, level)
            accepted = negatives - (int(self.impostors[level]) - _below(impostors, level))
            return accepted / negatives, rejected / positives

        # The first level at which no fewer are rejected than accepted: at 0 all are accepted, beyond the last all are rejected.
        low, high = 0, len(self.genuine) - 1
        while high - low > 1:
            middle = (low + high) // 2
            accepted, rejected = rates(middle)
            low, high = (low, middle) if rejected >= accepted else (middle, high)
        (accepted_before, rejected_before), (accepted, rejected) = rates(low), rates(high)
        before, after = accepted_before - rejected_before, rejected - accepted
        return accepted_before + before / (before + after) * (accepted - accepted_before), positives, negatives


def _below(levels: Tensor, level: int) -> int:
    return int(torch.searchsorted(levels, level)) if len(levels) else 0


def _draws(
    embeddings: Tensor,
    labels: Tensor,
    *,
    k: int,
    seeds: Sequence[int],
    template: Template,
    queries: int | None,
    distance: Distance,
) -> list[_Draw]:
    check_labels(labels, length=len(embeddings))
    if len(seeds) < 2:
        raise MetricError(f"at least two draws are needed, got {len(seeds)}")
    found = []
    for seed in seeds:
        references = draw_references(labels, k=k, seed=seed, queries=queries)
        size = len(references.others) * len(references.classes)
        if size > MOST_COMPARISONS:
            raise MetricError(f"at most {MOST_COMPARISONS:,} comparisons of an item with an enrolled class are sorted, here are {size:,}")
        near = enrolled_similarities(embeddings, references, template=template, distance=distance).cpu()
        asked, classes = labels[references.others].cpu(), references.classes.cpu()
        level, count = _levels(near)
        genuine = torch.bincount(level[asked[:, None] == classes], minlength=count)
        everyone = torch.bincount(level.flatten(), minlength=count)
        found.append(_Draw(level, asked, classes, _until(genuine), _until(everyone - genuine)))
    return found


def _levels(near: Tensor) -> tuple[Tensor, int]:
    """The place of each similarity among the distinct ones in rising order, int64 [P, C], and how many those are."""
    # Twice as fast as `torch.unique`, which hashes.
    values = near.flatten().numpy()
    order = np.argsort(values)
    rising = values[order]
    place = np.empty(len(values), dtype=np.int64)
    place[order] = np.concatenate([[0], np.cumsum(rising[1:] != rising[:-1])])
    return torch.from_numpy(place).view(near.shape), int(place[order[-1]]) + 1


def _until(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(dim=0)])


def _over(drawn: Sequence[_Draw], without: int) -> EnrolledVerification:
    scores, positives, negatives = zip(*(one.score(without) for one in drawn), strict=True)
    classes = int((drawn[0].classes != without).sum())
    return EnrolledVerification(statistics.fmean(scores), statistics.stdev(scores), classes, positives[0], negatives[0])
