"""The cosine of a multiple of an angle, made to fall over the whole half circle."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def psi(cosine: Tensor, margin: int) -> Tensor:
    """(-1)^k cos(m θ) - 2k where θ lies in [k π / m, (k + 1) π / m]: it falls from 1 at θ = 0 to 1 - 2m at θ = π.

    cos(m θ) is a polynomial of cos θ, so that it has a finite slope where θ itself has none.

    Args:
        cosine: of the angles θ, fp, any shape.
        margin: m, a whole number of at least 1.
    """
    previous, multiple = torch.ones_like(cosine), cosine
    for _ in range(margin - 1):
        previous, multiple = multiple, 2 * cosine * multiple - previous
    with torch.no_grad():
        passed = sum(((cosine < math.cos(step * math.pi / margin)).to(cosine.dtype) for step in range(1, margin)), torch.zeros_like(cosine))
        sign = 1 - 2 * passed.remainder(2)
    return sign * multiple - 2 * passed
