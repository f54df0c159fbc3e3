"""Pages of HTML: one file each, with its style, a few lines of script, and nothing from elsewhere; jinja2 is loaded when one is made.

Every text is escaped by `siambench.wording.in_html`, or by jinja2 behind `printable`; a policy in it forbids any script but its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.wording import in_html, printable, several

if TYPE_CHECKING:
    from jinja2 import Environment

    from siambench.interfaces import ColumnView, SectionView, TableView

MARK = "<!-- Written by `siambench leaderboard --write`, which replaces this file: do not edit it. -->"
"""By which `--write` knows a page for its own."""

_FOLDER = Path(__file__).parent / "templates"

_PAPER = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1b1f24",
        "soft": "#57606a",
        "line": "#8c959f",
        "grid": "#e3e7eb",
        "wash": "#f3f5f7",
        "good": "#0067a8",
    },
    "dark": {
        "paper": "#14181d",
        "ink": "#e8ecf0",
        "soft": "#a8b2bc",
        "line": "#6b7580",
        "grid": "#2a313a",
        "wash": "#1d232a",
        "good": "#62b5ee",
    },
}

_BEHIND = ("sd_over_studies", "studies", "trials", "repetitions", "dimension", "test_opened", "from")
"""Columns that stand behind a row and not in it, so that the table fits on a screen 1,200 pixels wide."""

_NUMBER = re.compile(r"[-+−]?\d[\d.,e–±%\s+-]*|—")


def track_page(table: TableView, *, mark: str = "", up: str = "") -> str:
    """The page of a table.

    Args:
        table: what to show.
        mark: a comment in its second line.
        up: where the page of all tracks lies, as a link; empty: nowhere.
    """
    shown = table.shown_to("people")
    behind = [column for column in shown if column.name in _BEHIND] if table.details else []
    columns = [column for column in shown if column not in behind]
    told = [section for section in table.sections if section.rows or section.lines]
    sections = [(f"section-{number}", section) for number, section in enumerate(told, 1)]
    parts = [
        *([("reading", "How to read it")] if table.reading and table.rows else []),
        ("table", "Table" if table.rows else "Not run yet"),
        *([("figures", "Figures")] if table.figures else []),
        *((name, section.title) for name, section in sections),
        *([("notes", "About the track")] if table.notes else []),
        *([("rules", "Rules")] if table.rules else []),
        *([("enter", "Add a row")] if table.commands and table.rows else []),
    ]
    directions = _directions(table)
    return _rendered(
        "track.html",
        table=table,
        columns=[{"title": column.title, "text": column.is_text, "first": _first(column, directions)} for column in columns],
        rows=[_row(table, columns, behind, place) for place in range(len(table.rows))],
        sections=sections,
        parts=parts,
        counted=_counted(table),
        mark=mark,
        up=up,
    )


def index_page(entries: Sequence[Mapping[str, Any]], *, mark: str = "", made_by: str) -> str:
    """The page of all tracks.

    Args:
        entries: of each track ``name``, ``version``, ``title``, ``primary``, ``lower`` (is better), ``methods``, ``link``, ``state`` where
            there are no leaders, and ``leaders`` with ``name``, ``rank`` and ``score`` each.
        mark: a comment in its second line.
        made_by: the command.
    """
    begun = sum(bool(one["leaders"]) for one in entries)
    return _rendered(
        "index.html",
        entries=entries,
        counted=f"{several(len(entries), 'track', 'tracks')}, of which {begun} have scores.",
        mark=mark,
        made_by=made_by,
    )


def _rendered(template: str, **values: Any) -> str:
    found = _environment().get_template(template).render(**values)
    # Templates leave empty lines where a part is not there.
    return "\n".join(line for line in found.splitlines() if line.strip()) + "\n"


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    style = (_FOLDER / "style.css").read_text(encoding="utf-8")
    script = (_FOLDER / "script.js").read_text(encoding="utf-8")
    made = Environment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalized,
    )
    # Empty lines are taken out of pages, and the policy names the script by what is left of it.
    script = "\n".join(line for line in ("", *script.splitlines(), "") if line.strip())
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    helpers: Mapping[str, str | Callable[..., object]] = {
        "style": style,
        "script": script,
        "script_hash": f"sha256-{digest}",
        "colours": _colours(),
        "prose": prose,
        "broken": broken,
        "blocks": blocks,
        "is_number": is_number,
    }
    made.globals.update(helpers)
    return made


def _finalized(value: object) -> object:
    """What comes out of an expression: text without control characters, which jinja2 escapes then; HTML of our own as it is."""
    return value if hasattr(value, "__html__") else printable(str(value))


def _colours() -> str:
    light, dark = ("".join(f"--{name}:{value};" for name, value in _PAPER[theme].items()) for theme in ("light", "dark"))
    return f":root{{color-scheme:light dark;{light}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}"


def broken(name: str) -> str:
    """A name as HTML that may break behind the signs that join its parts."""
    return re.sub(r"(?<=[\w])([+:@|_.])(?=[\w])", r"\1<wbr>", in_html(name))


def is_number(text: str) -> bool:
    """Whether a cell is a number, or a score with its interval."""
    return _NUMBER.fullmatch(text) is not None


def prose(text: str) -> str:
    """A paragraph of Markdown as HTML: code, emphasis and links to pages of the web; everything else is text."""
    parts = in_html(text).split("`")
    if len(parts) % 2 == 0:
        # A backtick without its fellow is a letter.
        parts[-2:] = ["`".join(parts[-2:])]
    return "".join(f"<code>{part.replace(chr(92) + '|', '|')}</code>" if place % 2 else _marked(part) for place, part in enumerate(parts))


def _marked(escaped: str) -> str:
    linked = re.sub(r"\[([^\[\]]+)\]\((https?://[^\s()<>]+)\)", r'<a href="\2" rel="noreferrer">\1</a>', escaped)
    return re.sub(r"(?<![\w*])\*([^*\s](?:[^*\n]*[^*\s])?)\*(?![\w*])", r"<em>\1</em>", linked)


def blocks(text: str) -> str:
    """Paragraphs and lists of Markdown as HTML."""
    found = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.lstrip().startswith("- "):
            items = re.split(r"(?m)^\s*- ", block)[1:]
            found.append("<ul>" + "".join(f"<li>{prose(' '.join(item.split()))}</li>" for item in items) + "</ul>")
        else:
            found.append(f"<p>{prose(' '.join(block.split()))}</p>")
    return "\n".join(found)


def _directions(table: TableView) -> dict[str, str]:
    metrics = table.document.get("metrics")
    return {one["name"]: one["direction"] for one in metrics if isinstance(one, Mapping)} if isinstance(metrics, list) else {}


def _first(column: ColumnView, directions: Mapping[str, str]) -> str:
    """Which way a column is sorted first: scores with the best on top."""
    if column.is_text or column.name in ("rank", "group"):
        return ""
    return "ascending" if directions.get(column.name) == "min" else "descending"


def _counted(table: TableView) -> str:
    """How many rows there are, of what kind, in a sentence."""
    methods = [row for row in table.rows if not row.baseline]
    baselines = len(table.rows) - len(methods)
    if not table.rows:
        return ""
    ranked = sum(row.group is not None for row in methods)
    beside = f", and {several(baselines, 'baseline', 'baselines')}" if baselines else ""
    return f"{several(len(methods), 'method', 'methods')}, {ranked} of them ranked{beside}."


def _row(table: TableView, columns: Sequence[ColumnView], behind: Sequence[ColumnView], place: int) -> dict[str, Any]:
    row = table.rows[place]
    new = place > 0 and (table.rows[place - 1].group, table.rows[place - 1].baseline) != (row.group, row.baseline)
    classes = [name for name, holds in (("new-group", new), ("baseline", row.baseline), ("fresh", row.fresh)) if holds]
    detail = table.details[place] if place < len(table.details) else None
    cells = [
        {
            "column": {"text": column.is_text},
            "head": column.name == "method" or column.texts[place] == row.name,
            "text": column.texts[place],
            "sort": None if column.is_text else _sorted_by(column.values[place]),
            "proven": column.name == table.primary and place in table.proven,
        }
        for column in columns
    ]
    return {
        "id": f"row-{place + 1}",
        "name": row.name,
        "classes": " ".join(classes),
        "note": "baseline" if row.baseline else "",
        "cells": cells,
        "facts": [(column.title, column.texts[place]) for column in behind if column.texts[place]],
        "detail": detail,
        "also": _also(row.name, () if detail is None else detail.sections),
    }


def _also(name: str, sections: Sequence[SectionView]) -> str:
    """What a row is found by beside its cells: its whole name, its flags in words, and its packages."""
    found = [cell for section in sections for row in section.rows if "package" in section.head or "flag" in section.head for cell in row]
    return " ".join(dict.fromkeys([name, *found]))


def _sorted_by(value: object) -> str | None:
    """The number that a cell is sorted by; None where there is none."""
    if isinstance(value, Mapping):
        value = value.get("mean")
    if isinstance(value, list | tuple):
        value = value[0] if value else None
    return f"{value:.6g}" if isinstance(value, int | float) else None
