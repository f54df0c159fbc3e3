"""Plain torch objects with a known fault, or without it: what people have in their notebooks, and what `siambench.diagnose` is given."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import faults
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

import siambench
from siambench.spec import SplitSpec
from siambench.tracks.split import cut

BATCH, STEPS = 64, 80


@dataclass(frozen=True, kw_only=True)
class Characters:
    """Fold 0 of the laboratory's data: fp32 images [N, 1, 24, 24] in [0, 1] and int64 labels [N] of both sides."""

    images: Tensor
    labels: Tensor
    other_images: Tensor
    other_labels: Tensor


@dataclass(frozen=True, kw_only=True)
class Objects:
    """What `siambench.diagnose` is given, and how the laboratory judges it.

    Args:
        model: of one item, or of two.
        loss: called as `siambench.diagnose` says.
        batches: to train on, one step each.
        optimiser: of whatever its author gave it.
        first: embeds queries; None: the model.
        second: embeds what they are compared with; None: as queries.
        judged_in: how many items at once its author judges in training mode; None: ``model.eval()`` was not forgotten.
        judged_moved: whether what is judged is moved as what it was trained on.
    """

    model: nn.Module
    loss: Callable[..., Tensor]
    batches: Sequence[tuple[Tensor, ...]]
    optimiser: torch.optim.Optimizer
    first: nn.Module | None = None
    second: nn.Module | None = None
    judged_in: int | None = None
    judged_moved: bool = False


@functools.cache
def characters(of: str = "glyphs") -> Characters:
    """The data, read once."""
    whole = faults.data(of, "none", 0.0, 240)
    rules = SplitSpec(rule="official", folds=2, group=faults.GROUP[of], test_fraction=0.5, acknowledged_duplicates=0)
    training, validation = (np.asarray(part) for part in cut(whole, rules).folds[0])

    def read(numbers):
        return torch.from_numpy(np.asarray(whole.read(numbers))).float() / 255, torch.from_numpy(
            np.unique(whole.labels[numbers], return_inverse=True)[1]
        )

    (images, labels), (other_images, other_labels) = read(training), read(validation)
    return Characters(images=images, labels=labels, other_images=other_images, other_labels=other_labels)


class Embedder(nn.Module):
    """Two blocks of convolution and a head; embeddings of unit length."""

    def __init__(self, *, size: int = 32, width: int = 16, norm: bool = False) -> None:
        super().__init__()
        parts, channels = [], 1
        for _ in range(2):
            parts += [nn.Conv2d(channels, width, 3, padding=1), *([nn.BatchNorm2d(width)] if norm else []), nn.ReLU(), nn.MaxPool2d(2)]
            channels, width = width, width * 2
        self.trunk, self.head = nn.Sequential(*parts, nn.Flatten()), nn.Linear(channels * 36, size)

    def forward(self, items):
        """Embeddings [B, D]."""
        return functional.normalize(self.head(self.trunk(items)))


class Twins(nn.Module):
    """One network for both items of a pair; or a network for each, where its author made two."""

    def __init__(self, *, shared: bool) -> None:
        super().__init__()
        self.left = Embedder()
        self.right = self.left if shared else Embedder()

    def forward(self, first, second):
        """Embeddings of both."""
        return self.left(first), self.right(second)


class Proxies(nn.Module):
    """Cosines to a vector of each class, divided by a temperature, behind a softmax.

    Args:
        classes: how many.
        size: of an embedding.
        registered: whether the vectors are a Parameter; else a leaf that nobody sees.
        shared: what all of them have in common, by which they lie near each other before they are trained.
    """

    def __init__(self, classes: int, size: int, *, registered: bool, shared: float) -> None:
        super().__init__()
        vectors = torch.randn(classes, size) + shared
        self.vectors = nn.Parameter(vectors) if registered else vectors.requires_grad_()

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        return functional.cross_entropy(embeddings @ functional.normalize(self.vectors).T / 0.1, labels)


class Contrastive(nn.Module):
    """Contrastive loss of pairs, for labels of which 1 says that both are of one class."""

    def __init__(self, margin: float = 1.0) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, first, second, same):
        """The loss of a batch."""
        distances = functional.pairwise_distance(first, second)
        return (same * distances.square() + (1 - same) * (self.margin - distances).clamp(min=0).square()).mean()


class Views(nn.Module):
    """Two views of each item have to find each other in the batch (Chen et al., A Simple Framework for Contrastive Learning, ICML 2020)."""

    def forward(self, first, second, same):
        """The loss of a batch; of what ``same`` says it needs nothing."""
        cosines = first @ second.T / 0.1
        target = torch.arange(len(first))
        return (functional.cross_entropy(cosines, target) + functional.cross_entropy(cosines.T, target)) / 2


class Triplets(nn.Module):
    """Triplet loss of anchors, positives and negatives."""

    def forward(self, anchor, positive, negative):
        """The loss of a batch."""
        near, far = functional.pairwise_distance(anchor, positive), functional.pairwise_distance(anchor, negative)
        return (near - far + 0.2).clamp(min=0).mean()


def _pairs(data: Characters, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Numbers of left and right items, and whether they are of one class: half of the pairs are."""
    left = torch.randint(len(data.labels), (BATCH,), generator=generator)
    right = torch.randint(len(data.labels), (BATCH,), generator=generator)
    for place in range(0, BATCH, 2):
        members = torch.nonzero(data.labels == data.labels[left[place]]).flatten()
        members = members[members != left[place]]
        right[place] = members[torch.randint(len(members), (1,), generator=generator)]
    return left, right, (data.labels[left] == data.labels[right]).float()


def _view(images: Tensor, generator: torch.Generator) -> Tensor:
    """Each image turned by up to 20°, scaled by up to a tenth, moved by up to a tenth, with noise."""
    count = len(images)
    angle = (torch.rand(count, generator=generator) - 0.5) * 0.7
    scale = 0.9 + 0.2 * torch.rand(count, generator=generator)
    shift = (torch.rand(count, 2, generator=generator) - 0.5) * 0.4
    rows = [torch.stack([scale * angle.cos(), -scale * angle.sin(), shift[:, 0]], 1)]
    rows += [torch.stack([scale * angle.sin(), scale * angle.cos(), shift[:, 1]], 1)]
    grid = functional.affine_grid(torch.stack(rows, 1), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, align_corners=False)
    return moved + 0.1 * torch.randn(images.shape, generator=generator)


def _adam(*modules: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([p for module in modules for p in module.parameters()], lr=4e-3)


def swapped_labels(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """The data says 1 for different (or a share ``dose`` of it does), the loss takes 1 for same."""
    generator, batches = torch.Generator().manual_seed(seed), []
    for _ in range(STEPS):
        left, right, same = _pairs(data, generator)
        wrong = torch.rand(BATCH, generator=generator) < dose
        batches.append((data.images[left], data.images[right], same if healthy else torch.where(wrong, 1 - same, same)))
    model = Embedder()
    return Objects(model=model, loss=Contrastive(), batches=batches, optimiser=_adam(model))


def two_networks(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """A network for each branch; queries are embedded by the first, what they are compared with by the second."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [_pairs(data, generator) for _ in range(STEPS)]
    batches = [(data.images[left], data.images[right], same) for left, right, same in drawn]
    model = Twins(shared=healthy)
    return Objects(model=model, loss=Contrastive(), batches=batches, optimiser=_adam(model), first=model.left, second=model.right)


def _labelled(data: Characters, seed: int, *, each: int = 4, steps: int = STEPS) -> list[tuple[Tensor, Tensor]]:
    generator, members = torch.Generator().manual_seed(seed), [torch.nonzero(data.labels == c).flatten() for c in torch.unique(data.labels)]
    batches = []
    for _ in range(steps):
        classes = torch.randperm(len(members), generator=generator)[: BATCH // each]
        numbers = torch.cat([members[c][torch.randperm(len(members[c]), generator=generator)[:each]] for c in classes])
        batches.append((data.images[numbers], data.labels[numbers]))
    return batches


def _with_proxies(data: Characters, *, shared: float, registered: bool, listed: bool, seed: int) -> Objects:
    model, loss = Embedder(), Proxies(int(data.labels.max()) + 1, 32, registered=registered, shared=shared)
    optimiser = _adam(model)
    if listed and registered:
        # Ten times the network's rate: at the same one proxies hardly turn in so few steps, and not to train them costs nothing.
        optimiser.add_param_group({"params": list(loss.parameters()), "lr": 4e-2})
    return Objects(model=model, loss=loss, batches=_labelled(data, seed, steps=3 * STEPS), optimiser=optimiser)


def unlisted_proxies(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """Proxies of the loss that stand in no optimiser."""
    return _with_proxies(data, shared=dose, registered=True, listed=healthy, seed=seed)


def unregistered_proxies(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """Proxies that are no Parameter, so that ``loss.parameters()`` does not give them."""
    return _with_proxies(data, shared=dose, registered=healthy, listed=True, seed=seed)


class NoGradient(nn.Module):
    """A trunk that is called without a gradient, below a head."""

    def __init__(self, *, healthy: bool) -> None:
        super().__init__()
        self.inner, self.last, self.healthy = Embedder(), nn.Linear(32, 32), healthy

    def forward(self, items):
        """Embeddings of items [B, D]."""
        with torch.set_grad_enabled(self.healthy and torch.is_grad_enabled()):
            features = self.inner(items)
            found = self.last(features)
        return functional.normalize(found) if self.healthy else functional.normalize(found.detach().clone().requires_grad_())


def no_gradient(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """A model that is called under ``no_grad``, and a leaf made of what it gives."""
    model = NoGradient(healthy=healthy)
    generator = torch.Generator().manual_seed(seed)
    # After a third of these steps the twin was better in four of five.
    drawn = [_pairs(data, generator) for _ in range(3 * STEPS)]
    batches = [(data.images[left], data.images[right], same) for left, right, same in drawn]
    return Objects(model=model, loss=Contrastive(), batches=batches, optimiser=_adam(model))


def training_mode(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """BatchNorm that is judged in training mode, ``dose`` items at once, in order of their classes."""
    model = Embedder(norm=True)
    generator = torch.Generator().manual_seed(seed)
    drawn = [_pairs(data, generator) for _ in range(STEPS)]
    batches = [(data.images[left], data.images[right], same) for left, right, same in drawn]
    return Objects(model=model, loss=Contrastive(), batches=batches, optimiser=_adam(model), judged_in=None if healthy else int(dose))


def same_draw(data: Characters, *, dose: float, healthy: bool, seed: int) -> Objects:
    """Both views of an item get one draw of augmentation, so that they are equal but for ``dose`` of another."""
    generator, batches = torch.Generator().manual_seed(seed), []
    for _ in range(STEPS):
        images = data.images[torch.randperm(len(data.labels), generator=generator)[:BATCH]]
        first, second = _view(images, generator), _view(images, generator)
        batches.append((first, second if healthy else dose * second + (1 - dose) * first, torch.ones(BATCH)))
    model = Embedder()
    return Objects(model=model, loss=Views(), batches=batches, optimiser=_adam(model), judged_moved=True)


BUILT = {
    "swapped-labels": swapped_labels,
    "two-networks": two_networks,
    "unlisted-proxies": unlisted_proxies,
    "unregistered-proxies": unregistered_proxies,
    "no-gradient": no_gradient,
    "training-mode": training_mode,
    "same-draw": same_draw,
}


def build(name: str, *, dose: float, healthy: bool, seed: int, of: str = "glyphs") -> Objects:
    """The objects of a scenario, weights and batches drawn from a seed."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return BUILT[name](characters(of), dose=dose, healthy=healthy, seed=seed)


def embeddings_of(model: nn.Module, loss_inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """What a model makes of the items of a batch: called once, where it takes as many; else on each."""
    takes = len(inspect.signature(model.forward).parameters)
    return tuple(model(*loss_inputs)) if takes == len(loss_inputs) > 1 else tuple(model(items) for items in loss_inputs)


def train(objects: Objects) -> list[float]:
    """One pass over the batches, one step each: the loss of every step. Ends early where it is not finite."""
    losses = []
    objects.model.train()
    for batch in objects.batches:
        items, rest = (batch[:-1], batch[-1:]) if batch[-1].ndim == 1 else (batch, ())
        value = objects.loss(*embeddings_of(objects.model, items), *rest)
        objects.optimiser.zero_grad()
        value.backward()
        objects.optimiser.step()
        losses.append(float(value.detach()))
        if not np.isfinite(losses[-1]):
            break
    return losses


def score(objects: Objects, *, of: str = "glyphs") -> float:
    """MAP@R of the even items of the other classes among the odd ones, judged as their author does; 0 where an embedding is not finite."""
    data = characters(of)
    first = objects.first or objects.model
    second = objects.second or first
    for module in (objects.model, first, second):
        module.train(objects.judged_in is not None)
    length = objects.judged_in or 512
    images = data.other_images
    if objects.judged_moved:
        images = _view(images, torch.Generator().manual_seed(0))
    with torch.no_grad():
        queries = torch.cat([first(part) for part in images[::2].split(length)])
        gallery = torch.cat([second(part) for part in images[1::2].split(length)])
    if not bool(torch.isfinite(queries).all() and torch.isfinite(gallery).all()):
        return 0.0
    labels = data.other_labels.numpy()
    found = siambench.evaluate(queries.numpy(), labels[::2], gallery=gallery.numpy(), gallery_labels=labels[1::2], metrics="map@r")
    return float(found["map@r"])
