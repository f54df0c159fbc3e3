import dataclasses
import inspect
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.builtin.samplers.sampling import BalancedPairs
from siambench.components.catalogue import Catalogue
from siambench.data.transforms import to_float
from siambench.errors import DivergedError, PluginError
from siambench.plugin import BackboneEntry, LossEntry, MinerEntry
from siambench.spec import Method
from siambench.testing import synthetic_catalogue, synthetic_dataset, synthetic_study, synthetic_track
from siambench.tracks.parts import Custody
from siambench.tracks.split import cut
from siambench.training.loop import Entries, build_model, pair_indices, seed_globals, train
from siambench.training.watch import Watcher


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    """Everything installed, and the synthetic data set with more images than a batch needs."""
    torch.set_num_threads(1)
    return synthetic_catalogue(images_per_class=12)


class Exam:
    """One unit with all that `train` needs; entries can be replaced by made-up ones."""

    def __init__(self, catalogue, method, *, training=None, augment=None, model=None, **replaced):
        track = synthetic_track(training=training or {}, model=model or {})
        self.study = synthetic_study(method, track=track, catalogue=catalogue, augment=augment)
        self.unit = self.study.tune_unit(0, 0, self.study.defaults)
        dataset = catalogue.dataset("synthetic", {})
        self.items = Custody(dataset, cut(dataset, track.split.model_dump()), kind="tune", fold=0, opened=lambda: None).training()
        self.entries = Entries(
            backbone=catalogue.get("backbones", track.model.backbone).entry,
            loss=catalogue.get("losses", method.loss).entry,
            miner=None if method.miner == "none" else catalogue.get("miners", method.miner).entry,
            sampler=catalogue.get("samplers", self.unit.training["sampler"]).entry,
        )
        self.entries = dataclasses.replace(self.entries, **replaced)

    def changed(self, **fields):
        """The same exam with other fields in its unit."""
        self.unit = dataclasses.replace(self.unit, **fields)
        return self

    def params(self, **values):
        """The same exam with other hyperparameters (dots written as ``__``)."""
        return self.changed(params={**self.unit.params, **{name.replace("__", "."): value for name, value in values.items()}})

    def untrained(self):
        """The model as training begins."""
        return build_model(self.unit, self.entries.backbone, self.items.dataset.shape)

    def run(self, validate=None):
        """Train."""
        return train(self.unit, self.entries, self.items, validate)


def kept(entry):
    """The entry, and a list that fills with what it builds."""
    built = []

    def build(**arguments):
        built.append(entry.build(**arguments))
        return built[-1]

    build.__signature__ = inspect.signature(entry.build)
    return dataclasses.replace(entry, build=build), built


def state_of(module):
    """A copy of all parameters and buffers."""
    return {name: value.detach().clone() for name, value in module.state_dict().items()}


def equal(first, second):
    """Whether two states are equal to the last bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


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


def recorded(value=None, **options):
    """An entry of a `Recorded` loss, and the loss."""
    loss = Recorded() if value is None else Recorded(value)
    return LossEntry(lambda: loss, source="made up", **options), loss


SGD = {"optimiser": "sgd", "schedule": "constant", "epochs": 1, "steps_per_epoch": 1}


# ---- the optimiser


@pytest.mark.parametrize("name", ["proxy-anchor", "arcface"])
def test_parameters_of_a_loss_are_optimised(catalogue, name):
    """Proxies and class weights move in training, as the backbone and the head do."""
    entry, built = kept(catalogue.get("losses", name).entry)
    exam = Exam(catalogue, Method(name), loss=entry)
    exam.run()
    after = state_of(built[0])
    seed_globals(exam.unit.seeds["loss"])
    before = state_of(entry.build(num_classes=2, embedding_size=8, **entry.defaults))

    assert before.keys() == after.keys()
    assert all(not torch.equal(before[name], after[name]) for name in before)


def test_parameters_of_a_loss_have_their_own_learning_rate(catalogue):
    """A step of plain gradient descent moves the loss's parameter by its own rate, and no weight decay pulls at it."""

    class Proxied(nn.Module):
        def __init__(self):
            super().__init__()
            self.proxy = nn.Parameter(torch.full((3, 2), 5.0))

        def forward(self, embeddings, labels, indices=None):
            return embeddings.sum() * 0 + self.proxy.sum()

    loss = Proxied()
    exam = Exam(catalogue, Method("proxy-anchor"), training=SGD, loss=LossEntry(lambda: loss, source="made up", own_parameters=True))
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.1, loss__lr=0.125).run()

    assert torch.equal(torch.full((3, 2), 5.0 - 0.125), loss.proxy.detach())


def test_weight_decay_is_for_matrices(catalogue):
    """Weight decay shrinks matrices by lr · decay, and leaves biases and BatchNorm alone."""
    entry, _ = recorded(lambda embeddings: embeddings.sum() * 0)
    exam = Exam(catalogue, Method("contrastive"), training=SGD, loss=entry).params(optimiser__lr=0.5, optimiser__weight_decay=0.01)
    before, after = exam.untrained(), exam.run().model

    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        expected = old * (1 - 0.5 * 0.01) if old.ndim > 1 else old
        assert torch.allclose(expected, new, rtol=1e-6, atol=0), name


@pytest.mark.parametrize(
    "loss", ["contrastive", "triplet", "npair", "angular", "ntxent", "supcon", "multi-similarity", "proxy-anchor", "arcface"]
)
def test_gradients_reach_every_layer(catalogue, loss):
    """Training with any loss moves every parameter of trunk and head and gives finite figures for every epoch."""
    exam = Exam(catalogue, Method(loss)).params(optimiser__lr=0.05)
    before, trained = state_of(exam.untrained()), exam.run()
    for name, value in trained.model.named_parameters():
        # A bias in front of BatchNorm has no effect, so nothing has to move it.
        if name != "trunk.1.bias":
            assert not torch.equal(before[name], value.detach()), name
    assert [epoch["epoch"] for epoch in trained.curve] == [1, 2]
    assert all(math.isfinite(epoch["loss"]) and epoch["gradient_norm"] is not None for epoch in trained.curve)


@pytest.mark.parametrize("optimiser", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "plateau"])
def test_stopping_early_keeps_the_horizon(catalogue, optimiser, schedule):
    """A final unit that stops at epoch e ends with the very weights that the whole run had after epoch e."""
    training = {"epochs": 3, "steps_per_epoch": 2, "optimiser": optimiser, "schedule": schedule}
    states = []
    whole = Exam(catalogue, Method("contrastive"), training=training)
    curve = whole.run(validate=lambda model: states.append(state_of(model)) or {"map@r": 0.5}).curve

    stopped = Exam(catalogue, Method("contrastive"), training=training).changed(kind="final", stop_epoch=2).run()

    assert len(stopped.curve) == 2
    assert equal(states[1], state_of(stopped.model))
    assert [{k: epoch[k] for k in ("epoch", "loss", "gradient_norm", "tuples")} for epoch in curve[:2]] == stopped.curve


@pytest.mark.parametrize("schedule", ["constant", "cosine", "one-cycle", "plateau"])
def test_a_run_of_one_step_is_possible(catalogue, schedule):
    """The shortest horizon of all works with every schedule."""
    assert len(Exam(catalogue, Method("contrastive"), training={**SGD, "schedule": schedule}).run().curve) == 1


# ---- what a loss is given


def test_a_loss_gets_unit_embeddings_and_labels(catalogue):
    """A loss gets fp32 embeddings of unit length, int64 labels in 0 … K - 1 in slots of one class, and no indices."""
    entry, loss = recorded()
    Exam(catalogue, Method("contrastive"), loss=entry).run()

    assert len(loss.calls) == 6
    for embeddings, labels, indices in loss.calls:
        assert embeddings.dtype == torch.float32
        assert embeddings.shape == (8, 8)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(8), atol=1e-6)
        assert labels.dtype == torch.int64
        assert sorted(labels.tolist()) == [0] * 4 + [1] * 4
        assert indices is None


def test_a_loss_may_want_embeddings_as_they_are(catalogue):
    """Where the entry says so, embeddings are not normalised."""
    entry, loss = recorded()
    exam = Exam(catalogue, Method("contrastive"), loss=entry)
    exam.changed(training={**exam.unit.training, "normalise": False}).run()

    assert not torch.allclose(loss.calls[0][0].norm(dim=1), torch.ones(8), atol=1e-2)


def test_npair_gets_two_images_of_each_class(catalogue):
    """The layout that an entry asks for is what the loss is given: N-pair two images per class, not normalised."""
    _, loss = recorded()
    entry = dataclasses.replace(catalogue.get("losses", "npair").entry, build=lambda: loss, space={}, defaults={})
    Exam(catalogue, Method("npair"), loss=entry).run()

    for embeddings, labels, _ in loss.calls:
        assert all(labels[i] == labels[i + 1] for i in range(0, 8, 2))
        assert not torch.allclose(embeddings.norm(dim=1), torch.ones(8), atol=1e-2)


def test_bf16_gives_fp32_embeddings(catalogue):
    """Under bf16 the network computes in 16 bits, and the loss gets fp32 embeddings of unit length all the same."""
    entry, loss = recorded()
    exam = Exam(catalogue, Method("contrastive"), training={"precision": "bf16"}, loss=entry)
    exam.run()
    plain, reference = recorded()
    Exam(catalogue, Method("contrastive"), loss=plain).run()

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
def test_the_miner_is_left_out_during_warm_up(catalogue, share, first):
    """Before the warm-up share of the steps the loss sees no indices and the miner is not called; from then on it is."""
    calls = []
    entry, loss = recorded(takes="triplets")
    training = {"epochs": 2, "steps_per_epoch": 5}
    exam = Exam(catalogue, Method("triplet", "hard"), training=training, loss=entry, miner=miner_of(catalogue, "hard", calls))
    trained = exam.params(miner__warmup=share).run()

    assert [indices is not None for _, _, indices in loss.calls] == [step >= first for step in range(10)]
    assert calls == [(False, False)] * (10 - first)
    assert all(len(indices) == 3 for _, _, indices in loss.calls[first:])
    # Batch-hard gives one triplet per anchor.
    assert [None if first == 5 else 8.0, 8.0] == [epoch["tuples"] for epoch in trained.curve]


def test_the_warm_up_is_a_share_of_the_whole_horizon(catalogue):
    """A final unit that stops early mines from the same step on as its trial did."""
    entry, loss = recorded(takes="triplets")
    training = {"epochs": 4, "steps_per_epoch": 5}
    exam = Exam(catalogue, Method("triplet", "hard"), training=training, loss=entry).params(miner__warmup=0.5)
    exam.changed(kind="final", stop_epoch=3).run()

    assert [indices is not None for _, _, indices in loss.calls] == [False] * 10 + [True] * 5


@pytest.mark.parametrize("miner", ["hard", "semihard", "easy-positive-hard-negative", "multi-similarity", "distance-weighted"])
def test_every_miner_trains_reproducibly(catalogue, miner):
    """With any miner two runs of one unit agree to the last bit, whatever the global random state is before."""
    states = []
    for world in (0, 1):
        torch.manual_seed(world)
        exam = Exam(catalogue, Method("triplet", miner))
        states.append(state_of(exam.params(miner__warmup=0.0).run().model))

    assert equal(*states)


# ---- pairs


def test_pair_indices_name_every_pair_once():
    """Pair i is (i, P + i); genuine ones come as the first two tensors, impostors as the last two."""
    labels = torch.tensor([3, 1, 2, 2, 0, 3, 2, 2, 1, 0])
    left, right, other_left, other_right = (index.tolist() for index in pair_indices(labels))

    assert (left, right) == ([0, 2, 4], [5, 7, 9])
    assert (other_left, other_right) == ([1, 3], [6, 8])


def test_fed_pairs_a_loss_sees_those_pairs(catalogue):
    """The pair feed hands over balanced pairs: as many genuine ones as impostors, what they claim to be."""
    entry, loss = recorded(takes="pairs", feeds=("classes", "pairs"))
    Exam(catalogue, Method("contrastive", feed="pairs"), loss=entry).run()

    for _, labels, indices in loss.calls:
        left, right, other_left, other_right = indices
        assert len(left) == len(other_left) == 2
        assert bool((labels[left] == labels[right]).all())
        assert bool((labels[other_left] != labels[other_right]).all())
        assert sorted(torch.cat(indices).tolist()) == list(range(8))


class Smooth(nn.Module):
    """A trunk without BatchNorm: the features of an image do not depend on its batch."""

    def __init__(self, inputs):
        super().__init__()
        self.layer = nn.Linear(inputs, 12)

    def forward(self, images):
        """Features [B, 12]."""
        return torch.tanh(self.layer(images.flatten(1)))


SMOOTH = BackboneEntry(lambda input_shape: Smooth(math.prod(input_shape)), source="made up")


def contrastive_by_hand(left, right, same, pos_margin, neg_margin):
    """Mean of what costs among the genuine pairs, plus that among the impostors."""
    distance = (left - right).square().sum(dim=1).sqrt()
    genuine, impostor = functional.relu(distance[same] - pos_margin), functional.relu(neg_margin - distance[~same])
    return sum(part[part > 0].mean() if bool((part > 0).any()) else part.sum() for part in (genuine, impostor))


def test_both_branches_of_a_twin_network_learn(catalogue):
    """One step on a batch of pairs is the step of two forwards with shared weights, whose gradients add up."""
    exam = Exam(catalogue, Method("contrastive", feed="pairs"), training={**SGD, "batch_size": 16}, backbone=SMOOTH)
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.0, loss__pos_margin=0.1, loss__neg_margin=1.5)
    labels = torch.from_numpy(exam.items.labels)
    order = torch.Generator().manual_seed(exam.unit.seeds["order"])
    batch = next(iter(BalancedPairs(labels, batch_size=16, steps=1, generator=order)))
    images = to_float(torch.from_numpy(exam.items.read(batch.numpy())))
    twin = exam.untrained()
    left, right = (functional.normalize(twin(side)) for side in (images[:8], images[8:]))
    contrastive_by_hand(left, right, labels[batch[:8]] == labels[batch[8:]], 0.1, 1.5).backward()
    expected = {name: value.detach() - 0.5 * value.grad for name, value in twin.named_parameters()}

    trained = exam.run().model

    for name, value in trained.named_parameters():
        assert float(twin.get_parameter(name).grad.norm()) > 0
        assert torch.allclose(expected[name], value.detach(), atol=1e-6), name


def test_one_branch_alone_would_learn_something_else(catalogue):
    """The gradient of a batch of pairs is that of both branches: with the right images held still it is another."""
    exam = Exam(catalogue, Method("contrastive", feed="pairs"), training={**SGD, "batch_size": 16}, backbone=SMOOTH)
    batch = torch.arange(16)
    labels = torch.from_numpy(exam.items.labels)[batch]
    images = to_float(torch.from_numpy(exam.items.read(batch.numpy())))
    gradients = []
    for hold in (False, True):
        twin = exam.untrained()
        left, right = functional.normalize(twin(images[:8])), functional.normalize(twin(images[8:]))
        value = contrastive_by_hand(left, right.detach() if hold else right, labels[:8] == labels[8:], 0.0, 1.0)
        value.backward()
        gradients.append(twin.head.weight.grad)

    assert not torch.allclose(*gradients, atol=1e-3)


# ---- randomness


def test_methods_meet_the_same_weights_and_the_same_order(catalogue):
    """Two methods with one batch layout start from the same weights and see the same batches."""
    orders, weights = [], []
    for name in ("contrastive", "supcon"):
        entry, loss = recorded()
        exam = Exam(catalogue, Method(name), loss=entry)
        weights.append(state_of(exam.untrained()))
        exam.run()
        orders.append([labels.tolist() for _, labels, _ in loss.calls])

    assert equal(*weights)
    assert orders[0] == orders[1]


def test_streams_are_separate(catalogue):
    """Another seed for weights, augmentation or the loss leaves the order of the batches as it is, and another order the weights."""
    seen = {}
    for stream in (None, "weights", "order", "augmentation", "loss"):
        entry, loss = recorded()
        exam = Exam(catalogue, Method("contrastive"), augment={"rotate": 30.0}, loss=entry)
        if stream is not None:
            exam.changed(seeds={**exam.unit.seeds, stream: 12345})
        untrained = state_of(exam.untrained())
        exam.run()
        seen[stream] = untrained, [labels.tolist() for _, labels, _ in loss.calls], loss.calls[0][0]

    for stream in ("weights", "augmentation", "loss"):
        assert seen[None][1] == seen[stream][1]
    for stream in ("order", "augmentation", "loss"):
        assert equal(seen[None][0], seen[stream][0])
    assert not equal(seen[None][0], seen["weights"][0])
    assert seen[None][1] != seen["order"][1]
    assert not torch.equal(seen[None][2], seen["augmentation"][2])
    assert torch.equal(seen[None][2], seen["loss"][2])


def test_what_draws_from_the_global_state_is_seeded_step_by_step(catalogue):
    """Dropout and a loss that draws random numbers give the same run twice, and draw anew at each step."""
    drawn = []

    def noisy(embeddings):
        drawn.append(float(torch.rand(())))
        return embeddings.square().mean() * drawn[-1]

    model = {"options": {"width": 16, "layers": 1, "dropout": 0.5}}
    states = []
    for world in (3, 4):
        entry, _ = recorded(noisy)
        exam = Exam(catalogue, Method("contrastive"), model=model, loss=entry)
        torch.manual_seed(world)
        states.append(state_of(exam.run().model))

    assert equal(*states)
    assert drawn[:6] == drawn[6:]
    assert len(set(drawn[:6])) == 6


def test_augmentation_is_applied_to_training_images(catalogue):
    """With rules the network is given moved images, without rules the images themselves."""
    entries = []
    for rules in ({}, {"translate": 0.3}):
        entry, loss = recorded()
        Exam(catalogue, Method("contrastive"), augment=rules, loss=entry, backbone=SMOOTH).run()
        entries.append(loss.calls[0][0])

    assert not torch.equal(*entries)


# ---- validation and early stopping


def test_validation_follows_each_epoch(catalogue):
    """The model is validated after every epoch, its scores stand in the curve, and training goes on in training mode."""
    modes = []

    def validate(model):
        model.eval()
        modes.append(model.training)
        return {"map@r": len(modes) / 10}

    class Watching(Smooth):
        training_calls = 0

        def forward(self, images):
            Watching.training_calls += self.training
            return super().forward(images)

    entry = BackboneEntry(lambda input_shape: Watching(math.prod(input_shape)), source="made up")
    trained = Exam(catalogue, Method("contrastive"), training={"epochs": 3}, backbone=entry).run(validate)

    assert [epoch["validation"] for epoch in trained.curve] == [{"map@r": 0.1}, {"map@r": 0.2}, {"map@r": 0.3}]
    assert Watching.training_calls == 9


@pytest.mark.parametrize(
    ("values", "maximise", "epochs"),
    [
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], True, 6),
        ([0.5, 0.4, 0.3, 0.2, 0.1, 0.0], True, 3),
        ([0.1, 0.3, 0.3, 0.3, 0.9, 0.9], True, 4),
        ([0.5, 0.4, 0.3, 0.35, 0.36, 0.1], False, 5),
    ],
)
def test_early_stopping_waits_for_its_patience(catalogue, values, maximise, epochs):
    """With a patience of two, training stops once two epochs have brought nothing better; an equal score is not better."""
    exam = Exam(catalogue, Method("contrastive"), training={"epochs": 6, "steps_per_epoch": 1, "early_stopping": 2})
    exam.changed(training={**exam.unit.training, "maximise": maximise})
    scores = iter(values)

    assert epochs == len(exam.run(lambda model: {"map@r": next(scores)}).curve)


def test_without_patience_nothing_stops_early(catalogue):
    """With early stopping off all epochs are trained, however the scores fall."""
    scores = iter([0.9, 0.5, 0.1, 0.0])
    exam = Exam(catalogue, Method("contrastive"), training={"epochs": 4, "steps_per_epoch": 1})

    assert len(exam.run(lambda model: {"map@r": next(scores)}).curve) == 4


# ---- what goes wrong


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_loss_that_is_no_number_has_diverged(catalogue, value):
    """A loss that is not finite at any step of an epoch ends training with the step's number."""
    steps = iter(range(100))
    entry, _ = recorded(lambda embeddings: embeddings.sum() * 0 + (value if next(steps) == 1 else 1.0))

    with pytest.raises(DivergedError, match=f"the loss became {value} at step 2"):
        Exam(catalogue, Method("contrastive"), loss=entry).run()


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda embeddings: embeddings.square().mean(dim=1), r"must return a scalar tensor, got shape \(8,\)"),
        (lambda embeddings: 0.5, "must return a scalar tensor, got float"),
        (lambda embeddings: embeddings.detach().mean(), "without a gradient"),
    ],
)
def test_a_loss_that_breaks_its_contract_is_named(catalogue, value, message):
    """A loss that gives no scalar, no tensor or no gradient is a PluginError that names it."""
    entry, _ = recorded(value)
    with pytest.raises(PluginError, match=f"loss 'contrastive' .*{message}"):
        Exam(catalogue, Method("contrastive"), loss=entry).run()


def test_a_loss_must_be_a_module(catalogue):
    """A factory that gives a function instead of a module is a PluginError."""
    entry = LossEntry(lambda: lambda embeddings, labels: embeddings.sum(), source="made up")
    with pytest.raises(PluginError, match=r"must be a torch\.nn\.Module, got function"):
        Exam(catalogue, Method("contrastive"), loss=entry).run()


def test_a_miner_must_give_three_or_four_tensors(catalogue):
    """A miner that gives two index tensors is a PluginError that names it."""
    empty = torch.zeros(0, dtype=torch.int64)
    entry = MinerEntry(lambda: lambda embeddings, labels: (empty, empty), source="made up")
    with pytest.raises(PluginError, match=r"miner 'semihard' must return three .* or four .*, got 2"):
        Exam(catalogue, Method("triplet", "semihard"), miner=entry).run()


def test_a_backbone_must_give_rows_of_features(catalogue):
    """A trunk that gives a map instead of features is a PluginError with the shape it gave."""
    entry = BackboneEntry(lambda: nn.Conv2d(1, 2, 3), source="made up")
    with pytest.raises(PluginError, match=r"backbone 'mlp' must give features \[B, F\], got shape \(2, 2, 6, 6\)"):
        Exam(catalogue, Method("contrastive"), backbone=entry).run()


def test_a_backbone_may_flatten_by_view(catalogue):
    """The usual ``x.view(len(x), -1)`` after a convolution works, whatever memory format the harness prefers."""

    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Conv2d(1, 4, 3)

        def forward(self, images):
            found = self.layer(images)
            return found.view(len(found), -1)

    exam = Exam(catalogue, Method("contrastive"), backbone=BackboneEntry(Viewing, source="made up"))

    assert len(exam.run().curve) == 2


# ---- figures


def test_repeats_are_reported(catalogue):
    """The share of repeated images in the batches comes with the model: 0 where classes are large, more where they are small."""
    assert Exam(catalogue, Method("contrastive")).run().repeat_rate == 0.0
    small = synthetic_catalogue(images_per_class=3)
    assert Exam(small, Method("contrastive")).run().repeat_rate == 0.25


def test_the_watcher_gives_an_epochs_figures():
    """Mean loss, mean number of tuples and the norm of the last gradient; a new epoch begins afresh."""
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([3.0, 4.0])
    watcher = Watcher()
    for value, tuples in ((1.0, None), (2.0, 4), (6.0, 8)):
        watcher.step(torch.tensor(value), tuples)

    assert watcher.epoch([weight, nn.Parameter(torch.zeros(1))]) == {"loss": 3.0, "gradient_norm": 5.0, "tuples": 6.0}
    watcher.step(torch.tensor(0.5), None)
    assert watcher.epoch([]) == {"loss": 0.5, "gradient_norm": 0.0, "tuples": None}


def test_the_synthetic_exam_can_be_passed(catalogue):
    """Some steps of contrastive training bring the loss on the synthetic data down."""
    exam = Exam(catalogue, Method("contrastive"), training={"epochs": 4, "steps_per_epoch": 15}).params(optimiser__lr=0.02)
    losses = [epoch["loss"] for epoch in exam.run().curve]

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
