"""Options of losses, and what a row with some of them set is made of.

Distances, reducers and regularisers are those of pytorch-metric-learning. A loss with a distance or a reducer set is that library's form
of it; a regulariser is added to whatever form there is.

Left out, because they are something else under another name, or nothing: the inner product (of unit vectors it is the cosine, and
npair, whose embeddings have lengths, has it of its own); the reducers class-weighted, whose weights nothing here tells, divisor, which is
margin's own, and sum, whose size is that of the batch; per-anchor of items, whose mean it is, of triplets, which the library does not
have, and of lifted, where it raises; the regulariser lp of unit vectors, which is a constant; sparse-centers of soft-triple, which is its
``reg_weight``. Distances of circle, angular, fastap, snr-contrastive and the tuplet margin are part of their formulas, as the cosine is of
proxies and class weights.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from siambench.builtin.losses import variants
from siambench.plugin import Choice, Float, LossEntry, Option, Value

if TYPE_CHECKING:
    from torch import nn

Options = Mapping[str, Value]
WithSet = Callable[[LossEntry, Options], LossEntry]

_FORM = "of pytorch-metric-learning, in whose form the loss then is"


def _choice(neutral: str, others: Sequence[str], about: str) -> Option:
    return Option(neutral, Choice(neutral, *others), about)


def _switch(about: str) -> Option:
    off, on = False, True
    return Option(off, Choice(off, on), about)


def _regulariser(names: Sequence[str], of: str) -> dict[str, Option]:
    return {
        "regulariser": _choice("none", names, f"regulariser of pytorch-metric-learning that is added, of {of}"),
        "regulariser_weight": Option(1.0, Float(1e-6, 1e3, log=True), "what the regulariser is multiplied by"),
    }


def _library(*, per_anchor: bool, regularisers: Sequence[str] = ("zero-mean",)) -> dict[str, Option]:
    reducers = ("mean", "avg-non-zero", "threshold", *(("per-anchor",) if per_anchor else ()))
    return {
        "distance": _choice("own", ("cosine", "lp", "snr"), f"distance {_FORM}"),
        "p": Option(2.0, Float(1.0, 10.0), "of distance = lp: the norm, of vectors that have length 1 by it"),
        "reducer": _choice("own", reducers, f"reducer {_FORM}"),
        "low": Option("none", Float(0.0, 1e3), "of reducer = threshold: values up to it do not count"),
        "high": Option("none", Float(1e-6, 1e3), "of reducer = threshold: values from it on do not count"),
        **_regulariser(regularisers, "the embeddings as the loss sees them"),
    }


PAIRS = _library(per_anchor=True)
"""Of losses whose terms are pairs."""

OTHERS = _library(per_anchor=False)
"""Of losses whose terms are items or triplets."""

NPAIR = _library(per_anchor=False, regularisers=("zero-mean", "lp"))

TRIPLET = {
    "swap": _switch("the negative is compared with the positive where it is nearer to that (Balntas et al. 2016)"),
    "soft": _switch("log(1 + exp(x)) in the place of the hinge, its margin from 0 on (Hermans et al. 2017)"),
    "squared": _switch("squared distances, as in FaceNet; the margin's space is twice as wide"),
    "average": _choice("violating", ("all",), "all: the mean over all triplets, as in FaceNet"),
    **OTHERS,
}

CLASS_WEIGHTS = _regulariser(("center-invariant", "regular-face"), "the class vectors")

CENTERS = _regulariser(("sparse-centers",), "the centres of each class")


def _check(options: Options) -> None:
    """Refuse what does not go together.

    Raises:
        ValueError: in one sentence.
    """
    if "p" in options and options.get("distance") != "lp":
        raise ValueError("p is of distance = lp alone")
    limits = [name for name in ("low", "high") if name in options]
    if limits and options.get("reducer") != "threshold":
        raise ValueError(f"{limits[0]} is of reducer = threshold alone")
    if options.get("reducer") == "threshold" and not limits:
        raise ValueError("reducer = threshold needs low, high or both")
    if len(limits) == 2 and float(options["low"]) >= float(options["high"]):
        raise ValueError(f"low must be less than high, got {options['low']} and {options['high']}")
    if "regulariser_weight" in options and "regulariser" not in options:
        raise ValueError("regulariser_weight needs a regulariser")


# Unit vectors at a distance d have the cosine 1 - d² / 2, and without a mean the ratio of variances d².
_OF_DISTANCE: Mapping[str, Callable[[float], float]] = {"cosine": lambda d: 1 - d * d / 2, "snr": lambda d: d * d}
_OF_COSINE: Mapping[str, Callable[[float], float]] = {"lp": lambda s: math.sqrt(2 - 2 * s), "snr": lambda s: 2 - 2 * s}


def _moved(entry: LossEntry, names: Sequence[str], at: Callable[[float], float]) -> LossEntry:
    """An entry some of whose parameters lie at other places: bounds and defaults are those that a function gives."""
    space, defaults = dict(entry.space), dict(entry.defaults)
    for name in names:
        dimension, default = space[name], defaults[name]
        assert isinstance(dimension, Float)
        low, high = sorted(round(at(bound), 4) for bound in (dimension.low, dimension.high))
        space[name], defaults[name] = Float(low, high, log=dimension.log), round(at(float(default)), 4)
    return dataclasses.replace(entry, space=space, defaults=defaults)


def _twice(value: float) -> float:
    """A margin on squares: unrelated vectors lie at a distance of about 1, where a square changes twice as fast."""
    return 2 * value


def made_by(
    build: Callable[..., nn.Module],
    *,
    distances: Sequence[str] = (),
    cosines: Sequence[str] = (),
    margins: Sequence[str] = (),
) -> WithSet:
    """The ``with_set`` of an entry whose rows with options are made by another factory.

    Args:
        build: that factory.
        distances: parameters that are Euclidean distances; with another distance they lie at the same places of that.
        cosines: parameters that are cosines, likewise.
        margins: parameters that are differences of distances, doubled for the ratio of variances, which is a square.
    """

    def with_set(entry: LossEntry, options: Options) -> LossEntry:
        _check(options)
        name = str(options.get("distance"))
        found = dataclasses.replace(entry, build=build)
        for names, places in ((distances, _OF_DISTANCE), (cosines, _OF_COSINE), (margins, {"snr": _twice})):
            found = _moved(found, names, places[name]) if name in places else found
        return found

    return with_set


def _triplet(entry: LossEntry, options: Options) -> LossEntry:
    if "squared" in options and options.get("distance", "lp") != "lp":
        raise ValueError(f"squared is of the loss's own distance, and of lp; {options['distance']} is none that is squared")
    if "average" in options and ("soft" in options or "reducer" in options):
        other = "soft = true, under which every triplet costs" if "soft" in options else "a reducer, which takes its place"
        raise ValueError(f"average = all has no effect beside {other}")
    found = made_by(variants.triplet, margins=("margin",))(entry, options)
    found = _moved(found, ("margin",), _twice) if "squared" in options else found
    if "soft" in options:
        # Hermans et al. have no margin inside: it is the default, and one is searched from there on.
        widest = found.space["margin"]
        assert isinstance(widest, Float)
        found = dataclasses.replace(found, space={"margin": Float(0.0, widest.high)}, defaults={"margin": 0.0})
    return found


_MARGINS = ("pos_margin", "neg_margin")

BY_NAME: Mapping[str, tuple[Mapping[str, Option], WithSet]] = {
    "contrastive": (PAIRS, made_by(variants.contrastive, distances=_MARGINS)),
    "triplet": (TRIPLET, _triplet),
    "margin": (OTHERS, made_by(variants.margin, distances=("beta",), margins=("margin",))),
    "npair": (NPAIR, made_by(variants.npair)),
    "lifted": (OTHERS, made_by(variants.lifted, distances=_MARGINS)),
    "gen-lifted": (OTHERS, made_by(variants.generalised_lifted, distances=_MARGINS)),
    "ntxent": (PAIRS, made_by(variants.ntxent)),
    "supcon": (OTHERS, made_by(variants.supcon)),
    "multi-similarity": (OTHERS, made_by(variants.multi_similarity, cosines=("base",))),
    "proxy-anchor": (CLASS_WEIGHTS, made_by(variants.proxy_anchor)),
    "arcface": (CLASS_WEIGHTS, made_by(variants.arcface)),
    "cosface": (CLASS_WEIGHTS, made_by(variants.cosface)),
    "normalised-softmax": (CLASS_WEIGHTS, made_by(variants.normalised_softmax)),
    "subcenter-arcface": (CENTERS, made_by(variants.subcenter_arcface)),
}
"""The options of a loss, and what makes its rows with some of them set."""


def with_options(name: str, entry: LossEntry) -> LossEntry:
    """The entry of a loss with the options that it has."""
    if name not in BY_NAME:
        return entry
    options, with_set = BY_NAME[name]
    return dataclasses.replace(entry, options=options, with_set=with_set)
