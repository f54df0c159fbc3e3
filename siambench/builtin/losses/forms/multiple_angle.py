"""The cosine of a multiple of an angle, made to fall over the whole half circle, and how training is eased into it."""

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


def eased(cosine: Tensor, margin: int, *, ease: float, progress: float) -> Tensor:
    """(λ cos θ + ψ(θ)) / (1 + λ), in which λ falls while training goes on: λ = max(ease, 200 ease / (1 + 3,360 progress)).

    With ease = 5 that is the authors' schedule, max(5, 1000 / (1 + .12 step)), over their 28,000 steps: 5 after 6 % of them.
    With ψ itself from the first step, training on hard data ends where embeddings have no length at all.

    Args:
        cosine: of the angles θ, fp, any shape.
        margin: of ψ.
        ease: the least λ, >= 0; 0: ψ itself, from the first step.
        progress: share of the training that is done, in [0, 1].

    Source:
        github.com/wy1iu/sphereface, train/code/sphereface_model.prototxt and sphereface_solver.prototxt.
    """
    weight = max(ease, 200 * ease / (1 + 3360 * progress))
    return (weight * cosine + psi(cosine, margin)) / (1 + weight)
