"""What marks a row, of its budget, its tuning and its units; what each flag says stands in `siambench.board.captions`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siambench.board.tuning import Tuning
from siambench.spec import FIXED_BASELINES, TRAINING_REVISION, Method, Unit
from siambench.tracks.rules import Track


def budget_flags(track: Track, method: Method, tunings: Sequence[Tuning], runs: Mapping[int, int]) -> tuple[set[str], bool]:
    """What marks a row that had more or less than the track's budget, and whether each of its studies had exactly that.

    Args:
        track: the rules.
        method: of the row.
        tunings: of the studies that count.
        runs: study → number of final models.
    """
    budget = track.budget
    if method.baseline is not None:
        # What nothing random can move is run once; how often the untrained network is, the track's budget says.
        expected = 1 if method.baseline in FIXED_BASELINES else budget.studies * budget.repetitions
        return ({"short-budget"} if sum(runs.values()) < expected else set()), True
    trials = [tuning.counted - tuning.budget for tuning in tunings]
    repetitions = [number - budget.repetitions for number in runs.values()] or [-budget.repetitions]
    excess = [*trials, *repetitions, len(runs) - budget.studies]
    found = {flag for flag, is_there in (("short-budget", min(excess) < 0), ("long-budget", max(excess) > 0)) if is_there}
    return found, not any((*trials, *repetitions))


def tuning_flags(tunings: Sequence[Tuning]) -> set[str]:
    """What marks any of the studies; of failed trials the number in all."""
    failed = sum(tuning.failed for tuning in tunings)
    every = {flag for tuning in tunings for flag in tuning.flags}
    kept = {flag for flag in every if flag.partition(":")[0] not in ("short-budget", "long-budget", "failed-trials")}
    return kept | ({f"failed-trials:{failed}"} if failed else set())


def unit_flags(unit: Unit, *, is_baseline: bool) -> set[str]:
    """What marks a row whose component is a file, or which older code made; of a baseline only the latter counts as nothing."""
    found = {"local"} if unit.is_local and not is_baseline else set()
    found |= {"init"} if unit.method.init is not None else set()
    return found | ({f"revision-{unit.revision}"} if unit.revision != TRAINING_REVISION and not is_baseline else set())
