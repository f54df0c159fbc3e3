import itertools
import math

import pytest
import torch
from torch.nn import functional

from siambench.builtin.losses import siambench_losses
from siambench.plugin import call_factory

ENTRIES = siambench_losses()
# Classes of four, three, two and one image, out of order: nothing is symmetric.
LABELS = torch.tensor([2, 0, 1, 0, 3, 1, 0, 2, 0, 1])
CLASSES, SIZE = 4, 5


def build(name, **params):
    """The loss as its entry builds it."""
    entry = ENTRIES[name]
    torch.manual_seed(7)
    return call_factory(entry.build, {"num_classes": CLASSES, "embedding_size": SIZE, **entry.defaults, **params})


def points(*, normalise=True, seed=0):
    """Embeddings float64 [10, 5], no two alike."""
    drawn = torch.randn(len(LABELS), SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return functional.normalize(drawn) if normalise else drawn


def pairs(labels):
    """Ordered pairs (i, j), i ≠ j, of one class, and of two."""
    everyone = [(i, j) for i in range(len(labels)) for j in range(len(labels)) if i != j]
    return [(i, j) for i, j in everyone if labels[i] == labels[j]], [(i, j) for i, j in everyone if labels[i] != labels[j]]


def mean_of_positive(values):
    """Mean of those above zero; 0 if there are none."""
    active = [value for value in values if value > 0]
    return math.fsum(active) / len(active) if active else 0.0


def distance(x, i, j):
    """Euclidean distance of two rows."""
    return math.sqrt(math.fsum(float(d) ** 2 for d in x[i] - x[j]))


def dot(x, i, j):
    """Inner product of two rows."""
    return math.fsum(float(a) * float(b) for a, b in zip(x[i], x[j], strict=True))


def contrastive(x, labels, pos_margin, neg_margin):
    """[d(a, p) - pos_margin]₊ over genuine pairs plus [neg_margin - d(a, n)]₊ over impostors, each the mean of what costs."""
    genuine, impostors = pairs(labels)
    return mean_of_positive([distance(x, i, j) - pos_margin for i, j in genuine]) + mean_of_positive(
        [neg_margin - distance(x, i, j) for i, j in impostors]
    )


def triplet(x, labels, margin):
    """[d(a, p) - d(a, n) + margin]₊, mean over the triplets that violate the margin."""
    genuine, impostors = pairs(labels)
    return mean_of_positive([distance(x, a, p) - distance(x, a, n) + margin for a, p in genuine for b, n in impostors if a == b])


def npair(x, labels, l2_weight):
    """-log of the softmax over the classes' positives, one pair of each class, plus the weighted mean of squared norms."""
    chosen = {}
    for a, p in pairs(labels)[0]:
        chosen.setdefault(int(labels[a]), (a, p))
    anchors, positives = zip(*(chosen[label] for label in sorted(chosen)), strict=True)
    total = [
        math.log(1 + math.fsum(math.exp(dot(x, a, other) - dot(x, a, p)) for other in positives if other != p))
        for a, p in zip(anchors, positives, strict=True)
    ]
    norms = [dot(x, i, i) for i in range(len(x))]
    return math.fsum(total) / len(total) + l2_weight * math.fsum(norms) / len(norms)


def angular(x, labels, alpha):
    """log(1 + Σ over n of exp(4 tan²α (a + p)·n - 2 (1 + tan²α) a·p)), mean over genuine pairs."""
    square = math.tan(math.radians(alpha)) ** 2
    genuine, impostors = pairs(labels)
    total = []
    for a, p in genuine:
        terms = [4 * square * (dot(x, a, n) + dot(x, p, n)) - 2 * (1 + square) * dot(x, a, p) for b, n in impostors if b == a]
        total.append(math.log(1 + math.fsum(math.exp(term) for term in terms)))
    return math.fsum(total) / len(total)


def ntxent(x, labels, temperature):
    """-log of exp(a·p / τ) over itself and all exp(a·n / τ), mean over genuine pairs."""
    genuine, impostors = pairs(labels)
    total = []
    for a, p in genuine:
        others = [math.exp((dot(x, a, n) - dot(x, a, p)) / temperature) for b, n in impostors if b == a]
        total.append(math.log(1 + math.fsum(others)))
    return math.fsum(total) / len(total)


def supcon(x, labels, temperature):
    """Mean over a's positives of -log(exp(a·p / τ) / Σ over all others), mean over anchors that have a positive."""
    total = []
    for a in range(len(labels)):
        positives = [p for p in range(len(labels)) if p != a and labels[p] == labels[a]]
        if positives:
            everyone = math.log(math.fsum(math.exp(dot(x, a, k) / temperature) for k in range(len(labels)) if k != a))
            total.append(math.fsum(everyone - dot(x, a, p) / temperature for p in positives) / len(positives))
    return math.fsum(total) / len(total)


def multi_similarity(x, labels, alpha, beta, base):
    """1/α log(1 + Σ exp(-α (S - λ))) over positives plus 1/β log(1 + Σ exp(β (S - λ))) over negatives, mean over anchors."""
    genuine, impostors = pairs(labels)
    total = 0.0
    for a in range(len(labels)):
        near = math.fsum(math.exp(-alpha * (dot(x, a, p) - base)) for b, p in genuine if b == a)
        far = math.fsum(math.exp(beta * (dot(x, a, n) - base)) for b, n in impostors if b == a)
        total += math.log(1 + near) / alpha + math.log(1 + far) / beta
    return total / len(labels)


def cosines(x, proxies):
    """Cosine of each row of ``x`` with each row of ``proxies``."""
    proxies = functional.normalize(proxies.detach().double())
    return [[math.fsum(float(a) * float(b) for a, b in zip(row, proxy, strict=True)) for proxy in proxies] for row in x]


def proxy_anchor(x, labels, margin, alpha, proxies):
    """log(1 + Σ exp(-α (s - δ))) over each proxy's images, mean over proxies that have some; likewise exp(α (s + δ)) over all proxies."""
    cosine = cosines(x, proxies)
    near, far = [], []
    for c in range(len(proxies)):
        own = [cosine[i][c] for i in range(len(labels)) if labels[i] == c]
        if own:
            near.append(math.log(1 + math.fsum(math.exp(-alpha * (s - margin)) for s in own)))
        far.append(math.log(1 + math.fsum(math.exp(alpha * (cosine[i][c] + margin)) for i in range(len(labels)) if labels[i] != c)))
    return math.fsum(near) / len(near) + math.fsum(far) / len(proxies)


def arcface(x, labels, margin, scale, proxies):
    """Cross-entropy of scale · cos θ with ``margin`` degrees added to the angle of the true class; past 180° cos θ - m sin m."""
    angle = math.radians(margin)
    total = []
    for row, label in zip(cosines(x, proxies), labels.tolist(), strict=True):
        theta = math.acos(row[label])
        true = math.cos(theta + angle) if theta + angle <= math.pi else math.cos(theta) - angle * math.sin(angle)
        logits = [scale * (true if c == label else value) for c, value in enumerate(row)]
        most = max(logits)
        total.append(most + math.log(math.fsum(math.exp(value - most) for value in logits)) - logits[label])
    return math.fsum(total) / len(total)


REFERENCES = {
    "contrastive": (contrastive, [{}, {"pos_margin": 0.7, "neg_margin": 1.3}, {"pos_margin": -0.2, "neg_margin": -0.2}]),
    "triplet": (triplet, [{}, {"margin": 0.9}, {"margin": -0.2}]),
    "npair": (npair, [{}, {"l2_weight": 0.1}]),
    "angular": (angular, [{}, {"alpha": 20.0}, {"alpha": 70.0}]),
    "ntxent": (ntxent, [{}, {"temperature": 3.0}]),
    "supcon": (supcon, [{}, {"temperature": 10.0}]),
    "multi-similarity": (multi_similarity, [{}, {"alpha": 17.0, "beta": 3.0, "base": 0.0}]),
}


@pytest.mark.parametrize(("name", "params"), [(name, params) for name, (_, cases) in REFERENCES.items() for params in cases])
def test_tuple_losses_follow_their_papers(name, params):
    """Each loss without parameters of its own equals the paper's formula, summed pair by pair in float64."""
    x = points(normalise=ENTRIES[name].normalise)
    expected = REFERENCES[name][0](x, LABELS.tolist(), **{**ENTRIES[name].defaults, **params})

    actual = build(name, **params)(x, LABELS)

    assert pytest.approx(expected, rel=1e-10, abs=1e-12) == float(actual)


@pytest.mark.parametrize("params", [{}, {"margin": 0.8, "alpha": 3.0}])
def test_proxy_anchor_follows_its_paper(params):
    """Proxy-anchor equals its formula, with a class that the batch lacks among the proxies."""
    loss, x, labels = build("proxy-anchor", num_classes=6, **params), points(), LABELS.clone()
    proxies = next(loss.parameters())
    expected = proxy_anchor(x, labels, proxies=proxies, **{**ENTRIES["proxy-anchor"].defaults, **params})

    assert pytest.approx(expected, rel=1e-10) == float(loss(x, labels).detach())


@pytest.mark.parametrize("params", [{}, {"margin": 85.0, "scale": 3.0}, {"margin": 0.0, "scale": 0.5}])
def test_arcface_follows_its_paper(params):
    """ArcFace equals its formula, angles beyond 180° included."""
    loss, x = build("arcface", **params), points()
    proxies = next(loss.parameters()).T
    expected = arcface(x, LABELS, proxies=proxies, **{**ENTRIES["arcface"].defaults, **params})

    assert pytest.approx(expected, rel=1e-10) == float(loss(x, LABELS).detach())


def test_every_loss_has_a_reference():
    """No loss is registered without a formula that it is held against."""
    assert sorted(ENTRIES) == sorted([*REFERENCES, "proxy-anchor", "arcface"])


@pytest.mark.parametrize("name", ["contrastive", "triplet"])
def test_pair_losses_take_indices_in_either_form(name):
    """Given triplets, or the pairs that they consist of, a loss counts exactly those."""
    x = points()
    triplets = [(1, 3, 2), (1, 8, 4), (6, 3, 5)]
    anchor, positive, negative = (torch.tensor(column) for column in zip(*triplets, strict=True))
    if name == "triplet":
        expected = mean_of_positive([distance(x, a, p) - distance(x, a, n) + 0.1 for a, p, n in triplets])
    else:
        expected = mean_of_positive([distance(x, a, p) for a, p, _ in triplets]) + mean_of_positive(
            [1.0 - distance(x, a, n) for a, _, n in triplets]
        )

    assert pytest.approx(expected, rel=1e-10) == float(build(name)(x, LABELS, (anchor, positive, negative)))
    if name == "contrastive":
        assert pytest.approx(expected, rel=1e-10) == float(build(name)(x, LABELS, (anchor, positive, anchor, negative)))


def test_losses_for_pairs_and_triplets_use_the_indices():
    """A loss that claims to take tuples gives another value for some tuples than for all of the batch."""
    x = points()
    few = (torch.tensor([1, 6]), torch.tensor([3, 8]), torch.tensor([1, 6]), torch.tensor([2, 4]))
    for name, entry in ENTRIES.items():
        if entry.takes != "none":
            loss = build(name)
            assert float(loss(x, LABELS).detach()) != float(loss(x, LABELS, few).detach()), name


# Values at total collapse: 8 classes × 4 images, all embeddings equal.
COLLAPSED = {
    "contrastive": 1.0,  # neg_margin
    "triplet": 0.1,  # margin
    "npair": math.log(8) + 2e-3,  # ln K, and the penalty on squared norms of 1
    "ntxent": 3.3673,  # ln 29
    "supcon": 3.4340,  # ln 31
    "multi-similarity": 0.9385,
}


@pytest.mark.parametrize("name", COLLAPSED)
def test_collapse_has_its_fingerprint(name):
    """When all embeddings are equal, a loss is the constant by which collapse is known."""
    labels = torch.arange(8).repeat_interleave(4)
    equal = functional.normalize(torch.ones(32, 16, dtype=torch.float64))

    assert pytest.approx(COLLAPSED[name], abs=1e-4) == float(build(name)(equal, labels))


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_gradients_reach_the_embeddings_and_the_loss(name):
    """The embeddings, and the loss's own parameters where its entry says it has some, get a gradient that is not zero."""
    x = points().requires_grad_()
    loss = build(name)

    loss(x, LABELS).backward()

    assert x.grad is not None
    assert float(x.grad.norm()) > 0
    own = list(loss.parameters())
    assert bool(own) == ENTRIES[name].own_parameters
    assert all(float(p.grad.norm()) > 0 for p in own)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_gradients_are_those_of_the_value(name):
    """The gradient is the change of the value, by finite differences in float64."""
    loss = build(name, **({"scale": 4.0} if name == "arcface" else {}))
    embeddings = points(seed=3).requires_grad_()

    assert torch.autograd.gradcheck(lambda x: loss(x, LABELS), (embeddings,), eps=1e-6, atol=1e-5)


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_a_batch_without_a_positive_costs_nothing_it_cannot_say(name):
    """A batch of different classes gives a finite scalar with a gradient, so that training goes on."""
    labels = torch.arange(CLASSES)
    x = points()[:CLASSES].clone().requires_grad_()

    value = build(name)(x, labels)

    assert value.ndim == 0
    assert bool(torch.isfinite(value))
    assert value.requires_grad


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_bounds_of_the_space_give_numbers(name):
    """At each end of each dimension of its spaces a loss in fp32 is finite, and so is its gradient."""
    entry = ENTRIES[name]
    spaces = [entry.space, *entry.spaces.values()]
    for parameter, dimension in itertools.chain.from_iterable(space.items() for space in spaces):
        for value in (dimension.low, dimension.high):
            x = points().float().requires_grad_()
            found = build(name, **{parameter: value})(x, LABELS)
            found.backward()
            assert bool(torch.isfinite(found)), (parameter, value)
            assert bool(torch.isfinite(x.grad).all()), (parameter, value)
