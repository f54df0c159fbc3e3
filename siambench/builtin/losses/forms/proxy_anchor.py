"""Proxy-anchor loss: a matrix of classes by items, value and slopes in closed form.

Embeddings are fp [B, D] of unit length, labels int64 [B] in 0 … K - 1. A value is a scalar, lower is better.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.base import soft_sum
from siambench.builtin.pairwise import known


class ProxyAnchor(nn.Module):
    """log(1 + Σ exp(-α (s - δ))) over each proxy's own items, log(1 + Σ exp(α (s + δ))) over all others.

    The former is the mean over the proxies that have an item in the batch, the latter over all proxies.

    Args:
        num_classes: K, a proxy each.
        embedding_size: D.
        margin: δ.
        alpha: α > 0.

    Source:
        Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, CVPR 2020, eq. 4.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, alpha: float) -> None:
        super().__init__()
        self.margin, self.alpha = margin, alpha
        self.proxies = nn.Parameter(torch.empty(num_classes, embedding_size))
        nn.init.kaiming_normal_(self.proxies, mode="fan_out")

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        proxies = functional.normalize(self.proxies.to(embeddings.dtype))
        with torch.no_grad():
            scaled = (self.alpha * proxies) @ embeddings.T
            classes = torch.arange(len(proxies), dtype=scaled.dtype, device=labels.device)
            own = classes[:, None].repeat(1, len(labels)).eq_(labels)
            near, pull = soft_sum(self.alpha * self.margin - scaled, own)
            far, push = soft_sum(scaled + self.alpha * self.margin, 1 - own)
            present = own.amax(dim=1).sum().clamp(min=1)
            value = near.sum() / present + far.mean()
            slope = push.mul_(self.alpha / len(proxies)).sub_(pull.mul_(self.alpha / present))
            by_items, by_proxies = slope.T @ proxies, slope @ embeddings
        return known(value, (embeddings, by_items), (proxies, by_proxies))
