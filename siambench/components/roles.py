"""Roles that components of tracks have in units: a plugin's split rule, optimiser and schedule, and each augmentation with a table."""

from __future__ import annotations

from typing import Final

SPLIT_RULE: Final = "split-rule"
OPTIMISER: Final = "optimiser"
SCHEDULE: Final = "schedule"
AUGMENTATION: Final = "augmentation:"
"""Before the name of the augmentation."""

OF_BACKBONE: Final = "backbone:"
"""Before ``first`` and ``second``: the backbones of items of two sides."""
