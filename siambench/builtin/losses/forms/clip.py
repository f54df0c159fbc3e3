"""CLIP: which of the second sides is an item's own, and which of the first is."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.interfaces import Indices

LARGEST_SCALE = 100.0
"""What the learnt scale is clipped to, so that it cannot run away."""


class CLIP(nn.Module):
    """-log(exp(t s_ii) / Σ over j of exp(t s_ij)) from the first sides to the second, and back; the mean of both.

    Args:
        temperature: 1 / t at first, > 0.
        learnt: whether t is trained, and kept at 100 at the most; else it stays as it is.

    Source:
        Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021, figure 3.
    """

    def __init__(self, *, temperature: float, learnt: bool) -> None:
        super().__init__()
        start = torch.tensor(-math.log(temperature))
        self.log_scale: Tensor
        if learnt:
            self.log_scale = nn.Parameter(start)
        else:
            self.register_buffer("log_scale", start)
        self.learnt = learnt

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Indices | None = None) -> Tensor:  # noqa: ARG002  every loss is called so
        """The loss of a batch.

        Args:
            embeddings: of the first sides of B items and then of the second, unit vectors, fp [2 B, D].
            labels: of both, int64 [2 B]; of two items of one class neither is a negative of the other.
            indices: none: the pairs are those of the items.
        """
        first, second = embeddings.chunk(2)
        if self.learnt and self.training:
            # The parameter itself, so that it can come back: beyond a bound on its value there would be no gradient.
            with torch.no_grad():
                self.log_scale.clamp_(max=math.log(LARGEST_SCALE))
        logits = self.log_scale.to(embeddings.dtype).exp() * (first @ second.T)
        classes = labels[: len(first)]
        others = (classes[:, None] == classes) & ~torch.eye(len(classes), dtype=torch.bool, device=classes.device)
        logits = logits.masked_fill(others, -torch.inf)
        own = torch.arange(len(first), device=labels.device)
        return (functional.cross_entropy(logits, own) + functional.cross_entropy(logits.T, own)) / 2
