import gzip
import hashlib
import io
import os
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from siambench.builtin.datasets import readers, siambench_datasets
from siambench.data.locate import Remote
from siambench.errors import DataError, DataMissingError
from siambench.plugin import call_factory
from siambench.tracks.split import cut

ENTRIES = siambench_datasets()
OMNIGLOT_FILES = ("images_background_small1.zip", "images_background_small2.zip", "all_runs.zip")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; SIAMBENCH_DATA as the tests set it."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def build(name, **options):
    """The data set as its entry builds it."""
    return call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **options})


def every(dataset):
    """All images."""
    return dataset.read(np.arange(len(dataset.labels)))


def check_contract(dataset):
    """Labels, names, attributes, parts and images keep what `Dataset` states."""
    assert dataset.labels.dtype == np.int64
    assert sorted(set(dataset.labels.tolist())) == list(range(len(dataset.class_names)))
    assert len(set(dataset.class_names)) == len(dataset.class_names)
    assert all(len(values) == len(dataset.class_names) for values in dataset.class_attributes.values())
    few = np.array([len(dataset.labels) - 1, 0, 2], dtype=np.int64)
    images = dataset.read(few)
    assert images.dtype == np.uint8
    assert images.shape == (3, *dataset.shape)
    assert np.array_equal(images[1], dataset.read(np.array([0]))[0])


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


# ---- Omniglot in the layout of its archives, small


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
        monkeypatch.setattr(readers, constant, Remote(name, "http://127.0.0.1:9/", hashlib.sha256(content).hexdigest(), "omniglot"))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    return answers


def test_omniglot_keeps_the_alphabets_apart(small_omniglot):
    """Small1 is trainval; of small2 the test part takes the alphabets that small1 lacks, so that none is on both sides."""
    dataset = build("omniglot-minimal")

    check_contract(dataset)
    alphabets = np.array(dataset.class_attributes["alphabet"])
    sides = {part: set(alphabets[dataset.labels[indices]].tolist()) for part, indices in dataset.parts.items()}
    assert sides == {"trainval": {"Greek", "Latin"}, "test": {"Sanskrit", "Tagalog"}}
    assert [len(dataset.parts[part]) for part in ("trainval", "test")] == [15, 18]
    assert np.bincount(dataset.labels).tolist() == [3] * 11
    assert "Latin/character02" in dataset.class_names
    split = cut(dataset, {"rule": "official", "folds": 2, "group": "alphabet"})
    assert len(split.trainval) == 15


def test_omniglot_is_bright_ink_on_black(small_omniglot):
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


def test_omniglots_runs_are_read_as_their_tables_say(small_omniglot):
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

    assert answers == readers.one_shot_runs(path, size=28).answer.tolist()


def test_a_missing_archive_is_named(small_omniglot, tmp_path):
    """Without one of the three files the error names that file and where it belongs."""
    (tmp_path / "data" / "omniglot" / "all_runs.zip").unlink()

    with pytest.raises(DataMissingError, match=r"all_runs\.zip is missing .* put the file into .*omniglot"):
        build("omniglot-minimal")


# ---- Omniglot, the files as published


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
def test_official_omniglot_has_its_published_sizes():
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
def test_official_omniglot_can_be_examined_on():
    """Cut by its parts with folds by alphabet, no image stands on both sides of anything."""
    dataset = build("omniglot-minimal")
    split = cut(dataset, {"rule": "official", "folds": 2, "group": "alphabet", "acknowledged_duplicates": 0})
    alphabets = np.array(dataset.class_attributes["alphabet"])

    for train, validation in split.folds:
        assert set(alphabets[dataset.labels[train]].tolist()).isdisjoint(alphabets[dataset.labels[validation]].tolist())


@needs_omniglot
def test_official_runs_answer_their_tables():
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


# ---- Fashion-MNIST in the layout of its files, small


def idx(array):
    """An IDX file of bytes, packed: two zeros, type 8, number of dimensions, dimensions as big-endian 32 bits, content."""
    header = struct.pack(">HBB", 0, 8, array.ndim) + struct.pack(f">{array.ndim}i", *array.shape)
    return gzip.compress(header + array.tobytes())


@pytest.fixture
def small_fashion(tmp_path, monkeypatch):
    """The four files, small; images and labels as they were written."""
    generator = np.random.default_rng(0)
    images = generator.integers(0, 256, (23, 28, 28), dtype=np.uint8)
    labels = np.array([*range(10), *range(10), 3, 4, 5], dtype=np.uint8)
    contents = dict(zip(readers.FASHION, map(idx, (images[:15], labels[:15], images[15:], labels[15:])), strict=True))
    remotes = {}
    (tmp_path / "fashion-mnist").mkdir()
    for name, content in contents.items():
        (tmp_path / "fashion-mnist" / name).write_bytes(content)
        checksum = hashlib.sha256(gzip.decompress(content)).hexdigest()
        remotes[name] = Remote(name, "http://127.0.0.1:9/", checksum, "fashion-mnist", unpacked=True)
    monkeypatch.setattr(readers, "FASHION", remotes)
    monkeypatch.setattr(readers, "_DEBIAN_FASHION", tmp_path / "not installed")
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    return images, labels


def test_fashion_mnist_joins_its_two_parts(small_fashion):
    """Images of the train files come first, then those of the test files, with the ten published names."""
    images, labels = small_fashion
    dataset = build("fashion-mnist")

    check_contract(dataset)
    assert np.array_equal(images[:, None], every(dataset))
    assert np.array_equal(labels, dataset.labels)
    assert dataset.class_names[9] == "ankle boot"
    assert dataset.parts == {}


def test_fashion_mnist_is_found_where_debian_puts_it(small_fashion, tmp_path, monkeypatch):
    """The files of a distribution's package are taken where SIAMBENCH_DATA does not have them."""
    monkeypatch.delenv("SIAMBENCH_DATA")
    monkeypatch.setattr(readers, "_DEBIAN_FASHION", tmp_path / "fashion-mnist")

    assert len(build("fashion-mnist").labels) == 23


# ---- digits and glyphs


def test_digits_are_scikit_learns():
    """All 1,797 digits, their 17 grey levels spread over 0 … 255."""
    dataset, bunch = build("digits"), load_digits()

    check_contract(dataset)
    assert np.array_equal(bunch.target, dataset.labels)
    assert np.array_equal(np.round(bunch.images * 255 / 16), every(dataset)[:, 0])
    assert every(dataset).max() == 255


def test_glyphs_fit_their_contract_and_their_split():
    """The embedded data set brings an official split whose scripts are apart, and folds by family."""
    dataset = build("glyphs")

    check_contract(dataset)
    scripts = np.array(dataset.class_attributes["script"])
    trainval, test = (set(scripts[dataset.labels[dataset.parts[part]]].tolist()) for part in ("trainval", "test"))
    assert trainval.isdisjoint(test)
    split = cut(dataset, {"rule": "official", "folds": 2, "group": "family"})
    assert len(dataset.labels) == len(split.trainval) + len(split.test)


# ---- folders


def fill(root, classes, *, edge=6, suffix="png"):
    """One folder per class, with numbered images of one grey each."""
    for c, (name, number) in enumerate(classes.items()):
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(number):
            Image.new("L", (edge, edge), color=40 * c + i + 1).save(folder / f"{i:02d}.{suffix}")
    return root


def test_a_folder_is_read_class_by_class(tmp_path):
    """Classes are the folders in order of name, images the files in order of name, grey or colour, at the size asked for."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 3})

    for mode, channels in (("grey", 1), ("rgb", 3)):
        dataset = build("folder", path=str(root), size=4, mode=mode)
        check_contract(dataset)
        assert dataset.class_names == ["finch", "wren"]
        assert dataset.labels.tolist() == [0, 0, 0, 1, 1]
        assert dataset.shape == (channels, 4, 4)
        assert every(dataset)[:, 0, 0, 0].tolist() == [41, 42, 43, 1, 2]


def test_hidden_files_and_other_files_are_passed_over(tmp_path):
    """Hidden files and folders, texts, and folders without images are no part of the data; images in deeper folders are."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    (root / "wren" / ".hidden.png").write_bytes(b"no image")
    (root / "wren" / "notes.txt").write_text("a note")
    (root / "empty").mkdir()
    (root / "readme.png").write_bytes(b"no class of its own")
    fill(root, {".cache": 2})
    fill(root / "wren", {"more": 1})
    fill(root / "wren", {".thumbnails": 2})
    Image.new("L", (6, 6), color=250).save(root / "finch" / "LARGE.JPG")

    dataset = build("folder", path=str(root))

    assert dataset.class_names == ["finch", "wren"]
    assert np.bincount(dataset.labels).tolist() == [3, 3]


def test_a_folder_of_one_class_is_no_exam(tmp_path):
    """One class, or none, is an error with the number that was found."""
    root = fill(tmp_path / "birds", {"wren": 3})
    with pytest.raises(DataError, match="holds 1 folders with images; an exam needs at least two"):
        build("folder", path=str(root))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds 0 folders"):
        build("folder", path=str(tmp_path / "empty"))


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """A path that is no folder is missing data."""
    with pytest.raises(DataMissingError, match=r"no such folder: .*nowhere"):
        build("folder", path=str(tmp_path / "nowhere"))


def test_a_file_that_cannot_be_read_is_named(tmp_path):
    """A broken image is an error that names the file, and leaves no half of a cache."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    (root / "wren" / "broken.png").write_bytes(b"no image")

    with pytest.raises(DataError, match=r"wren.broken\.png cannot be read as an image"):
        build("folder", path=str(root))

    (root / "wren" / "broken.png").unlink()
    assert len(build("folder", path=str(root)).labels) == 4


def test_a_mode_that_does_not_exist_is_refused(tmp_path):
    """Grey and rgb are all there is."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    with pytest.raises(DataError, match="mode must be grey or rgb, got 'cmyk'"):
        build("folder", path=str(root), mode="cmyk")


def test_a_changed_folder_is_read_again(tmp_path):
    """A file that is added or written anew shows in the next reading, in spite of the cache."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    before = every(build("folder", path=str(root)))
    Image.new("L", (6, 6), color=200).save(root / "wren" / "00.png")
    os.utime(root / "wren" / "00.png", ns=(1, 1))

    after = every(build("folder", path=str(root)))

    assert before[2].max() == 1
    assert after[2].max() == 200


def test_images_of_one_folder_may_differ_in_size(tmp_path):
    """Images of any size are brought to one."""
    root = fill(tmp_path / "birds", {"wren": 2}, edge=5)
    fill(root, {"finch": 2}, edge=90)

    assert build("folder", path=str(root), size=16).shape == (3, 16, 16)
