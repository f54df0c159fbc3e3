"""A triplet loss that gives one value for each triplet, and a schedule that cuts the rate where the loss stands still.

What is wrong: nothing can be differentiated but one number, so that ``loss.backward()`` raises. Who writes
``loss.backward(torch.ones_like(loss))`` trains the sum: steps are as many times as large as the batch has triplets, a larger batch trains
faster, and the schedule, which is told of the mean, knows nothing of it.
"""

from __future__ import annotations

import torch
from letters import fit, letters, network
from torch import nn


def batches(number=20, size=48):
    """Anchors, positives and negatives."""
    images, labels = letters()
    draw = torch.Generator().manual_seed(1)
    found = []
    for _ in range(number):
        anchor = torch.randint(len(images), (size,), generator=draw)
        positive, negative = anchor.clone(), anchor.clone()
        for place, item in enumerate(anchor):
            alike = torch.nonzero((labels == labels[item]) & (torch.arange(len(labels)) != item)).flatten()
            other = torch.nonzero(labels != labels[item]).flatten()
            positive[place] = alike[torch.randint(len(alike), (1,), generator=draw)]
            negative[place] = other[torch.randint(len(other), (1,), generator=draw)]
        found.append((images[anchor], images[positive], images[negative]))
    return found


def objects():
    """Model, loss, batches and optimiser."""
    torch.manual_seed(0)
    model = network()
    return model, nn.TripletMarginLoss(margin=1.0, reduction="none"), batches(), torch.optim.Adam(model.parameters(), lr=1e-3)


if __name__ == "__main__":
    model, loss, found, optimiser = objects()
    try:
        loss(*(model(items) for items in found[0])).backward()
    except RuntimeError as error:
        print(str(error).splitlines()[0])
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(optimiser, patience=0)
    fit(model, loss, found, optimiser, call=lambda model, batch: [model(items) for items in batch], scheduler=plateau)
    print(f"the rate is {optimiser.param_groups[0]['lr']:g}")
