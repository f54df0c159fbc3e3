import copy
import hashlib
import math
import urllib.request
from urllib.error import URLError

import pytest
import torch
from torch import nn
from torchvision.models import resnet18 as torchvision_resnet18

from siambench.builtin.backbones import siambench_backbones
from siambench.builtin.backbones.residual import IMAGENET
from siambench.errors import ConfigError, DataMissingError
from siambench.plugin import call_factory

ENTRIES = siambench_backbones()
OF_ANY_SIZE = ("conv4", "koch2015", "mlp", "resnet18")
"""The small networks; what those of torchvision take stands in tests of their own."""
SHAPES = [(1, 8, 8), (1, 24, 24), (1, 28, 28), (1, 105, 105), (3, 32, 32), (3, 24, 40)]


def build(name, shape, **options):
    """The backbone as its entry builds it, in evaluation mode."""
    torch.manual_seed(0)
    return call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **options, "input_shape": shape}).eval()


def features(module, shape, batch=2):
    """Features of random images."""
    with torch.no_grad():
        return module(torch.rand(batch, *shape, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_features_are_one_row_per_image(name, shape):
    """Every backbone gives fp32 features [B, F] for images of any of these shapes; conv4 takes as many blocks as fit."""
    options = {"blocks": min(4, int(math.log2(min(shape[1:]))))} if name == "conv4" else {}
    module = build(name, shape, **options)

    found = features(module, shape)

    assert found.ndim == 2
    assert len(found) == 2
    assert found.dtype == torch.float32
    assert bool(torch.isfinite(found).all())
    assert len(features(module, shape, batch=1)) == 1


@pytest.mark.parametrize("edge", [48, 64])
def test_koch2015_takes_any_size_without_a_warning(edge):
    """Between small images and the paper's size the scaled kernels raise no warning."""
    assert features(build("koch2015", (1, edge, edge)), (1, edge, edge)).shape == (2, 4096)


def test_koch2015_is_the_papers_network():
    """At 105 × 105 each layer has the shape that the paper draws, up to 9,216 → 4,096."""
    module, image = build("koch2015", (1, 105, 105)), torch.zeros(1, 1, 105, 105)
    shapes = []
    with torch.no_grad():
        for layer in module:
            image = layer(image)
            shapes.append((type(layer).__name__, *image.shape[1:]))

    assert shapes == [
        ("Conv2d", 64, 96, 96),
        ("ReLU", 64, 96, 96),
        ("MaxPool2d", 64, 48, 48),
        ("Conv2d", 128, 42, 42),
        ("ReLU", 128, 42, 42),
        ("MaxPool2d", 128, 21, 21),
        ("Conv2d", 128, 18, 18),
        ("ReLU", 128, 18, 18),
        ("MaxPool2d", 128, 9, 9),
        ("Conv2d", 256, 6, 6),
        ("ReLU", 256, 6, 6),
        ("Flatten", 9216),
        ("Linear", 4096),
        ("Sigmoid", 4096),
    ]
    weights = [tuple(p.shape) for p in module.parameters() if p.ndim > 1]
    assert weights == [(64, 1, 10, 10), (128, 64, 7, 7), (128, 128, 4, 4), (256, 128, 4, 4), (4096, 9216)]


def test_conv4_is_the_papers_network():
    """At 28 × 28 conv4 is four blocks of 64 channels with 64 features, and 111,936 weights."""
    module = build("conv4", (1, 28, 28))

    assert features(module, (1, 28, 28)).shape == (2, 64)
    kinds = [type(layer).__name__ for layer in module]
    assert [*["Conv2d", "BatchNorm2d", "MaxPool2d", "ReLU"] * 4, "Flatten"] == kinds
    # 9 · 64 + 3 · 9 · 64² weights, no biases, and two numbers per channel and BatchNorm.
    assert sum(p.numel() for p in module.parameters()) == 9 * 64 + 3 * 9 * 64**2 + 4 * 2 * 64


def test_pooling_before_the_relu_changes_no_bit():
    """The paper's order, ReLU before pooling, gives the same features and the same gradients, also where whole windows are negative."""
    ours = build("conv4", (1, 28, 28))
    layers = list(ours)
    order = [layers[4 * block + place] for block in range(4) for place in (0, 1, 3, 2)]
    theirs = copy.deepcopy(nn.Sequential(*order, layers[-1]))
    items = torch.rand(16, 1, 28, 28, generator=torch.Generator().manual_seed(3)) - 0.5

    gradients = []
    for module in (ours, theirs):
        found = module(items)
        found.square().sum().backward()
        gradients.append([found.detach(), *(p.grad for p in module.parameters() if p.ndim > 1)])
    assert (gradients[0][0] == 0).any()
    for one, other in zip(*gradients, strict=True):
        assert torch.equal(one, other)


def test_mlp_has_the_layers_asked_for():
    """The MLP is as wide and as deep as its options say."""
    module = build("mlp", (3, 8, 8), width=10, layers=3)

    assert [tuple(layer.weight.shape) for layer in module if isinstance(layer, nn.Linear)] == [(10, 192), (10, 10), (10, 10)]


@pytest.mark.parametrize("shape", [(5,), (3, 7), (2, 3, 4, 5)])
def test_mlp_takes_arrays_of_any_shape(shape):
    """An array is flattened, whatever its shape: one row of features per item."""
    found = features(build("mlp", shape, width=10), shape)

    assert found.shape == (2, 10)


def test_an_image_too_small_for_its_blocks_is_refused():
    """Four halvings of 8 pixels leave nothing: one sentence with both numbers."""
    with pytest.raises(ConfigError, match="4 blocks needs images of at least 16 pixels, got 8 × 12"):
        build("conv4", (1, 8, 12))


@pytest.mark.parametrize("name", ["mlp", "conv4", "koch2015"])
def test_dropout_is_there_where_it_is_asked_for(name):
    """Dropout moves the features in training, and never in evaluation; without it there is none."""
    shape = (1, 24, 24)
    module, images = build(name, shape, dropout=0.5), torch.rand(8, 1, 24, 24)
    assert torch.equal(module(images), module(images))
    module.train()
    torch.manual_seed(0)
    assert not torch.equal(module(images), module(images))
    assert not any(isinstance(m, nn.Dropout | nn.Dropout2d) for m in build(name, shape).modules())


@pytest.mark.parametrize("name", OF_ANY_SIZE)
def test_weights_follow_the_global_seed(name):
    """Two networks built after one seed have the same weights."""
    shape = (1, 24, 24)
    first, second = build(name, shape), build(name, shape)

    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_resnet18_is_torchvisions():
    """With torchvision's weights the features are those before torchvision's classifier, images normalised as it expects."""
    torch.manual_seed(0)
    reference = torchvision_resnet18(weights=None).eval()
    images = torch.rand(2, 3, 40, 40)
    normal = (images - torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1)) / torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1)
    reference.fc = nn.Identity()

    with torch.no_grad():
        expected, actual = reference(normal), build("resnet18", (3, 40, 40))(images)

    assert torch.equal(expected, actual)


def test_resnet18_reads_a_file_of_weights(tmp_path):
    """Weights saved from torchvision's network come back whole, and a grey image is one repeated over three channels."""
    torch.manual_seed(5)
    saved = torchvision_resnet18(weights=None)
    path = tmp_path / "weights.pth"
    torch.save(saved.state_dict(), path)

    module = build("resnet18", (1, 32, 32), weights=str(path))

    own = module.trunk.state_dict()
    assert {name for name in saved.state_dict() if not name.startswith("fc.")} == set(own)
    assert all(torch.equal(saved.state_dict()[name], own[name]) for name in own)
    grey = torch.rand(2, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(module(grey.repeat(1, 3, 1, 1)), module(grey))


def wrong_files():
    """Contents that are no weights of a ResNet-18."""
    return {
        "text": b"these are no weights\n",
        "empty": b"",
        "archive": b"PK\x03\x04 cut off",
        "tensor": torch.zeros(3),
        "other network": nn.Linear(2, 2).state_dict(),
        "list": [1, 2, 3],
    }


@pytest.mark.parametrize("kind", sorted(wrong_files()))
def test_a_wrong_file_is_one_sentence(tmp_path, kind):
    """A file that holds no such weights is a ConfigError of one line that names it."""
    path, content = tmp_path / "wrong.pth", wrong_files()[kind]
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)

    with pytest.raises(ConfigError, match=r"wrong\.pth .*holds no ResNet-18 weights") as caught:
        build("resnet18", (3, 32, 32), weights=str(path))

    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """Weights that are neither a word nor a file are refused with what was given."""
    missing = str(tmp_path / "nothing.pth")
    with pytest.raises(ConfigError, match=r"none, imagenet or a file, got '.*nothing\.pth'"):
        build("resnet18", (3, 32, 32), weights=missing)


@pytest.mark.parametrize("channels", [2, 4])
def test_resnet18_takes_grey_and_colour_only(channels):
    """Images with two or four channels are refused with their number."""
    with pytest.raises(ConfigError, match=f"1 or 3 channels, got {channels}"):
        build("resnet18", (channels, 32, 32))


def test_imagenet_weights_out_of_reach_say_what_to_do(tmp_path, monkeypatch):
    """Offline, the error names the file, its address and the folder to put it into."""

    def offline(url, timeout):
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("SIAMBENCH_DATA", raising=False)

    with pytest.raises(DataMissingError) as caught:
        build("resnet18", (3, 32, 32), weights="imagenet")

    text = str(caught.value)
    for part in (IMAGENET.name, IMAGENET.url, str(tmp_path / "cache" / "weights"), "no route to host"):
        assert part in text
    assert "\n" not in text


def test_imagenet_weights_come_from_the_data_folder(tmp_path, monkeypatch):
    """A file of the published name and checksum in SIAMBENCH_DATA is taken without the network."""
    torch.manual_seed(2)
    saved = torchvision_resnet18(weights=None).state_dict()
    path = tmp_path / "weights" / IMAGENET.name
    path.parent.mkdir()
    torch.save(saved, path)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setattr(
        "siambench.builtin.backbones.residual.IMAGENET", type(IMAGENET)(IMAGENET.name, "http://127.0.0.1:9/none", checksum, IMAGENET.folder)
    )
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    module = build("resnet18", (3, 32, 32), weights="imagenet")

    assert torch.equal(saved["conv1.weight"], module.trunk.conv1.weight)
