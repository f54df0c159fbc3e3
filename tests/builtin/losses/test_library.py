"""Own losses beside those of pytorch-metric-learning, an implementation by others: value and gradient, with and without tuples."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from pytorch_metric_learning import distances, losses, regularizers
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory

ENTRIES = siambench_losses()
CLASSES, SIZE = 7, 6


def npair(l2_weight):
    """The library's N-pair loss with inner products and a penalty on squared norms."""
    return losses.NPairsLoss(
        distance=distances.DotProductSimilarity(normalize_embeddings=False),
        embedding_regularizer=regularizers.LpRegularizer(p=2, power=2),
        embedding_reg_weight=l2_weight,
    )


def proxied(make):
    """A loss with a vector of each class."""
    return lambda **params: make(num_classes=CLASSES, embedding_size=SIZE, **params)


LIBRARY = {
    "contrastive": losses.ContrastiveLoss,
    "triplet": losses.TripletMarginLoss,
    "npair": npair,
    "angular": losses.AngularLoss,
    "ntxent": losses.NTXentLoss,
    "supcon": losses.SupConLoss,
    "multi-similarity": losses.MultiSimilarityLoss,
    "proxy-anchor": proxied(losses.ProxyAnchorLoss),
    "arcface": proxied(losses.ArcFaceLoss),
    "intra-pair-variance": losses.IntraPairVarianceLoss,
    "threshold-consistent-margin": lambda pos_weight, neg_weight, pos_margin, neg_margin: losses.ThresholdConsistentMarginLoss(
        lambda_plus=pos_weight, lambda_minus=neg_weight, margin_plus=pos_margin, margin_minus=neg_margin
    ),
}
PARAMS = {
    "contrastive": [{}, {"pos_margin": 0.4, "neg_margin": 1.5}, {"pos_margin": -0.2, "neg_margin": 0.3}],
    "triplet": [{}, {"margin": 0.7}, {"margin": -0.2}],
    "npair": [{}, {"l2_weight": 0.1}],
    "angular": [{}, {"alpha": 25.0}, {"alpha": 60.0}],
    "ntxent": [{}, {"temperature": 0.01}, {"temperature": 4.0}],
    # At lower temperatures rounding alone decides whether an item's value is 0, and with that the number that is divided by.
    "supcon": [{}, {"temperature": 0.05}, {"temperature": 4.0}],
    "multi-similarity": [{}, {"alpha": 20.0, "beta": 10.0, "base": 0.2}, {"alpha": 0.5, "beta": 100.0, "base": 0.8}],
    "proxy-anchor": [{}, {"margin": 0.4, "alpha": 8.0}, {"margin": 0.0, "alpha": 64.0}],
    "arcface": [{}, {"margin": 45.0, "scale": 8.0}, {"margin": 0.0, "scale": 128.0}],
    "intra-pair-variance": [{}, {"pos_eps": 0.2, "neg_eps": 0.1}],
    "threshold-consistent-margin": [{}, {"pos_margin": 0.5, "neg_margin": 0.1}],
}
CASES = [(name, params) for name, settings in PARAMS.items() for params in settings]
NAMES = [f"{name} {params}" for name, params in CASES]


def pair(name, params):
    """A loss of ours and the library's, with the same parameters of their own."""
    entry = ENTRIES[name]
    full = {**entry.defaults, **params}
    torch.manual_seed(3)
    own = call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **full})
    torch.manual_seed(3)
    library = LIBRARY[name](**full)
    return own, library


def batches(dtype=torch.float64):
    """What a head gives, fp [B, 6], and labels: no class as large as the next, duplicates, singletons, one class, all by name."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1, 5, 4, 4])
    points = torch.randn(13, SIZE, generator=generator, dtype=torch.float64)
    many = torch.randint(CLASSES, (40,), generator=generator)
    mingled = torch.randn(40, SIZE, generator=generator, dtype=torch.float64)
    parted = 9 * torch.randn(CLASSES, SIZE, generator=generator, dtype=torch.float64)[many] + mingled
    doubled = points.clone()
    doubled[3], doubled[7], doubled[8] = points[1], points[0], points[1]
    twins = points.clone()
    twins[4], twins[2] = points[0], points[9]
    found = {
        "asymmetric": (points, labels),
        "many": (mingled, many),
        "parted": (parted, many),
        "duplicates of one class": (doubled, labels),
        "duplicates of two classes": (twins, labels),
        "singletons": (points[:CLASSES], torch.randperm(CLASSES, generator=generator)),
        "one class": (points, torch.full_like(labels, 3)),
        "one pair and singletons": (points[:6], torch.tensor([0, 1, 2, 0, 3, 4])),
    }
    return {name: (rows.to(dtype), classes) for name, (rows, classes) in found.items()}


def tuples(labels):
    """Lists of triplets and of pairs that hold some tuples more than once, some items never, and one kind of pair alone, by name."""
    generator = torch.Generator().manual_seed(1)
    same = labels[:, None] == labels
    apart = ~torch.eye(len(labels), dtype=torch.bool)
    triplets = torch.stack(((same & apart)[:, :, None] & ~same[:, None, :]).nonzero(as_tuple=True))
    positive, negative = torch.stack((same & apart).nonzero(as_tuple=True)), torch.stack((~same).nonzero(as_tuple=True))

    def some(columns, share):
        count = columns.shape[1]
        return tuple(columns[:, torch.randint(count, (int(share * count),), generator=generator)]) if count else tuple(columns)

    none = tuple(torch.zeros(4, 0, dtype=torch.int64))
    return {
        "triplets": some(triplets, 0.3),
        "pairs": some(positive, 0.7) + some(negative, 0.4),
        "positive pairs": some(positive, 1.2) + none[:2],
        "negative pairs": none[:2] + some(negative, 1.2),
        "no triplet": none[:3],
        "no pair": none,
    }


def given(entry, loss, points, labels, indices=None):
    """Value, and the gradients by what the head gives and by the loss's own parameters, which come as items by rows."""
    leaf = points.clone().requires_grad_()
    rows = functional.normalize(leaf) if entry.normalise else leaf * 1
    value = loss(rows, labels) if indices is None else loss(rows, labels, indices)
    loss.zero_grad()
    value.backward()
    return value.detach(), leaf.grad, *(parameter.grad for parameter in loss.parameters())


def assert_equal(ours, theirs, dtype):
    """Values within 1e-6 of each other, gradients within 1e-5 of the largest."""
    rounding = 1e-6 if dtype == torch.float64 else 3e-6
    assert theirs[0].item() == pytest.approx(ours[0].item(), rel=rounding, abs=1e-12 if dtype == torch.float64 else 1e-6)
    for mine, other in zip(ours[1:], theirs[1:], strict=True):
        scale = max(float(other.abs().max()), 1e-6)
        assert float((mine - other).abs().max()) <= 1e-5 * scale


@pytest.mark.parametrize(("name", "params"), CASES, ids=NAMES)
def test_losses_equal_the_librarys(name, params):
    """Without tuples a loss has the library's value and gradients on every batch."""
    for what, (points, labels) in batches().items():
        own, library = pair(name, params)
        ours, theirs = (given(ENTRIES[name], loss, points, labels) for loss in (own, library))
        try:
            assert_equal(ours, theirs, torch.float64)
        except AssertionError as error:
            raise AssertionError(f"on {what}: {error}") from error


@pytest.mark.parametrize(("name", "params"), CASES, ids=NAMES)
def test_losses_equal_the_librarys_in_single_precision(name, params):
    """In fp32, as training has it, values and gradients are the library's too, where its cap on NT-Xent does not act."""
    for what in ("asymmetric", "parted"):
        if params.get("temperature") == 0.01 and what == "asymmetric":
            continue  # The library cuts terms off at 87: see below.
        points, labels = batches(torch.float32)[what]
        own, library = pair(name, params)
        ours, theirs = (given(ENTRIES[name], loss, points, labels) for loss in (own, library))
        assert_equal(ours, theirs, torch.float32)


TAKING = [case for case in CASES if ENTRIES[case[0]].takes != "none"]


@pytest.mark.parametrize(("name", "params"), TAKING, ids=[f"{name} {params}" for name, params in TAKING])
def test_losses_equal_the_librarys_given_tuples(name, params):
    """Given lists of triplets or pairs, with repetitions or empty, a loss has the library's value and gradients."""
    for what, (points, labels) in batches().items():
        for form, indices in tuples(labels).items():
            if all(len(part) <= 1 for part in indices) and any(len(part) for part in indices):
                continue  # Of one positive and one negative pair the library makes 0: see the next test.
            own, library = pair(name, params)
            ours, theirs = (given(ENTRIES[name], loss, points, labels, indices) for loss in (own, library))
            try:
                assert_equal(ours, theirs, torch.float64)
            except AssertionError as error:
                raise AssertionError(f"on {what}, given {form}: {error}") from error


def test_one_pair_of_each_kind_is_a_pair():
    """One positive and one negative pair cost what they cost; the library makes nothing of them."""
    points, labels = batches()["asymmetric"]
    rows, indices = functional.normalize(points), tuple(torch.tensor([at]) for at in (1, 3, 1, 2))
    own, library = pair("contrastive", {"neg_margin": 1.9})
    expected = float((rows[1] - rows[3]).norm()) + 1.9 - float((rows[1] - rows[2]).norm())

    assert own(rows, labels, indices).item() == pytest.approx(expected, rel=1e-9)
    assert library(rows, labels, indices).item() == 0.0


@pytest.mark.parametrize("temperature", [0.001, 0.003])
def test_ntxent_is_right_at_small_temperatures(temperature):
    """In fp32 at T = .001 the gradient is that of float64; the library's terms are cut off at 87, and the hardest pairs pull no more."""
    points, labels = batches(torch.float32)["many"]
    exact = given(ENTRIES["ntxent"], pair("ntxent", {"temperature": temperature})[0], points.double(), labels)
    own, library = pair("ntxent", {"temperature": temperature})
    ours, theirs = (given(ENTRIES["ntxent"], loss, points, labels) for loss in (own, library))

    # Cosines carry 24 bits: divided by T they leave fewer to the exponent.
    assert float((ours[1] - exact[1]).norm()) <= 1e-3 * float(exact[1].norm())
    assert ours[0].item() == pytest.approx(exact[0].item(), rel=1e-5)
    assert float(theirs[1].norm()) < 0.7 * float(exact[1].norm())
    assert theirs[0].item() < 0.7 * exact[0].item()


@pytest.mark.parametrize("spread", [1e-3, 1e-4])
def test_distances_keep_their_digits_in_a_batch_that_has_nearly_collapsed(spread):
    """In fp32 the direction of the triplet loss's gradient is that of float64, ten times nearer than the library's."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(8).repeat_interleave(4)
    points = (torch.ones(32, 16) + spread * torch.randn(32, 16, generator=generator)).float()
    rows = functional.normalize(points)
    gradients = []
    own, library = pair("triplet", {})
    for loss, dtype in ((own, torch.float64), (own, torch.float32), (library, torch.float32)):
        leaf = rows.to(dtype).requires_grad_()
        loss(leaf, labels).backward()
        gradients.append(functional.normalize(leaf.grad.double().flatten(), dim=0))
    exact, ours, theirs = gradients

    assert 1 - float(exact @ ours) < min(1e-3, 0.1 * (1 - float(exact @ theirs)))


def test_angular_has_negatives_of_unit_length_too():
    """Ours is the library's value of embeddings of unit length; of others it brings anchors and positives to that, and no negatives."""
    points, labels = next(iter(batches().values()))
    library = losses.AngularLoss(**ENTRIES["angular"].defaults)
    ours = given(ENTRIES["angular"], call_factory(ENTRIES["angular"].build, ENTRIES["angular"].defaults), 5 * points, labels)[0]

    assert pytest.approx(float(library(functional.normalize(points), labels))) == float(ours)
    assert abs(float(library(5 * points, labels)) - float(ours)) > 0.1


def test_no_built_in_loss_or_miner_needs_the_library():
    """Building and calling every built-in loss and miner imports nothing of pytorch-metric-learning; importing their entries no torch."""
    script = """
import sys
from siambench.builtin.losses import siambench_losses
from siambench.builtin.miners import siambench_miners
assert "torch" not in sys.modules
from siambench.plugin import call_factory
import torch
rows = torch.nn.functional.normalize(torch.randn(8, 4)).requires_grad_()
labels = torch.arange(4).repeat_interleave(2)
miners = [call_factory(entry.build, entry.defaults) for entry in siambench_miners().values()]
for entry in siambench_losses().values():
    if entry.wraps:
        continue
    loss = call_factory(entry.build, {**entry.defaults, "num_classes": 4, "embedding_size": 4})
    loss(rows, labels).backward()
    for miner in miners:
        if miner is not None and entry.takes != "none":
            loss(rows, labels, miner(rows.detach(), labels)).backward()
print(sorted(name for name in sys.modules if name.startswith("pytorch_metric_learning")))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
