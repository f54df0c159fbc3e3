"""A table for a paper: booktabs, bold only where it is proven, and a caption that says over what."""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from siambench.wording import in_a_line, in_latex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from siambench.interfaces import ColumnView, TableView

NAME = "latex"
SOURCE = "a table environment of LaTeX with booktabs, which compiles as it stands"

_LEFT_OUT = ("group", "sd_over_studies", "studies", "trials", "repetitions", "dimension", "test_opened", "flags", "from")
"""What a paper's table does without: the caption tells the studies, letters behind a name its flags, a rule each new group."""

_TITLE_WIDTH = 16
"""Letters of a title in a line."""

_IN_A_FILE = re.compile(r"(?:[^\s:]*/)?[^\s/:]+\.py:(?=\w)")
"""What stands before the name of a loss in a file of its own: a paper has the loss, and a letter says that it is local."""

_SIGN = re.compile(r"(?<![\w.\-])([-+])(?=\d)")
"""The sign of a number, which mathematics sets longer than a hyphen."""

_HEAD = r"""% {title}
% Made by: {command}
% It needs \usepackage{{booktabs}} and, to fit the line where it is wider, \usepackage{{graphicx}}. A whole document:
% \documentclass{{article}}\usepackage{{booktabs,graphicx}}\begin{{document}}\input{{FILE}}\end{{document}}
"""


def render(table: TableView) -> str:
    """The environment ``table``, behind comments that say what it needs."""
    table = _printed(table)
    columns = [column for column in table.shown_to("people") if column.name not in _LEFT_OUT]
    marks = _marks(table)
    comments = _HEAD.format(title=_comment(table.title), command=_comment(table.command))
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_caption(table)}}}",
        rf"\label{{tab:{_label(table)}}}",
        r"\vspace{4pt}",
        r"\footnotesize",
        r"\setlength{\tabcolsep}{4pt}",
        r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
        rf"\begin{{tabular}}{{@{{}}{''.join('l' if column.is_text else 'r' for column in columns)}@{{}}}}",
        r"\toprule",
        " & ".join(_title(table, column) for column in columns) + r" \\",
        r"\midrule",
        *_rows(table, columns, marks),
        r"\bottomrule",
        r"\end{tabular}}",
        *_notes(table, marks),
        r"\end{table}",
    ]
    return comments + "\n".join(lines) + "\n"


def _rows(table: TableView, columns: Sequence[ColumnView], marks: dict[str, str]) -> Iterator[str]:
    flags = next((column.values for column in table.columns if column.name == "flags"), ())
    for place, row in enumerate(table.rows):
        # A rule parts groups, those without a rank, and the baselines.
        before = table.rows[place - 1] if place else row
        if (before.group, before.baseline) != (row.group, row.baseline):
            yield r"\addlinespace"
        cells = []
        for column in columns:
            text = in_latex(column.texts[place]) if column.is_text else _number(column.texts[place])
            if column.name == "method":
                own = flags[place] if place < len(flags) else ()
                letters = ",".join(marks[flag] for flag in (own if isinstance(own, list | tuple) else ()) if flag in marks)
                text = rf"\texttt{{{text}}}" + (rf"\textsuperscript{{{letters}}}" if letters else "")
            elif column.name == table.primary and place in table.proven:
                text = rf"\textbf{{{text}}}"
            cells.append(text)
        yield " & ".join(cells) + r" \\"


def _printed(table: TableView) -> TableView:
    """The table with losses in files by their own names, as long as these are no other row's."""
    short = {row.name: _IN_A_FILE.sub("", row.name) for row in table.rows}
    taken = Counter(short.values())
    short = {name: one for name, one in short.items() if name != one and taken[one] == 1}
    if not short:
        return table

    def shown(text: str) -> str:
        for name in sorted(short, key=len, reverse=True):
            text = text.replace(name, short[name])
        return text

    columns = tuple(
        replace(column, title=shown(column.title), texts=tuple(map(shown, column.texts)) if column.name == "method" else column.texts)
        for column in table.columns
    )
    rows = tuple(replace(row, name=short.get(row.name, row.name)) for row in table.rows)
    return replace(table, columns=columns, rows=rows, captions=tuple(map(shown, table.captions)))


def _number(text: str) -> str:
    return _SIGN.sub(r"$\1$", in_latex(text))


def _marks(table: TableView) -> dict[str, str]:
    """A letter for each flag that occurs, in the order of the rows."""
    flags = next((column.values for column in table.columns if column.name == "flags"), ())
    found = dict.fromkeys(str(flag) for cell in flags if isinstance(cell, list | tuple) for flag in cell)
    return {flag: _letter(number) for number, flag in enumerate(found)}


def _letter(number: int) -> str:
    """A to z in small letters, then aa, ab and so on."""
    letters = chr(ord("a") + number % 26)
    return letters if number < 26 else _letter(number // 26 - 1) + letters


def _title(table: TableView, column: ColumnView) -> str:
    """A title in short lines; of a metric with an arrow to where it is better."""
    metrics = table.document.get("metrics")
    directions = {one["name"]: one["direction"] for one in metrics if isinstance(one, dict)} if isinstance(metrics, list) else {}
    arrow = {"max": r"~$\uparrow$", "min": r"~$\downarrow$"}.get(directions.get(column.name, ""), "")
    parts = [in_latex(part) for part in textwrap.wrap(column.title.replace("_", " "), _TITLE_WIDTH, break_long_words=False)] or [""]
    parts[-1] += arrow
    return parts[0] if len(parts) == 1 else r"\shortstack{" + r" \\ ".join(parts) + "}"


def _caption(table: TableView) -> str:
    version = f", version {table.version}" if table.version else ""
    named = f"{in_latex(table.title)} (track {in_latex(table.track)}{version})."
    return " ".join([named, *map(_prose, (*table.captions[:1], table.bold))]).strip()


def _notes(table: TableView, marks: dict[str, str]) -> list[str]:
    """Below the table, in small letters: what the letters mean, and what else a reader must know."""
    flags = [rf"\textsuperscript{{{letter}}}~{in_latex(flag)}" for flag, letter in marks.items()]
    told = ["; ".join(flags) + "."] if flags else []
    told += ["Space parts groups of rows: those that are not significantly worse than the first of theirs."] if _grouped(table) else []
    told += [_prose(text) for text in (*table.captions[1:], _legend(table)) if text]
    if not told:
        return []
    return [
        r"\par\smallskip",
        r"\begin{minipage}{\linewidth}\scriptsize\raggedright",
        *(f"{line}\\par" for line in told),
        r"\end{minipage}",
    ]


def _grouped(table: TableView) -> bool:
    return any(row.group is not None for row in table.rows)


def _legend(table: TableView) -> str:
    """What the legend says of rows and flags that are here: of columns it says more than are."""
    known = {*(row.name for row in table.rows), *(mark.partition(":")[0] for mark in _marks(table))}
    sentences = re.split(r"(?=`[^`]+`: )", table.legend)
    return "".join(sentence for sentence in sentences if sentence.lstrip("`").partition("`")[0] in known).strip()


def _prose(text: str) -> str:
    """A paragraph of a caption, which is Markdown: what stands between backticks is code, and quotes elsewhere are typographic."""
    parts = in_a_line(text).split("`")
    return "".join(
        rf"\texttt{{{in_latex(part)}}}" if place % 2 and place < len(parts) - 1 else in_latex(part.replace("'", "’"))
        for place, part in enumerate(parts)
    )


def _comment(text: str) -> str:
    return in_a_line(text)


def _label(table: TableView) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", table.track).strip("-") or "table"
