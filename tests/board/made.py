"""Records made by hand, of a track that has no data: what the tests of boards are built from."""

from __future__ import annotations

import dataclasses

import numpy as np

from siambench.board.rows import rows_of
from siambench.board.table import build
from siambench.identity import to_json
from siambench.interfaces import Done, Epoch, Failed
from siambench.records.record import Record, write
from siambench.spec import (
    API,
    BASELINES,
    TRAINING_REVISION,
    DataSpec,
    Drawn,
    Method,
    ModelSpec,
    ScoringSpec,
    Source,
    TrainingSpec,
    Unit,
)
from siambench.tracks.exam import exam_of
from siambench.tracks.rules import BudgetRules, SplitRules, Track

TRACK = Track.model_validate(
    {
        "name": "made",
        "version": "1.0",
        "dataset": {"name": "digits"},
        "model": {"backbone": "conv4", "embedding_size": 8},
        "training": {"epochs": 2, "steps_per_epoch": 3, "batch_size": 16, "schedule": "constant", "validate_every": 1, "racing": False},
        "budget": {"studies": 3, "trials": 2, "repetitions": 1},
        "metrics": {"primary": "map@r", "report": ["map@r", "recall@1", "eer"]},
    }
)
BY_SCRIPT = TRACK.model_copy(update={"split": SplitRules(folds=2, group="script")})
"""The same with folds that follow the attribute ``script``."""

ONE_STUDY = TRACK.model_copy(update={"budget": BudgetRules(studies=1, trials=2, repetitions=3)})
"""The same with one study of three final models."""

NO_UNITS = {"planned": 0, "done": 0, "cached": 0, "failed": 0, "lost": 0}
SPACE = {"loss.margin": {"type": "float", "low": 0.0, "high": 1.0, "log": False}}
SHIPPED = Source("siambench", "siambench", "5" * 64)
LOCAL = Source("local", "local", "abc" * 16)
VERSIONS = {"siambench": "0.1.0", "siambench-soft": "0.1.0", "siambench-timm": "0.3"}
DATA = DataSpec(dataset="digits", options={}, split=SplitRules(folds=2).spec, fingerprint="f", groups=None)
CLOSED = DataSpec(dataset="digits", options={}, split=SplitRules(folds=2, rule="closed-set").spec, fingerprint="f", groups=None)
SCORING = ScoringSpec(
    primary="map@r", maximise=True, metrics=("map@r", "recall@1", "eer"), distance="cosine", protocol="retrain", pairs=Drawn()
)
TRAINING = TrainingSpec(
    epochs=2,
    steps_per_epoch=3,
    batch_size=16,
    optimiser="adam",
    schedule="constant",
    precision="fp32",
    validate_every=1,
    early_stopping=0,
    rotate_classes=False,
    sampler="m-per-class",
    images_per_class=4,
    normalise=True,
    augment={},
)


EXAM = exam_of(TRACK, data=("f", None), augment={}, direction="max", pairs=Drawn())


def exam_for(unit):
    """That of the track, with what a unit says otherwise: of its version, data or scoring."""
    changes = {"version": unit.track_version, "data": unit.data.fingerprint, "groups": unit.data.groups}
    scoring = unit.scoring
    evaluation = {"distance": scoring.distance, "protocol": scoring.protocol, "pairs": to_json(scoring.pairs)}
    return dataclasses.replace(EXAM, **changes, evaluation=evaluation, metrics={**EXAM.metrics, "primary": scoring.primary})


def unit(method="triplet", kind="final", trial=0, fold=None, repetition=0, **changes):
    """A unit of the track ``made``; ``changes`` replace any of its fields."""
    baseline = method in BASELINES
    fields = {
        "kind": kind,
        "track": "made",
        "track_version": "1.0",
        "method": Method(method),
        "row": f"baseline-{method}" if baseline else f"row-{method}",
        "study": 0,
        "trial": None if baseline else trial,
        "fold": fold,
        "repetition": repetition,
        "stop_epoch": None if baseline or kind == "tune" else 2,
        "data": DATA,
        "model": None if method == "raw" else ModelSpec(backbone="conv4", options={}, embedding_size=8),
        "training": None if baseline else TRAINING,
        "scoring": SCORING,
        "params": {} if baseline else {"loss.margin": 0.3 + 0.1 * trial},
        "space": {} if baseline else SPACE,
        "space_name": "",
        "space_versions": {},
        "edited": (),
        "components": {"loss": SHIPPED},
        "libraries": {"torch": "2.9"},
        "seeds": {},
        "api": API,
        "revision": TRAINING_REVISION,
    }
    return Unit(**{**fields, **changes})


def done(**changes):
    """The outcome of a unit that ended well, without scores; ``changes`` replace any of its fields."""
    fields = {
        "scores": {},
        "per_class": {},
        "class_queries": None,
        "curve": (),
        "notes": {},
        "repeat_rate": None,
        "directions": {"map@r": "max", "recall@1": "max", "eer": "min"},
        "ranges": {"map@r": (0.0, 1.0), "recall@1": (0.0, 1.0), "eer": (0.0, 1.0)},
        "over_pairs": ("eer",),
    }
    return Done(**{**fields, **changes})


def made(unit, outcome, telemetry=None):
    """A record of a unit, with the versions of what its components came from."""
    told = {role: f"{one.distribution} {VERSIONS.get(one.distribution, '0')}+{one.digest}" for role, one in unit.components.items()}
    return Record(unit, exam_for(unit), outcome, {"components": told, **(telemetry or {})})


def final(method, repetition, score, state="done", outcome=None, telemetry=None, **changes):
    """The record of a final model; ``outcome`` replaces fields of what it gave."""
    if state == "failed":
        gave = Failed(error="it raised", ended="raised")
    else:
        gave = done(**{"scores": {"map@r": score, "recall@1": score / 2, "eer": None}, **(outcome or {})})
    return made(unit(method, repetition=repetition, **changes), gave, telemetry)


def tuned(method, trial, fold, values, state="done", telemetry=None, **changes):
    """The record of one fold of a trial, with a validation score per epoch."""
    curve = tuple(
        Epoch(epoch=number, loss=1.0, gradient_norm=None, tuples=None, validation={"map@r": value})
        for number, value in enumerate(values, start=1)
    )
    gave = Failed(error="it diverged", ended="diverged") if state == "failed" else done(curve=curve)
    return made(unit(method, kind="tune", trial=trial, fold=fold, **changes), gave, telemetry)


def study(method, scores, outcome=None, **changes):
    """One study: two trials of which the second is best at epoch 2, and final models with these scores."""
    records = [tuned(method, t, f, [0.1, 0.2 + 0.1 * t], **changes) for t in range(2) for f in range(2)]
    return records + [final(method, i, score, outcome=outcome, trial=1, **changes) for i, score in enumerate(scores)]


def studies(method, scores, repetitions=1, outcome=None, **changes):
    """As many studies as scores, each with so many final models of that score."""
    numbered = enumerate(scores)
    return [record for number, score in numbered for record in study(method, [score] * repetitions, outcome, study=number, **changes)]


def untrained(scores, repetitions=1, **changes):
    """The untrained network of as many studies as scores, drawn anew for each final model."""
    return [final("untrained", i, score, study=number, **changes) for number, score in enumerate(scores) for i in range(repetitions)]


CURVES = {
    0: ([0.1, 0.3], [0.2, 0.2]),
    1: ([0.1, 0.1], [0.1, 0.1]),
    2: ([0.9, 0.9], None),
    3: ([0.4, 0.2], [0.5, 0.1]),
    4: ([0.2, 0.2], [0.2, 0.2]),
    5: ([0.4, 0.1], [0.3, 0.1]),
    6: ([0.1, 0.6], [0.1, 0.5]),
}
"""Trial → its curve on each of two folds; trial 2 diverges on its second fold."""


def trials(numbers=tuple(CURVES), method="triplet", **changes):
    """The records of these trials, with the curves of `CURVES`."""
    found = []
    for number in numbers:
        for fold, values in enumerate(CURVES[number]):
            state = "failed" if values is None else "done"
            found.append(tuned(method, number, fold, values or [], state=state, **changes))
    return found


def with_classes(method, per_model, queries, attributes=None, **changes):
    """As many studies as models, each with a final model of these per-class scores of the primary metric."""
    records = []
    for number, scores in enumerate(per_model):
        records += study(method, [], study=number, **changes)
        known = [(s, q) for s, q in zip(scores, queries or [1] * len(scores), strict=True) if s is not None]
        mean = sum(s * q for s, q in known) / sum(q for _, q in known)
        outcome = {"per_class": {"map@r": tuple(scores)}, "class_queries": None if queries is None else tuple(queries)}
        outcome["class_attributes"] = attributes or {}
        records.append(final(method, 0, mean, trial=1, outcome=outcome, study=number, **changes))
    return records


PER_MODEL = [
    [0.1, 0.9, 0.4, 0.3, 0.55, 0.61, 0.05, 0.33],
    [0.2, 0.7, 0.5, 0.3, 0.57, 0.62, 0.07, 0.33],
    [0.3, 0.8, 0.6, 0.0, 0.53, 0.66, 0.09, 0.36],
]
QUERIES = [5, 20, 3, 8, 11, 1, 9, 2]


SCORES = {
    "triplet": [0.500, 0.510, 0.490],
    "npair": [0.100, 0.119, 0.104],
    "supcon": [0.512, 0.501, 0.495],
    "arcface": [0.110, 0.112, 0.099],
}


def several():
    """Four methods, two of them good and two bad, and none told apart from its like."""
    return [record for method, scores in SCORES.items() for record in studies(method, scores)]


def timed(records, seed=0, phases=("data", "train", "evaluate")):
    """The same records with telemetry drawn at random."""
    generator = np.random.default_rng(seed)
    found = []
    for record in records:
        seconds = {phase: round(float(value), 4) for phase, value in zip(phases, generator.exponential(3.0, len(phases)), strict=True)}
        telemetry = {
            "seconds": seconds,
            "total_seconds": round(sum(seconds.values()) + 0.5, 4),
            "peak_memory_mb": round(float(generator.uniform(300, 900)), 1),
            "device": "cpu",
        }
        found.append(dataclasses.replace(record, telemetry=telemetry))
    return found


def table_of(records, track=TRACK, direction="max", **options):
    """The table that records give."""
    return build(track, rows_of(track, records, **options), units=NO_UNITS, direction=direction)


def leave(folder, records, *, rules=True):
    """A track's folder with these records; gives its path."""
    for record in records:
        write(folder / "records", record)
    if rules:
        (folder / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    return folder


def local(score=0.7):
    """A row that nobody else could make again."""
    return studies("./mine.py:Loss", [score, score + 0.01, score + 0.02], components={"loss": LOCAL})
