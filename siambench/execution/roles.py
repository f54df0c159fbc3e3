"""The components of a unit by their roles, and the entries that it is trained with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from siambench.components.catalogue import Catalogue
from siambench.components.expression import OF_LOSS, with_paths
from siambench.components.roles import AUGMENTATION, OF_BACKBONE, OPTIMISER, SCHEDULE, SPLIT_RULE
from siambench.components.two_sided import part_of
from siambench.models.file import read_model
from siambench.plugin import BackboneEntry
from siambench.spec import INIT, NO_MINER, Context, Unit
from siambench.training.components import Entries

METRIC = "metric:"
"""Begins the role of a metric, with its name behind."""


def is_table(options: object) -> bool:
    """Whether what a unit's augmentation holds under a name are the options of a component."""
    return isinstance(options, Mapping)


def roles_of(unit: Unit, context: Context) -> dict[str, tuple[str, str]]:
    """Kind and name of each component that a unit was planned with, by its role."""
    training = unit.training
    names = {
        "dataset": ("datasets", context.local.get(unit.data.dataset, unit.data.dataset)),
        "loss": ("losses", with_paths(unit.method.loss, context.local)),
        "miner": ("miners", unit.method.miner),
        "backbone": ("backbones", None if unit.model is None else unit.model.backbone),
        "sampler": ("samplers", None if training is None else training.sampler),
        SPLIT_RULE: ("split_rules", unit.data.split.rule),
        OPTIMISER: ("optimisers", None if training is None else training.optimiser),
        SCHEDULE: ("schedules", None if training is None else training.schedule),
    }
    found = {role: (kind, name) for role, (kind, name) in names.items() if role in unit.components and name is not None}
    parts = {role: role.removeprefix(OF_LOSS) for role in unit.components if role.startswith(OF_LOSS)}
    found |= {role: ("losses", context.local.get(name, name)) for role, name in parts.items()}
    if unit.model is not None:
        sides = [role for role in unit.components if role.startswith(OF_BACKBONE)]
        found |= {role: ("backbones", part_of(unit.model.backbone, role)) for role in sides}
    # A metric's role bears its name, as that of an augmentation does; the primary one has a role of its own beside that.
    for prefix, kind in ((METRIC, "metrics"), (AUGMENTATION, "augmentations")):
        found |= {role: (kind, role.removeprefix(prefix)) for role in unit.components if role.startswith(prefix)}
    return found | ({"primary": ("metrics", unit.scoring.primary)} if "primary" in unit.components else {})


def entries_of(unit: Unit, context: Context, catalogue: Catalogue, backbone: BackboneEntry) -> Entries:
    """The entries that a unit is trained with, and the weights that its network starts from where a file holds them.

    Raises:
        DataError: if that file is no model.
    """
    training = unit.training
    assert training is not None
    started = None if unit.method.init is None else read_model(Path(context.local[INIT])).weights
    return Entries(
        started=started,
        backbone=backbone,
        loss=catalogue.get("losses", with_paths(unit.method.loss, context.local)).with_options(unit.own("loss")).entry,
        miner=None if unit.method.miner == NO_MINER else catalogue.get("miners", unit.method.miner).entry,
        sampler=catalogue.get("samplers", training.sampler).entry,
        optimiser=catalogue.get("optimisers", training.optimiser).entry if OPTIMISER in unit.components else None,
        schedule=catalogue.get("schedules", training.schedule).entry if SCHEDULE in unit.components else None,
        augmentations={name: catalogue.get("augmentations", name).entry for name, options in training.augment.items() if is_table(options)},
    )
