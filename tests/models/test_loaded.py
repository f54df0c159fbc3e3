"""A model is read from its file: its embeddings are those that were scored, and what is no such file is told in one sentence."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

import siambench
from siambench import metrics
from siambench.components.catalogue import Catalogue
from siambench.errors import DataError, DataMissingError, PluginError, UsageError
from siambench.models.file import KEY, read_document
from siambench.tracks.split import cut


@pytest.fixture(scope="module")
def digits():
    return Catalogue.load(distributions=()).dataset("digits", {})


@pytest.fixture(scope="module")
def loaded(kept):
    return siambench.load_model(kept.model())


def changed(kept, tmp_path, **document):
    """A file with another document."""
    path = tmp_path / "changed.safetensors"
    text = {**read_document(kept.model()).to_json(), **document}
    save_file(load_file(kept.model()), path, metadata={KEY: json.dumps(text)})
    return path


@pytest.mark.parametrize("row", ["triplet", "untrained"])
def test_its_embeddings_are_those_that_were_scored(kept, digits, row):
    """Ten lines of the pure metrics on its embeddings of the test part give the record's own recall@1 and MAP@R."""
    record = kept.finals[row, 0]
    model = siambench.load_model(kept.model(row))
    test = cut(digits, record.unit.data.split).test
    embeddings, labels = model.embed(digits.read(test)), torch.from_numpy(digits.labels[test])
    found = siambench.evaluate(embeddings, labels, metrics=["recall@1", "map@r"])
    for name in ("recall@1", "map@r"):
        assert record.outcome.scores[name] == pytest.approx(found[name], abs=1e-9)


def test_it_is_a_module_in_evaluation_mode(loaded, digits):
    """It is a `torch.nn.Module`, not training, whose call on preprocessed items is `embed`; training it on changes nothing of that."""
    items = digits.read(np.arange(5))
    taken = torch.from_numpy(items).float() / 255
    assert isinstance(loaded, torch.nn.Module)
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(taken), loaded.embed(items))
    assert torch.equal(loaded.embed(taken), loaded.embed(items))
    assert torch.allclose(loaded.embed(items, batch_size=2), loaded.embed(items), atol=1e-6)


def test_a_file_an_image_and_an_array_are_one(loaded, tmp_path):
    """A path, Pillow's image of it and its pixels give one embedding; greys of 16 bits and transparency are read as data sets read them."""
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    found = loaded.embed([tmp_path / "one.png", Image.open(tmp_path / "one.png"), pixels, str(tmp_path / "one.png")])
    assert torch.allclose(found, found[:1].expand_as(found), atol=1e-6)
    assert (1, 1, 8, 8) == tuple(loaded.preprocess(tmp_path / "one.png").shape)
    ink = Image.new("LA", (20, 20), (0, 0))
    assert float(loaded.preprocess(ink).min()) == 1.0


def test_distances_are_those_of_the_exam(loaded, digits):
    """Its distances are 1 - cosine, as the verification pairs of the exam are compared, and those of an item to itself 0."""
    embeddings = loaded.embed(digits.read(np.arange(4)))
    pairs = metrics.Pairs(torch.tensor([0]), torch.tensor([3]), torch.tensor([False]), torch.tensor([0]))
    similarity = float(metrics.pair_similarity(embeddings, pairs))
    distances = loaded.distances(embeddings, embeddings)
    assert 1 - similarity == pytest.approx(float(distances[0, 3]), abs=1e-12)
    assert float(distances.diagonal().abs().max()) < 1e-12


def test_what_cannot_be_embedded_is_named(loaded, tmp_path):
    """No such file, a file that is no image, an empty list, arrays of another shape or type: one sentence that names it."""
    (tmp_path / "no.png").write_text("no image")
    for given, error, said in (
        (tmp_path / "gone.png", DataMissingError, "gone.png"),
        (tmp_path / "no.png", DataError, "no.png cannot be read as an image"),
        ([], DataError, "empty list"),
        (np.zeros((2, 1, 9, 9), np.uint8), DataError, r"items must be \[N, 1, 8, 8\]"),
        (np.zeros((2, 1, 8, 8), np.int64), DataError, "must be uint8"),
        (torch.full((2, 1, 8, 8), 7.0), DataError, r"must lie in \[0, 1\]"),
        (np.zeros((0, 1, 8, 8), np.uint8), DataError, "no items"),
        (3, DataError, "must be a path"),
    ):
        with pytest.raises(error, match=said):
            loaded.embed(given)
    with pytest.raises(UsageError, match="batch_size"):
        loaded.embed(np.zeros((2, 1, 8, 8), np.uint8), batch_size=0)


def test_nothing_is_unpickled(tmp_path):
    """A pickle that would run code when it is read, whatever it is called, is no model, and its code is not run."""

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    for name in ("evil.safetensors", "evil.pt"):
        (tmp_path / name).write_bytes(pickle.dumps(Evil()))
        with pytest.raises(DataError, match="is no model of siambench's"):
            siambench.load_model(tmp_path / name)
    torch.save({"weights": torch.zeros(3)}, tmp_path / "saved.safetensors")
    with pytest.raises(DataError, match="is no model of siambench's"):
        siambench.load_model(tmp_path / "saved.safetensors")
    assert not (tmp_path / "ran").exists()


def test_what_is_no_model_is_told_in_a_sentence(kept, tmp_path):
    """No file, a folder, an empty file, a foreign safetensors file, a cut or a damaged one, a newer layout, a key that is not known."""
    whole = kept.model().read_bytes()
    files = {"empty": b"", "cut": whole[:-100], "short": whole[:50], "long": whole + b"\0"}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign")
    (tmp_path / "folder").mkdir()
    cases = {
        "gone": (DataMissingError, "no such file"),
        "folder": (DataError, "is a folder, expected a file"),
        "empty": (DataError, "is no model"),
        "short": (DataError, "is no model"),
        "cut": (DataError, "is damaged"),
        "long": (DataError, "is damaged"),
        "foreign": (DataError, "its metadata lack 'siambench'"),
    }
    for name, (error, said) in cases.items():
        with pytest.raises(error, match=said) as found:
            siambench.load_model(tmp_path / name)
        assert "\n" not in str(found.value)
    with pytest.raises(DataError, match="layout 99"):
        siambench.load_model(changed(kept, tmp_path, schema=99))
    with pytest.raises(DataError, match="unknown key 'colour'"):
        siambench.load_model(changed(kept, tmp_path, colour="red"))


def test_a_missing_plugin_is_named(kept, tmp_path):
    """A backbone of a package that is not installed is told by the package's name, with the version that it was made with."""
    document = read_document(kept.model()).to_json()
    network = {**document["network"], "model": {**document["network"]["model"], "backbone": "timm-none"}}
    source = {"plugin": "timm", "distribution": "siambench-elsewhere", "digest": "0" * 64}
    components = {**document["components"], "backbone": {"source": source, "told": "siambench-elsewhere 1.2+0000"}}
    with pytest.raises(PluginError, match=r"siambench-elsewhere, which is not installed here, made with siambench-elsewhere 1.2"):
        siambench.load_model(changed(kept, tmp_path, network=network, components=components))


def test_a_network_that_is_another_now_is_refused(kept, tmp_path):
    """Options that build another network than the weights are of are told, and so are weights that make other embeddings."""
    document = read_document(kept.model()).to_json()
    spec = {**document["network"]["model"], "options": {**document["network"]["model"]["options"], "width": 17}}
    with pytest.raises(PluginError, match="does not build the network of this file"):
        siambench.load_model(changed(kept, tmp_path, network={**document["network"], "model": spec}))
    tensors = load_file(kept.model())
    other = tmp_path / "other.safetensors"
    save_file({**tensors, "probe": tensors["probe"] * 1.5}, other, metadata={KEY: json.dumps(document)})
    with pytest.raises(PluginError, match="makes other embeddings than when it was saved"):
        siambench.load_model(other)


def test_a_device_that_is_not_there_is_told(kept):
    """A name that is no device of this machine is one sentence."""
    with pytest.raises(UsageError, match="there is no device 'abacus'"):
        siambench.load_model(kept.model(), device="abacus")
