"""Embeddings → scores: what is asked of a model on a part of a data set."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from siambench import metrics
from siambench.clock import Clock
from siambench.components.families import arguments_of
from siambench.errors import DataError, DataMissingError, DivergedError, LostError, MetricError, said
from siambench.evaluation.embedding import embed
from siambench.evaluation.of_model import TWO_ENCODERS, Imagined, OfItems, OfModel
from siambench.evaluation.similar import BySimilarity, Similarity
from siambench.evaluation.view import Evaluated
from siambench.interfaces import Dataset
from siambench.plugin import MetricEntry, call_factory
from siambench.spec import APPROXIMATE, OWN_SIMILARITY, REVERSED, forward_of
from siambench.tracks.parts import Items

if TYPE_CHECKING:
    from siambench.metrics import Distance, Pairs

PER_CLASS_DIGITS = 6
"""Decimals of the per-class scores in a record: finer than one item of a class of any size met so far."""

_IMAGINED_SIZE = 8

_ROUNDING = 1e-9
"""How far a score may lie outside its range, where the last digits of a sum are rounded."""


@dataclass(frozen=True)
class Scores:
    """What an evaluation found.

    Args:
        scores: by metric; None where it does not apply.
        per_class: by metric with a score per query, its mean over each class's queries, in order of the classes;
            None for a class without a query that has a positive.
        class_queries: how many queries of each class have a positive, in order of the classes.
        notes: what a reader must know: queries without a positive, reduced precision, standard errors.
        faults: why a metric that broke or gave no score has none, by metric; the notes say it too.
        jackknife: of a metric over pairs, its score with each class left out, in order of the classes; see `left_out`.
    """

    scores: Mapping[str, float | None]
    per_class: Mapping[str, tuple[float | None, ...]]
    class_queries: tuple[int, ...]
    notes: Mapping[str, float | int | str]
    faults: Mapping[str, str] = field(default_factory=dict)
    jackknife: Mapping[str, tuple[float | None, ...]] = field(default_factory=dict)

    def score_of(self, primary: str) -> float | None:
        """The score that a unit cannot do without.

        Raises:
            MetricError: where the metric broke, or gave what is no score.
        """
        if primary in self.faults:
            raise MetricError(self.faults[primary])
        return self.scores.get(primary)


def evaluate_items(
    model: torch.nn.Module,
    items: Items,
    named: Mapping[str, MetricEntry],
    *,
    seed: int,
    device: torch.device,
    distance: Distance = "cosine",
    pairs: Pairs | Literal["every"] | None = None,
    clock: Clock | None = None,
    jackknifed: str | None = None,
    similarity: tuple[str, Similarity] | None = None,
    features: Items | None = None,
    look: Callable[[Evaluated, Tensor], None] | None = None,
) -> Scores:
    """Score a model on a part of a data set.

    Args:
        model: embeds items as `siambench.data.transforms.prepared` gives them.
        items: the part; with a gallery, only the others are queries.
        named: metric name → entry; a family member such as ``recall@4`` comes under its full name.
        seed: of the verification pairs and all else that metrics draw.
        device: where the model is.
        distance: what near means.
        pairs: verification pairs by position in ``items``; ``"every"``: every pair; None: they are drawn.
        clock: counts the time of embedding as its phase ``embed``.
        jackknifed: the metric that is also scored with each class left out, where it has no score per query; see `left_out`.
        similarity: name and own similarity of the loss that trained the model: metrics of neighbours and pairs have a second score by
            it, called ``own:NAME``.
        features: what the model's ``trunk`` makes of the items, where that is known: its ``head`` alone is then asked for their embeddings.
        look: shown what was scored and the position in ``items`` of each evaluated one, when all scores are there.

    Raises:
        DivergedError: if an embedding is not finite.
    """
    clock = clock or Clock()
    with clock.phase("embed"):
        if features is None:
            embeddings = embed(model, items.read, len(items), form=items.dataset.form, device=device)
        else:
            embeddings = embed(model.get_submodule("head"), features.read, len(items), form=features.dataset.form, device=device)
    # A copy: a metric that wrote into it would change the labels of the next unit.
    labels = torch.from_numpy(items.labels).clone().to(embeddings.device)
    groups = None if items.groups is None else torch.from_numpy(items.groups).to(embeddings.device)
    queries, places = None, torch.arange(len(items))
    if items.is_gallery is not None:
        places = torch.from_numpy(np.argsort(items.is_gallery, kind="stable"))
        order = places.to(embeddings.device)
        embeddings, labels, groups = embeddings[order], labels[order], None if groups is None else groups[order]
        queries = int((~items.is_gallery).sum())
        pairs = pairs if pairs is None or pairs == "every" else _reordered(pairs, order)
    model_asked: OfModel = OfItems(model, items, places, len(items) if queries is None else queries, device, clock)
    if items.dataset.sides:
        # The first sides ask, the second are what they are compared with; of a pair that is listed, the first item is asked for so.
        queries, model_asked = len(items), TWO_ENCODERS
        embeddings, labels = torch.cat(embeddings.chunk(2, dim=1)), labels.repeat(2)
        groups = None if groups is None else groups.repeat(2)
        pairs = pairs if pairs is None or pairs == "every" else dataclasses.replace(pairs, right=pairs.right + len(items))

    def episodes(name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        with clock.phase("embed"):
            return _embed_episodes(model, items.dataset, name, device)

    asked: dict[str, Any] = {
        "seed": seed,
        "queries": queries,
        "groups": groups,
        "distance": distance,
        "depth": deepest(named),
        "pairs": pairs,
        "episodes": episodes,
        "model": model_asked,
    }
    evaluated = Evaluated(embeddings, labels, **asked)
    classes = len(items.class_names)
    found = score(evaluated, named, classes=classes)
    scores = {} if jackknifed is None else left_out(jackknifed, named[jackknifed], evaluated, classes=classes)
    own = {}
    if similarity is not None:
        name, compare = similarity
        by_own = score(BySimilarity(embeddings, labels, similarity=compare, name=name, **asked), named, classes=classes)
        own = {f"{OWN_SIMILARITY}{metric}": value for metric, value in by_own.scores.items() if metric not in by_own.faults}
    if look is not None:
        look(evaluated, places)
    return dataclasses.replace(found, scores={**found.scores, **own}, jackknife=scores)


def left_out(name: str, entry: MetricEntry, evaluated: Evaluated, *, classes: int) -> dict[str, tuple[float | None, ...]]:
    """A metric over pairs with each class left out, for the jackknife over classes; nothing for others, whose queries have scores.

    Pairs stay as they were drawn or listed, but for those of the class.

    Args:
        name: of the metric.
        entry: of the metric.
        evaluated: all items.
        classes: K of the labels 0 … K - 1.

    Returns:
        By the name of the metric one score per class, None where nothing is left to score.

    Source:
        Efron, Tibshirani, An introduction to the bootstrap, 1993, chapter 11.
    """
    if not entry.over_pairs or classes < 2:
        return {}
    scores: list[float | None] = []
    for label in range(classes):
        try:
            value = value_of(name, entry, evaluated.without(label))
        except MetricError:
            value = None
        scores.append(value if isinstance(value, float) else None)
    return {name: tuple(scores)}


def pairs_of(path: Path, items: Items) -> Pairs:
    """The verification pairs that a file names, by position in a part; see `siambench.metrics.parse_pairs` for its forms.

    Items without names are called by their position, from 0.

    Raises:
        DataError: if the file does not hold, names an item that is not there, or contradicts the labels.
    """
    names = items.dataset.item_names
    own = [str(position) for position in range(len(items))] if names is None else [names[index] for index in items.indices]
    try:
        return metrics.resolve_pairs(metrics.parse_pairs(path.read_text(encoding="utf-8-sig")), own, torch.from_numpy(items.labels))
    except (MetricError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}") from error


def applies(name: str, entry: MetricEntry, items: Items, *, distance: Distance) -> str | None:
    """Why a metric has no value on a part, whatever the model: asked of random embeddings; None where it has one."""
    generator = torch.Generator().manual_seed(0)
    labels, groups = torch.from_numpy(items.labels), None if items.groups is None else torch.from_numpy(items.groups)
    points = torch.randn(len(items), _IMAGINED_SIZE, generator=generator)
    model: OfModel = Imagined(points, items.dataset.form)
    queries = None
    if items.dataset.sides:
        queries, model = len(items), TWO_ENCODERS
        points, labels, groups = points.repeat(2, 1), labels.repeat(2), None if groups is None else groups.repeat(2)
    evaluated = Evaluated(points, labels, seed=0, queries=queries, groups=groups, distance=distance, depth=deepest([name]), model=model)
    numbers = arguments_of(forward_of(name))
    # How many dimensions a model has is asked elsewhere, and says nothing of the items.
    asked = name if numbers.get("d", 0) <= _IMAGINED_SIZE else name.replace(f"dim-{numbers['d']:.0f}", f"dim-{_IMAGINED_SIZE}")
    if score(evaluated, {asked: entry}, classes=len(items.class_names)).scores[asked] is not None:
        return None
    return next((note for note in evaluated.notes.values() if isinstance(note, str)), "it does not apply")


def deepest(names: Iterable[str]) -> int:
    """The largest k that the names of metrics ask for, at least 1."""
    return int(max((arguments["k"] for name in names if "k" in (arguments := arguments_of(forward_of(name)))), default=1))


def score(evaluated: Evaluated, named: Mapping[str, MetricEntry], *, classes: int) -> Scores:
    """Compute metrics of what was evaluated; one that breaks, or gives what is no score, has None and a note, and the others theirs.

    Args:
        evaluated: what metrics ask.
        named: metric name → entry.
        classes: K of the labels 0 … K - 1.

    Raises:
        DivergedError: if the embeddings of episodes are not finite.
    """
    scores: dict[str, float | None] = {}
    per_class: dict[str, tuple[float | None, ...]] = {}
    faults: dict[str, str] = {}
    labels = evaluated.labels[: evaluated.queries]
    for name, entry in named.items():
        asking = labels
        try:
            way = evaluated
            if name.startswith(REVERSED):
                way = evaluated.reversed
                asking = way.labels[: way.queries]
            value = value_of(name, entry, way)
        except MetricError as error:
            # One metric's fault is no reason to throw the others away.
            scores[name], faults[name] = None, str(error)
            evaluated.note(name, str(error))
            continue
        if isinstance(value, Tensor):
            scores[name], per_class[name] = _averages(value, asking, classes)
        else:
            scores[name] = value
    notes: dict[str, float | int | str] = dict(evaluated.notes)
    if "reversed" in evaluated.__dict__:
        notes |= {f"{REVERSED}{name}": note for name, note in evaluated.reversed.notes.items()}
    known = evaluated.relevant > 0
    if not bool(known.all()):
        notes["queries_without_positive"] = int((~known).sum())
    if (
        metrics.search_precision(evaluated.queries, len(evaluated.labels) - (evaluated.queries if evaluated.has_gallery else 0))
        != torch.float64
    ):
        notes["precision"] = f"similarities in fp32: more than {metrics.FLOAT64_ITEMS} items"
    estimates = [name for name, entry in named.items() if entry.approximate]
    if estimates:
        notes[APPROXIMATE] = ", ".join(estimates)
    counts = torch.bincount(labels[known], minlength=classes).tolist()
    return Scores(scores, per_class, tuple(counts), notes, faults)


def value_of(name: str, entry: MetricEntry, evaluated: Evaluated) -> Tensor | float | None:
    """What a metric gives, looked at: one score per query, float64 [Q], one number, or None where it does not apply.

    Args:
        name: of the metric; ``recall@4`` asks the family for its member.
        entry: of the metric.
        evaluated: what it asks.

    Raises:
        MetricError: in one sentence that names the metric, if it raises, or gives something that is no score: another type, another
            number of scores than queries, NaN for a query with a positive, or a value outside its range.
    """
    try:
        value = call_factory(entry.compute, {"evaluation": evaluated, **arguments_of(forward_of(name))})
    except (MemoryError, torch.OutOfMemoryError, DivergedError, LostError, DataMissingError):
        raise
    except (Exception, SystemExit) as error:
        # What torch raises where memory ends is the environment's doing, too.
        if "can't allocate memory" in said(error):
            raise
        raise MetricError(f"metric {name} raised {said(error)}") from error
    if value is None:
        return None
    if isinstance(value, Tensor):
        return _checked_queries(name, entry, value, evaluated)
    if isinstance(value, bool) or not isinstance(value, float | int | np.floating | np.integer):
        raise MetricError(f"metric {name} must give one score per query, one number or None, got {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise MetricError(f"metric {name} gave {number}, which is no score")
    return _in_range(name, entry, number)


def _checked_queries(name: str, entry: MetricEntry, value: Tensor, evaluated: Evaluated) -> Tensor | float:
    if value.ndim == 0 and value.is_floating_point():
        raise MetricError(f"metric {name} must give one number as a float, got a tensor without dimensions")
    if value.shape != (evaluated.queries,) or not value.is_floating_point():
        got = f"{str(value.dtype).removeprefix('torch.')} {list(value.shape)}"
        raise MetricError(f"metric {name} must give one score per query, float64 [{evaluated.queries}], got {got}")
    value = value.detach()
    known = value[~value.isnan()]
    missing = int((value.isnan() & (evaluated.relevant > 0)).sum())
    # Where no query has a score at all, the metric does not apply.
    if missing and len(known):
        raise MetricError(f"metric {name} gave NaN, which is no score, for {missing} of {int((evaluated.relevant > 0).sum())} queries")
    if len(known):
        for extreme in (float(known.min()), float(known.max())):
            _in_range(name, entry, extreme)
    return value


def _in_range(name: str, entry: MetricEntry, number: float) -> float:
    """The number, brought to the bound of the range that rounding has carried it over."""
    low, high = -math.inf if entry.low is None else entry.low, math.inf if entry.high is None else entry.high
    if not math.isfinite(number) or not low - _ROUNDING <= number <= high + _ROUNDING:
        raise MetricError(f"metric {name} gave {number:.9g}, its range is {_bound(entry.low)} … {_bound(entry.high)}")
    return min(max(number, low), high)


def _bound(bound: float | None) -> str:
    return "any" if bound is None else f"{bound:g}"


def separated(parts: Sequence[Scores]) -> Scores:
    """The mean of the scores of several models, metric by metric and class by class; None where one of them has none.

    Source:
        Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020, section 4.
    """
    scores = {name: _mean([part.scores[name] for part in parts]) for name in parts[0].scores}
    per_class = {
        name: tuple(_mean(values, PER_CLASS_DIGITS) for values in zip(*(part.per_class[name] for part in parts), strict=True))
        for name in parts[0].per_class
        if all(name in part.per_class for part in parts)
    }
    # Standard errors and thresholds are of one model each; why a metric does not apply holds for all.
    notes = {name: note for name, note in parts[0].notes.items() if len(parts) == 1 or not isinstance(note, float)}
    faults = {name: fault for part in reversed(parts) for name, fault in part.faults.items()}
    jackknife = {
        name: tuple(_mean(values) for values in zip(*(part.jackknife[name] for part in parts), strict=True)) for name in parts[0].jackknife
    }
    return Scores(scores, per_class, parts[0].class_queries, {**notes, **faults}, faults, jackknife)


def _mean(values: Sequence[float | None], digits: int | None = None) -> float | None:
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    mean = math.fsum(known) / len(known)
    return mean if digits is None else round(mean, digits)


def _reordered(pairs: Pairs, order: Tensor) -> Pairs:
    place = torch.empty_like(order)
    place[order] = torch.arange(len(order), device=order.device)
    place = place.cpu()
    return dataclasses.replace(pairs, left=place[pairs.left], right=place[pairs.right])


def _averages(values: Tensor, labels: Tensor, classes: int) -> tuple[float | None, tuple[float | None, ...]]:
    mean, left_out = metrics.average(values)
    per_class: list[float | None] = [None] * classes
    found = metrics.class_means(values, labels)
    for place, value in zip(found.classes.tolist(), found.means.tolist(), strict=True):
        per_class[place] = round(value, PER_CLASS_DIGITS)
    return (None if left_out == len(values) else mean), tuple(per_class)


def _embed_episodes(model: torch.nn.Module, dataset: Dataset, name: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
    if name not in dataset.episodes:
        return None
    given = dataset.episodes[name]()
    parts = []
    for items in (given.support, given.query):
        flat = items.reshape(-1, *items.shape[2:])
        found = embed(model, flat.__getitem__, len(flat), form=dataset.form, device=device)
        parts.append(found.reshape(*items.shape[:2], -1))
    return parts[0], parts[1], torch.from_numpy(given.answer).to(device)
