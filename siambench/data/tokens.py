"""Text → tokens. The id of a token depends on no other item: nothing of the test part can reach the training part through it."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray

BYTES = 257
"""The vocabulary of `byte_tokens`: 256 bytes, and 0 for padding."""

_WORD = re.compile(r"\w+|[^\w\s]")


def hashed_words(texts: Sequence[str], *, vocabulary: int, length: int) -> NDArray[np.int64]:
    """Words and marks of each text, lower case, as 1 + their CRC-32 modulo ``vocabulary - 1``; 0 is padding.

    Args:
        texts: N of them.
        vocabulary: one more than the largest id, at least 2.
        length: T; what is longer is cut.

    Returns:
        int64 [N, T].

    Raises:
        DataError: if the numbers do not hold.

    Source:
        Weinberger, Dasgupta, Langford, Smola, Attenberg, Feature Hashing for Large Scale Multitask Learning, ICML 2009.
    """
    if vocabulary < 2:
        raise DataError(f"vocabulary must be at least 2, got {vocabulary}")
    rows = [[1 + zlib.crc32(word.encode()) % (vocabulary - 1) for word in _WORD.findall(text.lower())] for text in texts]
    return _padded(rows, length)


def byte_tokens(texts: Sequence[str], *, length: int) -> NDArray[np.int64]:
    """The bytes of each text in UTF-8, each one larger than it is; 0 is padding, the vocabulary is `BYTES`.

    Args:
        texts: N of them.
        length: T; what is longer is cut.

    Returns:
        int64 [N, T].

    Raises:
        DataError: if the length does not hold.
    """
    return _padded([[1 + byte for byte in text.encode()] for text in texts], length)


def _padded(rows: Sequence[Sequence[int]], length: int) -> NDArray[np.int64]:
    if length < 1:
        raise DataError(f"length must be at least 1, got {length}")
    found = np.zeros((len(rows), length), dtype=np.int64)
    for place, row in enumerate(rows):
        found[place, : len(row)] = row[:length]
    return found
