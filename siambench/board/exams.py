"""Which of the exams that records were run for a table is of; the others are named beside it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from siambench.errors import UnknownNameError, UsageError
from siambench.records.exams import OtherExam, other_exams
from siambench.records.record import Record
from siambench.spec import Exam
from siambench.tracks.exam import departures
from siambench.tracks.rules import Track

_LEAST_DIGITS = 4


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
    others: tuple[OtherExam, ...]


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
    return Chosen(
        shown,
        tuple(record for record in records if record.exam.id == chosen),
        other_exams(((record.exam, record.unit.method) for record in records), shown, track),
    )


def _named(asked: str, exams: Iterable[str]) -> str:
    if len(asked) < _LEAST_DIGITS or not set(asked.lower()) <= set("0123456789abcdef"):
        raise UsageError(f"--exam takes the first {_LEAST_DIGITS} or more digits of an exam's id, got {asked!r}")
    found = [name for name in exams if name.startswith(asked.lower())]
    if not found:
        raise UnknownNameError("exam", asked, [name[:8] for name in exams])
    if len(found) > 1:
        raise UsageError(f"--exam {asked} may be {' or '.join(name[:12] for name in sorted(found))}: give more digits")
    return found[0]
