"""The hardest positive and negative of each anchor are found in numpy, and the loss is made of what numpy found.

What is wrong: numpy knows nothing of gradients. ``requires_grad=True`` on the new tensor makes ``backward`` run and nothing arrive: the
loss moves by what the batches are, no weight ever does.
"""

from __future__ import annotations

import numpy as np
import torch
from letters import fit, letters, network
from torch import nn


class BatchHard(nn.Module):
    """Triplet loss of the hardest positive and the hardest negative of each anchor."""

    def __init__(self, margin: float = 0.3) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        points, classes = embeddings.detach().numpy(), labels.numpy()
        distances = np.linalg.norm(points[:, None] - points[None], axis=2)
        same = classes[:, None] == classes[None]
        hardest_positive = np.where(same, distances, -np.inf).max(axis=1)
        hardest_negative = np.where(same, np.inf, distances).min(axis=1)
        costs = np.maximum(hardest_positive - hardest_negative + self.margin, 0)
        return torch.tensor(float(costs.mean()), requires_grad=True)


def batches(number=20, classes=12, each=4):
    """Some letters, some items of each."""
    images, labels = letters()
    draw = torch.Generator().manual_seed(1)
    found = []
    for _ in range(number):
        chosen = torch.randperm(int(labels.max()) + 1, generator=draw)[:classes]
        members = [torch.nonzero(labels == c).flatten() for c in chosen]
        numbers = torch.cat([items[torch.randperm(len(items), generator=draw)[:each]] for items in members])
        found.append((images[numbers], labels[numbers]))
    return found


def objects():
    """Model, loss, batches and optimiser."""
    torch.manual_seed(0)
    model = network()
    return model, BatchHard(), batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    fit(*objects(), call=lambda model, batch: (model(batch[0]), batch[1]))
