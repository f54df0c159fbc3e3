import dataclasses
import math

import pytest
import torch
from torch import nn

from siambench.errors import DivergedError
from siambench.plugin import BackboneEntry
from siambench.spec import Method
from siambench.testing import synthetic_catalogue, synthetic_dataset


@pytest.mark.parametrize(
    "loss", ["contrastive", "triplet", "npair", "angular", "ntxent", "supcon", "multi-similarity", "proxy-anchor", "arcface"]
)
def test_gradients_reach_every_layer(exam_of, bits, loss):
    """Training with any loss moves every parameter of trunk and head and gives finite figures for every epoch."""
    exam = exam_of(Method(loss)).params(optimiser__lr=0.05)
    before, trained = bits(exam.untrained()), exam.run()
    after = bits(trained.model)
    for name, _ in trained.model.named_parameters():
        # A bias in front of BatchNorm has no effect, so nothing has to move it.
        if name != "trunk.1.bias":
            assert before[name] != after[name], name
    assert [epoch.epoch for epoch in trained.curve] == [1, 2]
    assert all(math.isfinite(epoch.loss) and epoch.gradient_norm is not None for epoch in trained.curve)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "plateau"])
def test_stopping_early_keeps_the_horizon(exam_of, bits, optimiser, schedule):
    """A final unit that stops at epoch e ends with the very weights that the whole run had after epoch e."""
    training = {"epochs": 3, "steps_per_epoch": 2, "optimiser": optimiser, "schedule": schedule, "validate_every": 1}
    states = []
    whole = exam_of(Method("contrastive"), training=training)
    curve = whole.run(validate=lambda model: states.append(bits(model)) or {"map@r": 0.5}).curve

    stopped = exam_of(Method("contrastive"), training=training).changed(kind="final", stop_epoch=2).run()

    assert len(stopped.curve) == 2
    assert states[1] == bits(stopped.model)
    assert tuple(dataclasses.replace(epoch, validation=None) for epoch in curve[:2]) == stopped.curve


# ---- what a loss is given


def test_a_loss_gets_unit_embeddings_and_labels(exam_of, recorded):
    """A loss gets fp32 embeddings of unit length, int64 labels in 0 … K - 1 in slots of one class, and no indices."""
    entry, loss = recorded()
    exam_of(Method("contrastive"), loss=entry).run()

    assert len(loss.calls) == 6
    for embeddings, labels, indices in loss.calls:
        assert embeddings.dtype == torch.float32
        assert embeddings.shape == (8, 8)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(8), atol=1e-6)
        assert labels.dtype == torch.int64
        assert sorted(labels.tolist()) == [0] * 4 + [1] * 4
        assert indices is None


def test_a_loss_may_want_embeddings_as_they_are(exam_of, recorded):
    """Where the entry says so, embeddings are not normalised."""
    entry, loss = recorded()
    exam = exam_of(Method("contrastive"), loss=entry)
    exam.trained_with(normalise=False).run()

    assert not torch.allclose(loss.calls[0][0].norm(dim=1), torch.ones(8), atol=1e-2)


def test_npair_gets_two_images_of_each_class(catalogue, exam_of, recorded):
    """The layout that an entry asks for is what the loss is given: N-pair two images per class, not normalised."""
    _, loss = recorded()
    entry = dataclasses.replace(catalogue.get("losses", "npair").entry, build=lambda: loss, space={}, defaults={})
    exam_of(Method("npair"), loss=entry).run()

    for embeddings, labels, _ in loss.calls:
        assert all(labels[i] == labels[i + 1] for i in range(0, 8, 2))
        assert not torch.allclose(embeddings.norm(dim=1), torch.ones(8), atol=1e-2)


def test_bf16_gives_fp32_embeddings(exam_of, recorded):
    """Under bf16 the network computes in 16 bits, and the loss gets fp32 embeddings of unit length all the same."""
    entry, loss = recorded()
    exam = exam_of(Method("contrastive"), training={"precision": "bf16"}, loss=entry)
    exam.run()
    plain, reference = recorded()
    exam_of(Method("contrastive"), loss=plain).run()

    assert all(embeddings.dtype == torch.float32 for embeddings, _, _ in loss.calls)
    assert torch.allclose(loss.calls[0][0].norm(dim=1), torch.ones(8), atol=1e-6)
    assert not torch.equal(reference.calls[0][0], loss.calls[0][0])
    assert torch.allclose(reference.calls[0][0], loss.calls[0][0], atol=0.05)


# ---- mining and its warm-up


def miner_of(catalogue, name, calls):
    """The entry of a miner that notes each call."""
    entry = catalogue.get("miners", name).entry

    def build():
        real = entry.build()

        def mine(embeddings, labels):
            calls.append((embeddings.requires_grad, torch.is_grad_enabled()))
            return real(embeddings, labels)

        return mine

    return dataclasses.replace(entry, build=build)


@pytest.mark.parametrize(("share", "first"), [(0.0, 0), (0.3, 3), (0.5, 5)])
def test_the_miner_is_left_out_during_warm_up(catalogue, exam_of, recorded, share, first):
    """Before the warm-up share of the steps the loss sees no indices and the miner is not called; from then on it is."""
    calls = []
    entry, loss = recorded(takes="triplets")
    training = {"epochs": 2, "steps_per_epoch": 5}
    exam = exam_of(Method("triplet", "hard"), training=training, loss=entry, miner=miner_of(catalogue, "hard", calls))
    trained = exam.params(miner__warmup=share).run()

    assert [indices is not None for _, _, indices in loss.calls] == [step >= first for step in range(10)]
    assert calls == [(False, False)] * (10 - first)
    assert all(len(indices) == 3 for _, _, indices in loss.calls[first:])
    # Batch-hard gives one triplet per anchor.
    assert [None if first == 5 else 8.0, 8.0] == [epoch.tuples for epoch in trained.curve]


def test_the_warm_up_is_a_share_of_the_whole_horizon(exam_of, recorded):
    """A final unit that stops early mines from the same step on as its trial did."""
    entry, loss = recorded(takes="triplets")
    training = {"epochs": 4, "steps_per_epoch": 5}
    exam = exam_of(Method("triplet", "hard"), training=training, loss=entry).params(miner__warmup=0.5)
    exam.changed(kind="final", stop_epoch=3).run()

    assert [indices is not None for _, _, indices in loss.calls] == [False] * 10 + [True] * 5


@pytest.mark.parametrize("miner", ["hard", "semihard", "easy-positive-hard-negative", "multi-similarity", "distance-weighted"])
def test_every_miner_trains_reproducibly(exam_of, bits, miner):
    """With any miner two runs of one unit agree to the last bit, whatever the global random state is before."""
    states = []
    for world in (0, 1):
        torch.manual_seed(world)
        exam = exam_of(Method("triplet", miner))
        states.append(bits(exam.params(miner__warmup=0.0).run().model))

    assert states[0] == states[1]


# ---- randomness


def test_methods_meet_the_same_weights_and_the_same_order(exam_of, recorded, bits):
    """Two methods with one batch layout start from the same weights and see the same batches."""
    orders, weights = [], []
    for name in ("contrastive", "supcon"):
        entry, loss = recorded()
        exam = exam_of(Method(name), loss=entry)
        weights.append(bits(exam.untrained()))
        exam.run()
        orders.append([labels.tolist() for _, labels, _ in loss.calls])

    assert weights[0] == weights[1]
    assert orders[0] == orders[1]


def test_streams_are_separate(exam_of, recorded, bits):
    """Another seed for weights, augmentation or the loss leaves the order of the batches as it is, and another order the weights."""
    seen = {}
    for stream in (None, "weights", "order", "augmentation", "loss"):
        entry, loss = recorded()
        exam = exam_of(Method("contrastive"), augment={"rotate": 30.0}, loss=entry)
        if stream is not None:
            exam.changed(seeds={**exam.unit.seeds, stream: 12345})
        untrained = bits(exam.untrained())
        exam.run()
        seen[stream] = untrained, [labels.tolist() for _, labels, _ in loss.calls], loss.calls[0][0]

    for stream in ("weights", "augmentation", "loss"):
        assert seen[None][1] == seen[stream][1]
    for stream in ("order", "augmentation", "loss"):
        assert seen[None][0] == seen[stream][0]
    assert seen[None][0] != seen["weights"][0]
    assert seen[None][1] != seen["order"][1]
    assert not torch.equal(seen[None][2], seen["augmentation"][2])
    assert torch.equal(seen[None][2], seen["loss"][2])


def test_what_draws_from_the_global_state_is_seeded_step_by_step(exam_of, recorded, bits):
    """Dropout and a loss that draws random numbers give the same run twice, and draw anew at each step."""
    drawn = []

    def noisy(embeddings):
        drawn.append(float(torch.rand(())))
        return embeddings.square().mean() * drawn[-1]

    model = {"options": {"width": 16, "layers": 1, "dropout": 0.5}}
    states = []
    for world in (3, 4):
        entry, _ = recorded(noisy)
        exam = exam_of(Method("contrastive"), model=model, loss=entry)
        torch.manual_seed(world)
        states.append(bits(exam.run().model))

    assert states[0] == states[1]
    assert drawn[:6] == drawn[6:]
    assert len(set(drawn[:6])) == 6


def test_augmentation_is_applied_to_training_images(exam_of, recorded, smooth):
    """With rules the network is given moved images, without rules the images themselves."""
    entries = []
    for rules in ({}, {"translate": 0.3}):
        entry, loss = recorded()
        exam_of(Method("contrastive"), augment=rules, loss=entry, backbone=smooth).run()
        entries.append(loss.calls[0][0])

    assert not torch.equal(*entries)


# ---- validation and early stopping


def test_validation_follows_each_epoch(exam_of):
    """Validated after every epoch, a model's scores stand in the curve, and training goes on in training mode."""
    modes = []

    def validate(model):
        model.eval()
        modes.append(model.training)
        return {"map@r": len(modes) / 10}

    class Watching(nn.Linear):
        training_calls = 0

        def forward(self, images):
            Watching.training_calls += self.training
            return super().forward(images.flatten(1))

    entry = BackboneEntry(lambda input_shape: Watching(math.prod(input_shape), 12), source="made up")
    trained = exam_of(Method("contrastive"), training={"epochs": 3, "validate_every": 1}, backbone=entry).run(validate)

    assert [epoch.validation for epoch in trained.curve] == [{"map@r": 0.1}, {"map@r": 0.2}, {"map@r": 0.3}]
    assert Watching.training_calls == 9


@pytest.mark.parametrize(("schedule", "every", "validated"), [("constant", 1, [1, 2, 3, 4, 5]), ("constant", 2, [2, 4, 5])])
@pytest.mark.parametrize("stop", [None, 3])
def test_validation_stands_where_the_rules_want_it(exam_of, schedule, every, validated, stop):
    """A model is validated after every so many epochs and after the last; the curve of the other epochs has no validation."""
    asked = []
    exam = exam_of(Method("contrastive"), training={"epochs": 5, "steps_per_epoch": 1, "schedule": schedule, "validate_every": every})
    curve = exam.changed(stop_epoch=stop).run(lambda model: {"map@r": float(len(asked.append(0) or asked))}).curve
    expected = [epoch for epoch in validated if stop is None or epoch < stop] + ([] if stop is None else [stop])

    assert [epoch.epoch for epoch in curve if epoch.validation is not None] == expected
    assert len(asked) == len(expected)


@pytest.mark.parametrize("schedule", ["one-cycle", "cosine"])
def test_under_annealing_only_the_end_is_validated(exam_of, schedule):
    """Where the learning rate runs out with the last epoch, a trial is validated once, after it, unless the track asks for a curve."""
    rules = {"epochs": 3, "steps_per_epoch": 1, "schedule": schedule}
    plain, curve = (
        exam_of(Method("contrastive"), training={**rules, **more}).run(lambda _: {"map@r": 0.5}).curve
        for more in ({}, {"validate_every": 1})
    )

    assert [None, None, {"map@r": 0.5}] == [epoch.validation for epoch in plain]
    assert [{"map@r": 0.5}] * 3 == [epoch.validation for epoch in curve]
    # Validation leaves no trace in training.
    assert [epoch.loss for epoch in plain] == [epoch.loss for epoch in curve]


def test_patience_counts_validations(exam_of):
    """With validation after every second epoch and a patience of two, training stops two validations after the best one."""
    rules = {"epochs": 12, "steps_per_epoch": 1, "schedule": "constant", "early_stopping": 2, "validate_every": 2}
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.9, 0.9])

    curve = exam_of(Method("contrastive"), training=rules).run(lambda _: {"map@r": next(scores)}).curve

    assert [epoch.epoch for epoch in curve] == list(range(1, 9))


@pytest.mark.parametrize(
    ("values", "maximise", "epochs"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], True, 6),
        ([0.5, 0.4, 0.3, 0.2, 0.1, 0.0], True, 3),
        ([0.1, 0.3, 0.3, 0.3, 0.9, 0.9], True, 4),
        ([0.5, 0.4, 0.3, 0.35, 0.36, 0.1], False, 5),
    ],
)
def test_early_stopping_waits_for_its_patience(exam_of, values, maximise, epochs):
    """With a patience of two, training stops once two epochs have brought nothing better; an equal score is not better."""
    exam = exam_of(Method("contrastive"), training={"epochs": 6, "steps_per_epoch": 1, "schedule": "constant", "early_stopping": 2})
    exam.changed(scoring=dataclasses.replace(exam.unit.scoring, maximise=maximise))
    scores = iter(values)

    assert epochs == len(exam.run(lambda model: {"map@r": next(scores)}).curve)


def test_without_patience_nothing_stops_early(exam_of):
    """With early stopping off all epochs are trained, however the scores fall."""
    scores = iter([0.9, 0.5, 0.1, 0.0])
    exam = exam_of(Method("contrastive"), training={"epochs": 4, "steps_per_epoch": 1, "schedule": "constant"})

    assert len(exam.run(lambda model: {"map@r": next(scores)}).curve) == 4


# ---- what goes wrong


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_has_diverged(exam_of, recorded, value):
    """A loss that is not finite at any step of an epoch ends training with the step's number."""
    steps = iter(range(100))
    entry, _ = recorded(lambda embeddings: embeddings.sum() * 0 + (value if next(steps) == 1 else 1.0))

    with pytest.raises(DivergedError, match=f"the loss became {value} at step 2"):
        exam_of(Method("contrastive"), loss=entry).run()


# ---- figures


def test_repeats_are_reported(exam_of):
    """The share of repeated images in the batches comes with the model: 0 where classes are large, more where they are small."""
    assert exam_of(Method("contrastive")).run().repeat_rate == 0.0
    small = synthetic_catalogue(images_per_class=3)
    assert exam_of(Method("contrastive"), catalogue=small).run().repeat_rate == 0.25


def test_the_synthetic_exam_can_be_passed(exam_of):
    """Some steps of contrastive training bring the loss on the synthetic data down."""
    exam = exam_of(Method("contrastive"), training={"epochs": 4, "steps_per_epoch": 15}).params(optimiser__lr=0.02)
    losses = [epoch.loss for epoch in exam.run().curve]

    assert losses[-1] < losses[0] / 2


def test_the_synthetic_data_set_is_what_it_says():
    """Sizes, parts, groups and runs are as asked for, equal arguments give equal pixels, and no image occurs twice."""
    dataset = synthetic_dataset(classes=6, images_per_class=[1, 2, 3, 4, 5, 6], channels=3, groups=3, official=True, one_shot_runs=2)
    again = synthetic_dataset(classes=6, images_per_class=[1, 2, 3, 4, 5, 6], channels=3, groups=3, official=True, one_shot_runs=2)
    everything = torch.arange(21).numpy()

    assert torch.bincount(torch.from_numpy(dataset.labels)).tolist() == [1, 2, 3, 4, 5, 6]
    assert dataset.read(everything).tobytes() == again.read(everything).tobytes()
    assert len({image.tobytes() for image in dataset.read(everything)}) == 21
    assert dataset.class_attributes["group"] == ["group-0"] * 2 + ["group-1"] * 2 + ["group-2"] * 2
    assert [len(dataset.parts[part]) for part in ("trainval", "test")] == [6, 15]
    assert dataset.episodes["one-shot"]().support.shape == (2, 6, 3, 8, 8)
    with pytest.raises(ValueError, match="3 classes"):
        synthetic_dataset(classes=3, images_per_class=[1, 2])
