"""What the documents say of branches and views: one network, independent augmentation, no labels. Each test fails where it is not so."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.plugin import BackboneEntry, LossEntry, MinerEntry, SamplerEntry
from siambench.spec import FEEDS, Method
from siambench.training import loop

BRANCHES = {"pairs": 2, "triplets": 3, "views": 2}
SGD = {"optimiser": "sgd", "schedule": "constant", "epochs": 1}
FAR_OFF = 1000
"""Added to class labels: so large a number is nobody's place in a batch, and no item's number."""


class Watched(nn.Module):
    """A trunk with BatchNorm that remembers what it is given in training."""

    def __init__(self, input_shape):
        super().__init__()
        self.layer, self.norm, self.given = nn.Linear(int(np.prod(input_shape)), 6), nn.BatchNorm1d(6), []

    def forward(self, items):
        """Features [B, 6]."""
        if self.training:
            self.given.append(items.detach().clone())
        return torch.tanh(self.norm(self.layer(items.flatten(1))))


@pytest.fixture
def watched(kept):
    """The entry of such a trunk, and the list of those that were built."""
    return kept(BackboneEntry(Watched, source="made up"))


@pytest.mark.parametrize("feed", BRANCHES)
def test_all_branches_go_through_one_network_as_one_batch(exam_of, recorded, watched, feed):
    """The items of all branches are embedded by one call of one network, whose BatchNorm sees them together.

    Weights and running statistics after a step are those of that call, and not those of a call for each branch.
    """
    backbone, built = watched
    entry, _ = recorded(lambda embeddings: embeddings.pow(3).sum(), takes="pairs", feeds=FEEDS)
    exam = exam_of(
        Method("contrastive", feed=feed),
        training={**SGD, "steps_per_epoch": 1, "batch_size": 12},
        augment={"rotate": 20.0},
        loss=entry,
        backbone=backbone,
    ).params(optimiser__lr=0.5, optimiser__weight_decay=0.0)
    trained = exam.run().model
    (items,) = built[0].given

    def stepped(parts):
        twin = exam.untrained().train()
        functional.normalize(torch.cat([twin(part) for part in parts])).pow(3).sum().backward()
        with torch.no_grad():
            for weight in twin.parameters():
                weight.sub_(0.5 * weight.grad)
        return twin.state_dict()

    def same(state):
        return {name: torch.allclose(value, state[name], atol=1e-6) for name, value in trained.state_dict().items()}

    assert 12 == len(items)
    assert set(same(stepped([items])).values()) == {True}
    apart = same(stepped(items.chunk(BRANCHES[feed])))
    assert not apart["trunk.layer.weight"]
    assert not apart["trunk.norm.running_mean"]


@pytest.mark.parametrize("feed", BRANCHES)
def test_branches_and_views_are_augmented_independently(exam_of, recorded, watched, feed):
    """Where every item is the same image, how far it is moved in one branch says nothing of how far it is moved in another."""
    backbone, built = watched
    entry, _ = recorded(takes="pairs", feeds=FEEDS)
    exam = exam_of(
        Method("contrastive", feed=feed),
        training={**SGD, "steps_per_epoch": 12, "batch_size": 36},
        augment={"translate": 0.25},
        loss=entry,
        backbone=backbone,
    )
    image = np.zeros((1, *exam.items.dataset.shape), dtype=np.uint8)
    image[..., 3:5, 3:5] = 255
    dataset = dataclasses.replace(exam.items.dataset, read=lambda indices: image.repeat(len(indices), axis=0))
    exam.items = dataclasses.replace(exam.items, dataset=dataset)
    exam.run()

    number = BRANCHES[feed]
    items = torch.stack(built[0].given).sum(dim=2)
    steps, size, high, wide = items.shape
    assert (12, 36) == (steps, size)
    weights = items / items.sum(dim=(2, 3), keepdim=True)
    across = (weights.sum(dim=2) * torch.arange(wide)).sum(dim=2)
    down = (weights.sum(dim=3) * torch.arange(high)).sum(dim=2)
    for moved in (across, down):
        # Of each branch one number a place and step.
        branches = moved.view(steps, number, size // number).transpose(0, 1).reshape(number, -1)
        assert bool((branches.std(dim=1) > 0.3).all())
        apart = torch.corrcoef(branches) - torch.eye(number)
        assert float(apart.abs().max()) < 0.3


class Told(nn.Module):
    """A loss that remembers all numbers that it is told."""

    def __init__(self, num_classes):
        super().__init__()
        self.told = [torch.tensor([num_classes])]

    def forward(self, embeddings, labels, indices=None, groups=None):
        """The mean squared embedding."""
        self.told += [part for part in (labels, groups, *(indices or ())) if part is not None]
        return embeddings.square().mean()


@pytest.mark.parametrize("feed", ["views", "classes"])
def test_no_class_label_reaches_what_is_fed_views(exam_of, catalogue, kept, monkeypatch, feed):
    """Neither loss, miner, sampler nor batch is told a number that a class or a group has; fed by classes, all of them are."""
    sampled, mined, batched = [], [], []
    loss, built = kept(LossEntry(Told, takes="triplets", feeds=("classes", "views"), source="made up"))
    plain = catalogue.get("samplers", "random" if feed == "views" else "m-per-class").entry

    def sampler(labels, batch_size, images_per_class, steps, generator):
        sampled.append(labels.clone())
        available = {"images_per_class": images_per_class} if feed == "classes" else {}
        return plain.build(labels=labels, batch_size=batch_size, steps=steps, generator=generator, **available)

    def miner(embeddings, labels):
        mined.append(labels.clone())
        return tuple(torch.zeros(1, dtype=torch.int64) for _ in range(3))

    class Watching(loop.Batches):
        def epoch(self, steps):
            for batch in super().epoch(steps):
                batched.extend(part for part in (batch.labels, batch.groups, *(batch.indices or ())) if part is not None)
                yield batch

    monkeypatch.setattr(loop, "Batches", Watching)
    exam = exam_of(
        Method("triplet", "hard", feed=feed),
        training={**SGD, "steps_per_epoch": 3},
        loss=loss,
        miner=MinerEntry(lambda: miner, source="made up"),
        sampler=SamplerEntry(sampler, source="made up"),
    ).params(miner__warmup=0.0)
    items = exam.items
    whole = dataclasses.replace(items.dataset, labels=items.dataset.labels + FAR_OFF)
    exam.items = dataclasses.replace(items, dataset=whole, labels=items.labels + FAR_OFF, groups=items.labels + 2 * FAR_OFF)
    exam.run()

    told = {"loss": built[0].told, "miner": mined, "sampler": sampled, "batch": batched}
    reached = {name: max(int(part.max()) for part in parts) >= FAR_OFF for name, parts in told.items()}
    assert dict.fromkeys(told, feed == "classes") == reached
    assert 3 == len(mined)
    if feed == "views":
        # As many classes as items, and each item once: nothing that could be counted leads back to the classes.
        assert len(items) == int(built[0].told[0])
        assert sorted(sampled[0].tolist()) == list(range(len(items)))
