"""The Python interface: what the command line does, returned as data frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siambench.board import files as shelf
from siambench.board import table

if TYPE_CHECKING:
    import pandas as pd

    from siambench.board.across import Across
    from siambench.execution.engines.choice import Choice
    from siambench.interfaces import Engine
    from siambench.spec import Value
    from siambench.studies.request import Prepared

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
    engine: str = "local",
    address: str | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
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
        jobs: units at once; None: one per GPU, or per core, or on a cluster one per worker.
        engine: where units run: the name of an installed engine.
        address: of a cluster, for an engine that has one.
        time_limit: seconds after which a unit is ended; ended twice, it is lost.
        memory_limit: megabytes of resident memory of its worker above which a unit is ended; ended twice, it is lost.
        out: folder of the records; a unit that has one there is not run again.

    Returns:
        One row per method, best first, anchors last; see `leaderboard`.

    Raises:
        SiambenchError: as the command line, which turns them into exit codes: `UnfinishedError` if a unit was lost,
            `InterruptedRunError` after Ctrl-C; finished units are kept in either case.
    """
    from siambench.components.catalogue import Catalogue
    from siambench.errors import InterruptedRunError, UnfinishedError
    from siambench.execution import coordinator as benchmark
    from siambench.execution.engines.choice import choose
    from siambench.studies.request import Request, prepare

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
    catalogue = Catalogue.load()
    options = {"jobs": jobs, "address": address, "time_limit": time_limit, "memory_limit": memory_limit}
    chosen = choose(catalogue, engine, options)
    prepared = prepare(request, catalogue)
    outcome = benchmark.run(prepared, out=Path(out), engine=engine_for(chosen, prepared))
    if outcome.interrupted:
        raise InterruptedRunError("interrupted; the same call goes on from here")
    if outcome.units["lost"] or outcome.unfinished:
        raise UnfinishedError(f"{outcome.units['lost']} units were lost; the same call tries them again")
    assert outcome.table is not None
    return frame(outcome.table)


PRELOAD = (
    "siambench.execution.coordinator",
    "siambench.execution.worker",
    "pytorch_metric_learning.losses",
    "pytorch_metric_learning.miners",
    # What torch and scipy would otherwise import in every worker, at the first step of an optimiser.
    "torch._dynamo",
    "scipy.special",
)


def engine_for(chosen: Choice, prepared: Prepared) -> Callable[[], Engine]:
    """A maker of the chosen engine, whose workers can be asked whether they fit what is to run."""

    def make() -> Engine:
        from siambench.execution.coordinator import execute, unfit
        from siambench.spec import Context

        units = [study.template for study in prepared.studies] + list(prepared.anchors[:1])
        fits = partial(unfit, [unit.to_json() for unit in units], Context(local=prepared.local))
        return chosen.start(function=execute, preload=PRELOAD, fits=fits)

    return make


def local_engine(jobs: int | None) -> Callable[[], Engine]:
    """A maker of the local engine with so many workers; None: one per GPU, or per core."""

    def make() -> Engine:
        from siambench.execution.coordinator import execute
        from siambench.execution.engines.local import LocalEngine, automatic_jobs

        return LocalEngine(execute, jobs=jobs or automatic_jobs(), preload=PRELOAD)

    return make


def evaluate(
    embeddings: Any,
    labels: Any,
    *,
    gallery: Any = None,
    gallery_labels: Any = None,
    metrics: str | Sequence[str] | None = None,
    distance: Literal["cosine", "euclidean"] = "cosine",
    seed: int = 0,
) -> dict[str, float]:
    """Score embeddings with the metrics of the leaderboards.

    Args:
        embeddings: array or tensor [Q, D], any real type.
        labels: whole numbers or text, [Q].
        gallery: what queries are compared with, [R, D]; None: each other, no item with itself.
        gallery_labels: [R].
        metrics: names as in ``siambench list metrics``, families with their number (``"recall@10"``); None: the usual ones.
        distance: what near means.
        seed: of what metrics draw: verification pairs, episodes, starts of k-means.

    Returns:
        Scores by name, NaN where a metric does not apply; beside them what metrics have to say in numbers, such as
        ``verification_accuracy_se`` and ``queries_without_positive``, where it is not 0.

    Raises:
        UsageError: if arrays do not fit, are not finite, or a metric does not exist.
    """
    from siambench.evaluation.arrays import Arrays, evaluate_arrays

    arrays = Arrays(embeddings=embeddings, labels=labels, gallery=gallery, gallery_labels=gallery_labels)
    found = evaluate_arrays(arrays, metrics=None if metrics is None else _names(metrics), distance=distance, seed=seed)
    scores = {name: math.nan if value is None else value for name, value in found.scores.items()}
    return scores | {name: float(value) for name, value in found.notes.items() if isinstance(value, int | float)}


def leaderboard(track: str | Sequence[str] = "glyphs", *, more: Sequence[str | Path] = ()) -> pd.DataFrame:
    """The table of a track, or the mean ranks over several.

    Args:
        track: name of a shipped track, or path of a track's folder; several give the mean ranks over them.
        more: output folders of `run` whose rows join, replacing their shipped twins.

    Returns:
        One row per method, best first, anchors last, with the columns ``method``, ``loss``, ``miner``, ``feed``,
        ``backbone``, ``rank_low``, ``rank_high``, per metric ``M``, ``M_ci95`` (half-width of the 95 % interval over seeds)
        and ``M_n``, of the primary metric also ``M_classes_low`` and ``M_classes_high`` (the 95 % interval over test
        classes), then ``trials``, ``seeds``, ``dimension``, ``test_opened``, ``flags``, ``params``, ``shipped``, ``reason``.
        Of several tracks: ``method``, ``mean_rank``, ``mean_rank_ci95``, per track ``T_rank`` and ``T`` (its primary
        metric), and ``reason`` for those left out, which come last.

    Raises:
        UnknownNameError: if there is no such track.
        UsageError: if a track comes twice, or closed-set tracks stand beside class-disjoint ones.
    """
    folders = [Path(folder) for folder in more]
    names = _names(track)
    return frame(shelf.leaderboard(names[0], folders)[0]) if len(names) == 1 else _ranks_frame(shelf.leaderboards(names, folders)[0])


def frame(board: table.Table) -> pd.DataFrame:
    """A table as a data frame."""
    import pandas as pd

    rows = []
    for line in table.to_json(board)["rows"]:
        low, high = line["rank"] or (None, None)
        flat = {key: line[key] for key in ("method", "loss", "miner", "feed", "backbone")} | {"rank_low": low, "rank_high": high}
        for metric in board.metrics:
            score = line["scores"].get(metric, {})
            flat |= {metric: score.get("mean"), f"{metric}_ci95": score.get("ci95"), f"{metric}_n": score.get("n", 0)}
            if metric == board.track.metrics.primary:
                low, high = score.get("classes95") or (None, None)
                flat |= {f"{metric}_classes_low": low, f"{metric}_classes_high": high}
        keys = ("trials", "seeds", "dimension", "test_opened", "flags", "params", "shipped", "reason")
        rows.append(flat | {key: line[key] for key in keys})
    found = pd.DataFrame(rows)
    return found.astype({"rank_low": "Int64", "rank_high": "Int64"}) if len(found) else found


def _ranks_frame(found: Across) -> pd.DataFrame:
    import pandas as pd

    rows = []
    for standing in found.standings:
        row: dict[str, object] = {"method": standing.method, "mean_rank": standing.mean_rank, "mean_rank_ci95": standing.ci95}
        for own, rank, board in zip(standing.rows, standing.ranks, found.tables, strict=True):
            row |= {f"{board.track.name}_rank": rank, board.track.name: own.scores[board.track.metrics.primary].mean}
        rows.append({**row, "reason": None})
    return pd.DataFrame([*rows, *({"method": name, "reason": reason} for name, reason in found.left_out.items())])


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
