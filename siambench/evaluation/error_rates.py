"""Error rates at every threshold, thinned to what a picture can show: from pairs, or from every pair counted into bins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from siambench.records.unit_figures import Distances, ErrorRates

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from siambench.metrics import AllPairs, Distance

BINS = 60
"""Of a histogram of distances."""

_GRID = 80
"""False accept rates on a logarithmic grid, and as many false reject rates: together at most so many points as a curve may have."""

_LOWEST = 1e-5


def rounded(value: float, digits: int = 6) -> float:
    """To so many significant digits."""
    return float(f"{value:.{digits}g}")


@dataclass(frozen=True, eq=False)
class Levels:
    """How many pairs are how similar.

    Args:
        similarity: distinct values, rising, float64 [L].
        genuine: pairs of one class at each, int64 [L].
        impostors: pairs of two classes at each, int64 [L].
    """

    similarity: NDArray[np.float64]
    genuine: NDArray[np.int64]
    impostors: NDArray[np.int64]

    @classmethod
    def of_pairs(cls, similarity: Tensor, same: Tensor) -> Levels:
        """From pairs one by one: their similarities [P], and whether they are of one class, bool [P]."""
        values, level = torch.unique(similarity.detach().cpu().to(torch.float64), return_inverse=True)
        truth = same.cpu().bool()
        counts = (torch.bincount(level[kind], minlength=len(values)).numpy() for kind in (truth, ~truth))
        return cls(values.numpy(), *counts)

    @classmethod
    def of_every_pair(cls, counted: AllPairs) -> Levels:
        """From every pair, counted into equal bins of the cosine: each bin is one level, called by its middle."""
        bins = len(counted.accepted) - 1
        impostors = np.rint(-np.diff(counted.accepted.numpy()) * counted.impostors).astype(np.int64)
        genuine = np.rint(np.diff(counted.rejected.numpy()) * counted.genuine).astype(np.int64)
        middle = -1 + (2 * np.arange(bins) + 1) / bins
        held = (genuine > 0) | (impostors > 0)
        return cls(middle[held], genuine[held], impostors[held])

    @property
    def is_whole(self) -> bool:
        """Whether there are pairs of both kinds."""
        return bool(self.genuine.sum() and self.impostors.sum())

    def rates(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Shares of impostors accepted and of genuine pairs rejected from each level on, and beyond the last: float64 [L + 1]."""
        rejected = np.concatenate([[0], self.genuine.cumsum()])
        accepted = self.impostors.sum() - np.concatenate([[0], self.impostors.cumsum()])
        return accepted / self.impostors.sum(), rejected / self.genuine.sum()


def distance_of(similarity: NDArray[np.float64], distance: Distance) -> NDArray[np.float64]:
    """1 less the cosine, or the euclidean distance, of which the similarity is the negative."""
    # Less than nothing is rounding.
    return np.maximum(1.0 - similarity, 0.0) if distance == "cosine" else np.maximum(-similarity, 0.0)


def equal_error(levels: Levels) -> tuple[float, float]:
    """The equal error rate, as `siambench.metrics.equal_error_rate` reads it, and the similarity at which it is."""
    accepted, rejected = levels.rates()
    after = int((rejected >= accepted).argmax())
    before = after - 1
    gap, behind = accepted[before] - rejected[before], rejected[after] - accepted[after]
    weight = gap / (gap + behind)
    value = accepted[before] + weight * (accepted[after] - accepted[before])
    # Beyond the last level no pair is accepted, and there is no similarity to go to.
    low, high = levels.similarity[before], levels.similarity[min(after, len(levels.similarity) - 1)]
    return float(value), float(low + weight * (high - low))


def thinned(levels: Levels, distance: Distance) -> ErrorRates:
    """At most 160 points of the curves of both errors: those where either is lowest for what the other may be, on logarithmic grids.

    Nothing is interpolated: each point is a threshold and what happens at it.
    """
    accepted, rejected = levels.rates()
    lowest_accepted = max(_LOWEST, 1 / levels.impostors.sum())
    lowest_rejected = max(_LOWEST, 1 / levels.genuine.sum())
    # `accepted` falls and `rejected` rises from level to level.
    allowed = np.geomspace(lowest_accepted, 1.0, _GRID - 1)
    by_accepted = len(accepted) - np.searchsorted(accepted[::-1], allowed * (1 + 1e-12), side="right")
    allowed = np.geomspace(lowest_rejected, 1.0, _GRID - 1)
    by_rejected = np.searchsorted(rejected, allowed * (1 + 1e-12), side="right") - 1
    places = np.unique(np.concatenate([[0, len(accepted) - 1], by_accepted, by_rejected]))[::-1]
    apart = distance_of(levels.similarity, distance)
    # Beyond the last level: nearer than any pair is.
    apart = np.concatenate([apart, [apart[-1] - max(1e-6, 1e-3 * abs(apart[-1] - apart[0]))]])
    return ErrorRates(
        tuple(rounded(value, 6) for value in apart[places].tolist()),
        tuple(round(value, 7) for value in accepted[places].tolist()),
        tuple(round(value, 7) for value in rejected[places].tolist()),
    )


def histogram(levels: Levels, distance: Distance) -> Distances:
    """Both kinds of pairs in equal bins from the smallest distance to the largest."""
    apart = distance_of(levels.similarity, distance)
    low, high = float(apart.min()), float(apart.max())
    if high <= low:
        # All pairs are equally far apart: one bin would have no width.
        low, high = low - 0.5, high + 0.5
    counts = (np.histogram(apart, bins=BINS, range=(low, high), weights=kind)[0] for kind in (levels.genuine, levels.impostors))
    genuine, impostors = (tuple(round(value) for value in kind.tolist()) for kind in counts)
    return Distances(rounded(low, 6), rounded(high, 6), genuine, impostors)
