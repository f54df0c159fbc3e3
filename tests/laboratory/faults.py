"""Components with a known fault, and the data sets that the laboratory trains on: entries beside those that are installed.

Each fault is one that people really make; what it is named after stands in `scenarios`.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.interfaces import Dataset
from siambench.plugin import BackboneEntry, DatasetEntry, LossEntry, SamplerEntry, ScheduleEntry
from siambench.spec import SplitSpec
from siambench.tracks.split import cut

MADE_UP = "the laboratory's own, with a fault"
GROUP = {"glyphs": "family", "omniglot": "alphabet"}
DEFAULTS = {"of": "glyphs", "fault": "none", "amount": 0.0, "classes": 240}


def data(of: str, fault: str, amount: float, classes: int) -> Dataset:
    """Part of glyphs or of Omniglot: so many classes to train and validate on, evenly spaced, and two of the test part, which nobody opens.

    Args:
        of: ``"glyphs"`` or ``"omniglot"`` (small1).
        fault: of what fold 0 trains on; validation keeps its labels. ``shuffled``: labels change places; ``noisy``: a share of them does;
            ``constant``: everything is one grey, but for noise of one level (validation too); ``few``: so many images a class.
        amount: share of noisy labels, or number of images.
        classes: how many of trainval.
    """
    whole = _whole(of)
    trainval, test = np.unique(whole.labels[whole.parts["trainval"]]), np.unique(whole.labels[whole.parts["test"]])
    spaced = trainval[np.linspace(0, len(trainval) - 1, min(classes, len(trainval))).round().astype(np.int64)]
    # The test part is never looked at here; a data set without one cannot be cut.
    chosen = np.sort(np.concatenate([spaced, test[:2]]))
    numbers = np.flatnonzero(np.isin(whole.labels, chosen))
    dataset = _part(whole, numbers, chosen, is_test=np.isin(whole.labels[numbers], test))
    return dataset if fault == "none" else _with(dataset, fault, amount, GROUP[of])


@functools.cache
def _whole(of: str) -> Dataset:
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    return catalogue.dataset("glyphs", {}) if of == "glyphs" else catalogue.dataset("omniglot-minimal", {"size": 24})


def _part(whole: Dataset, numbers, chosen, *, is_test) -> Dataset:
    labels = np.searchsorted(chosen, whole.labels[numbers]).astype(np.int64)
    return Dataset(
        labels=labels,
        read=lambda indices: whole.read(numbers[indices]),
        shape=whole.shape,
        class_names=[whole.class_names[c] for c in chosen],
        class_attributes={name: [values[c] for c in chosen] for name, values in whole.class_attributes.items()},
        parts={"trainval": np.flatnonzero(~is_test), "test": np.flatnonzero(is_test)},
        colour=whole.colour,
    )


def _with(dataset: Dataset, fault: str, amount: float, group: str) -> Dataset:
    rules = SplitSpec(rule="official", folds=2, group=group, test_fraction=0.5, acknowledged_duplicates=0)
    training = np.array(cut(dataset, rules).folds[0][0])
    generator, labels = np.random.default_rng(7), dataset.labels.copy()
    if fault == "constant":
        noise = generator.integers(127, 129, size=(len(labels), *dataset.shape)).astype(np.uint8)
        return dataclasses.replace(dataset, read=lambda indices: noise[indices])
    if fault == "few":
        places = np.array([np.count_nonzero(labels[:number] == labels[number]) for number in range(len(labels))])
        kept = np.flatnonzero(~np.isin(np.arange(len(labels)), training) | (places < amount))
        part = {name: np.flatnonzero(np.isin(kept, numbers)) for name, numbers in dataset.parts.items()}
        return dataclasses.replace(dataset, labels=labels[kept], read=lambda indices: dataset.read(kept[indices]), parts=part)
    moved = training if fault == "shuffled" else training[generator.random(len(training)) < amount]
    labels[moved] = labels[generator.permutation(moved)]
    return dataclasses.replace(dataset, labels=labels)


def _pairs(labels, indices):
    """Left, right and ``same`` of what a feed of pairs says."""
    left, right, other_left, other_right = (index[index >= 0] for index in indices)
    same = torch.cat([torch.ones(len(left)), torch.zeros(len(other_left))])
    return torch.cat([left, other_left]), torch.cat([right, other_right]), same


class SwappedContrastive(nn.Module):
    """Contrastive loss over all pairs of a batch, whose author took 1 for different: what is alike is held off, what is not is pulled."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        distances = torch.cdist(embeddings, embeddings).triu(1) + 1e-6
        same = (labels[:, None] == labels).float().triu(1)
        different = (labels[:, None] != labels).float().triu(1)
        near = (different * distances).sum() / different.sum()
        return near + (same * (self.margin - distances).clamp(min=0)).sum() / same.sum()


class OneSided(nn.Module):
    """Contrastive loss over the pairs of a feed, whose right branch is detached."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels, indices=None):
        """The loss of a batch."""
        left, right, same = _pairs(labels, indices)
        distances = functional.pairwise_distance(embeddings[left], embeddings.detach()[right])
        return (same * distances + (1 - same) * (self.margin - distances).clamp(min=0)).mean()


class LeafContrastive(nn.Module):
    """Contrastive loss of a leaf of its own making: ``backward`` runs, and nothing arrives at the model."""

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        leaf = embeddings.detach().requires_grad_()
        distances = torch.cdist(leaf, leaf).triu(1) + 1e-6
        same = (labels[:, None] == labels).float().triu(1)
        return (same * distances).sum() / same.sum() + (1 - distances).clamp(min=0).triu(1).mean()


class HalfPrecision(nn.Module):
    """Softmax over the items of a batch as one writes it first, powers and sums in half precision without taking off the largest."""

    def __init__(self, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        powers = (embeddings @ embeddings.T / self.temperature).half().exp()
        same = (labels[:, None] == labels).half().fill_diagonal_(0)
        other = 1 - torch.eye(len(labels), dtype=torch.float16)
        return -((powers * same).sum(dim=1) / (powers * other).sum(dim=1)).log().float().mean()


class HandWrittenRoot(nn.Module):
    """Contrastive loss over all pairs of a batch, an item with itself among them, with the square root written out."""

    def __init__(self, epsilon: float) -> None:
        super().__init__()
        self.epsilon = epsilon

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        squared = (embeddings[:, None] - embeddings).square().sum(dim=2)
        distances = (squared + self.epsilon).sqrt()
        same = (labels[:, None] == labels).float()
        return (same * distances).sum() / same.sum() + ((1 - same) * (1 - distances).clamp(min=0)).sum() / (1 - same).sum()


class PlainTriplet(nn.Module):
    """Triplet loss over all triplets of a batch, mean over those that violate the margin, of embeddings as they come."""

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        distances = ((embeddings[:, None] - embeddings).square().sum(dim=2) + 1e-12).sqrt()
        same = labels[:, None] == labels
        positive, negative = same & ~torch.eye(len(labels), dtype=torch.bool), ~same
        costs = (distances[:, :, None] - distances[:, None] + self.margin).clamp(min=0)
        costs = costs[positive[:, :, None] & negative[:, None]]
        return costs.sum() / (costs > 0).sum().clamp(min=1)


def _loss(build, *, normalise=True, feeds=("classes",), takes="none", **defaults) -> LossEntry:
    return LossEntry(build, source=MADE_UP, defaults=defaults, normalise=normalise, feeds=feeds, takes=takes)


class Times(nn.Module):
    """Features multiplied by a number."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, features):
        """The product."""
        return self.factor * features


class Detached(nn.Module):
    """Features without the way back."""

    def forward(self, features):
        """The same, detached."""
        return features.detach()


def _convolutions(input_shape, width=16, blocks=3):
    """As conv4 without BatchNorm."""
    parts, channels = [], input_shape[0]
    for _ in range(blocks):
        parts += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        channels, width = width, width * 2
    return nn.Sequential(*parts, nn.Flatten())


def conv(input_shape, ending: str, amount: float) -> nn.Module:
    """Three blocks of convolution, BatchNorm, ReLU, and an ending.

    Args:
        input_shape: of an item.
        ending: ``none``; ``detached``; ``times``: features times ``amount``; ``frozen``: no parameter is to be trained;
            ``frozen-norm``: those of BatchNorm are not, whose statistics stand; ``dead``: a rectified layer whose biases are ``-amount``.
        amount: of some endings.
    """
    from siambench.builtin.backbones.networks import conv4

    trunk = conv4(input_shape, width=16, blocks=3, growth=2, dropout=0.0)
    norms = [module for module in trunk.modules() if isinstance(module, nn.BatchNorm2d)]
    if ending == "frozen":
        trunk.requires_grad_(requires_grad=False)
    for norm in norms if ending == "frozen-norm" else []:
        norm.requires_grad_(requires_grad=False).train = lambda mode=True, norm=norm: norm
        norm.training = False
    if ending == "dead":
        features = 64 * (input_shape[1] // 8) * (input_shape[2] // 8)
        layer = nn.Linear(features, 64)
        nn.init.constant_(layer.bias, -amount)
        return nn.Sequential(trunk, layer, nn.ReLU())
    return nn.Sequential(trunk, {"detached": Detached(), "times": Times(amount)}.get(ending, nn.Identity()))


def plain(input_shape, width: int, blocks: int) -> nn.Module:
    """Convolution, ReLU and pooling, without BatchNorm."""
    return _convolutions(input_shape, width, blocks)


def sigmoids(input_shape, layers: int, kind: str) -> nn.Module:
    """Fully connected layers of 64 units, one behind the other, each behind a sigmoid or a rectifier, weights as torch draws them.

    Args:
        input_shape: of an item.
        layers: how many.
        kind: ``sigmoid``; ``relu``, whose weights are drawn for rectifiers.
    """
    parts, size = [nn.Flatten()], int(np.prod(input_shape))
    for _ in range(layers):
        layer = nn.Linear(size, 64)
        if kind == "relu":
            nn.init.kaiming_normal_(layer.weight)
        parts += [layer, nn.ReLU() if kind == "relu" else nn.Sigmoid()]
        size = 64
    return nn.Sequential(*parts)


def _batches(steps, make):
    return iter([make() for _ in range(steps)])


def one_class(labels, batch_size, steps, generator):
    """Batches of one class."""

    def make():
        chosen = labels[torch.randint(len(labels), (1,), generator=generator)]
        items = torch.nonzero(labels == chosen).flatten()
        return items[torch.randint(len(items), (batch_size,), generator=generator)]

    return _batches(steps, make)


def _of_classes(labels, batch_size, images_per_class, steps, generator, pick):
    members = [torch.nonzero(labels == label).flatten() for label in torch.unique(labels)]

    def make():
        order = torch.randperm(len(members), generator=generator)[: batch_size // images_per_class]
        return torch.cat([pick(members[number]) for number in order])

    return _batches(steps, make)


def duplicates(labels, batch_size, images_per_class, steps, generator):
    """Batches in which all items of a class are one item again and again."""

    def pick(items):
        return items[torch.randint(len(items), (1,), generator=generator)].repeat(images_per_class)

    return _of_classes(labels, batch_size, images_per_class, steps, generator, pick)


def same_pair(labels, batch_size, images_per_class, steps, generator):
    """Batches in which each class is its first two items, in every batch the same, four times over."""

    def pick(items):
        return items[:2].repeat(2 * images_per_class)

    return _of_classes(labels, batch_size, 4 * images_per_class, steps, generator, pick)


def warm_up(share: float):
    """Rates rise along a line over a share of the steps, and stay: no fault, but a schedule that ships with nobody."""
    return lambda progress: min(1.0, (progress + 1e-3) / share)


def catalogue() -> Catalogue:
    """What ships, and the laboratory's own."""
    own = {
        "datasets": {"laboratory": DatasetEntry(data, source=MADE_UP, defaults=DEFAULTS)},
        "losses": {
            "swapped-contrastive": _loss(SwappedContrastive, margin=1.0),
            "one-sided-contrastive": _loss(OneSided, margin=1.0, feeds=("pairs",), takes="pairs"),
            "leaf-contrastive": _loss(LeafContrastive),
            "half-precision": _loss(HalfPrecision, temperature=0.05),
            "hand-written-root": _loss(HandWrittenRoot, epsilon=0.0),
            "plain-triplet": _loss(PlainTriplet, margin=0.2),
            "raw-triplet": _loss(PlainTriplet, margin=0.2, normalise=False),
        },
        "backbones": {
            "conv-ending": BackboneEntry(conv, source=MADE_UP, defaults={"ending": "none", "amount": 1.0}),
            "plain-conv": BackboneEntry(plain, source=MADE_UP, defaults={"width": 16, "blocks": 3}),
            "deep": BackboneEntry(sigmoids, source=MADE_UP, defaults={"layers": 8, "kind": "sigmoid"}),
        },
        "samplers": {
            "one-class": SamplerEntry(one_class, source=MADE_UP),
            "duplicates": SamplerEntry(duplicates, source=MADE_UP),
            "same-pair": SamplerEntry(same_pair, source=MADE_UP),
        },
        "schedules": {"laboratory-warm-up": ScheduleEntry(warm_up, source="made up", defaults={"share": 0.2})},
    }
    shipped = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    for name in ("plain-triplet", "raw-triplet"):
        # The formula is that of the loss that ships, and so is what its author would say of it.
        own["losses"][name] = dataclasses.replace(own["losses"][name], fingerprint=shipped.get("losses", "triplet").entry.fingerprint)
    for name in ("angular", "contrastive"):
        own["losses"][f"raw-{name}"] = dataclasses.replace(shipped.get("losses", name).entry, normalise=False)
    where = Provenance("siambench", "siambench", "0")
    # A schedule of siambench's own is found by its name alone, which this one has in no other place.
    elsewhere = Provenance("laboratory", "siambench", "0")
    parts = [
        Component(kind, name, entry, elsewhere if kind == "schedules" else where, module=__name__)
        for kind, entries in own.items()
        for name, entry in entries.items()
    ]
    return Catalogue((*shipped.components(), *parts), shipped.plugins)
