"""A table for a paper: it compiles as it stands, bold is what is proven, and nothing in it is a stranger's command."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest
from made import TRACK, final, several, studies, table_of

from siambench.board.formats import latex
from siambench.board.view import view
from siambench.wording import in_latex

PDFLATEX = shutil.which("pdflatex")

HOSTILE = [
    r"\input{/etc/passwd}",
    "50 % & $x_a$ #1 {x} ^~ \\end{tabular}",
    "[x] *y* --a-- ?` !` <script>alert(1)</script>",
    "\x1b[31mred\x1b[0m",
    "\u202eevil",
    "größer é ç ł ő ñ Å",
    "漢字 😀 Ж α",
    "|a|'b'\"c\"`d`",
    "=cmd()",
]


def document(text):
    """The smallest document of a table."""
    return "\\documentclass{article}\\usepackage{booktabs,graphicx}\\begin{document}\n" + text + "\\end{document}\n"


def rows_of(text):
    """The cells of the lines between the rules, those of the head first."""
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    return [line.removesuffix(r" \\").split(" & ") for line in body.splitlines() if line.endswith(r" \\")]


def is_balanced(text):
    """Whether braces that are no letters close as they open."""
    depth = 0
    for brace in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if brace == "{" else -1
        if depth < 0:
            return False
    return depth == 0


@pytest.mark.parametrize("records", [[*several(), final("raw", 0, 0.01)], [], studies("triplet", [0.3])], ids=["ranked", "empty", "one"])
def test_every_line_has_the_cells_of_the_head(records):
    """Head and rows have as many cells as the table has columns, braces close, and one environment holds all."""
    text = latex.render(view(table_of(records)))
    columns = re.search(r"\\begin\{tabular\}\{@\{\}([lr]+)@\{\}\}", text)[1]
    assert {len(columns)} == {len(cells) for cells in rows_of(text)}
    assert is_balanced("\n".join(line for line in text.splitlines() if not line.startswith("%")))
    for name in ("table", "tabular"):
        assert 1 == text.count(rf"\begin{{{name}}}") == text.count(rf"\end{{{name}}}")
    assert r"\usepackage{booktabs}" in text.splitlines()[2]


def test_bold_is_the_one_that_is_proven_better_than_all_others():
    """A row of rank 1 alone is bold in the primary metric and nowhere else; the caption names the rule."""
    records = [*studies("best", [0.80, 0.81, 0.79]), *studies("triplet", [0.50, 0.51, 0.49]), *studies("npair", [0.10, 0.11, 0.12])]
    text = latex.render(view(table_of(records)))
    assert [r"\textbf{0.800 $\pm$ 0.025}"] == re.findall(r"\\textbf\{.*?\}", text)
    (line,) = (line for line in text.splitlines() if r"\textbf" in line)
    assert line.startswith(r"1 & \texttt{best}")
    assert r"Bold: map@r of the method that is better than every other ranked one by tests of all pairs over means of 3 studies" in text


def test_nothing_is_bold_where_nothing_is_proven():
    """Of two rows that share the first rank none is bold, however far the scores, and the caption says that there is none."""
    text = latex.render(view(table_of(several())))
    assert r"\textbf" not in text
    assert "there is none here" in text
    assert "Nothing is bold: no row is ranked." in latex.render(view(table_of(studies("triplet", [0.3]))))


def test_the_best_of_an_error_is_the_lowest():
    """Where lower is better the lowest is bold, and the arrow of its head points down."""
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"primary": "recall@1"})})
    directions = {"directions": {"map@r": "max", "recall@1": "min", "eer": "min"}}
    records = [*studies("low", [0.1, 0.11, 0.12], outcome=directions), *studies("high", [0.8, 0.81, 0.79], outcome=directions)]
    text = latex.render(view(table_of(records, track=track, direction="min")))
    (line,) = (line for line in text.splitlines() if r"\textbf" in line)
    assert r"\texttt{low}" in line
    assert r"recall@1~$\downarrow$" in text


def test_the_caption_says_over_what():
    """The caption has the track, its version, and that means and intervals are over studies."""
    text = latex.render(view(table_of(several())))
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert r"made (track made, version 1.0). Mean $\pm$ half-width of the 95 \% t-interval over studies" in caption


def test_a_flag_is_a_letter_that_is_explained_below():
    """Each flag has a letter behind the names that bear it, and below the table stand the flag and what it means."""
    text = latex.render(view(table_of([*several(), *studies("short", [0.3])])))
    (line,) = (line for line in text.splitlines() if r"\texttt{short}" in line and " & " in line)
    assert r"\texttt{short}\textsuperscript{a}" in line
    assert r"\textsuperscript{a}~short-budget." in text
    assert r"\texttt{short-budget}: fewer studies" in text
    assert "number of tuned parameters" not in text


def test_the_first_comment_names_the_command_that_made_it():
    """Whoever finds the file reads what made it, with the folders that it was made from."""
    made = "siambench leaderboard made --from 'my runs' --format latex"
    assert f"% Made by: {made}" == latex.render(view(table_of(several()), command=made)).splitlines()[1]


def test_signs_of_numbers_are_of_mathematics():
    """A negative number has a minus, a positive difference a plus, and a range of ranks its dash."""
    text = latex.render(view(table_of([*several(), *studies("short", [0.3])])))
    cells = [cell for cells in rows_of(text)[1:] for cell in cells]
    assert [cell for cell in cells if cell.startswith("$-$0.")]
    assert not [cell for cell in cells if re.match(r"[-+]", cell)]
    assert any(re.fullmatch(r"\d--\d", cell) for cell in cells)


def test_the_caption_is_short_and_speaks_of_no_terminal():
    """Ranks, groups and the rest are told below the table; the caption has over what, and what is bold."""
    text = latex.render(view(table_of(several())))
    caption = next(line for line in text.splitlines() if line.startswith(r"\caption"))
    assert "Rank:" not in caption
    assert "Rank: the ranks" in text
    assert "terminal" not in text
    assert "Space parts groups of rows" in text
    assert "Space parts groups" not in latex.render(view(table_of(studies("triplet", [0.3]))))


def test_a_loss_in_a_file_bears_its_own_name():
    """The path before its class is left out of rows and sentences, unless two rows would bear one name then."""
    own = [*studies("./my/tight.py:Tight", [0.3], row="a" * 16), *studies("tight.py:Other", [0.31], row="b" * 16)]
    text = latex.render(view(table_of([*several(), *own])))
    assert r"\texttt{Tight}" in text
    assert r"\texttt{Other}" in text
    assert ".py" not in text
    two = [*studies("a.py:Tight", [0.3], row="a" * 16), *studies("b.py:Tight", [0.31], row="b" * 16)]
    both = latex.render(view(table_of([*several(), *two])))
    assert r"\texttt{a.py:Tight}" in both
    assert r"\texttt{b.py:Tight}" in both


@pytest.mark.parametrize("text", HOSTILE)
def test_no_name_is_a_command(text):
    """What comes out for any name is of plain ASCII, and each backslash in it is one that siambench wrote."""
    found = in_latex(text)
    assert found.isascii()
    assert found.isprintable()
    assert not re.search(r"(?<!\\)[%&#$](?![\\-])", re.sub(r"\$[^$]*\$", "", found))
    words = r"textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textasciigrave|textquotesingle|ss|ae|oe|l|alpha"
    rest = re.sub(rf"\\(({words})(\{{\}}|(?![A-Za-z]))|[&%$#_{{}}]|[`'^~=.\"][{{]|[uvHrcdk][{{])", "", found)
    assert "\\" not in rest


@pytest.mark.skipif(PDFLATEX is None, reason="no pdflatex on this machine: apt-get install texlive-latex-recommended")
def test_it_compiles_as_it_stands(tmp_path):
    """It sets tables with hostile names, without rows and with ranks no wider than the line, and runs nothing of theirs."""
    hostile = [record for number, name in enumerate(HOSTILE) for record in studies(name, [0.3 + number / 100, 0.31, 0.32])]
    failed = final("broken\\x", 0, 0, state="failed", trial=1)
    tables = [table_of([*hostile, failed, final("raw", 0, 0.01)]), table_of([]), table_of([*several(), final("raw", 0, 0.01)])]
    (tmp_path / "all.tex").write_text(document("\n".join(latex.render(view(table)) for table in tables)), encoding="utf-8")
    done = subprocess.run(
        [PDFLATEX, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert 0 == done.returncode, done.stdout[-2000:]
    assert "Output written on all.pdf" in done.stdout
    assert "Overfull" not in done.stdout
    assert "root:" not in done.stdout
