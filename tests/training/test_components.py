import inspect
import itertools

import pytest
import torch
from torch import nn

from siambench.errors import DataError, PluginError
from siambench.interfaces import SortedTriplets
from siambench.plugin import LossEntry, MinerEntry, SamplerEntry
from siambench.spec import FEEDS, Method
from siambench.training.components import (
    Layout,
    LossCall,
    as_seen,
    build_batches,
    build_loss,
    build_miner,
    fed_indices,
    mine,
    number_of,
    pair_indices,
    plain,
    triplet_indices,
)

# ---- what a feed says


def test_pair_indices_name_every_pair_once():
    """Pair i is (i, P + i); genuine ones come as the first two tensors, impostors as the last two, -1 in the others' places."""
    labels = torch.tensor([3, 1, 2, 2, 0, 3, 2, 2, 1, 0])
    marked = pair_indices(labels)
    assert [[0, -1, 2, -1, 4], [5, -1, 7, -1, 9], [-1, 1, -1, 3, -1], [-1, 6, -1, 8, -1]] == [index.tolist() for index in marked]
    left, right, other_left, other_right = (index.tolist() for index in plain(marked))

    assert (left, right) == ([0, 2, 4], [5, 7, 9])
    assert (other_left, other_right) == ([1, 3], [6, 8])


def test_triplet_indices_name_every_triplet_once():
    """Triplet i is (i, P + i, 2 P + i), on the device of the labels."""
    anchor, positive, negative = (index.tolist() for index in triplet_indices(torch.tensor([3, 1, 3, 1, 0, 2])))

    assert (anchor, positive, negative) == ([0, 1], [2, 3], [4, 5])


@pytest.mark.parametrize("feed", FEEDS)
def test_a_feed_says_its_tuples(feed):
    """Pairs and triplets bring their indices; classes and views leave tuples to the loss or a miner."""
    labels = torch.tensor([3, 1, 3, 2, 0, 2])
    expected = {"pairs": pair_indices(labels), "triplets": triplet_indices(labels)}.get(feed)
    found = fed_indices(feed, labels)

    assert (None if expected is None else [e.tolist() for e in expected]) == (None if found is None else [f.tolist() for f in found])


def test_runs_of_sorted_negatives_are_triplets():
    """Each run stands for its triplets, an empty or inverted one for none; they are counted without being written down."""
    triplets = SortedTriplets(
        order=torch.tensor([[2, 3, 0, 1], [3, 2, 1, 0], [0, 1, 2, 3], [1, 0, 3, 2]]),
        distances=torch.zeros(4, 4),
        start=torch.tensor([[0, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 2], [0, 0, 0, 0]]),
        stop=torch.tensor([[0, 2, 0, 0], [2, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]]),
    )
    found = [tuple(one) for one in torch.stack(plain(triplets), dim=1).tolist()]

    assert [(0, 1, 2), (0, 1, 3), (1, 0, 2), (3, 2, 1)] == found
    assert len(found) == int(number_of(triplets))


def test_empty_places_are_not_counted():
    """The number of tuples is that of triplets or positive pairs, whatever places a miner left empty."""
    marked = torch.tensor([-1, 4, -1, 0])

    assert int(number_of((marked, marked, marked))) == int(number_of((marked, marked, torch.arange(3), torch.arange(3)))) == 2


# ---- a loss as it is built and called


@pytest.mark.parametrize("takes", [True, False])
def test_a_loss_sees_empty_places_if_it_says_so(takes):
    """A loss that takes empty places is handed what the miner gave, any other one index tensors without them."""
    marked = (torch.tensor([0, -1]), torch.tensor([1, -1]), torch.tensor([2, -1]))
    loss = loss_naming("indices")
    if takes:
        loss.takes_empty_places = True
    LossCall(loss, "made")(torch.ones(4, 2, requires_grad=True), torch.tensor([0, 0, 1, 1]), marked)

    expected = [[0, -1], [1, -1], [2, -1]] if takes else [[0], [1], [2]]
    assert expected == [part.tolist() for part in loss.given["indices"]]


def loss_naming(*names):
    """A loss whose forward names these beside embeddings and labels; it keeps what it is given."""
    loss = nn.Module()

    def forward(embeddings, labels, *positional, **named):
        loss.given = {**dict.fromkeys(names), **dict(zip(names, positional, strict=False)), **named}
        return embeddings.sum()

    ordinary = [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in ("embeddings", "labels", *names)]
    forward.__signature__ = inspect.Signature(ordinary)
    loss.forward = forward
    return loss


@pytest.mark.parametrize("names", [(), ("indices",), ("progress",), ("indices", "groups"), ("indices", "progress", "groups")])
def test_a_loss_is_passed_what_it_names_and_nothing_else(names):
    """Progress and groups are passed by name to a forward that names them; indices where there are some."""
    loss, points, labels = loss_naming(*names), torch.ones(4, 2, requires_grad=True), torch.tensor([0, 0, 1, 1])
    groups, indices = torch.tensor([5, 5, 6, 6]), triplet_indices(torch.arange(3))
    call = LossCall(loss, "made")
    call(points, labels, indices if "indices" in names else None, progress=0.25, groups=groups)

    assert {"indices": indices, "progress": 0.25, "groups": groups}.items() >= loss.given.items()
    assert set(names) == set(loss.given)
    call(points, labels)
    assert {"indices": None, "progress": 0.0, "groups": None}.items() >= loss.given.items()


def test_embeddings_are_seen_at_unit_length_or_as_they_are():
    """A loss sees fp32 rows, of unit length where it wants them so; a row of zeros stays one."""
    points = torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16)

    assert as_seen(points, normalise=False).tolist() == [[3.0, 4.0], [0.0, 0.0]]
    assert torch.allclose(torch.tensor([[0.6, 0.8], [0.0, 0.0]]), as_seen(points, normalise=True), atol=1e-6)
    assert as_seen(points, normalise=False).dtype == torch.float32


def test_the_parameters_of_a_loss_follow_its_seed(bits):
    """What a loss has of its own is drawn from the seed, whatever the global state is, and stands in training mode."""

    class Proxies(nn.Module):
        def __init__(self, num_classes, embedding_size, scale):
            super().__init__()
            self.proxies = nn.Parameter(scale * torch.randn(num_classes, embedding_size))

    entry = LossEntry(Proxies, defaults={"scale": 2.0}, source="made up")

    def built(seed, world):
        torch.manual_seed(world)
        return build_loss(entry, {"scale": 2.0}, name="made", num_classes=3, embedding_size=4, seed=seed)

    assert built(1, 0).proxies.shape == (3, 4)
    assert built(1, 0).training
    assert bits(built(1, 0)) == bits(built(1, 9))
    assert bits(built(1, 0)) != bits(built(2, 0))


# ---- a miner and a sampler as they are built and called


def test_a_miner_chooses_without_a_gradient():
    """A miner gets embeddings that hold no graph, and no gradient is recorded while it chooses."""
    seen = []

    def choose(embeddings, labels):
        seen.append((embeddings.requires_grad, torch.is_grad_enabled()))
        return [torch.zeros(1, dtype=torch.int64)] * 3

    entry = MinerEntry(lambda share: choose, defaults={"share": 0.5}, source="made up")
    miner = build_miner(entry, {"share": 0.5}, name="made")
    found = mine(miner, torch.ones(2, 2, requires_grad=True), torch.zeros(2, dtype=torch.int64), name="made")

    assert isinstance(found, tuple)
    assert seen == [(False, False)]


def test_a_miner_must_be_something_to_call():
    """A factory that gives a value instead of a function is a PluginError that names it."""
    with pytest.raises(PluginError, match="miner 'made' must be something to call, got int"):
        build_miner(MinerEntry(lambda: 3, source="made up"), {}, name="made")


def test_a_sampler_gets_what_it_names():
    """A sampler is built with those of labels, sizes, steps and generator that its factory names; its seed alone decides."""

    def build(labels, steps, generator):
        return [torch.randint(len(labels), (2,), generator=generator) for _ in range(steps)]

    def batches(seed):
        entry = SamplerEntry(build, source="made up")
        found, sampler = build_batches(entry, torch.arange(1000), LAYOUT, name="made", seed=seed)
        assert len(sampler) == 3
        return torch.stack(list(found)).tolist()

    assert batches(1) == batches(1)
    assert batches(1) != batches(2)


LAYOUT = Layout(batch_size=2, images_per_class=1, steps=3)
MISBEHAVING = {
    "too few": (lambda: [torch.tensor([0, 1])] * 2, "gave 2 batches, training takes 3"),
    "none": (list, "gave 0 batches, training takes 3"),
    "too short": (lambda: [torch.tensor([0])] * 3, r"int64 \[2\], got int64 \[1\] as batch 1"),
    "too long": (lambda: [torch.tensor([0, 1, 2])] * 3, r"int64 \[2\], got int64 \[3\] as batch 1"),
    "empty": (lambda: [torch.tensor([0, 1]), torch.tensor([], dtype=torch.int64)], r"got int64 \[0\] as batch 2"),
    "of two dimensions": (lambda: [torch.tensor([[0, 1]])] * 3, r"got int64 \[1, 2\]"),
    "another dtype": (lambda: [torch.tensor([0, 1]).int()] * 3, r"got int32 \[2\]"),
    "numbers": (lambda: [torch.tensor([0.0, 1.0])] * 3, r"got float32 \[2\]"),
    "a list": (lambda: [[0, 1]] * 3, "got list"),
    "beyond the items": (lambda: [torch.tensor([0, 1]), torch.tensor([0, 10])], r"indices in 0 … 9, got 10 in batch 2"),
    "before the items": (lambda: [torch.tensor([-1, 1])], r"indices in 0 … 9, got -1 in batch 1"),
    "nothing": (lambda: None, "raised TypeError"),
    "raises": (lambda: {}["slots"], "raised KeyError: 'slots'"),
    "raises later": (lambda: (torch.tensor([0, 1]) if step < 1 else {}["slots"] for step in range(3)), "raised KeyError"),
}


@pytest.mark.parametrize("name", MISBEHAVING)
def test_a_sampler_that_misbehaves_is_named(name):
    """Too few batches, another length, type or index, and whatever a sampler raises, is one sentence that names it."""
    build, words = MISBEHAVING[name]

    with pytest.raises(PluginError, match=words) as caught:
        list(build_batches(SamplerEntry(build, source="made"), torch.arange(10), LAYOUT, name="odd", seed=0)[0])
    assert str(caught.value).startswith("sampler 'odd' ")


def test_a_samplers_own_sentence_is_kept():
    """What a sampler says of labels that it cannot make batches of goes to people as it stands."""

    def build():
        raise DataError("pairs need two classes")

    with pytest.raises(DataError, match=r"^pairs need two classes$"):
        build_batches(SamplerEntry(build, source="made"), torch.arange(10), LAYOUT, name="odd", seed=0)


def test_a_sampler_that_gives_more_is_asked_for_no_more():
    """Of a sampler without end as many batches are taken as there are steps; triplets fill what three divides of a batch."""
    layout = Layout(batch_size=8, images_per_class=4, steps=3, branches=3)

    found, _ = build_batches(
        SamplerEntry(lambda: itertools.repeat(torch.arange(6)), source="made"), torch.arange(10), layout, name="odd", seed=0
    )

    assert [[0, 1, 2, 3, 4, 5]] * 3 == [batch.tolist() for batch in found]


def test_a_sampler_that_writes_changes_no_label_of_the_data():
    """What a sampler writes into the labels that it is given does not reach the training."""
    labels = torch.arange(10)

    def build(labels):
        labels.zero_()
        return [torch.tensor([0, 1])] * 3

    build_batches(SamplerEntry(build, source="made"), labels, LAYOUT, name="odd", seed=0)

    assert list(range(10)) == labels.tolist()


# ---- what goes wrong


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda embeddings: embeddings.square().mean(dim=1), r"must return a scalar tensor, got shape \(8,\)"),
        (lambda embeddings: 0.5, "must return a scalar tensor, got float"),
        (lambda embeddings: embeddings.detach().mean(), "without a gradient"),
    ],
)
def test_a_loss_that_breaks_its_contract_is_named(exam_of, recorded, value, message):
    """A loss that gives no scalar, no tensor or no gradient is a PluginError that names it."""
    entry, _ = recorded(value)
    with pytest.raises(PluginError, match=f"loss 'contrastive' .*{message}"):
        exam_of(Method("contrastive"), loss=entry).run()


def test_a_loss_must_be_a_module(exam_of):
    """A factory that gives a function instead of a module is a PluginError."""
    entry = LossEntry(lambda: lambda embeddings, labels: embeddings.sum(), source="made up")
    with pytest.raises(PluginError, match=r"must be a torch\.nn\.Module, got function"):
        exam_of(Method("contrastive"), loss=entry).run()


def test_a_miner_must_give_three_or_four_tensors(exam_of):
    """A miner that gives two index tensors is a PluginError that names it."""
    empty = torch.zeros(0, dtype=torch.int64)
    entry = MinerEntry(lambda: lambda embeddings, labels: (empty, empty), source="made up")
    with pytest.raises(PluginError, match=r"miner 'semihard' must return three .* or four .*, got 2"):
        exam_of(Method("triplet", "semihard"), miner=entry).run()


def test_a_loss_that_asks_for_indices_is_handed_none_where_there_are_none():
    """A `forward(embeddings, labels, indices)` without a default gets None; one without the argument gets two."""

    class Asks(nn.Module):
        def forward(self, embeddings, labels, indices):
            assert indices is None
            return embeddings.sum()

    class Two(nn.Module):
        def forward(self, embeddings, labels):
            return embeddings.sum()

    embeddings = torch.ones(2, 3, requires_grad=True)
    for loss in (Asks(), Two()):
        assert 6 == LossCall(loss, "tried")(embeddings, torch.tensor([0, 1])).item()
