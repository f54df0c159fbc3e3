"""A small world to diagnose: ten classes of points, a network, and losses by hand, right and wrong."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

CENTRES = torch.randn(10, 12, generator=torch.Generator().manual_seed(3))


def pairs(size=64, seed=0, noise=0.5):
    """Points of two branches and whether they are of one class, half of them."""
    draw = torch.Generator().manual_seed(seed)
    left = torch.randint(10, (size,), generator=draw)
    same = (torch.arange(size) % 2).float()
    right = torch.where(same > 0, left, (left + torch.randint(1, 10, (size,), generator=draw)) % 10)
    points = [CENTRES[each] + noise * torch.randn(size, 12, generator=draw) for each in (left, right)]
    return points[0], points[1], same


def labelled(classes=8, each=4, seed=0):
    """So many points of so many classes."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(classes).repeat_interleave(each)
    return CENTRES[labels] + 0.5 * torch.randn(len(labels), 12, generator=draw), labels


def triplets(size=48, seed=0):
    """Anchors, positives and negatives."""
    draw = torch.Generator().manual_seed(seed + 1)
    anchor = torch.randint(10, (size,), generator=draw)
    other = (anchor + torch.randint(1, 10, (size,), generator=draw)) % 10
    return tuple(CENTRES[each] + 0.5 * torch.randn(size, 12, generator=draw) for each in (anchor, anchor, other))


def network(seed=1, size=6):
    """Two layers."""
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(12, 16), nn.ReLU(), nn.Linear(16, size))


class Contrastive(nn.Module):
    """Labels of 1 are pulled together; turned, those of 0."""

    def __init__(self, margin=1.0, *, turned=False):
        super().__init__()
        self.margin, self.turned = margin, turned

    def forward(self, first, second, same):
        """What its class says."""
        same = 1 - same if self.turned else same
        distance = functional.pairwise_distance(first, second)
        return (same * distance**2 + (1 - same) * functional.relu(self.margin - distance) ** 2).mean()


class Root(nn.Module):
    """A contrastive loss whose distance is a square root written out."""

    def forward(self, first, second, same):
        """What its class says."""
        distance = ((first - second) ** 2).sum(dim=1).sqrt()
        return (same * distance + (1 - same) * functional.relu(1 - distance)).mean()


class Proxies(nn.Module):
    """Cross-entropy of products with a vector for each class, which may be no Parameter."""

    def __init__(self, *, registered=True):
        super().__init__()
        vectors = torch.randn(10, 6, generator=torch.Generator().manual_seed(5))
        self.vectors = nn.Parameter(vectors) if registered else vectors.requires_grad_()

    def forward(self, embeddings, labels):
        """What its class says."""
        return functional.cross_entropy(embeddings @ self.vectors.T, labels)


class Two(nn.Module):
    """A network for each branch, or one for both; the second branch may be detached."""

    def __init__(self, *, shared=True, detached=False):
        super().__init__()
        self.left = network(1)
        self.right = self.left if shared else network(2)
        self.detached = detached

    def forward(self, first, second):
        """What its class says."""
        right = self.right(second)
        return self.left(first), right.detach() if self.detached else right


class HalfDetached(nn.Module):
    """A trunk whose features are detached before the head."""

    def __init__(self):
        super().__init__()
        self.trunk, self.head = network(1, size=8), nn.Linear(8, 6)

    def forward(self, items):
        """What its class says."""
        return self.head(self.trunk(items).detach())
