"""Sound losses and miners, and for every contract some that are sound but for breaking it."""

from __future__ import annotations

import os
import random

import torch
from torch import nn

from siambench.components.component import Component, Provenance
from siambench.plugin import Choice, Fingerprint, Float, Int, LossEntry, MinerEntry, Option

MARGIN = {"space": {"margin": Float(0.0, 1.0)}, "defaults": {"margin": 0.5}}


SWAP = {"swap": Option(neutral=False, allowed=Choice(False, True))}  # noqa: FBT003  what can be chosen


def without_swap(margin, swap=False):  # noqa: FBT002  as options are handed
    if swap:
        raise ValueError("no swap")
    return Sound(margin)


class Sound(nn.Module):
    """Positives are drawn together, negatives pushed apart; finite where there are none. All the bad losses derive from it."""

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels, indices=None):
        """One value of a batch."""
        distances = torch.cdist(embeddings, embeddings)
        same = labels[:, None] == labels
        if indices is None:
            near, far = distances[same], distances[~same]
        else:
            a, p, b, n = (*indices[:2], indices[0], indices[2]) if len(indices) == 3 else indices
            near, far = distances[a, p], distances[b, n]
        push = (self.margin - far).relu()
        return near.sum() / max(len(near), 1) + push.sum() / max(len(push), 1)


def made(build, kind="losses", name="made", **options):
    """A component of that kind around a factory, from no installed plugin."""
    entry = {"losses": LossEntry, "miners": MinerEntry}[kind](build, source="made for a test", **options)
    return Component(kind, name, entry, Provenance("not-installed", "tests", "0"))


def loss(forward, **options):
    """A loss whose `forward(embeddings, labels, indices, sound)` may ask the sound loss for its value."""

    class Made(Sound):
        def forward(self, embeddings, labels, indices=None):
            return forward(embeddings, labels, indices, lambda: Sound.forward(self, embeddings, labels, indices))

    return made(Made, **{"takes": "triplets", "feeds": ("classes", "pairs"), **options})


def printing(value):
    print("a component that talks")  # noqa: T201  what the contract is about
    return value


def without_margin_above(limit):
    def build(margin):
        if margin > limit:
            raise ValueError(f"no margin above {limit}")
        return Sound(margin)

    return build


class Proxies(Sound):
    """A loss with class weights; `used` of its two parameters are in the value."""

    def __init__(self, num_classes, embedding_size, *, used):
        super().__init__()
        self.first = nn.Parameter(torch.randn(num_classes, embedding_size))
        self.second = nn.Parameter(torch.zeros(1))
        self.used = used

    def forward(self, embeddings, labels):
        """One value of a batch."""
        value = nn.functional.cross_entropy(embeddings @ self.first.T, labels)
        return value + (self.second.square() + self.second).sum() if self.used == 2 else value


class ByPlace(Sound):
    """The first images of a class are anchors, the others are drawn to them: they play two roles."""

    def forward(self, embeddings, labels):
        """One value of a batch."""
        first = (labels[:, None] == labels).int().argmax(dim=1)
        weights = torch.where(first == torch.arange(len(labels)), 1.0, 3.0)
        return (weights * embeddings[:, 0]).mean() + super().forward(embeddings, labels)


class Divided(Sound):
    """Overflows where the scale is tiny."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, embeddings, labels):
        """One value of a batch."""
        return super().forward(embeddings, labels) / self.scale**5


def mean_of_nothing(embeddings, labels, indices, sound):
    distances = torch.cdist(embeddings, embeddings)
    return sound() if indices else distances[labels[:, None] != labels].mean().neg().exp()


def root_of_nothing(embeddings, labels, indices, sound):
    anchor, positive = ((labels[:, None] == labels) & ~torch.eye(len(labels), dtype=torch.bool)).nonzero(as_tuple=True)
    return sound() + 1e-3 * (embeddings[anchor] - embeddings[positive]).square().sum(dim=1).sqrt().sum()


def three_tensors_only(embeddings, labels, indices, sound):
    if indices is not None:
        _, _, _ = indices
    return sound()


def four_tensors_only(embeddings, labels, indices, sound):
    if indices is not None:
        _, _, _, _ = indices
    return sound()


class Paced(Sound):
    """Names how far the training is and the groups of the classes, and pushes items of one group less."""

    def forward(self, embeddings, labels, *, progress, groups):
        """One value of a batch."""
        assert 0 <= progress <= 1
        assert groups.shape == labels.shape
        return (1 + progress) * super().forward(embeddings, labels)


def changing(which):
    def forward(embeddings, labels, indices, sound):
        value = sound()
        if which == "labels":
            labels.zero_()
        elif which == "embeddings":
            embeddings.data.mul_(2)
        elif indices is not None:
            indices[0].data.zero_()
        return value

    return forward


class Leaves(Sound):
    """Has class weights that require a gradient, held somewhere that no optimiser looks."""

    def __init__(self, num_classes, embedding_size, *, hold):
        super().__init__()
        hold(self, torch.randn(num_classes, embedding_size))

    def forward(self, embeddings, labels):
        """One value of a batch."""
        return nn.functional.cross_entropy(embeddings @ self.weights().T, labels)


KEPT_ELSEWHERE = []


def as_attribute(loss, weights):
    loss.proxies = weights.requires_grad_()
    loss.weights = lambda: loss.proxies


def in_a_list(loss, weights):
    loss.parts = [part.clone().requires_grad_() for part in weights]
    loss.weights = lambda: torch.stack(loss.parts)


def in_a_dict(loss, weights):
    loss.held = {"of all": weights.requires_grad_()}
    loss.weights = lambda: loss.held["of all"]


def in_an_object(loss, weights):
    loss.bank = type("Bank", (), {})()
    loss.bank.proxies = weights.requires_grad_()
    loss.weights = lambda: loss.bank.proxies


def as_parameters_in_a_list(loss, weights):
    loss.parts = [nn.Parameter(part.clone()) for part in weights]
    loss.weights = lambda: torch.stack(loss.parts)


def outside(loss, weights):
    KEPT_ELSEWHERE[:] = [weights.requires_grad_()]
    loss.weights = lambda: KEPT_ELSEWHERE[0]


def as_buffer(loss, weights):
    loss.register_buffer("proxies", weights.requires_grad_())
    loss.weights = lambda: loss.proxies


def when_first_called(loss, weights):
    def late():
        if not hasattr(loss, "late"):
            loss.late = nn.Parameter(weights)
        return loss.late

    loss.weights = late


def leaving(hold):
    return made(lambda num_classes, embedding_size: Leaves(num_classes, embedding_size, hold=hold))


class Penalised(Sound):
    """Adds a penalty on the gradient at points of its own, made anew in each step: nothing that could be trained."""

    def forward(self, embeddings, labels):
        """One value of a batch."""
        points = embeddings.detach().requires_grad_()
        (slope,) = torch.autograd.grad(points.square().sum(), points, create_graph=True)
        return super().forward(embeddings, labels) + 1e-3 * slope.square().mean()


class Rounded(Sound):
    """Multiplies by its scale and divides by it: another value in its last digits alone."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, embeddings, labels):
        """One value of a batch."""
        return super().forward(embeddings, labels) * self.scale / self.scale


def globally(embeddings, labels, indices, sound):
    os.environ["MADE_BY_A_LOSS"] = "1"
    return sound()


UNREGISTERED = {
    "proxies [16, 8] requires a gradient and is no torch.nn.Parameter: the optimiser never moves it": as_attribute,
    "parts[0] [8] requires a gradient and is no torch.nn.Parameter": in_a_list,
    "held['of all'] [16, 8] requires a gradient": in_a_dict,
    "bank.proxies [16, 8] requires a gradient": in_an_object,
    "parts[0] [8] requires a gradient and is a Parameter that no module has registered": as_parameters_in_a_list,
    "a tensor [16, 8] requires a gradient": outside,
    "proxies [16, 8] requires a gradient and is no torch.nn.Parameter": as_buffer,
    "its parameter late [16, 8] was made, or asked for a gradient, after it was built": when_first_called,
}
"""By words of the reason: where a loss holds its class weights."""

BAD_LOSSES = [
    ("leaves-the-process-alone", "the environment changed: MADE_BY_A_LOSS", loss(globally)),
    *(("registered-parameters", words, leaving(hold)) for words, hold in UNREGISTERED.items()),
    ("space-effect", "scale changes nothing", made(Rounded, space={"scale": Float(0.3, 3.0)}, defaults={"scale": 1.0})),
    ("scalar", "must return a scalar tensor, got shape (24,)", loss(lambda e, y, i, sound: e.sum(dim=1))),
    ("scalar", "must return a scalar tensor, got float", loss(lambda e, y, i, sound: 0.5)),
    ("scalar", "a value without a gradient", loss(lambda e, y, i, sound: sound().detach())),
    ("scalar", "the loss is nan", loss(lambda e, y, i, sound: sound() * torch.nan)),
    ("scalar", "torch.nn.Module, got method", made(lambda: Sound().forward)),
    ("scalar", "KeyError: 'anchor'", loss(lambda e, y, i, sound: {}["anchor"])),
    ("edge-batches", "on a batch of one class: the loss is nan", loss(mean_of_nothing)),
    (
        "edge-batches",
        "on a batch whose images of one class are duplicates: the gradient is not finite",
        loss(root_of_nothing),
    ),
    ("edge-batches", "on a batch of singletons: it raises IndexError", loss(lambda e, y, i, sound: [sound()][len(y.unique()) == len(y)])),
    ("indices", "given pairs: it raises ValueError: too many values", loss(three_tensors_only)),
    (
        "indices",
        "given no triplet at all: the loss is nan",
        loss(lambda e, y, i, sound: sound() * (1 if i is None else i[0].float().mean())),
    ),
    (
        "indices",
        "given fed triplets: it raises ValueError: not enough values",
        loss(four_tensors_only, takes="none", feeds=("classes", "pairs", "triplets")),
    ),
    ("indices", "whatever the indices", loss(lambda e, y, i, sound: Sound()(e, y))),
    ("gradient", "no gradient reaches the backbone", loss(lambda e, y, i, sound: sound().detach() + 0 * e.sum())),
    ("own-parameters", "no parameter to train", loss(lambda e, y, i, sound: sound(), own_parameters=True)),
    ("own-parameters", "first, second to train", made(lambda num_classes, embedding_size: Proxies(num_classes, embedding_size, used=2))),
    (
        "own-parameters",
        "do not move its parameter second",
        made(lambda num_classes, embedding_size: Proxies(num_classes, embedding_size, used=1), own_parameters=True),
    ),
    (
        "own-parameters",
        "its parameter second is in none of the groups first",
        made(lambda num_classes, embedding_size: Proxies(num_classes, embedding_size, used=2), own_parameters=("first",)),
    ),
    ("options", "the option swap changes nothing", made(lambda margin, swap=False: Sound(margin), options=SWAP, **MARGIN)),
    ("options", "with swap = True: it raises ValueError: no swap", made(without_swap, options=SWAP, **MARGIN)),
    (
        "fingerprint",
        "with margin = 0, on 2 classes of 2 equal embeddings: the loss is 0, its fingerprint says 0.5",
        made(Sound, fingerprint=Fingerprint(forms_tuples=True, at_equality=lambda *_: 0.5), **MARGIN),
    ),
    (
        "fingerprint",
        "with margin = 0.5, on 2 classes of 2 equal embeddings: at_equality must give a finite number or None, got nan",
        made(Sound, fingerprint=Fingerprint(forms_tuples=True, at_equality=lambda *_: float("nan")), **MARGIN),
    ),
    (
        "fingerprint",
        "KeyError: 'mrgin'",
        made(Sound, fingerprint=Fingerprint(forms_tuples=True, at_equality=lambda params, *_: params["mrgin"]), **MARGIN),
    ),
    ("space", "with margin = 1: it raises ValueError: no margin above 0.9", made(without_margin_above(0.9), **MARGIN)),
    (
        "space",
        "with scale = 1e-09: the loss is inf",
        made(Divided, space={"scale": Float(1e-9, 1.0)}, defaults={"scale": 1.0}),
    ),
    ("space-effect", "margin changes nothing", made(lambda margin: Sound(0.5), **MARGIN)),
    (
        "permutation",
        "with the same images in another order",
        loss(lambda e, y, i, sound: sound() + (e[:, 0] * torch.arange(len(e))).mean()),
    ),
    ("permutation", "with the same images in another order", made(ByPlace, images_per_class=4)),
    (
        "permutation",
        "with the same images in another order",
        loss(lambda e, y, i, sound: sound() + (e[:, 0] * torch.arange(len(e))).mean(), images_per_class=2),
    ),
    ("determinism", "different values", loss(lambda e, y, i, sound: sound() * random.SystemRandom().random())),
    ("inputs-kept", "labels", loss(changing("labels"))),
    ("inputs-kept", "embeddings", loss(changing("embeddings"))),
    ("inputs-kept", "indices[0]", loss(changing("indices"))),
    ("quiet", "a component that talks", loss(lambda e, y, i, sound: printing(sound()))),
]


class Nearest:
    """Every positive pair with the anchor's nearest negatives. All the bad miners derive from it."""

    def __init__(self, count=2):
        self.count = count

    def __call__(self, embeddings, labels):
        """Triplets of a batch."""
        same = labels[:, None] == labels
        count = min(self.count, int((~same).sum(dim=1).min()))
        return self.mined(embeddings, same, count)

    def mined(self, embeddings, same, count):
        """Triplets, of the anchor's nearest negatives."""
        nearest = torch.cdist(embeddings, embeddings).masked_fill(same, torch.inf).topk(count, largest=False).indices
        anchor, positive = (same & ~torch.eye(len(same), dtype=torch.bool)).nonzero(as_tuple=True)
        return anchor.repeat_interleave(count), positive.repeat_interleave(count), nearest[anchor].flatten()


class Greedy(Nearest):
    """Asks for more negatives than a batch may have."""

    def __call__(self, embeddings, labels):
        """Triplets of a batch."""
        return self.mined(embeddings, labels[:, None] == labels, self.count)


def miner(change, **options):
    """A miner of triplets: `change(anchor, positive, negative, embeddings, labels)` of the sound ones."""
    return made(lambda: lambda e, y: change(*Nearest()(e, y), e, y), "miners", **options)


def emptying(tensor, value):
    tensor.zero_()
    return value


def at_most_twenty(count):
    if count > 20:
        raise ValueError("no more than twenty")
    return Nearest(count)


def cut_anywhere(anchor, positive, negative, embeddings, labels):
    first = random.SystemRandom().randrange(max(len(anchor), 1))
    return anchor[first:], positive[first:], negative[first:]


def not_for_singletons(anchor, positive, negative, embeddings, labels):
    if len(anchor) == 0 and len(labels.unique()) > 1:
        raise IndexError("no anchor")
    return anchor, positive, negative


def first_hundred():
    """A miner of whatever many items that chooses among the first hundred."""
    return lambda embeddings, labels: Nearest()(embeddings[:100], labels[:100])


def all_at_once(embeddings, labels):
    """The same, with a matrix of all items."""
    torch.zeros(len(labels), len(labels), dtype=torch.bool)
    return first_hundred()(embeddings, labels)


COUNT = {"space": {"count": Int(1, 8)}, "defaults": {"count": 2}}
BAD_MINERS = [
    (
        "leaves-the-process-alone",
        "the default dtype is torch.float64",
        miner(lambda a, p, n, e, y: torch.set_default_dtype(torch.float64) or (a, p, n)),
    ),
    ("tuples", "takes 4 index tensors, got 3", miner(lambda a, p, n, e, y: (a, p, n), gives="pairs")),
    ("tuples", "takes 3 index tensors, got 4", miner(lambda a, p, n, e, y: (a, p, a, n))),
    ("tuples", "got torch.int32", miner(lambda a, p, n, e, y: (a.int(), p.int(), n.int()))),
    ("tuples", "got list", miner(lambda a, p, n, e, y: (a.tolist(), p, n))),
    ("tuples", "must lie in 0 … 23", miner(lambda a, p, n, e, y: (a, p, n + len(y)))),
    ("tuples", "of one length", miner(lambda a, p, n, e, y: (a, p, n[1:]))),
    ("tuples", "of two classes", miner(lambda a, p, n, e, y: (a, n, n))),
    ("tuples", "its own positive", miner(lambda a, p, n, e, y: (a, a, n))),
    ("tuples", "its negative are of one class", miner(lambda a, p, n, e, y: (a, p, p))),
    ("tuples", "not one tuple", miner(lambda a, p, n, e, y: (a[:0], p[:0], n[:0]))),
    ("tuples", "something to call, got NoneType", made(lambda: None, "miners")),
    ("tuples", "KeyError: 'anchor'", miner(lambda a, p, n, e, y: {}["anchor"])),
    ("edge-batches", "on a batch of one class: an anchor and its negative are of one class", made(lambda: Greedy(1), "miners")),
    ("edge-batches", "on a batch of singletons: it raises IndexError", miner(not_for_singletons)),
    ("space", "with count = 64", made(at_most_twenty, "miners", space={"count": Int(1, 64)}, defaults={"count": 2})),
    ("space-effect", "count changes nothing", made(lambda count: Nearest(), "miners", **COUNT)),
    ("permutation", "it finds other tuples", miner(lambda a, p, n, e, y: (a[:32], p[:32], n[:32]))),
    ("determinism", "different tuples", miner(cut_anywhere)),
    ("inputs-kept", "embeddings", miner(lambda a, p, n, e, y: emptying(e, (a, p, n)))),
    ("inputs-kept", "labels", miner(lambda a, p, n, e, y: emptying(y, (a, p, n)))),
    ("memory", "of 6000 items it makes a tensor of 34 MB", made(lambda: all_at_once, "miners", scope="training-set")),
    ("quiet", "a component that talks", miner(lambda a, p, n, e, y: printing((a, p, n)))),
]
