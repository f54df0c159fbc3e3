"""The files that come with siambench beside its code: tracks with their records, and comparisons."""

from __future__ import annotations

from pathlib import Path
from typing import Literal


def shipped(folder: Literal["leaderboards", "configs"]) -> Path:
    """The folder of that name, in a wheel inside the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "shipped" / folder
    return inside if inside.is_dir() else package.parent / folder
