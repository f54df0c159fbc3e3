"""VICReg: views near each other, coordinates that vary and are not correlated."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.two_views import centred, off_diagonal, two_views

_LEAST_VARIANCE = 1e-4


class VICReg(nn.Module):
    """Mean squared difference of two views, a hinge on each coordinate's deviation below 1, and squared covariances of coordinates.

    Args:
        invariance: weight of the first, >= 0.
        variance: weight of the second, mean over the coordinates and the two branches, >= 0.
        covariance: weight of the third, summed over pairs of coordinates and the two branches, over D, >= 0.

    Source:
        Bardes, Ponce, LeCun, VICReg, ICLR 2022.
    """

    def __init__(self, *, invariance: float, variance: float, covariance: float) -> None:
        super().__init__()
        self.invariance, self.variance, self.covariance = invariance, variance, covariance

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; 0 where no label has two items."""
        left, right, counts = two_views(embeddings, labels)
        pairs = counts.sum()
        number, freedom, size = pairs.clamp(min=1), (pairs - 1).clamp(min=1), embeddings.shape[1]
        apart = (counts * (left - right).square()).sum() / (number * size)
        flat, bound = embeddings.new_zeros(()), embeddings.new_zeros(())
        for branch in (left, right):
            rows = centred(branch, counts, number)
            products = rows.T @ rows / freedom
            deviations = (products.diagonal() + _LEAST_VARIANCE).sqrt()
            flat = flat + functional.relu(1 - deviations).mean() / 2
            bound = bound + off_diagonal(products) / size
        value: Tensor = self.invariance * apart + self.variance * flat + self.covariance * bound
        return value * pairs.clamp(max=1)
