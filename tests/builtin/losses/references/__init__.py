"""A slow reference for every built-in loss: loops from the paper's formula, in float64, without a tensor operation.

Each module here has ``REFERENCES``: the name of a loss → `Reference`. A reference is called with the embeddings as lists of floats, the
labels as a list, the parameters by name, and where the loss has parameters of its own ``own``: nested lists by their names. What it says
is held against the loss on batches with ties, duplicates, singletons and one class by `test_losses.py`, and printed beside the loss's
paper by `docs/losses.py`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reference:
    """The formula of one loss, and with what it is tried.

    Args:
        formula: gives the value, float; its docstring is the formula in one sentence.
        cases: parameters other than the defaults, one run each.
        collapsed: the value where 8 × 4 embeddings of length 1 are all equal, at the defaults; None where there is no such constant.
        groups: whether the formula also takes ``groups``, a list.
        gradient: parameters under which finite differences are taken, where the defaults are too steep for them; None where the loss holds
            a part of its formula constant, so that its slope is not that of the value: then a test of its own says what it is.
        without: names of the batches on which the loss has no value by design.
    """

    formula: Callable[..., float]
    cases: Sequence[Mapping[str, Any]] = ()
    collapsed: float | None = None
    groups: bool = False
    gradient: Mapping[str, Any] | None = field(default_factory=dict)
    without: tuple[str, ...] = ()


def references() -> dict[str, Reference]:
    """All of them, by the name of the loss; two for one name are an error."""
    found: dict[str, Reference] = {}
    for module in sorted(one.name for one in pkgutil.iter_modules(__path__)):
        more = getattr(importlib.import_module(f"{__name__}.{module}"), "REFERENCES", {})
        assert not found.keys() & more.keys(), sorted(found.keys() & more.keys())
        found |= more
    return found
