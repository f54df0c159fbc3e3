"""An exported model gives the embeddings of the module, in a runtime that knows no siambench."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import siambench as library
from siambench.errors import PluginError
from siambench.models.export import exported

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.fixture(scope="module")
def items():
    return torch.from_numpy(np.random.default_rng(0).random((7, 1, 8, 8), dtype=np.float32))


def test_onnx_gives_the_embeddings_of_the_module(siambench, kept, items, tmp_path):
    """The file that `model --out FILE.onnx` writes embeds any number of items as the module does, and says what it is."""
    done = siambench("model", kept.track, "triplet", "--from", kept.out, "--out", "m.onnx")
    assert 0 == done.returncode, done.stderr
    model = library.load_model(kept.model())
    session = onnxruntime.InferenceSession(str(tmp_path / "m.onnx"))
    for number in (1, 7):
        (found,) = session.run(["embeddings"], {"items": items[:number].numpy()})
        assert np.allclose(model.embed(items[:number]).numpy(), found, atol=1e-5)
    held = {entry.key: entry.value for entry in onnx.load(tmp_path / "m.onnx").metadata_props}
    assert kept.finals["triplet", 0].id == json.loads(held["siambench"])["unit"]
    assert "onnxruntime.InferenceSession('m.onnx')" in (tmp_path / "m.onnx.md").read_text()
    # A file of its own, with its card beside it, is written again; without that it is left alone.
    assert 0 == siambench("model", kept.track, "triplet", "--from", kept.out, "--out", "m.onnx").returncode
    (tmp_path / "m.onnx.md").unlink()
    assert 4 == siambench("model", kept.track, "triplet", "--from", kept.out, "--out", "m.onnx").returncode


def test_torch_export_gives_the_embeddings_of_the_module(siambench, kept, items, tmp_path):
    """The file that `model --out FILE.pt2` writes does so too, to the last digit."""
    done = siambench("model", kept.track, "untrained", "--from", kept.out, "--out", "m.pt2")
    assert 0 == done.returncode, done.stderr
    held = {"siambench.json": ""}
    program = torch.export.load(tmp_path / "m.pt2", extra_files=held)
    model = library.load_model(kept.model("untrained"))
    with torch.no_grad():
        assert torch.allclose(model.embed(items), program.module()(items), atol=1e-6)
    assert kept.finals["untrained", 0].id == json.loads(held["siambench.json"])["unit"]
    assert "torch.export.load('m.pt2')" in (tmp_path / "m.pt2.md").read_text()


def test_a_network_that_cannot_be_exported_is_told_in_a_sentence(kept):
    """A network whose way depends on its numbers, which no graph holds, is named with the reason, for both forms."""

    class Fickle(torch.nn.Module):
        def forward(self, given):
            return given.flatten(1) if float(given.sum()) > 1 else given.flatten(1) * 2

    model = library.load_model(kept.model())
    model.network = Fickle()
    for suffix in (".pt2", ".onnx"):
        with pytest.raises(PluginError, match=f"the network mlp cannot be exported as {suffix}") as found:
            exported(model, suffix)
        assert "\n" not in str(found.value)
