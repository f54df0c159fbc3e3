"""The loader of signatures: its layout, what it shows, its parts; on small data of that layout, and on the real files where they are."""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siambench.builtin.datasets import signatures
from siambench.builtin.datasets.signatures import MEDIA, NAMES, Look, stroke_width
from siambench.components.catalogue import Catalogue
from siambench.errors import ConfigError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

WRITERS = 6
PER_WRITER = len(MEDIA) * NAMES
SMALL = {"height": 8, "width": 16}


def written(seed, edge=40):
    """Black strokes on white, uint8 [edge, edge], no two alike."""
    paper = np.full((edge, edge), 255, dtype=np.uint8)
    generator = np.random.default_rng(seed)
    for _ in range(3):
        y, x = generator.integers(2, edge - 14, 2)
        paper[y : y + 2, x : x + 12] = 0
    return paper


@pytest.fixture
def small_signatures(tmp_path, monkeypatch):
    """Files of six writers in the layout of the published ones where SIAMBENCH_DATA points, and their checksums; four writers train."""
    root, lines = tmp_path / "data" / "signatures" / "bin", []
    for writer in range(1, WRITERS + 1):
        (root / str(writer)).mkdir(parents=True)
        checksums = []
        for number in range(1, PER_WRITER + 1):
            path = root / str(writer) / f"{number}.png"
            Image.fromarray(written([writer, number])).save(path)
            checksums.append(hashlib.sha256(path.read_bytes()).hexdigest()[:16])
        lines.append(" ".join(checksums))
    listed = tmp_path / "signatures.sha256"
    listed.write_text("# a word before them\n" + "\n".join(lines) + "\n")
    monkeypatch.setattr(signatures, "_CHECKSUMS", listed)
    monkeypatch.setattr(signatures, "TRAINING_WRITERS", 4)
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    return root


def numbers(dataset, part):
    """Writers and numbers of the files of a part."""
    return {tuple(map(int, dataset.item_names[i].split("/"))) for i in dataset.parts[part]}


def test_queries_are_from_screens_and_the_gallery_is_paper(small_signatures, build, check_contract):
    """Of all media the files 1 to 10 are the gallery, of the test and of trainval, 11 to 40 the queries; writers are disjoint."""
    dataset = build("signatures", **SMALL)
    check_contract(dataset)

    assert numbers(dataset, "trainval") == {(w, n) for w in range(1, 5) for n in range(1, 41)}
    assert numbers(dataset, "query") == {(w, n) for w in (5, 6) for n in range(11, 41)}
    assert numbers(dataset, "gallery") == {(w, n) for w in (5, 6) for n in range(1, 11)}
    assert numbers(dataset, "trainval-gallery") == {(w, n) for w in range(1, 5) for n in range(1, 11)}
    split = cut(dataset, SplitRules(rule="official", group="writer").spec)
    assert [2 * NAMES, 2 * NAMES] == [len(gallery) for gallery in split.galleries]


def test_each_item_is_its_file(small_signatures, build, every):
    """Item by item the pixels are those of the file that its name names, and its label is the file's folder."""
    dataset = build("signatures", **SMALL)
    look = Look(8, 16, 0.0)
    for name, label, image in zip(dataset.item_names, dataset.labels, every(dataset), strict=True):
        writer, number = map(int, name.split("/"))
        assert writer == label + 1
        paper = np.asarray(Image.open(small_signatures / str(writer) / f"{number}.png"))
        assert np.array_equal(look.shown(paper), image)


@pytest.mark.parametrize("medium", MEDIA)
def test_one_medium_is_compared_with_itself(small_signatures, build, medium):
    """Of one medium there are ten files a writer, trainval and test, and no gallery."""
    dataset = build("signatures", media=medium, **SMALL)
    first = NAMES * MEDIA.index(medium) + 1

    assert set(dataset.parts) == {"trainval", "test"}
    assert numbers(dataset, "test") == {(w, n) for w in (5, 6) for n in range(first, first + NAMES)}
    assert [NAMES] * WRITERS == np.bincount(dataset.labels).tolist()


def test_a_signature_is_a_name_by_a_writer(small_signatures, build, check_contract):
    """With classes of signatures the files n, n + 10, n + 20 and n + 30 of a writer share a class, which knows its writer and its name."""
    dataset = build("signatures", classes="signature", **SMALL)
    check_contract(dataset)
    for item, label in zip(dataset.item_names, dataset.labels, strict=True):
        writer, number = map(int, item.split("/"))
        assert dataset.class_attributes["writer"][label] == f"{writer:02d}"
        assert dataset.class_attributes["name"][label] == str((number - 1) % 10 + 1)
    assert [len(MEDIA)] * WRITERS * NAMES == np.bincount(dataset.labels).tolist()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"media": "papr"}, "unknown media 'papr'.*paper"),
        ({"classes": "name"}, "unknown classes 'name'"),
        ({"classes": "signature", "media": "paper"}, "on paper each name was written once"),
        ({"height": 4}, "height must be a number of pixels from 8 to 224, got 4"),
        ({"width": 500}, "width must be"),
        ({"stroke": -1.0}, "stroke must lie in 0 … 16"),
        ({"stroke": float("nan")}, "stroke must lie in 0 … 16"),
    ],
)
def test_options_that_cannot_be_are_refused(build, options, words):
    """A medium, a kind of class, a size or a stroke that there is not ends in one sentence, before any file is looked for."""
    with pytest.raises(ConfigError, match=words):
        build("signatures", **options)


def test_missing_files_are_counted(small_signatures, build, monkeypatch):
    """Where files are missing and cannot be downloaded, it is said how many, which is the first, and where it belongs."""

    def nothing(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("urllib.request.urlopen", nothing)
    for number in (7, 8):
        (small_signatures / "3" / f"{number}.png").unlink()

    with pytest.raises(
        DataMissingError, match=r"2 of the 240 images of signatures are missing, the first is signatures/bin/3/7.png"
    ) as caught:
        build("signatures", **SMALL)
    assert str(Path("signatures", "bin", "3")) in str(caught.value)


def test_a_changed_file_is_told(small_signatures, build):
    """A file with another content than the published one is named, with both checksums."""
    Image.fromarray(written(99)).save(small_signatures / "2" / "5.png")
    with pytest.raises(DataMissingError, match=r"2/5.png has SHA-256 .* expected"):
        build("signatures", **SMALL)


# ---- what is shown


def test_the_ink_is_cut_out_and_keeps_its_proportions():
    """A bar of 60 × 20 pixels anywhere on the paper fills the width of 30 × 30 and ten of its rows, in the middle, without grey."""
    paper = np.full((100, 100), 255, dtype=np.uint8)
    paper[70:90, 5:65] = 0
    found = Look(30, 30, 0.0).shown(paper)[0]

    assert np.array_equal(np.flatnonzero(found.any(axis=1)), np.arange(10, 20))
    assert (found[10:20] == 255).all()


def test_an_empty_paper_is_black():
    """Without ink there is nothing to cut out."""
    assert not Look(8, 8, 4.0).shown(np.full((20, 20), 255, dtype=np.uint8)).any()


@pytest.mark.parametrize(("width", "length"), [(2, 60), (5, 60), (8, 80)])
def test_the_width_of_a_stroke_is_measured(width, length):
    """A long bar is about as wide as it is: its rim, pixels with paper on a side, is what area is divided by."""
    paper = np.full((100, 100), 255, dtype=np.uint8)
    paper[20 : 20 + width, 10 : 10 + length] = 0
    rim = width * length - max(width - 2, 0) * (length - 2)

    assert stroke_width(paper) == pytest.approx(2 * width * length / rim)
    assert stroke_width(paper.T) == stroke_width(paper)


def test_thin_strokes_are_widened_and_wide_ones_stay():
    """A line of one pixel becomes as wide as asked, in steps of two; a bar that is wide enough is not touched."""
    thin, wide = (np.full((60, 60), 255, dtype=np.uint8) for _ in range(2))
    thin[30, 10:50] = 0
    wide[20:30, 10:50] = 0

    found = signatures._widened(thin, 4.5)
    assert [5] == sorted(set((found[:, 12:48] < 128).sum(axis=0).tolist()))
    assert np.array_equal(wide, signatures._widened(wide, 5.0))
    assert np.array_equal(thin, signatures._widened(thin, 0.0))


# ---- the published files

published = pytest.mark.skipif(
    not Path(os.environ.get("SIAMBENCH_DATA", ""), "signatures", "bin").is_dir() or not os.environ.get("SIAMBENCH_DATA"),
    reason="SIAMBENCH_DATA is unset or holds no signatures/bin",
)


def test_every_published_file_has_its_checksum_and_address():
    """There are 93 × 40 files, each with 16 digits of its checksum, its folder, and an address at one revision of their repository."""
    remotes = signatures.remotes()

    assert len(remotes) == 93 * PER_WRITER
    assert {16} == {len(remote.sha256_prefix) for remote in remotes}
    assert remotes[41].folder == "signatures/bin/2"
    assert remotes[41].url.endswith("/experiment/bin/2/2.png")
    # Two pairs of files of one writer and medium are copies of each other.
    assert len(remotes) - 2 == len({remote.sha256_prefix for remote in remotes})


@published
def test_the_published_files_are_93_writers(build, check_contract):
    """The real files: 53 writers in trainval and 40 in the test, 40 images each, all of them with ink from edge to edge."""
    dataset = build("signatures", height=16, width=32)
    check_contract(dataset)

    assert (len(dataset.labels), len(dataset.class_names)) == (3720, 93)
    assert {name: len(part) for name, part in dataset.parts.items()} == {
        "trainval": 2120,
        "query": 1200,
        "gallery": 400,
        "trainval-gallery": 530,
    }
    images = dataset.read(np.arange(3720))[:, 0]
    touches = images.any(axis=1)[:, [0, -1]].all(axis=1) | images.any(axis=2)[:, [0, -1]].all(axis=1)
    assert touches.mean() > 0.99


@published
def test_a_name_looks_more_like_itself_than_like_another(build):
    """Pixels of one name, by different people, are nearer to each other than to another's: the files hold ten names in one order."""
    dataset = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).dataset("signatures", {"height": 16, "width": 32, "stroke": 8.0, "media": "paper"})
    images = dataset.read(np.arange(930)).reshape(93, NAMES, -1).astype(np.float64)
    images /= np.linalg.norm(images, axis=2, keepdims=True)
    means = images.mean(axis=0)
    likeness = np.einsum("wnp,mp->wnm", images, means)

    assert (likeness.argmax(axis=2) == np.arange(NAMES)).mean() > 0.7
