"""A Siamese network whose author made a network for each input.

What is wrong: the two share nothing. Both items of a pair are letters, and one letter gets another embedding on the left than on the right;
a distance between items that went through the same side means nothing.
"""

from __future__ import annotations

import torch
from letters import fit, letters, network
from torch import nn
from torch.nn import functional


class Siamese(nn.Module):
    """Left network, right network."""

    def __init__(self) -> None:
        super().__init__()
        self.left = network()
        self.right = network()

    def forward(self, first, second):
        """Embeddings of both."""
        return functional.normalize(self.left(first)), functional.normalize(self.right(second))


def contrastive(first, second, same, margin=1.0):
    """Pairs that are alike are pulled together, others held apart up to a margin."""
    distance = functional.pairwise_distance(first, second)
    return (same * distance.square() + (1 - same) * functional.relu(margin - distance).square()).mean()


def batches(number=20, size=64):
    """Half of the pairs are of one letter."""
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
    return model, contrastive, batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    fit(*objects(), call=lambda model, batch: (*model(*batch[:2]), batch[2]))
