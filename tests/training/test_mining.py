"""Mining over the training set: when it happens, what the miner is given, what the epochs are fed, and what it leaves alone."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch
from torch import nn

from siambench.clock import Clock
from siambench.data.transforms import to_float
from siambench.errors import DivergedError, PluginError
from siambench.plugin import MinerEntry
from siambench.spec import Method
from siambench.training.mining import _in_turn

METHOD = Method("triplet", "offline-semihard")
RULES = {"epochs": 4, "steps_per_epoch": 3, "batch_size": 16, "schedule": "constant"}


class Asked:
    """A miner that remembers what it was given; what it gives is made by `choose` of the labels, the n-th time of the n-th."""

    def __init__(self, *choose):
        self.choose = itertools.cycle(choose)
        self.calls = []

    def __call__(self, embeddings, labels):
        """Tuples of all items."""
        self.calls.append((embeddings.clone(), labels.clone()))
        return next(self.choose)(labels)


def entry_of(miner, **options):
    """Its entry."""
    return MinerEntry(lambda: miner, source="made up", scope="training-set", **options)


def first_triplets(labels, most=10):
    """As many triplets, each with its own anchor."""
    found = []
    for anchor in range(len(labels)):
        near = [i for i in range(len(labels)) if labels[i] == labels[anchor] and i != anchor]
        far = [i for i in range(len(labels)) if labels[i] != labels[anchor]]
        found.append((anchor, near[0], far[anchor % len(far)]))
    return tuple(torch.tensor(column) for column in zip(*found[:most], strict=True))


def no_triplets(labels):
    """None at all."""
    return tuple(torch.empty(0, dtype=torch.int64) for _ in range(3))


def pairs_of(genuine, impostors):
    """As many pairs of both sorts."""

    def choose(labels):
        anchor, positive, negative = first_triplets(labels, most=max(genuine, impostors))
        return anchor[:genuine], positive[:genuine], anchor[:impostors], negative[:impostors]

    return choose


@pytest.fixture
def mined(exam_of, recorded):
    """Train with such a miner; what the loss was given, and what was trained."""

    def run(miner, *, training=None, params=None, gives="triplets", changed=None, **options):
        entry, told = recorded(takes="triplets")
        exam = exam_of(METHOD, training={**RULES, **(training or {})}, loss=entry, miner=entry_of(miner, gives=gives), **options)
        exam.params(**{"miner__every": 1, **(params or {})}).changed(**(changed or {}))
        return exam, told, exam.run()

    return run


# ---- when, and of what


@pytest.mark.parametrize(
    ("every", "share", "expected"), [(1, 0.0, [1, 2, 3, 4]), (2, 0.0, [1, 3]), (9, 0.0, [1]), (1, 0.5, [3, 4]), (1, 0.45, [2, 3, 4])]
)
def test_a_training_set_is_mined_every_so_many_epochs(mined, every, share, expected):
    """From the epoch on in which the warm-up ends, before every n-th epoch; batches in between are of the last that was found."""
    miner = Asked(first_triplets)
    _, loss, trained = mined(miner, params={"miner__every": every, "miner__warmup": share})
    first = expected[0]

    assert len(expected) == len(miner.calls)
    assert [indices is not None for _, _, indices in loss.calls] == [epoch >= first for epoch in range(1, 5) for _ in range(3)]
    assert [None if epoch < first else 5.0 for epoch in range(1, 5)] == [epoch.tuples for epoch in trained.curve]


def test_a_final_unit_that_stops_early_mines_when_its_trial_did(exam_of):
    """The warm-up is a share of the whole horizon, and the first epochs of a final unit are those of the trial, mining included."""
    miner = Asked(first_triplets)
    exam = exam_of(METHOD, training=RULES, miner=entry_of(miner)).params(miner__every=1, miner__warmup=0.5)
    curve = exam.run().curve
    whole = len(miner.calls)
    stopped = exam.changed(kind="final", stop_epoch=3).run().curve

    assert (2, 1) == (whole, len(miner.calls) - whole)
    assert curve[:3] == stopped


@pytest.mark.parametrize(("share", "first"), [(0.2475, 1), (0.25, 2), (0.4975, 2), (0.5, 3)])
@pytest.mark.parametrize("steps", [3, 4, 61])
def test_the_number_of_steps_moves_no_mining(exam_of, share, first, steps):
    """A final model, which may take more steps an epoch than its trial, is mined before the very epochs that the trial was."""
    miner = Asked(no_triplets)
    exam = exam_of(METHOD, training=RULES, miner=entry_of(miner)).trained_with(steps_per_epoch=steps).changed(stop_epoch=first)
    exam.params(miner__every=1, miner__warmup=share).run()

    assert 1 == len(miner.calls)


def test_the_miner_is_given_all_that_is_trained_on_as_the_loss_would_see_it(mined):
    """Embeddings fp32 of every training item in their order, by the weights of that moment, in evaluation mode, without augmentation."""
    miner = Asked(first_triplets)
    exam, _, trained = mined(miner, params={"miner__every": 4}, augment={"rotate": 30.0})
    (embeddings, labels), items = miner.calls[0], exam.items
    untrained = exam.untrained().eval()
    with torch.no_grad():
        expected = untrained(to_float(torch.from_numpy(items.read(np.arange(len(items))))))

    assert labels.tolist() == items.labels.tolist()
    assert embeddings.dtype == torch.float32
    assert torch.allclose(nn.functional.normalize(expected), embeddings, atol=1e-6)
    assert trained.model.training


@pytest.mark.parametrize("normalise", [True, False])
def test_a_loss_without_unit_length_has_its_miner_see_the_same(mined, exam_of, recorded, normalise):
    """Embeddings are of unit length where the loss wants them so, and only there."""
    miner = Asked(first_triplets)
    entry, _ = recorded(takes="triplets")
    exam = exam_of(METHOD, training=RULES, loss=entry, miner=entry_of(miner)).params(miner__every=1)
    exam.trained_with(normalise=normalise).run()

    assert normalise == torch.allclose(miner.calls[0][0].norm(dim=1), torch.ones(len(exam.items)), atol=1e-5)


def test_bf16_is_mined_in_fp32(mined):
    """Whatever the training's precision, the training set is embedded in fp32."""
    half, whole = Asked(first_triplets), Asked(first_triplets)
    mined(half, training={"precision": "bf16"})
    mined(whole)

    assert torch.equal(half.calls[0][0], whole.calls[0][0])
    assert half.calls[0][0].dtype == torch.float32


def test_no_item_but_those_trained_on_is_read(exam_of):
    """Mining reads the unit's training items; an item of the validation or the test part is never asked for."""
    read = []
    exam = exam_of(METHOD, training=RULES, miner=entry_of(Asked(first_triplets))).params(miner__every=1)
    dataset = exam.items.dataset

    def reading(indices):
        read.extend(indices.tolist())
        return dataset.read(indices)

    exam.items = dataclasses.replace(exam.items, dataset=dataclasses.replace(dataset, read=reading))
    exam.run()

    assert set(exam.items.indices.tolist()) == set(read)


# ---- what it leaves alone


@pytest.mark.parametrize("backbone", ["mlp", "conv4"])
def test_mining_leaves_no_trace_in_training(exam_of, bits, backbone):
    """A run whose miner finds nothing, and draws on top, is that of no miner to the last bit: weights, running statistics, losses."""

    def drawing(labels):
        torch.rand(7), np.random.rand(3)  # noqa: NPY002  what third-party code draws from
        return no_triplets(labels)

    model = {"backbone": backbone, "options": {"width": 8, "dropout": 0.3} | ({"blocks": 2} if backbone == "conv4" else {"layers": 1})}
    options = {"training": RULES, "model": model, "augment": {"rotate": 20.0}}
    plain = exam_of(Method("triplet"), **options).run()
    empty = exam_of(METHOD, miner=entry_of(Asked(drawing)), **options).params(miner__every=1).run()

    assert bits(plain.model) == bits(empty.model)
    assert [dataclasses.replace(epoch, tuples=0.0) for epoch in plain.curve] == list(empty.curve)


def test_layers_behind_the_model_train_on(exam_of, catalogue, bits):
    """A projector is in evaluation mode while the training set is embedded, and in training mode in every step."""
    modes = []
    entry = catalogue.get("losses", "triplet").entry

    class Watched(nn.BatchNorm1d):
        def forward(self, rows):
            modes.append((self.training, len(rows)))
            return super().forward(rows)

    exam = exam_of(METHOD, training=RULES, loss=dataclasses.replace(entry, projector=(6, 4)), miner=entry_of(Asked(first_triplets)))
    exam.params(miner__every=1, loss__projector="6-4")
    original = nn.BatchNorm1d
    try:
        nn.BatchNorm1d = Watched
        exam.run()
    finally:
        nn.BatchNorm1d = original

    assert {(True, 15), (False, len(exam.items))} == {mode for mode in modes if mode[1] in (15, len(exam.items))}


def test_its_time_is_told_apart(mined, exam_of):
    """Embedding and mining count as the phase `mine` of a unit's clock, and as no step of training."""
    clock = Clock()
    exam = exam_of(METHOD, training=RULES, miner=entry_of(Asked(first_triplets))).params(miner__every=2)
    with clock.phase("train"):
        trained = exam.run(clock=clock)

    assert 0 < clock.seconds["mine"] < clock.total
    assert 4 == len(trained.curve)
    without = Clock()
    exam_of(Method("triplet", "hard"), training=RULES).run(clock=without)
    assert {} == without.seconds


@pytest.mark.parametrize("miner", ["offline-hard", "offline-semihard"])
@pytest.mark.parametrize("form", ["images", "tokens"])
def test_every_such_miner_trains_reproducibly(exam_of, catalogue_of, bits, miner, form):
    """Two runs of one unit agree to the last bit, whatever the global random state is before, over any form of items."""
    states = []
    model = {"backbone": {"images": "mlp", "tokens": "bag"}[form], "options": {}}
    for world in (0, 1):
        torch.manual_seed(world)
        exam = exam_of(Method("triplet", miner), training=RULES, catalogue=catalogue_of(form), model=model)
        wide = {"miner__margin": 2.0} if miner == "offline-semihard" else {}
        trained = exam.params(miner__every=2, miner__warmup=0.0, **wide).run()
        states.append((bits(trained.model), trained.curve))
        assert trained.curve[0].tuples == 5.0

    assert states[0] == states[1]


# ---- what the epochs are fed


@pytest.fixture
def places(mined, smooth):
    """Train at a rate of 0 through a trunk that gives each item always the same: the items of each batch, its indices, the exam."""

    def run(miner, **options):
        exam, loss, _ = mined(miner, backbone=smooth, params={"optimiser__lr": 0.0, "miner__every": options.pop("every", 1)}, **options)
        rows = miner.calls[0][0]
        found = [torch.cdist(embeddings, rows).min(dim=1) for embeddings, _, _ in loss.calls]
        assert all(float(one.values.max()) < 1e-4 for one in found)
        return [one.indices for one in found], [indices for _, _, indices in loss.calls], exam

    return run


def test_batches_are_the_mined_triplets(places):
    """B // 3 of them in three branches, and the loss is told which are which; each comes once before any comes again."""
    miner = Asked(lambda labels: first_triplets(labels, most=9))
    batches, told, exam = places(miner, every=9)
    expected = set(zip(*(column.tolist() for column in first_triplets(torch.from_numpy(exam.items.labels), most=9)), strict=True))
    stream = []
    for batch, (anchor, positive, negative) in zip(batches, told, strict=True):
        assert len(batch) == 15
        assert sorted(torch.cat([anchor, positive, negative]).tolist()) == list(range(15))
        stream += zip(batch[anchor].tolist(), batch[positive].tolist(), batch[negative].tolist(), strict=True)

    assert 60 == len(stream)
    assert all(expected == set(stream[start : start + 9]) for start in range(0, 54, 9))
    assert len({tuple(stream[start : start + 9]) for start in range(0, 54, 9)}) > 1


@pytest.mark.parametrize(("genuine", "impostors", "near", "far"), [(9, 30, 4, 4), (20, 2, 4, 4), (5, 0, 8, 0), (0, 5, 0, 8)])
def test_batches_are_the_mined_pairs(places, genuine, impostors, near, far):
    """B // 2 pairs in two branches, half of them genuine; where the miner found one sort alone, all are of that."""
    choose = pairs_of(genuine, impostors)
    batches, told, exam = places(Asked(choose), every=9, gives="pairs")
    left, right, other_left, other_right = choose(torch.from_numpy(exam.items.labels))
    expected = set(zip(left.tolist(), right.tolist(), strict=True)), set(zip(other_left.tolist(), other_right.tolist(), strict=True))
    streams = ([], [])
    for batch, indices in zip(batches, told, strict=True):
        chosen = [part[part >= 0] for part in indices]
        assert [near, near, far, far] == [len(part) for part in chosen]
        for stream, (one, other) in zip(streams, (chosen[:2], chosen[2:]), strict=True):
            stream.extend(zip(batch[one].tolist(), batch[other].tolist(), strict=True))
    for stream, once in zip(streams, expected, strict=True):
        for start in range(0, len(stream) - len(once) + 1, max(1, len(once))):
            assert once == set(stream[start : start + len(once)])


def test_fewer_tuples_than_a_batch_holds_are_repeated():
    """Two triplets fill batches of five: each stands in every pass once, and no pass is left out."""
    found = [torch.tensor([10, 11]), torch.tensor([20, 21]), torch.tensor([30, 31])]
    given = itertools.islice(_in_turn(found, 5, torch.Generator().manual_seed(0)), 4)
    stream = [tuple(column) for batch in given for column in batch.view(3, 5).T.tolist()]

    assert all({(10, 20, 30), (11, 21, 31)} == set(stream[start : start + 2]) for start in range(0, 20, 2))


def test_the_order_is_drawn_from_the_seed_of_the_order(places, exam_of):
    """Another seed for the order of batches gives another order of the tuples, one for the loss or the weights does not."""
    seen = {}
    for stream in (None, "order", "loss"):
        miner = Asked(lambda labels: first_triplets(labels, most=30))
        seeds = exam_of(METHOD, training=RULES).unit.seeds
        batches, _, _ = places(miner, changed={} if stream is None else {"seeds": {**seeds, stream: 99}})
        seen[stream] = [batch.tolist() for batch in batches]

    assert seen[None] == seen["loss"]
    assert seen[None] != seen["order"]
    # Mined anew, the tuples are shuffled anew.
    assert seen[None][:3] != seen[None][3:6]


def test_where_nothing_is_found_the_batches_are_the_losss_own(mined):
    """They are, with a count of 0 in the curve, until the miner finds something again."""
    miner = Asked(first_triplets, no_triplets, first_triplets, no_triplets)
    _, loss, trained = mined(miner)

    assert [5.0, 0.0, 5.0, 0.0] == [epoch.tuples for epoch in trained.curve]
    assert [indices is not None for _, _, indices in loss.calls] == [True] * 3 + [False] * 3 + [True] * 3 + [False] * 3
    # Of a batch of 16 three branches of five, or four images of each class, as the loss asks for.
    assert [15, 16] == sorted({len(labels) for _, labels, _ in loss.calls})


def test_mined_items_are_augmented(mined, smooth):
    """Batches of tuples are augmented as all others are: an item that stands in two places is changed by two draws."""
    runs = []
    for augment in ({}, {"translate": 0.3}):
        _, loss, _ = mined(Asked(lambda labels: first_triplets(labels, most=1)), backbone=smooth, augment=augment)
        runs.append(loss.calls[0][0].view(3, 5, -1))

    assert all(torch.allclose(one, one[:1].expand_as(one), atol=1e-6) for one in runs[0])
    assert all(not torch.allclose(one[0], other, atol=1e-4) for one in runs[1] for other in one[1:])


# ---- what goes wrong


@pytest.mark.parametrize(
    ("choose", "words"),
    [
        (lambda labels: (labels, labels), "three index tensors"),
        (lambda labels: [part + len(labels) for part in first_triplets(labels)], "must lie in 0"),
        (lambda labels: [part.int() for part in first_triplets(labels)], "int64"),
        (lambda labels: [part.tolist() for part in first_triplets(labels)], "got list"),
        (pairs_of(3, 3), "takes 3 index tensors, got 4"),
        (lambda labels: [first_triplets(labels)[place] for place in (0, 2, 1)], "of two classes"),
    ],
)
def test_what_is_no_tuple_of_the_training_set_is_named(mined, choose, words):
    """A miner that gives something else ends its unit in a sentence with its name and what was found."""
    with pytest.raises(PluginError, match="offline-semihard") as error:
        mined(Asked(choose))

    assert words in str(error.value)


def test_embeddings_that_are_not_finite_have_diverged(exam_of, catalogue):
    """Where the training set cannot be embedded in finite numbers any more, training has diverged; the miner is not asked."""

    class Growing(nn.Module):
        def __init__(self, inputs):
            super().__init__()
            self.layer = nn.Linear(inputs, 4)

        def forward(self, items):
            rows = self.layer(items.flatten(1))
            return rows if self.training or len(items) == 2 else rows / 0

    from siambench.plugin import BackboneEntry

    miner = Asked(first_triplets)
    entry = BackboneEntry(lambda input_shape: Growing(int(np.prod(input_shape))), source="made up")
    with pytest.raises(DivergedError, match="the embeddings of the training set were not finite before epoch 1"):
        exam_of(METHOD, training=RULES, miner=entry_of(miner), backbone=entry).params(miner__every=1).run()

    assert [] == miner.calls


# ---- in a run


def test_a_record_says_what_mining_took(siambench, tmp_path):
    """A whole run with such a miner leaves records whose seconds tell mining apart and whose curve counts the tuples of a batch."""
    rules = ("training.epochs=2", "training.steps_per_epoch=2", "training.batch_size=16", "miner.warmup=0.5")
    flags = [flag for rule in rules for flag in ("--set", rule)]
    done = siambench(
        *("run", "--dataset", "digits", "--backbone", "mlp", "--loss", "triplet", "--miner", "offline-hard"),
        *("--trials", "1", "--repetitions", "1", "--jobs", "1", "--out", str(tmp_path), *flags),
    )
    records = [json.loads(path.read_text()) for path in tmp_path.rglob("*.json") if path.parent.name == "records"]
    mined = [record for record in records if record["unit"]["method"]["miner"] == "offline-hard"]

    assert 0 == done.returncode, done.stderr
    assert {"tune", "final"} == {record["unit"]["kind"] for record in mined}
    for record in mined:
        assert record["telemetry"]["seconds"]["mine"] > 0
        assert [None, 5.0] == [epoch["tuples"] for epoch in record["outcome"]["curve"]]
        assert {"miner.every": 1, "miner.warmup": 0.5} == {
            k: v for k, v in record["unit"]["params"].items() if k in ("miner.every", "miner.warmup")
        }
    assert not any("mine" in record["telemetry"]["seconds"] for record in records if record not in mined)
