"""The Python interface: what the command line does, returned as data frames."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from siambench.board import across, files, view
from siambench.board.files import DEFAULT_OUT
from siambench.errors import UsageError

if TYPE_CHECKING:
    import pandas as pd

    from siambench.board.table import Table
    from siambench.interfaces import Diagnosis
    from siambench.spaces import Value


def run(
    comparison: str | Path | None = None,
    *,
    track: str | None = None,
    loss: str | Sequence[str] = (),
    miner: str | Sequence[str] = (),
    backbone: str | None = None,
    dataset: str | None = None,
    feed: str | None = None,
    studies: int | Literal["all"] | None = None,
    trials: int | None = None,
    repetitions: int | None = None,
    seeds: int | None = None,
    space: str | Sequence[str] | None = None,
    changes: Mapping[str, Value] | None = None,
    jobs: int | None = None,
    engine: str = "local",
    engine_options: Mapping[str, Value] | None = None,
    address: str | None = None,
    time_limit: float | None = None,
    memory_limit: float | None = None,
    observers: Sequence[str] = (),
    keep_models: bool = False,
    init: str | Path | None = None,
    out: str | Path = DEFAULT_OUT,
) -> pd.DataFrame:
    """Tune, train and evaluate methods, and return their rows among the shipped ones.

    Args:
        comparison: a TOML file, or the name of one that ships or comes with a plugin; without it the other arguments say what to run.
        track: name of a track that ships or comes with a plugin, or path of a track's TOML file or folder.
        loss: one or more losses; ``./file.py:Name`` is a class in a file.
        miner: one or more miners; with several losses they form a grid.
        backbone: replaces the track's.
        dataset: a data set without a track; ``folder:PATH``, ``csv:PATH``, ``npz:PATH``, ``safetensors:PATH``, ``sides:PATH`` are yours.
        feed: ``"classes"``, ``"pairs"``, ``"triplets"`` or ``"views"``: m-per-class batches, labelled pairs, triplets, or two views of each
            item; ``"pairs=FILE"`` and ``"triplets=FILE"`` are fed the rows that a file lists; None: the first that the track admits.
        studies: independent tunings of each method; ``"all"``: the track's number; None: one.
        trials: of each study; None: the track's.
        repetitions: final models of each study; None: the track's.
        seeds: the older word for ``repetitions``, read for one more version.
        space: the name of another space that the losses bring, such as ``"reality-check"``, and ranges of parameters within their space,
            such as ``"loss.margin=0.05..0.5"``: what ``--space`` takes.
        changes: what ``--set`` takes: parameters to fix (``loss.margin``) and rules to change (``training.epochs``).
        jobs: units at once; None: one per GPU, or per core, or on a cluster one per worker.
        engine: where units run: the name of an installed engine.
        engine_options: options of the engine's own.
        address: of a cluster, for an engine that has one.
        time_limit: seconds after which a unit is ended; ended twice, it is lost.
        memory_limit: megabytes of resident memory of its worker above which a unit is ended; ended twice, it is lost.
        observers: ``NAME`` or ``NAME:argument`` of each observer that is told what happens to the units.
        init: the file of a model of another data set's exam, that ``siambench model`` wrote, from which training starts.
        keep_models: whether final units keep their models in that folder, from which ``siambench model`` hands them over.
        out: folder of the records; a unit that has one there is not run again.

    Returns:
        One row per method, best first, baselines last; see `leaderboard`.

    Raises:
        SiambenchError: as the command line, which turns them into exit codes: `UnfinishedError` if a unit was lost,
            `InterruptedRunError` after Ctrl-C; finished units are kept in either case.
    """
    from siambench.components.catalogue import Catalogue
    from siambench.errors import InterruptedRunError, UnfinishedError
    from siambench.execution import coordinator
    from siambench.execution.calls import engine_for
    from siambench.execution.engines.choice import choose
    from siambench.studies.request import Request, prepare, repetitions_of

    request = Request(
        comparison=None if comparison is None else str(comparison),
        track=track,
        losses=_names(loss),
        miners=_names(miner),
        backbone=backbone,
        dataset=dataset,
        feed=feed,
        studies=studies,
        trials=trials,
        repetitions=repetitions_of(repetitions, seeds, said="seeds"),
        space=space,
        changes=changes or {},
        observers=_names(observers),
        keep_models=keep_models,
        init=None if init is None else str(init),
    )
    catalogue = Catalogue.load()
    options = {"jobs": jobs, "address": address, "time_limit": time_limit, "memory_limit": memory_limit}
    own = [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in (engine_options or {}).items()]
    chosen = choose(catalogue, engine, options, own)
    prepared = prepare(request, catalogue)
    outcome = coordinator.run(prepared, out=Path(out), engine=engine_for(chosen, prepared))
    if outcome.interrupted:
        raise InterruptedRunError("interrupted; the same call goes on from here")
    if outcome.units["lost"] or outcome.unfinished:
        raise UnfinishedError(f"{outcome.units['lost']} units were lost; the same call tries them again")
    assert outcome.table is not None
    return frame(outcome.table)


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


def leaderboard(track: str | Sequence[str] = "glyphs", *, more: Sequence[str | Path] = (), exam: str | None = None) -> pd.DataFrame:
    """The table of a track, or the mean ranks over several.

    Args:
        track: name of a track that ships or comes with a plugin, or path of a track's folder; several give the mean ranks over them.
        more: output folders of `run` whose rows join, replacing their shipped twins.
        exam: another exam of one track whose records are there, by the first digits of its id; None: that which follows its rules.

    Returns:
        One row per method, best first, baselines last, with the flat columns of ``table.csv``: those of `siambench.board.columns`,
        ``rank`` as ``rank_low`` and ``rank_high``, a metric M as ``M``, ``M_ci95`` (half-width of the 95 % interval over seeds) and
        ``M_n``, the primary one also as ``M_classes_low`` and ``M_classes_high`` (the 95 % interval over test classes).
        Of several tracks: ``method``, ``mean_rank``, ``mean_rank_ci95``, per track ``T_rank`` and ``T`` (its primary metric),
        ``flags``, and ``reason`` for those left out, which come last. The frame of one track has ``attrs["exam"]``, the id of its exam,
        and ``attrs["other_exams"]``, what else lies there.

    Raises:
        UnknownNameError: if there is no such track, or no record of that exam.
        UsageError: if a track comes twice, or closed-set tracks stand beside class-disjoint ones.
    """
    import pandas as pd

    folders = [Path(folder) for folder in more]
    names = _names(track)
    if len(names) == 1:
        return frame(files.leaderboard(names[0], folders, exam=exam)[0])
    if exam is not None:
        raise UsageError(f"an exam is of one track, got {len(names)}: {', '.join(names)}")
    return pd.DataFrame(across.flat_rows(files.leaderboards(names, folders)[0]))


def plot(
    kind: str,
    track: str | Path = "glyphs",
    *,
    out: str | Path,
    rows: str | Sequence[str] = (),
    more: Sequence[str | Path] = (),
    exam: str | None = None,
    width: int = 720,
    theme: Literal["light", "dark"] = "light",
    method: Literal["pca", "tsne", "umap"] = "pca",
    distance: Literal["cosine", "euclidean"] = "cosine",
    images: str | Path | None = None,
) -> Path:
    """Draw a figure of a track's table, of one record, or of a file of embeddings, into a file.

    Args:
        kind: what is drawn: a name that ``siambench plot --list`` tells; of a file of embeddings ``map``.
        track: name of a track that ships or comes with a plugin, path of a track's folder, of the file of a record in such a folder, or
            of a ``.npz`` or ``.safetensors`` file with the arrays ``embeddings`` and ``labels``.
        out: the file; its suffix, ``.png``, ``.svg`` or ``.pdf``, says what it is.
        rows: names of the rows to show; none: all.
        more: output folders of `run` whose rows join.
        exam: another exam of the track whose records are there, by the first digits of its id; None: that which follows its rules.
        width: in pixels, of which 96 are an inch, 240 to 4,000.
        theme: the colours.
        method: of a file of embeddings, how they are laid flat.
        distance: of a file of embeddings, what near means.
        images: of a file of embeddings, the folder in which their ``names`` are image files; None: its array ``images``, if it has one.

    Returns:
        The path of the file, which holds what must be known of the figure as its description. Letters that no font here has are boxes in
        it, of which a `UserWarning` tells.

    Raises:
        UnknownNameError: if there is no such figure, track or row.
        NothingToDrawError: if the records hold no data for it.
        UsageError: if the file cannot be written, or is there and was not written by this.
    """
    from siambench.board.pictures.files import EMBEDDINGS, Asked, Drawing, check_out, kind_of, picture_of, write

    kind_of(kind)
    path = Path(out)
    check_out(path)
    folders = tuple(Path(folder) for folder in more)
    if Path(track).suffix.lower() in EMBEDDINGS:
        from siambench.evaluation.maps import map_of_file

        where = None if images is None else Path(images)
        picture = map_of_file(kind, Path(track), method=method, distance=distance, images=where)
    else:
        picture, _ = picture_of(Asked(kind=kind, target=str(track), rows=_names(rows), more=folders, exam=exam))
    missing = write(picture, path, Drawing(width=width, theme=theme))
    if missing:
        warnings.warn(missing, stacklevel=2)
    return path


def diagnose(model: Any, loss: Any, batches: Any, optimiser: Any = None, *, seconds: float = 60.0, seed: int = 0) -> Diagnosis:
    """Say why one's own model does not train, or that it does.

    All is done on copies, on the processor: of what is given nothing changes, be it weights, buffers, modes, gradients or the state of a
    generator.

    Args:
        model: from items to embeddings [B, D]. One whose ``forward`` takes two or three items is called once and returns as many
            embeddings; one that takes a single item is called on each.
        loss: called ``loss(e1, e2, same)``, ``loss(anchor, positive, negative)`` or ``loss(embeddings, labels)``.
        batches: a batch ``(x1, x2, same)``, ``(anchor, positive, negative)`` or ``(x, labels)``, or a loader of such batches.
        optimiser: with which the model is trained; None: Adam, at its own rate, over all parameters of model and loss.
        seconds: how long it may take.
        seed: of what is drawn.

    Returns:
        The verdict, ``ok`` or what is wrong, and the findings, those that are most likely to matter first.

    Raises:
        UsageError: if the objects cannot be looked at: they cannot be copied, raise, or give something else than is expected.
    """
    from siambench.diagnosis.objects import diagnose as of_objects

    return of_objects(model, loss, batches, optimiser, seconds=seconds, seed=seed)


def frame(table: Table) -> pd.DataFrame:
    """A table as a data frame."""
    import pandas as pd

    found = pd.DataFrame(view.flat_rows(table))
    whole = [name for name in ("rank_low", "rank_high", "group", "trials", "seeds", "dimension") if name in found]
    found = found.astype(dict.fromkeys(whole, "Int64")) if len(found) else found
    found.attrs |= {"exam": None if table.exam is None else table.exam.id, "other_exams": [other.to_json() for other in table.others]}
    return found


def _names(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)
