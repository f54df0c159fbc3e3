"""Groups of a loss's own parameters: each parameter is in just one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from siambench.components.groups import grouped, say_groups
from siambench.errors import PluginError


class Owning(nn.Module):
    """A loss with a parameter, a submodule of two, and one that is not trained."""

    def __init__(self):
        super().__init__()
        self.temperature = nn.Parameter(torch.ones(()))
        self.head = nn.Linear(3, 2)
        self.fixed = nn.Parameter(torch.ones(2), requires_grad=False)


class Saying(Owning):
    """The same, which says its groups itself."""

    def __init__(self, groups):
        super().__init__()
        self.groups = groups

    def parameter_groups(self):
        """By name."""
        return self.groups(self)


def test_a_group_is_the_parameter_or_the_submodule_of_its_name():
    """Each trained parameter is in the group that bears its name, or that of the module it is in."""
    loss = Owning()
    found = grouped(loss, ("temperature", "head"))
    assert ["temperature", "head"] == list(found)
    assert loss.temperature is found["temperature"][0]
    assert [id(one) for one in loss.head.parameters()] == [id(one) for one in found["head"]]


def test_a_module_may_say_its_groups():
    """What its method gives stands, in the order of the entry's names; iterators are as good as lists."""
    loss = Saying(lambda self: {"rest": iter([self.temperature, self.head.bias]), "weights": [self.head.weight]})
    found = grouped(loss, ("weights", "rest"))
    assert [["weights", 1], ["rest", 2]] == [[name, len(members)] for name, members in found.items()]


def test_of_a_loss_that_wraps_another_its_own_need_a_group():
    """Parameters of the inner loss are told beside, and need none."""
    loss = Owning()
    assert ["temperature"] == list(grouped(loss, ("temperature",), besides=list(loss.head.parameters())))
    say_groups(loss, {"all": list(loss.parameters())})
    assert 3 == len(grouped(loss, ("all",))["all"])


@pytest.mark.parametrize(
    ("loss", "names", "sentence"),
    [
        (Owning(), ("temperature",), "its parameter head.weight is in none of the groups temperature"),
        (Owning(), ("temperatur", "head"), "no parameter or submodule of that name, did you mean 'temperature'?"),
        (Owning(), ("temperature", "head", "fixed"), "the group 'fixed' of own_parameters has no parameter to train"),
        (Saying(lambda self: {"a": self.parameters()}), ("a", "b"), "must give the groups that own_parameters names, a, b, got a"),
        (Saying(lambda _: None), ("a",), "must give the groups that own_parameters names, a, got NoneType"),
        (Saying(lambda _: {}), ("a",), "must give the groups that own_parameters names, a, got none"),
        (
            Saying(lambda self: {"a": self.parameters(), "b": [self.head.bias]}),
            ("a", "b"),
            "its parameter head.bias is in the groups a and b",
        ),
        (Saying(lambda self: {"a": [self.head.weight], "b": [self.head.bias]}), ("a", "b"), "its parameter temperature is in none"),
        (Saying(lambda _: {"a": [torch.ones(1)]}), ("a",), "must hold torch.nn.Parameters alone"),
        (Saying(lambda _: {"a": []}), ("a",), "the group 'a' of own_parameters has no parameter to train"),
    ],
)
def test_what_does_not_hold_is_one_sentence(loss, names, sentence):
    """A parameter in no group or in two, a group that is empty, unknown, or not what the entry names: the sentence says which."""
    with pytest.raises(PluginError) as refused:
        grouped(loss, names)
    assert sentence in str(refused.value)
