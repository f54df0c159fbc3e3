"""The embedded data set is what its card says: sizes, split, clean images, nothing twice."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import unicodedata
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

FOLDER = Path(__file__).parents[3] / "docs" / "drawing_glyphs"
FILE = Path(str(files("siambench.builtin.datasets"))) / "glyphs.npz"

Arrays = dict[str, NDArray[np.generic]]


@pytest.fixture(scope="module")
def glyphs() -> Arrays:
    """All arrays of the file, read without pickle."""
    with np.load(FILE, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def part_of_class(glyphs: Arrays) -> NDArray[np.str_]:
    """`trainval` or `test` for each class."""
    parts = dict(zip(glyphs["script_names"].tolist(), glyphs["script_parts"].tolist(), strict=True))
    return np.array([parts[script] for script in glyphs["class_scripts"].tolist()])


def test_the_file_is_small_enough_to_travel_with_the_package() -> None:
    """The one file takes at most 3 MB."""
    assert FILE.stat().st_size <= 3_000_000


def test_the_card_names_the_checksum() -> None:
    """The SHA-256 of the file stands in the data card."""
    digest = hashlib.sha256(FILE.read_bytes()).hexdigest()
    assert f"`{digest}`" in (FOLDER / "README.md").read_text(encoding="utf-8")


def test_the_arrays_fit_each_other(glyphs: Arrays) -> None:
    """Types and lengths are those of the data card."""
    images, classes, scripts = len(glyphs["images"]), len(glyphs["class_names"]), len(glyphs["script_names"])
    expected = {
        "images": ("uint8", (images, 24, 24)),
        "labels": ("int64", (images,)),
        "codepoints": ("int32", (classes,)),
        "face_of_image": ("int16", (images,)),
        "family_of_face": ("int16", (len(glyphs["faces"]),)),
    }
    actual = {name: (str(glyphs[name].dtype), glyphs[name].shape) for name in expected}
    assert expected == actual
    assert (classes, scripts, scripts) == tuple(len(glyphs[name]) for name in ("class_scripts", "script_families", "script_parts"))


def test_there_are_six_hundred_to_a_thousand_classes_of_fifteen_scripts(glyphs: Arrays) -> None:
    """The data set has 600 to 1,000 classes of at least fifteen scripts, and each script named has classes."""
    assert 600 <= len(glyphs["class_names"]) <= 1000
    assert len(glyphs["script_names"]) >= 15
    assert set(glyphs["script_names"].tolist()) == set(glyphs["class_scripts"].tolist())


def test_each_class_has_twelve_to_twenty_images(glyphs: Arrays) -> None:
    """Labels run from 0 without gaps, and each has 12 to 20 images."""
    counts = np.bincount(glyphs["labels"].astype(np.int64), minlength=len(glyphs["class_names"]))
    assert len(counts) == len(glyphs["class_names"])
    assert counts.min() >= 12
    assert counts.max() <= 20


def test_at_most_eight_images_of_a_class_come_from_one_family(glyphs: Arrays) -> None:
    """No family of faces draws more than eight images of a class, and no face draws a class twice."""
    faces = glyphs["face_of_image"].astype(np.int64)
    families = glyphs["family_of_face"].astype(np.int64)[faces]
    labels = glyphs["labels"].astype(np.int64)
    assert np.unique(labels * len(glyphs["face_families"]) + families, return_counts=True)[1].max() <= 8
    assert np.unique(labels * len(glyphs["faces"]) + faces, return_counts=True)[1].max() == 1


def test_a_class_is_one_letter(glyphs: Arrays) -> None:
    """Every class is another letter, named by its script and its Unicode name."""
    codepoints = [int(code) for code in glyphs["codepoints"]]
    expected = [
        f"{script}/{unicodedata.name(chr(code))}" for script, code in zip(glyphs["class_scripts"].tolist(), codepoints, strict=True)
    ]
    assert expected == glyphs["class_names"].tolist()
    assert len(codepoints) == len(set(codepoints))
    assert {unicodedata.category(chr(code)) for code in codepoints} <= {"Lu", "Ll", "Lo", "Lm"}
    assert [code for code in codepoints if unicodedata.normalize("NFKD", chr(code)) != chr(code)] == []


def test_kindred_scripts_stand_on_one_side(glyphs: Arrays) -> None:
    """No family of scripts has scripts in both parts, and both parts have classes."""
    sides: dict[str, set[str]] = {}
    for family, part in zip(glyphs["script_families"].tolist(), glyphs["script_parts"].tolist(), strict=True):
        sides.setdefault(family, set()).add(part)
    assert dict.fromkeys(sides, 1) == {family: len(parts) for family, parts in sides.items()}
    assert {"trainval", "test"} == set(part_of_class(glyphs).tolist())


def test_the_families_of_trainval_make_two_halves(glyphs: Arrays) -> None:
    """At least four families train, and some two groups of them differ by less than a tenth of the classes."""
    family_of = dict(zip(glyphs["script_names"].tolist(), glyphs["script_families"].tolist(), strict=True))
    training = glyphs["class_scripts"][part_of_class(glyphs) == "trainval"].tolist()
    families = sorted({family_of[script] for script in training})
    sizes = [sum(family_of[script] == family for script in training) for family in families]
    halves = [sum(size for place, size in enumerate(sizes) if mask >> place & 1) for mask in range(2 ** len(sizes))]
    assert len(families) >= 4
    assert min(abs(2 * half - len(training)) for half in halves) < len(training) / 10


def test_no_image_is_blank_or_cut(glyphs: Arrays) -> None:
    """Every image has ink that can be seen, and none of it touches the border."""
    images = glyphs["images"].astype(np.int64)
    assert images.max(axis=(1, 2)).min() >= 128
    assert images.sum(axis=(1, 2)).min() >= 10 * 255
    border = np.ones((24, 24), dtype=bool)
    border[1:-1, 1:-1] = False
    assert images[:, border].max() == 0


def test_no_image_stands_twice(glyphs: Arrays) -> None:
    """All images differ, so none stands in both parts or in two classes."""
    assert len(glyphs["images"]) == len({image.tobytes() for image in glyphs["images"]})


def test_no_two_classes_look_the_same(glyphs: Arrays) -> None:
    """The mean images of two classes, each image centred on its ink, are never nearly equal."""
    images = glyphs["images"].astype(np.float64)
    axis = np.arange(24)
    ink = images.sum(axis=(1, 2))
    rows = np.rint(11.5 - (images.sum(axis=2) * axis).sum(axis=1) / ink).astype(int)
    columns = np.rint(11.5 - (images.sum(axis=1) * axis).sum(axis=1) / ink).astype(int)
    centred = np.stack([np.roll(image, (y, x), (0, 1)) for image, y, x in zip(images, rows, columns, strict=True)])
    labels = range(len(glyphs["codepoints"]))
    means = np.stack([centred[glyphs["labels"] == label].mean(axis=0).ravel() for label in labels])
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    cosines = means @ means.T - np.eye(len(means))
    assert cosines.max() < 0.99


def test_the_making_script_imports_without_what_it_draws_with() -> None:
    """`make_glyphs` can be imported where torch, Pillow, fontTools and SciPy are missing."""
    program = (
        f"import sys; sys.path.insert(0, {str(FOLDER.parent)!r})\n"
        "for name in ('torch', 'PIL', 'fontTools', 'scipy'): sys.modules[name] = None\n"
        "import drawing_glyphs.make_glyphs as made\n"
        "print(made.SEED)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    """The archive depends on its arrays alone, not on when or where it is written."""
    from drawing_glyphs.make_glyphs import write

    arrays: Arrays = {"images": np.arange(8, dtype=np.uint8), "names": np.array(["a", "bc"])}
    assert write(tmp_path / "first.npz", arrays) == write(tmp_path / "second.npz", arrays)
    with np.load(tmp_path / "first.npz", allow_pickle=False) as archive:
        assert arrays["names"].tolist() == archive["names"].tolist()


def test_a_missing_font_names_its_package(tmp_path: Path) -> None:
    """Where a font file is missing, the error says which Debian package to install."""
    pytest.importorskip("fontTools")
    from drawing_glyphs.draw import Face, FontMissingError
    from drawing_glyphs.faces import FaceFamily

    family = FaceFamily("Nobody", ("fonts-nobody",), "OFL-1.1", tmp_path, ("a.ttf",), frozenset({"Latin"}), frozenset())
    with pytest.raises(FontMissingError, match="apt-get install fonts-nobody"):
        Face(family, "a.ttf")


def test_distorted_ink_stays_inside_whatever_its_shape() -> None:
    """Wide, tall and slanted ink is scaled by its larger side, never cut or squeezed."""
    pytest.importorskip("PIL")
    from drawing_glyphs.draw import distort

    for shape in ((4, 96), (96, 4), (96, 96), (30, 96)):
        for seed in range(20):
            image = distort(np.full(shape, 255, dtype=np.uint8), np.random.default_rng(seed))
            rows, columns = np.nonzero(image)
            assert min(rows.min(), columns.min()) >= 1
            assert max(rows.max(), columns.max()) <= 22
            assert 13 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 22


def test_glyphs_fit_their_contract_and_their_split(build, check_contract) -> None:
    """The embedded data set brings an official split whose scripts are apart, and folds by family."""
    dataset = build("glyphs")

    check_contract(dataset)
    scripts = np.array(dataset.class_attributes["script"])
    trainval, test = (set(scripts[dataset.labels[dataset.parts[part]]].tolist()) for part in ("trainval", "test"))
    assert trainval.isdisjoint(test)
    split = cut(dataset, SplitRules(rule="official", group="family").spec)
    assert len(dataset.labels) == len(split.trainval) + len(split.test)
