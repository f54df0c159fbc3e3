"""What siambench's own losses say of themselves, held against the losses."""

from __future__ import annotations

import math

import pytest
import torch

from siambench.components.catalogue import Catalogue
from siambench.testing.contracts.fingerprints import fingerprint_holds
from siambench.training.components import LossCall, as_seen, build_loss

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
LOSSES = [name for name in CATALOGUE.names("losses") if not CATALOGUE.get("losses", name).entry.wraps]
LABELS = torch.arange(8).repeat_interleave(4)


def entry_of(name):
    return CATALOGUE.get("losses", name).entry


def value_of(name, embeddings):
    """The loss of 8 classes of 4 at its defaults."""
    entry = entry_of(name)
    loss = build_loss(entry, entry.defaults, name=name, num_classes=8, embedding_size=embeddings.shape[1], seed=1)
    return LossCall(loss, name)(as_seen(embeddings, normalise=entry.normalise), LABELS).item()


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_has_a_fingerprint_that_holds(name):
    """Each loss that wraps no other says whether it forms tuples; what it says of equal embeddings is so, at the ends of its space too."""
    component = CATALOGUE.get("losses", name)

    assert component.entry.fingerprint is not None
    assert fingerprint_holds(component) in (None, "its fingerprint does not say its value at equality")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        # As measured with pytorch-metric-learning 2.9, on 8 classes of 4 equal embeddings.
        ("triplet", 0.1),
        ("contrastive", 1.0),
        ("ntxent", 3.3673),
        ("supcon", 3.4340),
        ("multi-similarity", 0.9385),
        ("margin", 1.4),
        ("fastap", 0.9032),
    ],
)
def test_the_values_are_those_that_another_library_gives(name, value):
    """The values at equality, to the digits that were written down, are those of the library's own losses."""
    entry = entry_of(name)

    assert math.isclose(entry.fingerprint.at_equality(entry.defaults, 8, 4), value, abs_tol=5e-5)


@pytest.mark.parametrize("name", [name for name in LOSSES if entry_of(name).fingerprint.plateau])
def test_a_plateau_is_a_value_that_near_equal_embeddings_keep(name):
    """Embeddings whose cosines are .9999 give the value of equality within 2 %: it cannot tell their classes apart."""
    generator = torch.Generator().manual_seed(3)
    centre = torch.nn.functional.normalize(torch.randn(16, generator=generator), dim=0)
    near = torch.nn.functional.normalize(centre + 2e-3 * torch.randn(32, 16, generator=generator)).requires_grad_()
    expected = entry_of(name).fingerprint.at_equality(entry_of(name).defaults, 8, 4)

    assert float((near @ near.T).detach().mean()) > 0.9999
    assert math.isclose(value_of(name, near), expected, rel_tol=0.02)


def test_the_value_is_not_one_number():
    """Of other batches and parameters the value is another: what the test above compares could differ."""
    tell = entry_of("multi-similarity").fingerprint.at_equality
    given = entry_of("multi-similarity").defaults

    assert len({tell(given, 8, 4), tell(given, 8, 3), tell(given, 7, 4), tell({**given, "base": 0.3}, 8, 4)}) == 4


def test_a_row_with_options_keeps_what_it_is_made_of_alone():
    """A squared distance has other margins and another value: with any option set only that it forms tuples is still told."""
    entry = entry_of("triplet")
    squared = entry.with_options({"margin": 0.1, "squared": True})

    assert squared.fingerprint.forms_tuples
    assert (squared.fingerprint.margins, squared.fingerprint.at_equality) == ((), None)
    assert entry.with_options({"margin": 0.1}).fingerprint is entry.fingerprint


def test_losses_made_of_others_tell_the_margins_of_their_parts():
    """A sum or a wrapper has its parts' margins by their full names where it sees what they see; a sum forms tuples if all parts do."""

    def told(name):
        return CATALOGUE.get("losses", name).entry.fingerprint

    both = told("sum(triplet,contrastive)")
    assert [margin.parameter for margin in both.margins] == ["triplet.margin", "contrastive.pos_margin", "contrastive.neg_margin"]
    assert both.forms_tuples
    assert not told("sum(triplet,arcface)").forms_tuples
    assert [margin.parameter for margin in told("xbm(contrastive)").margins] == ["contrastive.pos_margin", "contrastive.neg_margin"]
    # It sees cuts of embeddings that are not normalised before they are cut.
    assert told("matryoshka(contrastive)").margins == ()
    assert told("xbm(contrastive)").at_equality is None
