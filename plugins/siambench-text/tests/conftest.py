from __future__ import annotations

import pytest
import torch
from safetensors.torch import save_file

PIECES = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "bank", "##s", "open", "##ing", "late", "?", "a", "b", "##b", "caf", "##e"]


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """No test sees the data, caches or weights of the machine."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SIAMBENCH_PLUGINS", raising=False)
    monkeypatch.setattr("siambench_text.weights.PACKAGE", "no_such_package")


def published_tensors():
    """Random tensors under the names, and of the shapes, that published files have."""
    generator = torch.Generator().manual_seed(3)

    def drawn(*shape):
        return torch.randn(*shape, generator=generator) * 0.05

    found = {
        "embeddings.position_ids": torch.arange(512)[None],
        "embeddings.word_embeddings.weight": drawn(len(PIECES), 384),
        "embeddings.position_embeddings.weight": drawn(512, 384),
        "embeddings.token_type_embeddings.weight": drawn(2, 384),
        "pooler.dense.weight": drawn(384, 384),
    }
    for norm in ("embeddings.LayerNorm", *(f"encoder.layer.{n}.{at}.LayerNorm" for n in range(6) for at in ("attention.output", "output"))):
        found |= {f"{norm}.weight": 1 + drawn(384), f"{norm}.bias": drawn(384)}
    for number in range(6):
        maps = {
            **{f"attention.self.{name}": (384, 384) for name in ("query", "key", "value")},
            "attention.output.dense": (384, 384),
            "intermediate.dense": (1536, 384),
            "output.dense": (384, 1536),
        }
        for name, shape in maps.items():
            found |= {
                f"encoder.layer.{number}.{name}.weight": drawn(*shape),
                f"encoder.layer.{number}.{name}.bias": drawn(shape[0]),
            }
    return found


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    """A file of such tensors, with its pieces beside it."""
    folder = tmp_path_factory.mktemp("weights")
    save_file(published_tensors(), folder / "made.safetensors")
    (folder / "vocab.txt").write_text("\n".join(PIECES) + "\n", encoding="utf-8")
    return folder / "made.safetensors"
