"""What the tests of evaluation share: a whole data set as one part, and a model that watches how it is called."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from siambench.tracks.parts import Items


def items_of(dataset):
    """The whole data set as one part."""
    return Items(dataset, np.arange(len(dataset.labels)), dataset.labels, dataset.class_names)


class Watching(nn.Module):
    """A network with everything that must be still in evaluation; remembers what it was called with."""

    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.dropout = nn.Dropout(0.5)
        self.linear = nn.Linear(64, 7)
        self.seen = []

    def forward(self, images):
        """Embeddings [B, 7]."""
        self.seen.append((self.training, images.dtype, torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), len(images)))
        return self.linear(self.dropout(self.norm(images).flatten(1)))
