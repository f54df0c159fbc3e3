"""What the scripts of this folder share: some letters of glyphs, a small network, and a loop that prints the loss of each epoch."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from siambench.components.catalogue import Catalogue


@functools.cache
def letters(classes: int = 40):
    """Images fp32 [N, 1, 24, 24] in [0, 1] and labels int64 [N] of the first classes that one may train on."""
    glyphs = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).dataset("glyphs", {})
    numbers = np.concatenate([np.flatnonzero(glyphs.labels == c) for c in np.unique(glyphs.labels[glyphs.parts["trainval"]])[:classes]])
    labels = np.unique(glyphs.labels[numbers], return_inverse=True)[1]
    return torch.from_numpy(np.array(glyphs.read(numbers))).float() / 255, torch.from_numpy(labels)


def network(size: int = 32) -> nn.Sequential:
    """Two convolutions and a head."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(32 * 36, size)),
    )


def fit(model, loss, batches, optimiser, *, call, epochs: int = 3, scheduler=None) -> list[float]:
    """Train, and print the mean loss of each epoch.

    Args:
        model: what is trained.
        loss: of what ``call`` makes of a batch.
        batches: of one epoch.
        optimiser: of the parameters.
        call: gives the arguments of the loss from model and batch.
        epochs: how many.
        scheduler: told of the mean loss of each epoch.
    """
    means = []
    for epoch in range(1, epochs + 1):
        values = []
        for batch in batches:
            value = loss(*call(model, batch))
            optimiser.zero_grad()
            value.backward(torch.ones_like(value))
            optimiser.step()
            values.append(float(value.detach().mean()))
        means.append(sum(values) / len(values))
        if scheduler is not None:
            scheduler.step(means[-1])
        print(f"epoch {epoch}: loss {means[-1]:.4f}")
    return means
