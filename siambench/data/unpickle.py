"""Pickles of others, of which nothing is executed: numbers, text, bytes, lists, dictionaries and arrays are read, all else is refused."""

from __future__ import annotations

import io
import math
import pickle
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.data.names import as_text, reason
from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

_SHOWN = 120
_KINDS = frozenset("biuf")
_MOST_DIMENSIONS = 8


class _Refused(Exception):  # noqa: N818  it is never seen outside
    """A pickle that asks for more."""


class _Type:
    """Stands for ``numpy.dtype`` while a pickle is read: numpy's own would take its state from the file."""

    def __init__(self, code: Any, *_: Any) -> None:
        text = code.decode("ascii", "replace") if isinstance(code, bytes) else str(code)
        try:
            self.dtype = np.dtype(text)
        except (TypeError, ValueError) as error:
            raise _Refused(f"an array of type {text[:_SHOWN]!r}") from error
        if self.dtype.kind not in _KINDS or self.dtype.subdtype is not None:
            raise _Refused(f"an array of type {text[:_SHOWN]!r}")

    def __setstate__(self, state: Any) -> None:
        order = state[1] if isinstance(state, tuple) and len(state) > 1 else "|"
        if order in ("<", b"<"):
            self.dtype = self.dtype.newbyteorder("<")
        elif order in (">", b">"):
            self.dtype = self.dtype.newbyteorder(">")


class _Array:
    """Stands for an array while a pickle is read."""

    def __init__(self) -> None:
        self.values: NDArray[Any] | None = None

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, tuple) or len(state) != 5 or not isinstance(state[2], _Type):
            raise _Refused("an array without a type")
        _, shape, kind, by_columns, content = state
        self.fill(shape, kind, content.encode("latin1") if isinstance(content, str) else content, by_columns=bool(by_columns))

    def fill(self, shape: Any, kind: _Type, content: Any, *, by_columns: bool) -> None:
        """Take the values from their bytes."""
        plain = isinstance(shape, tuple) and len(shape) <= _MOST_DIMENSIONS and all(isinstance(n, int) and n >= 0 for n in shape)
        if not plain or not isinstance(content, bytes) or math.prod(shape) * kind.dtype.itemsize != len(content):
            raise _Refused("an array that is not what it says")
        self.values = np.frombuffer(content, dtype=kind.dtype).reshape(shape, order="F" if by_columns else "C")


def _reconstruct(*_: Any) -> _Array:
    return _Array()


def _of_buffer(content: Any, kind: Any, shape: Any, order: Any = "C") -> _Array:
    # How protocol 5 keeps arrays.
    if not isinstance(kind, _Type) or not isinstance(content, bytes | bytearray):
        raise _Refused("an array without a type")
    found = _Array()
    found.fill(shape, kind, bytes(content), by_columns=order in ("F", b"F"))
    return found


def _scalar(kind: Any, content: Any) -> Any:
    content = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(kind, _Type) or not isinstance(content, bytes) or len(content) != kind.dtype.itemsize:
        raise _Refused("a number that is not what it says")
    return np.frombuffer(content, dtype=kind.dtype)[0].item()


def _encode(text: Any, codec: Any = "latin1") -> bytes:
    # How Python 3 writes bytes for Python 2.
    if not isinstance(text, str) or codec not in ("latin1", "latin-1", b"latin1"):
        raise _Refused(f"the codec {str(codec)[:_SHOWN]!r}")
    return text.encode("latin1")


def _bytes(*_: Any) -> bytes:
    return b""


class _ndarray:  # noqa: N801  it stands for a type that is called so
    """Named by pickles as what to make; see `_reconstruct`."""


_CORES = ("core", "_core")
"""Where numpy's parts lie, in older and in newer versions."""

_KNOWN: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _ndarray,
    ("numpy", "dtype"): _Type,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _bytes,
    ("builtins", "bytes"): _bytes,
    **{(f"numpy.{core}.multiarray", "_reconstruct"): _reconstruct for core in _CORES},
    **{(f"numpy.{core}.multiarray", "scalar"): _scalar for core in _CORES},
    **{(f"numpy.{core}.numeric", "_frombuffer"): _of_buffer for core in _CORES},
}
"""What a pickle may name, and what is called in its place."""


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        found = _KNOWN.get((module, name))
        if found is None:
            raise _Refused(f"{module}.{name}"[:_SHOWN])
        return found

    def persistent_load(self, pid: Any) -> Any:  # noqa: ARG002  the signature is pickle's
        raise _Refused("something that is stored elsewhere")


def parse_pickle(content: bytes, called: str) -> Any:
    """What a pickle holds, if that is plain: None, booleans, numbers, text, bytes, lists, tuples, dictionaries and arrays of numbers.

    Nothing that it names is imported or called. Text of Python 2 becomes bytes.

    Args:
        content: of the file.
        called: what people call it.

    Raises:
        DataError: if it asks for anything else, or is damaged.
    """
    try:
        return _plain(_Reader(io.BytesIO(content), encoding="bytes").load())
    except _Refused as error:
        raise DataError(
            f"{called} is a pickle that asks for {as_text(str(error))}: of pickles numbers, text, bytes, lists and arrays alone are read, "
            f"since all else could run code"
        ) from error
    except MemoryError as error:
        raise DataError(f"{called} cannot be read as a pickle: there is not enough memory for it") from error
    except Exception as error:  # a damaged pickle has a dozen ways to fail
        raise DataError(f"{called} cannot be read as a pickle, it is damaged or none: {reason(error)}") from error


def _plain(found: Any, depth: int = 0) -> Any:
    """The same with arrays in the place of what stood for them."""
    if depth > _MOST_DIMENSIONS:
        raise _Refused("lists in lists in lists")
    if isinstance(found, _Array):
        if found.values is None:
            raise _Refused("an array without content")
        return found.values
    if isinstance(found, list | tuple):
        return type(found)(_plain(one, depth + 1) for one in found)
    if isinstance(found, dict):
        return {key: _plain(one, depth + 1) for key, one in found.items()}
    if found is None or isinstance(found, bool | int | float | str | bytes):
        return found
    raise _Refused(f"a {type(found).__name__.strip('_')}")
