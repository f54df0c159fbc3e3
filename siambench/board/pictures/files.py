"""Figures as files: what a command or a line of Python asks for is found, drawn and written."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from siambench.board.files import Found, leaderboard
from siambench.board.material import material_of
from siambench.board.pictures.kinds import KINDS, Kind, selected
from siambench.board.table import Table
from siambench.data.files import read_regular, write_whole
from siambench.errors import DataError, DataMissingError, UnknownNameError, UsageError, suggestion
from siambench.figures import SUFFIXES, Picture, painted
from siambench.figures.painted import MARK, unpainted
from siambench.records.record import load, row_key

LARGEST = 256 << 20
"""Bytes of a file that is looked at to see whose it is."""

EMBEDDINGS = (".npz", ".safetensors")
"""What files of embeddings end in, of which there is a map, drawn elsewhere: it needs torch."""

NARROWEST, WIDEST = 240, 4000
"""Pixels of a figure's width."""

_HEADS = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Of what a figure is asked for.

    Args:
        kind: its name.
        target: the name of a track, the path of a track's folder, or of the file of a record.
        rows: names of those to show; none: all.
        more: output folders of ``run`` whose rows join.
        exam: another exam of a track, by the first digits of its id.
    """

    kind: str
    target: str = "glyphs"
    rows: tuple[str, ...] = ()
    more: tuple[Path, ...] = ()
    exam: str | None = None


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """How a figure is painted.

    Args:
        width: in pixels, of which 96 are an inch.
        theme: its colours.
        captioned: whether its caption stands below it.
        dots: of a PNG, per inch.
    """

    width: int = 720
    theme: Literal["light", "dark"] = "light"
    captioned: bool = False
    dots: int = 200


def kind_of(name: str) -> Kind:
    """A kind of figure by its name.

    Raises:
        UnknownNameError: if there is none.
    """
    if name not in KINDS:
        raise UnknownNameError("figure", name, KINDS, lists="siambench plot --list")
    return KINDS[name]


def picture_of(asked: Asked) -> tuple[Picture, Found]:
    """The figure that is asked for, and what was found on the way.

    Raises:
        UnknownNameError: if there is no such figure, track or row.
        NothingToDrawError: if its records hold no data for it.
        DataError: if a record's file holds none.
    """
    kind = kind_of(asked.kind)
    if Path(asked.target).suffix == ".json":
        table, found = _of_record(asked, kind)
    else:
        table, found = leaderboard(asked.target, asked.more, exam=asked.exam)
    return kind.draw(selected(table, _named(table, asked.rows))), found


def _named(table: Table, rows: Sequence[str]) -> list[str]:
    """Names of rows; one that no row bears may be several with commas between them."""
    known = {line.row.name for line in table.lines}
    parts = [[row] if row in known else [one.strip() for one in row.split(",") if one.strip()] for row in rows]
    return [name for several in parts for name in several]


def _of_record(asked: Asked, kind: Kind) -> tuple[Table, Found]:
    """The table of the row that a record belongs to, with its pictures drawn from this record alone."""
    path = Path(asked.target)
    if asked.rows or asked.more or asked.exam is not None:
        raise UsageError(f"{path.name} is one record: --rows, --from and --exam are for tables")
    if not kind.of_one:
        several = ", ".join(sorted(name for name, one in KINDS.items() if one.of_one))
        raise UsageError(f"{kind.name} is a figure of a table, {path.name} is one record; of a record there are: {several}")
    record = load(path)
    folder = path.resolve().parent.parent
    table, found = leaderboard(str(folder), exam=record.exam.id)
    lines = [line for line in table.lines if line.row.key == row_key(record.unit)]
    if not lines:
        raise DataError(f"{path} is a record of {record.unit.method.name}, of which the table of {folder} has no row")
    material = material_of(table.track, [record] if record.unit.kind == "tune" else [], [record])
    row = dataclasses.replace(lines[0].row, material=material, pictured=record.id)
    return dataclasses.replace(table, lines=(dataclasses.replace(lines[0], row=row, beats=()),)), found


def check_out(out: Path) -> None:
    """See that a figure can be written to a path, before anything is drawn.

    Raises:
        UsageError: if its suffix is none of a figure, there is no such folder, or a file is there that is no figure of siambench.
    """
    suffix = out.suffix.lower()
    if suffix not in SUFFIXES:
        near = suggestion(suffix, SUFFIXES)
        raise UsageError(f"a figure is written as {', '.join(SUFFIXES)}, got {out.name!r}{near}")
    if not out.parent.is_dir():
        raise UsageError(f"{out} cannot be written: there is no folder {out.parent}")
    if (out.exists() or out.is_symlink()) and not _is_own(out, suffix):
        raise UsageError(f"{out} is there and was not written by siambench plot: move it, or give another name; nothing was written")


def _is_own(path: Path, suffix: str) -> bool:
    if path.is_symlink() or not path.is_file():
        return False
    try:
        content = read_regular(path, most=LARGEST)
    except (DataError, DataMissingError):
        return False
    return content.startswith(_HEADS[suffix]) and MARK.encode() in content


def write(picture: Picture, out: Path, drawing: Drawing | None = None) -> str:
    """Paint a figure into a file: all of it, or nothing.

    Returns:
        One sentence about letters that no font here has, and that are boxes in the file; empty if there are none.

    Raises:
        UsageError: as `check_out`; or if the width is out of reach, or the file cannot be written.
    """
    drawing = drawing or Drawing()
    check_out(out)
    if not NARROWEST <= drawing.width <= WIDEST:
        raise UsageError(f"the width of a figure lies in {NARROWEST} … {WIDEST} pixels, got {drawing.width}")
    content = painted(picture, out.suffix.lower(), width=drawing.width, theme=drawing.theme, captioned=drawing.captioned, dots=drawing.dots)
    try:
        write_whole(out, content)
    except OSError as error:
        raise UsageError(f"{out} cannot be written: {error.strerror or error}") from error
    return unpainted(picture, width=drawing.width, captioned=drawing.captioned)
