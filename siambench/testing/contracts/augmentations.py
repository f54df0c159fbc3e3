"""What an augmentation promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Generator, Tensor

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.plugin import AugmentationEntry, call_factory
from siambench.spec import Form
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import OTHER, SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.augmentations import Augmentations
from siambench.training.state import seed_globals

_NAME = "examined"
_VOCABULARY = 50
_STEPS = 8


def _items(form: Form, *, number: int = 12, seed: int = SEED) -> Tensor:
    """A batch of unlike items: images that are not square, series of three channels, texts of unlike lengths."""
    generator = Generator().manual_seed(seed)
    if form == "images":
        return torch.rand((number, 3, 20, 28), generator=generator)
    if form == "arrays":
        return torch.randn((number, 3, 40), generator=generator)
    tokens = torch.randint(1, _VOCABULARY, (number, 16), generator=generator)
    lengths = torch.randint(1, 17, (number, 1), generator=generator)
    return tokens * (torch.arange(16)[None] < lengths)


def _built(entry: AugmentationEntry, seed: int = SEED) -> Augmentations:
    return Augmentations({_NAME: entry}, {_NAME: entry.defaults}, seed=seed)


def items_are_kept_items(component: Component) -> None:
    """Of each form that it takes it gives as many items of the same shape and dtype, with values as they may be, of one item too."""
    for form in component.entry.takes:
        for number in (12, 1):
            with told_where(f"on {number} {form}"):
                change = _built(component.entry)
                for step in range(_STEPS):
                    _check_values(change(_items(form, number=number, seed=step)), form)


def _check_values(items: Tensor, form: Form) -> None:
    if form != "tokens" and not bool(torch.isfinite(items).all()):
        raise PluginError("it gives values that are not finite")
    low, high = float(items.min()), float(items.max())
    if form == "images" and not 0 <= low <= high <= 1:
        raise PluginError(f"it gives pixels outside [0, 1]: {low if low < 0 else high:g}")
    if form == "tokens":
        if low < 0 or not bool((items != 0).any(dim=1).all()):
            raise PluginError("it gives tokens below 0, or a text without any")
        if bool(((items[:, :-1] == 0) & (items[:, 1:] != 0)).any()):
            raise PluginError("it leaves padding in the middle of a text: 0 stands at the end")


def changes(component: Component) -> None:
    """It changes something, and not each batch in the same way."""
    for form in component.entry.takes:
        change, items = _built(component.entry), _items(form)
        found = [change(items.clone()) for _ in range(_STEPS)]
        if all(torch.equal(one, items) for one in found):
            raise PluginError(f"it leaves {form} as they are")
        if all(torch.equal(one, found[0]) for one in found):
            raise PluginError(f"it changes every batch of {form} in the same way: nothing is drawn")


def seeds_decide(component: Component) -> None:
    """Built twice with generators of one seed it gives the same items, with another seed others."""
    for form in component.entry.takes:
        found = []
        for seed in (SEED, SEED, OTHER):
            seed_globals(SEED)
            change = _built(component.entry, seed)
            found.append(torch.stack([change(_items(form)) for _ in range(_STEPS)]))
        if not torch.equal(found[0], found[1]):
            raise PluginError("two runs with the same seed gave different items: it draws from elsewhere than its generator")
        if torch.equal(found[0], found[2]):
            raise PluginError("another seed gave the same items: it does not draw from its generator")


def draws_from_its_generator(component: Component) -> None:
    """The global generators are neither moved nor asked: the items are the same whatever their state."""
    for form in component.entry.takes:
        draws_nothing(lambda form=form: _built(component.entry)(_items(form)))  # type: ignore[misc]
        found = []
        for seed in (SEED, SEED, OTHER):
            seed_globals(seed)
            found.append(_built(component.entry)(_items(form)))
        if torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2]):
            raise PluginError("its items follow a global generator: it must draw from `generator` alone")


def items_are_independent(component: Component) -> None:
    """What becomes of an item depends on no other item of its batch; and equal items are not all changed alike."""
    for form in component.entry.takes:
        items, others = _items(form), _items(form, seed=OTHER)
        mixed = torch.cat([items[:6], others[6:]])
        once, again = (_built(component.entry)(items.clone())[:6] for _ in range(2))
        # Where the same items become others, that is told by another contract.
        if torch.equal(once, again) and not torch.equal(once, _built(component.entry)(mixed)[:6]):
            raise PluginError(f"what becomes of one of the {form} depends on the others in its batch")
        same = items[:1].expand_as(items).contiguous()
        change = _built(component.entry)
        if all(bool((found == found[:1]).all()) for found in (change(same.clone()) for _ in range(_STEPS))):
            raise PluginError(f"all {form} of a batch are changed alike: each needs a draw of its own")


def inputs_are_kept(component: Component) -> None:
    """The items are the same after it was called, and so are its options."""
    for form in component.entry.takes:
        change = call_factory(component.entry.build, component.entry.defaults)
        items = _items(form)
        before = items.clone()
        for step in range(_STEPS):
            change(items, Generator().manual_seed(step))
        if not torch.equal(before, items):
            raise PluginError("it changes what it is given: items")


def prints_nothing(component: Component) -> None:
    """Building it and calling it writes nothing to stdout, where documents go."""
    with nothing_printed():
        for form in component.entry.takes:
            _built(component.entry)(_items(form))


def leaves_the_process_alone(component: Component) -> None:
    """Calling it, judged after each of several batches, leaves the process as it was before it was built."""

    def run(seed: int) -> Iterator[str]:
        seed_globals(seed)
        change = _built(component.entry, seed)
        yield "once it is built"
        for step in range(_STEPS):
            for form in component.entry.takes:
                change(_items(form))
            yield f"after batch {step + 1}"
            seed_globals(seed, step)

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract(
        "items",
        "of each form that it `takes` it gives items of the same shape and dtype, with sound values",
        items_are_kept_items,
        first=True,
    ),
    Contract("changes", "it changes something, and not each batch in the same way", changes, first=True),
    Contract("seeds", "a generator of the same seed gives the same items, another seed others", seeds_decide),
    Contract("own-generator", "it draws from `generator` alone", draws_from_its_generator),
    Contract("independent", "each item has a draw of its own, and depends on no other item of its batch", items_are_independent),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of an augmentation, in this order."""
