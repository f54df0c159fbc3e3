"""What engines are handed: functions that import torch when they are called, in the worker, not in the coordinator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from siambench.execution.engines.choice import Choice

if TYPE_CHECKING:
    from siambench.interfaces import Engine
    from siambench.records.record import Record
    from siambench.spec import Context, Unit
    from siambench.studies.request import Prepared

PRELOAD = (
    "siambench.execution.calls",
    "siambench.execution.worker",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    # What torch and scipy would otherwise import in every worker, at the first step of an optimiser.
    "torch._dynamo",
    "scipy.special",
)


def execute(unit: Unit, context: Context) -> Record:
    """Run one unit."""
    from siambench.execution.worker import execute as run_unit

    return run_unit(unit, context)


def unfit(units: Sequence[Unit], context: Context) -> str | None:
    """Why this process cannot run those units, or None; what engines may ask their workers."""
    from siambench.execution.worker import unfit as unfit_here

    return unfit_here(units, context)


def engine_for(chosen: Choice, prepared: Prepared) -> Callable[[], Engine]:
    """A maker of the chosen engine, whose workers can be asked whether they fit what is to run."""

    def make() -> Engine:
        from siambench.spec import Context

        units = [study.template for study in prepared.studies] + list(prepared.baselines[:1])
        fits = partial(unfit, units, Context(local=prepared.local, observers=prepared.observers))
        return chosen.start(function=execute, preload=PRELOAD, fits=fits)

    return make


def local_engine(jobs: int | None) -> Callable[[], Engine]:
    """A maker of the local engine with so many workers; None: one per GPU, or per core."""

    def make() -> Engine:
        from siambench.execution.engines.local import LocalEngine

        return LocalEngine(execute, jobs=jobs, preload=PRELOAD)

    return make
