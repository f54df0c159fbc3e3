"""The units of the rows that nothing is trained for."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from siambench.components.roles import OF_BACKBONE, SPLIT_RULE
from siambench.data.checked_sides import comparable
from siambench.spec import BASELINES, FIXED_BASELINES, Method, Unit
from siambench.studies.plan import REPORTED, StudyPlan, seeds_of

if TYPE_CHECKING:
    from siambench.interfaces import Dataset


def baselines_of(plans: Iterable[StudyPlan], absent: Collection[str] = ()) -> tuple[Unit, ...]:
    """Those of studies, each once.

    Args:
        plans: of one track.
        absent: baselines that its items have none of; see `absent_of`.
    """
    units = {unit.id: unit for plan in plans for unit in _units(plan) if unit.method.loss not in absent}
    return tuple(units.values())


def absent_of(dataset: Dataset) -> tuple[str, ...]:
    """The baselines that items have none of: where they have two sides ``pretrained``, and ``raw`` where these are not comparable."""
    if not dataset.sides:
        return ()
    return ("pretrained",) if comparable(dataset) else ("raw", "pretrained")


def _units(plan: StudyPlan) -> list[Unit]:
    """The units of the rows that nothing is trained for: ``untrained`` for every repetition of a study, the others once.

    ``pretrained`` is there where training starts from pretrained weights: the features of those, without a head.

    Args:
        plan: any method's study of the track.
    """
    model = plan.template.model
    assert model is not None
    starts_pretrained = any(model.options[name] != value for name, value in plan.scratch.items())
    units = []
    for baseline in BASELINES:
        if (baseline == "pretrained" and not starts_pretrained) or (baseline in FIXED_BASELINES and plan.study):
            continue
        # The baseline is a property of the track: nothing of the method it was made beside may reach its identity.
        roles = ("dataset", "primary", SPLIT_RULE, *(() if baseline == "raw" else ("backbone",)))
        also = (REPORTED,) if baseline == "raw" else (REPORTED, OF_BACKBONE)
        own = {role: where for role, where in plan.template.components.items() if role in roles or role.startswith(also)}
        scratch = plan.scratch if baseline == "untrained" else {}
        template = dataclasses.replace(
            plan.template,
            method=Method(baseline, backbone=None if baseline == "raw" else plan.method.backbone),
            row=f"baseline-{baseline}",
            training=None,
            space={},
            space_name="",
            space_versions={},
            edited=(),
            model=None if baseline == "raw" else dataclasses.replace(model, options={**model.options, **scratch}),
            components=own,
            # What has no weights to draw is one model under every protocol; an untrained network stands for every model that fails.
            scoring=dataclasses.replace(
                plan.template.scoring, protocol="retrain" if baseline in FIXED_BASELINES else plan.template.scoring.protocol
            ),
        )
        units += [
            dataclasses.replace(template, repetition=repetition, seeds=seeds_of(template, "final", None, repetition))
            for repetition in range(1 if baseline in FIXED_BASELINES else plan.repetitions)
        ]
    return units
