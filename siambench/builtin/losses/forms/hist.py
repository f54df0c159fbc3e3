"""HIST: items are classified by a network over the hypergraph of a batch and its classes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

_LEAST_VARIANCE = 1e-5
_LEAK = 0.1


class Hist(nn.Module):
    """-log softmax(-``scale`` · m) over the classes, m the squared Mahalanobis distance, plus ``share`` · cross-entropy of a network.

    Each class has a mean of length 1 and a variance of each coordinate. In the hypergraph, a class of the batch is an edge that joins
    its own items by 1 and the others by exp(-``alpha`` m). The network is two linear layers with standardised values and a leaky
    rectifier between them, the propagation of the hypergraph behind each layer.

    Args:
        num_classes: K.
        embedding_size: D.
        scale: of distances in the softmax, > 0.
        alpha: of distances in the hypergraph, >= 0.
        share: weight of the network's cross-entropy, >= 0.
        hidden: values between the two layers.

    Source:
        Lim, Yun, Park, Choi, Hypergraph-Induced Semantic Tuplet Loss for Deep Metric Learning, CVPR 2022.
    """

    def __init__(self, *, num_classes: int, embedding_size: int, scale: float, alpha: float, share: float, hidden: int) -> None:
        super().__init__()
        self.scale, self.alpha, self.share = scale, alpha, share
        spread = math.sqrt(2 / num_classes)
        self.means = nn.Parameter(spread * torch.randn(num_classes, embedding_size))
        self.log_variances = nn.Parameter(spread * torch.randn(num_classes, embedding_size))
        self.first, self.second = nn.Linear(embedding_size, hidden), nn.Linear(hidden, num_classes)
        self.gain, self.offset = nn.Parameter(torch.ones(hidden)), nn.Parameter(torch.zeros(hidden))

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch; embeddings are not normalised."""
        squares = self._squares(functional.normalize(embeddings))
        spread = self._propagation(squares, labels)
        own = {name: parameter.to(embeddings.dtype) for name, parameter in self.named_parameters()}
        rows = spread @ functional.linear(embeddings, own["first.weight"], own["first.bias"])
        rows = rows - rows.mean(dim=0)
        rows = own["gain"] * rows / (rows.square().mean(dim=0) + _LEAST_VARIANCE).sqrt() + own["offset"]
        logits = spread @ functional.linear(functional.leaky_relu(rows, _LEAK), own["second.weight"], own["second.bias"])
        return functional.cross_entropy(-self.scale * squares, labels) + self.share * functional.cross_entropy(logits, labels)

    def _squares(self, rows: Tensor) -> Tensor:
        """Squared Mahalanobis distances of rows of length 1 to the classes, fp [B, K]."""
        means = functional.normalize(self.means.to(rows.dtype))
        precisions = (-functional.relu6(self.log_variances.to(rows.dtype))).exp()
        constant = (means.square() * precisions).sum(dim=1)
        return (rows.square() @ precisions.T - 2 * rows @ (means * precisions).T + constant).clamp(min=0)

    def _propagation(self, squares: Tensor, labels: Tensor) -> Tensor:
        """What each item hears of each over the classes of the batch, fp [B, B]."""
        own = torch.zeros_like(squares).scatter_(1, labels[:, None], 1.0)
        edges = (own + (1 - own) * (-self.alpha * squares).exp()) * own.amax(dim=0)
        scaled = edges / edges.sum(dim=1, keepdim=True).sqrt()
        degrees = edges.sum(dim=0)
        return scaled / torch.where(degrees > 0, degrees, 1.0) @ scaled.T
