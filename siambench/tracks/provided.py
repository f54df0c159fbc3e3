"""Tracks and comparisons that plugins ship, looked for where a name is neither a shipped one's nor a path: plugins have to be loaded."""

from __future__ import annotations

import os
import re
import sys
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.components.component import Component

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

FileKind = Literal["tracks", "configs"]


def provided(kind: FileKind) -> tuple[Component, ...]:
    """Those of all plugins that are installed and let in, sorted by name; two of one name are both there."""
    catalogue = _catalogue()
    return () if catalogue is None else tuple(c for c in catalogue.components(kind) if c.provenance.plugin != "siambench")


def provided_path(kind: FileKind, name: str) -> Path | None:
    """Where a plugin's track, or comparison, of that name is; None where no plugin has one.

    Raises:
        DuplicateNameError: if two plugins do.
    """
    # A path is no name, and no reason to load plugins.
    if _NAME.fullmatch(name) is None or name not in {component.name for component in provided(kind)}:
        return None
    catalogue = _catalogue()
    assert catalogue is not None
    return Path(catalogue.get(kind, name).entry.path)


def failed() -> list[str]:
    """The plugins that did not load."""
    catalogue = _catalogue()
    return [] if catalogue is None else catalogue.failed


def _catalogue() -> Catalogue | None:
    allowed = os.environ.get("SIAMBENCH_PLUGINS")
    # Where none is let in, nothing need be imported to say so.
    return None if allowed is not None and not allowed.replace(",", "").strip() else _loaded(allowed, tuple(sys.path))


@lru_cache(maxsize=2)
def _loaded(allowed: str | None, path: tuple[str, ...]) -> Catalogue:  # noqa: ARG001  what is installed follows from where modules are found
    from siambench.components.catalogue import Catalogue

    return Catalogue.load({} if allowed is None else {"SIAMBENCH_PLUGINS": allowed}, again=True)
