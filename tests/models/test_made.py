"""What a unit has trained becomes a file: trunks without a head, fold-models side by side, and networks that no file can hold."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch
from torch import nn

import siambench as library
from siambench.components.catalogue import Catalogue
from siambench.errors import SiambenchError
from siambench.models.file import read_document
from siambench.models.made import Trained, write_trained
from siambench.spec import Method
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""}, distributions=())


def trained(kept, models, **changes):
    """What the untrained baseline's unit has left, with other models."""
    record = kept.finals["untrained", 0]
    unit = dataclasses.replace(record.unit, **changes)
    dataset = CATALOGUE.dataset("digits", {})
    split = cut(dataset, unit.data.split)
    test = Parts(dataset, split, kind="final", fold=None, opened=lambda: None).test()
    components = {"dataset": CATALOGUE.get("datasets", "digits"), "backbone": CATALOGUE.get("backbones", unit.model.backbone)}
    return Trained(unit, record.exam, models, test, record.outcome, components, torch.device("cpu"))


def test_features_without_a_head_are_kept_as_they_are(kept, tmp_path):
    """The model of the baseline `pretrained` is its trunk: the file says that it has no head, and embeds by features."""
    trunk = library.load_model(kept.model("untrained")).network.trunk
    write_trained(trained(kept, [trunk], method=Method("pretrained")), tmp_path / "m.safetensors")
    model = library.load_model(tmp_path / "m.safetensors")
    assert not model.document.network.head
    assert 16 == model.document.network.dimensions
    items = torch.from_numpy(np.random.default_rng(0).random((3, 1, 8, 8), dtype=np.float32))
    with torch.no_grad():
        assert torch.equal(trunk(items), model.embed(items))


def test_a_network_that_is_more_than_its_state_is_not_kept(kept, tmp_path):
    """A network with a number outside its state would be another when it is read: it is refused when it is written, and no file is left."""

    class Hidden(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner, self.factor = inner, 3.0

        def forward(self, items):
            return self.inner(items) * self.factor

    class Stateful(nn.Linear):
        def get_extra_state(self):
            return {"calls": 3}

        def set_extra_state(self, state):
            pass

    model = library.load_model(kept.model("untrained")).network
    model.trunk = Hidden(model.trunk)
    path = tmp_path / "m.safetensors"
    with pytest.raises(SiambenchError, match="does not build the network of this file"):
        write_trained(trained(kept, [model]), path)
    other = library.load_model(kept.model("untrained")).network
    other.head = Stateful(16, 8)
    with pytest.raises(SiambenchError, match=r"head\._extra_state, which is no tensor"):
        write_trained(trained(kept, [other]), path)
    # Of the same names and shapes, and yet another network.
    third = library.load_model(kept.model("untrained")).network
    third.register_forward_hook(lambda module, given, found: found * 2)
    with pytest.raises(SiambenchError, match="more than its state and its options"):
        write_trained(trained(kept, [third]), path)
    assert not path.exists()


def test_fold_models_are_one_file_side_by_side(kept, siambench, tmp_path):
    """Under the Reality Check's protocol the fold-models of a unit are one file, whose scores and embeddings are the concatenated ones."""
    text = kept.track.read_text().replace("repetitions = 2", "repetitions = 1") + '[evaluation]\nprotocol = "reality-check"\n'
    (tmp_path / "rc.toml").write_text(text.replace('name = "tiny"', 'name = "rc"'))
    done = siambench("run", "--track", "rc.toml", "--loss", "triplet", "--keep-models", "--jobs", 1)
    assert 0 == done.returncode, done.stderr
    done = siambench("model", "rc.toml", "triplet", "--from", "siambench-runs", "--out", "m.safetensors")
    assert 0 == done.returncode, done.stderr
    document = read_document(tmp_path / "m.safetensors")
    assert document.network.side_by_side >= 2
    assert 8 * document.network.side_by_side == document.network.dimensions
    assert 0 == siambench("embed", "m.safetensors", "digits", "--part", "test", "--out", "t.npz").returncode
    done = siambench("evaluate", "t.npz", "--metrics", "recall@1", "--json")
    assert document.scores["recall@1"] == pytest.approx(json.loads(done.stdout)["scores"]["recall@1"], abs=1e-9)
