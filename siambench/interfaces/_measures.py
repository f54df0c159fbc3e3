"""What is measured while a unit trains, and what is said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from siambench.identity import Document


@dataclass(frozen=True, kw_only=True)
class Quantiles(Document):
    """Of some numbers, each None where it is not finite or there is nothing to take it of.

    Args:
        mean: their mean.
        low: their 5 % quantile.
        high: their 95 % quantile.
    """

    mean: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True)
class PartMeasures(Document):
    """One part of what is trained: the trunk, the head, the projector, the loss's own parameters, or a further group of those.

    Args:
        parameters: how many tensors of it the unit means to train.
        unreached: how many of them had no gradient, or one of zeros alone, in every measured step since the last row.
        unlisted: how many of them stand in no group of the optimiser.
        gradient_norm: L2, mean over the measured steps; None where one was not finite, or no tensor had a gradient.
        update_ratio: length of the change of its weights by a step over their length, mean over the measured steps; None where that is 0
            or not finite.
        rate: its learning rate at the last measured step; None where it stands in no optimiser.
    """

    parameters: int
    unreached: int
    unlisted: int
    gradient_norm: float | None
    update_ratio: float | None
    rate: float | None


@dataclass(frozen=True, kw_only=True)
class Measures(Document):
    """One row of what was measured: before the first step, and after each epoch.

    Distances are Euclidean, between embeddings as the loss sees them: at unit length where it wants them so. The probe is the same few
    training items in every row, embedded as when they are judged: in evaluation mode, without augmentation. A positive pair is of one class
    of the data set, also where the loss is told of none, or a list says otherwise.

    Args:
        epoch: after which; 0: before the first step.
        steps: how many were measured since the last row.
        loss: mean over the measured steps; None where one was not finite.
        parts: by name: ``trunk``, ``head``, ``projector``, ``loss``, ``loss.GROUP``; of items of two sides
            ``first.trunk``, ``second.trunk`` and so on; none before the first step.
        branches: mean length of the gradient with respect to an embedding, by branch: two of pairs, views and sides, three of
            triplets, else one.
        active: mean share of a batch's embeddings that got a gradient other than zero, in [0, 1].
        idle: share of the measured steps in which no embedding got a gradient, in [0, 1].
        tuples: mean number of tuples that the miner chose; None without one, and before its warm-up is over.
        picked_positive: mean distance of the positive pairs among them.
        picked_negative: mean distance of the negative pairs among them.
        classes: mean number of classes in a measured batch; of views, whose classes are withheld, of items.
        repeated: mean share of a measured batch's items that stood in it already; the second view of an item is no repeat.
        violated: by margin of the loss, share of the probe's tuples that violate it, in [0, 1].
        positive: distances of the probe's positive pairs.
        negative: distances of its negative pairs.
        auc: probability that a positive pair of the probe is nearer than a negative one, ties counted half, in [0, 1].
        spread: mean squared distance to the mean embedding over mean squared length, in [0, 1]; 0: all are alike.
        effective_rank: exponential of the entropy of the normalised singular values of the centred embeddings (Roy, Vetterli 2007).
        norms: lengths of embeddings as the model gives them, before they are brought to unit length.
        moved: mean distance to the same item's embedding in the last row; None in the first.
        dead_units: share of the units behind a rectifier that are 0 for the whole probe, of the rectifier with the most of them; None
            where the model has none that is a module.
        input_spread: as `spread`, of the items themselves as the network is given them; told in the first row, and not of tokens.
        input_auc: as `auc`, of distances between those.
        finite: whether all embeddings of the probe are finite; where they are not, nothing of them is told.
    """

    epoch: int
    steps: int
    loss: float | None
    parts: Mapping[str, PartMeasures] = field(default_factory=dict)
    branches: tuple[float | None, ...] = ()
    active: float | None = None
    idle: float | None = None
    tuples: float | None = None
    picked_positive: float | None = None
    picked_negative: float | None = None
    classes: float | None = None
    repeated: float | None = None
    violated: Mapping[str, float] = field(default_factory=dict)
    positive: Quantiles | None = None
    negative: Quantiles | None = None
    auc: float | None = None
    spread: float | None = None
    effective_rank: float | None = None
    norms: Quantiles | None = None
    moved: float | None = None
    dead_units: float | None = None
    input_spread: float | None = None
    input_auc: float | None = None
    finite: bool = True


Severity = Literal["fatal", "likely", "possible", "note"]
"""How sure it is that a finding costs: it stopped training; it explains a bad score; it may; it is worth knowing."""


@dataclass(frozen=True, kw_only=True)
class Finding(Document):
    """One thing that was found.

    Args:
        name: of its rule, such as ``margin-too-small``.
        severity: see `Severity`.
        evidence: one sentence, with the numbers.
        remedy: one sentence: what to do.
        attempt: a command or a line of Python to try; empty where there is none.
    """

    name: str
    severity: Severity
    evidence: str
    remedy: str
    attempt: str = ""


@dataclass(frozen=True, kw_only=True)
class Diagnosis(Document):
    """What is said of a training run.

    Args:
        verdict: the first that holds, or ``ok``.
        findings: in order of likelihood; that of the verdict, if there is one, comes first.
    """

    verdict: str
    findings: tuple[Finding, ...] = ()
