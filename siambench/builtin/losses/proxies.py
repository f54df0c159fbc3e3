"""Losses with a proxy or a weight vector of each training class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def proxy_anchor(margin: float, alpha: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Each class's proxy is an anchor for the whole batch."""
    from siambench.builtin.losses.forms.proxy_anchor import ProxyAnchor

    return ProxyAnchor(num_classes=num_classes, embedding_size=embedding_size, margin=margin, alpha=alpha)


def arcface(margin: float, scale: float, num_classes: int, embedding_size: int) -> nn.Module:
    """Softmax over classes with ``margin`` degrees added to the angle of the true one."""
    from siambench.builtin.losses.forms.arcface import ArcFace

    return ArcFace(num_classes=num_classes, embedding_size=embedding_size, margin=margin, scale=scale)


ENTRIES = {
    "proxy-anchor": LossEntry(
        proxy_anchor,
        space={"margin": Float(0.0, 0.4), "alpha": Float(8.0, 64.0, log=True)},
        defaults={"margin": 0.1, "alpha": 32.0},
        space_source="defaults: Kim et al.; space: no margin up to four times theirs, alpha from a quarter to twice theirs",
        space_version=2,
        sampler="random",
        own_parameters=True,
        source="Kim, Kim, Cho, Kwak, Proxy Anchor Loss for Deep Metric Learning, CVPR 2020",
        equation="eq. 4: log(1 + sum exp(-alpha (s - margin))) over own items, log(1 + sum exp(alpha (s + margin))) over others",
        distance="cosine to proxies",
        reducer="mean over the proxies with a positive in the batch, plus mean over all proxies",
    ),
    "arcface": LossEntry(
        arcface,
        space={"margin": Float(0.0, 45.0), "scale": Float(8.0, 128.0, log=True)},
        defaults={"margin": 28.6, "scale": 64.0},
        spaces={"reality-check": {"margin": Float(0.0, 90.0), "scale": Float(0.01, 200.0)}},
        space_source=(
            "defaults: Deng et al.; space: no margin, which is the normalised softmax, up to half of the right angle between unrelated "
            "vectors, and a scale from an eighth to twice theirs, as fewer classes take less"
        ),
        space_version=2,
        sampler="random",
        own_parameters=True,
        source="Deng, Guo, Xue, Zafeiriou, ArcFace, CVPR 2019",
        equation="eq. 3: -log(exp(scale cos(theta_y + m)) / (exp(scale cos(theta_y + m)) + sum over j != y of exp(scale cos theta_j)))",
        distance="cosine to class weights",
        reducer="mean over the items",
        differs=("the margin is given in degrees; the paper gives 0.5 radians, 28.6 degrees",),
    ),
}
"""By name."""
