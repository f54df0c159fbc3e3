"""Every contract can fail: for each one a component that breaks it and nothing else; and what ships keeps them all."""

from __future__ import annotations

import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from bad_components import (
    BAD_LOSSES,
    BAD_MINERS,
    COUNT,
    MARGIN,
    ByPlace,
    Nearest,
    Paced,
    Penalised,
    Proxies,
    Sound,
    first_hundred,
    loss,
    made,
)
from shared import plugin_folder

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import UsageError
from siambench.plugin import BackboneEntry, Choice, Float, Int
from siambench.testing.contracts import CONTRACTS, check, check_component
from siambench.testing.contracts.examine import as_used
from siambench.testing.contracts.terms import PROCESS

PAGE = (Path(__file__).parents[2] / "plugins" / "README.md").read_text(encoding="utf-8")
CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
OF_EACH_FORM = {
    "losses": (
        "contrastive",
        "npair",
        "proxy-anchor",
        "soft-triple",
        "smooth-ap",
        "happier",
        "elasticface",
        "verification-head",
        "vicreg",
        "xbm",
    ),
    "miners": ("hard", "multi-similarity", "distance-weighted", "uniform-histogram"),
}
BUILTIN = [as_used(CATALOGUE.get(kind, name), CATALOGUE) for kind, names in OF_EACH_FORM.items() for name in names]


def states(component):
    """State and reason by contract."""
    return {outcome.contract: (outcome.state, outcome.reason) for outcome in check_component(component)}


def failures(component):
    """Reasons of the contracts that failed."""
    return {name: reason for name, (state, reason) in states(component).items() if state == "failed"}


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "reason", "component"), BAD_LOSSES)
def test_a_bad_loss_breaks_exactly_its_contract(contract, reason, component):
    """A loss that is sound but for one thing fails the one contract about it, with a sentence that says what was found."""
    found = failures(component)

    assert [contract] == list(found)
    assert reason in found[contract]


@pytest.mark.slow
@pytest.mark.parametrize(("contract", "reason", "component"), BAD_MINERS)
def test_a_bad_miner_breaks_exactly_its_contract(contract, reason, component):
    """A miner that is sound but for one thing fails the one contract about it, with a sentence that says what was found."""
    found = failures(component)

    assert [contract] == list(found)
    assert reason in found[contract]


@pytest.mark.parametrize(("kind", "bad"), [("losses", BAD_LOSSES), ("miners", BAD_MINERS)])
def test_each_contract_has_a_component_that_breaks_it(kind, bad):
    """No contract of losses and miners is beyond failing: the bad components break each of them."""
    assert {contract.name for contract in CONTRACTS[kind]} == {contract for contract, _, _ in bad}


@pytest.mark.parametrize(
    "component",
    [
        made(Sound, takes="triplets", feeds=("classes", "pairs"), **MARGIN),
        made(lambda num_classes, embedding_size: Proxies(num_classes, embedding_size, used=2), own_parameters=True),
        made(Sound, takes="triplets", feeds=("classes", "pairs", "triplets", "views"), **MARGIN),
        made(Paced, **MARGIN),
        made(Nearest, "miners", **COUNT),
        made(first_hundred, "miners", scope="training-set", space={"every": Int(1, 4)}, defaults={"every": 2}),
        made(Penalised),
    ],
)
def test_sound_components_keep_all_contracts(component):
    """What the bad components are made from fails nothing: each fails for its one fault alone."""
    assert {} == failures(component)


@pytest.mark.parametrize("component", [pytest.param(c, id=f"{c.kind}-{c.name}") for c in BUILTIN])
def test_what_ships_keeps_all_contracts(component):
    """No built-in loss or miner of each form breaks a contract; `check siambench` examines them all, in a slow test."""
    assert {} == failures(component)


def test_what_the_first_contract_rules_out_is_not_examined():
    """A component that is broken in the first place fails once; the other contracts are skipped and say so."""
    component = loss(lambda e, y, i, sound: 0.5)

    assert {"scalar"} == set(failures(component))
    others = {found for name, found in states(component).items() if name not in (PROCESS, "scalar")}
    assert {("skipped", "not examined, for scalar failed")} == others
    assert ("passed", "") == states(component)[PROCESS]


@pytest.mark.parametrize("draw", [lambda: torch.rand(()), np.random.rand, random.random])
def test_what_draws_from_the_global_generators_is_seeded(draw):
    """A loss that draws from torch, numpy or random keeps determinism; that it draws is found out, and order is not examined."""
    found = states(loss(lambda e, y, i, sound: sound() * (1 + draw())))

    assert ("passed", "") == found["determinism"]
    assert "skipped" == found["permutation"][0]
    assert "draws at random" in found["permutation"][1]


def test_two_images_of_a_class_may_play_two_roles():
    """Where batches are pairs, a loss whose first image of a class is the anchor is excused from permutation, with the reason."""
    state, reason = states(made(ByPlace, images_per_class=2))["permutation"]

    assert "skipped" == state
    assert "another role" in reason


def test_memory_is_examined_of_what_mines_a_training_set():
    """A miner of batches is not given a training set, and says so; one of the whole set is, and how often it is called is no matter."""
    whole = states(made(first_hundred, "miners", scope="training-set", space={"every": Int(1, 4)}, defaults={"every": 2}))

    assert ("skipped", "it is given batches alone") == states(made(Nearest, "miners", **COUNT))["memory"]
    assert ("passed", "") == whole["memory"]
    assert ("skipped", "it has no space") == whole["space-effect"]


class Queue(Sound):
    """Compares with the last `length` embeddings."""

    def __init__(self, length):
        super().__init__()
        self.length = length
        self.kept = torch.zeros(0, 8)

    def forward(self, embeddings, labels):
        """One value of a batch."""
        self.kept = torch.cat([self.kept, embeddings.detach()])[-self.length :]
        return super().forward(embeddings, labels) + torch.cdist(embeddings, self.kept).mean()


class Modal(Sound):
    """Has a margin that counts in one of its modes, which is not the default."""

    def __init__(self, mode, margin):
        super().__init__(margin if mode == "margin" else 0.5)
        self.mode = mode

    def forward(self, embeddings, labels):
        """One value of a batch."""
        return super().forward(embeddings, labels) * (2 if self.mode == "margin" else 1)


@pytest.mark.parametrize(
    "component",
    [
        made(Queue, space={"length": Int(1000, 4000)}, defaults={"length": 2000}),
        made(Modal, space={"mode": Choice("plain", "margin"), "margin": Float(0.0, 1.0)}, defaults={"mode": "plain", "margin": 0.5}),
        made(
            lambda num_classes, embedding_size, lr: Proxies(num_classes, embedding_size, used=2),
            own_parameters=True,
            space={"lr": Float(1e-4, 1.0, log=True)},
            defaults={"lr": 0.01},
        ),
    ],
    ids=["after-many-batches", "in-one-mode", "through-the-optimiser"],
)
def test_an_effect_is_found_where_it_is(component):
    """A parameter may act when a queue is full, beside another's value only, or through the optimiser's learning rate."""
    assert {} == failures(component)


@pytest.mark.parametrize("error", [ValueError("two\nlines"), SystemExit(3), AssertionError(), RecursionError("deep")])
def test_whatever_a_component_raises_is_an_outcome_of_one_line(error):
    """Exceptions of a component, the end of the program included, become failures whose reason is one sentence with the type."""

    def build():
        raise error

    (reason,) = failures(made(build)).values()
    assert type(error).__name__ in reason
    assert "\n" not in reason


def test_random_states_and_threads_are_put_back():
    """A check leaves the global generators of torch, numpy and random, and the number of threads, as they were."""

    def surroundings():
        return torch.random.get_rng_state().tolist(), np.random.get_state()[1].tolist(), random.getstate(), torch.get_num_threads()  # noqa: NPY002

    before = surroundings()
    check_component(made(Nearest, "miners", **COUNT))

    assert before == surroundings()


def test_a_component_of_another_kind_is_refused():
    """There are contracts for each kind that there is; another one is refused by its name."""
    component = Component("trackers", "made", BackboneEntry(lambda: None, source="made for a test"), Provenance("p", "tests", "0"))

    with pytest.raises(UsageError, match="'trackers'"):
        check_component(component)


HEAVY = {
    "module": ("import torch", "return {}", "imports torch:"),
    "hook": ("", "import torch; return {}", "imports torch:"),
    "subprocess": ("import multiprocessing, os, sys\nassert 'pytest' in sys.modules", "return {}", "AssertionError"),
}


@pytest.mark.parametrize("name", HEAVY)
def test_a_plugin_that_is_not_light_to_import_is_found(tmp_path, monkeypatch, name):
    """A module or a hook that imports torch, and a module that cannot be imported in a fresh process, break light-import."""
    top, body, reason = HEAVY[name]
    # A stand-in that is quick to import; this process has the real one already.
    (tmp_path / "torch.py").touch()
    monkeypatch.syspath_prepend(plugin_folder(tmp_path, f"heavy-{name}", top, body))
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": f"heavy-{name}"})
    component = made(Nearest, "miners", **COUNT)
    mine = Component("miners", "made", component.entry, Provenance(f"heavy-{name}", "tests", "1.0"))

    (outcome, *_) = check(f"heavy-{name}", Catalogue((mine,), catalogue.plugins))

    assert (f"plugin:heavy-{name}", "light-import", "failed") == (outcome.component, outcome.contract, outcome.state)
    assert reason in outcome.reason


def test_a_plugin_that_is_light_to_import_is_found(tmp_path, monkeypatch):
    """A plugin without torch at module level keeps light-import, though this process has torch; one that is not installed is skipped."""
    monkeypatch.syspath_prepend(plugin_folder(tmp_path, "featherweight", "", "return {}"))
    entry = made(Nearest, "miners", **COUNT).entry
    plugins = Catalogue.load({"SIAMBENCH_PLUGINS": "featherweight"}).plugins
    found = {}
    for plugin in ("featherweight", "siambench"):
        mine = Component("miners", "none", entry, Provenance(plugin, "tests", "1.0"))
        found[plugin] = check(plugin, Catalogue((mine,), plugins))[0]

    assert {"passed"} == {outcome.state for outcome in found.values()}


def test_the_page_has_every_contract_with_its_promise():
    """The tables of plugins/README.md name each contract, in order, with the sentence that the code has."""
    section = re.split(r"^## ", PAGE.partition("## Prove it: siambench check\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `([\w-]+)` \| (.*) \|$", section, flags=re.MULTILINE)

    assert [(contract.name, contract.promise) for kind in CONTRACTS for contract in CONTRACTS[kind]] == rows
