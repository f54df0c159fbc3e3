"""Labels are what ``==`` gives, and pairs are all of a batch, each item with itself among them; the distance is a square root written out.

What is wrong: torch knows no ``1 - label`` of a bool. Who writes ``label.float()`` meets the second fault, the pairs of an item with
itself: their distance is 0, where the square root has no finite slope, so that every weight is NaN after the first step.
"""

from __future__ import annotations

import torch
from letters import fit, letters, network
from torch import nn


class Pairwise(nn.Module):
    """Contrastive loss of two items each, for labels that say whether they are alike."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, first, second, label):
        """The loss of a batch."""
        distance = ((first - second) ** 2).sum(dim=1).sqrt()
        return (label * distance + (1 - label) * (self.margin - distance).clamp(min=0)).mean()


def batches(number=20, size=12):
    """Every item of some beside every other, and beside itself."""
    images, labels = letters()
    draw = torch.Generator().manual_seed(1)
    found = []
    for _ in range(number):
        chosen = torch.randint(len(images), (size,), generator=draw)
        left, right = chosen.repeat_interleave(size), chosen.repeat(size)
        found.append((images[left], images[right], labels[left] == labels[right]))
    return found


def objects():
    """Model, loss, batches and optimiser."""
    torch.manual_seed(0)
    model = network()
    return model, Pairwise(), batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


def mended_by_half():
    """The same with labels as numbers: now the pairs of an item with itself show."""
    model, loss, found, optimiser = objects()
    return model, loss, [(first, second, label.float()) for first, second, label in found], optimiser


if __name__ == "__main__":
    for make in (objects, mended_by_half):
        try:
            fit(*make(), call=lambda model, batch: (model(batch[0]), model(batch[1]), batch[2]), epochs=1)
        except RuntimeError as error:
            print(str(error).splitlines()[0])
