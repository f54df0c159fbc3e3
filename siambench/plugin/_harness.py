"""The parameters of components that the harness reads, and what entries may say of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from siambench.spaces import Int, Params, Space

EVERY = "miner.every"
"""The parameter that says after how many epochs a miner of a whole training set is called again."""

_EVERY = EVERY.partition(".")[2]

CHUNK = "loss.chunk"
PER_CHUNK_BATCHNORM = "loss.per_chunk_batchnorm"
"""The parameters of a loss that is trained in chunks."""


PROJECTOR = "loss.projector"
"""The parameter that says the widths of a loss's projector."""

_NONE = "none"

# No layer of more than five digits: what it would take of memory nobody means.
_WIDTHS = re.compile(r"[1-9][0-9]{0,4}(-[1-9][0-9]{0,4})*")


def without_every(values: Mapping[str, Any]) -> dict[str, Any]:
    """A space or defaults without what the factory of a training set's miner need not name."""
    return {name: value for name, value in values.items() if name != _EVERY}


def check_every(spaces: Sequence[Space], defaults: Params) -> None:
    """Raise `ValueError` where ``every`` is no number of epochs, or is tuned outside of those."""
    given = defaults.get(_EVERY, 1)
    if isinstance(given, bool) or not isinstance(given, int) or given < 1:
        raise ValueError(f"every is a number of epochs, at least 1, got {given!r}")
    for dimension in (space[_EVERY] for space in spaces if _EVERY in space):
        if not isinstance(dimension, Int) or dimension.low < 1:
            raise ValueError(f"the space of every is an Int of at least 1, got {dimension}")


def check_chunked(space: Space, defaults: Params) -> None:
    """Raise `ValueError` where a loss that is trained in chunks does not say how, or tunes it."""
    chunk, told = (defaults.get(name.partition(".")[2]) for name in (CHUNK, PER_CHUNK_BATCHNORM))
    if isinstance(chunk, bool) or not isinstance(chunk, int) or chunk < 1 or not isinstance(told, bool):
        raise ValueError(f"a chunked loss has chunk, at least 1, and per_chunk_batchnorm among its defaults, got {dict(defaults)}")
    if any(name.partition(".")[2] in space for name in (CHUNK, PER_CHUNK_BATCHNORM)):
        raise ValueError("chunk and per_chunk_batchnorm are what fits a machine: they are not tuned")


def projector_text(widths: Sequence[int]) -> str:
    """Widths of a projector as a parameter: ``"256-128"``, or ``"none"``."""
    return "-".join(map(str, widths)) or _NONE


def projector_widths(text: str) -> tuple[int, ...]:
    """What `projector_text` has written.

    Raises:
        ValueError: if it is something else.
    """
    if text == _NONE:
        return ()
    if not _WIDTHS.fullmatch(text):
        raise ValueError(f"a projector is none, or the widths of its layers such as 256-128, got {text[:60]!r}")
    return tuple(map(int, text.split("-")))
