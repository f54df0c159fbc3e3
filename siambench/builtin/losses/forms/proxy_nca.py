"""Proxy-NCA, and ProxyNCA++, which has the true proxy among those that it is compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.class_weights import own_class

_DEVIATION = 1 / 8
"""Of the proxies as they are drawn, as the code of ProxyNCA++ has it; the longer they are, the slower they turn."""


class _Proxies(nn.Module):
    def __init__(self, *, num_classes: int, embedding_size: int) -> None:
        super().__init__()
        self.proxies = nn.Parameter(torch.empty(num_classes, embedding_size))
        nn.init.normal_(self.proxies, std=_DEVIATION)

    def squares(self, embeddings: Tensor) -> Tensor:
        """Squared distances of embeddings of unit length to the proxies, of unit length too, fp [B, K]."""
        return 2 - 2 * embeddings @ functional.normalize(self.proxies.to(embeddings.dtype)).T


class ProxyNCA(_Proxies):
    """scale · d²(x, own proxy) + log Σ over the other proxies of exp(-scale · d²), mean over the items.

    It may be negative: the own proxy is not in the sum. It is 0 where there is one class only.

    Args:
        num_classes: K, a proxy each.
        embedding_size: D.
        softmax_scale: of the squared distances, > 0.

    Source:
        Movshovitz-Attias, Toshev, Leung, Ioffe, Singh, No Fuss Distance Metric Learning using Proxies, ICCV 2017.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, softmax_scale: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.softmax_scale = softmax_scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        exponents = -self.softmax_scale * self.squares(embeddings)
        if exponents.shape[1] == 1:
            return exponents.sum() * 0
        own = own_class(labels, exponents)
        others = exponents.masked_fill(own, -torch.inf).logsumexp(dim=1)
        return (others - exponents.masked_fill(~own, 0).sum(dim=1)).mean()


class ProxyNCAPlusPlus(_Proxies):
    """-log of the softmax over the proxies of -d² of scale · x and scale · p, x and p of unit length, mean over the items.

    Args:
        num_classes: K, a proxy each.
        embedding_size: D.
        scale: of both, the root of one over the temperature, > 0.

    Source:
        Teh, DeVries, Taylor, ProxyNCA++: Revisiting and Revitalizing Proxy Neighborhood Component Analysis, ECCV 2020.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, scale: float) -> None:
        super().__init__(num_classes=num_classes, embedding_size=embedding_size)
        self.scale = scale

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        return functional.cross_entropy(-(self.scale**2) * self.squares(embeddings), labels)
