"""What a loss promises of its fingerprint: a contract's ``examine``; see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.plugin import LossEntry
from siambench.spaces import Params
from siambench.testing.contracts.batches import SIZE, Batch
from siambench.testing.contracts.blame import told_where
from siambench.testing.contracts.calls import answer, build_loss
from siambench.testing.contracts.points import ends, told

_TOLERANCE = 1e-4
_SHAPES = ((2, 2), (6, 3), (8, 4))
"""Classes in a batch, and items of each."""


def fingerprint_holds(component: Component) -> str | None:
    """On batches of equal embeddings the loss is what its fingerprint says, at the default and at each end of its space."""
    entry: LossEntry = component.entry
    if entry.fingerprint is None:
        return "it has no fingerprint"
    if entry.fingerprint.at_equality is None:
        return "its fingerprint does not say its value at equality"
    compared = False
    for params in _points(entry):
        for classes, items in _SHAPES:
            place = f"with {told(params, sorted(entry.space))}, " if entry.space else ""
            with told_where(f"{place}on {classes} classes of {items} equal embeddings"):
                compared = _compare(entry, params, classes, items) or compared
    return None if compared else "its fingerprint says its value at equality of none of the batches that are tried"


def _compare(entry: LossEntry, params: Params, classes: int, items: int) -> bool:
    assert entry.fingerprint is not None
    assert entry.fingerprint.at_equality is not None
    said: object = entry.fingerprint.at_equality(dict(params), classes, items)
    if said is None:
        return False
    if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
        raise PluginError(f"at_equality must give a finite number or None, got {said!r}")
    value = float(answer(entry, build_loss(entry, params), _equal(classes, items, sides=2 if entry.sides else 1)).value)
    if not abs(value - said) <= _TOLERANCE * max(1.0, abs(said)):
        raise PluginError(f"the loss is {value:.6g}, its fingerprint says {said:.6g}")
    return True


def _points(entry: LossEntry) -> Iterator[Params]:
    yield dict(entry.defaults)
    for name, dimension in sorted(entry.space.items()):
        for value in ends(dimension):
            yield {**entry.defaults, name: value}


def _equal(classes: int, items: int, *, sides: int) -> Batch:
    """One unit vector for all, none of whose numbers is 0 or alike; of items with two sides for both."""
    vector = torch.tensor([0.5 - 0.13 * place for place in range(SIZE)])
    labels = torch.arange(classes).repeat_interleave(items).repeat(sides)
    return Batch("equal embeddings", (vector / vector.norm()).expand(len(labels), SIZE).clone(), labels)
