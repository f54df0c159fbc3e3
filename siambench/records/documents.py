"""How a document of JSON gets into a folder: as a whole, or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from siambench.data.files import share
from siambench.identity import canonical


def write_document(folder: Path, name: str, document: Mapping[str, Any]) -> Path:
    """Write ``NAME.json`` so that a killed writer leaves either nothing or the whole file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(canonical(document) + "\n")
            file.flush()
            os.fsync(file.fileno())
        share(Path(temporary))
        Path(temporary).replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
    return path
