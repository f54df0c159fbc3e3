"""Losses of items that have two sides, such as images and their names: ``clip``, and ``across(…)`` around any loss of tuples."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING

from siambench.plugin import Choice, Float, LossEntry, Option, Value

if TYPE_CHECKING:
    from torch import nn


def clip(temperature: float, learnt: bool = True) -> nn.Module:  # noqa: FBT001, FBT002  what a factory is given by name
    """Which of the second sides of a batch is an item's own, and which of the first: a softmax each way, whose scale is learnt."""
    from siambench.builtin.losses.forms.clip import CLIP

    return CLIP(temperature=temperature, learnt=learnt)


def across(loss: nn.Module) -> nn.Module:
    """A loss of tuples, of which the anchor is of one side of items and the others of the other side; both ways."""
    from siambench.builtin.losses.forms.across import Across

    return Across(loss=loss)


def _with_set(entry: LossEntry, _: Mapping[str, Value]) -> LossEntry:
    # Without a parameter of its own it has no rate of its own to tune.
    return dataclasses.replace(entry, own_parameters=False)


_ON, _OFF = True, False

ENTRIES = {
    "clip": LossEntry(
        clip,
        space={"temperature": Float(0.02, 0.5, log=True)},
        defaults={"temperature": 0.07},
        space_source="default: Radford et al., who learn it from there; space: about a quarter to seven times that",
        images_per_class=1,
        sampler="random",
        own_parameters=True,
        sides=True,
        source="Radford et al., Learning Transferable Visual Models From Natural Language Supervision, ICML 2021, figure 3",
        equation="mean of -log softmax over j of s_ij / T at i, from the first sides to the second and back; 1 / T is learnt, at most 100",
        needs="items of two sides",
        distance="cosine",
        reducer="mean over the items and both ways",
        differs=("items of one class are no negatives of each other; the paper knows no classes",),
        options={"learnt": Option(_ON, Choice(_ON, _OFF), "whether the scale 1 / T is learnt; else it stays as it is")},
        with_set=_with_set,
    ),
    "across": LossEntry(
        across,
        wraps=True,
        sides=True,
        source="Frome et al., DeViSE: A Deep Visual-Semantic Embedding Model, NeurIPS 2013, and Kiros et al., 2014, both ways",
        equation="loss(batch) over the pairs (first side of i, second side of j) and (second side of i, first side of j)",
        needs="items of two sides; a loss that takes pairs",
        differs=("the papers' loss is a triplet's: across(triplet)",),
    ),
}
"""By name."""
