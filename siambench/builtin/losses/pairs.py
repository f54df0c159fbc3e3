"""Losses that rank all pairs of a batch at once, as sentences are trained."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def cosent(scale: float) -> nn.Module:
    """The cosine of every genuine pair is to be above that of every impostor in the batch."""
    from siambench.builtin.losses.forms.cosent import CoSENT

    return CoSENT(scale=scale)


def angle(scale: float) -> nn.Module:
    """As cosent, with angles between complex numbers, whose slope does not vanish where cosines are near 1."""
    from siambench.builtin.losses.forms.cosent import Angle

    return Angle(scale=scale)


_ORDERS = "fed by classes, the pairs are those of a batch with itself, each in both orders"
_LABELS = "a pair is of one class or of two; the paper has degrees of likeness"

ENTRIES = {
    "cosent": LossEntry(
        cosent,
        space={"scale": Float(5.0, 80.0, log=True)},
        defaults={"scale": 20.0},
        space_source="default: sentence-transformers; space: a quarter to four times that",
        takes="pairs",
        feeds=("classes", "pairs", "views"),
        source="Huang et al., CoSENT: Consistent Sentence Embedding via Similarity Ranking, IEEE/ACM TASLP 2024",
        equation="log(1 + sum over genuine pairs p and impostors n of exp(scale (s_n - s_p)))",
        distance="cosine",
        reducer="the logarithm of one sum over the batch",
        differs=(_LABELS, _ORDERS),
    ),
    "angle": LossEntry(
        angle,
        space={"scale": Float(5.0, 80.0, log=True)},
        defaults={"scale": 20.0},
        space_source="default: sentence-transformers; space: a quarter to four times that",
        takes="pairs",
        feeds=("classes", "pairs", "views"),
        source="Li, Li, AoE: Angle-optimized Embeddings for Semantic Textual Similarity, ACL 2024",
        equation=(
            "log(1 + sum over genuine pairs p and impostors n of exp(scale (a_n - a_p))), "
            "a = |sum over coordinates of Re(z / w) + Im(z / w)|, z and w of length 1"
        ),
        needs="an even embedding size; an odd one is filled up by 0",
        distance="absolute sum of the real and imaginary parts of quotients of complex coordinates, the two halves of an embedding",
        reducer="the logarithm of one sum over the batch",
        differs=(
            "the angle term alone, as in sentence-transformers: the paper adds that of cosent and one of negatives in the batch",
            _LABELS,
            _ORDERS,
        ),
    ),
}
"""By name."""
