"""Cross-entropy of pairs with distances in the Poincaré ball."""

from __future__ import annotations

import torch
from torch import Tensor

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.pairwise import only
from siambench.interfaces import Mined

_ROUNDING = 4.0
"""So many units of the last place a squared distance may owe to rounding alone."""

_SHORTEST = 1e-5
"""Lengths below this count as this one."""


class Hyperbolic(TupleLoss):
    """Mean over positive pairs of -log(exp(-d_ap / T) / (exp(-d_ap / T) + Σ over negatives of exp(-d_an / T))).

    Embeddings are cut at the length ``radius`` and mapped into the ball of curvature -c by the exponential map at its centre; d is the
    geodesic distance there, 2 / √c · arsinh(√c |x - y| / √((1 - c |x|²) (1 - c |y|²))).

    Args:
        temperature: T > 0.
        curvature: c > 0.
        radius: > 0.

    Source:
        Ermolov, Mirvakhabova, Khrulkov, Sebe, Oseledets, Hyperbolic Vision Transformers, CVPR 2022.
    """

    def __init__(self, *, temperature: float, curvature: float, radius: float) -> None:
        super().__init__()
        self.temperature, self.curvature, self.radius = temperature, curvature, radius

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch; embeddings are not normalised."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        logits = self.similarity(embeddings, embeddings) / self.temperature
        against = only(logits, negative.sign()).logsumexp(dim=1, keepdim=True)
        terms = torch.where(positive > 0, positive * torch.nn.functional.softplus(against - logits), 0.0)
        return terms.sum() / positive.sum().clamp(min=1)

    def similarity(self, left: Tensor, right: Tensor) -> Tensor:
        """Of each embedding with each, fp [N, M], higher is nearer: the distance in the ball, negative.

        Args:
            left: embeddings as the head gives them, fp [N, D].
            right: likewise, fp [M, D].
        """
        root = self.curvature**0.5
        (one, near), (other, far) = self._placed(left), self._placed(right)
        # A part of both moves no distance, and rounding is relative to what is left.
        centre = other.detach().mean(dim=0)
        one, other = one - centre, other - centre
        lengths = one.square().sum(dim=1)[:, None] + other.square().sum(dim=1)
        squares = lengths - 2 * one @ other.T
        told = squares > _ROUNDING * torch.finfo(squares.dtype).eps * lengths
        apart = torch.where(told, squares, 1.0).sqrt() * near[:, None] * far
        return torch.where(told, -2 / root * (root * apart).asinh(), 0.0)

    def _placed(self, embeddings: Tensor) -> tuple[Tensor, Tensor]:
        """Where embeddings lie in the ball, fp [N, D], and 1 / √(1 - c |x|²) there, fp [N]."""
        root = self.curvature**0.5
        lengths = embeddings.norm(dim=1, keepdim=True).clamp(min=_SHORTEST)
        cut = lengths.clamp(max=self.radius)
        # With |x| = tanh(√c r) / √c that is cosh(√c r): near the ball's edge the difference would have no digits left.
        return embeddings * ((root * cut).tanh() / (root * lengths)), (root * cut).cosh().squeeze(1)
