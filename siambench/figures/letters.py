"""How wide a text is, and texts cut to a width: alike on every machine, whatever fonts it has.

The widths are those of DejaVu Sans, in which files are painted. What browsers use is as wide or narrower.
"""

from __future__ import annotations

import unicodedata

from siambench.wording import in_a_line

# Of the letters from space to tilde, in hundredths of the size.
_WIDTHS = (
    *(32, 40, 46, 84, 64, 95, 78, 27, 39, 39, 50, 84, 32, 36, 32, 34, 64, 64, 64, 64, 64, 64, 64, 64, 64, 64, 34, 34, 84, 84, 84, 53),
    *(100, 68, 69, 70, 77, 63, 58, 77, 75, 29, 29, 66, 56, 86, 75, 79, 60, 79, 69, 63, 61, 73, 68, 99, 69, 61, 69, 39, 34, 39, 84, 50),
    *(50, 61, 63, 55, 63, 62, 35, 63, 63, 28, 28, 58, 28, 97, 63, 61, 63, 63, 41, 52, 39, 63, 59, 82, 59, 59, 52, 64, 34, 64, 84),
)
_BOLD = 1.13
_OTHER, _WIDE = 85, 110

LONGEST = 200
"""Letters of a text that are looked at; more are never shown."""


def clean(text: str) -> str:
    """One line that a figure can show: without control characters, marks of direction, and more than a figure has room for."""
    line = in_a_line(text[: 10 * LONGEST])
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def width_of(text: str, size: float, *, bold: bool = False) -> float:
    """Width in pixels of a text of that size, estimated from above."""
    hundredths = 0
    for letter in text:
        place = ord(letter) - 32
        if 0 <= place < len(_WIDTHS):
            hundredths += _WIDTHS[place]
        elif not unicodedata.combining(letter):
            hundredths += _WIDE if unicodedata.east_asian_width(letter) in "WF" else _OTHER
    return hundredths * size / 100 * (_BOLD if bold else 1.0)


def shortened(text: str, size: float, most: float, *, bold: bool = False) -> str:
    """The text, or as much of its beginning as a width takes, with an ellipsis; nothing where not even one letter has room."""
    if width_of(text, size, bold=bold) <= most:
        return text
    kept = text
    while kept and width_of(f"{kept}…", size, bold=bold) > most:
        kept = kept[:-1]
    return f"{kept.rstrip()}…" if kept.strip() else ""


def wrapped(text: str, size: float, most: float) -> list[str]:
    """The text in lines of that width at most; a word that is longer is cut."""
    lines: list[str] = []
    for word in text.split():
        if lines and width_of(f"{lines[-1]} {word}", size) <= most:
            lines[-1] += f" {word}"
        else:
            lines.append(shortened(word, size, most))
    return lines
