"""A track's rules in short, for people: what is trained and tested on what, with what budget, and how it is scored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from siambench.board.captions import PROTOCOLS
from siambench.board.table import Table, pairs_text
from siambench.tracks.rule_values import Frozen
from siambench.tracks.rules import RangeRules, Track
from siambench.wording import several

_SAID = {"epochs", "steps_per_epoch", "batch_size", "optimiser", "schedule", "precision"}
"""Of training what is said in words; what else is not as usual follows by its key."""


def rules_of(table: Table) -> tuple[tuple[str, str], ...]:
    """Pairs of a title and a text."""
    track = table.track
    exam = () if table.exam is None else (("Exam", f"{table.exam.short}: rows of one table share it"),)
    return (
        ("Data", _with(track.dataset.name, track.dataset.options)),
        ("Split", _split(track, closed_set=table.closed_set)),
        ("Network", f"{_with(track.model.backbone, track.model.options)}, embeddings of {track.model.embedding_size} numbers"),
        ("Training of a trial", _training(track)),
        ("Augmentation", _listed(_unusual(track.augment)) if track.augment is not None else "none"),
        ("Tuned for every method", "; ".join(f"{name} {_range(one)}" for name, one in track.space) + "; and the parameters of its own"),
        ("Budget of a method", _budget(track)),
        ("Scored by", _scored(table)),
        *exam,
    )


def _split(track: Track, *, closed_set: bool) -> str:
    split = track.split
    apart = "training and test share their classes" if closed_set else "no class of the test is trained on"
    by = f", each group of classes ({split.group}) in one of them" if split.group else ""
    fraction = f", {100 * split.test_fraction:g} % of the classes test" if split.rule == "class-halves" else ""
    return f"{split.rule}{fraction}: {apart}; {several(split.folds, 'validation fold', 'validation folds')} of the training classes{by}"


def _training(track: Track) -> str:
    one = track.training
    steps = one.epochs * one.steps_per_epoch
    others = _listed({name: value for name, value in _unusual(one).items() if name not in _SAID})
    return (
        f"{steps:,} steps ({several(one.epochs, 'epoch', 'epochs')} of {one.steps_per_epoch:,}), {one.batch_size:,} items a step, "
        f"{one.optimiser} under {one.schedule} in {one.precision}" + (f"; {others}" if others else "")
    )


def _budget(track: Track) -> str:
    budget = track.budget
    studies = several(budget.studies, "independent study", "independent studies")
    return (
        f"{studies}, each of {several(budget.trials, 'trial', 'trials')} and {several(budget.repetitions, 'final model', 'final models')}"
    )


def _scored(table: Table) -> str:
    track = table.track
    way = "higher is better" if table.direction == "max" else "lower is better"
    parts = [f"{track.metrics.primary} ({way}), by {track.evaluation.distance} distance"]
    parts.append(f"protocol {track.evaluation.protocol}: {PROTOCOLS[track.evaluation.protocol]}")
    pairs = "" if table.scoring is None else pairs_text(track, table.scoring.pairs)
    parts += [f"verification pairs: {pairs}"] if pairs else []
    return "; ".join(parts)


def _with(name: str, options: Mapping[str, Any]) -> str:
    told = _listed(options)
    return f"{name} ({told})" if told else name


def _listed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_value(value)}" for name, value in values.items())


def _value(value: object) -> str:
    if isinstance(value, Mapping):
        return f"({_listed(value)})"
    if isinstance(value, list | tuple):
        is_range = len(value) == 2 and all(isinstance(one, int | float) for one in value)
        return ("–" if is_range else ", ").join(map(_value, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _unusual(rules: Frozen) -> dict[str, Any]:
    """What is not as it is where nobody says anything."""
    return rules.model_dump(mode="json", exclude_defaults=True)


def _range(one: RangeRules) -> str:
    if one.is_fixed:
        return f"{one.low:g}, not tuned"
    return f"{one.low:g}–{one.high:g}" + (" by its logarithm" if one.log else "") + f" (default {one.default:g})"
