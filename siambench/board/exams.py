"""Which of the exams that records were run for a table is of; the others are named beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from siambench.errors import UnknownNameError, UsageError
from siambench.records.record import Record
from siambench.spec import Exam
from siambench.tracks.exam import departures, differences
from siambench.tracks.rules import Track

_LEAST_DIGITS = 4


@dataclass(frozen=True)
class Other:
    """An exam whose records lie beside those of a table.

    Args:
        exam: which.
        methods: names of its rows that are no baselines, sorted.
        units: how many records it has.
        differs: the dotted keys in which it differs from the table's, sorted.
    """

    exam: Exam
    methods: tuple[str, ...]
    units: int
    differs: tuple[str, ...]

    @property
    def told(self) -> str:
        """In one sentence."""
        rows = ", ".join(self.methods) or "baselines alone"
        units = "1 unit" if self.units == 1 else f"{self.units} units"
        differs = f", which differs in {', '.join(self.differs)}" if self.differs else ""
        return f"not shown: {units} of another exam, {self.exam.short} ({rows}){differs}; --exam {self.exam.short} shows it"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the documents of tables and of ``status``."""
        return {"id": self.exam.id, "methods": list(self.methods), "units": self.units, "differs": list(self.differs)}


@dataclass(frozen=True)
class Chosen:
    """The exam of a table.

    Args:
        exam: which; None without records.
        records: of it, each once.
        others: the other exams that have records, those with most first.
    """

    exam: Exam | None
    records: tuple[Record, ...]
    others: tuple[Other, ...]


def choose(track: Track, own: Sequence[Record], more: Sequence[Record] = (), *, asked: str | None = None) -> Chosen:
    """The exam that is asked for, else that which follows the track's rules: the one with most records of its own folder, then of all.

    Args:
        track: the rules.
        own: records of its folder.
        more: of further folders.
        asked: the id of an exam, or its first digits.

    Raises:
        UnknownNameError: if no record is of the exam that is asked for.
        UsageError: if several are, or it is no id.
    """
    # A baseline is the same unit in every exam that has the same model and data, so a record is told by both.
    records = list({(record.id, record.exam.id): record for record in (*more, *own)}.values())
    exams = {record.exam.id: record.exam for record in records}
    sizes, at_home = Counter(record.exam.id for record in records), Counter(record.exam.id for record in own)
    newest = {name: max(record.started for record in records if record.exam.id == name) for name in exams}
    if asked is not None:
        chosen: str | None = _named(asked, exams)
    else:
        following = [name for name, exam in exams.items() if not departures(track, exam)]
        chosen = max(following, key=lambda name: (at_home[name], sizes[name], newest[name], name), default=None)
    shown = None if chosen is None else exams[chosen]
    others = [name for name, _ in sizes.most_common() if name != chosen]
    return Chosen(
        shown,
        tuple(record for record in records if record.exam.id == chosen),
        tuple(_other(track, shown, exams[name], records) for name in others),
    )


def others_of(exam: Exam, records: Iterable[Record]) -> tuple[Other, ...]:
    """The other exams among some records, those with most first."""
    kept = [record for record in records if record.exam.id != exam.id]
    exams = {record.exam.id: record.exam for record in kept}
    return tuple(_other(None, exam, exams[name], kept) for name, _ in Counter(record.exam.id for record in kept).most_common())


def _other(track: Track | None, shown: Exam | None, exam: Exam, records: Iterable[Record]) -> Other:
    own = [record for record in records if record.exam.id == exam.id]
    methods = sorted({record.unit.method.name for record in own if record.unit.method.baseline is None})
    differs = differences(shown, exam) if shown is not None else departures(track, exam) if track is not None else []
    return Other(exam, tuple(methods), len(own), tuple(differs))


def _named(asked: str, exams: Iterable[str]) -> str:
    if len(asked) < _LEAST_DIGITS or not set(asked.lower()) <= set("0123456789abcdef"):
        raise UsageError(f"--exam takes the first {_LEAST_DIGITS} or more digits of an exam's id, got {asked!r}")
    found = [name for name in exams if name.startswith(asked.lower())]
    if not found:
        raise UnknownNameError("exam", asked, [name[:8] for name in exams])
    if len(found) > 1:
        raise UsageError(f"--exam {asked} may be {' or '.join(name[:12] for name in sorted(found))}: give more digits")
    return found[0]
