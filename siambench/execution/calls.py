"""What engines are handed: functions that import torch when they are called, in the worker, not in the coordinator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from siambench.errors import UsageError
from siambench.execution.engines.choice import Choice
from siambench.execution.places import place_of
from siambench.machine import no_bf16
from siambench.training.cadence import measured_every

if TYPE_CHECKING:
    from siambench.interfaces import Engine
    from siambench.records.record import Record
    from siambench.spec import Context, DataSpec, Unit
    from siambench.studies.request import Prepared

PRELOAD = (
    "siambench.execution.calls",
    "siambench.execution.worker",
    "siambench.builtin.backbones.networks",
    "siambench.builtin.samplers.sampling",
    # What torch and scipy would otherwise import in every worker, at the first step of an optimiser.
    "torch._dynamo",
    "scipy.special",
    # What a unit and its record are written with, made once; and the intervals that some metrics note.
    "siambench.execution.forms",
    "siambench.stats",
)
"""What the server imports that workers are forked from: paid once a run. pytorch-metric-learning, and scikit-learn with it, is imported in
the workers whose units name a component that needs it."""


def execute(unit: Unit, context: Context) -> Record:
    """Run one unit in this process, which is to have served no other place (`siambench.interfaces.Place`)."""
    from siambench.execution.worker import execute as run_unit

    return run_unit(unit, context)


def execute_apart(unit: Unit, context: Context) -> Record:
    """Run one unit in a process beside this one: what an engine is handed that knows nothing of places.

    Raises:
        LostError: if the environment took the unit.
    """
    from siambench.errors import LostError
    from siambench.execution.engines.apart import apart

    ended = apart(PRELOAD).call(place_of(unit, context), execute, (unit, context))
    if ended.reason is not None:
        raise LostError(ended.reason)
    record: Record = ended.value
    return record


def read_ahead(data: DataSpec, name: str) -> None:
    """Read and cut data that comes with siambench, for workers that are forked from this process; what is wrong with it, they will say."""
    from siambench.execution.worker import read_ahead as read

    read(data, name)


def unfit(units: Sequence[Unit], context: Context) -> str | None:
    """Why this process cannot run those units, or None; what engines may ask their workers."""
    from siambench.execution.worker import unfit as unfit_here

    return unfit_here(units, context)


def engine_for(chosen: Choice, prepared: Prepared) -> Callable[[], Engine]:
    """A maker of the chosen engine, whose workers can be asked whether they fit what is to run.

    Raises:
        UsageError: if units are to train in bf16 on this machine, and it does not compute in it.
    """
    in_bf16 = any(study.template.training is not None and study.template.training.precision == "bf16" for study in prepared.studies)
    reason = no_bf16() if in_bf16 and chosen.component.name == "local" else None
    if reason is not None:
        raise UsageError(f"training.precision = 'bf16': {reason}")

    def make() -> Engine:
        from siambench.spec import Context

        units = [study.template for study in prepared.studies] + list(prepared.baselines[:1])
        context = Context(local=prepared.local, observers=prepared.observers, distributions=prepared.distributions)
        function = execute if chosen.takes("place") else execute_apart
        return chosen.start(function=function, preload=PRELOAD, fits=partial(unfit, units, context), place=place_of)

    return make


def local_engine(jobs: int | None) -> Callable[[], Engine]:
    """A maker of the local engine with so many workers; None: one per GPU, or per core.

    Raises:
        UsageError: if the environment says how often training is measured, and no number.
    """
    measured_every()

    def make() -> Engine:
        from siambench.execution.engines.local import LocalEngine

        return LocalEngine(execute, jobs=jobs, preload=PRELOAD, place=place_of)

    return make
