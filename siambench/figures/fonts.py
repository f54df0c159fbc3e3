"""Which fonts painted files are written in: DejaVu Sans, which matplotlib brings, and for letters that it lacks such as are installed."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from siambench.figures.drawing import Clip, Drawing, Drawn, Label

FAMILY = "DejaVu Sans"

_FIRST = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans JP",
    "Noto Sans SC",
    "Noto Sans KR",
    "Source Han Sans",
    "IPAexGothic",
    "IPAGothic",
    "TakaoPGothic",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "NanumGothic",
    "UnDotum",
    "Droid Sans Fallback",
    "Hiragino Sans",
    "PingFang SC",
    "Apple SD Gothic Neo",
    "Yu Gothic",
    "Microsoft YaHei",
    "Malgun Gothic",
    "Arial Unicode MS",
    "Noto Sans Symbols2",
)
# Fonts whose letters are other ones than they say (TeX's), or that have a box for every letter there is.
_NEVER = ("cmb", "cmex", "cmmi", "cmr", "cmss", "cmsy", "cmtt", "STIXNon", "STIXSize", "Last Resort", ".LastResort", "Adobe Blank")


_SHOWN = 5

Glyph = tuple[str, bool]
"""A letter, and whether it is bold: a family may have it in one weight alone."""


@dataclass(frozen=True)
class Fonts:
    """What the texts of a drawing are written in.

    Args:
        families: in the order in which a letter is looked for.
        outlined: letters from fonts whose outlines are PostScript's (CFF), which matplotlib embeds in a PDF as what they are not.
        missing: letters that no font here has, in the order in which they come.
    """

    families: tuple[str, ...] = (FAMILY,)
    outlined: frozenset[str] = frozenset()
    missing: str = ""


def fonts_of(drawing: Drawing) -> Fonts:
    """The fonts that a drawing needs, of those that are installed; matplotlib is imported if it holds more than ASCII."""
    needed = dict.fromkeys((letter, label.bold) for label in _labels(drawing.shapes) for letter in label.text if not letter.isascii())
    if not needed:
        return Fonts()
    lacking = set(needed) - _had(FAMILY, needed)
    families, outlined = [FAMILY], set[str]()
    for names in _installed() if lacking else ():
        had = {name: _had(name, lacking) for name in names}
        while lacking and had:
            # The first of those that have most: a text is in as few fonts as can be.
            best = max(had, key=lambda name: len(had[name] & lacking))
            found = had.pop(best) & lacking
            if not found:
                break
            families.append(best)
            outlined |= {letter for letter, bold in found if not _is_true_type(best, bold=bold)}
            lacking -= found
    missing = dict.fromkeys(letter for letter, bold in needed if (letter, bold) in lacking)
    return Fonts(tuple(families), frozenset(outlined), "".join(missing))


def what_is_missing(fonts: Fonts) -> str:
    """One sentence about letters that are painted as boxes; empty if there are none."""
    if not fonts.missing:
        return ""
    some = ", ".join(f"{letter} (U+{ord(letter):04X})" for letter in fonts.missing[:_SHOWN])
    more = len(fonts.missing) - _SHOWN
    return (
        f"no font here has {some}{f' and {more} more' if more > 0 else ''}, painted as {'a box' if len(fonts.missing) == 1 else 'boxes'}: "
        "install one that does, such as Noto Sans CJK for Chinese, Japanese and Korean, or the Noto Sans of another script"
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep to itself what matplotlib logs of fonts: that one has no bold weight, say."""
    logger = logging.getLogger("matplotlib.font_manager")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    del record
    return False


def _labels(shapes: Iterable[Drawn | Clip]) -> Iterator[Label]:
    for shape in shapes:
        if isinstance(shape, Clip):
            yield from _labels(shape.shapes)
        elif isinstance(shape, Label):
            yield shape


def _installed() -> Iterator[list[str]]:
    """Names of families: those that are known to be good, all others, and those that matplotlib has not heard of yet."""
    from matplotlib.font_manager import findSystemFonts, fontManager

    names = {entry.name for entry in fontManager.ttflist} - {FAMILY}
    yield [name for name in _FIRST if name in names]
    yield _others(names - set(_FIRST))
    # Its list of fonts is kept from its first use on this machine: a font that was installed since stands in none.
    known = {entry.fname for entry in fontManager.ttflist}
    for path in sorted(set(findSystemFonts()) - known):
        try:
            fontManager.addfont(path)
        except Exception:  # noqa: BLE001, S112  whatever is wrong with a font of this machine, it is of no use here
            continue
    yield _others({entry.name for entry in fontManager.ttflist} - names - {FAMILY})


def _others(names: Iterable[str]) -> list[str]:
    return sorted((name for name in names if not name.startswith(_NEVER)), key=lambda name: ("sans" not in name.lower(), name))


def _had(family: str, glyphs: Iterable[Glyph]) -> set[Glyph]:
    """Those of some glyphs that a family has."""
    of = {bold: _charmap(family, bold=bold) for bold in {bold for _, bold in glyphs}}
    return {(letter, bold) for letter, bold in glyphs if ord(letter) in of[bold]}


def _charmap(family: str, *, bold: bool) -> dict[int, int]:
    font = _font(family, bold=bold)
    # One of bitmaps, such as a font of coloured emoji, cannot be painted at any size.
    return dict(font.get_charmap()) if font is not None and font.scalable else {}


def _is_true_type(family: str, *, bold: bool) -> bool:
    font = _font(family, bold=bold)
    table = None if font is None else font.get_sfnt_table("maxp")
    return table is not None and table["version"][0] == 1


def _font(family: str, *, bold: bool) -> Any:
    """The font that matplotlib takes for a family and a weight; None if there is none that it can read."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    weight = "bold" if bold else "normal"
    properties = FontProperties(family=[family], weight=weight, style="normal", variant="normal", stretch="normal")
    try:
        with quiet():
            return get_font(findfont(properties, fallback_to_default=False))
    except Exception:  # noqa: BLE001  as above
        return None
