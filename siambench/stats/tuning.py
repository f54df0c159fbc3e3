"""What tuning brings: the best of so many trials, as it is to be expected."""

from __future__ import annotations

from math import comb
from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import MetricError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def expected_best(values: ArrayLike, trials: int, *, higher_is_better: bool = True) -> float:
    """The mean of the best of so many of a study's trials, over all ways to choose them.

    It is meant for trials that are exchangeable, such as random or quasi-random ones: what is proposed from the results of others comes
    late in its study for a reason. Subsets are without repetition, which makes the estimate unbiased; Dodge and colleagues draw with it.

    Args:
        values: of the trials, [N], finite.
        trials: how many, 1 <= n <= N.
        higher_is_better: whether the best value is the highest.

    Returns:
        In the units of the values; of one trial their mean, of all of them the best.

    Raises:
        MetricError: if there are no values, one is not finite, or there are fewer than so many.

    Source:
        Dodge, Gururangan, Card, Schwartz, Smith, Show Your Work: Improved Reporting of Experimental Results, EMNLP 2019; without
        repetition: Tang, Lee, Xin, Liu, Yu, Lin, Showing Your Work Doesn't Always Work, ACL 2020.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not np.isfinite(sample).all():
        raise MetricError("values must be a list of finite numbers")
    if not 1 <= trials <= sample.size:
        raise MetricError(f"trials must lie in 1 … {sample.size}, the number of values, got {trials}")
    ordered = np.sort(sample if higher_is_better else -sample)
    # The i-th smallest is the best of a subset that holds it and otherwise smaller ones.
    weights = [comb(place, trials - 1) / comb(sample.size, trials) for place in range(sample.size)]
    best = float(np.dot(weights, ordered))
    return best if higher_is_better else -best
