"""Layers between the embedding and a loss: trained with the model, and no part of it."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import nn

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import CombinationError, ConfigError
from siambench.plugin import LossEntry, projector_text, projector_widths
from siambench.spec import Method
from siambench.studies.request import Request, prepare
from siambench.training.model import as_trained, build_projector

HERE = Provenance("here", "siambench-here", "1.0")


class Sized(nn.Module):
    """A loss that says which size it was built for."""

    def __init__(self, embedding_size):
        super().__init__()
        self.size = embedding_size

    def forward(self, embeddings, labels, indices=None):
        """The mean squared number."""
        assert embeddings.shape[1] == self.size
        return (embeddings - 0.1).square().mean()


PROJECTED = LossEntry(Sized, source="made up", projector=(16, 12))


@pytest.fixture
def installed():
    """The built-ins, one loss with a projector, and one with another."""
    more = [
        Component("losses", name, dataclasses.replace(PROJECTED, projector=widths), HERE, module=__name__)
        for name, widths in (("projected", (16, 12)), ("otherwise", (24,)))
    ]
    built_in = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    return Catalogue((*built_in.components(), *more), built_in.plugins)


def planned(installed, *losses, **changes):
    """The studies of some losses on glyphs."""
    return prepare(Request(losses=losses, changes=changes), installed).studies


def test_the_loss_sees_what_the_projector_gives(exam_of, recorded):
    """It is handed as many numbers an item as the last layer has, of unit length, while the model gives the embedding."""
    entry, loss = recorded()
    trained = exam_of(Method("contrastive"), loss=entry).params(loss__projector="16-12").run()
    for embeddings, _, _ in loss.calls:
        assert (8, 12) == tuple(embeddings.shape)
        assert torch.allclose(embeddings.norm(dim=1), torch.ones(8), atol=1e-6)
    assert 8 == trained.model.head.out_features
    untrained = exam_of(Method("contrastive")).untrained()
    assert [name for name, _ in untrained.named_parameters()] == [name for name, _ in trained.model.named_parameters()]


def test_model_and_projector_are_trained_together(exam_of, bits):
    """Every layer of both moves."""
    exam = exam_of(Method("contrastive"), loss=PROJECTED).params(optimiser__lr=0.05, loss__projector="16-12")
    before = bits(exam.untrained())
    made = []
    original = nn.Sequential.forward

    def watched(module, items):
        if len(module) == 2 and not any(module is one for one in made) and hasattr(module[0], "trunk"):
            made.append(module)
        return original(module, items)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nn.Sequential, "forward", watched)
        trained = exam.run()
    after = bits(trained.model)
    assert any(before[name] != after[name] for name in before if name.startswith("trunk"))
    assert before["head.weight"] != after["head.weight"]
    (whole,) = made
    fresh, _ = as_trained(exam.unit, exam.untrained())
    moved = {name for name, value in whole[1].named_parameters() if not torch.equal(value, dict(fresh[1].named_parameters())[name])}
    assert {"0.weight", "1.weight", "1.bias", "3.weight", "3.bias"} == moved


def test_without_one_training_is_what_it_is_without_the_word(exam_of, bits):
    """``none`` gives the very weights of a loss that declares none, and a projector gives others."""
    runs = [exam_of(Method("contrastive")).params(**params).run() for params in ({}, {"loss__projector": "none"}, {"loss__projector": "8"})]
    found = [bits(run.model) for run in runs]
    assert found[0] == found[1]
    assert found[0] != found[2]


def test_its_weights_are_drawn_by_the_unit(exam_of, bits):
    """The same unit draws the same, another repetition others, and the model is drawn as without it."""
    exam = exam_of(Method("contrastive")).params(loss__projector="16-12")
    models = [as_trained(exam.unit, exam.untrained())[0] for _ in range(2)]
    assert bits(models[0]) == bits(models[1])
    assert bits(models[0][0]) == bits(exam_of(Method("contrastive")).untrained())
    other = exam.changed(seeds={name: seed + 1 for name, seed in exam.unit.seeds.items()})
    assert bits(models[0][1]) != bits(as_trained(other.unit, other.untrained())[0][1])


def test_the_layers_are_those_of_an_expander():
    """Linear, BatchNorm and ReLU for all widths but the last, which is linear with a bias."""
    found = build_projector((16, 12, 4), 8, seed=0)
    assert ["Linear", "BatchNorm1d", "ReLU", "Linear", "BatchNorm1d", "ReLU", "Linear"] == [type(layer).__name__ for layer in found]
    assert [(8, 16), (16, 12), (12, 4)] == [(one.in_features, one.out_features) for one in found if isinstance(one, nn.Linear)]
    assert build_projector((), 8, seed=0) is None


@pytest.mark.parametrize(("widths", "text"), [((), "none"), ((64,), "64"), ((256, 128), "256-128")])
def test_widths_are_written_and_read(widths, text):
    """As ``none``, or with hyphens between."""
    assert (text, widths) == (projector_text(widths), projector_widths(text))


@pytest.mark.parametrize("text", ["", "0", "-8", "8-", "8,8", "8-x", "1000000", "None"])
def test_what_are_no_widths_is_refused(text, installed):
    """In one sentence, before anything runs."""
    with pytest.raises(ConfigError) as caught:
        planned(installed, "projected", **{"loss.projector": text})
    assert "a projector is none, or the widths of its layers such as 256-128" in str(caught.value)


def test_a_row_with_other_widths_is_another_row(installed):
    """The widths are a parameter: fixed by hand they mark the row; losses without a projector have no such parameter."""
    (declared, *_), (fixed, *_) = planned(installed, "projected"), planned(installed, "projected", **{"loss.projector": "none"})
    assert ("16-12", "none") == (declared.defaults["loss.projector"], fixed.defaults["loss.projector"])
    assert declared.row != fixed.row
    assert ((), ("loss.projector",)) == (declared.edited, fixed.edited)
    assert "loss.projector" not in planned(installed, "contrastive")[0].defaults
    with pytest.raises(ConfigError):
        planned(installed, "contrastive", **{"loss.projector": "8"})


def test_sums_of_losses_see_one_projector(installed):
    """Those of one width share it; a loss without one cannot be added to one with."""
    assert (16, 12) == installed.get("losses", "sum(projected)").entry.projector
    for name in ("sum(projected,contrastive)", "sum(projected,otherwise)"):
        with pytest.raises(CombinationError) as caught:
            installed.get("losses", name)
        assert "through projectors of different widths" in str(caught.value)


def named_so(projector):
    """A factory with a parameter of that name."""
    return Sized(projector)


@pytest.mark.parametrize("widths", [(0,), (8, -1)])
def test_an_entry_with_impossible_widths_is_refused(widths):
    """So is a parameter of the name, which means something to the harness."""
    with pytest.raises(ValueError, match="projector"):
        LossEntry(Sized, source="made up", projector=widths)
    with pytest.raises(ValueError, match="projector"):
        LossEntry(named_so, source="made up", defaults={"projector": 1})
