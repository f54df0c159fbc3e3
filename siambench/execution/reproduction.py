"""A row of a leaderboard run again: its final units, from their records alone, and the results compared."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from siambench.board import files
from siambench.board.asked import rows_asked
from siambench.board.rows import finals_of
from siambench.board.tuning import tunings_of
from siambench.errors import UnfinishedError, UsageError
from siambench.identity import canonical, to_json
from siambench.interfaces import Lost
from siambench.records.needed import needed
from siambench.records.record import MACHINE, Record
from siambench.spec import Context
from siambench.tracks.rules import Track

if TYPE_CHECKING:
    from siambench.interfaces import Engine
    from siambench.records.unit_figures import UnitFigures

TOLERANCE = 0.005
"""How far a score may lie from the recorded one where versions or machines differ, if its row has no two repetitions to tell."""

ANOTHER_PROCESSOR = 6 * math.sqrt(2)
"""How many times as far it may lie where the record is of another kind of processor: 3 √2 standard deviations instead of half of one.

Sums are rounded otherwise there, and training makes much of little: after some hundred steps the model is as another repetition's would
be, and two repetitions differ by less than that in 99.7 % of cases. (glyphs, supcon, on AVX2 against another processor: 1.1 deviations.)
"""

UNKNOWN = "not recorded"


@dataclass(frozen=True)
class Rerun:
    """One final unit run again.

    Args:
        study: which.
        repetition: which of its final models.
        state: ``"identical"``: the whole result, bit for bit; ``"within tolerance"``: other versions or another machine, and no
            score further away than is allowed; ``"different"``.
        scores: metric → (recorded, now), of those that are not identical.
        elsewhere: what differs where no score does, e.g. ``("curve",)``.
        surroundings: library, component or fact of the machine → (recorded, now), of those that differ.
        primary: (recorded, now) of the track's primary metric.
        now: what it left now.
        figures: what pictures of it are drawn from; None of a different result, and where they could not be taken.
        unfigured: why they could not.
    """

    study: int
    repetition: int
    state: Literal["identical", "within tolerance", "different"]
    scores: Mapping[str, tuple[float | None, float | None]]
    elsewhere: tuple[str, ...]
    surroundings: Mapping[str, tuple[str, str]]
    primary: tuple[float | None, float | None]
    now: Record
    figures: UnitFigures | None = field(default=None, compare=False, repr=False)
    unfigured: str | None = field(default=None, compare=False, repr=False)


def final_records(name: str, row: str, directories: Sequence[Path] = (), *, exam: str | None = None) -> tuple[files.Found, list[Record]]:
    """The records of the final units behind a row, by study and repetition, and where they were looked for.

    Args:
        name: of a shipped track, or the path of a track's folder.
        row: the name of the row, those of baselines included, or the first digits of its key.
        directories: output folders of ``run`` that may hold the row; what is there goes before the track's own.
        exam: another than that which follows the track's rules, by the first digits of its id.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if the row has no final units yet.
    """
    found = files.found_in(name, directories, exam=exam)
    records = found.chosen.records
    elsewhere = files.rows_by_name(record for record in records if record.id not in found.own)
    rows = files.rows_by_name(records) | elsewhere if directories else files.rows_by_name(records)
    members = rows_asked(rows, row, what=f"row of {found.track.name}")
    finals = max((_selected(found.track, of_row) for of_row in members), key=len)
    if not finals:
        raise UsageError(f"{row} has no final units yet: there is nothing to run again")
    return found, finals


def _selected(track: Track, members: list[Record]) -> list[Record]:
    is_baseline = members[0].unit.method.baseline is not None
    return finals_of(track, members, None if is_baseline else tunings_of(members, budget=track.budget.trials))


def rerun(
    records: Sequence[Record],
    primary: str,
    engine: Callable[[], Engine],
    *,
    where: Mapping[str, str],
    openings: Path,
    allowed: Mapping[str, float],
    widened: bool = True,
    models: Path | None = None,
) -> Iterator[Rerun]:
    """Run final units again, from their records alone, and compare; each as it ends.

    Args:
        records: of the units.
        primary: the metric that is shown.
        engine: makes the engine.
        where: paths behind what stands for files and folders (``mine.py:MyLoss``, ``folder:birds``, ``pairs``, ``feed.1a2b3c4d``,
            ``model.options.weights``).
        openings: the log that each opening of the test part is appended to; the new records are compared and forgotten.
        allowed: see `compared`.
        widened: see `compared`.
        models: a folder in which the units keep their models; None: they keep none.

    Raises:
        UsageError: if a unit needs a file or a folder that ``where`` does not name.
        UnfinishedError: if the environment took a unit.
    """
    _check_local(records, where)
    openings.parent.mkdir(parents=True, exist_ok=True)
    kept = None if models is None else str(models.resolve())
    context = Context(openings=str(openings.resolve()), local=where, exam=records[0].exam, exact=False, models=kept)
    waiting = {record.id: record for record in records}
    workers, finished = engine(), False
    try:
        for key, record in waiting.items():
            workers.submit(key, record.unit, context)
        while waiting:
            for ended in workers.wait(0.2):
                before = waiting.pop(ended.key)
                if isinstance(ended, Lost):
                    raise UnfinishedError(f"{before.unit.label} was lost: {ended.reason}")
                yield compared(before, ended.value, primary, allowed=allowed, widened=widened)
        finished = True
    finally:
        workers.close(now=not finished)


def _check_local(records: Sequence[Record], where: Mapping[str, str]) -> None:
    for record in records:
        for name in needed(record.unit):
            if name not in where:
                called = f" ({record.files[name]})" if name in record.files else ""
                where_is = f"say where it is, --where {name}=PATH"
                raise UsageError(f"the row was made with {name!r}{called}, which is not part of a record: {where_is}")


def spread(records: Sequence[Record]) -> dict[str, float]:
    """Half the standard deviation of each score over a study's recorded repetitions, pooled over studies.

    Nearer than another repetition would usually come. Where every study has one, that over the studies.
    """
    studies = {record.unit.study for record in records}
    found = {}
    for name in {name for record in records for name in record.outcome.scores}:
        groups = [[r.outcome.scores.get(name) for r in records if r.unit.study == study] for study in sorted(studies)]
        known = [[value for value in group if value is not None] for group in groups]
        several = [group for group in known if len(group) > 1] or [[value for group in known for value in group]]
        if len(several[0]) > 1:
            squares = math.fsum(statistics.variance(group) * (len(group) - 1) for group in several)
            found[name] = math.sqrt(squares / sum(len(group) - 1 for group in several)) / 2
    return found


def compared(before: Record, now: Record, primary: str, *, allowed: Mapping[str, float], widened: bool = True) -> Rerun:
    """Compare a record with that of the same unit run again.

    Args:
        before: as recorded.
        now: of the same unit, run here.
        primary: the metric that is shown.
        allowed: metric → how far its score may lie away where versions or machines differ; a metric without: `TOLERANCE`.
        widened: whether it may be `ANOTHER_PROCESSOR` times as far where the record is of another kind of processor.
    """
    old, new = before.outcome, now.outcome
    names = sorted({*old.scores, *new.scores})
    scores = {name: (old.scores.get(name), new.scores.get(name)) for name in names if old.scores.get(name) != new.scores.get(name)}
    if before.former_ids:
        # A metric that an older siambench had no value of may have one since: tar@far asks fewer impostors.
        scores = {name: pair for name, pair in scores.items() if pair[0] is not None}
    elsewhere = _elsewhere(before, now)
    surroundings = _surroundings(before, now)
    reach = ANOTHER_PROCESSOR if widened and "cpu" in surroundings else 1.0
    state: Literal["identical", "within tolerance", "different"] = "different"
    if not scores and not elsewhere:
        state = "identical"
    elif (
        surroundings
        and old.state == new.state == "done"
        and all(_near(*pair, reach * allowed.get(name, TOLERANCE)) for name, pair in scores.items())
    ):
        state = "within tolerance"
    shown = old.scores.get(primary), new.scores.get(primary)
    figures = None if state == "different" else now.figures
    unfigured = now.telemetry.get("figures_error")
    return Rerun(before.unit.study, before.unit.repetition, state, scores, elsewhere, surroundings, shown, now, figures, unfigured)


def _elsewhere(before: Record, now: Record) -> tuple[str, ...]:
    """The keys of the outcomes that differ, scores apart; what an older siambench did not write is not compared."""
    old, new = to_json(before.outcome), to_json(now.outcome)
    older = bool(before.former_ids)
    unknown = {key for key in ("ranges", "directions") if older and not old.get(key)} | ({"over_pairs"} if older else set())
    unknown |= {"class_queries"} if older and old["class_queries"] is None else set()
    return tuple(key for key in sorted({*old, *new} - {"scores"} - unknown) if canonical(old.get(key)) != canonical(new.get(key)))


def _near(one: float | None, other: float | None, allowed: float) -> bool:
    return one is not None and other is not None and abs(one - other) <= allowed


def nearer(surroundings: Mapping[str, tuple[str, str]]) -> str | None:
    """What brings training here nearer to a record of another processor, in a sentence; None where nothing is known to.

    Args:
        surroundings: what differs, by name: (recorded, here).
    """
    recorded, here = surroundings.get("cpu", ("", ""))
    # Where both add in the same order only the last digits of other functions differ: glyphs' npair, whose results lie widely, came within
    # .0002 in MAP@R so, and .07 away without.
    if recorded.endswith(", AVX2") and here.endswith(", AVX512"):
        return "the record's processor has no AVX-512: ONEDNN_MAX_CPU_ISA=AVX2 in front of the command comes nearer to what it computed"
    return None


def _same_code(one: str, other: str) -> bool:
    # Of a component an older layout knows the distribution alone.
    short, long = sorted((one, other), key=len)
    return long.startswith(f"{short}+")


def _surroundings(before: Record, now: Record) -> dict[str, tuple[str, str]]:
    # What a unit was planned with, it was run with; a rerun takes what is installed.
    old, new = before.surroundings, now.surroundings
    told = {key: (old.get(key, UNKNOWN), new[key]) for key in sorted(new) if key in old or key in MACHINE}
    told |= {key: (old[key], "none") for key in MACHINE if key in old and key not in new}
    told = {key: pair for key, pair in told.items() if not _same_code(*pair)}
    return {key: pair for key, pair in told.items() if pair[0] != pair[1]}
