"""The loader of signatures: ten names, each written once by 93 people on paper, a tablet, and a phone in the hand and on a table."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.decoded import decoded
from siambench.data.images import decode, fitted
from siambench.data.locate import Remote, candidates, locate
from siambench.errors import ConfigError, DataMissingError, suggestion
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_REPOSITORY = "https://raw.githubusercontent.com/dishangti/Cross-media-Signatures/a72abc4e20859aaa1478da1eff41cc09b258db89/experiment"
_CHECKSUMS = Path(__file__).parent / "signatures.sha256"

MEDIA = ("paper", "tablet", "phone-hand", "phone-table")
"""What was written on, in the order of the files' numbers: ten of each."""

NAMES = 10
"""How many names there are: the files 1, 11, 21 and 31 of a writer hold the first, 10, 20, 30 and 40 the last."""

TRAINING_WRITERS = 53
"""The first of the writers are trainval, the other 40 are the test."""

CLASSES = ("writer", "signature")
"""What shares a class: all that a writer wrote, or one name by one writer."""

_MOST_WIDENED = 16
_LARGEST = 224
_DOWNLOADS = 8


def remotes() -> tuple[Remote, ...]:
    """The images, ``bin/<writer>/<number>.png``: by writer, then by number."""
    found = []
    lines = [line for line in _CHECKSUMS.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    for writer, line in enumerate(lines, 1):
        for number, checksum in enumerate(line.split(), 1):
            name = f"{number}.png"
            found.append(Remote(name, f"{_REPOSITORY}/bin/{writer}/{name}", checksum, f"signatures/bin/{writer}"))
    return tuple(found)


@dataclass(frozen=True)
class Look:
    """How an image is shown.

    Args:
        height: in pixels.
        width: in pixels.
        stroke: strokes thinner than this, in pixels of the file, are widened to it: phones and tablets draw lines of another width
            than pens, which tells the medium and not the writer. 0: they stay.
    """

    height: int
    width: int
    stroke: float

    def __post_init__(self) -> None:
        for name, value in (("height", self.height), ("width", self.width)):
            if not 8 <= value <= _LARGEST:
                raise ConfigError(f"signatures: {name} must be a number of pixels from 8 to {_LARGEST}, got {value}")
        if not 0 <= self.stroke <= _MOST_WIDENED:
            raise ConfigError(f"signatures: stroke must lie in 0 … {_MOST_WIDENED} pixels of the file, got {self.stroke:g}")

    def shown(self, paper: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """White ink on black, uint8 [1, height, width], of black ink on white, uint8 [H, W].

        What was written is cut out and brought, with its proportions, to the largest size that fits, in the middle.
        """
        ink = 255 - _widened(paper, self.stroke)
        rows, columns = np.flatnonzero((ink >= 128).any(axis=1)), np.flatnonzero((ink >= 128).any(axis=0))
        if not len(rows):
            return np.zeros((1, self.height, self.width), dtype=np.uint8)
        return fitted(ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1], height=self.height, width=self.width)[None]


def _widened(paper: NDArray[np.uint8], least: float) -> NDArray[np.uint8]:
    for _ in range(_MOST_WIDENED):
        if stroke_width(paper) >= least:
            break
        # Each pixel becomes the darkest of the nine around it.
        edged = np.pad(paper, 1, mode="edge")
        rows = np.minimum(np.minimum(edged[:-2], edged[1:-1]), edged[2:])
        paper = np.minimum(np.minimum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
    return paper


def stroke_width(paper: NDArray[np.uint8]) -> float:
    """The mean width of black strokes on white, in pixels: twice their area by the length of their edges; infinite without ink.

    Args:
        paper: uint8 [H, W]; ink is below 128.
    """
    ink = np.pad(paper < 128, 1)
    inside = ink[1:-1, 1:-1] & ink[:-2, 1:-1] & ink[2:, 1:-1] & ink[1:-1, :-2] & ink[1:-1, 2:]
    area = int(ink.sum())
    return 2 * area / (area - int(inside.sum())) if area else float("inf")


def _files() -> list[Path]:
    """Where the images are, in order of `remotes`; those that are missing are downloaded.

    Raises:
        DataMissingError: if one cannot be had, saying how many are missing.
    """
    needed = remotes()
    missing = [remote for remote in needed if not any(path.is_file() for path in candidates(remote))]
    if not missing:
        return [locate(remote) for remote in needed]
    try:
        # The first alone: where there is no network, one failure says so.
        locate(missing[0])
        with ThreadPoolExecutor(_DOWNLOADS) as pool:
            return list(pool.map(locate, needed))
    except DataMissingError as error:
        first = f"{missing[0].folder}/{missing[0].name}"
        raise DataMissingError(
            f"{len(missing)} of the {len(needed)} images of signatures are missing, the first is {first}: {error}"
        ) from error


def signatures(*, look: Look, media: str, classes: str) -> Dataset:
    """White ink on black, uint8 [N, 1, height, width], and the official split by writers: 1 to 53 train, 54 to 93 test.

    The files hold ten different names, each once by every writer on each medium: whoever takes all that a writer wrote for one class
    asks for a hand whatever it writes, whoever takes a name by a writer asks for a signature.

    Args:
        look: how images are shown.
        media: ``"all"``: the gallery is what was written on paper, queries all else, in the test and in the folds; or the one medium
            whose images are taken, each compared with all others.
        classes: one of `CLASSES`; classes carry their ``writer`` and, of signatures, their ``name``.

    Raises:
        ConfigError: if an option cannot be.
        DataMissingError: if images are missing and cannot be downloaded.
    """
    if media != "all" and media not in MEDIA:
        raise ConfigError(f"signatures: unknown media {media!r}{suggestion(media, ('all', *MEDIA))}; media: all, {', '.join(MEDIA)}")
    if classes not in CLASSES:
        raise ConfigError(f"signatures: unknown classes {classes!r}{suggestion(classes, CLASSES)}; classes: {', '.join(CLASSES)}")
    if classes == "signature" and media != "all":
        raise ConfigError(f"signatures: on {media} each name was written once: classes of signatures need media = 'all'")
    files = _files()
    images = _images(files, look)
    per_writer = len(MEDIA) * NAMES
    place = np.arange(len(files), dtype=np.int64)
    medium = place % per_writer // NAMES
    kept = place if media == "all" else place[medium == MEDIA.index(media)]
    writer, name, medium = kept // per_writer, kept % NAMES, medium[kept]
    labels = writer if classes == "writer" else writer * NAMES + name
    writers = [f"{number:02d}" for number in range(1, len(files) // per_writer + 1)]
    is_training, is_paper = writer < TRAINING_WRITERS, medium == 0
    parts = {"trainval": np.flatnonzero(is_training), "test": np.flatnonzero(~is_training)}
    if media == "all":
        parts = {
            "trainval": parts["trainval"],
            "query": np.flatnonzero(~is_training & ~is_paper),
            "gallery": np.flatnonzero(~is_training & is_paper),
            "trainval-gallery": np.flatnonzero(is_training & is_paper),
        }
    names, attributes = _described(writers, classes)
    return Dataset(
        labels=labels,
        read=lambda indices: np.asarray(images[kept[indices]]),
        shape=(1, look.height, look.width),
        class_names=names,
        class_attributes=attributes,
        item_names=[f"{writers[w]}/{NAMES * m + n + 1}" for w, m, n in zip(writer, medium, name, strict=True)],
        parts=parts,
        colour="white ink on black",
    )


def _described(writers: Sequence[str], classes: str) -> tuple[list[str], dict[str, list[str]]]:
    """Names and attributes of the classes."""
    if classes == "writer":
        return [f"writer {writer}" for writer in writers], {"writer": list(writers)}
    pairs = [(writer, str(name)) for writer in writers for name in range(1, NAMES + 1)]
    return [f"writer {writer}, name {name}" for writer, name in pairs], {
        "writer": [writer for writer, _ in pairs],
        "name": [name for _, name in pairs],
    }


def _images(files: Sequence[Path], look: Look) -> NDArray[np.uint8]:
    content = hashlib.sha256(_CHECKSUMS.read_bytes()).hexdigest()[:8]
    key = f"signatures-{look.height}x{look.width}-{look.stroke:g}-{content}-v1"
    return decoded(key, len(files), lambda index: look.shown(decode(files[index], size=None, mode="grey")[0]))
