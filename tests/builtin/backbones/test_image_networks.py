"""The networks of torchvision as trunks."""

import hashlib
import re
import urllib.error
import urllib.request

import pytest
import torch
from torch import nn
from torchvision import models

from siambench.builtin.backbones import image_networks, mobile_networks, siambench_backbones, trunks
from siambench.components.stages import stages_of
from siambench.errors import ConfigError, DataMissingError
from siambench.plugin import call_factory

ENTRIES = {**image_networks.ENTRIES, **mobile_networks.ENTRIES}
OF_FAMILIES = {
    "alexnet": 63,
    "convnext_tiny": 32,
    "densenet121": 32,
    "googlenet": 32,
    "inception_v3": 75,
    "mobilenet_v3_small": 32,
    "regnet_y_400mf": 32,
    "resnet34": 32,
    "shufflenet_v2_x1_0": 32,
    "squeezenet1_1": 32,
    "swin_t": 32,
    "vgg11_bn": 32,
}
"""One network of each family, and the edge of the images that it is tried on; of the transformers with classes below."""
CLASSIFIERS = ("fc", "classifier", "head", "heads")


def built(name, shape=(3, 32, 32), weights="none"):
    """The backbone as its entry builds it, in evaluation mode."""
    torch.manual_seed(0)
    return call_factory(ENTRIES[name].build, {"weights": weights, "input_shape": shape}).eval()


def of_torchvision(name, seen=0, **options):
    """Torchvision's own network with random weights and statistics, none of which is what it begins with."""
    torch.manual_seed(1)
    network = getattr(models, name)(weights=None, **options)
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for value in network.parameters():
            value.copy_(value + 0.02 * torch.rand_like(value))
        if norms and seen:
            # Statistics of what the layers see: with those that they begin with, items would fade to one within some ten layers.
            network.eval()
            for layer in norms:
                layer.momentum = 1.0
                layer.train()
            network(torch.randn(4, 3, seen, seen))
    return network.eval()


def edge_said(name):
    """The smallest edge that the entry's text states."""
    found = re.search(r"at least (\d+) × \1 pixels|multiple of (\d+)", ENTRIES[name].build.__doc__)
    return int(found[1] or found[2]) if found else 1


@pytest.fixture
def asked(monkeypatch):
    """What each factory asks `network` for, by name; nothing is built."""
    found = {}
    monkeypatch.setattr(trunks, "network", lambda name, _shape, **given: found.setdefault(name, given))
    for entry in ENTRIES.values():
        entry.build((3, 224, 224), weights="none")
    return found


def test_there_are_names_enough():
    """With siambench alone there are more than forty backbones, and each of torchvision's bears the name that it has there."""
    assert len(siambench_backbones()) > 40
    assert set(ENTRIES) < set(models.list_models())


def test_published_weights_are_those_of_torchvision(asked):
    """File and checksum of each enumeration are torchvision's, all of one normalisation; the first, `imagenet`, is its first version."""
    assert list(asked) == list(ENTRIES)
    for name, given in asked.items():
        enumeration = models.get_model_weights(name)
        assert next(iter(given["published"])) == "V1"
        for key, file in given["published"].items():
            found = enumeration[f"{trunks.ENUM}{key}"]
            transforms = found.transforms()
            remote = trunks.remote(file)
            assert (remote.url, remote.name) == (found.url, found.url.rpartition("/")[2])
            assert re.fullmatch("[0-9a-f]{8,}", remote.sha256_prefix)
            assert (tuple(transforms.mean), tuple(transforms.std)) == (trunks._MEAN, trunks._STD)
        left_out = {weights.name for weights in enumeration} - {f"{trunks.ENUM}{key}" for key in given["published"]}
        # Of another normalisation, and for images of 384 pixels alone.
        assert left_out <= {"IMAGENET1K_FEATURES", "IMAGENET1K_SWAG_E2E_V1"}


def test_the_smallest_input_is_the_one_that_is_told(asked):
    """What the text of an entry says of the size of images is what is refused."""
    assert {name: edge_said(name) for name in ENTRIES} == {name: given["smallest"] for name, given in asked.items()}


@pytest.mark.parametrize(("name", "edge"), OF_FAMILIES.items())
def test_a_file_of_torchvision_gives_the_features_of_its_classifier(name, edge, tmp_path):
    """Of torchvision's state dict the trunk makes the features that torchvision's classifier is given, and stages hold its parameters."""
    options = {"transform_input": True, "aux_logits": True, "init_weights": False} if "ception" in name or name == "googlenet" else {}
    network = of_torchvision(name, 96, **options)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    trunk = built(name, (3, edge, edge), weights=str(tmp_path / "weights.pth"))
    images = torch.rand(2, 3, edge, edge, generator=torch.Generator().manual_seed(2))
    normalised = (images - torch.tensor(trunks._MEAN).view(3, 1, 1)) / torch.tensor(trunks._STD).view(3, 1, 1)
    given = {}

    def keep(_module, inputs):
        given["features"] = inputs[0]

    classifier = next(getattr(network, attribute) for attribute in CLASSIFIERS if hasattr(network, attribute))
    if name == "convnext_tiny":
        classifier = classifier[2]
    if name in ("alexnet", "vgg11_bn", "squeezenet1_1"):
        # Their classifiers take a map, of which the trunk gives the mean.
        network.features.register_forward_hook(lambda _module, _inputs, maps: given.update(features=maps.mean(dim=(2, 3))))
    else:
        classifier.register_forward_pre_hook(keep)
    with torch.no_grad():
        network(normalised)
        found = trunk(images)

    said = int(re.search(r"([\d,]+) features", ENTRIES[name].build.__doc__)[1].replace(",", ""))
    assert found.shape == (2, said)
    assert (found[0] - found[1]).abs().max() > 1e-4 * found.abs().max()
    assert torch.allclose(given["features"].flatten(1), found, rtol=1e-3, atol=1e-4 * float(found.abs().max()))
    assert len(stages_of(trunk, name=name)) > 1


def test_positions_of_another_size_are_interpolated(tmp_path):
    """A file for images of 64 pixels gives a transformer for 96, whose positions are interpolated; at 64 the features are torchvision's."""
    network = of_torchvision("vit_b_32", image_size=64)
    torch.save(network.state_dict(), tmp_path / "weights.pth")
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(2))
    same = built("vit_b_32", (3, 64, 64), weights=str(tmp_path / "weights.pth"))
    network.heads = nn.Identity()
    normalised = (images - torch.tensor(trunks._MEAN).view(3, 1, 1)) / torch.tensor(trunks._STD).view(3, 1, 1)
    with torch.no_grad():
        assert torch.allclose(network(normalised), same(images), rtol=1e-4, atol=1e-4)
    assert stages_of(same)[0] == ("model.class_token", "model.conv_proj", "model.encoder.pos_embedding")
    assert len(stages_of(same)) == 13

    larger = built("vit_b_32", (3, 96, 96), weights=str(tmp_path / "weights.pth"))
    assert larger.model.encoder.pos_embedding.shape == (1, 10, 768)
    assert torch.equal(larger.model.encoder.pos_embedding[:, 0], network.encoder.pos_embedding[:, 0])
    for shape in ((3, 40, 40), (3, 64, 96)):
        with pytest.raises(ConfigError, match=r"vit_b_32 takes square images whose edge is a multiple of 32, got"):
            built("vit_b_32", shape)


def test_grey_images_are_repeated_over_three_channels():
    """A grey image has the features of the colour image with three equal channels; two channels are refused."""
    trunk = built("squeezenet1_1", (1, 32, 32))
    grey = torch.rand(2, 1, 32, 32)

    assert torch.equal(trunk(grey), trunk(grey.repeat(1, 3, 1, 1)))
    with pytest.raises(ConfigError, match="squeezenet1_1 takes images of 1 or 3 channels, got 2"):
        built("squeezenet1_1", (2, 32, 32))


@pytest.mark.parametrize("name", ["squeezenet1_1", "vgg11_bn", "densenet121", "swin_t", "mobilenet_v3_small"])
def test_the_smallest_input_is_one_that_it_takes(name):
    """Images of the smallest edge have finite features in training, and with one pixel less they are refused."""
    edge = edge_said(name)
    features = built(name, (3, edge, edge)).train()(torch.rand(3, 3, edge, edge))

    assert bool(torch.isfinite(features).all())
    if edge > 1:
        with pytest.raises(ConfigError, match=f"{name} takes images of at least {edge} × {edge} pixels, got {edge - 1} × {edge}"):
            built(name, (3, edge - 1, edge))


def test_weights_of_older_densenets_are_brought_to_todays_names(tmp_path):
    """The published file of a DenseNet says `norm.1` where today's module says `norm1`: both give the same network."""
    state = of_torchvision("densenet121").state_dict()
    older = {re.sub(r"(denselayer\d+\.(?:norm|conv))([12])\.", r"\1.\2.", key): value for key, value in state.items()}
    torch.save(older, tmp_path / "older.pth")
    torch.save({"state_dict": {f"module.{key}": value for key, value in state.items()}}, tmp_path / "parallel.pth")
    images = torch.rand(2, 3, 32, 32)

    assert set(older) != set(state)
    first, second = (built("densenet121", weights=str(tmp_path / f"{name}.pth"))(images) for name in ("older", "parallel"))
    assert torch.equal(first, second)


def spoilt(state, change):
    """A copy of a state dict, changed."""
    copied = dict(state)
    change(copied)
    return copied


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda state: spoilt(state, lambda s: s.pop("features.0.weight")), "it lacks features.0.weight"),
        (lambda state: spoilt(state, lambda s: s.update(more=torch.zeros(1), most=torch.zeros(1))), "it has more and 1 more, which"),
        (lambda state: spoilt(state, lambda s: s.update({"features.0.bias": torch.zeros(3)})), r"features\.0\.bias is \[3\], and \[64\]"),
        (lambda _state: [1, 2], "it is no state dict"),
        (lambda _state: {}, "it is no state dict"),
        (lambda _state: None, "holds no weights of squeezenet1_1: "),
    ],
)
def test_a_file_that_does_not_fit_is_one_sentence(content, reason, tmp_path):
    """A name that lacks or is strange, another shape, another object and what is no file of torch's: the file, its checksum, and why."""
    path = tmp_path / "own.pth"
    found = content(of_torchvision("squeezenet1_1").state_dict())
    path.write_bytes(b"no weights") if found is None else torch.save(found, path)
    checksum = hashlib.sha256(path.read_bytes()).hexdigest()[:16]

    with pytest.raises(ConfigError, match=reason) as caught:
        built("squeezenet1_1", weights=str(path))
    assert f"own.pth (SHA-256 {checksum}…)" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_weights_are_named_by_torchvisions_enumerations(tmp_path):
    """What is no name and no file is refused with the names that there are, and the nearest."""
    with pytest.raises(
        ConfigError, match=r"resnet50: weights must be none, imagenet, IMAGENET1K_V1, IMAGENET1K_V2 or a file.*did you mean"
    ):
        built("resnet50", weights="IMAGENET1K_V3")
    with pytest.raises(ConfigError, match="or a file, got"):
        built("resnet50", weights=str(tmp_path / "nowhere.pth"))


def test_published_weights_that_cannot_be_had_say_where_they_go(tmp_path, monkeypatch):
    """Without a network one sentence says which file goes into which folder; one with another checksum is refused."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))

    def unreachable(*_arguments, **_named):
        raise urllib.error.URLError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    with pytest.raises(DataMissingError) as caught:
        built("mobilenet_v2", weights="IMAGENET1K_V2")
    assert "mobilenet_v2-7ebf99e0.pth is missing" in str(caught.value)
    assert f"put the file into {tmp_path / 'data' / 'weights'}" in str(caught.value)
    (tmp_path / "data" / "weights").mkdir(parents=True)
    (tmp_path / "data" / "weights" / "mobilenet_v2-b0353104.pth").write_bytes(b"something else")
    with pytest.raises(DataMissingError, match="b0353104"):
        built("mobilenet_v2", weights="imagenet")


def test_published_weights_are_found_by_name_and_checksum(tmp_path, monkeypatch):
    """A file in the folder of weights whose content has the checksum of its name is loaded by the name of its enumeration."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    folder = tmp_path / "weights"
    folder.mkdir()
    state = of_torchvision("squeezenet1_1").state_dict()
    torch.save(state, folder / "made.pth")
    file = f"made-{hashlib.sha256((folder / 'made.pth').read_bytes()).hexdigest()[:8]}"
    (folder / "made.pth").rename(folder / f"{file}.pth")

    for weights in ("IMAGENET1K_V7", "imagenet"):
        trunk = trunks.network("squeezenet1_1", (3, 32, 32), weights=weights, smallest=17, published={"V7": file})
        assert torch.equal(trunk.model.features[0].weight, state["features.0.weight"])


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_each_gives_the_features_that_it_tells(name):
    """Every name is built, has as many features as its text says, and stages that hold each parameter once."""
    edge = max(32, edge_said(name))
    trunk = built(name, (3, edge, edge))
    said = int(re.search(r"([\d,]+) features", ENTRIES[name].build.__doc__)[1].replace(",", ""))

    with torch.no_grad():
        assert trunk(torch.rand(2, 3, edge, edge)).shape == (2, said)
    assert len(stages_of(trunk, name=name)) > 1
