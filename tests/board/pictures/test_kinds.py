"""`board.pictures`: every kind by its name, and what cannot be drawn with its reason."""

from __future__ import annotations

import re

import pytest
from made import several, studies, table_of, timed, untrained

from siambench.board.files import leaderboard
from siambench.board.pictures import KINDS, drawn, pictures_of, selected
from siambench.errors import UnknownNameError
from siambench.figures import figure, painted

HOSTILE = "<script>alert(1)</script>$\\frac{x}$\x1b[31m\u202e"


def test_what_can_be_drawn_is_drawn_and_the_rest_says_why():
    """Each kind is either among the figures, under its own name and in the order of kinds, or among those left out, with a reason."""
    found, left = drawn(table_of(timed(several())))
    assert [name for name in KINDS if name not in {one.name for one in left}] == [picture.name for picture in found]
    assert {"scores", "proven", "tuned", "trials", "cost", "seconds", "validation"} <= {picture.name for picture in found}
    assert {one.name for one in left} >= {"groups", "losses", "verdicts"}
    assert all(one.reason and not one.reason.endswith(".") for one in left)
    assert pictures_of(table_of([])) == ()


def test_kinds_are_named_and_told_in_a_line():
    """Each kind stands under its own name, of small letters, and says what it shows in one line."""
    for name, kind in KINDS.items():
        assert re.fullmatch(r"[a-z][a-z-]*", name)
        assert kind.name == name
        assert 10 < len(kind.about) < 100
        assert "\n" not in kind.about


def test_every_figure_of_the_shipped_boards_is_drawn():
    """All kinds but those that records of `glyphs` and `signatures-paper` cannot know are drawn for one of them, the same each time."""
    shown = set()
    for track in ("glyphs", "signatures-paper"):
        table, _ = leaderboard(track)
        found = pictures_of(table)
        shown |= {picture.name for picture in found}
        for picture, again in zip(found, pictures_of(table), strict=True):
            assert figure(picture) == figure(again)
            assert picture.title.startswith(f"{track}: ")
            assert picture.caption.endswith(".")
    assert shown == KINDS.keys() - {"epochs"}


def test_a_hostile_name_is_text_in_every_figure():
    """A method whose name is a script, a formula and control characters is drawn in every figure as letters."""
    table = table_of(timed([*several(), *studies(HOSTILE, [0.55, 0.551, 0.552]), *untrained([0.01, 0.02, 0.03])]))
    found = pictures_of(table)
    assert len(found) >= 7
    for picture in found:
        page = figure(picture)
        assert "<script" not in page
        assert "\x1b" not in page
        assert "\u202e" not in page
        assert "&lt;script&gt;" in page
    assert painted(found[0], ".png", dots=50)


def test_rows_can_be_chosen():
    """A table of some rows keeps their order, their ranks, and who beats whom among them; a row that is not there is an error."""
    table = table_of(several())
    names = [line.row.name for line in table.lines]
    chosen = selected(table, [names[3], names[0]])
    assert [names[0], names[3]] == [line.row.name for line in chosen.lines]
    assert [table.lines[0].rank, table.lines[3].rank] == [line.rank for line in chosen.lines]
    assert [(1,), ()] == [line.beats for line in chosen.lines]
    assert selected(table, []) is table
    with pytest.raises(UnknownNameError, match="unknown row 'triplte', did you mean 'triplet'"):
        selected(table, ["triplte"])
