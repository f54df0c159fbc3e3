"""The one place where the laboratory asks what siambench says of a run. Where it says nothing, the answer is None: not judged."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import siambench
from siambench.identity import from_json
from siambench.interfaces._measures import Diagnosis
from siambench.records.record import Record

if TYPE_CHECKING:
    from object_runs import Objects


SECONDS = 20.0
"""For each look at objects: the scenarios of plain torch are to take two minutes in all."""


def verdict_of(found: Record | Objects) -> Diagnosis | None:
    """The diagnosis of a unit's record, or of somebody's own objects before they are trained.

    Args:
        found: the record of a unit, or what `siambench.diagnose` takes.

    Returns:
        What is said; None where this siambench judges nothing of that kind.
    """
    if isinstance(found, Record):
        told = found.telemetry.get("diagnosis")
        return None if told is None else from_json(Diagnosis, json.dumps(told), where="diagnosis")
    diagnose = getattr(siambench, "diagnose", None)
    if not callable(diagnose):
        return None
    # As its author hands it over: in the mode in which it is judged.
    found.model.train(found.judged_in is not None)
    judged: Diagnosis = diagnose(found.model, found.loss, found.batches, optimiser=found.optimiser, seconds=SECONDS)
    return judged
