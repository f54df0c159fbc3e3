"""The verification head of Koch et al.: how two embeddings differ, weighted number by number, says whether they are of one class."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.base import TupleLoss, weights
from siambench.interfaces import Mined


class VerificationHead(TupleLoss):
    """Cross-entropy of the probability σ(b - Σ_d w_d |x_d - y_d|) that two items are of one class.

    Mean over the positive pairs and mean over the negative pairs, each half. It takes memory for B² · D numbers. The logit is its own
    similarity, by which its models are judged beside the track's distance.

    Args:
        embedding_size: D.

    Source:
        Koch, Zemel, Salakhutdinov, Siamese Neural Networks for One-shot Image Recognition, ICML workshop 2015.
    """

    def __init__(self, *, embedding_size: int) -> None:
        super().__init__()
        # A head that begins by comparing all numbers alike, with even odds at a distance of 1.
        self.weight = nn.Parameter(torch.ones(embedding_size) / embedding_size)
        self.bias = nn.Parameter(torch.ones(()) / 2)

    def similarity(self, left: Tensor, right: Tensor) -> Tensor:
        """The logit that items are of one class, fp [N, M], of embeddings [N, D] and [M, D]; higher is nearer."""
        weight, bias = self.weight.to(left.dtype), self.bias.to(left.dtype)
        # Row by row of the left, so that memory follows N · M and D apart.
        apart = torch.stack([(row - right).abs() @ weight for row in left]) if len(left) else left.new_zeros(0, len(right))
        return bias - apart

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        positive, negative = weights(labels, indices, embeddings.dtype)
        weight, bias = self.weight.to(embeddings.dtype), self.bias.to(embeddings.dtype)
        logits = bias - (embeddings[:, None] - embeddings).abs() @ weight
        near = (functional.softplus(-logits) * positive).sum() / positive.sum().clamp(min=1)
        far = (functional.softplus(logits) * negative).sum() / negative.sum().clamp(min=1)
        return (near + far) / 2
