import dataclasses
import math
import random

import numpy as np
import pytest
import torch
from torch import nn

from siambench.errors import DivergedError
from siambench.identity import canonical, from_json, to_json
from siambench.interfaces import Epoch, Measures
from siambench.plugin import BackboneEntry, Fingerprint, LossEntry, Margin, MinerEntry
from siambench.spec import FeedList, Method
from siambench.tracks.lists import Rows
from siambench.training.cadence import EVERY
from siambench.training.distances import told
from siambench.training.watch import Kept, Watcher


def test_the_watcher_gives_an_epochs_figures():
    """Mean loss, mean number of tuples and the norm of the last gradient; a new epoch begins afresh."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    watcher = Watcher()
    for value, tuples in ((1.0, None), (2.0, 4), (6.0, 8)):
        watcher.step(torch.tensor(value), tuples)

    assert Epoch(1, 3.0, 5.0, 6.0, None) == watcher.epoch(1, [weight, nn.Parameter(torch.zeros(1))])
    watcher.step(torch.tensor(0.5), None)
    assert Epoch(2, 0.5, 0.0, None, None) == watcher.epoch(2, [])


def test_the_mean_is_taken_in_double_precision():
    """A large loss beside many small ones does not swallow them."""
    watcher = Watcher()
    values = [2.0**24, *[1.0] * 1000]
    for value in values:
        watcher.step(torch.tensor(value), None)

    assert math.fsum(values) / 1001 == watcher.epoch(1, []).loss


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_the_first_loss_that_is_no_number_is_named(value):
    """A loss that is not finite ends the epoch with its step, counted from 1, of the first such one."""
    watcher = Watcher()
    for loss in (1.0, 2.0, value, 3.0, float("nan")):
        watcher.step(torch.tensor(loss), None)

    with pytest.raises(DivergedError, match=f"^the loss became {value} at step 3 of the epoch$"):
        watcher.epoch(1, [])


def test_a_gradient_that_is_no_number_has_no_norm():
    """An overflown gradient is no figure: JSON could not hold it, and the loss says whether training diverged."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([float("inf"), 0.0])
    watcher = Watcher()
    watcher.step(torch.tensor(1.0), None)

    assert watcher.epoch(1, [weight]).gradient_norm is None


def test_watching_keeps_no_graph():
    """What is gathered of a loss is its value: the graph of a step is free when the next begins."""
    watcher, weight = Watcher(), nn.Parameter(torch.ones(1))
    watcher.step((2 * weight).sum(), None)

    assert [loss.requires_grad for loss in watcher._losses] == [False]


# ---- measures: outcomes do not change


FROZEN_NORM = {"options": {"width": 16, "layers": 1, "dropout": 0.5}}
CASES = {
    "classes": (Method("contrastive"), {}),
    "pairs": (Method("contrastive", feed="pairs"), {}),
    "triplets": (Method("triplet", feed="triplets"), {}),
    "views, projector": (Method("vicreg", feed="views"), {"training": {"batch_size": 16}, "augment": {"rotate": 20.0}}),
    "list of pairs": (Method("contrastive", feed=FeedList("pairs", "a" * 64)), {"rows": 2}),
    "list of triplets": (Method("triplet", feed=FeedList("triplets", "b" * 64)), {"rows": 3}),
    "miner, its warm-up": (Method("triplet", "hard"), {"training": {"batch_size": 16, "steps_per_epoch": 4}}),
    "mined training set": (Method("triplet", "offline-hard"), {"training": {"batch_size": 16}}),
    "dropout, BatchNorm": (Method("contrastive"), {"model": FROZEN_NORM}),
    "own parameters": (Method("arcface"), {"training": {"optimiser": "sgd"}}),
    "memory of batches": (Method("xbm(contrastive)"), {}),
    "chunks": (Method("gradcache(supcon)"), {"training": {"batch_size": 16}, "chunk": 5}),
    "bf16": (Method("contrastive"), {"training": {"precision": "bf16"}}),
    "plateau, turned": (Method("contrastive"), {"training": {"schedule": "plateau", "rotate_classes": True}}),
    "early stopping": (Method("contrastive"), {"training": {"schedule": "constant", "early_stopping": 1, "epochs": 4}}),
}
VALIDATED = {"early stopping": lambda model: {"map@r": 0.5}}


@pytest.fixture
def case(exam_of):
    """Make the exam of a case."""

    def make(name):
        method, options = CASES[name]
        options = dict(options)
        rows, chunk = options.pop("rows", None), options.pop("chunk", None)
        exam = exam_of(method, **{"augment": {"rotate": 10.0}, **options}).params(optimiser__lr=0.05)
        if chunk is not None:
            exam.params(loss__chunk=chunk, loss__per_chunk_batchnorm=True)
        if rows is not None:
            drawn = np.random.default_rng(0)
            listed = np.array([drawn.choice(len(exam.items), rows, replace=False) for _ in range(12)])
            exam.items = dataclasses.replace(exam.items, rows=Rows(listed, np.arange(12) % 2 == 0 if rows == 2 else None))
        return exam

    return make


def generators():
    """The states of all generators that code may draw from."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002


@pytest.mark.parametrize("name", CASES)
def test_outcomes_are_the_same_to_the_last_bit_measured_or_not(case, bits, name):
    """Weights, the loss's own state, curves and the states of all generators are those of a run that is not measured, at any n.

    So it is over every feed, with miners, dropout, BatchNorm, losses with parameters and memories of their own, chunks and bf16.
    """
    runs = {}
    for every in (None, 1, 3, EVERY):
        torch.manual_seed(7)
        np.random.seed(7)  # noqa: NPY002  what third-party code reads
        random.seed(7)
        kept = Kept()
        trained = case(name).run(VALIDATED.get(name), watcher=Watcher(kept=kept, every=every))
        runs[every] = (bits(trained.model), bits(trained.loss), trained.curve, trained.repeat_rate, generators())
        assert kept.error is None
        assert [row.epoch for row in trained.measures] == ([] if every is None else [0, *(epoch.epoch for epoch in trained.curve)])

    assert runs[None] == runs[1] == runs[3] == runs[EVERY]


@pytest.mark.parametrize("every", [1, 3, 100])
def test_a_network_is_in_training_mode_at_each_step(exam_of, every):
    """The modes in which layers meet a training batch, their statistics after each, and their hooks are those of a run unmeasured."""
    seen = {}

    class Layer(nn.BatchNorm1d):
        def forward(self, items):
            if items.requires_grad:
                told.append((self.training, self.running_mean.tolist()))
            return super().forward(items)

    for number in (None, every):
        told = seen.setdefault(number, [])
        entry = BackboneEntry(lambda input_shape: nn.Sequential(nn.Flatten(), nn.Linear(64, 12), Layer(12)), source="made up")
        exam = exam_of(Method("contrastive"), training={"steps_per_epoch": 5}, backbone=entry)
        trained = exam.run(watcher=Watcher(every=number))
        assert [len(module._forward_hooks) for module in trained.model.modules()] == [0] * len([*trained.model.modules()])
        assert all(module.training for module in trained.model.modules())

    assert len(seen[None]) == 10
    assert seen[None] == seen[every]


# ---- measures: what they say


def test_rows_stand_before_the_first_step_and_after_each_epoch(exam_of):
    """The first row is of epoch 0 and of no step; the others say how many steps were measured: each n-th of an epoch, and its last."""
    for steps, every, expected in ((5, 1, 5), (5, 2, 3), (6, 3, 2), (5, 100, 1), (1, 3, 1)):
        trained = exam_of(Method("contrastive"), training={"epochs": 2, "steps_per_epoch": steps}).run(watcher=Watcher(every=every))

        assert [(0, 0), (1, expected), (2, expected)] == [(row.epoch, row.steps) for row in trained.measures]
        first = trained.measures[0]
        assert (first.loss, first.parts, first.branches, first.active, first.moved) == (None, {}, (), None, None)


@pytest.mark.parametrize("name", CASES)
def test_every_row_can_be_written_and_read(case, name):
    """Rows of every feed are JSON that reads back as the same row; their numbers are finite, of six digits, and in the ranges told."""
    for row in case(name).run(VALIDATED.get(name), watcher=Watcher(every=2)).measures:
        text = canonical(to_json(row))
        assert row == from_json(Measures, text, where="a row")
        shares = [row.active, row.idle, row.repeated, row.auc, row.spread, row.dead_units, *row.violated.values()]
        assert all(0 <= share <= 1 for share in shares if share is not None)
        assert all(value == told(value) for value in (row.loss, row.spread, row.auc, *row.branches) if value is not None)
        with pytest.raises(dataclasses.FrozenInstanceError):
            row.loss = 1.0


@pytest.mark.parametrize(
    ("name", "branches"), [("classes", 1), ("pairs", 2), ("triplets", 3), ("views, projector", 2), ("list of triplets", 3)]
)
def test_branches_follow_the_feed(case, name, branches):
    """One branch of classes, two of pairs and views, three of triplets, also where a list says them."""
    assert {branches} == {len(row.branches) for row in case(name).run(watcher=Watcher(every=1)).measures[1:]}


def test_mined_epochs_have_the_branches_of_what_was_mined(case):
    """Batches that are made of triplets of the whole training set have three branches, those before have the loss's."""
    exam = case("mined training set").params(miner__warmup=0.5)
    found = exam.run(watcher=Watcher(every=1)).measures[1:]

    assert [1, 3] == [len(row.branches) for row in found]
    assert (None, None) == (found[0].tuples, found[0].picked_positive)
    assert found[1].tuples == 5.0
    assert found[1].picked_positive < found[1].picked_negative


class Slopes(nn.Module):
    """A loss that keeps what it was given, and whose gradient misses some items."""

    def __init__(self, reached=slice(None)):
        super().__init__()
        self.calls, self.slopes, self.reached = [], [], reached

    def forward(self, embeddings, labels, indices=None):
        """The sum of squares of some of them."""
        self.calls.append((embeddings.detach().clone(), labels.clone(), indices))
        value = embeddings[self.reached, 0].square().sum()
        slope = torch.zeros_like(embeddings)
        slope[self.reached, 0] = 2 * embeddings[self.reached, 0].detach()
        self.slopes.append((slope, value.detach()))
        return value


def test_a_row_tells_of_its_steps(exam_of):
    """Loss, active items, branches, classes and repeats are means over the measured steps, as a loop over what the loss saw has them."""
    loss = Slopes(slice(0, 5))
    exam = exam_of(Method("contrastive", feed="pairs"), training={"steps_per_epoch": 7}, loss=LossEntry(lambda: loss, source="made up"))
    trained = exam.run(watcher=Watcher(every=3))
    row = trained.measures[1]
    steps = [2, 5, 6]
    slopes, losses = zip(*(loss.slopes[step] for step in steps), strict=True)
    lengths = [[float(row.norm()) for row in slope] for slope in slopes]

    assert row.steps == 3
    assert row.loss == pytest.approx(sum(map(float, losses)) / 3, rel=1e-5)
    assert row.active == pytest.approx(sum(sum(length > 0 for length in one) for one in lengths) / 24, rel=1e-5)
    assert row.idle == 0.0
    for branch in (0, 1):
        assert row.branches[branch] == pytest.approx(sum(sum(one[4 * branch : 4 * branch + 4]) for one in lengths) / 12, rel=1e-5)
    assert row.classes == pytest.approx(sum(len(set(loss.calls[step][1].tolist())) for step in steps) / 3, rel=1e-5)
    assert row.repeated == pytest.approx(_repeats(exam, loss, steps), rel=1e-5)
    assert (row.tuples, row.picked_positive, row.picked_negative) == (None, None, None)


def _repeats(exam, loss, steps):
    """The share of items whose embedding stood in the batch already: without dropout or augmentation, equal items have equal ones."""
    found = []
    for step in steps:
        rows = [tuple(round(x, 5) for x in row) for row in loss.calls[step][0].tolist()]
        found.append(1 - len(set(rows)) / len(rows))
    return sum(found) / len(found)


def test_steps_without_a_gradient_are_idle(exam_of, recorded):
    """A loss whose gradient vanishes at every second step is idle in that share of the measured ones."""
    step = iter(range(100))
    entry, _ = recorded(lambda embeddings: embeddings.square().sum() * (next(step) % 2))
    row = exam_of(Method("contrastive"), training={"steps_per_epoch": 6}, loss=entry).run(watcher=Watcher(every=1)).measures[1]

    assert (row.idle, row.active) == (0.5, 0.5)


def test_a_loss_that_does_not_look_at_embeddings_is_idle(exam_of):
    """Where no gradient comes to the embeddings, every step is idle and trunk and head are unreached, and its own parameters are not."""

    class Alone(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, embeddings, labels, indices=None):
            return self.weight.square().sum()

    row = exam_of(Method("contrastive"), loss=LossEntry(Alone, source="made up")).run(watcher=Watcher(every=1)).measures[1]

    assert (row.idle, row.active, row.branches) == (1.0, 0.0, (0.0,))
    assert {"trunk": 4, "head": 2, "loss": 0} == {name: part.unreached for name, part in row.parts.items()}
    assert row.parts["trunk"].gradient_norm is None


def test_embeddings_that_want_no_gradient_are_no_matter(exam_of):
    """A network that is detached from its embeddings trains what the loss has of its own, and is told as idle."""
    entry = BackboneEntry(lambda input_shape: Detached(math.prod(input_shape)), source="made up")
    trained = exam_of(Method("arcface"), backbone=entry).run(watcher=Watcher(every=1))
    row = trained.measures[-1]

    assert row.parts["trunk"].unreached == 2
    assert row.parts["loss"].unreached == 0


class Detached(nn.Module):
    """A trunk that hands on no gradient."""

    def __init__(self, inputs):
        super().__init__()
        self.layer = nn.Linear(inputs, 12)

    def forward(self, items):
        """Features [B, 12]."""
        return self.layer(items.flatten(1)).detach()


def test_what_a_miner_picks_is_told(exam_of, catalogue):
    """Tuples and the distances of their pairs are means over the measured steps, and not told of steps before a warm-up is over."""
    picked = []

    def mine(embeddings, labels):
        same = labels[:, None] == labels[None, :]
        found = [(i, j, int((~same[i]).nonzero()[0])) for i in range(len(labels)) for j in range(i) if same[i, j]][: 3 + len(picked)]
        distances = [[math.dist(embeddings[a].tolist(), embeddings[b].tolist()) for a, b in pairs] for pairs in _both(found)]
        picked.append([len(found), *(sum(one) / len(one) for one in distances)])
        return tuple(torch.tensor(column) for column in zip(*found, strict=True))

    entry = MinerEntry(lambda: mine, warmup=0.5, source="made up")
    exam = exam_of(Method("triplet", "semihard"), training={"steps_per_epoch": 4}, miner=entry).params(miner__warmup=0.25)
    first, second = exam.run(watcher=Watcher(every=1)).measures[1:]

    assert len(picked) == 6
    for row, steps in ((first, picked[:2]), (second, picked[2:])):
        means = [sum(column) / len(steps) for column in zip(*steps, strict=True)]
        assert [row.tuples, row.picked_positive, row.picked_negative] == pytest.approx(means, rel=1e-5)


def _both(triplets):
    return [(a, p) for a, p, _ in triplets], [(a, n) for a, _, n in triplets]


def test_rates_are_those_of_the_last_step(exam_of):
    """A schedule that changes rates after each step has not yet changed what the last measured step was taken with."""
    exam = exam_of(Method("arcface"), training={"steps_per_epoch": 4, "schedule": "cosine"}).params(optimiser__lr=0.5, loss__lr=0.25)
    rows = exam.run(watcher=Watcher(every=100)).measures[1:]

    for step, row in zip((3, 7), rows, strict=True):
        share = (1 + math.cos(math.pi * step / 8)) / 2
        assert [row.parts[name].rate for name in ("trunk", "head", "loss")] == pytest.approx(
            [0.5 * share, 0.5 * share, 0.25 * share], rel=1e-5
        )


def test_frozen_parts_are_no_parts(exam_of):
    """A trunk that is meant to stay as it is, is none of the parts: nobody can take it for one that should have moved."""

    def build(input_shape):
        return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(input_shape), 12)).requires_grad_(requires_grad=False)

    rows = exam_of(Method("arcface"), backbone=BackboneEntry(build, source="made up")).run(watcher=Watcher(every=1)).measures

    assert {"head": 2, "loss": 1} == {name: part.parameters for name, part in rows[-1].parts.items()}


def test_margins_of_the_loss_are_counted_on_the_probe(exam_of):
    """A loss that tells of its margin has the share of the probe's triplets that violate it, for the value that is set."""
    told_of = Fingerprint(True, (Margin("margin", "triplet"),))  # noqa: FBT003  whether it forms tuples
    shares = []
    for margin in (-9.0, 0.3, 9.0):
        entry = LossEntry(lambda margin: Slopes(), defaults={"margin": 0.1}, fingerprint=told_of, source="made up")
        exam = exam_of(Method("triplet"), loss=entry).params(loss__margin=margin)
        shares.append(exam.run(watcher=Watcher(every=1)).measures[0].violated["margin"])

    assert shares[0] == 0.0
    assert 0.0 < shares[1] <= 1.0
    assert shares[2] == 1.0


def test_views_and_lists_are_judged_by_classes(case):
    """The probe of a run that is not told of classes, or told otherwise by a list, has the positive pairs of the data set."""
    plain, views, listed = (
        case(name).run(watcher=Watcher(every=1)).measures[0] for name in ("classes", "views, projector", "list of pairs")
    )

    assert plain.positive == listed.positive
    assert None not in (views.positive, views.negative, views.auc)


# ---- measures: when it goes wrong


def test_a_run_that_diverges_leaves_its_rows(exam_of, recorded):
    """The row of the epoch in which the loss left the numbers is there: without a loss, and with what there was of the rest."""
    steps = iter(range(100))
    entry, _ = recorded(lambda embeddings: embeddings.square().sum() * (math.nan if next(steps) == 4 else 1.0))
    kept = Kept()
    with pytest.raises(DivergedError, match="step 2"):
        exam_of(Method("contrastive"), loss=entry).run(watcher=Watcher(kept=kept, every=1))

    assert [0, 1, 2] == [row.epoch for row in kept.rows]
    assert kept.rows[1].loss is not None
    assert (kept.rows[2].loss, kept.rows[2].finite, kept.rows[2].positive) == (None, False, None)
    assert kept.rows[2].parts["trunk"].gradient_norm is None
    assert kept.error is None


def test_a_run_that_breaks_leaves_the_rows_that_it_has(exam_of, recorded):
    """A loss that raises in the second epoch leaves the rows of the first."""
    steps = iter(range(100))
    entry, _ = recorded(lambda embeddings: embeddings.square().sum() if next(steps) < 4 else 1 / 0)
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        exam_of(Method("contrastive"), loss=entry).run(watcher=Watcher(kept=kept, every=1))

    assert [0, 1] == [row.epoch for row in kept.rows]


class Stubborn(nn.Module):
    """A trunk that cannot be copied, or that raises where it is not trained."""

    def __init__(self, inputs, *, error, copied):
        super().__init__()
        self.layer, self.error, self.copied, self.looks = nn.Linear(inputs, 12), error, copied, 0

    def __deepcopy__(self, memo):
        if not self.copied:
            raise self.error
        found = Stubborn(self.layer.in_features, error=self.error, copied=True)
        found.looks = 99
        return found

    def forward(self, items):
        """Features [B, 12]."""
        if self.looks:
            raise self.error
        return self.layer(items.flatten(1))


@pytest.mark.parametrize("error", [TypeError("cannot pickle 'generator' object"), SystemExit("no more")])
@pytest.mark.parametrize("copied", [True, False])
def test_what_cannot_be_measured_is_trained_all_the_same(exam_of, bits, error, copied):
    """A trunk that cannot be copied, or whose copy raises: it is said once, nothing more is measured, and the outcome is the same."""
    runs = []
    for every in (None, 1):
        kept = Kept()
        entry = BackboneEntry(lambda input_shape: Stubborn(math.prod(input_shape), error=error, copied=copied), source="made up")
        trained = exam_of(Method("contrastive"), backbone=entry).run(watcher=Watcher(kept=kept, every=every))
        runs.append((bits(trained.model), trained.curve))

    assert runs[0] == runs[1]
    assert f"{type(error).__name__}: {error}" == kept.error
    assert [] == kept.rows
    assert kept.current is None


def test_several_models_leave_their_rows_one_after_the_other(exam_of):
    """Of fold-models each begins with a row of epoch 0, and knows its own rows alone."""
    kept = Kept()
    runs = [exam_of(Method("contrastive")).run(watcher=Watcher(kept=kept, every=1)).measures for _ in range(2)]

    assert [0, 1, 2, 0, 1, 2] == [row.epoch for row in kept.rows]
    assert runs[0] == runs[1] == tuple(kept.rows[3:])


def test_unwatched_nothing_is_kept(exam_of):
    """Where nobody asks there are no rows."""
    assert () == exam_of(Method("contrastive")).run().measures
