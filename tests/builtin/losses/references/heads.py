"""Losses with a head of their own."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import mean, pairs, softplus


def verification_head(x, labels, own):
    """½ mean of -log σ(b - Σ w |x - y|) over genuine pairs plus ½ mean of -log(1 - σ(…)) over impostors."""
    genuine, impostors = pairs(labels)

    def logit(i, j):
        return own["bias"] - math.fsum(w * abs(a - b) for w, a, b in zip(own["weight"], x[i], x[j], strict=True))

    return (mean(softplus(-logit(i, j)) for i, j in genuine) + mean(softplus(logit(i, j)) for i, j in impostors)) / 2


REFERENCES = {"verification-head": Reference(verification_head, collapsed=(math.log1p(math.exp(-0.5)) + math.log1p(math.exp(0.5))) / 2)}
