"""Manifold loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_NEVER = -1e30
"""An exponent whose power is 0, and still a number."""


class Manifold(nn.Module):
    """N-pair losses of manifold similarities to proxies, which a random walk over the batch and the proxies gives.

    With S = exp(2 [cos]₊) between all of them, 0 to themselves, and S' = D^-½ S D^-½, D the sums of S's rows, the similarities are
    F = (1 - alpha) (I - alpha S')^-1. The first term is log(1 + Σ over the other proxies k with f_ik - f_iy + margin >= 0 of
    exp(f_ik - f_iy + margin)), mean over the items. The second, weighted, is the same of the cosines between rows of F.

    The classes are dealt out to the proxies in turn: class c has proxy c modulo their number.

    Args:
        num_classes: K; there are no more proxies than that.
        embedding_size: D.
        num_proxies: how many there may be.
        alpha: what a step of the walk passes on, in (0, 1).
        margin: of both terms.
        context_weight: of the second term, >= 0.

    Source:
        Aziere, Todorovic, Ensemble Deep Manifold Similarity Learning using Hard Proxies, CVPR 2019.
    """

    def __init__(
        self, *, num_classes: int, embedding_size: int, num_proxies: int, alpha: float, margin: float, context_weight: float
    ) -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.empty(min(num_proxies, num_classes), embedding_size))
        nn.init.normal_(self.proxies)
        self.alpha, self.margin, self.context_weight = alpha, margin, context_weight

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        size, number = len(embeddings), len(self.proxies)
        nodes = torch.cat((embeddings, functional.normalize(self.proxies.to(embeddings.dtype))))
        identity = torch.eye(len(nodes), dtype=nodes.dtype, device=nodes.device)
        similar = (2 * (nodes @ nodes.T).clamp(min=0)).exp() * (1 - identity)
        scale = similar.sum(dim=1).rsqrt()
        # `inv` would wait for the device to hear whether it worked; this matrix has an inverse, its eigenvalues are at least 1 - alpha.
        walked = (1 - self.alpha) * torch.linalg.inv_ex(identity - self.alpha * scale[:, None] * similar * scale).inverse
        own = (labels % number)[:, None] == torch.arange(number, device=labels.device)
        rows = functional.normalize(walked)
        intrinsic = self._term(walked[:size, size:], own)
        return intrinsic + self.context_weight * self._term(rows[:size] @ rows[size:].T, own)

    def _term(self, similarities: Tensor, own: Tensor) -> Tensor:
        behind = similarities - similarities.masked_fill(~own, 0).sum(dim=1, keepdim=True) + self.margin
        counted = torch.where(~own & (behind >= 0), behind, _NEVER)
        return functional.softplus(counted.logsumexp(dim=1)).mean()
