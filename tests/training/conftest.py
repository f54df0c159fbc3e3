"""What the tests of training share: one unit with all that `train` needs, and losses that remember what they are given."""

import dataclasses
import functools
import inspect
import math

import numpy as np
import pytest
import torch
from torch import nn

from siambench.plugin import BackboneEntry, LossEntry
from siambench.spec import FORMS, NO_MINER
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut
from siambench.training.components import Entries
from siambench.training.loop import train
from siambench.training.model import build_model


class Exam:
    """One unit with all that `train` needs; entries can be replaced by made-up ones."""

    def __init__(self, catalogue, method, *, training=None, augment=None, model=None, group=None, **replaced):
        track = synthetic_track(training=training or {}, model=model or {})
        self.study = synthetic_study(method, track=track, catalogue=catalogue, augment=augment)
        self.unit = self.study.tune_unit(0, 0, self.study.defaults)
        dataset = catalogue.dataset("synthetic", {})
        split = cut(dataset, track.split.spec)
        self.items = Parts(dataset, split, kind="tune", fold=0, opened=lambda: None, group=group).training()
        self.entries = Entries(
            backbone=catalogue.get("backbones", method.backbone or track.model.backbone).entry,
            loss=catalogue.get("losses", method.loss).entry,
            miner=None if method.miner == NO_MINER else catalogue.get("miners", method.miner).entry,
            sampler=catalogue.get("samplers", self.unit.training.sampler).entry,
        )
        self.entries = dataclasses.replace(self.entries, **replaced)

    def changed(self, **fields):
        """The same exam with other fields in its unit."""
        self.unit = dataclasses.replace(self.unit, **fields)
        return self

    def trained_with(self, **rules):
        """The same exam with other rules of training."""
        return self.changed(training=dataclasses.replace(self.unit.training, **rules))

    def params(self, **values):
        """The same exam with other hyperparameters (dots written as ``__``)."""
        return self.changed(params={**self.unit.params, **{name.replace("__", "."): value for name, value in values.items()}})

    def relabelled(self, seed=0):
        """The same exam with the labels of its training items permuted, in the data set too, and all else as it was."""
        items, order = self.items, np.random.default_rng(seed).permutation(len(self.items))
        whole = items.dataset.labels.copy()
        whole[items.indices] = whole[items.indices][order]
        groups = None if items.groups is None else items.groups[order]
        dataset = dataclasses.replace(items.dataset, labels=whole)
        self.items = dataclasses.replace(items, dataset=dataset, labels=items.labels[order], groups=groups)
        return self

    def untrained(self):
        """The model as training begins."""
        return build_model(self.unit, self.entries.backbone, self.items.dataset)

    def run(self, validate=None, **options):
        """Train."""
        return train(self.unit, self.entries, self.items, validate, **options)


class Recorded(nn.Module):
    """A loss that remembers what it is given; its value is the mean squared embedding, or what ``value`` makes."""

    def __init__(self, value=lambda embeddings: embeddings.square().mean()):
        super().__init__()
        self.calls = []
        self.value = value

    def forward(self, embeddings, labels, indices=None):
        """The value."""
        self.calls.append((embeddings.detach().clone(), labels.clone(), indices))
        return self.value(embeddings)


class Smooth(nn.Module):
    """A trunk without BatchNorm: the features of an item do not depend on its batch."""

    def __init__(self, inputs):
        super().__init__()
        self.layer = nn.Linear(inputs, 12)

    def forward(self, items):
        """Features [B, 12]."""
        return torch.tanh(self.layer(items.float().flatten(1)))


@pytest.fixture
def smooth():
    """The entry of a `Smooth` trunk, for items of any form."""
    return BackboneEntry(lambda input_shape: Smooth(math.prod(input_shape)), takes=FORMS, source="made up")


@pytest.fixture(scope="session")
def catalogue():
    """Everything installed, and the synthetic data set with more images than a batch needs."""
    torch.set_num_threads(1)
    return synthetic_catalogue(images_per_class=12)


@pytest.fixture(scope="session")
def catalogue_of():
    """Make the same catalogue for items of another form, with a class attribute where it is asked for."""
    return functools.cache(lambda form, groups=0: synthetic_catalogue(form=form, images_per_class=12, groups=groups))


@pytest.fixture
def exam_of(catalogue):
    """Make an `Exam` of a method; on another catalogue where one is given."""

    def make(method, *, catalogue=catalogue, **options):
        return Exam(catalogue, method, **options)

    return make


@pytest.fixture
def recorded():
    """Make an entry of a `Recorded` loss, and the loss."""

    def make(*value, **options):
        loss = Recorded(*value)
        return LossEntry(lambda: loss, source="made up", **options), loss

    return make


@pytest.fixture
def kept():
    """Of an entry, make one that keeps what it builds, and the list that it fills."""

    def make(entry):
        built = []

        def build(**arguments):
            built.append(entry.build(**arguments))
            return built[-1]

        build.__signature__ = inspect.signature(entry.build)
        return dataclasses.replace(entry, build=build), built

    return make


@pytest.fixture
def bits():
    """Of a module, copy all parameters and buffers: two copies are equal if they are so to the last bit."""

    def make(module):
        return {name: value.detach().cpu().numpy().tobytes() for name, value in module.state_dict().items()}

    return make
