"""Losses with a proxy or a weight vector of each training class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def proxy_anchor(margin: float, alpha: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Each class's proxy is an anchor for the whole batch."""
    from siambench.builtin.losses.forms_proxies import ProxyAnchor

    return ProxyAnchor(num_classes=num_classes, embedding_size=embedding_size, margin=margin, alpha=alpha)


def arcface(margin: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with ``margin`` degrees added to the angle of the true one."""
    from siambench.builtin.losses.forms_proxies import ArcFace

    return ArcFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale)


ENTRIES = {
    "proxy-anchor": LossEntry(
        proxy_anchor,
        space={"margin": Float(0.0, 1.0), "alpha": Float(1.0, 100.0, log=True)},
        defaults={"margin": 0.1, "alpha": 32.0},
        sampler="random",
        own_parameters=True,
        source="Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, CVPR 2020",
        distance="cosine to proxies",
        reducer="mean over the proxies with a positive in the batch, plus mean over all proxies",
    ),
    "arcface": LossEntry(
        arcface,
        space={"margin": Float(0.0, 90.0), "scale": Float(0.01, 200.0)},
        defaults={"margin": 28.6, "scale": 64.0},
        sampler="random",
        own_parameters=True,
        source="Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019",
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("the margin is given in degrees; the paper gives 0.5 radians, 28.6 degrees",),
    ),
}
"""By name."""
