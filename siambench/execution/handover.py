"""A model of a row handed over: the one that its unit has kept, or trained again from its record."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.board import files
from siambench.board.scores import Model, by_study, mean_of
from siambench.data.files import read_regular, write_whole
from siambench.data.locate import cache_folder
from siambench.data.names import as_text
from siambench.errors import (
    DataError,
    DataMissingError,
    DifferenceError,
    SiambenchError,
    UnfinishedError,
    UsageError,
    suggestion,
)
from siambench.execution.reproduction import Rerun, final_records, nearer, rerun, spread
from siambench.models.card import MARK, OfRow, card
from siambench.models.document import Again, Difference, ModelDocument
from siambench.models.file import SUFFIX, read_document, read_model, write_model
from siambench.records.folder import Folder, model_path
from siambench.records.record import Record
from siambench.spec import BETWEEN
from siambench.stats import t_interval
from siambench.tracks.files import load_track

if TYPE_CHECKING:
    from siambench.interfaces import Engine

SUFFIXES = (".safetensors", ".onnx", ".pt2")
"""Of the files that can be written."""

_LARGEST_CARD = 1 << 24


@dataclass(frozen=True)
class Asked:
    """Which model is wanted.

    Args:
        track: name of a track, or path of its folder.
        row: name of the row.
        directories: output folders of ``run`` that may hold it.
        exam: the first digits of another exam's id, or None.
        study: number of the study; None: the first that has a model.
        repetition: number of the final model; None: likewise.
        where: paths behind what stands for files and folders.
        again: whether it is trained again where one was kept, too.
    """

    track: str
    row: str
    directories: tuple[Path, ...] = ()
    exam: str | None = None
    study: int | None = None
    repetition: int | None = None
    where: Mapping[str, str] | None = None
    again: bool = False


@dataclass(frozen=True)
class Handed:
    """A model as it was handed over.

    Args:
        document: what its file says.
        card: where its card lies.
        record: of its unit.
        notes: for people: what was passed over, or differs.
        damaged: files that hold no record, and why.
        made_again: whether it was trained again.
    """

    document: ModelDocument
    card: Path
    record: Record
    notes: tuple[str, ...]
    damaged: Mapping[Path, str]
    made_again: bool


def hand_over(asked: Asked, out: Path, engine: Callable[[], Engine]) -> Handed:
    """Find a model, or train it again, and write it and its card.

    Args:
        asked: which.
        out: the file to write; beside it its card.
        engine: makes the engine, if it has to be trained.

    Raises:
        UnknownNameError: if there is no such track or row.
        UsageError: if the row has no model, or it cannot be written there.
        DifferenceError: if training again gives something else with the same versions on the same machine.
        UnfinishedError: if the environment took the unit.
    """
    page = card_path(out)
    _check_out(out, page)
    asked = replace(asked, track=_named(asked.track))
    found, records = final_records(asked.track, asked.row, asked.directories, exam=asked.exam)
    record = _chosen(asked, records)
    notes: list[str] = []
    # Beside the file that is wanted, so that it can be moved there at once.
    with tempfile.TemporaryDirectory(prefix=".siambench-", dir=out.absolute().parent) as folder:
        kept = None if asked.again else _kept(asked, record, found, notes)
        path = _made_again(record, records, asked, Path(folder), engine, notes) if kept is None else kept
        document = read_document(path)
        write_whole(out, path.read_bytes() if out.suffix.lower() == SUFFIX else _exported(path, out))
    write_whole(page, card(document, out.name, _of_row(records)).encode("utf-8", "backslashreplace"))
    return Handed(document, page, record, tuple(notes), found.damaged, made_again=kept is None)


def _exported(path: Path, out: Path) -> bytes:
    from siambench.models.export import exported
    from siambench.models.loaded import load_model

    return exported(load_model(path), out.suffix.lower())


def _named(track: str) -> str:
    """A track as records are looked for by: of a file of rules the folder of its records, or the track's name."""
    path = Path(track).expanduser()
    if path.suffix != ".toml" or not path.is_file():
        return track
    return str(path.parent) if (path.parent / "records").is_dir() else load_track(track).name


def card_path(out: Path) -> Path:
    """Where the card of a model lies: beside its file, ``m.md`` of ``m.safetensors``, and ``m.onnx.md`` of another form of it."""
    return out.with_suffix(".md") if out.suffix == ".safetensors" else out.with_name(f"{out.name}.md")


def _check_out(out: Path, page: Path) -> None:
    called = as_text(out)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"--out must end in {', '.join(SUFFIXES)}, got {called}{suggestion(out.suffix.lower(), SUFFIXES)}")
    if not out.absolute().parent.is_dir():
        raise UsageError(f"--out {called}: there is no folder {as_text(out.absolute().parent)}")
    own_card = _is_card(page)
    if (out.exists() or out.is_symlink()) and not (_is_model(out) if out.suffix.lower() == SUFFIX else own_card):
        raise UsageError(f"{called} is there and is no model of siambench's: it is left as it is, choose another --out")
    if (page.exists() or page.is_symlink()) and not own_card:
        raise UsageError(f"{as_text(page)}, where the card would lie, is there and no card of siambench's: it stays, choose another --out")


def _is_model(path: Path) -> bool:
    try:
        read_document(path)
    except (DataError, DataMissingError):
        return False
    return True


def _is_card(page: Path) -> bool:
    try:
        return read_regular(page, most=_LARGEST_CARD).startswith(MARK.encode())
    except (DataError, DataMissingError):
        return False


def _chosen(asked: Asked, records: Sequence[Record]) -> Record:
    """The record of the model that is wanted; where it is not said, of the first that did not fail."""
    unit = records[0].unit
    if unit.method.baseline == "raw":
        raise UsageError("raw is the input itself, compared as it is: there is no model to hand over")
    if unit.model is not None and BETWEEN in unit.model.backbone:
        raise UsageError(
            f"{asked.row} has two encoders, one for each side of an item, and a model's file holds one: there is none to hand over"
        )
    for name, wanted in (("study", asked.study), ("repetition", asked.repetition)):
        known = sorted({getattr(record.unit, name) for record in records})
        if wanted is not None and wanted not in known:
            raise UsageError(f"{asked.row} has no {name} {wanted}; it has {', '.join(map(str, known))}")
    fits = [record for record in records if asked.study in (None, record.unit.study) and asked.repetition in (None, record.unit.repetition)]
    if not fits:
        raise UsageError(f"{asked.row} has no repetition {asked.repetition} in study {asked.study}")
    done = [record for record in fits if record.outcome.state == "done"]
    if not done:
        first = fits[0]
        others = [f"study {one.unit.study} repetition {one.unit.repetition}" for one in records if one.outcome.state == "done"]
        instead = f"; there is {others[0]}" if others else ""
        label = f"study {first.unit.study} repetition {first.unit.repetition} of {asked.row}"
        raise UsageError(f"{label} failed, and left no model: {first.outcome.error}{instead}")
    return done[0]


def _kept(asked: Asked, record: Record, found: files.Found, notes: list[str]) -> Path | None:
    """The file that the unit has kept, if it is what was written; else why it is not taken goes to the notes."""
    home, _ = files.located(asked.track, asked.directories)
    further = [folder for directory in asked.directories for folder in files.records_folders(directory, found.track)]
    told = record.telemetry.get("model")
    digest = told.get("sha256") if isinstance(told, Mapping) else None
    for folder in (*further, home):
        path = Folder(folder).model(record.id)
        if path is None:
            continue
        try:
            document = read_document(path)
            with path.open("rb") as file:
                here = hashlib.file_digest(file, "sha256").hexdigest()
        except (SiambenchError, OSError) as error:
            notes.append(f"the model that was kept is passed over, and trained again: {error}")
            continue
        if document.unit != record.id or digest not in (None, here):
            notes.append(f"{as_text(path)} is not the file that the record speaks of: it is passed over, and the model trained again")
            continue
        return path
    if isinstance(told, Mapping) and isinstance(told.get("not_kept"), str):
        notes.append(f"it could not be kept when it was trained: {told['not_kept']}")
    return None


def _made_again(
    record: Record, records: Sequence[Record], asked: Asked, folder: Path, engine: Callable[[], Engine], notes: list[str]
) -> Path:
    """The file of the model, trained again; where that gives other scores, they stand in it."""
    openings = cache_folder() / "reproduced" / f"{record.unit.track}.jsonl"
    primary, models = record.unit.scoring.primary, folder / "models"
    (again,) = rerun([record], primary, engine, where=dict(asked.where or {}), openings=openings, allowed=spread(records), models=models)
    label = f"{record.unit.label} of {record.unit.track}"
    if again.now.outcome.state != "done":
        raise UnfinishedError(f"{label} was trained again and failed: {again.now.outcome.error}")
    if again.state != "identical" and not again.surroundings:
        what = ", ".join(f"{name} {before} recorded and {now} now" for name, (before, now) in again.scores.items())
        raise DifferenceError(
            f"{label} was trained again with the same versions on the same machine, and is another model: "
            f"{what or 'its ' + ' and '.join(again.elsewhere)}; `siambench reproduce` shows more"
        )
    path = model_path(models, record.id)
    told = again.now.telemetry.get("model")
    if not path.is_file():
        reason = told.get("not_kept") if isinstance(told, Mapping) else None
        raise UsageError(f"{label} was trained again, and cannot be handed over: {reason or 'it was not kept'}")
    if again.state != "identical":
        notes += _differences(again, primary)
        scores = {name: Difference(recorded=before, here=now) for name, (before, now) in again.scores.items()}
        held = read_model(path)
        document = replace(held.document, again=Again(scores=scores, surroundings=dict(again.surroundings)))
        write_model(path, document, held.weights, held.probe)
    return path


def _differences(again: Rerun, primary: str) -> list[str]:
    lines = [f"{name}: {before} recorded, {now} here" for name, (before, now) in sorted(again.surroundings.items())]
    hint = nearer(again.surroundings)
    lines += [hint] if hint is not None else []
    before, now = ("none" if value is None else f"{value:.6f}" for value in again.primary)
    how = "within what two repetitions differ by" if again.state == "within tolerance" else "by more than two repetitions usually differ"
    scores = (
        f"{len(again.scores)} scores are others, {how}; {primary} {before} recorded, {now} here" if again.scores else "no score differs"
    )
    return [*lines, f"it was trained again under other circumstances, and is not the recorded model bit for bit: {scores}"]


def _of_row(records: Sequence[Record]) -> dict[str, OfRow]:
    """The scores of the row's models that did not fail: means over studies, of one study over its repetitions."""
    models = [Model(one.unit.study, one.unit.repetition, one.outcome, None) for one in records if one.outcome.state == "done"]
    found = {}
    for metric, studies in by_study(models).items():
        several = len(studies) > 1
        values = [mean_of(one) for one in studies.values()] if several else list(next(iter(studies.values())).values())
        mean, half_width = t_interval(values)
        found[metric] = OfRow(mean, half_width, len(values), "studies" if several else "repetitions")
    return found
