"""Networks for tokens int64 [B, T], padded with 0, which they do not read."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Bag(nn.Module):
    """The mean of the vectors of an item's tokens, in whatever order they stand; zero for an item without tokens.

    Args:
        vocabulary: one more than the largest id.
        width: of the vectors.
        dropout: of the features.

    Source:
        Joulin, Grave, Bojanowski, Mikolov, Bag of Tricks for Efficient Text Classification, EACL 2017.
    """

    def __init__(self, vocabulary: int, *, width: int, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary, width, padding_idx=0)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [B, width]."""
        known = (tokens != 0).unsqueeze(-1)
        total = (self.vectors(tokens) * known).sum(dim=1)
        features: Tensor = self.dropout(total / known.sum(dim=1).clamp(min=1))
        return features


class GruText(nn.Module):
    """A recurrent network over the vectors of an item's tokens; its features are the means of its states where there are tokens.

    Args:
        vocabulary: one more than the largest id.
        size: of the vectors.
        width: of the states of one direction.
        dropout: of the vectors.

    Source:
        Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014.
    """

    def __init__(self, vocabulary: int, *, size: int, width: int, dropout: float) -> None:
        super().__init__()
        self.vectors = nn.Embedding(vocabulary, size, padding_idx=0)
        self.dropout = nn.Dropout(dropout)
        self.forwards = nn.GRU(size, width, batch_first=True)
        self.backwards = nn.GRU(size, width, batch_first=True)

    def forward(self, tokens: Tensor) -> Tensor:
        """Features [B, 2 · width]; they do not depend on how much padding follows."""
        known = tokens != 0
        vectors = self.dropout(self.vectors(tokens))
        # Backwards the padding would be read first: each item is turned around by itself, its padding left behind it.
        length = known.sum(dim=1, keepdim=True)
        place = torch.arange(tokens.shape[1], device=tokens.device).expand_as(tokens)
        turned = torch.where(place < length, length - 1 - place, place).unsqueeze(-1).expand_as(vectors)
        states = torch.cat([self.forwards(vectors)[0], self.backwards(vectors.gather(1, turned))[0]], dim=-1)
        weights = (place < length).unsqueeze(-1).to(states.dtype)
        features: Tensor = (states * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)
        return features
