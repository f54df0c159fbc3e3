"""`figures.fonts`: letters that DejaVu Sans lacks are taken from what is installed, and those that nothing has are named."""

from __future__ import annotations

import io

import pytest
from drawn import rows
from PIL import Image

from siambench.figures import painted
from siambench.figures.fonts import Fonts, fonts_of, what_is_missing
from siambench.figures.layout import laid_out
from siambench.figures.painted import unpainted

KANJI = "漢字"


def made_font(path, family, letters, *, true_type=True):
    """Write a font in which each of some letters is a black square."""
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.t2CharStringPen import T2CharStringPen
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    glyphs = {}
    for name, size in ((".notdef", 0), *((f"u{ord(letter):04X}", 900) for letter in letters)):
        pen = TTGlyphPen(None) if true_type else T2CharStringPen(1000, None)
        if size:
            pen.moveTo((50, 0))
            for at in ((50, size), (950, size), (950, 0)):
                pen.lineTo(at)
            pen.closePath()
        glyphs[name] = pen.glyph() if true_type else pen.getCharString()
    builder = FontBuilder(1000, isTTF=true_type)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap({ord(letter): f"u{ord(letter):04X}" for letter in letters})
    if true_type:
        builder.setupGlyf(glyphs)
    else:
        builder.setupCFF(family.replace(" ", ""), {"FullName": family}, glyphs, {})
    builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (1000, 50)))
    builder.setupHorizontalHeader(ascent=900, descent=-100)
    builder.setupNameTable({"familyName": family, "styleName": "Regular", "psName": family.replace(" ", "")})
    builder.setupOS2(sTypoAscender=900, usWinAscent=900, usWinDescent=100)
    builder.setupPost()
    builder.save(path)
    return path


@pytest.fixture
def installed(monkeypatch):
    """Have only matplotlib's own DejaVu Sans, and some files that matplotlib's list of fonts is older than."""
    from matplotlib import font_manager

    own = [entry for entry in font_manager.fontManager.ttflist if entry.name == "DejaVu Sans"]

    def only(*paths):
        monkeypatch.setattr(font_manager.fontManager, "ttflist", list(own))
        monkeypatch.setattr(font_manager, "findSystemFonts", lambda: [str(path) for path in paths])

    return only


def found(text):
    return fonts_of(laid_out(rows(text), titled=True))


def test_what_dejavu_sans_has_is_looked_for_nowhere_else(monkeypatch):
    """Texts in Latin, Greek and Cyrillic are in DejaVu Sans without a look at what else is installed."""
    monkeypatch.setattr("siambench.figures.fonts._installed", lambda: pytest.fail("fonts were looked for"))
    assert found("supcon Ωß − ≥ Ж") == Fonts(("DejaVu Sans",))


def test_letters_are_taken_from_a_font_that_has_them(installed, tmp_path):
    """Of the fonts that are installed those are added which have a missing letter, the fewest that do; others are not."""
    had = {"Made A": "漢", "Made B": "漢字", "Made C": "ไทย", "Made D": "x"}
    installed(*(made_font(tmp_path / f"{name}.ttf", name, letters) for name, letters in had.items()))
    assert found(KANJI) == Fonts(("DejaVu Sans", "Made B"))
    assert found("漢字 ไทย") == Fonts(("DejaVu Sans", "Made C", "Made B"))


def test_a_font_that_is_known_to_be_good_comes_first(installed, tmp_path):
    """Where several have the letters, one that is made for them is taken, in its order; the rest by name, those without serifs first."""
    names = {"1": "A Fancy Serif", "2": "Zen Sans", "3": "WenQuanYi Micro Hei", "4": "Noto Sans CJK JP"}
    fonts = [made_font(tmp_path / f"{number}.ttf", name, KANJI) for number, name in names.items()]
    installed(*fonts[:2])
    assert found(KANJI).families == ("DejaVu Sans", "Zen Sans")
    installed(*fonts)
    from matplotlib.font_manager import fontManager

    for font in fonts:
        fontManager.addfont(font)
    assert found(KANJI).families == ("DejaVu Sans", "Noto Sans CJK JP")


def test_a_font_is_painted(installed, tmp_path, caplog):
    """A letter of an installed font is painted in its form, without a word of matplotlib where the font has no bold weight."""

    def ink():
        image = Image.open(io.BytesIO(painted(rows(KANJI, title=KANJI * 10), ".png", dots=96))).convert("L")
        title = image.crop((0, 0, image.width, 30))
        return sum(1 for pixel in title.tobytes() if pixel < 100)

    installed()
    before = ink()
    installed(made_font(tmp_path / "a.ttf", "Made Sans", KANJI))
    # The letter of the font is a square of ink, which the box of a missing one is not.
    assert ink() > 2 * before
    assert not caplog.records


def test_a_pdf_embeds_true_type_and_outlines_the_rest(installed, tmp_path):
    """A TrueType font is embedded in a PDF; of one with PostScript outlines, which matplotlib embeds wrongly, outlines are painted."""
    installed(made_font(tmp_path / "a.ttf", "Made True", KANJI))
    assert found(KANJI).outlined == frozenset()
    assert b"MadeTrue" in painted(rows(KANJI), ".pdf")
    installed(made_font(tmp_path / "a.otf", "Made Script", KANJI, true_type=False))
    assert found(KANJI) == Fonts(("DejaVu Sans", "Made Script"), outlined=frozenset(KANJI))
    content = painted(rows(KANJI), ".pdf")
    assert b"MadeScript" not in content
    assert b"/Type3" not in content
    installed()
    assert content != painted(rows(KANJI), ".pdf")
    installed(tmp_path / "a.otf")
    assert painted(rows(KANJI), ".svg")
    assert painted(rows(KANJI), ".png", dots=50)


def test_what_no_font_has_is_named_once(installed, tmp_path):
    """Letters that nothing here has are named in one sentence, each once with its number; a broken font and one of boxes have none."""
    broken = tmp_path / "broken.ttf"
    broken.write_bytes(b"no font")
    installed(broken, made_font(tmp_path / "boxes.ttf", "Last Resort", KANJI))
    assert found(f"{KANJI}{KANJI}").missing == KANJI
    said = unpainted(rows("漢"))
    assert said.startswith("no font here has 漢 (U+6F22), painted as a box: install one that does, such as Noto Sans CJK")
    assert what_is_missing(Fonts(missing="漢字かなカナ漢")).startswith(
        "no font here has 漢 (U+6F22), 字 (U+5B57), か (U+304B), な (U+306A), カ (U+30AB) and 2 more, painted as boxes: "
    )
    assert unpainted(rows("supcon Ω")) == ""
    assert unpainted(rows("supcon"), captioned=True) == ""
