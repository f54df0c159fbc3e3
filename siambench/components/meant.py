"""What was meant by a name that nothing provides, where more than its spelling says so: a file of one's own, or a row's name."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Final

from siambench.errors import nearest, suggestion
from siambench.plugin import valid_name

_READERS: Final = {".csv": "csv", ".tsv": "csv", ".npz": "npz", ".safetensors": "safetensors", ".ts": "ucr"}
"""The data set that reads a file of one's own, by the file's suffix."""


def meant(kind: str, name: str, known: Collection[str]) -> str:
    """``", did you mean 'folder:photos'?"``, or nothing where no name is near.

    Args:
        kind: of components, ``"datasets"``.
        name: what was asked for.
        known: the names that there are.
    """
    if kind == "datasets":
        found = _own(name, known)
        return f", did you mean {found!r}?" if found else suggestion(name, known)
    if kind == "losses" and name.endswith(".py") and Path(name).is_file():
        return f", did you mean '{name}:CLASS', a class in that file?"
    loss, plus, miner = name.partition("+")
    if kind == "losses" and plus and loss in known and valid_name(miner):
        return f", did you mean --loss {loss} --miner {miner}?"
    return suggestion(name, known)


def _own(name: str, known: Collection[str]) -> str | None:
    """The name of a data set of one's own, ``KIND:PATH``, where there is such a path or the kind alone is misspelt."""
    kind, colon, path = name.partition(":")
    if colon:
        near = nearest(kind, known)
        return None if near is None else f"{near}:{path}"
    place = Path(name)
    reader = "folder" if place.is_dir() else _READERS.get(place.suffix.lower()) if place.is_file() else None
    return f"{reader}:{name}" if reader in known else None
