"""Sigmoid loss: each pair is a question of its own, genuine or not."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.interfaces import Mined


class Sigmoid(TupleLoss):
    """Σ over pairs of log(1 + exp(-z (t s + b))), z = 1 for positive and -1 for negative ones, over the number of items.

    The scale t = exp(log_scale) and the bias b are learned.

    Args:
        scale: t at first, > 0.
        bias: b at first.

    Source:
        Zhai, Mustafa, Kolesnikov, Beyer, Sigmoid Loss for Language Image Pre-Training, ICCV 2023.
    """

    def __init__(self, *, scale: float, bias: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)))
        self.bias = nn.Parameter(torch.tensor(float(bias)))

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        logits = self.log_scale.to(embeddings.dtype).exp() * (embeddings @ embeddings.T) + self.bias.to(embeddings.dtype)
        terms = positive * functional.softplus(-logits) + negative * functional.softplus(logits)
        return terms.sum() / len(labels)
