"""Entries of what is a file rather than code: tracks, and comparisons."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_MOST_BYTES = 1 << 20
"""Of a file that is looked into for what it says of itself."""


@dataclass(frozen=True)
class FileEntry:
    """What tracks and comparisons have in common; plugins use `TrackEntry` and `ConfigEntry`.

    Args:
        path: where it is; one that is not absolute is looked for in the folder of the module with the hook.
        source: who made it, and from what.
    """

    path: str | Path
    source: str

    def __post_init__(self) -> None:
        if not self.source.strip():
            raise ValueError("an entry names its source: the paper, or where the component comes from")

    @property
    def file(self) -> Path:
        """The file with the rules."""
        return Path(self.path)

    def within(self, folder: Path) -> Self:
        """The entry with its whole path.

        Args:
            folder: of the module with the hook.

        Raises:
            TypeError: if the path is none.
            ValueError: if the file is not there.
        """
        if not isinstance(self.path, str | Path):
            raise TypeError(f"path must be the text of a path, or a pathlib.Path, got {type(self.path).__name__}")
        found = dataclasses.replace(self, path=folder / self.path)
        if not found.file.is_file():
            raise ValueError(f"there is no file {found.file}: it has to be installed with the plugin")
        return found

    @property
    def about(self) -> str | None:
        """What the file says of itself; None where it says nothing that can be read."""
        return None


@dataclass(frozen=True)
class TrackEntry(FileEntry):
    """A track: the rules of an exam, and if there are any the records and pages of its leaderboard.

    Args:
        path: its folder, as a rule part of the package: ``track.toml``, whose ``name`` is that of the entry, and beside it what
            ``siambench leaderboard --write`` leaves there, ``records/``, ``README.md`` and the tables.
        source: who made it, and from what.
    """

    @property
    def file(self) -> Path:
        """Its ``track.toml``."""
        return Path(self.path) / "track.toml"

    @property
    def about(self) -> str | None:
        """Its title."""
        with contextlib.suppress(OSError, ValueError, RecursionError):
            title = tomllib.loads(_text(self.file)).get("title")
            return title if isinstance(title, str) else None
        return None


@dataclass(frozen=True)
class ConfigEntry(FileEntry):
    """A comparison: a track and the methods that sit it.

    Args:
        path: its TOML file, as a rule part of the package.
        source: who made it, and for what.
    """

    @property
    def about(self) -> str | None:
        """The comment that it opens with, but for the command."""
        with contextlib.suppress(OSError, ValueError):
            opening = itertools.takewhile(lambda line: line.startswith("#"), _text(self.file).splitlines())
            told = [line.lstrip("# ") for line in opening]
            return "\n".join(line for line in told if not line.startswith("siambench ")) or None
        return None


def _text(file: Path) -> str:
    with file.open("rb") as opened:
        return opened.read(_MOST_BYTES).decode("utf-8-sig")
