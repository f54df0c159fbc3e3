"""`siambench plot map FILE`: somebody's own embeddings as a picture, by the command line and in Python."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

import siambench as package
from siambench.board.unit_figures import pictured
from siambench.records.folder import Folder


@pytest.fixture
def embeddings(tmp_path):
    """Twenty items of two labels, with names and images."""
    generator = np.random.default_rng(0)
    path = tmp_path / "mine.npz"
    np.savez(
        path,
        embeddings=generator.normal(size=(20, 4)) + np.repeat([[0, 0, 0, 0], [5, 5, 0, 0]], 10, axis=0),
        labels=np.repeat(["<script>", "$x$"], 10),
        names=[f"{place}.png" for place in range(20)],
        images=generator.integers(0, 256, (20, 6, 6), dtype=np.uint8),
    )
    return path


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_a_file_of_embeddings_becomes_a_map(siambench, embeddings, tmp_path, suffix):
    """The figure is written, its caption says of what it is, and the same command gives the same bytes; labels are text."""
    out = tmp_path / f"map{suffix}"
    done = siambench("plot", "map", embeddings, "--out", out)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert "20 items of 2 labels, by the cosine. The first two principal components" in done.stderr
    content = out.read_bytes()
    assert b"<script>" not in content
    assert siambench("plot", "map", embeddings, "--out", out).returncode == 0
    assert out.read_bytes() == content
    if suffix == ".png":
        with Image.open(out) as image:
            assert image.width > 500


def test_images_come_from_a_folder_too(siambench, embeddings, tmp_path):
    """`--images` shows the files that the items are named by; one that is missing is named, exit code 4."""
    folder = tmp_path / "images"
    folder.mkdir()
    for place in range(20):
        Image.new("RGB", (9, 9), (place * 10, 0, 0)).save(folder / f"{place}.png")
    done = siambench("plot", "map", embeddings, "--images", folder, "--distance", "euclidean", "--out", tmp_path / "map.svg")
    assert 0 == done.returncode, done.stderr
    assert "with their images" in done.stderr
    for place in range(20):
        (folder / f"{place}.png").unlink()
    done = siambench("plot", "map", embeddings, "--images", folder, "--out", tmp_path / "map.svg")
    assert (4, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "holds no image" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("roc", "FILE"), "holds embeddings: of these there is the figure map, not roc"),
        (("map", "FILE", "--method", "tnse"), "'tnse'"),
        (("map", "FILE", "--rows", "triplet"), "holds embeddings: --rows, --from and --exam are for tables"),
        (("map", "glyphs", "--method", "tsne"), "--method, --distance and --images are for a map of a file of embeddings"),
        (("map", "gone.npz"), "no such file: gone.npz"),
        (("map", "broken.npz"), "broken.npz cannot be read as npz"),
    ],
)
def test_what_cannot_be_is_said_in_a_sentence(siambench, embeddings, tmp_path, monkeypatch, arguments, said):
    """Another figure, another method, options of tables, a file that is gone or broken: exit code 4, one sentence, no file."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    done = siambench("plot", *(embeddings if word == "FILE" else word for word in arguments), "--out", tmp_path / "map.svg")
    assert 4 == done.returncode
    assert said in done.stderr
    assert not (tmp_path / "map.svg").exists()


def test_python_draws_the_same(embeddings, tmp_path, siambench):
    """`siambench.plot("map", FILE, out=…)` writes what the command writes."""
    one, other = tmp_path / "one.svg", tmp_path / "other.svg"
    assert one == package.plot("map", embeddings, out=one, distance="euclidean")
    siambench("plot", "map", embeddings, "--distance", "euclidean", "--out", other)
    assert one.read_bytes() == other.read_bytes()


def test_one_record_is_drawn_by_its_own_figures(siambench, folder, tmp_path):
    """A record's file stands for itself: the map of another repetition than that which stands for its row."""
    from made import studies

    from siambench.records.unit_figures import Class, EmbeddingMap, Item, UnitFigures

    records = studies("triplet", [0.5, 0.51, 0.52])
    where = folder("made", records)
    finals = [record for record in records if record.unit.kind == "final"]
    other = next(record for record in finals if record.id != pictured(finals).id)
    items = tuple(Item(place, 0, None, "both") for place in range(3))
    laid = EmbeddingMap((0, 1, 2), (0.0, 1.0, 2.0), (0.0, 0.0, 1.0), (0.7, 0.2))
    Folder(where).keep_figures(
        UnitFigures(other.id, "b" * 64, "digits", "cosine", 1, None, (Class(0, "zero", None),), items, None, laid, ())
    )
    assert siambench("plot", "map", where, "--out", tmp_path / "row.svg").returncode == 4
    done = siambench("plot", "map", where / "records" / f"{other.id}.json", "--out", tmp_path / "one.svg")
    assert 0 == done.returncode, done.stderr
    assert "90 % for triplet" in done.stderr
