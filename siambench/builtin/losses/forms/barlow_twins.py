"""Barlow Twins: the correlations of two views' coordinates are the identity."""

from __future__ import annotations

from torch import Tensor, nn

from siambench.builtin.losses.forms.two_views import centred, off_diagonal, two_views

_LEAST_VARIANCE = 1e-5


class BarlowTwins(nn.Module):
    """Σ (1 - c_ii)² + ``redundancy`` · Σ over i ≠ j of c_ij², c the correlation of coordinate i of one view with j of the other.

    Args:
        redundancy: weight of what is beside the diagonal, >= 0.

    Source:
        Zbontar, Jing, Misra, LeCun, Deny, Barlow Twins, ICML 2021.
    """

    def __init__(self, *, redundancy: float) -> None:
        super().__init__()
        self.redundancy = redundancy

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; 0 where no label has two items."""
        left, right, counts = two_views(embeddings, labels)
        pairs = counts.sum()
        number = pairs.clamp(min=1)
        one, other = (_standardised(branch, counts, number) for branch in (left, right))
        correlations = one.T @ other / number
        value: Tensor = (1 - correlations.diagonal()).square().sum() + self.redundancy * off_diagonal(correlations)
        return value * pairs.clamp(max=1)


def _standardised(rows: Tensor, counts: Tensor, number: Tensor) -> Tensor:
    rows = centred(rows, counts, number)
    return rows / (rows.square().sum(dim=0) / number + _LEAST_VARIANCE).sqrt()
