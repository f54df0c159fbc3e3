"""The Modified Hausdorff distance, a baseline of omniglot-one-shot that has no model."""

import io
import os
import zipfile
from pathlib import Path

import modified_hausdorff
import numpy as np
import pytest
from modified_hausdorff import errors, points_of
from PIL import Image


def by_loops(one, other):
    """Mean over the points of one set of the distance to the nearest of the other, both ways, the larger."""
    ways = []
    for left, right in ((one, other), (other, one)):
        nearest = [min(float(np.hypot(*(np.array(a) - np.array(b)))) for b in right) for a in left]
        ways.append(sum(nearest) / len(nearest))
    return max(ways)


def test_the_distance_is_that_of_plain_loops():
    """On random sets of different sizes, with points in common and points twice, the distance is what two loops give, either way round."""
    generator = np.random.default_rng(0)
    for _ in range(20):
        one, other = (generator.integers(0, 6, (size, 2)).astype(float) for size in generator.integers(1, 9, 2))
        assert modified_hausdorff.modified_hausdorff(one, other) == pytest.approx(by_loops(one.tolist(), other.tolist()))
        assert modified_hausdorff.modified_hausdorff(other, one) == modified_hausdorff.modified_hausdorff(one, other)
    assert modified_hausdorff.modified_hausdorff(one, one) == 0


def drawing(rows):
    """A PNG with ink, black on white, in some rows of its middle column and the next two of the first of them."""
    paper = np.ones((20, 20), dtype=bool)
    paper[rows, 10] = False
    paper[rows[0], 10:13] = False
    file = io.BytesIO()
    Image.fromarray(paper).save(file, format="PNG")
    return file


def test_points_are_seen_from_their_centre():
    """The same drawing further down has the same points: what is compared is form, not place."""
    assert points_of(drawing([2, 3, 4])) == pytest.approx(points_of(drawing([9, 10, 11])))
    assert points_of(drawing([2, 3, 4])).mean(axis=0) == pytest.approx([0, 0])


def test_wrong_answers_are_counted_by_run(tmp_path):
    """In a run whose answers are swapped every item is wrong, in one whose answers are right none is."""
    path = tmp_path / "runs.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for run, order in (("run01", (1, 2)), ("run02", (2, 1))):
            for number, rows in ((1, [3, 4]), (2, [3, 4, 5, 6, 7, 8, 9])):
                archive.writestr(f"{run}/training/class0{number}.png", drawing(rows).getvalue())
                archive.writestr(f"{run}/test/item0{number}.png", drawing([row + 5 for row in rows]).getvalue())
            lines = [f"{run}/test/item0{item}.png {run}/training/class0{learn}.png" for item, learn in zip((1, 2), order, strict=True)]
            archive.writestr(f"{run}/class_labels.txt", "\n".join(lines))

    assert [(0, 2), (2, 2)] == errors(path)


@pytest.mark.slow
def test_the_official_runs_have_the_error_that_is_printed():
    """On the official pixels 155 of 400 items are wrong, 38.75 %, as the track's notes and the script say."""
    path = Path(os.environ.get("SIAMBENCH_DATA", ""), "omniglot", "all_runs.zip")
    if not path.is_file():
        pytest.skip("SIAMBENCH_DATA is unset or holds no omniglot/all_runs.zip")
    runs = errors(path)

    assert (20, {20}) == (len(runs), {asked for _, asked in runs})
    assert sum(wrong for wrong, _ in runs) == 155
    assert "38.75 %" in str(modified_hausdorff.__doc__)
