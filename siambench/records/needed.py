"""What a unit needs beside installed components: files and folders, by their names in its context and in ``reproduce --where``."""

from __future__ import annotations

from siambench.spec import CONTENT, INIT, Listed, Unit

MODEL_OPTIONS = "model.options."
"""Begins the name of a file that an option of the backbone names."""


def contents_of(unit: Unit) -> dict[str, str]:
    """The files that were needed to make a unit's result, by the names that the context has for them: the SHA-256 of each."""
    wanted = {}
    if isinstance(unit.scoring.pairs, Listed):
        wanted["pairs"] = unit.scoring.pairs.digest
    if unit.method.listed is not None:
        wanted[unit.method.listed.place] = unit.method.listed.digest
    if unit.method.init is not None:
        wanted[INIT] = unit.method.init
    for name, value in ({} if unit.model is None else unit.model.options).items():
        if isinstance(value, str) and value.startswith(CONTENT):
            wanted[f"{MODEL_OPTIONS}{name}"] = value.removeprefix(CONTENT)
    return wanted


def needed(unit: Unit) -> tuple[str, ...]:
    """The names of all that is no part of a record: a data set of one's own, a loss in a file, and the files of `contents_of`."""
    dataset, loss = unit.data.dataset, unit.method.loss
    return (*([dataset] if ":" in dataset else []), *([loss] if ".py:" in loss else []), *contents_of(unit))
