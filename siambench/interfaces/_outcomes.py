"""What a unit gives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from siambench.identity import Document


@dataclass(frozen=True)
class Epoch(Document):
    """The figures of one epoch of training.

    Args:
        epoch: its number, from 1; of several fold-models one after the other it begins anew.
        loss: mean over its steps.
        gradient_norm: of the model's parameters at its last step; None where it is not finite.
        tuples: mean number of tuples a step that the miner chose, or of a miner of the whole training set that batches were made of, 0
            where it found none; None without a miner, and before its warm-up is over.
        validation: scores of the model after it, by metric; None where it is not validated.
    """

    epoch: int
    loss: float
    gradient_norm: float | None
    tuples: float | None
    validation: Mapping[str, float | None] | None


@dataclass(frozen=True, kw_only=True)
class Done(Document):
    """What a unit gave that ran to its end: the same wherever it is run with the same versions on the same kind of machine.

    Args:
        scores: of a final unit, by metric; None where a metric does not apply.
        per_class: by metric with a score per query, its mean over each test class's queries, six decimals; None for a class
            without a query that has a positive.
        class_queries: how many queries of each test class have a positive; None of a tune unit.
        curve: of each epoch.
        notes: what a reader must know of the scores.
        repeat_rate: share of the batches' items that stood in their batch already; None where the sampler does not count.
        directions: ``"max"`` or ``"min"`` by metric: which way is better.
        ranges: smallest and largest possible value by metric; None where there is no bound.
        over_pairs: those of the metrics that are computed from verification pairs.
        class_attributes: of a final unit, what groups its test classes (``script``, ``alphabet``): by attribute the value of each class.
        jackknife: of a final unit, the primary metric with each test class left out, where it has no score per query; None where
            nothing is left to score.
    """

    scores: Mapping[str, float | None]
    per_class: Mapping[str, tuple[float | None, ...]]
    class_queries: tuple[int, ...] | None
    curve: tuple[Epoch, ...]
    notes: Mapping[str, float | int | str]
    repeat_rate: float | None
    directions: Mapping[str, Literal["max", "min"]]
    ranges: Mapping[str, tuple[float | None, float | None]]
    over_pairs: tuple[str, ...]
    class_attributes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    jackknife: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    state: Literal["done"] = "done"
    ended: Literal["ok"] = "ok"
    error: None = None


@dataclass(frozen=True, kw_only=True)
class Failed(Document):
    """What is left of a unit whose training or scoring raised, which is its method's result.

    Args:
        error: one sentence.
        ended: ``"diverged"``: training left the finite numbers; ``"raised"``: anything else.
    """

    error: str
    ended: Literal["raised", "diverged"]
    state: Literal["failed"] = "failed"
    # What a failed unit has none of; a reader of records need not ask first which of the two it is.
    scores: Mapping[str, float | None] = field(default_factory=dict)
    per_class: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)
    class_queries: None = None
    curve: tuple[Epoch, ...] = ()
    notes: Mapping[str, float | int | str] = field(default_factory=dict)


Outcome = Done | Failed
