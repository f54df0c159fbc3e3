"""The files below a folder, as somebody keeps them: links, hidden files, pipes and what is no image included."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from siambench.data.names import as_text
from siambench.errors import DataError

_MOST_FOLDERS = 1_000_000

Names = tuple[str, ...]

_PLURALS = {
    "file": "files",
    "hidden": "hidden",
    "link to nowhere": "links to nowhere",
    "link in a circle": "links in a circle",
    "pipe or device": "pipes or devices",
}


@dataclass(frozen=True)
class Found:
    """What lies below a folder.

    Args:
        names: of each file that was wanted, the names on the way to it, sorted.
        passed_over: what was not, by its kind: how many, and an example.
    """

    names: tuple[Names, ...]
    passed_over: tuple[str, ...]


def walk(root: Path, wanted: Callable[[Path], bool]) -> Found:
    """Look through a folder and all below it. Links are followed, but never in a circle; hidden files and folders are passed over.

    Args:
        root: the folder.
        wanted: whether a file is; called for regular files alone.

    Raises:
        DataError: if a folder cannot be read.
    """
    names: list[Names] = []
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for place, kind in _everything(root):
        if kind == "file" and wanted(root.joinpath(*place)):
            names.append(place)
            continue
        text = "/".join(as_text(part) for part in place)
        counts[kind] += 1
        examples[kind] = min(examples.get(kind, text), text)
    passed = [
        f"{counts[kind]} {kind if counts[kind] == 1 else plural} ({examples[kind]})" for kind, plural in _PLURALS.items() if counts[kind]
    ]
    return Found(tuple(sorted(names)), tuple(passed))


def _everything(root: Path) -> Iterator[tuple[Names, str]]:
    """Each file, and what is passed over, with its kind."""
    waiting: list[tuple[Names, frozenset[tuple[int, int]]]] = [((), frozenset({_identity(root.stat())}))]
    folders = 0
    while waiting:
        place, above = waiting.pop()
        folders += 1
        if folders > _MOST_FOLDERS:
            raise DataError(f"{as_text(root)} holds more than {_MOST_FOLDERS:,} folders, links followed")
        for name in _listed(root.joinpath(*place)):
            inside = (*place, name)
            if name.startswith("."):
                yield inside, "hidden"
                continue
            try:
                status = root.joinpath(*inside).stat()
            except OSError:
                yield inside, "link to nowhere"
                continue
            if stat.S_ISDIR(status.st_mode):
                if _identity(status) in above:
                    yield inside, "link in a circle"
                else:
                    waiting.append((inside, above | {_identity(status)}))
            else:
                yield inside, "file" if stat.S_ISREG(status.st_mode) else "pipe or device"


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _listed(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208  names, of which a path would have to be taken apart again
    except OSError as error:
        raise DataError(f"{as_text(folder)} cannot be read: {error.strerror or error}") from error
