"""A record: what a unit was, what it gave, and what was seen meanwhile. The one door between it and its JSON file."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siambench.data.files import read_regular
from siambench.errors import RecordError, UsageError
from siambench.identity import Document, canonical, digest, from_json, to_json
from siambench.interfaces import Diagnosis, Measures, Outcome
from siambench.records.damage import check_exam, check_scores
from siambench.records.documents import write_document
from siambench.spec import RECORD_SCHEMA, Exam, Unit

if TYPE_CHECKING:
    from siambench.records.unit_figures import UnitFigures

MACHINE = ("machine", "system", "cpu", "device", "gpu", "cudnn")
"""The facts of a machine on which it depends in which order numbers are added."""

_CODE = re.compile(r"\+[0-9a-f]{16,64}$")
"""The digest of a component's code behind the version of its distribution."""

LARGEST = 64 << 20
"""Bytes that a record may have at most."""


@dataclass(frozen=True)
class Record:
    """What a unit leaves; one that is lost leaves none.

    Args:
        unit: what was run.
        exam: what it was run for.
        outcome: what it gave: the same wherever it is run with the same versions on the same kind of machine.
        telemetry: times, memory, host, versions: what is not. It is no part of what an id vouches for, and may lack anything.
        verified: whether a digest of the outcome vouches that it is what was written.
        figures: what its pictures are drawn from, on the way from a worker to the folder where it has a file of its own; else None.
    """

    unit: Unit
    exam: Exam
    outcome: Outcome
    telemetry: Mapping[str, Any]
    verified: bool = True
    figures: UnitFigures | None = field(default=None, compare=False, repr=False)

    @property
    def id(self) -> str:
        """That of its unit, which is the name of its file."""
        return self.unit.id

    @property
    def started(self) -> float:
        """When the unit began, in seconds since the epoch; 0 where it is not told."""
        return _number(self.telemetry.get("started")) or 0.0

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return _number(self.telemetry.get("total_seconds"))

    @property
    def phases(self) -> dict[str, float]:
        """Seconds by phase, of those that are told."""
        told = self.telemetry.get("seconds")
        numbers = {name: _number(value) for name, value in told.items()} if isinstance(told, Mapping) else {}
        return {name: value for name, value in numbers.items() if value is not None}

    @property
    def peak_memory_mb(self) -> float | None:
        """The most resident memory that its worker had held by then."""
        return _number(self.telemetry.get("peak_memory_mb"))

    @property
    def device(self) -> str | None:
        """Where it ran."""
        told = self.telemetry.get("device")
        return told if isinstance(told, str) else None

    @property
    def traceback(self) -> str | None:
        """Of what it raised."""
        told = self.telemetry.get("traceback")
        return told if isinstance(told, str) else None

    @property
    def search(self) -> Mapping[str, Any]:
        """With what its study was searched."""
        return self._part("search")

    @property
    def measures(self) -> tuple[Measures, ...]:
        """What was measured while it trained, of several fold-models one after the other; none where nothing was, or it cannot be read."""
        told = self.telemetry.get("measures")
        try:
            return tuple(from_json(Measures, canonical(row), where="measures") for row in told) if isinstance(told, list) else ()
        except (RecordError, ValueError, TypeError, RecursionError):
            # No digest vouches for it.
            return ()

    @property
    def observers(self) -> Mapping[str, Any]:
        """What the observers took and gathered, and why one was dropped, by their names."""
        return self._part("observers")

    @property
    def diagnosis(self) -> Diagnosis | None:
        """What is said of the models that it trained; None where nothing is, as of all records that were made before any was."""
        told = self.telemetry.get("diagnosis")
        if not isinstance(told, Mapping):
            return None
        try:
            return from_json(Diagnosis, canonical(told), where="diagnosis")
        except (RecordError, ValueError, TypeError):
            # No digest vouches for it: what cannot be read is as if it were not there.
            return None

    @property
    def surroundings(self) -> dict[str, str]:
        """What can make two runs of a unit differ: versions, components, machine and device."""
        facts = {key: self.telemetry[key] for key in MACHINE if self.telemetry.get(key) is not None}
        return {name: str(value) for name, value in {**self._part("versions"), **facts, **self._part("components")}.items()}

    @property
    def distributions(self) -> dict[str, str]:
        """Distribution and version of what each component came from, by its role; of a role that is not told the distribution."""
        told = self._part("components")
        found = {}
        for role, source in self.unit.components.items():
            text = told.get(role)
            found[role] = _CODE.sub("", text) if isinstance(text, str) else source.distribution
        return found

    @property
    def files(self) -> dict[str, str]:
        """What the files were called that the unit read, by what they were for (``pairs``, ``model.options.weights``)."""
        return {str(name): str(value) for name, value in self._part("files").items()}

    @property
    def former_ids(self) -> tuple[str, ...]:
        """Under which ids older layouts knew it, the oldest first."""
        told = self.telemetry.get("upgraded_from")
        steps = told if isinstance(told, list) else []
        return tuple(str(step["id"]) for step in steps if isinstance(step, Mapping) and "id" in step)

    def _part(self, name: str) -> Mapping[str, Any]:
        told = self.telemetry.get(name)
        return told if isinstance(told, Mapping) else {}

    def to_json(self) -> dict[str, Any]:
        """The document of its file; see leaderboards/README.md."""
        outcome = to_json(self.outcome)
        return {
            "schema": RECORD_SCHEMA,
            "id": self.id,
            "exam": to_json(self.exam),
            "unit": self.unit.to_json(),
            "outcome": outcome,
            "outcome_digest": digest(outcome) if self.verified else None,
            "telemetry": dict(self.telemetry),
        }

    @classmethod
    def from_json(cls, text: bytes | str, *, where: str = "record") -> Record:
        """Read back what `to_json` gave.

        Raises:
            RecordError: for a key that is unknown or missing, a value of another type, an id that is not that of the unit, a digest
                that is not that of the outcome, an exam that is not the unit's, or scores that cannot be.
        """
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        file = from_json(File, text, where=where)
        unit, outcome = _digests(raw)
        if unit == file.id:
            # The text was canonical, so this is the unit's id: to make that text again would take as long as to read it.
            vars(file.unit)["id"] = unit
        if file.id != file.unit.id:
            raise RecordError(f"{where}: its id is {file.id[:16]}…, its unit has {file.unit.id[:16]}…")
        if file.outcome_digest not in (None, outcome):
            outcome = digest(to_json(file.outcome))
            if file.outcome_digest != outcome:
                written = str(file.outcome_digest)[:16]
                raise RecordError(f"{where}: its outcome has the digest {outcome[:16]}…, it was written with {written}…")
        check_exam(file.unit, file.exam, where)
        check_scores(file.outcome, where)
        return cls(file.unit, _one_of(file.exam), file.outcome, file.telemetry, verified=file.outcome_digest is not None)


@dataclass(frozen=True)
class File(Document):
    """The document of a record's file.

    Args:
        schema: layout of the file.
        id: SHA-256 of the canonical JSON of `unit`; the file's name.
        exam: what the unit was run for; no part of its id.
        unit: the resolved specification.
        outcome: what it gave: the same wherever it is run with the same versions on the same kind of machine.
        outcome_digest: SHA-256 of the canonical JSON of `outcome`; null where a record was brought from an older layout: not verified.
        telemetry: times, memory, host, versions, measures: what is not the same elsewhere, and never compared.
    """

    schema: Literal[5]
    id: str
    exam: Exam
    unit: Unit
    outcome: Outcome
    outcome_digest: str | None
    telemetry: dict[str, Any]


_FIXED = re.compile(rb'"[0-9a-f]{64}"(null|"[0-9a-f]{64}"),"schema":[0-9]+')
"""An id, and what stands between a record's outcome and its telemetry."""


def _is_one_object(text: bytes) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def _digests(text: bytes) -> tuple[str | None, str | None]:
    """SHA-256 of unit and outcome as they stand in a file that is canonical JSON, as siambench writes it; else of nothing.

    Ten thousand records are read for a table: to make the canonical text again would take longer than all else.
    """
    head, _, behind = text.partition(b',"outcome":')
    outcome, has_outcome, rest = behind.rpartition(b',"outcome_digest":')
    telemetry, has_unit, end = rest.rpartition(b',"unit":')
    start, _, own_id = head.rpartition(b',"id":')
    digest_text, _, told = telemetry.partition(b',"telemetry":')
    if not has_outcome or not has_unit or not end.endswith(b"}\n") or not start.startswith(b'{"exam":'):
        return None, None
    # Between these stands one value each: a key that came twice would be hashed here and read there.
    if _FIXED.fullmatch(own_id + digest_text) is None or not (_is_one_object(start[8:]) and _is_one_object(told)):
        return None, None
    return hashlib.sha256(end[:-2]).hexdigest(), hashlib.sha256(outcome).hexdigest()


_exams: dict[tuple[str, str], Exam] = {}


def _one_of(exam: Exam) -> Exam:
    """One object for equal exams: ten thousand records of one exam make its id once."""
    known = _exams.setdefault((exam.data, exam.version), exam)
    return known if known == exam else exam


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) else None


def write(folder: Path, record: Record) -> Path:
    """Write a record under its id."""
    return write_document(folder, record.id, record.to_json())


def load(path: Path) -> Record:
    """The record of a file.

    Raises:
        RecordError: with what is wrong where the file holds none: truncated, foreign, damaged, of another schema, or no plain file.
    """
    try:
        content = read_regular(path, most=LARGEST)
    except UsageError as error:
        raise RecordError(f"{path.name}: {error}") from error
    record = Record.from_json(content, where=path.name)
    if record.id != path.stem:
        raise RecordError(f"{path.name}: it holds the record {record.id[:16]}…")
    return record


def reason_of(error: RecordError, path: Path) -> str:
    """What is wrong with a file that is named beside it."""
    return str(error).removeprefix(f"{path.name}: ")


def read(path: Path) -> Record | None:
    """A record, or None where the file holds none; see `load`."""
    try:
        return load(path)
    except RecordError:
        return None


def schema_of(path: Path) -> int | None:
    """The schema of an intact record, older or newer ones included; None where the file holds no record."""
    try:
        document = json.loads(read_regular(path, most=LARGEST))
        schema = document["schema"]
        if not isinstance(schema, int) or isinstance(schema, bool) or document["id"] != path.stem:
            return None
        if schema < RECORD_SCHEMA and "exam" in document:
            # Older layouts have no such key: the number is what was changed.
            return None
        unit = document["result"]["unit"] if schema < _TYPED_UNITS else document["unit"]
        if digest(unit) != path.stem or (schema == RECORD_SCHEMA and read(path) is None):
            return None
    except (UsageError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return schema


_TYPED_UNITS = 3
"""The first schema whose unit stands beside its outcome."""


def older(folder: Path) -> int:
    """How many records of an older schema a folder of records holds, told by a look at each rather than by reading it."""
    mark = f'"schema":{RECORD_SCHEMA},'.encode()
    paths = sorted(folder.glob("*.json")) if folder.is_dir() else []
    unlike = [path for path in paths if not _has(path, mark)]
    return sum((schema_of(path) or RECORD_SCHEMA) < RECORD_SCHEMA for path in unlike)


def _has(path: Path, mark: bytes) -> bool:
    try:
        return mark in read_regular(path, most=LARGEST)
    except UsageError:
        # No record of any layout: whoever reads the folder names it.
        return True


def row_key(unit: Unit) -> str:
    """What the records of one row share in an exam: ``Unit.row``, or of a baseline, whose row is its name, its backbone beside it."""
    return unit.row if unit.method.baseline is None else f"{unit.row}@{unit.method.backbone}"


def read_all(folder: Path) -> Iterator[tuple[Path, Record | RecordError]]:
    """Every file called ``.json`` in a folder, in order of name, with its record or why it holds none."""
    if folder.is_dir():
        for path in sorted(folder.glob("*.json")):
            try:
                yield path, load(path)
            except RecordError as error:
                yield path, error
