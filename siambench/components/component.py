"""A component, and how the loading of a plugin went."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from siambench.spec import Provenance


@dataclass(frozen=True)
class Component:
    """One named thing of a kind. ``path`` is set for a component in a file."""

    kind: str
    name: str
    entry: Any
    provenance: Provenance
    path: str | None = None


@dataclass(frozen=True)
class PluginStatus:
    """How the loading of one plugin went."""

    plugin: str
    distribution: str
    version: str
    error: str | None
    components: tuple[str, ...]

    @property
    def status(self) -> str:
        """``"ok"`` or ``"failed"``."""
        return "ok" if self.error is None else "failed"
