"""How a document of JSON gets into a folder: as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siambench.data.files import write_whole
from siambench.identity import canonical


def write_document(folder: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Write ``NAME.json`` so that a killed writer leaves either nothing or the whole file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_whole(path, f"{canonical(document)}\n".encode())
    return path
