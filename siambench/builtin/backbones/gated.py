"""A network for tokens int64 [B, T], padded with 0, that learns which of them count."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GatedBag(nn.Module):
    """The mean of the vectors of an item's tokens, each weighted by a learnt gate of its own; zero for an item without tokens.

    A gate is a sigmoid of one number for each token, all of them equal when training begins: then it is the plain mean. Words that say
    nothing of a class, such as "the", are shut by training, as inverse frequencies do without it.

    Args:
        vocabulary: one more than the largest id.
        width: of the vectors.
        dropout: of the features.

    Source:
        Arora, Liang, Ma, A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR 2017, whose weights are those of frequency.
    """

    def __init__(self, vocabulary: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary, width, padding_idx=0)
        self.gates = nn.Embedding(vocabulary, 1, padding_idx=0)
        nn.init.zeros_(self.gates.weight)
        self.dropout = nn.Dropout(dropout)
        self.stages = (("vectors", "gates"),)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [B, width]; they depend neither on the order of the tokens nor on how much padding follows."""
        weights = torch.sigmoid(self.gates(tokens)) * (tokens != 0).unsqueeze(-1)
        features: Tensor = (self.vectors(tokens) * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1e-6)
        dropped: Tensor = self.dropout(features)
        return dropped
