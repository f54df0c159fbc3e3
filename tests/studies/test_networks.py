"""What is seen of a backbone before anything runs."""

import pytest
import torch

from siambench.builtin.backbones import siambench_backbones
from siambench.errors import ConfigError
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


def test_published_weights_are_not_looked_for():
    """Weights by name may be a download away: nothing is made; neither of a network that can start from no weights."""
    made = []

    def build(weights):
        made.append(weights)

    check_network(entry(build), {"weights": "imagenet"}, {}, SMALL)
    check_network(BackboneEntry(lambda: made.append("plain"), source="made up"), {}, {}, SMALL)
    assert made == []
    check_network(entry(build), {"weights": "none"}, {}, SMALL)
    assert made == ["none"]


@pytest.mark.parametrize("error", [RuntimeError("broken"), SystemExit(3), AssertionError()])
def test_what_a_factory_raises_otherwise_is_a_units_to_tell(error):
    """A factory that breaks is its method's result, and no reason to run nothing of the others."""

    def build(weights):
        raise error

    check_network(entry(build), {"weights": "none"}, {}, SMALL)
