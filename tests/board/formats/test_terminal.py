"""The table of a terminal: groups parted by rules, fresh rows that stand out, and no text that a terminal would obey."""

from __future__ import annotations

import dataclasses
import io
import sys

import pytest
from made import CLOSED, NO_UNITS, TRACK, final, several, studies, table_of

from siambench.board.formats import terminal
from siambench.board.rows import rows_of
from siambench.board.table import build
from siambench.board.view import view


def shown(table):
    return terminal.render(view(table))


def cells(text):
    """The cells of each line of the table, without its head."""
    return [[cell.strip() for cell in line.strip("│").split("│")] for line in text.splitlines() if line.startswith("│")]


def test_rows_stand_in_their_order():
    """Rank, method, scores, budget and flags stand in a line each, under the track and its version."""
    text = shown(table_of([*studies("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)]))
    assert "made 1.0" == text.splitlines()[0].strip()
    assert [
        ["", "triplet", "0.310 ± 0.025", "0.155 ± 0.012", "3", "2", ""],
        ["", "raw", "0.100", "0.050", "", "", ""],
    ] == cells(text)


def test_what_is_too_wide_is_left_to_the_page():
    """Groups, repetitions, spreads, number of parameters, openings and intervals over classes are not among a terminal's columns."""
    head = next(line for line in shown(table_of(several())).splitlines() if line.startswith("┃"))
    assert ["rank", "method", "map@r", "recall@1", "studies", "trials", "flags"] == [cell.strip() for cell in head.strip("┃").split("┃")]


def test_rules_part_the_tie_groups():
    """Between two groups, and before the baselines, is a rule; within a group there is none."""
    lines = shown(table_of([*several(), final("raw", 0, 0.01)])).splitlines()
    rules = [place for place, line in enumerate(lines) if line.startswith("├")]
    assert 2 == len(rules)
    assert ["triplet", "arcface"] == [lines[place - 1].split("│")[2].strip() for place in rules]


def test_a_closed_set_is_named_in_the_title():
    """Whoever looks at a closed-set table is told so above it."""
    assert "made 1.0 (closed-set)" == shown(table_of(studies("triplet", [0.3], data=CLOSED))).splitlines()[0].strip()


def test_a_table_without_rows_is_whole():
    """No records give a head and no lines."""
    text = shown(table_of([]))
    assert [] == cells(text)
    assert "method" in text


def test_the_difference_to_the_fresh_row_is_shown():
    """With a single fresh row the others have their mean difference from it, and it has none."""
    shipped = rows_of(TRACK, studies("npair", [0.1, 0.12, 0.11]), shipped=True)
    table = build(TRACK, [*shipped, *rows_of(TRACK, studies("triplet", [0.3, 0.31, 0.33]))], units=NO_UNITS)
    text = shown(table)
    assert "Δ map@r to triplet" in text
    assert ["", "-0.203 ± 0.031"] == [line[3] for line in cells(text)]


def test_control_characters_are_spelt_out():
    """A name with control codes, a bar or markup cannot move the cursor, or colour anything: it is shown as it is."""
    text = shown(table_of(studies("\x1b[2J\x9b[red]x[/red]|y", [0.3, 0.31])))
    assert not {"\x1b", "\x9b"} & set(text)
    assert r"\x1b[2J\x9b[red]x[/red]|y" in text


def test_control_characters_of_a_title_are_spelt_out():
    """The titles of columns and of the table are shown as they are, too."""
    seen = view(table_of(studies("triplet", [0.3])))
    columns = tuple(dataclasses.replace(c, title="[bold]\x1b[1m[/nothing]") if c.name == "map@r" else c for c in seen.columns)
    text = terminal.render(dataclasses.replace(seen, columns=columns, track="[red]\x1b]0;x"))
    assert "\x1b" not in text
    assert r"[bold]\x1b[1m[/nothing]" in text
    assert r"[red]\x1b]0;x 1.0" in text


def test_flags_fold_and_scores_do_not(monkeypatch):
    """On a narrow terminal flags take several lines, and no score is cut."""
    monkeypatch.setattr(terminal, "_FILE_WIDTH", 100)
    flags = ("closed-set", "edited-space", "failed-repetitions:12", "local", "on-bound:loss.margin", "short-budget")
    table = table_of(studies("triplet", [0.3, 0.31, 0.32]))
    line = dataclasses.replace(table.lines[0], row=dataclasses.replace(table.lines[0].row, flags=flags))
    text = shown(dataclasses.replace(table, lines=(line,)))
    assert max(map(len, text.splitlines())) <= 100
    assert 2 <= len(cells(text))
    assert "0.310 ± 0.025" in text
    assert all(flag in " ".join(row[-1] for row in cells(text)) for flag in flags)


@pytest.mark.parametrize(
    ("width", "head"),
    [
        (100, ["rank", "method", "map@r", "recall@1", "studies", "trials", "flags"]),
        (76, ["rank", "method", "map@r", "studies", "trials", "flags"]),
        (66, ["rank", "method", "map@r", "studies", "flags"]),
        (48, ["rank", "method", "map@r"]),
        (38, ["method", "map@r"]),
    ],
)
def test_a_narrow_screen_has_fewer_columns_and_every_name_and_score(monkeypatch, width, head):
    """Names and the first score are whole from 38 letters on; what is left out is named below, and nothing is wider than the screen."""
    monkeypatch.setattr(terminal, "_FILE_WIDTH", width)
    text = shown(table_of([*studies("multi-similarity", [0.3, 0.31, 0.32]), *studies("arcface", [0.2, 0.21, 0.23])]))
    found = next(line for line in text.splitlines() if line.startswith("┃"))
    assert head == [cell.strip() for cell in found.strip("┃").split("┃")]
    assert {"multi-similarity", "arcface"} == {row[head.index("method")] for row in cells(text)}
    assert ["0.310 ± 0.025", "0.213 ± 0.038"] == [row[head.index("map@r")] for row in cells(text)]
    assert max(map(len, text.splitlines())) <= width
    missing = {"rank", "recall@1", "studies", "trials", "flags"} - {*head}
    told = " ".join(text.split("┘")[-1].split())
    assert (not missing) == (told == "")
    assert all(name in told for name in missing)


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self):
        """It is."""
        return True


@pytest.mark.parametrize("name", ["triplet", "raw"])
def test_fresh_rows_stand_out_on_a_screen(monkeypatch, name):
    """On a screen a fresh row is bold and a baseline dim; in a file nothing is marked."""
    table = table_of(studies("triplet", [0.3]) if name == "triplet" else [final("raw", 0, 0.1)])
    assert "\x1b" not in shown(table)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys, "stdout", Screen())
    text = shown(table)
    code = "\x1b[1m" if name == "triplet" else "\x1b[2m"
    assert f"{code}{name}" in text
