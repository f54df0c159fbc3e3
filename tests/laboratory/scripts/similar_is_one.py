"""The text says that a label of 1 means similar, and so do the data; the formula is that of the paper, where 1 means different.

What is wrong: what is alike is held apart, what is not is pulled together. The loss falls all the same.
"""

from __future__ import annotations

import torch
from letters import fit, letters, network
from torch import nn
from torch.nn import functional


class Siamese(nn.Module):
    """One network, called for each item of a pair."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding = network()

    def forward(self, items):
        """Embeddings of items."""
        return self.embedding(items)


class ContrastiveLoss(nn.Module):
    """Label 1 if both are similar, 0 if they are not."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, first, second, label):
        """The loss of a batch."""
        distance = functional.pairwise_distance(first, second)
        return ((1 - label) * distance.pow(2) + label * functional.relu(self.margin - distance).pow(2)).mean()


def batches(number=20, size=64):
    """Half of the pairs are of one letter, and bear a 1."""
    images, labels = letters()
    draw = torch.Generator().manual_seed(1)
    found = []
    for _ in range(number):
        left = torch.randint(len(images), (size,), generator=draw)
        right = torch.randint(len(images), (size,), generator=draw)
        for place in range(size // 2):
            alike = torch.nonzero((labels == labels[left[place]]) & (torch.arange(len(labels)) != left[place])).flatten()
            right[place] = alike[torch.randint(len(alike), (1,), generator=draw)]
        found.append((images[left], images[right], (labels[left] == labels[right]).float()))
    return found


def objects():
    """Model, loss, batches and optimiser."""
    torch.manual_seed(0)
    model = Siamese()
    return model, ContrastiveLoss(), batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    fit(*objects(), call=lambda model, batch: (model(batch[0]), model(batch[1]), batch[2]))
