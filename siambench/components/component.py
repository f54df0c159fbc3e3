"""A component, and how the loading of a plugin went."""

from __future__ import annotations

import hashlib
import importlib.metadata
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from siambench.components.source import code_digest, file_digest
from siambench.errors import ConfigError, PluginError, named, text_of
from siambench.plugin import FileEntry, LossEntry, factory_of
from siambench.spaces import Params
from siambench.spec import Source


@dataclass(frozen=True)
class Provenance:
    """Where a component comes from, for people.

    Args:
        plugin: that provides it.
        distribution: that the plugin came in; ``"local"`` for a component in a file.
        version: of the distribution.
    """

    plugin: str
    distribution: str
    version: str

    @property
    def is_local(self) -> bool:
        """Whether it is a file that nobody else has."""
        return self.distribution == "local"

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


@dataclass(frozen=True)
class Component:
    """One named thing of a kind.

    Args:
        kind: ``"losses"``, ``"miners"``, …
        name: what it is asked for by.
        entry: what its plugin says of it.
        provenance: where it comes from.
        path: of a component in a file; else None.
        module: of the hooks that named it.
        installed: the distribution that it came in; None where it was never installed.
    """

    kind: str
    name: str
    entry: Any
    provenance: Provenance
    path: str | None = None
    module: str = ""
    installed: importlib.metadata.Distribution | None = field(default=None, compare=False, repr=False)

    @cached_property
    def source(self) -> Source:
        """Its code, read when it is first asked for: a list of what is installed does without."""
        if isinstance(self.entry, FileEntry):
            code = hashlib.sha256(self.entry.file.read_bytes()).hexdigest()
        elif self.path is not None:
            code = file_digest(Path(self.path))
        else:
            code = code_digest(factory_of(self.entry), self.module, self.installed)
        return Source(self.provenance.plugin, self.provenance.distribution, code)

    def with_options(self, given: Params) -> Component:
        """A loss as a row with these parameters has it, its code included: itself where they set no option.

        Raises:
            ConfigError: of a value that an option cannot have, and of options that do not go together.
            PluginError: if the entry's ``with_set`` raises something else, or gives no entry.
        """
        if not isinstance(self.entry, LossEntry):
            return self
        try:
            entry = self.entry.with_options(given)
        except ValueError as error:
            raise ConfigError(f"the options of the loss {self.name} do not hold: {text_of(error)}") from error
        except (MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise PluginError(f"with_set of the loss {self.name} raised {named(error)}") from error
        if not isinstance(entry, LossEntry):
            raise PluginError(f"with_set of the loss {self.name} must give a LossEntry, got {type(entry).__name__}")
        return self if entry is self.entry else replace(self, entry=entry)

    @property
    def told(self) -> str:
        """Distribution, version and the first digits of the digest of its code."""
        return f"{self.provenance}+{str(self.source.digest)[:16]}"


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
