"""The Modified Hausdorff distance on Omniglot's official one-shot runs: a baseline without a model.

``SIAMBENCH_DATA=… python docs/modified_hausdorff.py`` prints its error rate: 38.75 %, 155 of 400 items, in half a minute. The runs hold
nothing that is learnt or chosen, so the figure has no interval over trainings; 400 answers give it a standard error of 2.4 points.
"""

from __future__ import annotations

import io
import sys
import zipfile
from typing import IO, TYPE_CHECKING

import numpy as np
from PIL import Image
from scipy.spatial.distance import cdist

from siambench.builtin.datasets.omniglot import ALL_RUNS
from siambench.data.locate import locate

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray


def modified_hausdorff(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """The larger of the two mean distances from the points of one set to the nearest of the other; 0 for equal sets.

    Args:
        one: points, [N, 2].
        other: points, [M, 2].

    Source:
        Dubuisson, Jain, A Modified Hausdorff Distance for Object Matching, ICPR 1994, equation 6 with the maximum of both directions.
    """
    distances = cdist(one, other)
    return float(max(distances.min(axis=1).mean(), distances.min(axis=0).mean()))


def points_of(image: IO[bytes]) -> NDArray[np.float64]:
    """Where a drawing has ink, in pixels from the centre of its ink, [N, 2]."""
    ink = np.asarray(Image.open(image).convert("L")) < 128
    points = np.argwhere(ink).astype(np.float64)
    return points - points.mean(axis=0)


def errors(archive: str | Path) -> list[tuple[int, int]]:
    """(wrong answers, questions) of each run: an item is taken for the nearest drawing shown, of equally near ones the first by name."""
    found = []
    with zipfile.ZipFile(archive) as file:
        for table in sorted(name for name in file.namelist() if name.endswith("class_labels.txt")):
            rows = [line.split() for line in file.read(table).decode().splitlines() if line.strip()]
            # The table's paths begin at the archive's root, which an outer folder may precede.
            outer = table.removesuffix("class_labels.txt").removesuffix(rows[0][0].split("/")[0] + "/")
            shown = {name: points_of(io.BytesIO(file.read(outer + name))) for name in sorted(learn for _, learn in rows)}
            wrong = 0
            for item, answer in rows:
                asked = points_of(io.BytesIO(file.read(outer + item)))
                wrong += min(shown, key=lambda name: modified_hausdorff(asked, shown[name])) != answer
            found.append((wrong, len(rows)))
    return found


if __name__ == "__main__":
    runs = errors(locate(ALL_RUNS))
    failed, asked = (sum(column) for column in zip(*runs, strict=True))
    sys.stdout.write(f"Modified Hausdorff distance: {failed} of {asked} wrong, error {failed / asked:.4f}\n")
