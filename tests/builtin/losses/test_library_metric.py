"""The losses of pairs, ranks and histograms beside those of pytorch-metric-learning: the same where that is right, else both shown."""

from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning import losses, regularizers
from test_library import CLASSES, SIZE, assert_equal, batches, given, tuples
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.builtin.losses.forms.pnp import VARIANTS
from siambench.plugin import call_factory

ENTRIES = siambench_losses()
WHOLE = ("asymmetric", "many", "parted", "duplicates of one class", "duplicates of two classes", "one class", "one pair and singletons")
PAIRED = ("many", "parted")
"""The batches each of whose classes has several items."""


def built(name, **params):
    """A loss of ours."""
    entry = ENTRIES[name]
    return call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params}).double()


def snr(reg_weight, **params):
    """The library's loss with the regulariser that the paper has."""
    return losses.SignalToNoiseRatioContrastiveLoss(
        embedding_regularizer=regularizers.ZeroMeanRegularizer(), embedding_reg_weight=reg_weight, **params
    )


def learned(*, per_class, **params):
    """The library's margin loss with a learned boundary."""
    return losses.MarginLoss(learn_beta=True, num_classes=CLASSES if per_class else None, **params)


LIBRARY = {
    "circle": lambda margin, gamma: losses.CircleLoss(m=margin, gamma=gamma),
    "margin": losses.MarginLoss,
    "margin-learned": learned,
    "lifted": losses.LiftedStructureLoss,
    "gen-lifted": losses.GeneralizedLiftedStructureLoss,
    "snr-contrastive": snr,
    "tuplet-margin": losses.TupletMarginLoss,
    "nca": losses.NCALoss,
    "fastap": losses.FastAPLoss,
    "histogram": lambda num_bins: losses.HistogramLoss(n_bins=num_bins),
    "pnp": lambda temperature, **params: losses.PNPLoss(anneal=temperature, **params),
}


def library(name, **params):
    """The library's loss with our parameters."""
    return LIBRARY[name](**{**ENTRIES[name].defaults, **params}).double()


BATCHES = [
    ("circle", {}, (*WHOLE, "singletons")),
    ("circle", {"margin": 0.1, "gamma": 8.0}, WHOLE),
    ("lifted", {}, (*WHOLE, "singletons")),
    ("lifted", {"neg_margin": 0.4, "pos_margin": 0.4}, WHOLE),
    ("gen-lifted", {}, PAIRED),
    ("gen-lifted", {"neg_margin": 0.0, "pos_margin": 1.9}, PAIRED),
    ("snr-contrastive", {}, (*WHOLE, "singletons")),
    ("snr-contrastive", {"pos_margin": 0.4, "neg_margin": 2.0, "reg_weight": 1.0}, WHOLE),
    ("tuplet-margin", {}, (*PAIRED, "asymmetric", "one class")),
    ("tuplet-margin", {"margin": 20.0, "scale": 8.0}, (*PAIRED, "asymmetric", "one pair and singletons")),
    ("nca", {}, WHOLE),
    ("nca", {"softmax_scale": 10.0}, WHOLE),
    ("fastap", {}, (*WHOLE, "singletons")),
    ("fastap", {"num_bins": 50}, WHOLE),
    ("histogram", {}, PAIRED),
    ("histogram", {"num_bins": 10}, ("many",)),
    *(("pnp", {"variant": variant, "temperature": 0.05}, (*WHOLE, "singletons")) for variant in VARIANTS),
]


# The library's histogram loss takes places of a matrix by a list.
BY_LIST = pytest.mark.filterwarnings("ignore:Using a non-tuple sequence")


@BY_LIST
@pytest.mark.parametrize(("name", "params", "on"), BATCHES, ids=[f"{name} {params}" for name, params, _ in BATCHES])
def test_losses_equal_the_librarys(name, params, on):
    """Without tuples a loss has the library's value and gradient, on the batches that the library is right on."""
    found = batches()
    for what in on:
        own, other = (given(ENTRIES[name], make(name, **params), *found[what]) for make in (built, library))
        try:
            assert_equal(own, other, torch.float64)
        except AssertionError as error:
            raise AssertionError(f"on {what}: {error}") from error


TUPLES = [
    ("circle", {}, ("triplets", "pairs", "positive pairs", "no pair")),
    ("margin", {}, ("triplets", "no triplet")),
    ("margin", {"margin": 0.4, "beta": 0.6}, ("triplets",)),
    ("lifted", {}, ("triplets", "no triplet")),
    ("snr-contrastive", {}, ("triplets", "pairs", "positive pairs", "negative pairs", "no pair")),
    ("tuplet-margin", {}, ("triplets", "pairs", "positive pairs")),
    ("histogram", {}, ("triplets", "no triplet")),
]


@BY_LIST
@pytest.mark.parametrize(("name", "params", "forms"), TUPLES, ids=[f"{name} {params}" for name, params, _ in TUPLES])
def test_losses_equal_the_librarys_on_tuples(name, params, forms):
    """Given lists of triplets or pairs that hold some twice and others never, a loss has the library's value and gradient."""
    points, labels = batches()["asymmetric"]
    for form, indices in tuples(labels).items():
        if form in forms:
            own, other = (given(ENTRIES[name], make(name, **params), points, labels, indices) for make in (built, library))
            try:
                assert_equal(own, other, torch.float64)
            except AssertionError as error:
                raise AssertionError(f"given {form}: {error}") from error


@pytest.mark.parametrize("per_class", [True, False])
def test_a_learned_boundary_has_the_librarys_gradient(*, per_class):
    """Each class's boundary, or the only one, gets the gradient of the pairs that it bounds, those with an anchor of that class."""
    points, labels = batches()["asymmetric"]
    indices = tuples(labels)["triplets"]
    nu = 0.3 if per_class else 0.0  # The library adds ν β once, not over the pairs, where there is one β.
    own, other = (make("margin-learned", per_class=per_class, nu=nu) for make in (built, library))
    ours, theirs = (given(ENTRIES["margin-learned"], loss, points, labels, indices) for loss in (own, other))

    assert_equal(ours, theirs, torch.float64)
    anchored = {int(label) for label in labels[indices[0]]}
    assert [bool(slope) for slope in ours[2]] == ([c in anchored for c in range(CLASSES)] if per_class else [True])


def test_the_margin_loss_counts_each_pair_of_a_batch_once():
    """Over a whole batch it is the sum over pairs by the number of those that cost; the library counts a pair once for each triplet."""
    points, labels = batches()["asymmetric"]
    rows = functional.normalize(points)
    d = torch.cdist(rows, rows)
    same = labels[:, None] == labels
    costs = torch.cat([(d - 1.2 + 0.2)[same & ~torch.eye(len(rows), dtype=torch.bool)].clamp(min=0), (1.2 - d + 0.2)[~same].clamp(min=0)])
    expected = float(costs.sum() / (costs > 0).sum())

    assert built("margin")(rows, labels).item() == pytest.approx(expected, rel=1e-9)
    assert library("margin")(rows, labels).item() != pytest.approx(expected, rel=1e-3)


def test_the_weights_of_the_circle_loss_are_held_constant():
    """Its gradient is that of the formula whose brackets are numbers taken beforehand: each pair pulls by γ times its bracket."""
    points, labels = batches()["asymmetric"]
    rows = functional.normalize(points)
    weighed = rows @ rows.T
    margin, gamma = 0.25, 3.0
    leaf = rows.clone().requires_grad_()
    free = leaf @ leaf.T
    items = []
    for a in range(len(rows)):
        own = [j for j in range(len(rows)) if j != a and labels[j] == labels[a]]
        others = [j for j in range(len(rows)) if labels[j] != labels[a]]
        if own:
            near = sum((-gamma * max(0.0, 1 + margin - float(weighed[a, p])) * (free[a, p] - 1 + margin)).exp() for p in own)
            far = sum((gamma * max(0.0, float(weighed[a, n]) + margin) * (free[a, n] - margin)).exp() for n in others)
            items.append((1 + near * far).log())
    (expected,) = torch.autograd.grad(sum(items) / len(items), leaf)
    again = rows.clone().requires_grad_()
    built("circle", margin=margin, gamma=gamma)(again, labels).backward()

    assert torch.allclose(again.grad, expected, rtol=1e-9, atol=1e-12)


def test_singletons_do_not_cost_in_the_generalised_lifted_loss():
    """An item without a positive has an empty sum, whose logarithm is minus infinity; the library takes it for 0 and lets it cost."""
    points, labels = batches()["singletons"]
    rows = functional.normalize(points)

    assert built("gen-lifted")(rows, labels).item() == 0
    assert library("gen-lifted")(rows, labels).item() > 0.5


def test_a_pair_without_a_negative_does_not_cost_in_the_lifted_loss():
    """A positive pair beside negatives of others alone has no negative; the library takes the empty sum's logarithm for 0."""
    points, labels = batches()["asymmetric"]
    rows = functional.normalize(points)
    indices = tuple(torch.tensor(at) for at in ([1, 3], [3, 1], [4, 4], [0, 2]))

    assert built("lifted")(rows, labels, indices).item() == 0
    assert library("lifted")(rows, labels, indices).item() > 0.1


def test_tuplet_margin_has_a_slope_at_duplicates():
    """A duplicate pulls nowhere and the others as ever; in fp32 the library's arc cosine of something above 1 is no number."""
    points, labels = batches(torch.float32)["duplicates of one class"]
    own, other = (
        given(ENTRIES["tuplet-margin"], loss, points, labels) for loss in (built("tuplet-margin").float(), losses.TupletMarginLoss())
    )

    assert bool(torch.isfinite(own[1]).all())
    assert float(own[1].norm()) > 0
    assert not bool(torch.isfinite(other[1]).all())


def test_nca_is_a_number_on_singletons():
    """A batch of different classes costs 0; the library's mean over no item is no number."""
    points, labels = batches()["singletons"]
    own, other = (given(ENTRIES["nca"], make("nca"), points, labels) for make in (built, library))

    assert own[0].item() == 0
    assert float(own[1].norm()) == 0
    assert bool(torch.isnan(other[0]))


@BY_LIST
def test_histogram_takes_duplicates():
    """A cosine of 1 lies at the last edge; the library looks for an edge behind it and raises."""
    rows = functional.normalize(torch.eye(4, dtype=torch.float64))[[0, 0, 1, 2]]
    labels = torch.tensor([0, 0, 1, 1])

    assert built("histogram")(rows, labels).item() == pytest.approx(0.5)
    with pytest.raises((IndexError, RuntimeError)):
        library("histogram")(rows, labels)


@BY_LIST
def test_histogram_counts_pairs_of_singletons():
    """Impostors are all pairs of two classes; the library leaves out those of two classes that have one item each."""
    rows = functional.normalize(torch.tensor([[1.0, 0.1], [1.0, 0.0], [0.0, 1.0], [0.01, 1.0]], dtype=torch.float64))
    labels = torch.tensor([0, 0, 1, 2])

    # Of the five impostor pairs that of the singletons alone is nearer than the genuine pair.
    assert built("histogram", num_bins=200)(rows, labels).item() > 0.1
    assert library("histogram", num_bins=200)(rows, labels).item() < 0.01


def grouped(classes, each):
    """Embeddings float64 and labels, the items of a class together, classes of one size."""
    labels = torch.arange(classes).repeat_interleave(each)
    return torch.randn(len(labels), SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(3)), labels


@pytest.mark.parametrize("name", ["instance", "smooth-ap"])
def test_the_order_of_a_batch_does_not_matter(name):
    """However the items are arranged the value is the same; the library takes the first items for classes, or neighbours for a class."""
    points, labels = grouped(4, 4)
    rows, moved = functional.normalize(points), torch.arange(16).view(4, 4).T.flatten()
    params = {"gamma": 32.0} if name == "instance" else {"temperature": 0.1}
    own, other = built(name, **params), {"instance": losses.InstanceLoss, "smooth-ap": losses.SmoothAPLoss}[name](**params)

    assert own(rows[moved], labels[moved]).item() == pytest.approx(own(rows, labels).item(), rel=1e-12)
    assert other(rows[moved], labels[moved]).item() != pytest.approx(other(rows, labels).item(), rel=1e-2)


@pytest.mark.parametrize("temperature", [0.01, 0.1])
def test_smooth_ap_equals_the_librarys_on_as_many_ordered_classes_as_each_has_items(temperature):
    """Where four classes of four items stand in order, value and gradient are the library's, which works in fp32."""
    own, other = (
        given(ENTRIES["smooth-ap"], loss, *grouped(4, 4))
        for loss in (built("smooth-ap", temperature=temperature), losses.SmoothAPLoss(temperature=temperature))
    )

    assert other[0].item() == pytest.approx(own[0].item(), rel=1e-6)
    assert float((own[1] - other[1]).norm()) <= 1e-5 * float(other[1].norm())


def test_smooth_ap_is_right_on_four_classes_of_three():
    """Then 1 - AP is that of the classes; the library takes the items of a class for the number of classes, and forms three of four."""
    points, labels = grouped(4, 3)
    rows = functional.normalize(points)
    wrong = torch.arange(3).repeat_interleave(4)
    own, other = built("smooth-ap", temperature=0.1), losses.SmoothAPLoss(temperature=0.1)

    assert other(rows, labels).item() == pytest.approx(own(rows, wrong).item(), rel=1e-6)
    assert other(rows, labels).item() != pytest.approx(own(rows, labels).item(), rel=1e-2)


@pytest.mark.parametrize(("name", "params"), [("smooth-ap", {"temperature": 0.1}), ("pnp", {"temperature": 0.1})])
def test_ranks_are_the_same_looked_at_in_parts(name, params, monkeypatch):
    """Whether all queries are looked at together or a few at a time, value and gradient are the same."""
    from siambench.builtin.losses.forms import ranks

    points, labels = batches()["many"]
    whole = given(ENTRIES[name], built(name, **params), points, labels)
    monkeypatch.setattr(ranks, "_AT_ONCE", 3 * 40**2)
    parts = given(ENTRIES[name], built(name, **params), points, labels)

    assert parts[0].item() == pytest.approx(whole[0].item(), rel=1e-12)
    assert torch.allclose(parts[1], whole[1], rtol=1e-9, atol=1e-14)


def test_ranked_list_is_the_librarys_but_for_its_slack():
    """The library adds 1e-5 to every weight of a row before it divides by their sum, which ours, as the paper, does not."""
    points, labels = batches()["many"]
    own, other = (
        given(ENTRIES["ranked-list"], loss, points, labels)
        for loss in (built("ranked-list", negative_temperature=2.0), losses.RankedListLoss(margin=0.4, Tn=2.0))
    )

    assert other[0].item() == pytest.approx(own[0].item(), rel=2e-4)
    assert float((own[1] - other[1]).norm()) <= 1e-3 * float(own[1].norm())


def test_ranked_list_weighs_in_single_precision_at_the_bound_of_its_space():
    """At a temperature of 20 the nearest negative alone counts, and value and gradient are numbers."""
    rows = functional.normalize(torch.tensor([[1.0, 0.0], [1.0, 1e-3], [0.6, 0.8], [0.0, 1.0]])).requires_grad_()
    value = built("ranked-list", negative_temperature=20.0, margin=1.0).float()(rows, torch.tensor([0, 1, 2, 3]))
    value.backward()

    assert bool(torch.isfinite(rows.grad).all())
    assert value.item() == pytest.approx((1.499 + 1.499 + 0.8676 + 0.8676) / 4 / 2, rel=1e-2)


def test_alpha_is_alive_in_the_default_variant_of_pnp():
    """What is tuned moves the value; in the library's default variant it does not."""
    points, labels = batches()["asymmetric"]
    rows = functional.normalize(points)

    assert built("pnp", alpha=1.0)(rows, labels).item() != pytest.approx(built("pnp", alpha=4.0)(rows, labels).item(), rel=1e-2)
    assert losses.PNPLoss(alpha=1)(rows, labels).item() == losses.PNPLoss(alpha=4)(rows, labels).item()


def test_manifold_equals_the_librarys_given_the_same_proxies():
    """With each item's proxy given, value and gradients are the library's, which inverts in fp32; and no batch is too small."""
    points, labels = batches()["asymmetric"]
    own = built("manifold", num_proxies=4, margin=0.05)
    other = losses.ManifoldLoss(l=SIZE, K=4, margin=0.05).double()
    with torch.no_grad():
        other.proxies.copy_(own.proxies)
    found = []
    for loss, asked in ((own, (labels,)), (other, (None, labels % 4))):
        leaf = points.clone().requires_grad_()
        value = loss(functional.normalize(leaf), *asked)
        value.backward()
        found.append((value.item(), leaf.grad, loss.proxies.grad))

    assert found[1][0] == pytest.approx(found[0][0], rel=1e-5)
    for mine, theirs in zip(found[0][1:], found[1][1:], strict=True):
        assert float((mine - theirs).norm()) <= 1e-3 * float(mine.norm())
    assert built("manifold")(functional.normalize(points[:2]), labels[:2]).isfinite()
    with pytest.raises(RuntimeError):
        losses.ManifoldLoss(l=SIZE, K=4).double()(functional.normalize(points[:2]))
