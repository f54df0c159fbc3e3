"""The stages of a trunk."""

import pytest
import torch
from torch import nn

from siambench.builtin.backbones import siambench_backbones
from siambench.components.stages import in_stage, stages_of
from siambench.errors import PluginError
from siambench.plugin import call_factory

ENTRIES = siambench_backbones()


def built(name, **available):
    """A trunk that ships, with its defaults."""
    torch.manual_seed(0)
    return call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **available})


class Told(nn.Module):
    """Two layers, a norm and an encoding."""

    def __init__(self, stages=None):
        super().__init__()
        self.encoding = nn.Parameter(torch.zeros(3))
        self.first, self.norm, self.last = nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 3)
        if stages is not None:
            self.stages = stages


@pytest.mark.parametrize(
    ("name", "available", "expected"),
    [
        ("conv4", {"input_shape": (1, 32, 32)}, (("0", "1"), ("4", "5"), ("8", "9"), ("12", "13"))),
        ("mlp", {"input_shape": (1, 8, 8)}, (("1", "2"), ("4", "5"))),
        (
            "resnet18",
            {"input_shape": (3, 32, 32)},
            (("trunk.conv1", "trunk.bn1"), ("trunk.layer1",), ("trunk.layer2",), ("trunk.layer3",), ("trunk.layer4",)),
        ),
        ("bag", {"vocabulary": 9}, (("vectors",),)),
    ],
)
def test_a_network_that_says_nothing_is_taken_child_by_child(name, available, expected):
    """Each child with weights is a stage, norms belong to the one before, and a child that holds all is opened."""
    assert expected == stages_of(built(name, **available))


def test_what_stands_before_the_first_weights_is_of_the_first_stage():
    """Parameters of the trunk itself and a norm at its input belong to the first stage; a trunk of norms alone has one."""
    assert (("encoding", "first", "norm"), ("last",)) == stages_of(Told())
    assert (("0", "1"),) == stages_of(nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 3)))
    assert (("0", "1"),) == stages_of(nn.Sequential(nn.BatchNorm1d(3), nn.BatchNorm1d(3)))
    assert () == stages_of(nn.Sequential(nn.Flatten()))


def test_what_a_trunk_says_is_its_stages():
    """The attribute is taken, as tuples or lists; a submodule that happens to be called so is not what the trunk says."""
    said = (("first", "encoding"), ("norm", "last"))

    assert said == stages_of(Told(said))
    assert said == stages_of(Told([list(stage) for stage in said]))
    trunk = nn.Module()
    trunk.stem, trunk.stages = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 2))
    assert (("stem",), ("stages",)) == stages_of(trunk)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((("first", "norm"), ("last",)), "encoding is in none"),
        ((("encoding", "first", "norm"), ("norm", "last")), r"norm\.weight is in stages 1 and 2"),
        ((("encoding", "first", "norm"), ("last", "lost")), "stage 2 of backbone 'told' names lost, which holds no parameter"),
        ((("encoding", "first", "norm", "last"), ()), "stage 2 of backbone 'told' names nothing"),
        (("encoding", "first"), "tuple of tuples of names, among them is 'encoding'"),
    ],
)
def test_stages_that_do_not_hold_are_refused(said, reason):
    """A parameter in no stage or in two, a name of nothing, and a list of names are each one sentence."""
    with pytest.raises(PluginError, match=reason):
        stages_of(Told(said), name="told")


def test_a_prefix_is_a_whole_name():
    """A stage holds the parameters below its prefixes, and not those of a module whose name only begins so."""
    assert in_stage("layer1.0.weight", ("layer1",))
    assert in_stage("encoding", ("encoding",))
    assert not in_stage("layer10.0.weight", ("layer1",))
