import itertools

import numpy as np
import pytest
import torch
from pytorch_metric_learning import miners
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.miners import siambench_miners
from siambench.interfaces import SortedTriplets
from siambench.plugin import call_factory
from siambench.training.components import LossCall, number_of, plain

ENTRIES = siambench_miners()
MINERS = sorted(set(ENTRIES) - {"none"})
# Classes of five, four, three and one image, out of order.
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1, 1, 2, 0])


def built(name, **params):
    """The miner as its entry builds it."""
    return call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **params})


def build(name, **params):
    """The miner, which gives index tensors without empty places."""
    miner = built(name, **params)
    return None if miner is None else lambda embeddings, labels: plain(miner(embeddings, labels))


def points(seed=0, dimensions=4):
    """Unit embeddings float64 [13, 4], no two alike."""
    generator = torch.Generator().manual_seed(seed)
    return functional.normalize(torch.randn(len(LABELS), dimensions, dtype=torch.float64, generator=generator))


def distances(x):
    """Euclidean distances, one pair after another."""
    return [[float((x[i] - x[j]).square().sum().sqrt()) for j in range(len(x))] for i in range(len(x))]


def others(anchor, *, same):
    """The other items of the anchor's class, or those of other classes."""
    return [i for i in range(len(LABELS)) if i != anchor and bool(LABELS[i] == LABELS[anchor]) == same]


def as_triplets(indices):
    """Triplets, sorted; pairs of pairs with one anchor are joined."""
    if len(indices) == 3:
        return sorted(zip(*(column.tolist() for column in indices), strict=True))
    a1, p, a2, n = (column.tolist() for column in indices)
    return sorted((a, b, d) for (a, b), (c, d) in itertools.product(zip(a1, p, strict=True), zip(a2, n, strict=True)) if a == c)


@pytest.mark.parametrize("seed", [0, 1])
def test_hard_takes_the_furthest_positive_and_the_nearest_negative(seed):
    """Batch-hard gives one triplet for each anchor that has a positive, the hardest of both kinds."""
    x = points(seed)
    d = distances(x)
    expected = sorted(
        (a, max(others(a, same=True), key=lambda i: d[a][i]), min(others(a, same=False), key=lambda i: d[a][i]))
        for a in range(len(x))
        if others(a, same=True)
    )

    found = build("hard")(x, LABELS)

    assert len(found) == 3
    assert expected == as_triplets(found)


@pytest.mark.parametrize("seed", [0, 1])
def test_easy_positive_hard_negative_takes_the_nearest_of_both(seed):
    """The easy-positive miner joins each anchor's nearest positive with its nearest negative."""
    x = points(seed)
    d = distances(x)
    expected = sorted(
        (a, min(others(a, same=True), key=lambda i: d[a][i]), min(others(a, same=False), key=lambda i: d[a][i]))
        for a in range(len(x))
        if others(a, same=True)
    )

    assert expected == as_triplets(build("easy-positive-hard-negative")(x, LABELS))


@pytest.mark.parametrize("margin", [0.01, 0.2, 1.5])
def test_semihard_takes_negatives_just_behind_the_positive(margin):
    """Semi-hard gives every triplet with 0 < d(a, n) - d(a, p) ≤ margin, and no other."""
    x = points()
    d = distances(x)
    expected = sorted(
        (a, p, n) for a in range(len(x)) for p in others(a, same=True) for n in others(a, same=False) if 0 < d[a][n] - d[a][p] <= margin
    )

    assert expected == as_triplets(build("semihard", margin=margin)(x, LABELS))


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
def test_multi_similarity_compares_with_the_hardest_of_the_other_kind(epsilon):
    """A negative is kept if S + ε exceeds the least similar positive, a positive if S - ε is below the most similar negative."""
    x = points()
    similarity = (x @ x.T).tolist()
    positives, negatives = [], []
    for a in range(len(x)):
        near, far = others(a, same=True), others(a, same=False)
        hardest_negative = max(similarity[a][n] for n in far)
        hardest_positive = min((similarity[a][p] for p in near), default=float("inf"))
        positives += [(a, p) for p in near if similarity[a][p] - epsilon < hardest_negative]
        negatives += [(a, n) for n in far if similarity[a][n] + epsilon > hardest_positive]

    a1, p, a2, n = (column.tolist() for column in build("multi-similarity", epsilon=epsilon)(x, LABELS))

    assert sorted(positives) == sorted(zip(a1, p, strict=True))
    assert sorted(negatives) == sorted(zip(a2, n, strict=True))


@pytest.mark.parametrize("seed", [0, 1])
def test_distance_weighted_triplets_are_valid(seed):
    """Every triplet has a positive of the anchor's class and a negative of another, nearer than the cut-off."""
    x = points(seed, dimensions=16)
    d = distances(x)
    torch.manual_seed(0)
    found = as_triplets(build("distance-weighted")(x, LABELS))

    assert len(found) > 0
    for a, p, n in found:
        assert a != p
        assert LABELS[a] == LABELS[p]
        assert LABELS[a] != LABELS[n]
        assert max(d[a][n], 0.5) < 1.4


def test_distance_weighted_follows_the_density_of_distances():
    """Negatives are drawn in proportion to the inverse density of their distance on the sphere, cut off below."""
    size, cutoff, limit = 16, 0.5, 1.4
    labels = torch.tensor([0, 0, *range(1, 12)])
    x = points(4, dimensions=size)
    x[:2] = functional.normalize(torch.tensor([[1.0] + [0.0] * 15, [1.0, 0.1] + [0.0] * 14], dtype=torch.float64))
    weights = np.zeros(len(x))
    for n in range(2, len(x)):
        distance = max(float((x[0] - x[n]).norm()), cutoff)
        if distance < limit:
            weights[n] = distance ** (2 - size) * (1 - distance**2 / 4) ** (-(size - 3) / 2)
    expected = weights / weights.sum()
    torch.manual_seed(0)
    miner, counts = build("distance-weighted", cutoff=cutoff, nonzero_loss_cutoff=limit), np.zeros(len(x))
    for _ in range(1500):
        for a, _, n in zip(*(column.tolist() for column in miner(x, labels)), strict=True):
            counts[n] += a == 0

    assert np.abs(counts / counts.sum() - expected).max() < 0.03


def test_distance_weighted_draws_from_the_seeded_global_state():
    """What it draws is the same after the same seed of torch, and another after another."""
    x, miner = points(dimensions=16), build("distance-weighted")
    drawn = []
    for seed in (5, 5, 6):
        torch.manual_seed(seed)
        drawn.append([column.tolist() for column in miner(x, LABELS)])

    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


@pytest.mark.parametrize("name", MINERS)
def test_tuples_have_the_form_that_the_entry_states(name):
    """A miner gives three index tensors where its entry says triplets, four where it says pairs, all int64."""
    found = build(name)(points(), LABELS)

    assert (3 if ENTRIES[name].gives == "triplets" else 4) == len(found)
    assert all(column.dtype == torch.int64 for column in found)


TAKING = sorted(name for name, entry in siambench_losses().items() if entry.takes != "none" and not entry.wraps)
# Miners give triplets, runs of triplets, or pairs: each loss meets all three, and each miner two losses.
MEETINGS = sorted(
    {*itertools.product(TAKING, ["hard", "semihard", "multi-similarity"]), *itertools.product(["contrastive", "triplet"], MINERS)}
)


def loss_of(name, dimensions):
    """A loss at its defaults, for so many dimensions."""
    entry = siambench_losses()[name]
    return call_factory(entry.build, {**entry.defaults, "num_classes": 4, "embedding_size": dimensions})


@pytest.mark.parametrize(("loss", "name"), MEETINGS)
def test_every_loss_with_tuples_takes_what_a_miner_gives(loss, name):
    """Mined from fp32 embeddings, each loss that takes tuples gives a finite scalar with a gradient."""
    x = points(dimensions=8).float()
    torch.manual_seed(0)
    found = build(name)(x, LABELS)
    leaf = x.clone().requires_grad_()
    value = loss_of(loss, 8)(leaf, LABELS, found)
    value.backward()
    assert bool(torch.isfinite(value))
    assert bool(torch.isfinite(leaf.grad).all())


@pytest.mark.parametrize("name", MINERS)
def test_separated_classes_leave_training_possible(name):
    """Where no tuple is left to choose, the triplet loss is a zero with a gradient, so that the step can be taken."""
    noise = torch.randn(32, 4, generator=torch.Generator().manual_seed(0))
    centres = functional.normalize(torch.eye(4).repeat_interleave(8, dim=0) + 1e-3 * noise)
    leaf, labels = centres.clone().requires_grad_(), torch.arange(4).repeat_interleave(8)
    torch.manual_seed(0)
    indices = build(name)(centres, labels)

    value = call_factory(siambench_losses()["triplet"].build, {"margin": 0.1})(leaf, labels, indices)

    assert value.requires_grad
    assert float(value.detach()) == 0.0
    if name == "semihard":
        assert len(indices[0]) == 0


# ---- beside pytorch-metric-learning


LIBRARY = {
    "hard": miners.BatchHardMiner,
    "semihard": lambda margin: miners.TripletMarginMiner(margin=margin, type_of_triplets="semihard"),
    "easy-positive-hard-negative": lambda: miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard"),
    "multi-similarity": miners.MultiSimilarityMiner,
}


def of_both(name, x, labels):
    """What our miner and the library's choose, as sorted tuples; of pairs, positive and negative ones."""
    found = []
    for mine in (build(name), LIBRARY[name](**ENTRIES[name].defaults)):
        indices = [part.tolist() for part in mine(x, labels)]
        groups = [indices] if len(indices) == 3 else [indices[:2], indices[2:]]
        found.append([sorted(zip(*group, strict=True)) for group in groups])
    return found


@pytest.mark.parametrize("name", LIBRARY)
@pytest.mark.parametrize("labels", [LABELS, torch.zeros_like(LABELS), torch.arange(len(LABELS))], ids=["mixed", "one class", "singletons"])
def test_miners_choose_what_the_librarys_choose(name, labels):
    """A miner gives the tuples of pytorch-metric-learning's, on unequal classes, on one class and on singletons."""
    ours, theirs = of_both(name, points(3), labels)

    assert theirs == ours
    assert any(ours) == (labels is LABELS)


@pytest.mark.parametrize("name", ["semihard", "multi-similarity"])
def test_miners_choose_what_the_librarys_choose_among_duplicates(name):
    """Where images stand in the batch more than once, within a class and in two, the tuples are the library's too."""
    x = points(5)
    x[3], x[6], x[4] = x[1], x[1], x[2]
    ours, theirs = of_both(name, x, LABELS)

    assert theirs == ours


@pytest.mark.parametrize("size", [256, 1024])
def test_distance_weighted_is_right_in_single_precision_at_many_dimensions(size):
    """One near pair leaves every anchor its negatives; in the library all weights but those of the pair underflow against them."""
    labels = torch.arange(32).repeat_interleave(4)
    x = torch.randn(128, size, generator=torch.Generator().manual_seed(0))
    x[4] = x[0] + 0.05 * x[1]
    x = functional.normalize(x)
    drawn = []
    for mine in (build("distance-weighted", nonzero_loss_cutoff=1.8), miners.DistanceWeightedMiner(nonzero_loss_cutoff=1.8)):
        torch.manual_seed(0)
        drawn.append(mine(x, labels))
    ours, theirs = drawn

    assert set(ours[0].tolist()) == set(range(128))
    assert len(ours[0]) == 128 * 3
    assert len(set(theirs[0].tolist())) <= 8


@pytest.mark.parametrize("size", [16, 512])
def test_distance_weighted_draws_in_proportion_to_its_weights(size):
    """In fp32 each negative is drawn as often as the inverse density of its distance says, worked out in float64 logarithms."""
    labels = torch.tensor([0, 0, *range(1, 9)])
    generator = torch.Generator().manual_seed(1)
    # Nearer to a common centre than vectors of many dimensions are by themselves: otherwise the nearest would always be drawn.
    x = functional.normalize(0.6 * torch.ones(10, size) / size**0.5 + torch.randn(10, size, generator=generator) / size**0.5).float()
    exact = x.double()
    apart = (exact[0] - exact[2:]).norm(dim=1).clamp(min=0.5)
    logs = (2 - size) * apart.log() - (size - 3) / 2 * (1 - apart.square() / 4).log()
    logs[apart >= 1.4] = -float("inf")
    expected = (logs - logs.logsumexp(dim=0)).exp()
    torch.manual_seed(0)
    miner, counts = built("distance-weighted"), torch.zeros(10, dtype=torch.float64)
    for _ in range(1500):
        anchor, positive, negative = plain(miner(x, labels))
        assert positive[anchor == 0].tolist() == [1]
        counts[negative[anchor == 0]] += 1

    assert float(counts[:2].sum()) == 0
    assert float((counts[2:] / counts.sum() - expected).abs().max()) < 0.03


def test_semihard_gives_runs_and_their_number():
    """The runs stand for as many triplets as they are counted as, and for more than a list of B² could hold."""
    labels = torch.arange(4).repeat_interleave(8)
    x = functional.normalize(torch.randn(32, 6, generator=torch.Generator().manual_seed(0)))
    found = built("semihard", margin=0.7)(x, labels)

    assert isinstance(found, SortedTriplets)
    assert int(number_of(found)) == len(plain(found)[0]) > 32 * 32


@pytest.mark.parametrize(("loss", "name"), MEETINGS)
def test_losses_take_what_a_miner_gives_as_they_take_lists(loss, name):
    """Value and gradient are those of the same tuples as plain lists, whatever form the miner gives them in."""
    x = points(7, dimensions=6)
    torch.manual_seed(0)
    mined = built(name)(x, LABELS)
    module, found = loss_of(loss, 6).double(), []
    for indices in (mined, plain(mined)):
        leaf = x.clone().requires_grad_()
        value = LossCall(module, loss)(leaf, LABELS, indices)
        value.backward()
        found.append((value.item(), leaf.grad))
    (value, gradient), (expected, other) = found

    assert value == pytest.approx(expected, rel=1e-9)
    assert torch.allclose(gradient, other, rtol=1e-7, atol=1e-9)


def test_the_entry_none_stands_for_no_miner():
    """The miner ``none`` builds nothing: the loss sees every tuple of its batch."""
    assert build("none") is None
