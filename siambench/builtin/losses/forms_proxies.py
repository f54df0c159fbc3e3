"""Proxy-anchor and ArcFace as modules: a matrix of classes by items, value and slopes in closed form.

Embeddings are fp [B, D] of unit length, labels int64 [B] in 0 … K - 1. A value is a scalar, lower is better.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms_softmax import soft_sum
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


class ArcFace(nn.Module):
    """Cross-entropy of scale · cos θ over the classes, with ``margin`` degrees added to the angle of the true one.

    Past 180 degrees the cosine goes on as cos θ - m sin m, so that it falls with the angle everywhere.

    Args:
        num_classes: K, a weight vector each.
        embedding_size: D.
        margin: in degrees.
        scale: of the logits, > 0.

    Source:
        Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019, eq. 3.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, margin: float, scale: float) -> None:
        super().__init__()
        self.margin, self.scale = math.radians(margin), scale
        self.weight = nn.Parameter(torch.empty(embedding_size, num_classes))
        nn.init.normal_(self.weight)

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch."""
        weight = functional.normalize(self.weight.to(embeddings.dtype), dim=0)
        with torch.no_grad():
            cosines = embeddings @ weight
            true, target = cosines.gather(1, labels[:, None]), labels[:, None]
            moved, steepness = self._moved(true)
            logs = (self.scale * cosines.scatter(1, target, moved)).log_softmax(dim=1)
            value = -logs.gather(1, target).mean()
            slope = logs.exp()
            wrong = slope.gather(1, target) - 1
            slope = slope.scatter(1, target, wrong * steepness) * (self.scale / len(labels))
            by_items, by_weight = slope @ weight.T, embeddings.T @ slope
        return known(value, (embeddings, by_items), (weight, by_weight))

    def _moved(self, cosine: Tensor) -> tuple[Tensor, Tensor]:
        """The cosine of the angle and the margin together, and its derivative by the cosine."""
        cosine = cosine.clamp(-1, 1)
        # On its own class weight the angle has no derivative: there the slope is that of the nearest place at which it can be told.
        sine = (1 - cosine.square()).clamp(min=torch.finfo(cosine.dtype).eps).sqrt()
        inside = cosine >= -math.cos(self.margin)
        moved = torch.where(
            inside, cosine * math.cos(self.margin) - sine * math.sin(self.margin), cosine - self.margin * math.sin(self.margin)
        )
        return moved, torch.where(inside, math.cos(self.margin) + cosine * math.sin(self.margin) / sine, 1.0)
