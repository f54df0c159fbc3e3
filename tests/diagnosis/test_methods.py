"""What the rules are told of a method that is diagnosed by its flags."""

from __future__ import annotations

from siambench.components.catalogue import Catalogue
from siambench.diagnosis.methods import _Method, of_flags
from siambench.plugin import WARMUP
from siambench.spaces import Float
from siambench.spec import Context
from siambench.studies.request import Request


def test_what_is_fixed_by_hand_may_be_tried_otherwise():
    """A warm-up and a margin that `--set` fixes are no part of the unit's space, and lie in the facts': attempts may name them."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    changes = {"miner.warmup": 0.0, "loss.margin": 0.2, "training.steps_per_epoch": 2}
    asked = of_flags(catalogue, Request(track="glyphs", losses=("triplet",), miners=("hard",), changes=changes), epochs=1)
    facts = _Method.of(asked.unit, Context(local=asked.local), catalogue).facts([0.1, 0.2])

    assert not {"miner.warmup", "loss.margin"} & set(asked.unit.dimensions)
    assert facts.space["miner.warmup"] == WARMUP
    assert isinstance(facts.space["loss.margin"], Float)
    assert facts.space["optimiser.lr"] == asked.unit.dimensions["optimiser.lr"]
    assert (facts.params["miner.warmup"], facts.untrained, facts.validation) == (0.0, 0.1, (0.2,))
