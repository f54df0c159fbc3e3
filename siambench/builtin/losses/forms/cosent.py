"""CoSENT and the angle term of AnglE: every genuine pair above every impostor."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.builtin.pairwise import only
from siambench.interfaces import Mined


class CoSENT(TupleLoss):
    """log(1 + Σ exp(scale (s_n - s_p))) over all pairs p of one class and n of two, s the cosine.

    The sum over pairs of pairs is the product of two sums over pairs.

    Args:
        scale: > 0.

    Source:
        Huang et al., CoSENT: Consistent Sentence Embedding via Similarity Ranking, IEEE/ACM TASLP 2024.
    """

    def __init__(self, *, scale: float) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        similarities = self.scale * self.similarities(embeddings)
        return functional.softplus(_soft_largest(-similarities, positive) + _soft_largest(similarities, negative))

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Of each item, the left of a pair, with each, the right, fp [B, B]."""
        return embeddings @ embeddings.T


class Angle(CoSENT):
    """As CoSENT, with the angles of complex numbers: the two halves of an embedding are real and imaginary parts.

    The similarity of z and w is the absolute sum of the real and the imaginary parts of z / w over its coordinates, both of length 1.
    An odd number of coordinates is filled up by 0.

    Args:
        scale: > 0.

    Source:
        Li, Li, AoE: Angle-optimized Embeddings for Semantic Textual Similarity, ACL 2024.
    """

    def similarities(self, embeddings: Tensor) -> Tensor:
        """Of each item, the left of a pair, with each, the right, fp [B, B]."""
        even = functional.pad(embeddings, (0, embeddings.shape[1] % 2))
        real, imaginary = even.chunk(2, dim=1)
        turned = torch.cat([real - imaginary, imaginary + real], dim=1)
        return (even @ turned.T).abs()


def _soft_largest(exponents: Tensor, often: Tensor) -> Tensor:
    """Log Σ exp over the pairs that count, each as often as it does; of none, so little that no power of it is left."""
    return (only(exponents, often) + often.clamp(min=1).log()).flatten().logsumexp(dim=0)
