"""Losses made of others: what they are as components, and what they compute."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.components.groups import grouped
from siambench.errors import CombinationError, ConfigError, PluginError, UnknownNameError, UsageError
from siambench.plugin import Float, Int, LossEntry, Option
from siambench.training.components import LossCall, as_seen, build_loss

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
LABELS = torch.tensor([0, 0, 1, 1, 2, 2, 0, 1])


class Halved(nn.Module):
    """A wrapper: half of another loss, with a parameter of its own."""

    def __init__(self, loss, share):
        super().__init__()
        self.loss, self.share = loss, share
        self.own = nn.Parameter(torch.ones(()))

    def forward(self, embeddings, labels, indices=None):
        """The loss of a batch."""
        return self.loss(embeddings, labels, indices) * self.share * self.own


class Progressing(nn.Module):
    """A loss that is told of the progress and the groups."""

    def forward(self, embeddings, labels, *, progress, groups):
        """The loss of a batch."""
        return embeddings.sum() * 0 + progress + groups.sum()


WRAPPER = LossEntry(Halved, source="here", space={"share": Float(0.1, 1.0)}, defaults={"share": 0.5}, wraps=True)


@pytest.fixture
def catalogue():
    """The built-ins, a wrapper, and a loss that is told more."""
    more = [
        Component("losses", "halved", WRAPPER, Provenance("here", "siambench-here", "1.0"), module=__name__),
        Component("losses", "told", LossEntry(Progressing, source="here"), Provenance("here", "siambench-here", "1.0"), module=__name__),
    ]
    return Catalogue((*CATALOGUE.components(), *more), CATALOGUE.plugins)


def built(entry, **params):
    """Its module, with 3 classes and 4 numbers."""
    return build_loss(entry, {**entry.defaults, **params}, name="composed", num_classes=3, embedding_size=4, seed=3)


def rows(seed=0):
    """What a head gives, [8, 4]."""
    return torch.randn(8, 4, generator=torch.Generator().manual_seed(seed)) * 2


def value(entry, x, indices=None, **params):
    """The value of a batch as training gets it."""
    return float(LossCall(built(entry, **params), "composed")(as_seen(x, normalise=entry.normalise), LABELS, indices).detach())


def test_a_sum_is_the_sum_of_its_parts(catalogue):
    """Each part sees the embeddings as it wants them, of unit length or as they are, and its own parameters."""
    found = catalogue.get("losses", "sum(contrastive, 0.1*npair)").entry
    x = rows().requires_grad_()
    parts = [catalogue.get("losses", name).entry for name in ("contrastive", "npair")]
    assert not found.normalise
    expected = value(parts[0], x, neg_margin=1.3) + 0.1 * value(parts[1], x, l2_weight=0.02)
    assert expected == pytest.approx(value(found, x, **{"contrastive.neg_margin": 1.3, "npair.l2_weight": 0.02}), rel=1e-6)


def test_space_and_defaults_are_those_of_the_parts_by_their_names(catalogue):
    """A sum is tuned in the dimensions of all its parts; a wrapper has its own unprefixed beside those of the other."""
    found = catalogue.get("losses", "sum(triplet,halved(ntxent))").entry
    assert ["halved.ntxent.temperature", "halved.share", "triplet.margin"] == sorted(found.space)
    assert {"triplet.margin": 0.1, "halved.share": 0.5, "halved.ntxent.temperature": 0.1} == dict(found.defaults)
    assert ["ntxent.temperature", "share"] == sorted(catalogue.get("losses", "halved(ntxent)").entry.space)
    widened = catalogue.get("losses", "sum(triplet,angular)").entry.in_space("reality-check")
    assert (-0.2, 2.0) == (widened.space["triplet.margin"].low, widened.space["triplet.margin"].high)


def test_own_parameters_of_all_parts_are_trained(catalogue):
    """Proxies of two parts, and a wrapper's own parameter, are parameters of the whole, and each gets a gradient."""
    entry = catalogue.get("losses", "sum(proxy-anchor,halved(arcface))").entry
    module = built(entry)
    assert entry.own_parameters
    LossCall(module, "composed")(functional.normalize(rows()), LABELS).backward()
    shapes = sorted(tuple(p.shape) for p in module.parameters())
    assert [(), (3, 4), (4, 3)] == shapes
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())


def test_a_wrapper_calls_the_other(catalogue):
    """Its value is what it makes of the other's, whose tuples are those that a miner gave."""
    x = rows().requires_grad_()
    inner = catalogue.get("losses", "triplet").entry
    outer = catalogue.get("losses", "halved(triplet)").entry
    some = tuple(torch.tensor(column) for column in ([0, 2], [1, 3], [4, 5]))
    for indices in (None, some):
        assert 0.2 * value(inner, x, indices) == pytest.approx(value(outer, x, indices, share=0.2), rel=1e-6)


def test_tuples_are_for_the_parts_that_take_them(catalogue):
    """A part that forms none is not handed a miner's; the others are."""
    entry = catalogue.get("losses", "sum(triplet,2*arcface)").entry
    assert "triplets" == entry.takes
    x = rows().requires_grad_()
    some = tuple(torch.tensor(column) for column in ([0, 2], [1, 3], [4, 5]))
    triplet = catalogue.get("losses", "triplet").entry
    # The class weights are drawn first to last: those of the sum's second part are those of a loss that stands alone.
    expected = value(triplet, x, some) + 2 * value(catalogue.get("losses", "arcface").entry, x)
    assert expected == pytest.approx(value(entry, x, some), rel=1e-6)


def test_progress_and_groups_reach_the_parts(catalogue):
    """What a part's forward names is passed on through sums and wrappers."""
    entry = catalogue.get("losses", "sum(told,0.5*triplet)").entry
    module = built(entry)
    groups = torch.tensor([1, 0, 0, 0, 0, 0, 0, 2])
    x = functional.normalize(rows()).requires_grad_()
    found = LossCall(module, "composed")(x, LABELS, progress=0.25, groups=groups)
    triplet = value(catalogue.get("losses", "triplet").entry, x)
    assert 3.25 + 0.5 * triplet == pytest.approx(float(found.detach()), rel=1e-6)


def test_batches_suit_the_parts_that_form_tuples(catalogue):
    """A loss over classes in a sum takes batches by class; of several numbers of images a class has the largest."""
    layouts = [catalogue.get("losses", name).entry for name in ("sum(arcface,npair)", "sum(npair,triplet)", "sum(arcface,proxy-anchor)")]
    assert [("m-per-class", 2), ("m-per-class", 4)] == [(entry.sampler, entry.images_per_class) for entry in layouts[:2]]
    assert "random" == layouts[2].sampler


def test_it_is_known_by_what_it_is_made_of(catalogue):
    """The whole has a name in one spelling; its parts are components of their own, with their digests."""
    found = catalogue.get("losses", "sum( triplet, 0.10*halved(ntxent) )")
    assert "sum(triplet,0.1*halved(ntxent))" == found.name
    assert ["halved", "ntxent", "triplet"] == sorted(found.parts)
    assert found.source != catalogue.get("losses", "sum(triplet,halved(ntxent))").source
    assert found.parts["triplet"].source == catalogue.get("losses", "triplet").source


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("sum(contrastive,tripplet)", UnknownNameError, "did you mean 'triplet'"),
        ("triplet(contrastive)", UsageError, "'triplet' wraps no other"),
        ("sum(halved,triplet)", UsageError, "'halved' wraps another one"),
        ("sum(triplet,triplet)", UsageError, "triplet stands in it twice"),
        ("sum(triplet,2*triplet)", UsageError, "triplet stands in it twice"),
        ("halvd(triplet)", UnknownNameError, "halvd"),
        ("sum(triplet", UsageError, "a closing bracket is missing"),
    ],
)
def test_what_cannot_be_made_is_refused(catalogue, name, error, said):
    """One sentence says which part of the name does not hold."""
    with pytest.raises(error) as caught:
        catalogue.get("losses", name)
    assert said in str(caught.value)


def test_losses_that_cannot_be_fed_alike_are_refused():
    """A sum of one that takes classes alone and one that takes views alone has no batches."""
    entries = [LossEntry(Progressing, source="here", feeds=(feed,)) for feed in ("classes", "views")]
    parts = [Component("losses", f"f{i}", entry, Provenance("here", "here", "1")) for i, entry in enumerate(entries)]
    with pytest.raises(CombinationError) as caught:
        Catalogue(tuple(parts), ()).get("losses", "sum(f0,f1)")
    assert "cannot be fed alike: classes; views" in str(caught.value)


class TwoRates(nn.Module):
    """A loss with two parameters."""

    def __init__(self, num_classes, embedding_size):
        super().__init__()
        self.proxies = nn.Parameter(torch.ones(num_classes, embedding_size))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        return self.scale * (embeddings @ self.proxies.T).mean()


def test_options_of_parts_bear_the_part_s_name(catalogue):
    """Set, they reach the part and no other; the digest of the whole is another, and those of the parts are what they were."""
    plain = catalogue.get("losses", "sum(triplet,0.5*contrastive)")
    chosen = plain.with_options({"triplet.swap": True, "triplet.margin": 0.2})
    assert {"triplet.swap", "contrastive.distance"} <= {*plain.entry.options}
    assert plain.with_options({"triplet.swap": False}) is plain
    assert plain.source != chosen.source
    assert {name: part.source for name, part in plain.parts.items()} == {name: part.source for name, part in chosen.parts.items()}
    alone = catalogue.get("losses", "triplet").with_options({"swap": True}).entry
    x = functional.normalize(rows())
    value = built(alone, swap=True)(x, LABELS) + 0.5 * built(catalogue.get("losses", "contrastive").entry)(x, LABELS)
    found = LossCall(built(chosen.entry, **{"triplet.swap": True}), "sum")(x.requires_grad_(), LABELS)
    assert torch.allclose(value, found)
    assert not torch.allclose(found, LossCall(built(plain.entry), "sum")(x, LABELS))


def test_an_option_moves_the_space_of_its_part(catalogue):
    """What is searched follows the option, as it does of the loss alone; other parts keep theirs."""
    plain, chosen = (catalogue.get("losses", "xbm(sum(contrastive,margin))").with_options(given).entry for given in ({}, COSINE))
    name = "sum.contrastive.pos_margin"
    assert (0.0, 1.0) == (plain.defaults[name], chosen.defaults[name])
    assert plain.defaults["sum.margin.beta"] == chosen.defaults["sum.margin.beta"]
    # What it gives is the entry of such a row, and knows its options as before.
    assert {*plain.options} == {*chosen.options}


COSINE = {"sum.contrastive.distance": "cosine"}


def test_options_of_parts_that_do_not_hold_name_the_part(catalogue):
    """In one sentence."""
    with pytest.raises(ConfigError, match=r"the options of the loss triplet do not hold: swap must be false or true, got 'no'"):
        catalogue.get("losses", "sum(npair,triplet)").with_options({"triplet.swap": "no"})


def in_groups(catalogue):
    """The same catalogue with a loss whose parameters come in two groups."""
    entry = LossEntry(TwoRates, source="here", own_parameters=("proxies", "scale"))
    more = Component("losses", "two", entry, Provenance("here", "siambench-here", "1.0"), module=__name__)
    owned = Component("losses", "owned", OWNED, Provenance("here", "siambench-here", "1.0"), module=__name__)
    return Catalogue((*catalogue.components(), more, owned), catalogue.plugins)


OWNED = LossEntry(Halved, source="here", space={"share": Float(0.1, 1.0)}, defaults={"share": 0.5}, wraps=True, own_parameters=True)


@pytest.mark.parametrize(
    ("name", "groups"),
    [
        ("sum(two,contrastive)", {"two.proxies": 1, "two.scale": 1}),
        ("sum(two,arcface)", {"two.proxies": 1, "two.scale": 1, "arcface": 1}),
        ("matryoshka(two)", {"two.proxies": 1, "two.scale": 1}),
        ("owned(two)", {"owned": 1, "two.proxies": 1, "two.scale": 1}),
        ("owned(sum(two,arcface))", {"owned": 1, "sum.two.proxies": 1, "sum.two.scale": 1, "sum.arcface": 1}),
    ],
)
def test_groups_of_parts_stay_groups(catalogue, name, groups):
    """A loss made of others has the groups of its parts, a part without groups as one, and each parameter is in just one."""
    entry = in_groups(catalogue).get("losses", name).entry
    assert tuple(groups) == entry.groups
    loss = built(entry, **({"smallest": 4} if "matryoshka" in name else {}))
    found = grouped(loss, entry.groups)
    assert groups == {group: len(members) for group, members in found.items()}
    assert sum(groups.values()) == sum(1 for _ in loss.parameters())


def test_parts_without_groups_have_one_rate_as_before(catalogue):
    """A sum of losses that have proxies says so by true, and nothing of groups."""
    assert catalogue.get("losses", "sum(arcface,proxy-anchor)").entry.own_parameters is True
    assert catalogue.get("losses", "sum(triplet,contrastive)").entry.own_parameters is False


@pytest.mark.parametrize(
    ("with_set", "sentence"),
    [
        (lambda entry, chosen: entry.nothing, "with_set of the loss odd raised AttributeError: "),
        (lambda entry, chosen: None, "with_set of the loss odd must give a LossEntry, got NoneType"),
        (lambda entry, chosen: [][chosen["swap"]], "with_set of the loss odd raised IndexError: "),
    ],
)
@pytest.mark.parametrize("name", ["odd", "sum(odd,contrastive)"])
def test_a_with_set_that_breaks_is_one_sentence(catalogue, name, with_set, sentence):
    """Whatever it raises or gives, the sentence names the loss, alone and in a sum."""
    entry = LossEntry(Progressing, source="here", options={"swap": Option(0, Int(0, 5))}, with_set=with_set)
    odd = Component("losses", "odd", entry, Provenance("here", "siambench-here", "1.0"), module=__name__)
    loss = Catalogue((*catalogue.components(), odd), catalogue.plugins).get("losses", name)
    with pytest.raises(PluginError) as refused:
        loss.with_options({"swap": 3, "odd.swap": 3})
    assert str(refused.value).startswith(sentence)
