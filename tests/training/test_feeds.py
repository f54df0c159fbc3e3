"""Training over every form of items and every way that a loss is fed."""

import dataclasses

import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.builtin.samplers.sampling import BalancedPairs, RandomTriplets
from siambench.data.transforms import to_float
from siambench.plugin import BackboneEntry, LossEntry
from siambench.spec import FEEDS, FORMS, Method
from siambench.testing import synthetic_dataset

SGD = {"optimiser": "sgd", "schedule": "constant", "epochs": 1, "steps_per_epoch": 1}
TAKERS = {"images": ("mlp",), "arrays": ("cnn1d", "gru", "mlp"), "tokens": ("bag", "gru-text")}
AUGMENT = {
    "images": {"rotate": 20.0, "translate": 0.2},
    "arrays": {"jitter": 0.05, "scaling": [0.8, 1.2], "time_warp": 0.3},
    "tokens": {"drop": 0.3, "swap": 0.3},
}


@pytest.fixture
def form_exam(exam_of, catalogue_of):
    """Make an exam on items of a form, with a backbone that takes them."""

    def make(form, method, *, backbone=None, groups=0, **options):
        model = {"backbone": backbone or TAKERS[form][0], "options": {}}
        return exam_of(method, catalogue=catalogue_of(form, groups), model=model, **options)

    return make


# ---- forms


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize(("form", "backbone"), [(form, backbone) for form in FORMS for backbone in TAKERS[form]])
def test_every_form_is_trained_over_every_feed(form_exam, bits, form, backbone, feed):
    """Items of any form, through any backbone that takes them, fed in any way: all weights move, and two runs agree to the last bit."""
    runs = []
    for world in (0, 1):
        exam = form_exam(form, Method("contrastive", feed=feed), backbone=backbone, augment=AUGMENT[form]).params(optimiser__lr=0.05)
        before = bits(exam.untrained())
        torch.manual_seed(world)
        runs.append(exam.run())
    first, second = (bits(trained.model) for trained in runs)

    assert first == second
    assert runs[0].curve == runs[1].curve
    # A bias in front of BatchNorm has no effect, so nothing has to move it.
    assert {name for name in before if before[name] == first[name]} <= {"trunk.1.bias", "trunk.4.bias"}
    assert len(runs[0].curve) == 2


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_every_form_can_be_learnt_over_every_feed(form_exam, form, feed):
    """Some steps of contrastive training bring the loss down, whatever the items are and however they are fed."""
    training = {"epochs": 4, "steps_per_epoch": 15, "batch_size": 24}
    exam = form_exam(form, Method("contrastive", feed=feed), training=training, augment=AUGMENT[form]).params(optimiser__lr=0.02)
    losses = [epoch.loss for epoch in exam.run().curve]

    # Views push apart the items of one class, too, which differ by their noise alone.
    assert losses[-1] < (0.95 if feed == "views" else 0.8) * losses[0]


@pytest.mark.parametrize("form", FORMS)
def test_a_trunk_is_given_the_items_in_their_form(form_exam, form):
    """Images come as fp32 in [0, 1], arrays as they are, tokens as int64: what the data set reads, for the whole batch."""
    seen = []

    class Trunk(nn.Linear):
        def forward(self, items):
            seen.append(items.clone())
            return super().forward(items.float().flatten(1)[:, -8:])

    exam = form_exam(form, Method("contrastive"), training=SGD)
    exam.entries = dataclasses.replace(exam.entries, backbone=BackboneEntry(lambda: Trunk(8, 12), takes=FORMS, source="made up"))
    exam.run()
    items, batch = torch.from_numpy(exam.items.read(torch.arange(len(exam.items)).numpy())), seen[-1]
    expected = to_float(items) if form == "images" else items

    assert batch.dtype == (torch.int64 if form == "tokens" else torch.float32)
    assert batch.shape == (8, *exam.items.dataset.shape)
    assert all(any(torch.equal(one, item) for item in expected) for one in batch)


def test_synthetic_items_come_in_every_form():
    """Made-up arrays are float32 series in units of one, made-up tokens int64 padded at the end; equal arguments, equal items."""
    everything = torch.arange(48).numpy()
    arrays, tokens = (synthetic_dataset(form=form, channels=2 if form == "arrays" else 1, groups=4) for form in ("arrays", "tokens"))
    series, words = arrays.read(everything), tokens.read(everything)

    assert (str(series.dtype), series.shape, arrays.shape, arrays.vocabulary) == ("float32", (48, 2, 8), (2, 8), None)
    assert 0.9 < abs(series).max() < 2
    assert (str(words.dtype), words.shape, tokens.shape) == ("int64", (48, 8), (8,))
    assert 0 == words.min() <= words.max() < tokens.vocabulary
    assert bool(((words[:, :-1] != 0) | (words[:, 1:] == 0)).all())
    for dataset in (arrays, tokens):
        assert len({item.tobytes() for item in dataset.read(everything)}) == 48
        assert (
            dataset.read(everything).tobytes()
            == synthetic_dataset(form=dataset.form, channels=2 if dataset is arrays else 1).read(everything).tobytes()
        )
        assert dataset.class_attributes["group"][::2] == ["group-0", "group-1", "group-2", "group-3"]


# ---- pairs


def test_fed_pairs_a_loss_sees_those_pairs(exam_of, recorded):
    """The pair feed hands over balanced pairs: as many genuine ones as impostors, what they claim to be."""
    entry, loss = recorded(takes="pairs", feeds=("classes", "pairs"))
    exam_of(Method("contrastive", feed="pairs"), loss=entry).run()

    for _, labels, indices in loss.calls:
        left, right, other_left, other_right = indices
        assert len(left) == len(other_left) == 2
        assert bool((labels[left] == labels[right]).all())
        assert bool((labels[other_left] != labels[other_right]).all())
        assert sorted(torch.cat(indices).tolist()) == list(range(8))


def contrastive_by_hand(left, right, same, pos_margin, neg_margin):
    """Mean of what costs among the genuine pairs, plus that among the impostors."""
    distance = (left - right).square().sum(dim=1).sqrt()
    genuine, impostor = functional.relu(distance[same] - pos_margin), functional.relu(neg_margin - distance[~same])
    return sum(part[part > 0].mean() if bool((part > 0).any()) else part.sum() for part in (genuine, impostor))


def test_both_branches_of_a_twin_network_learn(exam_of, smooth):
    """One step on a batch of pairs is the step of two forwards with shared weights, whose gradients add up."""
    exam = exam_of(Method("contrastive", feed="pairs"), training={**SGD, "batch_size": 16}, backbone=smooth)
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


def test_one_branch_alone_would_learn_something_else(exam_of, smooth):
    """The gradient of a batch of pairs is that of both branches: with the right images held still it is another."""
    exam = exam_of(Method("contrastive", feed="pairs"), training={**SGD, "batch_size": 16}, backbone=smooth)
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


# ---- triplets


@pytest.mark.parametrize("form", FORMS)
def test_fed_triplets_a_loss_sees_those_triplets(form_exam, recorded, form):
    """The triplet feed hands over every triplet of the batch as indices: an anchor, another item of its class, one of another."""
    entry, loss = recorded(takes="triplets", feeds=("triplets",))
    form_exam(form, Method("triplet", feed="triplets"), training={"batch_size": 14}, loss=entry).run()

    assert len(loss.calls) == 6
    for embeddings, labels, indices in loss.calls:
        anchor, positive, negative = indices
        assert len(embeddings) == len(labels) == 12
        assert sorted(torch.cat(indices).tolist()) == list(range(12))
        assert bool((labels[anchor] == labels[positive]).all())
        assert bool((labels[anchor] != labels[negative]).all())


def test_a_step_on_triplets_is_that_of_three_branches(exam_of, smooth):
    """One step on a batch of triplets is the step of three forwards with shared weights, by the hinge of the violated margins."""
    exam = exam_of(Method("triplet", feed="triplets"), training={**SGD, "batch_size": 18}, backbone=smooth)
    exam.params(optimiser__lr=0.5, optimiser__weight_decay=0.0, loss__margin=0.7)
    labels = torch.from_numpy(exam.items.labels)
    order = torch.Generator().manual_seed(exam.unit.seeds["order"])
    batch = next(iter(RandomTriplets(labels, batch_size=18, steps=1, generator=order)))
    images = to_float(torch.from_numpy(exam.items.read(batch.numpy())))
    twin = exam.untrained()
    anchor, positive, negative = (functional.normalize(twin(side)) for side in images.split(6))
    costs = functional.relu((anchor - positive).norm(dim=1) - (anchor - negative).norm(dim=1) + 0.7)
    value = costs[costs > 0].mean()
    value.backward()
    expected = {name: weight.detach() - 0.5 * weight.grad for name, weight in twin.named_parameters()}

    trained = exam.run()

    assert trained.curve[0].loss == pytest.approx(float(value.detach()), abs=1e-6)
    for name, weight in trained.model.named_parameters():
        assert float(twin.get_parameter(name).grad.norm()) > 0
        assert torch.allclose(expected[name], weight.detach(), atol=1e-6), name


# ---- views


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "method",
    [
        *(Method(loss, feed="views") for loss in ("contrastive", "triplet", "ntxent", "supcon", "multi-similarity")),
        Method("triplet", "hard", feed="views"),
    ],
    ids=lambda method: method.name,
)
def test_views_do_not_know_the_labels(form_exam, bits, method, form):
    """A unit fed views gives the same weights bit for bit, and the same figures, when its training labels are permuted."""
    exams = [form_exam(form, method, augment=AUGMENT[form], groups=4, group="group") for _ in range(2)]
    assert exams[0].items.labels.tolist() != exams[1].relabelled().items.labels.tolist()
    first, second = (exam.run() for exam in exams)

    assert bits(first.model) == bits(second.model)
    assert first.curve == second.curve


@pytest.mark.parametrize("form", FORMS)
def test_classes_do_know_the_labels(form_exam, bits, form):
    """The same unit fed by classes gives other weights when its training labels are permuted: labels are what it learns from."""
    exams = [form_exam(form, Method("contrastive"), augment=AUGMENT[form], groups=4, group="group") for _ in range(2)]
    exams[1].relabelled()
    first, second = (bits(exam.run().model) for exam in exams)

    assert first != second
    assert first == bits(form_exam(form, Method("contrastive"), augment=AUGMENT[form], groups=4, group="group").run().model)


def test_turned_views_do_not_know_the_labels(exam_of, bits):
    """Where classes are turned into further ones, views still give the same weights whatever the labels are."""
    training = {"rotate_classes": True}
    exams = [exam_of(Method("ntxent", feed="views"), training=training, augment=AUGMENT["images"]) for _ in range(2)]
    exams[1].relabelled()

    assert bits(exams[0].run().model) == bits(exams[1].run().model)


@pytest.mark.parametrize("form", FORMS)
def test_two_views_of_an_item_differ(form_exam, recorded, form):
    """Each item stands in the batch twice, changed by two draws of its own; without augmentation both are the item itself."""
    batches = {}
    for rules in ("augmented", "plain"):
        entry, loss = recorded(feeds=("views",))
        augment = AUGMENT[form] if rules == "augmented" else {}
        form_exam(form, Method("contrastive", feed="views"), augment=augment, loss=entry).run()
        batches[rules] = loss.calls

    for embeddings, labels, indices in batches["plain"]:
        assert labels.tolist() == [0, 1, 2, 3, 0, 1, 2, 3]
        assert torch.equal(embeddings[:4], embeddings[4:])
        assert indices is None
    differing = [
        bool((one != other).any()) for embeddings, _, _ in batches["augmented"] for one, other in zip(*embeddings.split(4), strict=True)
    ]
    # Of a short text a view may leave out the same words twice.
    assert sum(differing) >= (len(differing) if form != "tokens" else 0.8 * len(differing))


def test_a_loss_fed_views_counts_items_and_not_classes(exam_of):
    """A loss that asks for the number of classes is told the number of training items, and of groups nothing."""
    told = []

    class Asking(nn.Module):
        def forward(self, embeddings, labels, indices=None, groups=None):
            told.append((int(labels.max()), groups))
            return embeddings.square().mean()

    def build(num_classes):
        told.append(num_classes)
        return Asking()

    exam = exam_of(Method("contrastive", feed="views"), training=SGD, loss=LossEntry(build, feeds=("views",), source="made up"))
    exam.run()

    assert told == [len(exam.items), (3, None)]


# ---- what a loss may name


class Naming(nn.Module):
    """A loss that names all there is, and remembers it."""

    def __init__(self):
        super().__init__()
        self.told = []

    def forward(self, embeddings, labels, indices=None, progress=-1.0, groups=None):
        """The mean squared embedding."""
        self.told.append((labels.tolist(), indices, progress, groups))
        return embeddings.square().mean()


@pytest.mark.parametrize("feed", FEEDS)
def test_what_a_loss_names_it_is_passed(form_exam, feed):
    """A loss is passed the progress, from 0 up to below 1, the groups of its batch's items, and what indices there are."""
    loss = Naming()
    entry = LossEntry(lambda: loss, takes="pairs", feeds=FEEDS, source="made up")
    training = {"epochs": 2, "steps_per_epoch": 5, "batch_size": 12}
    exam = form_exam("images", Method("contrastive", feed=feed), training=training, loss=entry, groups=8, group="group")
    exam.run()

    assert [step / 10 for step in range(10)] == [progress for _, _, progress, _ in loss.told]
    for labels, indices, _, groups in loss.told:
        assert {"classes": None, "pairs": 4, "triplets": 3, "views": None}[feed] == (None if indices is None else len(indices))
        # Every class is a group of its own here, and views have neither.
        assert (None if feed == "views" else labels) == (None if groups is None else groups.tolist())


def test_a_miners_choice_reaches_a_loss_that_names_more(exam_of):
    """What a miner chooses is passed as indices beside progress and groups; without a class attribute there are no groups."""
    loss = Naming()
    exam = exam_of(Method("triplet", "hard"), loss=LossEntry(lambda: loss, takes="triplets", source="made up")).params(miner__warmup=0.0)
    exam.run()

    assert [len(indices) for _, indices, _, _ in loss.told] == [3] * 6
    assert [groups for _, _, _, groups in loss.told] == [None] * 6


def test_progress_is_a_share_of_the_whole_horizon(exam_of):
    """A final unit that stops early is told the progress that its trial was told."""
    loss = Naming()
    exam = exam_of(Method("contrastive"), training={"epochs": 4, "steps_per_epoch": 2}, loss=LossEntry(lambda: loss, source="made up"))
    exam.changed(kind="final", stop_epoch=2).run()

    assert [0.0, 0.125, 0.25, 0.375] == [progress for _, _, progress, _ in loss.told]
