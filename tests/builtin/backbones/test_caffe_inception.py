"""BN-Inception, the network of the Reality Check."""

import pytest
import torch

from siambench.builtin.backbones import siambench_backbones
from siambench.builtin.backbones.caffe_inception import BnInception
from siambench.components.stages import stages_of
from siambench.errors import ConfigError
from siambench.plugin import call_factory


def built(shape=(3, 64, 64), weights="none"):
    """The backbone as its entry builds it, in evaluation mode."""
    torch.manual_seed(0)
    return call_factory(siambench_backbones()["bn-inception"].build, {"weights": weights, "input_shape": shape}).eval()


def published_form(trunk, *, seed):
    """A state dict in the form of the published file: with a classifier, and BatchNorm's numbers as [1, C]."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, value in trunk.state_dict().items():
        if not key.endswith("num_batches_tracked"):
            drawn = 0.5 + torch.rand(value.shape, generator=generator) if "var" in key else torch.randn(value.shape, generator=generator)
            state[key] = drawn / value[0].numel() ** 0.5 if value.ndim == 4 else drawn.unsqueeze(0) if "_bn." in key else drawn
    return {**state, "last_linear.weight": torch.zeros(1000, 1024), "last_linear.bias": torch.zeros(1000)}


def test_features_are_those_of_pretrainedmodels(tmp_path):
    """With the same random weights and images, in blue, green, red from 0 to 255, features are those of PyPI's `pretrainedmodels`."""
    package = pytest.importorskip("pretrainedmodels", reason="pretrainedmodels is not installed: pip install pretrainedmodels")
    theirs = package.bninception(num_classes=1000, pretrained=None).eval()
    state = published_form(built(), seed=3)
    torch.save(state, tmp_path / "bn.pth")
    theirs.load_state_dict({key: value[0] if "_bn." in key else value for key, value in state.items()}, strict=False)
    trunk = built((3, 224, 224), weights=str(tmp_path / "bn.pth"))
    images = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(4))

    with torch.no_grad():
        maps = theirs.features(255 * images[:, [2, 1, 0]] - torch.tensor([104.0, 117.0, 128.0]).view(3, 1, 1))
        expected = theirs.global_pool(maps).flatten(1)
        found = trunk(images)
    assert set(theirs.state_dict()) == {*trunk.state_dict(), "last_linear.weight", "last_linear.bias"}
    assert (expected[0] - expected[1]).abs().max() > 1e-3 * expected.abs().max()
    assert torch.allclose(expected, found, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_the_published_form_is_loaded(tmp_path):
    """A classifier is passed over and numbers of BatchNorm as [1, C] are taken; a file that lacks a layer is refused."""
    state = published_form(built(), seed=3)
    torch.save(state, tmp_path / "bn.pth")
    trunk = built(weights=str(tmp_path / "bn.pth"))

    assert torch.equal(trunk.inception_4c_3x3_bn.running_mean, state["inception_4c_3x3_bn.running_mean"][0])
    assert torch.equal(trunk.conv1_7x7_s2.bias, state["conv1_7x7_s2.bias"])
    del state["inception_5b_1x1.weight"]
    torch.save(state, tmp_path / "bn.pth")
    with pytest.raises(
        ConfigError, match=r"bn-inception: bn\.pth \(SHA-256 .*\) holds no weights of bn-inception: it lacks inception_5b_1x1"
    ):
        built(weights=str(tmp_path / "bn.pth"))


def test_size_and_stages():
    """10,270,240 parameters, as published but for the classifier's; 1,024 features; five stages from the first layer to block 5."""
    trunk = built()

    assert sum(parameter.numel() for parameter in trunk.parameters()) == 10_270_240
    assert trunk(torch.rand(2, 3, 64, 64)).shape == (2, 1024)
    stages = stages_of(trunk)
    assert [stage[0] for stage in stages] == [
        "conv1_7x7_s2",
        "conv2_3x3_reduce",
        "inception_3a_1x1",
        "inception_4a_1x1",
        "inception_5a_1x1",
    ]


def test_colours_are_turned_around_and_grey_is_repeated():
    """The first layer sees blue first, 255 times as large, minus Caffe's mean; of grey images three equal channels."""
    seen = {}
    trunk = BnInception().eval()
    trunk.conv1_7x7_s2.register_forward_pre_hook(lambda _module, inputs: seen.update(images=inputs[0]))
    images = torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1).expand(1, 3, 64, 64)
    trunk(images)

    assert torch.allclose(seen["images"][0, :, 0, 0], torch.tensor([153.0 - 104, 102.0 - 117, 51.0 - 128]), atol=1e-4)
    grey = torch.rand(1, 1, 64, 64)
    assert torch.equal(trunk(grey), trunk(grey.expand(-1, 3, -1, -1)))


@pytest.mark.parametrize("edge", [31, 32, 38, 63, 70, 224, 227, 230])
def test_edges_that_are_halved_evenly_are_taken(edge):
    """Images of 32 k - 1 to 32 k + 6 pixels have features; 227 is the size of the Reality Check's crops."""
    trunk = built((3, edge, edge))

    # Larger ones take seconds, and nothing that smaller ones do not.
    images = torch.rand(1, 3, edge, edge)
    assert edge > 100 or trunk(images).shape == (1, 1024)


@pytest.mark.parametrize("shape", [(3, 30, 64), (3, 64, 39), (3, 8, 8), (2, 64, 64)])
def test_other_images_are_refused_in_one_sentence(shape):
    """Maps that a convolution and a pool would halve differently, and two channels, are refused before anything is built."""
    with pytest.raises(ConfigError, match=r"bn-inception (halves its maps twice|takes images of 1 or 3 channels)"):
        built(shape)
