"""The loader of all of Omniglot: a background set to train, the evaluation set to test."""

from __future__ import annotations

import io
import zipfile

import numpy as np

from siambench.builtin.datasets.omniglot import ALL_RUNS, SMALL1, SMALL2, one_shot_runs
from siambench.data.decoded import decoded
from siambench.data.images import decode
from siambench.data.locate import Remote, locate
from siambench.errors import DataError, suggestion
from siambench.interfaces import Dataset

_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
BACKGROUND = Remote("images_background.zip", f"{_OMNIGLOT}/images_background.zip", "", "omniglot", md5="68d2efa1b9178cc56df9314c21c6e718")
EVALUATION = Remote("images_evaluation.zip", f"{_OMNIGLOT}/images_evaluation.zip", "", "omniglot", md5="6b91aef0f799c5bb55b94e3f2daec811")

FULL = (BACKGROUND, EVALUATION, ALL_RUNS)
"""The files that are needed with all of the background."""

BACKGROUNDS = ("full", "small1", "small2")
"""What is trained on: the 30 alphabets of the background set, or five of them."""


def omniglot(*, size: int, background: str) -> Dataset:
    """White ink on black, uint8 [N, 1, size, size]: a background set is ``trainval``, the 20 alphabets of the evaluation set the ``test``.

    Args:
        size: edge in pixels; the files hold 105.
        background: one of `BACKGROUNDS`.

    Raises:
        DataMissingError: if an official file cannot be had.
        DataError: if there is no such background, or an archive holds no drawings.
    """
    if background not in BACKGROUNDS:
        raise DataError(
            f"omniglot: background must be one of {', '.join(BACKGROUNDS)}, got {background!r}{suggestion(background, BACKGROUNDS)}"
        )
    first = {"full": BACKGROUND, "small1": SMALL1, "small2": SMALL2}[background]
    runs = locate(ALL_RUNS)
    with zipfile.ZipFile(locate(first)) as one, zipfile.ZipFile(locate(EVALUATION)) as other:
        drawings = [(archive, *drawing) for archive in (one, other) for drawing in _drawings(archive)]
        trained = sum(archive is one for archive, *_ in drawings)
        if not 0 < trained < len(drawings):
            raise DataError(f"{first.name if not trained else EVALUATION.name} of omniglot holds no drawings")
        key = f"omniglot-{size}-{(first.sha256_prefix or first.md5)[:8]}{EVALUATION.md5[:8]}-v1"

        def ink(index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
            archive, _, _, member = drawings[index]
            # The files are black ink on white; ink is made bright so that the zeros that augmentation pads with are paper.
            return 255 - decode(io.BytesIO(archive.read(member)), size=size, mode="grey", name=member)

        images = decoded(key, len(drawings), ink)
    of_item = [(alphabet, character) for _, alphabet, character, _ in drawings]
    classes = list(dict.fromkeys(of_item))
    number = {name: index for index, name in enumerate(classes)}
    return Dataset(
        labels=np.array([number[name] for name in of_item], dtype=np.int64),
        read=lambda indices: np.asarray(images[indices]),
        shape=(1, size, size),
        class_names=[f"{alphabet}/{character}" for alphabet, character in classes],
        class_attributes={"alphabet": [alphabet for alphabet, _ in classes]},
        parts={"trainval": np.arange(trained), "test": np.arange(trained, len(drawings))},
        episodes={"one-shot": lambda: one_shot_runs(runs, size=size)},
        colour="white ink on black",
    )


def _drawings(archive: zipfile.ZipFile) -> list[tuple[str, str, str]]:
    """(alphabet, character, member) of every drawing, sorted."""
    members = [name for name in archive.namelist() if name.endswith(".png")]
    return sorted((name.split("/")[-3], name.split("/")[-2], name) for name in members)
