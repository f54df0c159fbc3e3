"""Which points lie off the line that most of them follow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import MetricError
from siambench.stats.comparison import ROUNDING

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# The median absolute deviation of a normal distribution is this share of its standard deviation.
_NORMAL = 0.6744897501960817


def robust_residuals(x: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
    """How far each point lies above the line through most of them, in robust standard deviations.

    The slope is the median of those of all pairs with different x, the line's height the median of y - slope · x, and the standard
    deviation the median distance from the line divided by .6745: neither follows a minority of points that lie elsewhere.

    Args:
        x: [n], n >= 3, finite, not all equal.
        y: [n], finite.

    Returns:
        Residuals, positive above the line, float64 [n]; all 0 where more than half of the points lie on it, up to rounding: then there
        is no scale to measure by.

    Raises:
        MetricError: if the shapes are not [n] with n >= 3, a value is not finite, or all x are equal.

    Source:
        Sen, Estimates of the regression coefficient based on Kendall's tau, Journal of the American Statistical Association 1968;
        Hampel, The influence curve and its role in robust estimation, Journal of the American Statistical Association 1974.
    """
    across, up = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    if across.ndim != 1 or across.shape != up.shape or across.size < 3:
        raise MetricError(f"a line needs x and y of one shape [n] with n >= 3, got {across.shape} and {up.shape}")
    if not (np.isfinite(across).all() and np.isfinite(up).all()):
        raise MetricError("a line needs finite x and y")
    first, second = np.triu_indices(across.size, k=1)
    run = across[first] - across[second]
    if not run.any():
        raise MetricError(f"a line needs x that differ, got {across[0]:g} {across.size} times")
    slope = np.median((up[first] - up[second])[run != 0] / run[run != 0])
    height = up - slope * across
    residuals = height - np.median(height)
    spread = float(np.median(np.abs(residuals))) / _NORMAL
    if spread <= ROUNDING * float(np.abs(up).max()):
        return np.zeros_like(residuals)
    return np.asarray(residuals / spread, dtype=np.float64)
