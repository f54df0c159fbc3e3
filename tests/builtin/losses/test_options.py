"""Options of losses: distances, reducers and regularisers of pytorch-metric-learning, beside that library called by hand."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from pytorch_metric_learning import distances, losses, reducers, regularizers
from torch.nn import functional

from siambench.builtin.losses import options, siambench_losses
from siambench.training.components import LossCall, as_seen, build_loss

ENTRIES = siambench_losses()
CLASSES, SIZE = 5, 6
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1])

DISTANCES = {
    "cosine": lambda _: distances.CosineSimilarity(),
    "lp": lambda chosen: distances.LpDistance(p=chosen.get("p", 2)),
    "snr": lambda _: distances.SNRDistance(),
}
REDUCERS = {
    "mean": lambda _: reducers.MeanReducer(),
    "avg-non-zero": lambda _: reducers.AvgNonZeroReducer(),
    "threshold": lambda chosen: reducers.ThresholdReducer(low=chosen.get("low"), high=chosen.get("high")),
    "per-anchor": lambda _: reducers.PerAnchorReducer(),
}
CLASSES_OF = {
    "contrastive": losses.ContrastiveLoss,
    "triplet": losses.TripletMarginLoss,
    "margin": losses.MarginLoss,
    "npair": losses.NPairsLoss,
    "lifted": losses.LiftedStructureLoss,
    "gen-lifted": losses.GeneralizedLiftedStructureLoss,
    "ntxent": losses.NTXentLoss,
    "supcon": losses.SupConLoss,
    "multi-similarity": losses.MultiSimilarityLoss,
}
SETTINGS = [
    *({"distance": name} for name in DISTANCES),
    {"distance": "lp", "p": 1.0},
    {"distance": "lp", "p": 3.0},
    *({"reducer": name} for name in ("mean", "avg-non-zero", "per-anchor")),
    {"reducer": "threshold", "low": 0.2},
    {"reducer": "threshold", "high": 0.6},
    {"reducer": "threshold", "low": 0.1, "high": 0.9},
    {"distance": "snr", "reducer": "mean", "regulariser": "zero-mean", "regulariser_weight": 0.3},
]
OFFERED = [
    (name, chosen)
    for name, chosen in itertools.product(CLASSES_OF, SETTINGS)
    if chosen.get("reducer") != "per-anchor" or ENTRIES[name].options["reducer"].allowed.contains("per-anchor")
]
IDS = [f"{name} {' '.join(f'{key}={value}' for key, value in chosen.items())}" for name, chosen in OFFERED]


def build(name, chosen, **params):
    """The loss as a row with these options has it, and the parameters that it is built with."""
    entry = ENTRIES[name].with_options(chosen)
    full = {**entry.defaults, **params}
    return build_loss(entry, {**full, **chosen}, name=name, num_classes=CLASSES, embedding_size=SIZE, seed=7), full


def by_hand(name, chosen, params):
    """The library's loss with the library's parts, as its own documentation builds it."""
    given = dict(params)
    if name == "npair":
        given = {"embedding_regularizer": regularizers.LpRegularizer(p=2, power=2), "embedding_reg_weight": given["l2_weight"]}
        given["distance"] = distances.DotProductSimilarity(normalize_embeddings=False)
    if "distance" in chosen:
        given["distance"] = DISTANCES[chosen["distance"]](chosen)
    if "reducer" in chosen:
        given["reducer"] = REDUCERS[chosen["reducer"]](chosen)
    return CLASSES_OF[name](**given)


def batches():
    """What a head gives, float64, and labels."""
    x = torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    duplicates = x.clone()
    duplicates[3], duplicates[7] = x[1], x[0]
    return {
        "asymmetric": (x, LABELS),
        "duplicates": (duplicates, LABELS),
        "singletons": (x[:4], torch.tensor([2, 0, 3, 1])),
        "one class": (x, torch.full_like(LABELS, 3)),
        "one pair and singletons": (x[:4], torch.tensor([0, 1, 0, 2])),
    }


@pytest.mark.parametrize("batch", sorted(batches()))
@pytest.mark.parametrize(("name", "chosen"), OFFERED, ids=IDS)
def test_options_are_the_library_called_by_hand(name, chosen, batch):
    """Each distance and reducer that a loss offers gives value and gradient of the library's loss, built with the library's parts."""
    rows, labels = batches()[batch]
    own, params = build(name, chosen)
    found = []
    for loss in (own, by_hand(name, chosen, params)):
        leaf = rows.clone().requires_grad_()
        x = as_seen(leaf, normalise=ENTRIES[name].normalise)
        value = loss(x, labels)
        if loss is not own and "regulariser" in chosen:
            value = value + chosen["regulariser_weight"] * regularizers.ZeroMeanRegularizer()(x)
        value.backward()
        found.append((value.detach(), leaf.grad))
    assert torch.allclose(found[0][0], found[1][0], rtol=1e-6, atol=1e-9)
    assert torch.allclose(found[0][1], found[1][1], rtol=1e-5, atol=1e-8)
    assert bool(found[0][0].isfinite())
    assert bool(found[0][1].isfinite().all())


def test_an_anchor_without_variance_spoils_no_batch():
    """Where the library divides 0 by 0, as for the empty places of a memory, value and gradient are numbers, and other pairs count."""
    entry = ENTRIES["contrastive"].with_options({"distance": "snr"})
    loss = build_loss(entry, {**entry.defaults, "distance": "snr"}, name="contrastive", num_classes=2, embedding_size=SIZE, seed=0)
    rows = functional.normalize(batches()["asymmetric"][0][:4]).requires_grad_()
    pairs = (torch.tensor([0]), torch.tensor([1]), torch.tensor([0, 2]), torch.tensor([2, 3]))
    value = loss(torch.cat([rows, torch.zeros(3, SIZE, dtype=torch.float64)]), torch.tensor([0, 0, 1, 2, 3, 3, 3]), pairs)
    value.backward()
    assert torch.allclose(value, loss(rows, torch.tensor([0, 0, 1, 2]), pairs))
    assert bool(rows.grad.isfinite().all())
    assert float(rows.grad.norm()) > 0


def test_every_distance_and_reducer_that_is_offered_is_tried():
    """No name stands in an entry that these tests do not hold against the library."""
    for name, entry in ENTRIES.items():
        for option, known in (("distance", DISTANCES), ("reducer", REDUCERS)):
            if option in entry.options:
                assert name in CLASSES_OF
                assert {*entry.options[option].allowed.options} <= {*known, "own"}


@pytest.mark.parametrize(("name", "chosen"), OFFERED, ids=IDS)
def test_a_distance_and_a_reducer_take_tuples(name, chosen):
    """What a miner gives counts, in fp32: other tuples than all of the batch give a finite value with a gradient."""
    if ENTRIES[name].takes == "none":
        return
    loss, _ = build(name, chosen)
    rows = functional.normalize(batches()["asymmetric"][0].float()).requires_grad_()
    few = (torch.tensor([1, 6, -1]), torch.tensor([3, 8, -1]), torch.tensor([1, 6, 1]), torch.tensor([2, 4, 7]))
    value = LossCall(loss, name)(rows, LABELS, few)
    value.backward()
    assert bool(value.isfinite())
    assert bool(rows.grad.isfinite().all())


@pytest.mark.parametrize("name", sorted(CLASSES_OF))
def test_embeddings_are_regularised(name):
    """zero-mean adds its weight times the mean of |sum over a row|, of the rows as the loss sees them, to our own form."""
    x = as_seen(batches()["asymmetric"][0], normalise=ENTRIES[name].normalise)
    plain, _ = build(name, {})
    loss, _ = build(name, {"regulariser": "zero-mean", "regulariser_weight": 0.7})
    rows = x.tolist()
    expected = float(plain(x.double(), LABELS)) + 0.7 * math.fsum(abs(math.fsum(row)) for row in rows) / len(rows)
    assert pytest.approx(expected, rel=1e-5) == float(loss(x.double(), LABELS))
    assert getattr(plain, "takes_empty_places", False) == loss.takes_empty_places


def test_lengths_are_regularised_where_there_are_any():
    """Lp adds the mean length of the embeddings to npair; no loss of unit vectors offers it."""
    x = batches()["asymmetric"][0]
    plain, loss = build("npair", {})[0], build("npair", {"regulariser": "lp"})[0]
    expected = float(plain(x, LABELS)) + math.fsum(math.sqrt(math.fsum(v * v for v in row)) for row in x.tolist()) / len(x)
    assert pytest.approx(expected, rel=1e-9) == float(loss(x, LABELS))
    offering = {
        name for name, entry in ENTRIES.items() if "regulariser" in entry.options and entry.options["regulariser"].allowed.contains("lp")
    }
    assert {"npair"} == offering
    assert not ENTRIES["npair"].normalise


def cosine(one, other):
    """Of two rows."""
    return math.fsum(a * b for a, b in zip(one, other, strict=True)) / math.dist(one, [0] * len(one)) / math.dist(other, [0] * len(other))


def center_invariant(vectors):
    """A quarter of the squared distance of each squared length from their mean."""
    squares = [math.fsum(v * v for v in row) for row in vectors]
    mean = math.fsum(squares) / len(squares)
    return math.fsum((square - mean) ** 2 / 4 for square in squares) / len(squares)


def regular_face(vectors):
    """The largest cosine of each vector to another one."""
    places = range(len(vectors))
    return math.fsum(max(cosine(vectors[i], vectors[j]) for j in places if j != i) for i in places) / len(vectors)


def sparse_centers(vectors):
    """√(2 - 2 cos) over the pairs of centres of one class, those of a class side by side, over twice their number."""
    each = ENTRIES["subcenter-arcface"].defaults["sub_centers"]
    pairs = [(i, j) for i in range(len(vectors)) for j in range(i + 1, len(vectors)) if i // each == j // each]
    return math.fsum(math.sqrt(2 - 2 * cosine(vectors[i], vectors[j])) for i, j in pairs) / (2 * len(pairs))


OF_VECTORS = {"center-invariant": center_invariant, "regular-face": regular_face, "sparse-centers": sparse_centers}
WITH_VECTORS = [
    (name, regulariser)
    for name, entry in ENTRIES.items()
    if name not in CLASSES_OF and "regulariser" in entry.options
    for regulariser in entry.options["regulariser"].allowed.options
    if regulariser != "none"
]


@pytest.mark.parametrize(("name", "regulariser"), WITH_VECTORS)
def test_class_vectors_are_regularised(name, regulariser):
    """Each regulariser of class vectors adds its formula, in loops, to our own form, and its gradient reaches them."""
    x = functional.normalize(batches()["asymmetric"][0])
    plain, loss = build(name, {})[0].double(), build(name, {"regulariser": regulariser, "regulariser_weight": 0.4})[0].double()
    ((_, own),) = plain.named_parameters()
    vectors = own.detach() if name == "proxy-anchor" else own.detach().T
    assert vectors.shape[1] == SIZE
    expected = float(plain(x, LABELS).detach()) + 0.4 * OF_VECTORS[regulariser](vectors.tolist())
    value = loss(x, LABELS)
    assert pytest.approx(expected, rel=1e-9) == float(value.detach())
    value.backward()
    plain(x, LABELS).backward()
    ((_, moved),) = loss.named_parameters()
    assert not torch.allclose(own.grad, moved.grad)


@pytest.mark.parametrize(
    ("name", "chosen", "sentence"),
    [
        ("triplet", {"p": 3.0}, "p is of distance = lp alone"),
        ("triplet", {"p": 3.0, "distance": "snr"}, "p is of distance = lp alone"),
        ("triplet", {"squared": True, "distance": "cosine"}, "squared is of the loss's own distance, and of lp"),
        ("triplet", {"average": "all", "soft": True}, "average = all has no effect beside soft = true"),
        ("triplet", {"average": "all", "reducer": "mean"}, "average = all has no effect beside a reducer"),
        ("triplet", {"reducer": "per-anchor"}, "reducer must be own or mean or avg-non-zero or threshold, got 'per-anchor'"),
        ("triplet", {"swap": 1}, "swap must be false or true, got '1'"),
        ("contrastive", {"reducer": "threshold"}, "reducer = threshold needs low, high or both"),
        ("contrastive", {"low": 0.5}, "low is of reducer = threshold alone"),
        ("contrastive", {"reducer": "threshold", "low": 0.5, "high": 0.5}, "low must be less than high, got 0.5 and 0.5"),
        ("contrastive", {"distance": "dot"}, "distance must be own or cosine or lp or snr, got 'dot'"),
        ("contrastive", {"distance": "lp", "p": 0.5}, "p must be a number from 1 to 10, got '0.5'"),
        ("contrastive", {"distance": "lp", "p": math.nan}, "p must be a number from 1 to 10, got 'nan'"),
        ("contrastive", {"regulariser": "lp"}, "regulariser must be none or zero-mean, got 'lp'"),
        ("arcface", {"regulariser_weight": 0.1}, "regulariser_weight needs a regulariser"),
        (
            "arcface",
            {"regulariser": "sparse-centers"},
            "regulariser must be none or center-invariant or regular-face, got 'sparse-centers'",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(name, chosen, sentence):
    """In one sentence, that names the option."""
    with pytest.raises(ValueError, match=r".") as refused:
        ENTRIES[name].with_options(chosen)
    assert str(refused.value).startswith(sentence)


def test_margins_lie_at_the_same_places():
    """With another distance what is a distance or a cosine is searched where it means the same: s = 1 - d² / 2 and r = d²."""
    for name in ("contrastive", "lifted", "gen-lifted"):
        plain, turned = ENTRIES[name], ENTRIES[name].with_options({"distance": "cosine"})
        assert (1.0, 0.5) == (turned.defaults["pos_margin"], turned.defaults["neg_margin"])
        assert turned.space["neg_margin"].high == pytest.approx(1 - plain.space["neg_margin"].low ** 2 / 2)
        assert turned.space["neg_margin"].low == pytest.approx(1 - plain.space["neg_margin"].high ** 2 / 2)
    beta = ENTRIES["margin"].with_options({"distance": "snr"})
    assert (1.44, 0.4) == (beta.defaults["beta"], beta.defaults["margin"])
    base = ENTRIES["multi-similarity"].with_options({"distance": "lp"})
    assert 1.0 == base.defaults["base"]
    assert ENTRIES["contrastive"].space == ENTRIES["contrastive"].with_options({"distance": "lp"}).space


def test_the_factories_of_rows_without_options_are_the_shipped_ones():
    """An entry's own factory is not touched by what is declared beside it, and no option's name is a parameter's."""
    for name, (declared, _) in options.BY_NAME.items():
        entry = ENTRIES[name]
        assert entry.build.__module__ != "siambench.builtin.losses.variants"
        assert entry.with_options({}) is entry
        assert entry.with_options({option: one.neutral for option, one in declared.items()}) is entry
        assert not {*declared} & {*entry.defaults}
