"""Named arrays of a file, ``.npz`` or ``.safetensors``: nothing in it is executed, and what it would take is known before it is read."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import numpy as np

from siambench.data.files import open_regular
from siambench.data.names import as_text, reason
from siambench.errors import DataError, SiambenchError
from siambench.machine import free_memory

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["npz", "safetensors"]

_MOST_PACKED = 1040
"""Deflate makes nothing smaller than this part of it; a member that says so lies."""

_MOST_MEMBERS = 10_000


def named_arrays(path: Path, kind: Kind, wanted: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    """Those of the wanted arrays that a file holds (numpy arrays, of safetensors tensors), and the names of all it holds.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it cannot be read, is damaged, holds Python objects, or is larger than what memory is free.
    """
    called = as_text(path)
    reader = {"npz": _npz, "safetensors": _safetensors}[kind]
    with open_regular(path) as stream:
        try:
            return reader(stream, path, wanted)
        except SiambenchError:
            raise
        except MemoryError as error:
            raise DataError(f"{called} cannot be read as {kind}: there is not enough memory for it") from error
        except Exception as error:  # a damaged file has a dozen ways to fail inside zipfile, zlib, numpy and safetensors
            raise DataError(f"{called} cannot be read as {kind}: {reason(error)}") from error


def _npz(stream: BinaryIO, path: Path, wanted: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    if stream.read(6) == np.lib.format.MAGIC_PREFIX:
        raise ValueError("it is a single array without a name")
    with zipfile.ZipFile(stream) as file:
        members = [member for member in file.infolist() if member.filename.endswith(".npy")]
        if len(members) > _MOST_MEMBERS:
            raise ValueError(f"it holds {len(members)} arrays, more than {_MOST_MEMBERS:,}")
        names = [member.filename.removesuffix(".npy") for member in members]
        twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
        if twice:
            raise ValueError(f"it holds {twice[0]} twice")
        chosen = [(name, member) for name, member in zip(names, members, strict=True) if name in wanted]
        _check_room(dict(_sizes(file, chosen, as_text(path))), as_text(path))
        found: dict[str, NDArray[Any]] = {}
        for name, member in chosen:
            with file.open(member) as content:
                found[name] = np.lib.format.read_array(content, allow_pickle=False)
        return found, names


def _sizes(file: zipfile.ZipFile, chosen: Sequence[tuple[str, zipfile.ZipInfo]], called: str) -> Iterator[tuple[str, int]]:
    """The bytes of each array, by its own heading."""
    for name, member in chosen:
        with file.open(member) as content:
            version = np.lib.format.read_magic(content)
            read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}.get(version)
            if read is None:
                raise ValueError(f"{name} has a heading of version {version[0]}.{version[1]}")
            shape, _, dtype = read(content)
            if dtype.hasobject:
                raise DataError(
                    f"{name} of {called} holds Python objects (dtype {dtype}), which could run code and are not read: save "
                    f"{name}.astype(str), or .astype(int) of whole numbers"
                )
            size = math.prod(shape) * dtype.itemsize
            if content.tell() + size != member.file_size or member.file_size > _MOST_PACKED * max(member.compress_size, 1):
                raise ValueError(f"{name} says that it holds {size:,} bytes, and does not")
        yield name, size


def _safetensors(_: BinaryIO, path: Path, wanted: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
    from safetensors import safe_open

    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        _check_room({"it": path.stat().st_size}, as_text(path))
        return {name: file.get_tensor(name) for name in names if name in wanted}, names


def _check_room(sizes: dict[str, int], called: str) -> None:
    """Refuse what would leave no room to compute with it: scores are computed in float64, beside what was read."""
    free, total = free_memory(), sum(sizes.values())
    if total > free // 2:
        largest = max(sizes, key=lambda name: sizes[name])
        what = f"{largest} of {called}" if largest != "it" else called
        raise DataError(f"{what} would take {total / 1e9:.1f} GB of memory, more than half of the {free / 1e9:.1f} GB that are free here")
