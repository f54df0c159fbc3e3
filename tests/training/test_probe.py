"""The probe: which items, what is told of them, and that looking leaves no trace."""

import random

import numpy as np
import pytest
import torch
from torch import nn

from siambench.interfaces import Dataset
from siambench.plugin import Fingerprint, LossEntry, Margin
from siambench.tracks.parts import Items
from siambench.training.probe import CLASSES, MOST, Probe, chosen, margins_of, most_dead, told_of_inputs

SIZES = [3, 1, 4, 2, 5]


def items_of(labels=None, width=6, form="arrays"):
    """Items of classes of several sizes, one of them twice."""
    labels = np.repeat(np.arange(len(SIZES)), SIZES) if labels is None else np.array(labels)
    values = np.random.default_rng(0).normal(size=(len(labels), width)).astype(np.float32)
    values[1] = values[0]
    dataset = Dataset(labels=labels, read=lambda places: values[places], shape=(width,), class_names=list("abcdefgh"), form=form)
    return Items(dataset, np.arange(len(labels)), labels, list("abcdefgh")), torch.from_numpy(values)


def probe_of(network, items, **options):
    """A probe of a network on the CPU."""
    given = {"normalise": True, "margins": {}, **options}
    return Probe(network, items, device=torch.device("cpu"), **given)


# ---- which items


def test_small_data_is_taken_whole():
    """Where all fits, each item of a class of two or more is in the probe, in order of place; singletons are not."""
    labels = np.array([4, 0, 0, 7, 4, 4, 2, 2, 9])
    assert [0, 1, 2, 4, 5, 6, 7] == chosen(labels).tolist()


@pytest.mark.parametrize("labels", [[0], [0, 1, 2], [5, 5, 5], [0, 0, 1, 2], [3, 3, 3, 3, 1]])
def test_with_fewer_than_two_such_classes_singletons_count(labels):
    """Items of one class, or singletons beside it, are better than nothing: there are negative pairs then, where there is another class."""
    assert list(range(len(labels))) == chosen(np.array(labels)).tolist()


def test_many_classes_are_spaced_evenly():
    """Of 100 classes of many items the probe holds 12, evenly spaced, as many items of each as leave it at 48, evenly spaced."""
    labels = np.repeat(np.arange(100), 21)
    places = chosen(labels)
    classes = [number * 100 // 12 for number in range(12)]

    assert (CLASSES, MOST) == (12, 48)
    assert classes == sorted(set(labels[places].tolist()))
    assert [21 * name + offset for name in classes for offset in (0, 5, 10, 15)] == places.tolist()


@pytest.mark.parametrize("classes", [1, 2, 7, 11, 12, 13, 500])
@pytest.mark.parametrize("each", [1, 2, 3, 100])
def test_a_probe_is_never_larger_than_its_bounds(classes, each):
    """At most 12 classes and 48 items, each item once, every class with as many items as another, and always something."""
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(classes), each))
    places = chosen(labels)
    counts = np.unique(labels[places], return_counts=True)[1]

    assert len(places) == len(set(places.tolist())) > 0
    assert len(places) <= MOST
    assert len(counts) <= CLASSES
    assert len(set(counts.tolist())) == 1


# ---- what is told


class Twice(nn.Module):
    """A network with BatchNorm, dropout and rectifiers, two of whose three units are dead for all that is not large."""

    def __init__(self, width=6, *, size=4):
        super().__init__()
        self.first = nn.Linear(width, 3)
        self.norm = nn.BatchNorm1d(3)
        self.dropout = nn.Dropout(0.5)
        self.rectifier = nn.ReLU(inplace=True)
        self.last = nn.Linear(3, size)
        with torch.no_grad():
            self.first.bias[:2] -= 100

    def forward(self, items):
        """Embeddings [B, D]."""
        return self.last(self.dropout(self.rectifier(self.norm(self.first(items)))))


@pytest.mark.parametrize("normalise", [True, False])
def test_the_probe_is_embedded_as_it_is_judged(normalise):
    """In evaluation mode, whatever mode the network is in: lengths as the network gives them, distances as the loss sees them."""
    torch.manual_seed(0)
    items, values = items_of()
    network = Twice().train()
    probe = probe_of(network, items, normalise=normalise)
    first = probe.look()
    with torch.no_grad():
        given = network.eval()(values[chosen(items.labels)]).double()
        network.train()
        network.last.weight.mul_(2.0)
        network.last.bias.fill_(1.0)
        moved = network.eval()(values[chosen(items.labels)]).double()
    second = probe.look()
    seen, later = (torch.nn.functional.normalize(x) if normalise else x for x in (given, moved))
    labels = items.labels[chosen(items.labels)]
    distances = [float((a - b).norm()) for i, a in enumerate(seen) for j, b in enumerate(seen) if i < j and labels[i] == labels[j]]

    assert first["norms"].mean == pytest.approx(float(given.norm(dim=1).mean()), rel=1e-5)
    assert first["norms"].high == pytest.approx(np.quantile(given.norm(dim=1).numpy(), 0.95), rel=1e-5)
    assert first["positive"].mean == pytest.approx(sum(distances) / len(distances), rel=1e-5)
    assert "moved" not in first
    assert second["moved"] == pytest.approx(float((seen - later).norm(dim=1).mean()), rel=1e-5)
    assert probe.look()["moved"] == 0.0


def test_dead_units_are_zero_for_all_of_the_probe():
    """Two of three units are dead; of a map those channels that are zero at every place; without a rectifier there is nothing to tell."""
    items, _ = items_of()
    network = Twice()
    assert probe_of(network, items).look()["dead_units"] == pytest.approx(2 / 3, rel=1e-5)

    class Maps(nn.Module):
        def __init__(self):
            super().__init__()
            self.rectifier = nn.ReLU6()

        def forward(self, items):
            # Channel 0 is alive at one place of one item, channel 1 nowhere.
            maps = torch.zeros(len(items), 2, 2, 3) - 1
            maps[-1, 0, 1, 2] = 1
            return self.rectifier(maps).flatten(1) + items[:, :1]

    assert probe_of(Maps(), items).look()["dead_units"] == 0.5
    assert probe_of(nn.Linear(6, 4), items).look()["dead_units"] is None


def test_of_embeddings_that_are_no_numbers_nothing_is_told():
    """One embedding with an infinite length is enough; the next row has nothing to compare with."""
    items, _ = items_of()
    network = nn.Linear(6, 4)
    probe = probe_of(network, items)
    probe.look()
    with torch.no_grad():
        network.weight[0, 0] = float("inf")
    assert {"dead_units": None, "finite": False} == probe.look()  # the items were told of in the first row
    with torch.no_grad():
        network.weight[0, 0] = 0.0
    assert "moved" not in probe.look()
    assert "moved" in probe.look()


def test_one_item_is_told_of_without_pairs():
    """Of a single item there are lengths and no distances."""
    items, _ = items_of([0, 0])
    alone = Items(items.dataset, items.indices[:1], items.labels[:1], items.class_names)
    assert {"dead_units", "input_spread", "input_auc", "norms"} == set(probe_of(nn.Linear(6, 4), alone).look())


def test_what_items_say_themselves_is_told_once_and_of_numbers_alone():
    """Spread and AUC are those of the items as the network is given them, in the first row; of tokens there are none."""
    items, values = items_of()
    probe = probe_of(nn.Linear(6, 4), items)
    places = chosen(items.labels)
    flat, labels = values[places].double().flatten(1), items.labels[places]
    pairs = [(float((flat[i] - flat[j]).norm()), labels[i] == labels[j]) for i in range(len(flat)) for j in range(i)]
    wins = [(near < far) + 0.5 * (near == far) for near, same in pairs if same for far, other in pairs if not other]
    found = probe.look()
    assert found["input_spread"] == pytest.approx(
        float((flat - flat.mean(0)).square().sum(1).mean() / flat.square().sum(1).mean()), rel=1e-5
    )
    assert found["input_auc"] == pytest.approx(sum(wins) / len(wins), rel=1e-5)
    assert not {"input_spread", "input_auc"} & set(probe.look())
    labels = torch.tensor([0, 0, 1, 1])
    assert told_of_inputs(torch.full((4, 1, 3, 3), 0.2), labels) == {"input_spread": 0.0, "input_auc": 0.5}
    assert told_of_inputs(torch.zeros(4, 5), labels)["input_spread"] == 0.0
    nothing = {"input_spread": None, "input_auc": None}
    assert told_of_inputs(torch.arange(8).reshape(4, 2), labels) == told_of_inputs(torch.rand(1, 5), labels[:1]) == nothing


def test_of_several_rectifiers_the_one_with_the_most_dead_units_is_told():
    """Shares of a quarter, all and none are told as all: what is behind that one gets nothing any more."""
    assert most_dead([torch.tensor([True, False, False, False]), torch.tensor([True, True]), torch.tensor([False])]) == 1.0
    assert most_dead([torch.tensor([False, False])]) == 0.0
    assert most_dead([]) is None


# ---- no trace


class Busy(nn.Module):
    """A network that does in evaluation mode what it should not: moves statistics, draws, counts, adds buffers, changes its mode."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 4)
        self.calls = 0
        self.register_buffer("mean", torch.zeros(4))
        self.norm = nn.BatchNorm1d(4)
        self.norm.eval()

    def forward(self, items):
        """Embeddings [B, 4]."""
        self.calls += 1
        embeddings = torch.nn.functional.batch_norm(self.layer(items), self.norm.running_mean, self.norm.running_var, training=True)
        self.mean += embeddings.mean(dim=0) + torch.rand(4) + np.random.rand() + random.random()  # noqa: NPY002
        self.train()
        self.kept = embeddings
        return embeddings


def test_looking_leaves_the_network_as_it_was():
    """Weights, buffers, attributes, hooks, gradients and modes of a network that does whatever it likes are the same before and after."""
    items, _ = items_of()
    network = Busy()
    network.train()
    network.norm.eval()
    network.layer.bias.requires_grad_(requires_grad=False)
    network.layer.weight.grad = torch.ones(4, 6)

    def state():
        return (
            {name: value.clone() for name, value in network.state_dict().items()},
            [module.training for module in network.modules()],
            [parameter.requires_grad for parameter in network.parameters()],
            [len(module._forward_hooks) for module in network.modules()],
            set(vars(network)),
            (network.calls, network.layer.weight.grad.tolist(), network.layer.bias.grad),
        )

    before = state()
    probe = probe_of(network, items)
    looks = [probe.look() for _ in range(3)]
    after = state()

    assert all(torch.equal(before[0][name], after[0][name]) for name in before[0])
    assert before[1:] == after[1:]
    assert looks[0]["positive"] == looks[2]["positive"]


def test_a_look_sees_weights_and_statistics_as_they_are_now():
    """What training has done to weights and to running statistics since the last look is in the next one."""
    items, values = items_of()
    network = nn.Sequential(nn.Linear(6, 4), nn.BatchNorm1d(4))
    probe = probe_of(network, items, normalise=False)
    probe.look()
    network.train()
    network(values)
    found = probe.look()
    with torch.no_grad():
        expected = network.eval()(values[chosen(items.labels)]).double().norm(dim=1)

    assert found["norms"].mean == pytest.approx(float(expected.mean()), rel=1e-5)


# ---- margins


def test_margins_come_with_their_values():
    """Of a loss that tells of margins, those of its parameters as they are set, else its defaults; of one that tells nothing, none."""
    told = Fingerprint(True, (Margin("low", "positive"), Margin("high", "negative", "squared")))  # noqa: FBT003  whether it forms tuples
    entry = LossEntry(lambda low, high: None, defaults={"low": 0.1, "high": 2}, fingerprint=told, source="made up")
    low, high = told.margins

    assert {"low": (low, 0.1), "high": (high, 5.0)} == margins_of(entry, {"high": 5, "other": 1})
    assert {} == margins_of(LossEntry(lambda: None, source="made up"), {"low": 3.0})
