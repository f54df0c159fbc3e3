"""The files that a unit reads beside its data: found where the context says, and checked to hold what the unit was planned with."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.errors import LostError
from siambench.records.needed import MODEL_OPTIONS, contents_of
from siambench.spec import Context, Unit
from siambench.tracks.lists import Rows, read_rows
from siambench.tracks.parts import Items

if TYPE_CHECKING:
    from siambench.interfaces import Dataset


__all__ = ["contents_of", "files_of", "list_of", "listed", "with_files"]


def files_of(unit: Unit, context: Context) -> dict[str, Path]:
    """The files that the unit reads beside its data, each with the content that it was planned with.

    Raises:
        LostError: if one is not here, or holds something else.
    """
    found = {}
    for name, content in contents_of(unit).items():
        if name == "pairs" and unit.kind != "final":
            continue
        if name not in context.local:
            raise LostError(f"where the file for {name} is, with SHA-256 {content[:16]}…, is not known here")
        found[name] = Path(context.local[name])
        with found[name].open("rb") as file:
            here = hashlib.file_digest(file, "sha256").hexdigest()
        if here != content:
            raise LostError(f"{found[name].name} for {name} has SHA-256 {here[:16]}…, the unit was planned with {content[:16]}…")
    return found


def with_files(unit: Unit, files: Mapping[str, Path]) -> Unit:
    """The unit with the paths of files where its options hold their content."""
    if unit.model is None:
        return unit
    paths = {name.removeprefix(MODEL_OPTIONS): str(path) for name, path in files.items() if name.startswith(MODEL_OPTIONS)}
    return dataclasses.replace(unit, model=dataclasses.replace(unit.model, options={**unit.model.options, **paths})) if paths else unit


_read: list[tuple[Dataset, str, Rows]] = []
"""The list that was read last, and of which data: a persistent worker meets the same one in every unit."""


def list_of(unit: Unit, files: Mapping[str, Path], dataset: Dataset) -> Rows | None:
    """The list that a unit is fed from, by the indices of the whole data set's items; None where it is fed from none.

    Raises:
        DataError: if the list does not fit the data.
    """
    listed = unit.method.listed
    if listed is None:
        return None
    if not (_read and _read[0][0] is dataset and _read[0][1] == f"{listed.feed} {listed.digest}"):
        _read[:] = [(dataset, f"{listed.feed} {listed.digest}", read_rows(files[listed.place], listed.feed, dataset))]
    return _read[0][2]


def listed(items: Items, rows: Rows | None) -> Items:
    """A part with those rows of a list that are of its items alone."""
    return items if rows is None else dataclasses.replace(items, rows=rows.within(items.indices))
