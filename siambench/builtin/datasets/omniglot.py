"""The loader of Omniglot: drawn characters, and its official one-shot runs."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.decoded import decoded
from siambench.data.images import decode
from siambench.data.locate import Remote, locate
from siambench.errors import DataError, suggestion
from siambench.interfaces import Dataset, Episodes

if TYPE_CHECKING:
    from numpy.typing import NDArray

_OMNIGLOT = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
SMALL1 = Remote(
    "images_background_small1.zip",
    f"{_OMNIGLOT}/images_background_small1.zip",
    "f38eb80f801274ac2b4dff5b24289016bfaba4a7d5bb50deebf27104ad6cb8a4",
    "omniglot",
)
SMALL2 = Remote(
    "images_background_small2.zip",
    f"{_OMNIGLOT}/images_background_small2.zip",
    "3ccaa407515a8778e5d0861875af38b17e418f301ad5bb3b5a6b65d901a41c7f",
    "omniglot",
)
ALL_RUNS = Remote(
    "all_runs.zip",
    f"{_OMNIGLOT}/one-shot-classification/all_runs.zip",
    "437c1eeab0af8484112e1b4cc0f3d541ec727f7c47b9b202da738af9dfd6c325",
    "omniglot",
)

BACKGROUND = Remote("images_background.zip", f"{_OMNIGLOT}/images_background.zip", "", "omniglot", md5="68d2efa1b9178cc56df9314c21c6e718")
EVALUATION = Remote("images_evaluation.zip", f"{_OMNIGLOT}/images_evaluation.zip", "", "omniglot", md5="6b91aef0f799c5bb55b94e3f2daec811")

MINIMAL = (SMALL1, SMALL2, ALL_RUNS)
"""The files of `omniglot_minimal`."""

FULL = (BACKGROUND, EVALUATION, ALL_RUNS)
"""The files of `omniglot`, with all of the background."""

BACKGROUNDS = ("full", "small1", "small2")
"""What is trained on: the 30 alphabets of the background set, or five of them."""


def _ink(file: zipfile.ZipFile, member: str, size: int) -> NDArray[np.uint8]:
    # Omniglot is black ink on white; ink is made bright so that the zeros that augmentation pads with are paper.
    return 255 - decode(io.BytesIO(file.read(member)), size=size, mode="grey", name=member)


def _drawings(archive: Path) -> list[tuple[str, str, str]]:
    """(alphabet, character, member) of every drawing, sorted."""
    with zipfile.ZipFile(archive) as file:
        members = [name for name in file.namelist() if name.endswith(".png")]
    return sorted((name.split("/")[-3], name.split("/")[-2], name) for name in members)


def omniglot_minimal(*, size: int) -> Dataset:
    """White ink on black, uint8 [N, 1, size, size].

    ``trainval`` is small1; ``test`` is those alphabets of small2 that small1 lacks. The official within-alphabet runs
    are the episodes ``one-shot``.

    Raises:
        DataMissingError: if one of the three official files cannot be had.
    """
    small1, small2, runs = locate(SMALL1), locate(SMALL2), locate(ALL_RUNS)
    trainval = _drawings(small1)
    known = {alphabet for alphabet, _, _ in trainval}
    test = [drawing for drawing in _drawings(small2) if drawing[0] not in known]
    classes = sorted({(a, c) for a, c, _ in trainval}) + sorted({(a, c) for a, c, _ in test})
    number = {name: index for index, name in enumerate(classes)}

    with zipfile.ZipFile(small1) as first, zipfile.ZipFile(small2) as second:
        members = [(first, name) for _, _, name in trainval] + [(second, name) for _, _, name in test]
        key = f"omniglot-minimal-{size}-{SMALL1.sha256_prefix[:8]}{SMALL2.sha256_prefix[:8]}-v1"
        images = decoded(key, len(members), lambda index: _ink(*members[index], size))
    return Dataset(
        labels=np.array([number[a, c] for a, c, _ in trainval + test], dtype=np.int64),
        read=lambda indices: np.asarray(images[indices]),
        shape=(1, size, size),
        class_names=[f"{alphabet}/{character}" for alphabet, character in classes],
        class_attributes={"alphabet": [alphabet for alphabet, _ in classes]},
        parts={"trainval": np.arange(len(trainval)), "test": np.arange(len(trainval), len(trainval) + len(test))},
        episodes={"one-shot": lambda: one_shot_runs(runs, size=size)},
        colour="white ink on black",
    )


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
    places = {remote: locate(remote) for remote in (first, EVALUATION, ALL_RUNS)}
    found = [(remote, drawing) for remote in (first, EVALUATION) for drawing in _drawings(places[remote])]
    trained = sum(remote is first for remote, _ in found)
    if not 0 < trained < len(found):
        raise DataError(f"{first.name if not trained else EVALUATION.name} of omniglot holds no drawings")
    classes = list(dict.fromkeys((alphabet, character) for _, (alphabet, character, _) in found))
    number = {name: index for index, name in enumerate(classes)}
    with zipfile.ZipFile(places[first]) as one, zipfile.ZipFile(places[EVALUATION]) as other:
        archive = {first: one, EVALUATION: other}
        key = f"omniglot-{size}-{(first.sha256_prefix or first.md5)[:8]}{EVALUATION.md5[:8]}-v1"
        images = decoded(key, len(found), lambda index: _ink(archive[found[index][0]], found[index][1][2], size))
    return Dataset(
        labels=np.array([number[a, c] for _, (a, c, _) in found], dtype=np.int64),
        read=lambda indices: np.asarray(images[indices]),
        shape=(1, size, size),
        class_names=[f"{alphabet}/{character}" for alphabet, character in classes],
        class_attributes={"alphabet": [alphabet for alphabet, _ in classes]},
        parts={"trainval": np.arange(trained), "test": np.arange(trained, len(found))},
        episodes={"one-shot": lambda: one_shot_runs(places[ALL_RUNS], size=size)},
        colour="white ink on black",
    )


def one_shot_runs(archive: Path, *, size: int) -> Episodes:
    """The official runs: 20 of them, 20 characters of one alphabet each, one image to learn from and one to classify."""
    support, query, answer = [], [], []
    with zipfile.ZipFile(archive) as file:
        tables = sorted(name for name in file.namelist() if name.endswith("class_labels.txt"))
        for table in tables:
            root = table.removesuffix("class_labels.txt")
            rows = [line.split() for line in file.read(table).decode().splitlines() if line.strip()]
            ways = sorted(learn for _, learn in rows)
            # The file's paths begin at the archive's root, which an outer folder may precede.
            outer = root.removesuffix(rows[0][0].split("/")[0] + "/")
            support.append(np.stack([_ink(file, outer + name, size) for name in ways]))
            query.append(np.stack([_ink(file, outer + name, size) for name, _ in rows]))
            answer.append([ways.index(learn) for _, learn in rows])
    return Episodes(support=np.stack(support), query=np.stack(query), answer=np.array(answer, dtype=np.int64))
