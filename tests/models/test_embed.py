"""A data set embedded by a model: what is written is what `evaluate` reads, and gives the record's own scores."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from safetensors.torch import load_file, save_file

from siambench.models.file import KEY, read_document

LINES = """
import numpy as np

with np.load("test.npz") as held:
    points, labels = held["embeddings"].astype(np.float64), held["labels"]
points /= np.linalg.norm(points, axis=1, keepdims=True)
near = points @ points.T
np.fill_diagonal(near, -np.inf)
hits = labels[near.argmax(axis=1)] == labels
print(hits.mean())
"""


def embed(siambench, kept, data, *arguments, row="triplet", out="test.npz", **options):
    return siambench("embed", kept.model(row), data, "--out", out, *arguments, **options)


def test_evaluate_gives_the_scores_of_the_record(siambench, kept, tmp_path):
    """The test part, embedded and given to `evaluate` with the seed that is said, has every score of the record."""
    done = embed(siambench, kept, "digits", "--part", "test", "--json")
    assert 0 == done.returncode, done.stderr
    told = json.loads(done.stdout)
    record = kept.finals["triplet", 0]
    names = [name for name, value in record.outcome.scores.items() if value is not None]
    arguments = ("--metrics", ",".join(names), "--distance", told["distance"], "--seed", str(told["seed"]), "--json")
    assert f"--seed {told['seed']}" in done.stderr
    found = json.loads(siambench("evaluate", "test.npz", *arguments).stdout)["scores"]
    assert len(names) >= 5
    for name in names:
        assert record.outcome.scores[name] == pytest.approx(found[name], abs=1e-9), name


def test_ten_lines_without_siambench_recompute_recall(siambench, kept, tmp_path):
    """Ten lines of numpy alone give the record's recall@1 from the file."""
    assert 0 == embed(siambench, kept, "digits", "--part", "test").returncode
    assert 0 < len([line for line in LINES.splitlines() if line]) <= 10
    assert "siambench" not in LINES
    page = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
    assert LINES.strip() in page
    import contextlib
    import io

    before, out = Path.cwd(), io.StringIO()
    os.chdir(tmp_path)
    try:
        with contextlib.redirect_stdout(out):
            exec(LINES, {})  # it is ours
    finally:
        os.chdir(before)
    assert kept.finals["triplet", 0].outcome.scores["recall@1"] == pytest.approx(float(out.getvalue()), abs=1e-9)


def test_a_folder_of_ones_own_is_embedded_as_the_model_wants_it(siambench, kept, tmp_path):
    """A folder is read at the model's size and colours without a word, with labels, names of classes and of items; a csv likewise."""
    generator = np.random.default_rng(0)
    for label in ("ann", "bob"):
        (tmp_path / "mine" / label).mkdir(parents=True)
        for number in range(3):
            pixels = generator.integers(0, 256, (20, 30, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "mine" / label / f"{number}.png")
    done = embed(siambench, kept, "folder:mine")
    assert 0 == done.returncode, done.stderr
    with np.load(tmp_path / "test.npz", allow_pickle=False) as held:
        assert (6, 8) == held["embeddings"].shape
        assert ["ann", "bob"] == held["class_names"].tolist()
        assert [0, 0, 0, 1, 1, 1] == held["labels"].tolist()
        assert "bob/2.png" == held["names"][-1]
        whole = held["embeddings"]
    import siambench as library

    model = library.load_model(kept.model())
    assert np.allclose(model.embed([tmp_path / "mine" / "bob" / "2.png"]).numpy(), whole[-1:], atol=1e-6)
    assert 0 == siambench("evaluate", "test.npz").returncode
    assert 4 == embed(siambench, kept, "folder:mine", "--part", "test").returncode


def test_images_without_classes_are_embedded(siambench, kept, tmp_path):
    """Images that lie in a folder as they are, each a class of its own, or all in one folder below it; a damaged one is named."""
    (tmp_path / "new" / "ann").mkdir(parents=True)
    for number in range(3):
        Image.fromarray(np.full((9, 9), 70 * number, np.uint8)).save(tmp_path / "new" / "ann" / f"{number}.png")
    (tmp_path / "new" / "ann" / "about.txt").write_text("of ann")
    found = {}
    for folder in ("new", "new/ann"):
        done = embed(siambench, kept, f"folder:{folder}")
        assert 0 == done.returncode, done.stderr
        with np.load(tmp_path / "test.npz", allow_pickle=False) as held:
            found[folder] = {name: held[name].tolist() for name in held.files}
        assert "plot map test.npz" in done.stderr
        assert "passed over: 1 " in done.stderr
    assert "no folders of classes: each image is a class of its own" in done.stderr
    assert ([0, 0, 0], ["ann"], ["ann/0.png", "ann/1.png", "ann/2.png"]) == tuple(
        found["new"][name] for name in ("labels", "class_names", "names")
    )
    assert ([0, 1, 2], ["0.png", "1.png", "2.png"]) == tuple(found["new/ann"][name] for name in ("labels", "names"))
    assert found["new"]["embeddings"] == found["new/ann"]["embeddings"]

    Image.fromarray(np.zeros((9, 9), np.uint8)).save(tmp_path / "new" / "top.png")
    assert 0 == embed(siambench, kept, "folder:new").returncode
    with np.load(tmp_path / "test.npz", allow_pickle=False) as held:
        assert held["labels"].tolist() == [0, 1, 2, 3]
    assert 4 == embed(siambench, kept, "folder:new", "--set", "dataset.options.level=1").returncode
    (tmp_path / "new" / "top.png").write_bytes(b"no image")
    done = embed(siambench, kept, "folder:new")
    assert 4 == done.returncode
    assert "new/top.png cannot be read as an image" in done.stderr


def test_dark_ink_of_ones_own_is_turned_round_where_the_model_wants_it(siambench, kept, tmp_path):
    """A model whose data set turns ink round is given somebody's folder turned round, and it is said."""
    document = read_document(kept.model()).to_json()
    document["given"]["preprocessing"]["inverted"] = True
    kept_again = tmp_path / "inverted.safetensors"
    save_file(load_file(kept.model()), kept_again, metadata={KEY: json.dumps(document)})
    for label in ("a", "b"):
        (tmp_path / "ink" / label).mkdir(parents=True)
        for number in range(2):
            Image.fromarray(np.full((8, 8), 40 * number + 20 * (label == "a"), np.uint8)).save(tmp_path / "ink" / label / f"{number}.png")
    done = siambench("embed", kept_again, "folder:ink", "--out", "ink.npz")
    assert 0 == done.returncode, done.stderr
    assert "turned round, 255 - value" in done.stderr
    import siambench as library

    files = [tmp_path / "ink" / label / f"{number}.png" for label in "ab" for number in range(2)]
    expected = library.load_model(kept_again).embed(files).numpy()
    plain = library.load_model(kept.model()).embed(files).numpy()
    with np.load(tmp_path / "ink.npz") as held:
        assert np.allclose(expected, held["embeddings"], atol=1e-6)
        assert not np.allclose(plain, held["embeddings"], atol=1e-2)


@pytest.mark.parametrize(
    ("data", "arguments", "said"),
    [
        ("digit", (), "did you mean 'digits'"),
        ("glyphs", (), r"the model takes images [1, 8, 8], glyphs gives images [1, 24, 24]"),
        ("folder:nowhere", (), "no such folder"),
        ("digits", ("--set", "training.epochs=2"), "--set takes options of the data set"),
        ("digits", ("--device", "abacus"), "there is no device 'abacus'"),
        ("digits", ("--batch-size", "0"), "--batch-size"),
    ],
)
def test_what_cannot_be_embedded_is_said_in_a_sentence(siambench, kept, data, arguments, said):
    """A data set that is not there, items of another shape, options that are none: exit 4 and one sentence."""
    done = embed(siambench, kept, data, *arguments)
    assert 4 == done.returncode
    assert said in done.stderr


def test_files_of_others_are_left_alone(siambench, kept, tmp_path):
    """A file of another suffix, or that holds no embeddings, is not written over."""
    assert 4 == embed(siambench, kept, "digits", out="test.csv").returncode
    np.savez(tmp_path / "test.npz", mine=np.zeros(2))
    done = embed(siambench, kept, "digits")
    assert 4 == done.returncode
    assert "holds no embeddings" in done.stderr
    shutil.copyfile(kept.model(), tmp_path / "test.npz")
    assert 4 == embed(siambench, kept, "digits").returncode
