import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siambench.builtin.datasets import omniglot
from siambench.builtin.datasets import whole_omniglot as whole
from siambench.builtin.datasets.omniglot import one_shot_runs
from siambench.data.locate import Remote
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

OMNIGLOT_FILES = ("images_background_small1.zip", "images_background_small2.zip", "all_runs.zip")


def png(pixels):
    """PNG bytes; of booleans a one-bit image, as Omniglot's files are."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format="PNG")
    return file.getvalue()


def stroke(seed, edge=105):
    """A drawing as Omniglot has it: ink False on paper True, no two alike."""
    paper = np.ones((edge, edge), dtype=bool)
    generator = np.random.default_rng(seed)
    for _ in range(4):
        y, x = generator.integers(5, edge - 30, 2)
        paper[y : y + 25, x : x + 4] = False
    return paper


# ---- in the layout of its archives, small


def background(folder, alphabets, first):
    """images_background/<alphabet>/<character>/<class>_<drawing>.png, with the folders' own entries as the official zips have."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{folder}/", "")
        number = first
        for alphabet, characters in alphabets.items():
            archive.writestr(f"{folder}/{alphabet}/", "")
            for character in range(1, characters + 1):
                number += 1
                for drawing in (1, 2, 3):
                    name = f"{folder}/{alphabet}/character{character:02d}/{number:04d}_{drawing:02d}.png"
                    archive.writestr(name, png(stroke([number, drawing])))
        archive.writestr("__MACOSX/._images_background", b"\0")
    return file.getvalue()


def runs(number=2, ways=3):
    """run01/class_labels.txt, run01/training/class01.png, run01/test/item01.png; the right answers shuffled."""
    file, answers = io.BytesIO(), []
    with zipfile.ZipFile(file, "w") as archive:
        for run in range(1, number + 1):
            order = np.random.default_rng(run).permutation(ways)
            lines = []
            for way in range(ways):
                archive.writestr(f"run{run:02d}/training/class{way + 1:02d}.png", png(stroke([run, way])))
                archive.writestr(f"run{run:02d}/test/item{way + 1:02d}.png", png(stroke([run, way, 7])))
                lines.append(f"run{run:02d}/test/item{way + 1:02d}.png run{run:02d}/training/class{order[way] + 1:02d}.png")
            archive.writestr(f"run{run:02d}/class_labels.txt", "\n".join(lines) + "\n")
            answers.append(order.tolist())
    return file.getvalue(), answers


@pytest.fixture
def small_omniglot(tmp_path, monkeypatch):
    """The three archives, small, where SIAMBENCH_DATA points; the right answers of the runs."""
    folder = tmp_path / "data" / "omniglot"
    folder.mkdir(parents=True)
    one_shot, answers = runs()
    contents = {
        "SMALL1": background("images_background_small1", {"Latin": 2, "Greek": 3}, 0),
        "SMALL2": background("images_background_small2", {"Greek": 3, "Tagalog": 4, "Sanskrit": 2}, 100),
        "ALL_RUNS": one_shot,
    }
    for (constant, content), name in zip(contents.items(), OMNIGLOT_FILES, strict=True):
        (folder / name).write_bytes(content)
        monkeypatch.setattr(omniglot, constant, Remote(name, "http://127.0.0.1:9/", hashlib.sha256(content).hexdigest(), "omniglot"))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    return answers


def test_omniglot_keeps_the_alphabets_apart(build, check_contract, small_omniglot):
    """Small1 is trainval; of small2 the test part takes the alphabets that small1 lacks, so that none is on both sides."""
    dataset = build("omniglot-minimal")

    check_contract(dataset)
    alphabets = np.array(dataset.class_attributes["alphabet"])
    sides = {part: set(alphabets[dataset.labels[indices]].tolist()) for part, indices in dataset.parts.items()}
    assert sides == {"trainval": {"Greek", "Latin"}, "test": {"Sanskrit", "Tagalog"}}
    assert [len(dataset.parts[part]) for part in ("trainval", "test")] == [15, 18]
    assert np.bincount(dataset.labels).tolist() == [3] * 11
    assert "Latin/character02" in dataset.class_names
    split = cut(dataset, SplitRules(rule="official", group="alphabet").spec)
    assert len(split.trainval) == 15


def test_omniglot_is_bright_ink_on_black(build, every, small_omniglot):
    """Drawings are 28 × 28 by default, paper is 0 and ink is bright; the order is that of the names."""
    dataset = build("omniglot-minimal")
    images = every(dataset)

    assert images.shape == (33, 1, 28, 28)
    assert images[:, :, 0].max() == 0
    assert images.max() > 128
    # The first class in order of name is Greek's first: number 3 in the archive, as Latin's two come before it there.
    assert dataset.class_names[dataset.labels[0]] == "Greek/character01"
    expected = Image.fromarray(stroke([3, 1])).convert("L").resize((28, 28), Image.Resampling.BOX)
    assert np.array_equal(255 - np.asarray(expected), images[0, 0])
    assert build("omniglot-minimal", size=105).read(np.array([0])).shape == (1, 1, 105, 105)


def test_omniglots_runs_are_read_as_their_tables_say(build, small_omniglot):
    """Each run gives one support image per way in order of name, one query per line, and the answer of the line."""
    found = build("omniglot-minimal").episodes["one-shot"]()

    assert found.support.shape == (2, 3, 1, 28, 28)
    assert found.query.shape == (2, 3, 1, 28, 28)
    assert small_omniglot == found.answer.tolist()
    ink = 255 - np.asarray(Image.fromarray(stroke([2, 1])).convert("L").resize((28, 28), Image.Resampling.BOX))
    assert np.array_equal(ink, found.support[1, 1, 0])
    ink = 255 - np.asarray(Image.fromarray(stroke([2, 1, 7])).convert("L").resize((28, 28), Image.Resampling.BOX))
    assert np.array_equal(ink, found.query[1, 1, 0])


def test_omniglots_runs_may_lie_in_an_outer_folder(tmp_path):
    """Runs below ``all_runs/`` are read like runs at the archive's root."""
    content, answers = runs()
    inner, outer = zipfile.ZipFile(io.BytesIO(content)), io.BytesIO()
    with zipfile.ZipFile(outer, "w") as archive:
        for name in inner.namelist():
            archive.writestr(f"all_runs/{name}", inner.read(name))
    path = tmp_path / "outer.zip"
    path.write_bytes(outer.getvalue())

    assert answers == one_shot_runs(path, size=28).answer.tolist()


def test_a_missing_archive_is_named(build, small_omniglot, tmp_path):
    """Without one of the three files the error names that file and where it belongs."""
    (tmp_path / "data" / "omniglot" / "all_runs.zip").unlink()

    with pytest.raises(DataMissingError, match=r"all_runs\.zip is missing .* put the file into .*omniglot"):
        build("omniglot-minimal")


# ---- the files as published


def official(name):
    """The path of an official file below SIAMBENCH_DATA, or None."""
    root = os.environ.get("SIAMBENCH_DATA")
    path = Path(root, "omniglot", name) if root else None
    return path if path is not None and path.is_file() else None


needs_omniglot = pytest.mark.skipif(
    any(official(name) is None for name in OMNIGLOT_FILES),
    reason="SIAMBENCH_DATA is unset or holds no omniglot folder with the three official files",
)


@needs_omniglot
def test_official_omniglot_has_its_published_sizes(build, check_contract):
    """Five alphabets with 136 classes × 20 to train; three that small1 lacks to test; no alphabet on both sides."""
    dataset = build("omniglot-minimal")

    check_contract(dataset)
    alphabets = np.array(dataset.class_attributes["alphabet"])
    trainval, test = (dataset.labels[dataset.parts[part]] for part in ("trainval", "test"))
    assert len(set(trainval.tolist())) == 136
    assert len(trainval) == 136 * 20
    assert set(np.bincount(dataset.labels).tolist()) == {20}
    assert len(set(alphabets[trainval].tolist())) == 5
    assert set(alphabets[test].tolist()).isdisjoint(alphabets[trainval].tolist())
    with zipfile.ZipFile(official("images_background_small2.zip")) as archive:
        there = {tuple(name.split("/")[-3:-1]) for name in archive.namelist() if name.endswith(".png")}
    expected = {f"{alphabet}/{character}" for alphabet, character in there if alphabet not in set(alphabets[trainval].tolist())}
    assert expected == {dataset.class_names[c] for c in test}
    assert {alphabet for alphabet, _ in there} - set(alphabets[trainval].tolist()) == set(alphabets[test].tolist())


@needs_omniglot
def test_official_omniglot_can_be_examined_on(build):
    """Cut by its parts with folds by alphabet, no image stands on both sides of anything."""
    dataset = build("omniglot-minimal")
    split = cut(dataset, SplitRules(rule="official", group="alphabet").spec)
    alphabets = np.array(dataset.class_attributes["alphabet"])

    for train, validation in split.folds:
        assert set(alphabets[dataset.labels[train]].tolist()).isdisjoint(alphabets[dataset.labels[validation]].tolist())


@needs_omniglot
def test_official_runs_answer_their_tables(build):
    """Twenty runs of twenty ways, and each answer is the image that the run's table names."""
    found = build("omniglot-minimal").episodes["one-shot"]()

    assert found.support.shape == (20, 20, 1, 28, 28)
    assert found.query.shape == (20, 20, 1, 28, 28)
    with zipfile.ZipFile(official("all_runs.zip")) as archive:
        tables = sorted(name for name in archive.namelist() if name.endswith("class_labels.txt"))
        assert len(tables) == 20
        for run, table in enumerate(tables):
            for line_number, line in enumerate(archive.read(table).decode().split("\n")[:20]):
                learnt = line.split()[1]
                ways = int(learnt[-6:-4])
                assert ways - 1 == found.answer[run, line_number]
                member = next(name for name in archive.namelist() if name.endswith(learnt))
                pixels = np.asarray(Image.open(io.BytesIO(archive.read(member))).convert("L").resize((28, 28), Image.Resampling.BOX))
                assert np.array_equal(255 - pixels, found.support[run, ways - 1, 0])
    for answers in found.answer:
        assert sorted(answers.tolist()) == list(range(20))


# ---- all of Omniglot


@pytest.fixture
def whole_omniglot(small_omniglot, tmp_path, monkeypatch):
    """Both large archives beside the small ones, small."""
    folder = tmp_path / "data" / "omniglot"
    for constant in ("SMALL1", "SMALL2", "ALL_RUNS"):
        monkeypatch.setattr(whole, constant, getattr(omniglot, constant))
    contents = {
        "BACKGROUND": ("images_background.zip", background("images_background", {"Latin": 2, "Korean": 3}, 0)),
        "EVALUATION": ("images_evaluation.zip", background("images_evaluation", {"Tibetan": 2, "Oriya": 1}, 200)),
    }
    for constant, (name, content) in contents.items():
        (folder / name).write_bytes(content)
        md5 = hashlib.md5(content).hexdigest()
        monkeypatch.setattr(whole, constant, Remote(name, "http://127.0.0.1:9/", "", "omniglot", md5=md5))


@pytest.mark.parametrize(
    ("background_set", "alphabets"),
    [("full", {"Latin", "Korean"}), ("small1", {"Latin", "Greek"}), ("small2", {"Greek", "Tagalog", "Sanskrit"})],
)
def test_the_evaluation_set_is_the_test(build, every, check_contract, whole_omniglot, background_set, alphabets):
    """A background set, all of it or one of the minimal ones, is trained on, the evaluation set tests; alphabets are groups."""
    dataset = build("omniglot", background=background_set)

    check_contract(dataset)
    of_class = np.array(dataset.class_attributes["alphabet"])
    assert set(of_class[dataset.labels[dataset.parts["trainval"]]].tolist()) == alphabets
    assert set(of_class[dataset.labels[dataset.parts["test"]]].tolist()) == {"Tibetan", "Oriya"}
    assert dataset.episodes["one-shot"]().answer.shape == (2, 3)


def test_archives_of_omniglot_are_checked(build, whole_omniglot, tmp_path):
    """The published MD5 is demanded; an unknown background is refused with those that there are."""
    with pytest.raises(DataError, match=r"background must be one of full, small1, small2, got 'small', did you mean"):
        build("omniglot", background="small")
    (tmp_path / "data/omniglot/images_evaluation.zip").write_bytes(b"PK")
    with pytest.raises(DataMissingError, match=r"images_evaluation\.zip has MD5 [0-9a-f]{16}…, expected"):
        build("omniglot")
