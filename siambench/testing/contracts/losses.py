"""What a loss promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from siambench.components.component import Component
from siambench.components.groups import grouped
from siambench.errors import PluginError
from siambench.interfaces import Indices
from siambench.plugin import LossEntry
from siambench.spaces import Params
from siambench.testing.contracts.batches import (
    SIZE,
    Batch,
    all_pairs,
    all_triplets,
    both_sides,
    edge_batches,
    orders,
    ordinary_batches,
    shuffled,
)
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.calls import PROGRESS, Answer, Training, answer, answers, build_loss, call_loss, embed
from siambench.testing.contracts.fingerprints import fingerprint_holds
from siambench.testing.contracts.graph import leaves, unregistered
from siambench.testing.contracts.points import ends
from siambench.testing.contracts.process import SEED, left_alone
from siambench.testing.contracts.spaces import each_has_effect, in_space
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.components import LossCall, as_seen, pair_indices, triplet_indices
from siambench.training.state import seed_globals

_STEPS = 6
_JUDGED_STEPS = 10
_RELATIVE, _ABSOLUTE = 1e-4, 1e-5
# Of another seed at the same share of the training: what changes with that does not draw.
_OTHER_STEP = 333 * len(PROGRESS)


def scalar(component: Component) -> None:
    """The factory gives a module, and the module a finite scalar with a gradient, for ordinary batches."""
    _check_ordinary(component.entry, {})


def finite_on_edges(component: Component) -> None:
    """Value, gradient and the gradients of the loss's own parameters are finite on every edge batch."""
    entry: LossEntry = component.entry
    for batch in _edges(entry):
        with told_where(f"on {batch.name}"):
            loss = build_loss(entry, {})
            _check_finite(answer(entry, loss, batch))
            for name, parameter in loss.loss.named_parameters():
                if parameter.grad is not None and not parameter.grad.isfinite().all():
                    raise PluginError(f"the gradient of its parameter {name} is not finite")


def takes_indices(component: Component) -> str | None:
    """Triplets and pairs are taken, none at all included, and which they are makes a difference."""
    entry: LossEntry = component.entry
    if entry.takes == "none" and not {"pairs", "triplets"} & set(entry.feeds):
        return "it takes no indices: takes is 'none', and no feed says its tuples"
    usual = ordinary_batches(max(2, entry.images_per_class))
    for what, batch, indices in _indexed(entry, usual[1]):
        with told_where(f"given {what}"):
            _check_finite(answer(entry, build_loss(entry, {}), batch, indices=indices))
    for batch in usual:
        tuples: Indices = all_pairs(batch.labels) if entry.takes == "none" else all_triplets(batch.labels)
        halves = tuple(part[: len(part) // 2] for part in tuples), tuple(part[len(part) // 2 :] for part in tuples)
        one, other = (answer(entry, build_loss(entry, {}), batch, indices=half) for half in halves)
        if not one.is_equal(other):
            return None
    raise PluginError("it is the same whatever the indices: a miner or labelled pairs would change nothing")


def _indexed(entry: LossEntry, batch: Batch) -> Iterator[tuple[str, Batch, Indices]]:
    none = torch.zeros(0, dtype=torch.int64)
    anchor, positive, other_anchor, negative = all_pairs(batch.labels)
    if entry.takes != "none":
        yield "triplets", batch, all_triplets(batch.labels)
        yield "no triplet at all", batch, (none, none, none)
    yield "pairs", batch, (anchor, positive, other_anchor, negative)
    yield "positive pairs alone", batch, (anchor, positive, none, none)
    yield "negative pairs alone", batch, (none, none, other_anchor, negative)
    yield "no pair at all", batch, (none, none, none, none)
    if "pairs" in entry.feeds:
        left, right = torch.arange(0, len(batch.labels), 2), torch.arange(1, len(batch.labels), 2)
        right[len(right) // 2 :] = right[len(right) // 2 :].roll(1)
        fed = shuffled(batch, torch.cat([left, right]))
        yield "labelled pairs", fed, pair_indices(fed.labels)
    if "triplets" in entry.feeds:
        anchor, positive, negative = (part[:4] for part in all_triplets(batch.labels))
        fed = shuffled(batch, torch.cat([anchor, positive, negative]))
        yield "fed triplets", fed, triplet_indices(fed.labels)


def reaches_backbone(component: Component) -> None:
    """A linear network in front of the loss gets a gradient that is finite everywhere and not zero everywhere."""
    entry: LossEntry = component.entry
    network, loss = _network(), build_loss(entry, {})
    arrived = False
    for step, batch in enumerate(_ordinary(entry)):
        network.zero_grad()
        _backward(entry, loss, network, batch, step)
        gradient = network.weight.grad
        if gradient is not None and not gradient.isfinite().all():
            raise PluginError("on an ordinary batch the gradient that reaches the backbone is not finite")
        arrived = arrived or (gradient is not None and bool(gradient.any()))
    if not arrived:
        raise PluginError("no gradient reaches the backbone: it is zero for every weight on every ordinary batch")


def own_parameters_move(component: Component) -> str | None:
    """``own_parameters`` says whether there are any, each is in one group where it names some, and a few steps change each of them."""
    entry: LossEntry = component.entry
    loss = build_loss(entry, {})
    if entry.groups:
        grouped(loss.loss, entry.groups)
    own = {name: parameter for name, parameter in loss.loss.named_parameters() if parameter.requires_grad}
    if not own and not entry.own_parameters:
        return "it has no parameters to train"
    if not own:
        raise PluginError("own_parameters is True, but it has no parameter to train")
    if not entry.own_parameters:
        raise PluginError(f"own_parameters is False, but it has {', '.join(own)} to train: their learning rate would not be tuned")
    training = Training(entry, SEED)
    own = {name: parameter for name, parameter in training.loss.loss.named_parameters() if parameter.requires_grad}
    before = {name: parameter.detach().clone() for name, parameter in own.items()}
    for step, batch in zip(range(_STEPS), itertools.cycle(_ordinary(entry)), strict=False):
        training.step(batch, step)
    still = [name for name, parameter in own.items() if torch.equal(before[name], parameter)]
    if still:
        raise PluginError(f"{_STEPS} steps of training do not move its parameter {', '.join(still)}")
    return None


def parameters_are_registered(component: Component) -> None:
    """What the value is computed from, and would be trained, are the network and the parameters that the loss had when it was built."""
    entry: LossEntry = component.entry
    training = Training(entry, SEED)
    loss = training.loss.loss
    known = {id(parameter) for module in (training.network, loss) for parameter in module.parameters() if parameter.requires_grad}
    before: list[Tensor] = []
    for step, batch in zip(range(_STEPS), itertools.cycle(_ordinary(entry)), strict=False):
        strange = [leaf for leaf in leaves(training.step(batch, step)) if id(leaf) not in known]
        # What a loss makes anew in each step, as for a penalty on its gradient, is nothing that could be trained.
        lasting = [leaf for leaf in strange if any(leaf is other for other in before)]
        if lasting:
            raise PluginError(unregistered(lasting[0], loss))
        before = strange


def leaves_the_process_alone(component: Component) -> None:
    """Training, judged after each step of one instance, leaves the process as it was before the loss was built."""
    entry: LossEntry = component.entry

    def run(seed: int) -> Iterator[str]:
        training = Training(entry, seed)
        yield "once it is built"
        for step, batch in zip(range(_JUDGED_STEPS), itertools.cycle(_ordinary(entry)), strict=False):
            training.step(batch, step)
            yield f"after step {step + 1} of training"

    left_alone(run, may_draw=True)


def finite_in_space(component: Component) -> str | None:
    """The default lies in the space; there, at the corners and at drawn points it is built, and finite on ordinary batches."""
    return in_space(component.entry, lambda params: _check_ordinary(component.entry, params))


def space_has_effect(component: Component) -> str | None:
    """Each parameter of the space changes the loss or its gradient somewhere; ``lr`` of own parameters the harness uses itself."""
    entry: LossEntry = component.entry
    names = [name for name in sorted(entry.space) if not (name == "lr" and entry.own_parameters)]

    def differ(one: Params, other: Params, rounds: int) -> bool:
        found = zip(_everywhere(entry, one, rounds), _everywhere(entry, other, rounds), strict=True)
        # What differs by rounding alone, as `value * margin / margin` does, is the same.
        return any(not first.is_close(second) for first, second in found)

    return each_has_effect(entry, names, differ)


def _everywhere(entry: LossEntry, params: Params, rounds: int) -> Iterator[Answer]:
    usual = _ordinary(entry)
    yield from answers(entry, params, usual * rounds)
    if rounds == 1:
        yield from answers(entry, params, _edges(entry))
        if entry.takes != "none":
            yield answer(entry, build_loss(entry, params), usual[1], indices=all_triplets(usual[1].labels))


def options_hold(component: Component) -> str | None:
    """Each option, at the ends of what it allows, leaves it finite on ordinary batches; it makes a difference, if it needs no others."""
    entry: LossEntry = component.entry
    if not entry.options:
        return "it has no options"
    plain = list(_everywhere(entry, entry.defaults, 1))
    idle = []
    for name, option in entry.options.items():
        values = [value for value in ends(option.allowed) if not option.is_neutral(value)]
        differs, refused = False, 0
        for value in values:
            with told_where(f"with {name} = {value}"):
                try:
                    chosen = entry.with_options({name: value})
                except ValueError:
                    # It goes with others alone, and says so before anything runs.
                    refused += 1
                    continue
                _check_ordinary(chosen, {name: value})
                # What is no longer trained makes a difference after a step.
                differs = differs or chosen.own_parameters != entry.own_parameters
                found = _everywhere(chosen, {**chosen.defaults, name: value}, 1)
                differs = differs or any(not one.is_close(two) for one, two in zip(plain, found, strict=False))
        if not differs and not refused:
            idle.append(name)
    if idle:
        raise PluginError(f"the option {', '.join(idle)} changes nothing, whatever it is set to")
    return None


def order_is_no_matter(component: Component) -> str | None:
    """The value of a batch is the same, but for rounding, in whatever order its images stand."""
    entry: LossEntry = component.entry
    once, again = answers(entry, {}, _ordinary(entry)), answers(entry, {}, _ordinary(entry), first_step=_OTHER_STEP)
    if not all(first.is_equal(second) for first, second in zip(once, again, strict=True)):
        return "it draws at random: with two seeds it gave two values for one batch"
    moved = _after_moving(entry, within_classes=True)
    if moved is None:
        return None
    if entry.images_per_class == 2 and _after_moving(entry, within_classes=False) is None:
        return "its batches are pairs, of which the first image plays another role than the second; otherwise order is no matter"
    raise PluginError(f"on an ordinary batch it is {moved[0]:.6g}, and {moved[1]:.6g} with the same images in another order")


def _after_moving(entry: LossEntry, *, within_classes: bool) -> tuple[float, float] | None:
    for batch in _ordinary(entry):
        labels = batch.labels[: len(batch.labels) // 2] if entry.sides else batch.labels
        moved = orders(labels, within_classes=within_classes)
        # Both sides of an item keep their places in their halves.
        moved = [torch.cat([order, order + len(labels)]) for order in moved] if entry.sides else moved
        batches = [batch, *(shuffled(batch, order) for order in moved)]
        first, *others = (float(answer(entry, build_loss(entry, {}), each).value) for each in batches)
        for other in others:
            if not math.isclose(first, other, rel_tol=_RELATIVE, abs_tol=_ABSOLUTE):
                return first, other
    return None


def seeds_decide(component: Component) -> None:
    """Built and called twice with the same seeds, it gives the same values and gradients bit for bit."""
    entry: LossEntry = component.entry
    for first, second in zip(answers(entry, {}, _ordinary(entry)), answers(entry, {}, _ordinary(entry)), strict=True):
        if not first.is_equal(second):
            same = torch.equal(first.value, second.value)
            what = "gradients" if same else f"values, {float(first.value):.9g} and {float(second.value):.9g}"
            raise PluginError(f"two calls with the same seeds gave different {what}: it draws from a generator of its own")


def inputs_are_kept(component: Component) -> None:
    """Embeddings, labels and indices are the same after the call."""
    entry: LossEntry = component.entry
    for batch in _ordinary(entry):
        _, embeddings = embed(entry, batch)
        indices = None if entry.takes == "none" else all_triplets(batch.labels)
        given = {"embeddings": embeddings, "labels": batch.labels.clone()}
        given |= {f"indices[{place}]": part for place, part in enumerate(indices or ())}
        before = {name: tensor.detach().clone() for name, tensor in given.items()}
        loss = build_loss(entry, {})
        seed_globals(SEED, 0)
        call_loss(loss, embeddings, given["labels"], indices)
        changed = [name for name, tensor in given.items() if not torch.equal(before[name], tensor)]
        if changed:
            raise PluginError(f"it changes what it is given: {', '.join(changed)}")


def prints_nothing(component: Component) -> None:
    """Building and calling it writes nothing to stdout, where documents go."""
    with nothing_printed():
        answers(component.entry, {}, _ordinary(component.entry))


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("scalar", "on an ordinary batch it gives one finite number, with a gradient", scalar, first=True),
    Contract("edge-batches", "it stays finite, and so do all gradients, on one class, on singletons and on duplicates", finite_on_edges),
    Contract("indices", "it takes triplets and pairs, and none at all, and which they are makes a difference", takes_indices),
    Contract("gradient", "a gradient, finite and not zero, reaches the backbone", reaches_backbone),
    Contract(
        "own-parameters", "`own_parameters` says whether it has any to train, and in which groups; training moves each", own_parameters_move
    ),
    Contract(
        "registered-parameters",
        "what training could move are its `torch.nn.Parameter`s, all of them there when it is built",
        parameters_are_registered,
    ),
    Contract("space", "it can be built, and is finite, at the default, at the corners of its space and at drawn points", finite_in_space),
    Contract("space-effect", "each parameter of its space changes the loss or its gradient somewhere", space_has_effect),
    Contract("options", "each option that can be set alone leaves it finite, and makes a difference", options_hold),
    Contract("fingerprint", "on equal embeddings its value is what its fingerprint says, within 1e-4", fingerprint_holds),
    Contract("permutation", "the order of a batch's images is no matter", order_is_no_matter),
    Contract("determinism", "the same seeds give the same value and gradient, bit for bit", seeds_decide),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a loss, in this order."""


def _ordinary(entry: LossEntry) -> list[Batch]:
    return _as_fed(entry, ordinary_batches(entry.images_per_class))


def _edges(entry: LossEntry) -> list[Batch]:
    return _as_fed(entry, edge_batches(entry.images_per_class))


def _as_fed(entry: LossEntry, batches: list[Batch]) -> list[Batch]:
    return [both_sides(batch) for batch in batches] if entry.sides else batches


def _check_ordinary(entry: LossEntry, params: Params) -> None:
    for found in answers(entry, params, _ordinary(entry)):
        _check_finite(found)


def _check_finite(found: Answer) -> None:
    if not found.value.isfinite():
        raise PluginError(f"the loss is {float(found.value)}")
    if not found.gradient.isfinite().all():
        raise PluginError("the gradient is not finite")


def _network() -> nn.Linear:
    seed_globals(SEED)
    return nn.Linear(SIZE, SIZE)


def _backward(entry: LossEntry, loss: LossCall, network: nn.Linear, batch: Batch, step: int) -> None:
    embeddings: Tensor = network(batch.points)
    seed_globals(SEED, step)
    call_loss(loss, as_seen(embeddings, normalise=entry.normalise), batch.labels.clone()).backward()  # type: ignore[no-untyped-call]
