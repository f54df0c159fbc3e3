"""The writing systems of glyphs: which letters are candidates, which scripts are kin, which part they belong to."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Literal

Part = Literal["trainval", "test"]

LETTER_CATEGORIES = frozenset({"Lu", "Ll", "Lo", "Lm"})


@dataclass(frozen=True)
class Script:
    """One writing system.

    Attributes:
        name: what the data set calls it.
        prefix: how the Unicode names of its letters begin.
        family: scripts of one family stand on one side of the split, and in one fold.
        part: the side of the split.
        ranges: first and last code point of each stretch of candidates, both included.
        most: at most so many classes; keeps one large syllabary from outweighing the others.
        without: letters whose Unicode name holds one of these words are no candidates.
    """

    name: str
    prefix: str
    family: str
    part: Part
    ranges: tuple[tuple[int, int], ...]
    most: int = 80
    without: frozenset[str] = frozenset()


# Final forms are small copies, Naskapi strings are rows of dots, and two signs have no form that faces agree on.
NOT_CANADIAN = frozenset({"FINAL", "NASKAPI", "Y-CREE", "TTH"})

# The order decides who stays when two letters look alike: the first. The two large syllabaries come last.
SCRIPTS: tuple[Script, ...] = (
    Script("Latin", "LATIN", "european", "trainval", ((0x41, 0x5A), (0x61, 0x7A), (0xC6, 0x17F), (0x250, 0x292))),
    Script("Greek", "GREEK", "european", "trainval", ((0x391, 0x3C9),)),
    Script("Cyrillic", "CYRILLIC", "european", "trainval", ((0x402, 0x45F), (0x462, 0x46F), (0x472, 0x475), (0x490, 0x4BF))),
    Script("Hebrew", "HEBREW", "semitic", "trainval", ((0x5D0, 0x5EA),)),
    Script("Arabic", "ARABIC", "semitic", "trainval", ((0x621, 0x63A), (0x641, 0x64A), (0x6BE, 0x6BE), (0x6D2, 0x6D2))),
    Script("Devanagari", "DEVANAGARI", "indic", "trainval", ((0x904, 0x939), (0x960, 0x961))),
    Script("Bengali", "BENGALI", "indic", "trainval", ((0x985, 0x9B9), (0x9CE, 0x9F1))),
    Script("Gurmukhi", "GURMUKHI", "indic", "trainval", ((0xA05, 0xA39), (0xA72, 0xA74))),
    Script("Gujarati", "GUJARATI", "indic", "trainval", ((0xA85, 0xAB9),)),
    Script("Tamil", "TAMIL", "indic", "trainval", ((0xB83, 0xBB9),)),
    Script("Telugu", "TELUGU", "indic", "trainval", ((0xC05, 0xC39), (0xC60, 0xC61))),
    Script("Kannada", "KANNADA", "indic", "trainval", ((0xC85, 0xCB9), (0xCE0, 0xCE1))),
    Script("Malayalam", "MALAYALAM", "indic", "trainval", ((0xD05, 0xD39), (0xD60, 0xD61), (0xD7A, 0xD7F))),
    Script("Sinhala", "SINHALA", "indic", "trainval", ((0xD85, 0xDC6),)),
    Script("Thai", "THAI", "southeast-asian", "test", ((0xE01, 0xE32), (0xE40, 0xE46))),
    Script("Lao", "LAO", "southeast-asian", "test", ((0xE81, 0xEB2), (0xEBD, 0xEC6), (0xEDC, 0xEDD))),
    Script("Khmer", "KHMER", "southeast-asian", "test", ((0x1780, 0x17B3),)),
    Script("Myanmar", "MYANMAR", "southeast-asian", "test", ((0x1000, 0x102A),)),
    Script("Armenian", "ARMENIAN", "caucasian", "test", ((0x531, 0x556), (0x561, 0x586))),
    Script("Georgian", "GEORGIAN", "caucasian", "test", ((0x10A0, 0x10C5), (0x10D0, 0x10F8))),
    Script("Cherokee", "CHEROKEE", "cherokee", "trainval", ((0x13A0, 0x13F4),)),
    Script("Ethiopic", "ETHIOPIC", "ethiopic", "test", ((0x1200, 0x1357),), 100),
    Script("Canadian Aboriginal", "CANADIAN", "canadian", "trainval", ((0x1401, 0x1676),), 75, NOT_CANADIAN),
)


def candidate_letters(script: Script) -> list[int]:
    """Code points of a script's letters, in code point order.

    Letters that Unicode itself decomposes into a letter and a mark are left out: they differ from another class by the
    mark alone.
    """
    letters = []
    for first, last in script.ranges:
        for codepoint in range(first, last + 1):
            character = chr(codepoint)
            if (
                unicodedata.category(character) in LETTER_CATEGORIES
                and unicodedata.name(character, "").startswith(script.prefix)
                and script.without.isdisjoint(unicodedata.name(character).split())
                and unicodedata.normalize("NFKD", character) == character
            ):
                letters.append(codepoint)
    return letters
