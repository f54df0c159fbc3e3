"""The file of a model: weights as safetensors, and beside them what they are, as JSON. Nothing in it is executed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.data.files import open_regular, write_whole
from siambench.data.names import as_text, reason
from siambench.errors import DataError, RecordError
from siambench.identity import canonical, from_json
from siambench.machine import free_memory
from siambench.models.document import SCHEMA, ModelDocument

if TYPE_CHECKING:
    from torch import Tensor

SUFFIX = ".safetensors"
KEY = "siambench"
"""Of the file's metadata, which are text by name: what a siambench wrote there."""

WEIGHTS, PROBE = "network.", "probe"
"""Begins the names of the network's tensors; and the embeddings of items that anybody can make, by which a reader knows the network."""

_LARGEST_HEADER = 64 << 20


@dataclass(frozen=True)
class ModelFile:
    """A file of a model, read.

    Args:
        document: what it is.
        weights: by the names of the network's state.
        probe: embeddings of `siambench.models.network.probe_items`, [2, D].
        path: where it lies.
    """

    document: ModelDocument
    weights: Mapping[str, Tensor]
    probe: Tensor
    path: Path


def write_model(path: Path, document: ModelDocument, weights: Mapping[str, Tensor], probe: Tensor) -> str:
    """Write a file so that a killed writer leaves either nothing or the whole; its SHA-256.

    Args:
        path: where.
        document: what it is.
        weights: by the names of the network's state, on any device.
        probe: see `ModelFile`.

    Raises:
        OSError: if it cannot be written.
    """
    from safetensors.torch import save

    # Two names of one storage, as tied weights have, are written as two tensors.
    tensors = {f"{WEIGHTS}{name}": value.detach().cpu().clone().contiguous() for name, value in weights.items()}
    content = save({**tensors, PROBE: probe.detach().cpu().clone().contiguous()}, metadata={KEY: canonical(document.to_json())})
    write_whole(path, content)
    return hashlib.sha256(content).hexdigest()


def read_document(path: Path) -> ModelDocument:
    """What the file of a model says of it, without its weights.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no file of a model, damaged, or of a newer layout; in one sentence.
    """
    called = as_text(path)
    with open_regular(path) as file:
        heading = file.read(8)
        size = int.from_bytes(heading, "little")
        total = os.fstat(file.fileno()).st_size
        if len(heading) < 8 or not 2 <= size <= min(_LARGEST_HEADER, total):
            raise DataError(f"{called} is no model of siambench's: it is no safetensors file, or was cut off")
        try:
            held = json.loads(file.read(size))
            metadata = held.get("__metadata__", {})
            ends = [value["data_offsets"][1] for name, value in held.items() if name != "__metadata__"]
        except (ValueError, RecursionError, AttributeError, KeyError, TypeError, IndexError) as error:
            raise DataError(
                f"{called} is no model of siambench's: the heading of a safetensors file does not hold ({reason(error)})"
            ) from error
    if not isinstance(metadata, dict) or not isinstance(metadata.get(KEY), str):
        raise DataError(
            f"{called} is a safetensors file, but no model of siambench's: its metadata lack {KEY!r}, which `siambench model` writes"
        )
    if 8 + size + max(ends, default=0) != total:
        raise DataError(f"{called} is damaged: its heading speaks of {8 + size + max(ends, default=0):,} bytes, it has {total:,}")
    return _document(metadata[KEY], called)


def _document(text: str, called: str) -> ModelDocument:
    try:
        schema = json.loads(text).get("schema")
    except (ValueError, RecursionError, AttributeError) as error:
        raise DataError(f"{called} is damaged: what it says of its model is no JSON object") from error
    if isinstance(schema, int) and not isinstance(schema, bool) and schema > SCHEMA:
        raise DataError(
            f"{called} is a model of layout {schema}, this siambench reads up to {SCHEMA}: install the one that wrote it, or a newer one"
        )
    try:
        return from_json(ModelDocument, text, where=called)
    except RecordError as error:
        raise DataError(f"what {called} says of its model does not hold: {str(error).removeprefix(f'{called}: ')}") from error


def read_model(path: Path) -> ModelFile:
    """The file of a model.

    Raises:
        DataMissingError: if there is no such file.
        DataError: as `read_document`, and if its tensors cannot be read.
    """
    from safetensors import safe_open

    document, called = read_document(path), as_text(path)
    size, free = path.stat().st_size, free_memory()
    if size > free // 2:
        raise DataError(f"{called} would take {size / 1e9:.1f} GB of memory, more than half of the {free / 1e9:.1f} GB that are free here")
    try:
        with safe_open(path, framework="pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  no mapping
    except MemoryError as error:
        raise DataError(f"{called} cannot be read: there is not enough memory for it") from error
    except Exception as error:  # a damaged file has several ways to fail inside safetensors
        raise DataError(f"{called} is damaged: {reason(error)}") from error
    probe = tensors.pop(PROBE, None)
    strange = next((name for name in tensors if not name.startswith(WEIGHTS)), None)
    if probe is None or strange is not None:
        raise DataError(f"{called} is damaged: it {'lacks the tensor probe' if probe is None else f'holds a tensor {strange}'}")
    return ModelFile(document, {name.removeprefix(WEIGHTS): value for name, value in tensors.items()}, probe, path)
