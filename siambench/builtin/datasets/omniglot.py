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

MINIMAL = (SMALL1, SMALL2, ALL_RUNS)
"""The files of `omniglot_minimal`."""


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
