"""Embeddings that somebody brings, laid flat: by principal components, t-SNE or UMAP, with their images where these are to be had."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import torch

from siambench.data.arrays import Kind, named_arrays
from siambench.data.images import decode
from siambench.data.names import as_text
from siambench.data.thumbnails import thumbnail
from siambench.errors import ConfigError, DataError, MetricError, PluginError, UsageError, suggestion
from siambench.evaluation.arrays import Arrays, read_arrays
from siambench.evaluation.figures import plane
from siambench.evaluation.shown import short
from siambench.figures import Axis, Mark, Picture, Points, Thumbnail, Thumbnails
from siambench.metrics.checks import finite_float64, unit_length

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from siambench.metrics import Distance

MapMethod = Literal["pca", "tsne", "umap"]
METHODS: tuple[MapMethod, ...] = get_args(MapMethod)

MOST_ITEMS = 2_000
"""So many items are laid flat; of more a sample is, class by class in the order of the SHA-256 of their names."""

MOST_COLOURS = 12
"""So many labels have a colour; of more the largest have, and the others are grey."""

MOST_IMAGES = 160
_EDGE = 32
_APART = 0.035
"""How far images are apart at least, in parts of the map's width."""

_PERPLEXITY = 30.0
_NEIGHBOURS = 15
_SEED = 0

_KEPT = "who is near whom is kept, distances between groups and their sizes are not."

ReadImage = Callable[[int], "NDArray[np.uint8]"]


@dataclass(frozen=True)
class Brought:
    """What is laid flat.

    Args:
        points: embeddings, real numbers, [N, D].
        labels: of each, text.
        names: of each.
        image: reads that of an item as uint8 [C, H, W]; None: there are none.
        of: how many items there were, of which these are a sample.
    """

    points: Tensor
    labels: Sequence[str]
    names: Sequence[str]
    image: ReadImage | None
    of: int


def brought(path: Path, folder: Path | None = None) -> Brought:
    """The embeddings of a file, as ``evaluate`` reads them, queries and gallery together, and their images.

    Args:
        path: ``.npz`` or ``.safetensors`` with ``embeddings`` and ``labels``; it may hold ``names``, ``gallery``, ``gallery_labels``,
            ``class_names`` that the labels number, and ``images``, uint8 [N, H, W], [N, C, H, W] or [N, H, W, C].
        folder: where the items' names are those of image files, in the place of ``images``; None: there is no such folder.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it cannot be read, or its arrays do not fit each other.
    """
    arrays = read_arrays(path)
    points, numbers = _joined(arrays, path)
    labels = _called(numbers, path)
    names = _texts(arrays.names, len(points), "names", path) if arrays.names is not None else [str(place) for place in range(len(points))]
    image = _of_array(path, len(points)) if folder is None else _of_folder(folder, names, has_names=arrays.names is not None, path=path)
    order = _sample(labels, names)
    chosen = None if image is None else _reading(image, order)
    return Brought(points[torch.tensor(order)], [labels[place] for place in order], [names[place] for place in order], chosen, len(points))


def _called(labels: list[str], path: Path) -> list[str]:
    """Labels by the names of their classes, where the file holds ``class_names`` that they number."""
    if path.suffix.lower() != ".npz":
        return labels
    names = named_arrays(path, "npz", ("class_names",))[0].get("class_names")
    if names is None or names.ndim != 1 or names.dtype.kind not in "US":
        return labels
    known = [str(name) for name in names.astype(str)]
    return [known[int(one)] for one in labels] if all(one.isdecimal() and int(one) < len(known) for one in labels) else labels


def _reading(image: ReadImage, order: Sequence[int]) -> ReadImage:
    return lambda place: image(order[place])


def _joined(arrays: Arrays, path: Path) -> tuple[Tensor, list[str]]:
    parts, labels = [], []
    for given, told, name in ((arrays.embeddings, arrays.labels, "embeddings"), (arrays.gallery, arrays.gallery_labels, "gallery")):
        if given is None:
            continue
        found = torch.as_tensor(np.asarray(given)) if not isinstance(given, torch.Tensor) else given
        if found.ndim != 2 or found.numel() == 0 or found.is_complex() or found.dtype == torch.bool:
            raise DataError(
                f"{as_text(path)}: {name} must be real numbers [items, dimensions] and not empty, got {found.dtype} {tuple(found.shape)}"
            )
        try:
            parts.append(finite_float64(found, name=name))
        except MetricError as error:
            raise DataError(f"{as_text(path)}: {error}") from error
        labels += _texts(told, len(found), "labels" if name == "embeddings" else "gallery_labels", path)
    if len({part.shape[1] for part in parts}) > 1:
        raise DataError(f"{as_text(path)}: embeddings and gallery have {parts[0].shape[1]} and {parts[1].shape[1]} dimensions")
    if len(labels) < 3:
        raise DataError(f"{as_text(path)}: a map needs at least 3 items, got {len(labels)}")
    return torch.cat(parts), labels


def _texts(given: Any, items: int, name: str, path: Path) -> list[str]:
    values = given.detach().cpu().numpy() if isinstance(given, torch.Tensor) else np.asarray(given)
    if values.dtype.kind not in "iuUS" or values.ndim != 1 or len(values) != items:
        raise DataError(
            f"{as_text(path)}: {name} must be whole numbers or text, one for each of {items} items, got {values.dtype} {values.shape}"
        )
    return [value.decode(errors="replace") if isinstance(value, bytes) else str(value) for value in values.tolist()]


def _sample(labels: Sequence[str], names: Sequence[str]) -> list[int]:
    """Places of at most `MOST_ITEMS` items: classes take turns."""
    if len(labels) <= MOST_ITEMS:
        return list(range(len(labels)))
    order = sorted(range(len(labels)), key=lambda place: (_digest(names[place]), place))
    turn: Counter[str] = Counter()
    turns = {}
    for place in order:
        turns[place] = turn[labels[place]]
        turn[labels[place]] += 1
    return sorted(sorted(order, key=lambda place: (turns[place], _digest(labels[place])))[:MOST_ITEMS])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def _of_array(path: Path, items: int) -> ReadImage | None:
    kind: Kind = "npz" if path.suffix.lower() == ".npz" else "safetensors"
    found, _ = named_arrays(path, kind, ("images",))
    if "images" not in found:
        return None
    given = found["images"]
    images: NDArray[np.uint8] = given.numpy() if isinstance(given, torch.Tensor) else given
    if images.ndim == 3:
        images = images[:, None]
    if images.ndim == 4 and images.shape[1] not in (1, 2, 3, 4) and images.shape[3] in (1, 2, 3, 4):
        images = images.transpose(0, 3, 1, 2)
    if images.dtype != np.uint8 or images.ndim != 4 or len(images) != items or images.shape[1] not in (1, 2, 3, 4) or 0 in images.shape:
        raise DataError(
            f"{as_text(path)}: images must be uint8 [{items}, H, W], [{items}, C, H, W] or [{items}, H, W, C] with 1 to 4 channels, got "
            f"{given.dtype} {tuple(given.shape)}"
        )
    return lambda place: images[place]


def _of_folder(folder: Path, names: Sequence[str], *, has_names: bool, path: Path) -> ReadImage:
    if not folder.is_dir():
        raise DataError(f"{as_text(folder)} is no folder: --images names one that holds the images by the items' names")
    if not has_names:
        raise DataError(f"{as_text(path)} holds no names, by which --images could find the images in {as_text(folder)}")
    inside = folder.resolve()

    def read(place: int) -> NDArray[np.uint8]:
        file = (inside / names[place]).resolve()
        # A name is of a file in that folder, and leads to no other.
        if not file.is_relative_to(inside):
            raise DataError(f"{names[place]!r} of {as_text(path)} leads out of {as_text(folder)}")
        if not file.is_file():
            raise DataError(f"{as_text(folder)} holds no image {names[place]!r}, which {as_text(path)} names")
        return decode(file, size=None, mode="rgb")

    return read


def map_of_file(kind: str, path: Path, *, method: str = "pca", distance: str = "cosine", images: Path | None = None) -> Picture:
    """The map of a file of embeddings.

    Args:
        kind: what is asked for, of which there is ``map`` alone.
        path: the file; see `brought`.
        method: see `laid_flat`.
        distance: ``"cosine"`` or ``"euclidean"``.
        images: the folder of the items' images; see `brought`.

    Raises:
        UsageError: if another figure is asked for.
    """
    if kind != "map":
        raise UsageError(f"{as_text(path)} holds embeddings: of these there is the figure map, not {kind}")
    if method not in METHODS:
        raise ConfigError(f"no way to lay items flat is called {method!r}{suggestion(method, METHODS)}; there are {', '.join(METHODS)}")
    if distance not in ("cosine", "euclidean"):
        raise ConfigError(f"distance must be cosine or euclidean, got {distance!r}{suggestion(distance, ('cosine', 'euclidean'))}")
    return picture(brought(path, images), method=method, distance=cast("Distance", distance), title=as_text(path.name))


def laid_flat(points: Tensor, method: str, distance: Distance = "cosine") -> tuple[NDArray[np.float64], str]:
    """Places in a plane, float64 [N, 2], and what is to be known of them.

    Args:
        points: embeddings, float64 [N, D], N >= 3.
        method: one of `METHODS`.
        distance: what near means: by the cosine, lengths do not matter.

    Raises:
        ConfigError: if there is no such method.
        PluginError: if UMAP is not installed.

    Source:
        van der Maaten, Hinton, Visualizing Data using t-SNE, JMLR 2008; McInnes, Healy, Melville, UMAP, arXiv 1802.03426, 2018.
    """
    if method not in METHODS:
        raise ConfigError(
            f"no way to lay embeddings flat is called {method!r}{suggestion(method, METHODS)}; there are {', '.join(METHODS)}"
        )
    exact = points if distance == "euclidean" else unit_length(points)
    if method == "pca":
        axes, share = plane(exact)
        return axes, f"The first two principal components, which hold {100 * sum(share):.0f} % of the variance."
    if method == "tsne":
        return _tsne(exact)
    return _umap(exact)


def _tsne(points: Tensor) -> tuple[NDArray[np.float64], str]:
    from sklearn.manifold import TSNE

    perplexity = min(_PERPLEXITY, max(1.0, (len(points) - 1) / 3))
    # Points that are all equal have no components to begin with.
    start: Any = "pca" if min(points.shape) > 1 and float((points - points[0]).abs().max()) > 0 else "random"
    found = TSNE(2, perplexity=perplexity, init=start, random_state=_SEED, n_jobs=1).fit_transform(points.numpy())
    return (
        np.asarray(found, dtype=np.float64),
        f"By t-SNE of perplexity {perplexity:g} from seed {_SEED}: {_KEPT}",
    )


def _umap(points: Tensor) -> tuple[NDArray[np.float64], str]:
    try:
        from umap import UMAP
    except ImportError as error:
        raise PluginError("UMAP is an extra that is not installed: pip install 'siambench[umap]'") from error
    near = min(_NEIGHBOURS, len(points) - 1)
    # Below some dozens of items its spectral start has no solution.
    start = "spectral" if len(points) > 3 * _NEIGHBOURS else "random"
    found = UMAP(n_neighbors=near, random_state=_SEED, n_jobs=1, init=start).fit_transform(points.numpy())
    return (
        np.asarray(found, dtype=np.float64),
        f"By UMAP with {near} neighbours from seed {_SEED}: {_KEPT}",
    )


def picture(given: Brought, *, method: str = "pca", distance: Distance = "cosine", title: str = "Embeddings") -> Picture:
    """A map of embeddings.

    Args:
        given: what is laid flat.
        method: see `laid_flat`.
        distance: see `laid_flat`.
        title: of the picture.

    Raises:
        DataError: if an image that is to be shown cannot be read.
    """
    places, about = laid_flat(given.points, method, distance)
    counts = Counter(given.labels)
    largest = [label for label, _ in sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))]
    coloured = largest if len(largest) <= MOST_COLOURS else largest[: MOST_COLOURS - 1]
    called = {label: short(label) for label in coloured}
    groups = tuple(dict.fromkeys(called[label] for label in sorted(coloured)))
    marks: list[Mark] = [] if len(coloured) == len(largest) else [_points(given, places, None, called)]
    marks += [_points(given, places, label, called) for label in sorted(coloured)]
    images = _images(given, places)
    if images:
        marks.append(Thumbnails(items=tuple(images), size=24.0))
    ends = _ends(places)
    parts = [
        f"{len(given.labels):,} items of {len(counts):,} labels, by the {'cosine' if distance == 'cosine' else 'euclidean distance'}.",
        about,
    ]
    parts += [f"A sample of {given.of:,}, taken by their names alone."] if given.of > len(given.labels) else []
    parts += [f"Grey: {len(largest) - len(coloured)} smaller labels."] if len(coloured) < len(largest) else []
    parts += [f"{len(images)} of them with their images."] if images else []
    return Picture(
        name="map",
        title=title,
        caption=" ".join(parts),
        x=Axis(low=ends[0], high=ends[1]),
        y=Axis(low=ends[2], high=ends[3]),
        marks=tuple(marks),
        groups=groups,
        aspect=1.0,
    )


def _points(given: Brought, places: NDArray[np.float64], label: str | None, called: Mapping[str, str]) -> Points:
    """Those of one label, or of all that have no colour of their own."""
    chosen = [place for place, own in enumerate(given.labels) if (own == label if label is not None else own not in called)]
    at = tuple((round(float(x), 6), round(float(y), 6)) for x, y in places[chosen])
    tips = tuple(f"{short(given.labels[place])}: {short(given.names[place])}" for place in chosen)
    size = 2.6 if len(given.labels) > 300 else 3.6
    if label is None:
        return Points(at=at, tips=tips, size=size, opacity=0.5, tone="muted")
    return Points(at=at, tips=tips, size=size, opacity=0.85, group=called[label])


def _ends(places: NDArray[np.float64]) -> tuple[float, float, float, float]:
    low, high = places.min(axis=0), places.max(axis=0)
    half = float((high - low).max()) * 0.54 or 1.0
    x, y = ((low + high) / 2).tolist()
    return x - half, x + half, y - half, y + half


def _images(given: Brought, places: NDArray[np.float64]) -> list[Thumbnail]:
    """Images of items that lie apart, so that none covers another: taken in the order of the SHA-256 of their names."""
    if given.image is None:
        return []
    width = float((places.max(axis=0) - places.min(axis=0)).max()) or 1.0
    taken: list[int] = []
    for place in sorted(range(len(given.names)), key=lambda place: (_digest(given.names[place]), place)):
        apart = np.abs(places[taken] - places[place]).max(axis=1) if taken else np.array([np.inf])
        if apart.min() >= _APART * width:
            taken.append(place)
        if len(taken) == MOST_IMAGES:
            break
    return [
        Thumbnail(
            x=round(float(places[place, 0]), 6),
            y=round(float(places[place, 1]), 6),
            png=thumbnail(given.image(place), _EDGE),
            tip=f"{short(given.labels[place])}: {short(given.names[place])}",
        )
        for place in taken
    ]
