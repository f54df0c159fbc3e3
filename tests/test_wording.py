"""Text from outside, made safe for where it goes; and what an encoding cannot show."""

from __future__ import annotations

import csv
import html
import io
import json
import re

import pytest
from rich.console import Console

from siambench import wording
from siambench.board.formats.csv import csv_of

ODD = [
    "plain",
    "\x1b[31mred\x1b[0m",
    "[red]not red[/red] [/x] \\[y]",
    '=HYPERLINK("http://x")',
    "+1+cmd()",
    "-2+3",
    "@SUM(A1)",
    "a|b`c`",
    "<script>alert(1)</script>",
    "\u202eevil\u2066",
    "two\nlines\r\x9b\x07",
    "lone \udc80",
    "50 % & $5_a #1 {x} ^~ \\end",
    "[x](javascript:1)",
    "ünïcode 漢字 😀",
]


def test_one_is_counted_in_the_singular():
    """`1 study`, and of every other number, 0 too, the plural."""
    assert ["0 studies", "1 study", "2 studies"] == [wording.several(number, "study", "studies") for number in range(3)]


def test_words_are_listed_as_a_sentence_does():
    """The last of several follows an "and", and nothing is said of none."""
    assert ["", "a", "a and b", "a, b and c"] == [wording.enumerated("abc"[:number]) for number in range(4)]


@pytest.mark.parametrize("text", ODD)
def test_a_terminal_obeys_nothing(text):
    """No control character, mark of direction or lone half of a letter comes out, and plain text is as it was."""
    for found in (wording.printable(text), wording.in_a_line(text), wording.in_html(text), wording.in_latex(text), wording.in_csv(text)):
        assert all(letter.isprintable() or letter == "\n" for letter in found)
        found.encode()
    assert "ünïcode 漢字 😀" == wording.printable("ünïcode 漢字 😀")


@pytest.mark.parametrize("text", ODD)
def test_rich_shows_markup_as_it_stands(text):
    """What rich prints of it, markup and all, is what a terminal is shown of the same text."""
    console = Console(file=io.StringIO(), width=1000, color_system=None)
    console.print(wording.in_rich(text), highlight=False, soft_wrap=True)

    assert wording.printable(text) + "\n" == console.file.getvalue()


@pytest.mark.parametrize("text", ODD)
def test_a_cell_of_markdown_stays_a_cell(text):
    """A cell has no bare border, no tag and no link; as code it has no backtick inside."""
    cell, code = wording.in_markdown(text), wording.in_markdown_code(text)

    assert not re.search(r"(?<!\\)\||\n|<[A-Za-z/!?]|\]\(", cell)
    assert not re.search(r"(?<!\\)\||\n|`", code[1:-1])
    assert ("`", "`") == (code[0], code[-1])
    assert "" == wording.in_markdown_code("")


@pytest.mark.parametrize("text", ODD)
def test_a_cell_of_a_spreadsheet_is_no_formula(text):
    """No cell begins as a formula does, and a reader finds as many cells as there were."""
    ((cell, other),) = list(csv.reader(io.StringIO(csv_of([text, "other"], []))))

    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert "other" == other


@pytest.mark.parametrize("number", ["-0.5", "+1", "-1e-09", "-inf", "0.25"])
def test_numbers_are_no_formulas(number):
    """A negative number is a number, and stays one."""
    assert number == wording.in_csv(number)


@pytest.mark.parametrize("text", ODD)
def test_a_document_keeps_every_letter(text):
    """What was escaped in JSON is what it was when it is read, and nothing in the document is obeyed by a terminal."""
    document = wording.in_json(json.dumps({"name": text, "more": "\U000e0001"}, ensure_ascii=False, indent=2))

    assert {"name": text, "more": "\U000e0001"} == json.loads(document)
    assert all(letter.isprintable() or letter == "\n" for letter in document)


@pytest.mark.parametrize("text", ODD)
def test_html_shows_what_a_terminal_shows(text):
    """Unescaped again it is the printable text, and it holds no bracket or quote."""
    assert wording.printable(text) == html.unescape(wording.in_html(text))
    assert not set("<>\"'") & set(wording.in_html(text))


def test_latex_has_no_command_of_a_strangers():
    """Every letter that LaTeX obeys is a command that shows it."""
    assert r"50 \% \& \$5\_a \#1 \{x\} \textasciicircum{}\textasciitilde{} \textbackslash{}end" == wording.in_latex(ODD[12])


@pytest.mark.parametrize(
    ("encoding", "expected"),
    [
        ("utf-8", "0.5 ± 0.1 – 漢 …".encode()),
        ("ascii", b"0.5 +- 0.1 - ? ..."),
        ("latin-1", "0.5 ± 0.1 - ? ...".encode("latin-1")),
        ("cp1252", "0.5 ± 0.1 – ? …".encode("cp1252")),
    ],
)
def test_a_stream_shows_what_its_encoding_can(encoding, expected):
    """What an encoding lacks is shown by what stands nearest, or by a question mark; the rest is as it was."""
    below = io.BytesIO()
    stream = wording.in_its_encoding(io.TextIOWrapper(below, encoding=encoding))
    stream.write("0.5 ± 0.1 – 漢 …")
    stream.flush()

    assert expected == below.getvalue()


def test_what_is_no_stream_of_bytes_is_left_alone():
    """A stream of text alone, and a missing one, come back as they are."""
    stream = io.StringIO()

    assert stream is wording.in_its_encoding(stream)
    assert wording.in_its_encoding(None) is None


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437", "utf-16", "utf-8"])
def test_a_leaderboard_is_shown_in_any_encoding(siambench_process, encoding):
    """`siambench leaderboard glyphs` prints the table and exits 0 whatever the encoding of its streams, on 40 columns too."""
    import os
    import subprocess
    import sys

    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LANG": "C", "COLUMNS": "40"}
    done = subprocess.run([sys.executable, "-m", "siambench", "leaderboard", "glyphs"], env=environment, capture_output=True, check=False)

    assert 0 == done.returncode, done.stderr
    assert "triplet" in done.stdout.decode(encoding)


def test_what_a_docstring_says_of_its_arguments():
    """Each argument below `Args:` is told in one line, those that share a line each; what follows another heading is no argument."""
    docstring = """Do it.

    Note: not this one.

    Args:
        first: what comes
            first, at last.
        second, third: both alike.
        **options: the rest: of all.

    Returns:
        nothing: at all.
    """
    told = {"first": "what comes first, at last.", "second": "both alike.", "third": "both alike.", "options": "the rest: of all."}
    assert told == wording.arguments_told(docstring)
    assert {} == wording.arguments_told("Nothing is asked for.")


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.25, "0.2500"),
        (1.23456, "1.2346"),
        (0.05, "0.05000"),
        (0.00031237, "0.0003124"),
        (0.0, "0.0000"),
        (-0.02, "-0.02000"),
        (3e-8, "3.000e-08"),
    ],
)
def test_a_number_to_decide_by_has_four_digits(value, told):
    """Four decimals where these are four digits, more where the number is smaller, and 0 as it is."""
    assert told == wording.exact(value)
