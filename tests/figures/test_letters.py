"""`figures.letters`: widths of texts, from above."""

from __future__ import annotations

import pytest

from siambench.figures.letters import LONGEST, clean, shortened, width_of, wrapped


@pytest.mark.parametrize("text", ["multi-similarity+multi-similarity", "WWWWW mmm", "0.412 ± 0.006", "ílì Ωß Ж", "il|.:", "漢字かな"])
@pytest.mark.parametrize("bold", [False, True])
def test_estimates_are_widths_from_above(text, bold):
    """No text is wider in the font of painted files than it is taken for, and Latin ones are not taken for much wider."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import TextPath

    if not text.isascii() and "漢" in text:
        assert width_of(text, 10) >= 10 * len(text)
        return
    real = TextPath((0, 0), text, size=100, prop=FontProperties(family="DejaVu Sans", weight="bold" if bold else "normal")).get_extents()
    estimate = width_of(text, 100, bold=bold)
    assert real.x1 <= estimate * 1.02 <= (2 if not text.isascii() else 1.35) * real.x1 + 40


def test_what_is_too_long_is_cut():
    """A text is cut to a width with an ellipsis, to nothing where there is no room, and kept where there is."""
    assert shortened("contrastive", 12, 500) == "contrastive"
    cut = shortened("contrastive loss", 12, 60)
    assert cut.endswith("…")
    assert cut[:-1] == "contrastive loss"[: len(cut) - 1]
    assert width_of(cut, 12) <= 60
    assert shortened("contrastive", 12, 3) == ""


def test_lines_are_no_wider_than_asked_for():
    """Words go into lines of a width, in their order; a word that is too long for any is cut."""
    lines = wrapped(f"one two three {'x' * 80} four", 12, 90)
    assert all(width_of(line, 12) <= 90 for line in lines)
    assert " ".join(lines).split()[:3] == ["one", "two", "three"]
    assert any(line.endswith("…") for line in lines)
    assert wrapped("", 12, 90) == []


def test_texts_from_outside_are_one_printable_line():
    """Control characters and marks of direction are shown as escapes, lines are joined, and a megabyte is cut."""
    assert clean("a\nb\x1b[31m\u202ec") == "a b\\x1b[31m\\x202ec"
    assert len(clean("x" * 1_000_000)) == LONGEST
