"""Records made by hand, of a track that has no data: what the tests of boards are built from."""

from __future__ import annotations

from siambench.board.rows import rows_of
from siambench.board.table import build
from siambench.records.record import make
from siambench.spec import ANCHORS, Method, Unit
from siambench.tracks.rules import Track

TRACK = Track.model_validate(
    {
        "name": "made",
        "version": "1.0",
        "dataset": {"name": "digits"},
        "budget": {"trials": 2, "seeds": 3},
        "metrics": {"primary": "map@r", "report": ["map@r", "recall@1", "eer"]},
    }
)
SPACE = {"loss.margin": {"type": "float", "low": 0.0, "high": 1.0, "log": False}}


def unit(method="triplet", kind="final", trial=0, fold=None, repetition=0, **changes):
    """A unit of the track ``made``; ``changes`` replace any of its fields."""
    anchor = method in ANCHORS
    fields = {
        "kind": kind,
        "track": "made",
        "track_version": "1.0",
        "method": Method(method),
        "study": f"anchor-{method}" if anchor else f"study-{method}",
        "trial": None if anchor else trial,
        "fold": fold,
        "repetition": repetition,
        "stop_epoch": None if anchor or kind == "tune" else 2,
        "data": {"fingerprint": "f", "split": {"folds": 2}},
        "model": {},
        "training": {} if anchor else {"maximise": True},
        "augment": {},
        "params": {} if anchor else {"loss.margin": 0.3 + 0.1 * trial},
        "space": {} if anchor else SPACE,
        "space_versions": {},
        "edited": (),
        "components": {"loss": "siambench 0.1.0"},
        "evaluation": {"distance": "cosine", "protocol": "retrain", "pairs": ""},
        "metrics": ("map@r",),
        "primary": "map@r",
        "seeds": {},
    }
    return Unit(**{**fields, **changes})


def final(method, repetition, score, state="done", result=None, **changes):
    """The record of a final model; ``result`` adds to what it holds."""
    outcome = {
        "error": None if state == "done" else "it raised",
        "scores": {"map@r": score, "recall@1": score / 2, "eer": None} if state == "done" else {},
        "curve": [],
        "directions": {"map@r": "max", "recall@1": "max", "eer": "min"},
        **(result or {}),
    }
    return make(unit(method, repetition=repetition, **changes), state=state, outcome=outcome, telemetry={})


def tuned(method, trial, fold, values, state="done", telemetry=None, **changes):
    """The record of one fold of a trial, with a validation score per epoch."""
    curve = [{"validation": {"map@r": value}} for value in values]
    outcome = {"error": None if state == "done" else "it diverged", "scores": {}, "curve": curve if state == "done" else []}
    return make(unit(method, kind="tune", trial=trial, fold=fold, **changes), state=state, outcome=outcome, telemetry=telemetry or {})


def study(method, scores, result=None, **changes):
    """Two trials of which the second is best at epoch 2, and final models with these scores."""
    records = [tuned(method, t, f, [0.1, 0.2 + 0.1 * t], **changes) for t in range(2) for f in range(2)]
    return records + [final(method, i, score, result=result, trial=1, **changes) for i, score in enumerate(scores)]


def table_of(records, track=TRACK, **options):
    """The table that records give."""
    rows = rows_of(track, records, **options)
    return build(track, rows, units={"planned": 0, "done": 0, "cached": 0, "failed": 0, "lost": 0})
