"""Model → embeddings → scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from siambench import metrics
from siambench.data.transforms import to_float
from siambench.errors import DivergedError, MetricError
from siambench.interfaces import Dataset
from siambench.plugin import MetricEntry, call_factory
from siambench.split import Items

if TYPE_CHECKING:
    from siambench.metrics import Pairs

_BATCH = 512
PER_CLASS_DIGITS = 6
"""Decimals of the per-class scores in a record: finer than one item of a class of any size met so far."""

Embed = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Scores:
    """What an evaluation found.

    Args:
        scores: by metric; None where it does not apply.
        per_class: by metric with a score per query, its mean over each class's queries, in order of the classes;
            None for a class without a query that has a positive.
        notes: what a reader must know: queries without a positive, reduced precision.
    """

    scores: dict[str, float | None]
    per_class: dict[str, list[float | None]]
    notes: dict[str, Any]


class Evaluated:
    """The `siambench.interfaces.Evaluation` of one part of a data set.

    Args:
        embeddings: fp32 [N, D]; normalised here.
        labels: int64 [N].
        seed: of the verification pairs; derived from the fingerprint of the split, never from the method.
        episodes: embeds the named episodes, or gives None.
    """

    def __init__(
        self, embeddings: Tensor, labels: Tensor, *, seed: int, episodes: Callable[[str], tuple[Tensor, Tensor, Tensor] | None]
    ) -> None:
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError("the embeddings are not finite")
        self.embeddings = functional.normalize(embeddings.float())
        self.labels = labels
        self.relevant = metrics.relevant_counts(labels, labels, exclude_self=True)
        self.notes: dict[str, Any] = {}
        self._seed = seed
        self._episodes = episodes
        self._matches: Tensor | None = None
        self._pairs: tuple[Pairs | None, Tensor | None] | None = None

    def matches(self, k: int) -> Tensor:
        """Whether each of the k nearest others shares the label, bool [N, k]; False beyond the last other."""
        depth = min(k, len(self.labels) - 1)
        if self._matches is None or self._matches.shape[1] < depth:
            # The deepest list that retrieval metrics usually want is computed at once.
            depth = min(max(depth, int(self.relevant.max()), 8), len(self.labels) - 1)
            found = metrics.nearest(self.embeddings, self.embeddings, depth, exclude_self=True)
            self._matches = metrics.matches(self.labels, self.labels, found)
        return functional.pad(self._matches[:, :k], (0, max(0, k - self._matches.shape[1])))

    @property
    def pairs(self) -> Pairs | None:
        """The verification pairs, or None where classes are too few; the reason goes to the notes."""
        return self._verification()[0]

    @property
    def similarities(self) -> Tensor | None:
        """Cosine similarity of each pair, float64 [P]."""
        return self._verification()[1]

    def episodes(self, name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        """The embedded episodes of that name, or None."""
        return self._episodes(name)

    def _verification(self) -> tuple[Pairs | None, Tensor | None]:
        if self._pairs is None:
            try:
                pairs = metrics.draw_pairs(self.labels.cpu(), seed=self._seed)
                self._pairs = pairs, metrics.pair_similarity(self.embeddings.cpu(), pairs)
            except MetricError as error:
                self.notes["verification"] = str(error)
                self._pairs = None, None
        return self._pairs


def embed(
    model: torch.nn.Module, read: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]], size: int, *, device: torch.device
) -> Tensor:
    """Embeddings fp32 [size, D] of items 0 … size - 1, in fp32 whatever the training's precision."""
    model.eval()
    memory_format = getattr(model, "memory_format", torch.contiguous_format)
    parts = []
    with torch.no_grad():
        for start in range(0, size, _BATCH):
            images = torch.from_numpy(np.ascontiguousarray(read(np.arange(start, min(start + _BATCH, size)))))
            floats = to_float(images.to(device, non_blocking=True))
            parts.append(model(floats.contiguous(memory_format=memory_format)))
    return torch.cat(parts)


class RawPixels(torch.nn.Module):
    """The anchor ``raw``: the image itself, flattened."""

    def forward(self, images: Tensor) -> Tensor:
        """[B, C * H * W] of [B, C, H, W]."""
        return images.flatten(1)


def evaluate_items(model: torch.nn.Module, items: Items, named: Mapping[str, MetricEntry], *, seed: int, device: torch.device) -> Scores:
    """Score a model on a part of a data set.

    Args:
        model: embeds images [B, C, H, W] in [0, 1].
        items: the part.
        named: metric name → entry; a family member such as ``recall@4`` comes under its full name.
        seed: of the verification pairs.
        device: where the model is.

    Raises:
        DivergedError: if an embedding is not finite.
    """
    embeddings = embed(model, items.read, len(items), device=device)

    def episodes(name: str) -> tuple[Tensor, Tensor, Tensor] | None:
        return _embed_episodes(model, items.dataset, name, device)

    evaluated = Evaluated(embeddings, torch.from_numpy(items.labels).to(embeddings.device), seed=seed, episodes=episodes)
    scores: dict[str, float | None] = {}
    per_class: dict[str, list[float | None]] = {}
    for name, entry in named.items():
        _, _, k = name.partition("@")
        value = call_factory(entry.compute, {"evaluation": evaluated, "k": int(k) if k.isdigit() else None})
        if isinstance(value, Tensor):
            scores[name], per_class[name] = _averages(value, evaluated.labels, len(items.class_names))
        else:
            scores[name] = None if value is None else float(value)
        found = scores[name]
        if found is not None and not math.isfinite(found):
            raise MetricError(f"metric {name} gave {found}, which is no score")
    notes = dict(evaluated.notes)
    alone = int((evaluated.relevant == 0).sum())
    if alone:
        notes["queries_without_positive"] = alone
    if len(items) > metrics.FLOAT64_ITEMS:
        notes["precision"] = f"similarities in fp32: more than {metrics.FLOAT64_ITEMS} items"
    return Scores(scores, per_class, notes)


def _averages(values: Tensor, labels: Tensor, classes: int) -> tuple[float | None, list[float | None]]:
    mean, left_out = metrics.average(values)
    per_class: list[float | None] = [None] * classes
    found = metrics.class_means(values, labels)
    for place, value in zip(found.classes.tolist(), found.means.tolist(), strict=True):
        per_class[place] = round(value, PER_CLASS_DIGITS)
    return (None if left_out == len(values) else mean), per_class


def _embed_episodes(model: torch.nn.Module, dataset: Dataset, name: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor] | None:
    if name not in dataset.episodes:
        return None
    given = dataset.episodes[name]()
    parts = []
    for images in (given.support, given.query):
        flat = images.reshape(-1, *images.shape[2:])
        found = embed(model, flat.__getitem__, len(flat), device=device)
        parts.append(functional.normalize(found).reshape(*images.shape[:2], -1))
    return parts[0], parts[1], torch.from_numpy(given.answer).to(device)
