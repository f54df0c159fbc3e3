"""The loaders of CFP-FP and AgeDB-30 as InsightFace packs them: aligned faces in pairs, a pickle of two lists."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.listed import Shown
from siambench.builtin.datasets.pair_lists import folds_in_order, joined
from siambench.data.decoded import decoded
from siambench.data.files import read_regular
from siambench.data.images import decode
from siambench.data.locate import Remote, locate
from siambench.data.names import as_text
from siambench.data.unpickle import parse_pickle
from siambench.errors import DataError
from siambench.interfaces import Dataset, OfficialPairs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_PAGE = "https://github.com/deepinsight/insightface/tree/master/recognition/_datasets_"
_MOST_BYTES = 1 << 31
FOLDS = 10

CFP_FP = Remote("cfp_fp.bin", _PAGE, "", "cfp-fp", by_hand=True)
AGEDB_30 = Remote("agedb_30.bin", _PAGE, "", "agedb-30", by_hand=True)
PAIRS = {"cfp-fp": 7_000, "agedb-30": 6_000}
"""Of pairs, as published."""


@dataclass(frozen=True)
class _Packed:
    """The images of a file, each content once, and its pairs by their places."""

    images: Sequence[bytes]
    pairs: OfficialPairs
    digest: str


def face_pairs(remote: Remote, *, name: str, size: int, test_folds: int) -> Dataset:
    """Faces and the official pairs of them, uint8 [N, 3, size, size]; images that occur in several pairs are items once.

    Who is shown is not told: faces that genuine pairs join are a class, so that one person may be several.

    Args:
        remote: the file.
        name: of the data set.
        size: edge in pixels; the files hold 112.
        test_folds: so many of the ten folds, the last ones, are the test, those before trainval; 10: there are no parts, for models
            that were trained on something else.

    Raises:
        DataMissingError: if the file is nowhere.
        DataError: if it does not hold.
    """
    shown = Shown(name, size)
    if not 1 <= test_folds <= FOLDS:
        raise DataError(f"{name}: test_folds must lie in 1 … {FOLDS}, got {test_folds}")
    path = locate(remote)
    packed = _packed(path, name)
    found = joined(packed.pairs, len(packed.images))

    def read(place: int) -> NDArray[np.uint8]:
        return decode(io.BytesIO(packed.images[place]), size=shown.size, mode="rgb", name=f"image {place + 1} of {as_text(path)}")

    images = decoded(f"{name}-{size}-{packed.digest[:24]}-v1", len(packed.images), read)
    names = [f"{place:05d}" for place in range(len(packed.images))]
    return Dataset(
        labels=found.labels,
        read=lambda indices: np.asarray(images[indices]),
        shape=(3, size, size),
        class_names=[f"face {label:05d}" for label in range(int(found.labels.max()) + 1)],
        item_names=names,
        parts={} if test_folds == FOLDS else _parts(packed.pairs, found.labels, test_folds),
        pairs=found.pairs,
        colour="as in the files",
        notes=(
            "people are known by their genuine pairs alone: one may be several classes",
            *found.notes,
            f"no checksum is published; SHA-256 of what was read: {remote.name} {packed.digest[:16]}…",
        ),
    )


def _parts(pairs: OfficialPairs, labels: NDArray[np.int64], test_folds: int) -> dict[str, NDArray[np.int64]]:
    """Items of the last folds are the test; whom these show is not trained on."""
    late = pairs.fold >= FOLDS - test_folds
    tested = np.unique(np.concatenate([pairs.left[late], pairs.right[late]]))
    is_tested = np.isin(labels, np.unique(labels[tested]))
    return {"trainval": np.flatnonzero(~is_tested), "test": np.flatnonzero(is_tested)}


def _packed(path: Path, name: str) -> _Packed:
    called = as_text(path)
    content = read_regular(path, most=_MOST_BYTES)
    found = parse_pickle(content, called)
    if not isinstance(found, list | tuple) or len(found) != 2:
        raise DataError(f"{called} must hold two lists, of images and of whether two are the same, got {type(found).__name__}")
    images = [_image(one, place, called) for place, one in enumerate(_list(found[0], "images", called), 1)]
    same = np.array([_truth(one, place, called) for place, one in enumerate(_list(found[1], "truths", called), 1)])
    if len(images) != 2 * len(same):
        raise DataError(f"{called} must hold two images for each pair, got {len(images)} for {len(same)} pairs")
    if len(same) != PAIRS[name]:
        raise DataError(f"{name} has {PAIRS[name]:,} pairs, {called} holds {len(same):,}: it is not the data set as published")
    place_of: dict[bytes, int] = {}
    places = np.array([place_of.setdefault(image, len(place_of)) for image in images])
    pairs = OfficialPairs(left=places[::2], right=places[1::2], same=same, fold=folds_in_order(len(same), FOLDS))
    return _Packed(list(place_of), pairs, hashlib.sha256(content).hexdigest())


def _list(given: Any, what: str, called: str) -> list[Any]:
    if isinstance(given, np.ndarray) and given.ndim == 1:
        return list(given.tolist())
    if not isinstance(given, list | tuple) or not given:
        raise DataError(f"{called} must hold a list of {what}, got {type(given).__name__}")
    return list(given)


def _image(given: Any, place: int, called: str) -> bytes:
    # What OpenCV packs is an array of bytes, of one column in older versions.
    if isinstance(given, np.ndarray) and given.dtype == np.uint8:
        return given.tobytes()
    if not isinstance(given, bytes):
        raise DataError(f"image {place} of {called} must be the bytes of an image, got {type(given).__name__}")
    return given


def _truth(given: Any, place: int, called: str) -> bool:
    if isinstance(given, bool) or (isinstance(given, int) and given in (0, 1)):
        return bool(given)
    raise DataError(f"whether pair {place} of {called} is the same must be true or false, got {type(given).__name__}")
