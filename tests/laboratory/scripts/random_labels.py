"""Pairs are drawn at random, and so is the word whether they are alike; the distance is a square root written out.

What is wrong: the word says nothing of the items, so that there is nothing to learn; and where both items of a pair are one, the slope of
the square root at 0 is not finite.
"""

from __future__ import annotations

import torch
from letters import fit, letters, network
from torch import nn


class Siamese(nn.Module):
    """One network for both items."""

    def __init__(self) -> None:
        super().__init__()
        self.network = network()

    def forward(self, first, second):
        """Embeddings of both."""
        return self.network(first), self.network(second)


def contrastive(first, second, same, margin=2.0):
    """Pairs that are alike are pulled together, others held apart up to a margin."""
    distance = torch.sqrt(torch.sum((first - second) ** 2, dim=1))
    return torch.mean(same * distance**2 + (1 - same) * torch.clamp(margin - distance, min=0) ** 2)


def batches(number=20, size=64):
    """Pairs of any two letters, and a coin for each."""
    images, _ = letters()
    draw = torch.Generator().manual_seed(1)
    found = []
    for _ in range(number):
        left, right = torch.randint(len(images), (2, size), generator=draw)
        found.append((images[left], images[right], torch.randint(2, (size,), generator=draw).float()))
    return found


def objects():
    """Model, loss, batches and optimiser."""
    torch.manual_seed(0)
    model = Siamese()
    return model, contrastive, batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    fit(*objects(), call=lambda model, batch: (*model(*batch[:2]), batch[2]))
