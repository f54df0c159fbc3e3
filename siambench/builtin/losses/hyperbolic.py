"""Losses whose space is not flat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def hyperbolic(temperature: float, curvature: float, radius: float) -> nn.Module:
    """As ntxent, with distances in the Poincaré ball."""
    from siambench.builtin.losses.forms.hyperbolic import Hyperbolic

    return Hyperbolic(temperature=temperature, curvature=curvature, radius=radius)


ENTRIES = {
    "hyperbolic": LossEntry(
        hyperbolic,
        space={"temperature": Float(0.05, 1.0, log=True), "curvature": Float(0.01, 1.0, log=True), "radius": Float(1.0, 3.5)},
        defaults={"temperature": 0.2, "curvature": 0.1, "radius": 2.3},
        space_source=(
            "defaults: the code of Ermolov et al.; space: a quarter to five times their temperature, a tenth to ten times their curvature, "
            "and lengths up to where the ball's edge is reached to a thousandth at the strongest"
        ),
        takes="pairs",
        images_per_class=2,
        normalise=False,
        feeds=("classes", "views"),
        source=(
            "Ermolov, Mirvakhabova, Khrulkov, Sebe, Oseledets, Hyperbolic Vision Transformers: Combining Improvements in Metric Learning, "
            "CVPR 2022"
        ),
        equation=(
            "-log(exp(-d_ap / T) / (exp(-d_ap / T) + sum over negatives of exp(-d_an / T))), d the geodesic distance in the Poincare ball, "
            "2 / sqrt(c) artanh(sqrt(c) |-x + y|), + that of Moebius"
        ),
        needs="in the paper, 128 coordinates behind a vision transformer, and recall judged by the distance in the ball",
        distance="geodesic in the Poincare ball of curvature -c, embeddings of length up to radius mapped there from its centre",
        reducer="mean over the positive pairs",
        differs=(
            "the mean over positive pairs stands where the code has the sum over pairs of places in a class of the mean over classes",
            "an anchor's negatives are all items of other classes, not one or two of each: with two images of a class that is the same",
            "nothing is added to denominators, and no point is moved off the edge: distances are worked out in a form that needs neither",
        ),
    ),
}
"""By name."""
