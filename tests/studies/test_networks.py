"""What is seen of a backbone before anything runs."""

import pytest
import torch

from siambench.builtin.backbones import siambench_backbones
from siambench.components.catalogue import Catalogue
from siambench.data.locate import Remote, locate
from siambench.errors import ConfigError, DataMissingError
from siambench.plugin import BackboneEntry
from siambench.studies.networks import check_network
from siambench.testing import synthetic_dataset

SMALL = synthetic_dataset(size=16)


def entry(build, **named):
    """A backbone that can start from weights."""
    return BackboneEntry(build, defaults={"weights": "none"}, scratch={"weights": "none"}, source="made up", **named)


def test_items_that_a_network_cannot_take_are_told():
    """A network of torchvision with random weights and images that are too small: its own sentence."""
    with pytest.raises(ConfigError, match="alexnet takes images of at least 63 × 63 pixels, got 16 × 16"):
        check_network(siambench_backbones()["alexnet"], {"weights": "none"}, {}, SMALL)


def test_a_file_that_does_not_fit_is_told(tmp_path):
    """A file of other weights is refused by its name; the option holds its content, and where it lies is told apart."""
    path = tmp_path / "own.pth"
    torch.save({"a": torch.zeros(1)}, path)

    dataset = synthetic_dataset(size=32)
    with pytest.raises(ConfigError, match=r"squeezenet1_1: own\.pth .* it lacks features\.0\.weight"):
        check_network(siambench_backbones()["squeezenet1_1"], {"weights": "sha256:1"}, {"model.options.weights": str(path)}, dataset)


def test_published_weights_are_not_looked_for(monkeypatch):
    """Weights by name may be a download away: there are some, and with random ones the network is seen to take the items."""
    made = []

    def build(weights, input_shape):
        made.append((weights, input_shape))
        if weights == "imagenet":
            locate(Remote("big.pth", "http://127.0.0.1:9/big.pth", "", "weights"))
            made.append("loaded")

    def fetched(remote, target):
        made.append("fetched")

    monkeypatch.setattr("siambench.data.locate._download", fetched)
    check_network(entry(build), {"weights": "imagenet"}, {}, SMALL)
    check_network(BackboneEntry(lambda: made.append("plain"), source="made up"), {}, {}, SMALL)
    assert made == [("imagenet", SMALL.shape), ("none", SMALL.shape)]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        (
            "imagenet-typo",
            r"weights must be none, imagenet, IMAGENET1K_V1 or a file, got 'imagenet-typo', did you mean 'imagenet'\?",
        ),
        ("IMAGENET1K_V1", "alexnet takes images of at least 63 × 63 pixels, got 16 × 16"),
    ],
)
def test_names_of_weights_and_items_are_looked_at_without_weights(name, told):
    """A name that nobody publishes is refused with the nearest; so are items that a network with published weights cannot take."""
    size = 64 if "typo" in name else 16
    with pytest.raises(ConfigError, match=told):
        check_network(siambench_backbones()["alexnet"], {"weights": name}, {}, synthetic_dataset(size=size))


def test_of_two_sides_each_network_is_looked_at():
    """What one of two backbones refuses is told with its side."""
    sides = synthetic_dataset(form="sides", size=16)
    both = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).get("backbones", "alexnet|bag").entry
    with pytest.raises(ConfigError, match=r"the first side, \w+: alexnet takes images of at least 63 × 63 pixels"):
        check_network(both, both.defaults, {}, sides)


@pytest.mark.parametrize("kind", [ConfigError, DataMissingError])
def test_what_a_network_says_of_its_options_is_told(kind):
    """A factory's own sentence, of an option or of what is not here, ends planning."""

    def build(weights):
        raise kind("set dataset.options.tokens = 'bytes'")

    with pytest.raises(kind, match="set dataset"):
        check_network(entry(build), {"weights": "published"}, {}, SMALL)


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), AssertionError()])
def test_what_a_factory_raises_otherwise_is_a_units_to_tell(error):
    """A factory that breaks is its method's result, and no reason to run nothing of the others."""

    def build(weights):
        raise error

    check_network(entry(build), {"weights": "none"}, {}, SMALL)
