"""Texts as tokens, for loaders of published texts. The table's own is beside it: what is in a loader's modules is part of its identity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from siambench.builtin.datasets.table import TokenOptions
from siambench.data.tokens import BYTES, byte_tokens, hashed_words
from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

MOST_TOKENS = 1 << 16


@dataclass(frozen=True)
class Tokens:
    """Texts as tokens.

    Args:
        read: those of items, int64 [B, T].
        vocabulary: one more than the largest id.
        notes: on what was cut.
    """

    read: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    vocabulary: int
    notes: tuple[str, ...]


def tokens_of(texts: Sequence[str], options: TokenOptions, called: str) -> Tokens:
    """Tokens of texts.

    Args:
        texts: N of them.
        options: how.
        called: the data set, for people.

    Raises:
        DataError: if an option does not hold, or a text has no token.
    """
    kind, vocabulary, length = options.kind, options.vocabulary, options.length
    if kind not in ("words", "bytes"):
        raise DataError(f"{called}: tokens must be words or bytes, got {kind!r}")
    if not 1 <= length <= MOST_TOKENS or not 2 <= vocabulary <= 1 << 24:
        raise DataError(
            f"{called}: length must lie in 1 … {MOST_TOKENS:,} and vocabulary in 2 … {1 << 24:,}, got {length} and {vocabulary}"
        )
    read = byte_tokens(texts, length=length + 1) if kind == "bytes" else hashed_words(texts, vocabulary=vocabulary, length=length + 1)
    cut = int((read[:, length] != 0).sum())
    found = np.ascontiguousarray(read[:, :length])
    empty = np.flatnonzero(found[:, 0] == 0)
    if len(empty):
        raise DataError(f"{called}: text {int(empty[0]) + 1} has no word")
    return Tokens(
        read=lambda indices: found[indices],
        vocabulary=BYTES if kind == "bytes" else vocabulary,
        notes=(f"{cut} texts are cut after {length} {kind}",) if cut else (),
    )
