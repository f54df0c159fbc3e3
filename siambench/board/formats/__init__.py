"""The formats that ship: one module each, with its ``NAME``, its ``SOURCE`` and ``render``, from a table to text.

They are found by looking into this folder, without plugins: a leaderboard needs neither pluggy nor torch.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from siambench.interfaces import TableView


@dataclass(frozen=True)
class Format:
    """A format that ships.

    Args:
        name: by which ``--format`` names it.
        render: from a table to text.
        source: what it is.
    """

    name: str
    render: Callable[[TableView], str]
    source: str


@cache
def shipped_formats() -> dict[str, Format]:
    """By name, in the order of their modules."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    return {module.NAME: Format(module.NAME, module.render, module.SOURCE) for module in modules}
