"""A component, and where it comes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Provenance:
    """Where a component comes from. ``digest`` is set where the source can change under one version."""

    plugin: str
    distribution: str
    version: str
    digest: str | None = None

    def __str__(self) -> str:
        changing = f"+{self.digest[:16]}" if self.digest else ""
        return f"{self.distribution} {self.version}{changing}"


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
