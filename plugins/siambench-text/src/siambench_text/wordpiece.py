"""Text → word pieces, as uncased BERT models read it."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Self

UNKNOWN = "[UNK]"
_LONGEST_WORD = 100
_INSIDE = "##"
_KEPT = 1 << 16
"""Texts whose pieces are remembered: a training run meets each many times."""

_IDEOGRAPHS = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B920, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)
"""Each stands as a word of its own: as BERT has it, whose fifth range begins late."""


class WordPieces:
    """The pieces of a vocabulary, greedily the longest first.

    Args:
        vocabulary: the pieces in order of their numbers; those inside a word begin with ``##``.

    Source:
        Devlin, Chang, Lee, Toutanova, BERT, NAACL 2019; Wu et al., Google's Neural Machine Translation System, arXiv 1609.08144.
    """

    def __init__(self, vocabulary: Sequence[str]) -> None:
        self._number: Mapping[str, int] = {piece: number for number, piece in enumerate(vocabulary)}
        self.of = lru_cache(_KEPT)(self._of)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: it is never changed, and networks are copied after every epoch."""
        return self

    def _of(self, text: str) -> tuple[int, ...]:
        """The numbers of a text's pieces; of a word that has none, that of the unknown."""
        return tuple(number for word in _words(text) for number in self._pieces(word))

    def _pieces(self, word: str) -> list[int]:
        unknown = [self._number[UNKNOWN]]
        if len(word) > _LONGEST_WORD:
            return unknown
        found: list[int] = []
        start = 0
        while start < len(word):
            before = _INSIDE if start else ""
            ends = range(len(word), start, -1)
            end = next((end for end in ends if before + word[start:end] in self._number), None)
            if end is None:
                return unknown
            found.append(self._number[before + word[start:end]])
            start = end
        return found


def _words(text: str) -> Iterator[str]:
    """Lower-case words without accents; each mark and each ideograph is a word."""
    known = "".join(_cleaned(text))
    # Letter by letter: a sigma is the same wherever it stands.
    plain = "".join(sign.lower() for sign in unicodedata.normalize("NFD", known) if unicodedata.category(sign) != "Mn")
    for run in plain.split():
        word = ""
        for sign in run:
            if not _is_mark(sign):
                word += sign
                continue
            if word:
                yield word
            yield sign
            word = ""
        if word:
            yield word


def _cleaned(text: str) -> Iterator[str]:
    for sign in text:
        if sign in "\t\n\r":
            yield " "
        elif sign in "\0\ufffd" or unicodedata.category(sign).startswith("C"):
            continue
        elif sign.isspace():
            yield " "
        else:
            yield f" {sign} " if any(low <= ord(sign) <= high for low, high in _IDEOGRAPHS) else sign


def _is_mark(sign: str) -> bool:
    return (sign.isascii() and not sign.isalnum() and sign.isprintable() and sign != " ") or unicodedata.category(sign).startswith("P")
