"""The Python interface: what the command line does, returned as data frames."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from siambench.board import shelf, table

if TYPE_CHECKING:
    import pandas as pd

    from siambench.engine import Engine
    from siambench.spec import Value

DEFAULT_OUT = "siambench-runs"


def run(
    comparison: str | Path | None = None,
    *,
    track: str | None = None,
    loss: str | Sequence[str] = (),
    miner: str | Sequence[str] = (),
    backbone: str | None = None,
    dataset: str | None = None,
    feed: Literal["classes", "pairs"] = "classes",
    trials: int | None = None,
    seeds: int | None = None,
    changes: Mapping[str, Value] | None = None,
    jobs: int | None = None,
    out: str | Path = DEFAULT_OUT,
) -> pd.DataFrame:
    """Tune, train and evaluate methods, and return their rows among the shipped ones.

    Args:
        comparison: a TOML file, or the name of a shipped one; without it the other arguments say what to run.
        track: name of a shipped track, or path of a track's TOML file or folder.
        loss: one or more losses; ``./file.py:Name`` is a class in a file.
        miner: one or more miners; with several losses they form a grid.
        backbone: replaces the track's.
        dataset: a data set without a track; ``folder:PATH`` is a folder of your own.
        feed: m-per-class batches, or labelled pairs.
        trials: tuning budget per method; None: the track's.
        seeds: final models per method; None: the track's.
        changes: what ``--set`` takes: parameters to fix (``loss.margin``) and rules to change (``training.epochs``).
        jobs: worker processes; None: one per GPU, or per core.
        out: folder of the records; a unit that has one there is not run again.

    Returns:
        One row per method, best first, anchors last; see `leaderboard`.

    Raises:
        SiambenchError: as the command line, which turns them into exit codes: `UnfinishedError` if a unit was lost,
            `InterruptedRunError` after Ctrl-C; finished units are kept in either case.
    """
    from siambench import benchmark
    from siambench.catalogue import Catalogue
    from siambench.errors import InterruptedRunError, UnfinishedError
    from siambench.request import Request, prepare

    request = Request(
        comparison=None if comparison is None else str(comparison),
        track=track,
        losses=_names(loss),
        miners=_names(miner),
        backbone=backbone,
        dataset=dataset,
        feed=feed,
        trials=trials,
        seeds=seeds,
        changes=changes or {},
    )
    outcome = benchmark.run(prepare(request, Catalogue.load()), out=Path(out), engine=local_engine(jobs))
    if outcome.interrupted:
        raise InterruptedRunError("interrupted; the same call goes on from here")
    if outcome.units["lost"] or outcome.unfinished:
        raise UnfinishedError(f"{outcome.units['lost']} units were lost; the same call tries them again")
    assert outcome.table is not None
    return frame(outcome.table)


PRELOAD = (
    "siambench.benchmark",
    "siambench.unit",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    # What torch and scipy would otherwise import in every worker, at the first step of an optimiser.
    "torch._dynamo",
    "scipy.special",
)


def local_engine(jobs: int | None, time_limit: float | None = None) -> Callable[[], Engine]:
    """A maker of the local engine with so many workers; None: one per GPU, or per core."""

    def make() -> Engine:
        from siambench.benchmark import execute
        from siambench.engine.local import LocalEngine, automatic_jobs

        return LocalEngine(
            execute,
            jobs=jobs or automatic_jobs(),
            preload=PRELOAD,
            time_limit=time_limit,
        )

    return make


def leaderboard(track: str = "glyphs", *, more: Sequence[str | Path] = ()) -> pd.DataFrame:
    """The table of a track.

    Args:
        track: name of a shipped track, or path of a track's folder.
        more: output folders of `run` whose rows join, replacing their shipped twins.

    Returns:
        One row per method, best first, anchors last, with the columns ``method``, ``loss``, ``miner``, ``feed``,
        ``backbone``, ``rank_low``, ``rank_high``, per metric ``M``, ``M_ci95`` (half-width of the 95 % interval) and
        ``M_n``, then ``trials``, ``seeds``, ``dimension``, ``test_opened``, ``flags``, ``params``, ``shipped``, ``reason``.

    Raises:
        UnknownNameError: if there is no such track.
    """
    return frame(shelf.leaderboard(track, [Path(folder) for folder in more])[0])


def frame(board: table.Table) -> pd.DataFrame:
    """A table as a data frame."""
    import pandas as pd

    rows = []
    for line in table.to_json(board)["rows"]:
        low, high = line["rank"] or (None, None)
        flat = {key: line[key] for key in ("method", "loss", "miner", "feed", "backbone")} | {"rank_low": low, "rank_high": high}
        for metric in board.track.metrics.report:
            score = line["scores"].get(metric, {})
            flat |= {metric: score.get("mean"), f"{metric}_ci95": score.get("ci95"), f"{metric}_n": score.get("n", 0)}
        keys = ("trials", "seeds", "dimension", "test_opened", "flags", "params", "shipped", "reason")
        rows.append(flat | {key: line[key] for key in keys})
    found = pd.DataFrame(rows)
    return found.astype({"rank_low": "Int64", "rank_high": "Int64"}) if len(found) else found


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
