"""`siambench.diagnose`: known faults of one's own objects are named, healthy ones are ok, what cannot be looked at is one sentence."""

from __future__ import annotations

import functools
import threading
import time

import pytest
import torch
from torch import nn
from torch.nn import functional
from worlds import Contrastive, HalfDetached, Proxies, Root, Two, labelled, network, pairs, triplets

import siambench
from siambench.errors import UsageError
from siambench.interfaces import Diagnosis


def diagnosed(model, loss, batches, optimiser=None, **options):
    found = siambench.diagnose(model, loss, batches, optimiser, **options)
    assert isinstance(found, Diagnosis)
    assert all(finding.evidence.endswith(".") and finding.remedy.endswith(".") for finding in found.findings)
    return found


def names(found):
    return [finding.name for finding in found.findings]


def evidence(found, name):
    return next(finding.evidence for finding in found.findings if finding.name == name)


def _plain(first, second, same):
    """A contrastive loss of which nothing can be read."""
    return Contrastive()(first, second, same)


def test_healthy_pairs_triplets_and_labels_are_ok():
    """Healthy objects of each form, and a loader of them, are ok; the only finding is the note of what was measured."""
    for loss, batches in (
        (Contrastive(), pairs()),
        (nn.TripletMarginLoss(margin=1.0), triplets()),
        (Proxies(), labelled()),
        (Contrastive(), [pairs(seed=seed) for seed in range(6)]),
    ):
        model = network()
        found = diagnosed(model, loss, batches, torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=1e-2))
        assert "ok" == found.verdict, found
        assert {"measured"} >= set(names(found)), found


def test_turned_labels_are_a_mixup_wherever_the_turn_is():
    """Labels turned in the loss, or in the data, are `label-mixup` with both conventions; turned in both they are ok."""
    first, second, same = pairs()
    in_loss = diagnosed(network(), Contrastive(turned=True), (first, second, same))
    in_data = diagnosed(network(), Contrastive(), (first, second, 1 - same))
    assert ("label-mixup", "label-mixup") == (in_loss.verdict, in_data.verdict)
    assert "pulls pairs labelled 0 together" in in_loss.findings[0].evidence
    assert "pulls pairs labelled 1 together" in in_data.findings[0].evidence
    assert "AUC" in in_data.findings[0].evidence
    assert "ok" == diagnosed(network(), Contrastive(turned=True), (first, second, 1 - same)).verdict


def test_triplets_in_the_wrong_order_are_a_mixup():
    """A triplet loss that is given the negative in the positive's place is `label-mixup`."""
    anchor, positive, negative = triplets()
    assert "label-mixup" == diagnosed(network(), nn.TripletMarginLoss(), (anchor, negative, positive)).verdict


def test_labels_by_chance_are_no_signal_and_their_convention_cannot_be_told():
    """Labels by chance over many pairs are `no-signal`, and the note says that the data's convention cannot be told."""
    draw = torch.Generator().manual_seed(7)
    batches = []
    for seed in range(9):
        first, _, _ = pairs(seed=seed)
        _, second, _ = pairs(seed=100 + seed)
        batches.append((first, second, torch.randint(2, (64,), generator=draw).float()))
    found = diagnosed(network(), Contrastive(), batches)
    assert "cannot be told" in evidence(found, "measured")
    assert "no-signal" == found.verdict


def test_equal_items_are_no_signal():
    """A batch of one item over and over is `no-signal`."""
    first, second, same = pairs()
    assert "no-signal" == diagnosed(network(), Contrastive(), (torch.ones_like(first), torch.ones_like(second), same)).verdict


def test_bool_labels_are_unfit_and_the_rest_is_looked_at():
    """A loss that subtracts a bool label is `batch-unfit` and named; what is wrong beyond that is found with numbers for labels."""
    first, second, same = pairs()
    found = diagnosed(network(), Contrastive(), (first, second, same.bool()))
    assert "batch-unfit" == found.verdict
    assert "bool" in found.findings[0].evidence
    assert "labels.float()" in found.findings[0].attempt
    more = (torch.cat([first, first[:2]]), torch.cat([second, first[:2]]), torch.cat([same, torch.ones(2)]).bool())
    with_self = diagnosed(network(), Root(), more)
    assert "diverged" == with_self.verdict
    assert {"label-dtype", "self-pair"} <= set(names(with_self))


def test_one_column_of_labels_is_found_where_it_makes_a_square_of_losses():
    """Labels [B, 1] beside distances [B] are `label-shape`, with both values of the loss."""
    first, second, same = pairs()
    found = diagnosed(network(), Contrastive(), (first, second, same[:, None]))
    assert "label-shape" in names(found)
    assert "[64, 1]" in evidence(found, "label-shape")


def test_a_loss_of_many_numbers_is_frozen_with_its_shape():
    """An unreduced loss is `frozen`, and its shape is told."""
    found = diagnosed(network(), nn.TripletMarginLoss(reduction="none"), triplets())
    assert "frozen" == found.verdict
    assert "[48]" in found.findings[0].evidence


@pytest.mark.parametrize("how", ["numpy", "float", "item"])
def test_a_loss_outside_the_graph_is_frozen(how):
    """A loss made by numpy, or given as a float, reaches no parameter: `frozen`."""

    def loss(first, second, same):
        value = Contrastive()(first, second, same)
        if how == "numpy":
            return torch.tensor(value.detach().numpy(), requires_grad=True)
        return value.item() if how == "item" else float(value)

    assert "frozen" == diagnosed(network(), loss, pairs()).verdict


def test_what_is_frozen_on_purpose_is_not_called_so():
    """A frozen trunk under a head that trains is ok; a model of which nothing requires a gradient, and a detached trunk, are `frozen`."""
    trunk = network()
    for parameter in trunk[0].parameters():
        parameter.requires_grad_(requires_grad=False)
    assert "ok" == diagnosed(trunk, Contrastive(), pairs(), torch.optim.Adam(trunk[2].parameters(), lr=1e-2)).verdict
    whole = network().requires_grad_(requires_grad=False)
    assert "frozen" == diagnosed(whole, Contrastive(), pairs()).verdict
    detached = diagnosed(HalfDetached(), Contrastive(), pairs())
    assert "frozen" == detached.verdict
    assert "trunk" in detached.findings[0].evidence


def test_what_the_optimiser_does_not_know_is_found():
    """Proxies in no optimiser or no Parameter, and another model's optimiser are `frozen`; a layer left out is `unlisted`."""
    model, loss = network(), Proxies()
    assert "frozen" == diagnosed(model, loss, labelled(), torch.optim.Adam(model.parameters())).verdict
    assert "ok" == diagnosed(model, loss, labelled(), torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=1e-2)).verdict
    found = diagnosed(model, Proxies(registered=False), labelled())
    assert "frozen" == found.verdict
    assert "vectors" in found.findings[0].evidence
    assert "frozen" == diagnosed(model, Contrastive(), pairs(), torch.optim.Adam(network(2).parameters())).verdict
    part = diagnosed(model, Contrastive(), pairs(), torch.optim.Adam(model[2].parameters(), lr=1e-2))
    assert ("ok", True) == (part.verdict, "unlisted" in names(part))


def test_proxies_in_a_closure_train_with_their_optimiser():
    """A function whose proxies stand in its closure and in the optimiser is ok: their copies belong together."""
    model, vectors = network(), nn.Parameter(torch.randn(10, 6, generator=torch.Generator().manual_seed(2)))

    def loss(embeddings, labels):
        return functional.cross_entropy(embeddings @ vectors.T, labels)

    before = vectors.detach().clone()
    assert "ok" == diagnosed(model, loss, labelled(), torch.optim.Adam([*model.parameters(), vectors], lr=1e-2)).verdict
    assert torch.equal(before, vectors)


def test_two_networks_and_a_detached_branch_are_found_and_no_verdict():
    """Two networks are `unshared`; a detached branch is `one-sided` and names the methods that mean it; one network is neither."""
    assert "unshared" in names(diagnosed(Two(shared=False), Contrastive(), pairs()))
    found = diagnosed(Two(detached=True), Contrastive(), pairs())
    assert ("ok", True) == (found.verdict, "one-sided" in names(found))
    assert "SimSiam" in next(finding.remedy for finding in found.findings if finding.name == "one-sided")
    assert not {"one-sided", "unshared"} & set(names(diagnosed(Two(), Contrastive(), pairs())))


def test_a_square_root_by_hand_is_told_where_it_costs_and_where_it_may():
    """With an item beside itself in the batch the gradient is not finite: `diverged`; without one the risk is told, `self-pair`."""
    first, second, same = pairs()
    assert "self-pair" in names(diagnosed(network(), Root(), (first, second, same)))
    second = torch.where((torch.arange(64) == 1)[:, None], first, second)
    found = diagnosed(network(), Root(), (first, second, same))
    assert "diverged" == found.verdict
    assert "step 1" in found.findings[0].evidence
    assert "self-pair" not in names(diagnosed(network(), Contrastive(), pairs()))


def test_batches_that_teach_nothing_are_unfit():
    """One class alone, no two items of a class, positives that are copies, and pairs of one label alone are `batch-unfit`."""
    items, labels = labelled()

    def all_triplets(embeddings, labels):
        apart = torch.cdist(embeddings, embeddings)
        same = (labels[:, None] == labels[None]) & ~torch.eye(len(labels), dtype=torch.bool)
        cost = functional.relu(apart[:, :, None] - apart[:, None] + 0.2)
        return (cost * (same[:, :, None] & (labels[:, None] != labels[None])[:, None])).mean()

    def pulled(embeddings, labels):
        same = labels[:, None] == labels[None]
        return (functional.pairwise_distance(embeddings[:, None], embeddings[None]) * same).mean()

    assert "batch-unfit" == diagnosed(network(), pulled, (items, torch.zeros_like(labels))).verdict
    assert "batch-unfit" == diagnosed(network(), all_triplets, (items, torch.arange(len(labels)))).verdict
    assert "batch-unfit" == diagnosed(network(), all_triplets, (items[torch.arange(len(items)) // 4 * 4], labels)).verdict
    first, second, same = pairs()
    assert "batch-unfit" == diagnosed(network(), Contrastive(), (first, second, torch.ones_like(same))).verdict


def test_two_views_are_no_unfit_batch_and_copies_among_them_are_one_draw():
    """Views that find each other in their batch are ok; where both are one draw, that is `same-draw`."""
    first, _, same = pairs()

    def loss(one, other, _):
        cosines = functional.normalize(one) @ functional.normalize(other).T / 0.1
        return functional.cross_entropy(cosines, torch.arange(len(one)))

    draw = torch.Generator().manual_seed(4)
    apart = first + 0.8 * torch.randn(first.shape, generator=draw)
    found = diagnosed(network(), loss, (first, apart, torch.ones_like(same)))
    assert ("ok", False) == (found.verdict, "same-draw" in names(found))
    copied = diagnosed(network(), loss, (first, first.clone(), torch.ones_like(same)))
    assert ("ok", True) == (copied.verdict, "same-draw" in names(copied))


def test_one_draw_for_both_members_of_labelled_pairs_is_found():
    """Noise that both members of a pair share shows in pairs of different classes; noise of each its own does not."""
    first, second, same = pairs(128)
    noise = 2 * torch.randn(first.shape, generator=torch.Generator().manual_seed(9))
    assert "same-draw" in names(diagnosed(network(), Contrastive(), (first + noise, second + noise, same)))
    assert "same-draw" not in names(diagnosed(network(), Contrastive(), (first + noise, second + noise.roll(1, 0), same)))


def test_margins_and_temperatures_are_held_against_the_distances():
    """A margin of next to nothing, one beyond the sphere, and a temperature of 1e-4 are told; where none can be read, that is said."""

    class Unit(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = network()

        def forward(self, items):
            return functional.normalize(self.inner(items))

    assert "margin-too-small" in names(diagnosed(network(), Contrastive(margin=0.01), pairs()))
    far = diagnosed(Unit(), Contrastive(margin=10.0), pairs())
    assert ("ok", True) == (far.verdict, "margin-unreachable" in names(far))

    class Cold(nn.Module):
        temperature = 1e-4

        def __init__(self):
            super().__init__()
            self.temperature = 1e-4

        def forward(self, embeddings, labels):
            cosines = functional.normalize(embeddings) @ functional.normalize(embeddings).T / self.temperature
            other = ~torch.eye(len(labels), dtype=torch.bool)
            same = (labels[:, None] == labels[None]) & other
            return -(cosines.masked_fill(~other, -1e9).log_softmax(dim=1) * same).sum() / same.sum()

    assert "scale-mismatch" in names(diagnosed(network(), Cold(), labelled()))
    unknown = diagnosed(network(), _plain, pairs())
    assert "unknown" in evidence(unknown, "measured")


def test_a_rate_that_is_far_too_low_is_named_with_a_better_one():
    """At a rate of 1e-7 the sweep names one at which the loss falls."""
    model = network()
    found = diagnosed(model, Contrastive(), pairs(), torch.optim.Adam(model.parameters(), lr=1e-5))
    assert "learning-rate" in names(found)
    assert "too low" in evidence(found, "learning-rate")


def test_embeddings_of_one_dimension_are_told():
    """A head of one number is `low-dimension`."""
    assert "low-dimension" in names(diagnosed(network(size=1), Contrastive(), pairs()))


def test_numbers_are_told_whatever_they_say():
    """Modes, precisions, distances and the fit of one batch stand in a note, each with its number."""
    text = evidence(diagnosed(network(), Contrastive(), pairs()), "measured")
    for words in ("train and eval mode", "bf16", "fp16", "negatives", "margin 1", "steps on one batch", "at the rates", "get a gradient"):
        assert words in text, words


@pytest.mark.parametrize(
    ("model", "loss", "batches", "words"),
    [
        (nn.Linear, Contrastive(), pairs(), "the class Linear"),
        (3, Contrastive(), pairs(), "must be a module or a function"),
        (network(), "contrastive", pairs(), "must be a module or a function"),
        (network(), Contrastive(), 3, "a loader of such batches"),
        (network(), Contrastive(), iter([pairs()]), "used up"),
        (network(), Contrastive(), [], "empty"),
        (network(), Contrastive(), pairs()[:1], "must be (x1, x2, same)"),
        (network(), Contrastive(), (*pairs()[:2], torch.zeros(63)), "as many items"),
        (network(), Contrastive(), (pairs()[0] / 0, *pairs()[1:]), "not finite"),
        (network(), Contrastive(), (*pairs()[:2], torch.arange(64)), "two values"),
        (network(), Contrastive(), tuple(each[:1] for each in pairs()), "at least 2"),
        (nn.Linear(5, 3), Contrastive(), pairs(), "the model raised RuntimeError"),
        (lambda items: (items, items), Contrastive(), pairs(), "must give embeddings"),
        (lambda items: items.long(), Contrastive(), pairs(), "floating-point"),
        (Two(), Proxies(), labelled(), "takes 2 items in one call"),
        (network(), lambda a, b, y: (a, b), pairs(), "scalar tensor, got a tuple of 2"),
        (network(), Proxies(), (labelled()[0], labelled()[1][:, None].expand(-1, 3)), "must be [B]"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence(model, loss, batches, words):
    """Whatever is given that cannot be diagnosed is one sentence of a UsageError, with what was got."""
    with pytest.raises(UsageError) as error:
        siambench.diagnose(model, loss, batches)
    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert 4 == error.value.exit_code


def test_code_that_raises_exits_or_cannot_be_copied_is_one_sentence():
    """A loss that exits, a loader that raises, and a model that cannot be copied are sentences."""

    class Locked(nn.Module):
        def __init__(self):
            super().__init__()
            self.lock = threading.Lock()

        def forward(self, items):
            return items

    def leaves(*_):
        raise SystemExit(0)

    def broken():
        raise ZeroDivisionError("no more")

    class Loader:
        def __iter__(self):
            yield pairs()
            broken()

    for model, loss, batches, words in (
        (network(), leaves, pairs(), "the loss raised SystemExit"),
        (network(), Contrastive(), Loader(), "the loader raised ZeroDivisionError: no more"),
        (Locked(), Contrastive(), pairs(), "cannot be copied"),
    ):
        with pytest.raises(UsageError, match=words):
            siambench.diagnose(model, loss, batches)


def test_slow_code_ends_with_its_time():
    """A loss that never comes back is a sentence once the time is over; one that is slow later on leaves its checks out and says so."""
    began = time.monotonic()

    def hangs(*_):
        while True:
            time.sleep(0.01)

    with pytest.raises(UsageError, match=r"longer than 0\.5 s"):
        siambench.diagnose(network(), hangs, pairs(), seconds=0.5)
    calls = []

    class Slow(nn.Module):
        def forward(self, first, second, same):
            calls.append(1)
            time.sleep(0.05)
            return Contrastive()(first, second, same)

    found = siambench.diagnose(network(), Slow(), pairs(), seconds=1.5)
    assert "(time)" in evidence(found, "measured")
    assert time.monotonic() - began < 20


@pytest.mark.parametrize(("name", "value"), [("seconds", 0), ("seconds", float("nan")), ("seconds", True), ("seed", -1), ("seed", 1.5)])
def test_seconds_and_seed_are_looked_at(name, value):
    """Seconds and seeds that are none are refused with what was got."""
    with pytest.raises(UsageError, match=name):
        siambench.diagnose(network(), Contrastive(), pairs(), **{name: value})


def test_a_partial_and_a_method_are_losses_too():
    """`functools.partial` of a function, and a method of an object, are called as any loss is."""

    def loss(first, second, same, margin):
        return Contrastive(margin)(first, second, same)

    found = diagnosed(network(), functools.partial(loss, margin=0.01), pairs())
    assert "margin-too-small" in names(found)

    class Holder:
        def cost(self, first, second, same):
            return Contrastive()(first, second, same)

    assert "ok" == diagnosed(network(), Holder().cost, pairs()).verdict
