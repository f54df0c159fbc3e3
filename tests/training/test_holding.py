"""What of a network stays as it is."""

import itertools

import pytest
import torch
from torch import nn

from siambench.errors import PluginError
from siambench.plugin import BackboneEntry
from siambench.spec import Method, Recipe
from siambench.training.holding import Holding
from siambench.training.model import EmbeddingModel


class Trunk(nn.Module):
    """Three stages, each with BatchNorm, and dropout behind."""

    def __init__(self, inputs=64):
        super().__init__()
        widths = [inputs, 12, 10, 8]
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(a, b), nn.BatchNorm1d(b), nn.Dropout(0.3), nn.Tanh()) for a, b in itertools.pairwise(widths)
        )
        self.stages = (("blocks.0",), ("blocks.1",), ("blocks.2",))

    def forward(self, items):
        """Features [B, 8]."""
        items = items.flatten(1)
        for block in self.blocks:
            items = block(items)
        return items


ENTRY = BackboneEntry(lambda input_shape: Trunk(input_shape[0] * input_shape[1] * input_shape[2]), source="made up")


def is_norm(name):
    """Whether a parameter or buffer of the model is BatchNorm's."""
    return name.startswith("trunk.") and name.split(".")[3] == "1"


def model():
    """A trunk and a head."""
    torch.manual_seed(0)
    return EmbeddingModel(Trunk(), 8, 4)


def test_frozen_batchnorm_has_no_gradient_and_keeps_its_statistics_in_any_mode():
    """Its scales and shifts want no gradient, its statistics do not move in training mode, and all else is trained with dropout on."""
    net = model()
    Holding(net, Recipe(frozen_batchnorm=True), name="made")
    norms = [module for module in net.modules() if isinstance(module, nn.BatchNorm1d)]
    before = [module.running_mean.clone() for module in norms]

    net.train()
    net(torch.randn(16, 1, 8, 8)).sum().backward()

    assert not any(module.training for module in norms)
    assert all(module.training for module in net.modules() if isinstance(module, nn.Dropout | nn.Linear))
    assert all(torch.equal(module.running_mean, kept) for module, kept in zip(norms, before, strict=True))
    assert {name for name, p in net.named_parameters() if p.grad is None} == {
        f"trunk.blocks.{i}.1.{kind}" for i in range(3) for kind in ("weight", "bias")
    }
    # Whoever asks: what embeds the training set for a miner sets the mode of the whole.
    nn.Sequential(net, nn.Identity()).train()
    assert not any(module.training for module in norms)


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7])
def test_the_last_stages_are_trained_and_those_before_stay(number):
    """Of three stages the last so many have gradients and are in training mode, the others have none and no dropout; 7 are all of them."""
    net = model()
    Holding(net, Recipe(trained_stages=number), name="made")
    net.train()
    net(torch.randn(16, 1, 8, 8)).sum().backward()

    for stage, block in enumerate(net.trunk.blocks):
        is_trained = stage >= 3 - number
        assert all((p.grad is not None) == is_trained for p in block.parameters())
        assert all(module.training == is_trained for module in block.modules())
    assert all(p.grad is not None for p in net.head.parameters())


def test_during_its_warm_up_the_whole_trunk_stays_and_then_what_is_trained_of_it():
    """In epochs 1 and 2 the trunk has no gradient and is in evaluation mode; in epoch 3 all of it that is not frozen is trained."""
    net = model()
    holding = Holding(net, Recipe(trunk_warmup=2, frozen_batchnorm=True), name="made")
    for epoch in (1, 2, 3):
        holding.begin(epoch)
        net.train()
        waits = epoch < 3
        assert net.trunk.training != waits
        for name, parameter in net.named_parameters():
            expected = name.startswith("head.") or (not waits and not is_norm(name))
            assert parameter.requires_grad == expected, name


def test_stages_that_are_none_are_refused():
    """A trunk that names a stage which is not there is told by the name of its backbone."""
    net = model()
    net.trunk.stages = (("blocks",), ("tail",))
    with pytest.raises(PluginError, match="stage 2 of backbone 'made' names tail"):
        Holding(net, Recipe(trained_stages=1), name="made")


def weights(trained):
    """Parameters and buffers by their names."""
    return {name: value.clone() for name, value in trained.state_dict().items()}


@pytest.mark.parametrize(
    ("rules", "moves"),
    [
        ({}, lambda name: True),
        ({"frozen_batchnorm": True}, lambda name: not is_norm(name)),
        ({"trained_stages": 0}, lambda name: name.startswith("head.")),
        ({"trained_stages": 1}, lambda name: name.startswith(("head.", "trunk.blocks.2."))),
        (
            {"trained_stages": 2, "frozen_batchnorm": True},
            lambda name: name.startswith("head.") or name in {f"trunk.blocks.{i}.0.{kind}" for i in (1, 2) for kind in ("weight", "bias")},
        ),
    ],
)
def test_a_unit_moves_just_what_its_track_trains(exam_of, rules, moves):
    """After two epochs of AdamW with weight decay just those weights and statistics differ from the untrained ones that rules let move."""
    exam = exam_of(Method("contrastive"), backbone=ENTRY, training={"optimiser": "adamw", **rules}).params(optimiser__weight_decay=0.01)
    before = weights(exam.untrained())

    after = weights(exam.run().model)

    # Behind a linear layer before BatchNorm in training mode its bias has no gradient but rounding: it is let off.
    for name, value in before.items():
        if name.startswith("trunk.blocks") and name.endswith("0.bias") and moves(name):
            continue
        assert torch.equal(value, after[name]) != moves(name), name


def test_a_short_unit_of_a_trunk_that_waits_trains_the_head_alone(exam_of):
    """A final unit that stops within the warm-up leaves the trunk as it was, and its measures have no part for it."""
    exam = exam_of(
        Method("contrastive"), backbone=ENTRY, training={"epochs": 3, "steps_per_epoch": 2, "trunk_warmup": 2, "schedule": "constant"}
    )
    before = weights(exam.untrained())
    from siambench.training.watch import Watcher

    short = exam.changed(kind="final", stop_epoch=2).run(watcher=Watcher(every=1))
    assert all(torch.equal(value, before[name]) for name, value in weights(short.model).items() if name.startswith("trunk."))
    assert all("trunk" not in row.parts for row in short.measures)

    whole = exam.changed(kind="final", stop_epoch=3).run(watcher=Watcher(every=1))
    assert any(not torch.equal(value, before[name]) for name, value in weights(whole.model).items() if name.startswith("trunk."))
    trunks = [row.parts["trunk"] for row in whole.measures if row.epoch]
    assert [part.unreached == part.parameters for part in trunks] == [True, True, False]
