"""Scores of embeddings that somebody brings: arrays in memory or in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from siambench import metrics as pure
from siambench.components.catalogue import Catalogue
from siambench.components.families import check_dimensions
from siambench.data.arrays import Kind, named_arrays
from siambench.data.files import meant_by, read_regular
from siambench.data.names import as_text
from siambench.errors import ConfigError, DataError, DataMissingError, MetricError, suggestion
from siambench.evaluation.scoring import Scores, deepest, score
from siambench.evaluation.view import Evaluated
from siambench.metrics.checks import finite_float64
from siambench.metrics.pair_lists import repeated_pairs
from siambench.tracks.rules import DEFAULT_METRICS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.metrics import Distance, NamedPairs

ARRAYS = ("embeddings", "labels", "gallery", "gallery_labels", "groups", "names")
"""What a file may hold; the first two it must."""

_MOST_PAIRS_BYTES = 1 << 30

_KINDS = {"i": "whole numbers", "u": "whole numbers", "U": "text", "S": "bytes"}


@dataclass(frozen=True, kw_only=True)
class Arrays:
    """Embedded items as they are brought.

    Args:
        embeddings: of the queries, any real type, [Q, D].
        labels: whole numbers or text, [Q].
        gallery: embeddings of what queries are compared with, [R, D]; None: each other.
        gallery_labels: [R].
        groups: of the queries and then of the gallery, whole numbers or text, [Q + R]: few-shot episodes stay within one.
        names: of the same items, by which a list of pairs calls them.
    """

    embeddings: Any
    labels: Any
    gallery: Any = None
    gallery_labels: Any = None
    groups: Any = None
    names: Sequence[str] | None = None


def evaluate_arrays(
    arrays: Arrays,
    *,
    metrics: Sequence[str] | None = None,
    distance: Distance = "cosine",
    seed: int = 0,
    pairs: NamedPairs | Literal["every"] | None = None,
) -> Scores:
    """Score embeddings with the metrics that tracks use; ``per_class`` follows the sorted labels.

    Args:
        arrays: what to score.
        metrics: names as in ``siambench list metrics``, ``recall@k`` with its number; None: `DEFAULT_METRICS`.
        distance: ``"cosine"`` or ``"euclidean"``.
        seed: of what metrics draw: pairs, episodes, k-means.
        pairs: verification pairs; ``"every"``: every pair, which needs the cosine; None: they are drawn.

    Raises:
        UnknownNameError: for a metric that nothing provides.
        ConfigError: for a metric that needs more than embeddings, or more dimensions than there are.
        DataError: if shapes do not fit, labels are no labels, or an embedding is not finite.
    """
    catalogue = Catalogue.load()
    named = catalogue.metrics(tuple(DEFAULT_METRICS if metrics is None else metrics))
    for name, entry in named.items():
        if entry.needs is not None:
            raise ConfigError(f"the metric {name} needs {entry.needs!r}, which embeddings alone do not bring")
    if distance not in ("cosine", "euclidean"):
        raise ConfigError(f"distance must be cosine or euclidean, got {distance!r}{suggestion(str(distance), ('cosine', 'euclidean'))}")
    if pairs == "every" and distance != "cosine":
        raise ConfigError("all pairs are counted by their cosines: they need the distance cosine")
    points, labels, queries = _joined(arrays)
    check_dimensions(named, points.shape[1])
    names = _names(arrays.names, len(points))
    groups = None if arrays.groups is None else _numbered(_values(arrays.groups, len(points), "groups"))[0]
    truth, classes = _numbered(labels)
    if queries is None and len(points) < 2:
        raise DataError(f"there must be at least 2 items to compare, got {len(points)}")
    try:
        resolved = pairs if pairs is None or pairs == "every" else pure.resolve_pairs(pairs, names, truth)
        evaluated = Evaluated(
            points, truth, seed=seed, queries=queries, groups=groups, distance=distance, depth=deepest(named), pairs=resolved
        )
        found = score(evaluated, named, classes=classes)
    except MetricError as error:
        raise DataError(str(error)) from error
    notes: dict[str, float | int | str] = dict(found.notes)
    if classes == 1:
        notes["one_class"] = "all items are of one class: every neighbour matches, and no score says anything"
    if pairs is not None and not any(entry.over_pairs for entry in named.values()):
        notes["pairs"] = "no metric that is asked for is over pairs: those that are given have no effect"
    again = (
        None
        if pairs is None or resolved is None or isinstance(pairs, str) or isinstance(resolved, str)
        else repeated_pairs(pairs, resolved)
    )
    if again is not None:
        notes["repeated_pairs"] = again
    return replace(found, notes=notes)


def _joined(arrays: Arrays) -> tuple[Tensor, NDArray[Any], int | None]:
    """All embeddings, all labels, and how many of them are queries where there is a gallery."""
    points = _embeddings(arrays.embeddings, "embeddings")
    labels = _values(arrays.labels, len(points), "labels")
    if (arrays.gallery is None) != (arrays.gallery_labels is None):
        raise DataError("gallery and gallery_labels come together: one of them is missing")
    if arrays.gallery is None:
        return points, labels, None
    gallery = _embeddings(arrays.gallery, "gallery")
    gallery_labels = _values(arrays.gallery_labels, len(gallery), "gallery_labels")
    if gallery.shape[1] != points.shape[1]:
        raise DataError(f"queries and gallery must have equally many dimensions, got {points.shape[1]} and {gallery.shape[1]}")
    if _KINDS[labels.dtype.kind] != _KINDS[gallery_labels.dtype.kind]:
        raise DataError(f"labels and gallery_labels must be of one kind, got {labels.dtype} and {gallery_labels.dtype}")
    together = np.concatenate([labels, gallery_labels])
    if together.dtype.kind == "f":
        # Signed and unsigned 64 bits have no whole type in common, and floating numbers would merge classes.
        together = np.concatenate([labels.astype(object), gallery_labels.astype(object)])
    kind = torch.promote_types(points.dtype, gallery.dtype)
    return torch.cat([points.to(kind), gallery.to(kind)]), together, len(points)


def _embeddings(given: Any, name: str) -> Tensor:
    found = given.detach().cpu() if isinstance(given, Tensor) else _tensor(given, name)
    if found.ndim != 2 or found.numel() == 0 or found.is_complex() or found.dtype == torch.bool:
        raise DataError(f"{name} must be real numbers [items, dimensions] and not empty, got {found.dtype} {tuple(found.shape)}")
    try:
        exact = finite_float64(found, name=name)
    except MetricError as error:
        raise DataError(str(error)) from error
    # Whole numbers and 16 bits: what they hold, exactly, in the type the metrics compute in.
    return found if found.dtype in (torch.float32, torch.float64) else exact


def _tensor(given: Any, name: str) -> Tensor:
    try:
        array = np.asarray(given)
        # torch shares the memory, which must be its to write and in the machine's order of bytes.
        return torch.from_numpy(np.require(array, array.dtype.newbyteorder("="), ["C", "W", "E"]))
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be an array of numbers: {error}") from error


def _values(given: Any, items: int, name: str) -> NDArray[Any]:
    """Whole numbers or text, one per item."""
    try:
        values = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    except (TypeError, ValueError) as error:
        raise DataError(f"{name} must be whole numbers or text, one per item: {error}") from error
    if values.dtype.kind in "OT" and all(isinstance(value, str) for value in values.flat):
        # As a data frame keeps text.
        values = values.astype(str)
    if values.dtype.kind not in _KINDS or values.ndim != 1:
        raise DataError(f"{name} must be whole numbers or text, one per item, got {values.dtype} of shape {values.shape}")
    if len(values) != items:
        raise DataError(f"{name} must hold one value per item, got {len(values)} for {items} items")
    return values


def _numbered(values: NDArray[Any]) -> tuple[Tensor, int]:
    """Labels as 0 … K - 1 in sorted order, and K. Whole numbers are compared as such: none is rounded."""
    classes, place = np.unique(values, return_inverse=True)
    return torch.from_numpy(place.astype(np.int64)), len(classes)


def _names(given: Any, items: int) -> list[str]:
    if given is None:
        return [str(index) for index in range(items)]
    if np.ndim(given) != 1 or len(given) != items:
        raise DataError(f"names must be one per item, got shape {np.shape(given)} for {items} items")
    return [name.decode(errors="replace") if isinstance(name, bytes) else str(name) for name in given]


def read_arrays(path: Path) -> Arrays:
    """Read `ARRAYS` from a ``.npz`` or ``.safetensors`` file; nothing in it is executed.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it cannot be read, or lacks ``embeddings`` or ``labels``.
    """
    kinds: dict[str, Kind] = {".npz": "npz", ".safetensors": "safetensors"}
    kind = kinds.get(path.suffix.lower())
    if kind is None:
        if not path.exists():
            raise DataMissingError(f"no such file: {as_text(path)}{meant_by(path)}")
        raise DataError(f"{as_text(path)} must end in .npz or .safetensors, got {path.suffix or 'no suffix'}")
    found, held = named_arrays(path, kind, ARRAYS)
    if not set(ARRAYS[:2]) <= set(found):
        raise DataError(f"{as_text(path)} must hold the arrays embeddings and labels, it holds {', '.join(sorted(held)) or 'none'}")
    return Arrays(**found)


def read_pairs(path: Path) -> NamedPairs:
    """A list of verification pairs; see `siambench.metrics.parse_pairs` for its forms.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it does not hold.
    """
    content = read_regular(path, most=_MOST_PAIRS_BYTES)
    try:
        return pure.parse_pairs(content.decode("utf-8-sig"))
    except (MetricError, UnicodeDecodeError) as error:
        raise DataError(f"{as_text(path)}: {error}") from error
