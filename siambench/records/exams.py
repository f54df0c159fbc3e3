"""The exams whose records lie beside those of one: what a table and `status` name, and do not count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from siambench.spec import Exam, Method
from siambench.tracks.exam import departures, differences
from siambench.tracks.rules import Track


@dataclass(frozen=True)
class OtherExam:
    """An exam whose records lie beside those of the one that is shown.

    Args:
        exam: which.
        methods: names of its rows that are no baselines, sorted.
        units: how many records it has.
        differs: the dotted keys in which it differs from the one that is shown, sorted.
    """

    exam: Exam
    methods: tuple[str, ...]
    units: int
    differs: tuple[str, ...]

    @property
    def called(self) -> str:
        """``another exam, 0123abcd (triplet), which differs in data``."""
        differs = f", which differs in {', '.join(self.differs)}" if self.differs else ""
        return f"another exam, {self.exam.short} ({', '.join(self.methods) or 'baselines alone'}){differs}"

    @property
    def told(self) -> str:
        """In one sentence, below a table."""
        units = "1 unit" if self.units == 1 else f"{self.units} units"
        return f"not shown: {units} of {self.called}; --exam {self.exam.short} shows it"

    def to_json(self) -> dict[str, Any]:
        """As it stands in the documents of tables and of ``status``."""
        return {"id": self.exam.id, "methods": list(self.methods), "units": self.units, "differs": list(self.differs)}


def other_exams(met: Iterable[tuple[Exam, Method]], shown: Exam | None, track: Track | None = None) -> tuple[OtherExam, ...]:
    """The exams other than the one that is shown, those with most records first.

    Args:
        met: exam and method of each record.
        shown: the one; None: none is, and they are compared with the track's rules.
        track: the rules; None: not known.
    """
    exams: dict[str, Exam] = {}
    sizes: Counter[str] = Counter()
    methods: dict[str, set[str]] = {}
    for exam, method in met:
        if shown is None or exam.id != shown.id:
            exams[exam.id] = exam
            sizes[exam.id] += 1
            methods.setdefault(exam.id, set()).update({method.name} if method.baseline is None else ())
    found = []
    for name, number in sizes.most_common():
        differs = differences(shown, exams[name]) if shown is not None else departures(track, exams[name]) if track is not None else []
        found.append(OtherExam(exams[name], tuple(sorted(methods[name])), number, tuple(differs)))
    return tuple(found)
