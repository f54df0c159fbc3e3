"""Contracts of every kind can fail: for each one a component that breaks it and nothing else; and what ships keeps them all."""

from __future__ import annotations

import pytest
from bad_kinds import BAD, GOOD, made

from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import KINDS
from siambench.testing.contracts import CONTRACTS, check_component
from siambench.testing.contracts.terms import PROCESS

BUILTIN = [c for c in Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components() if c.kind in BAD]


def failures(component):
    """Reasons of the contracts that failed."""
    return {outcome.contract: outcome.reason for outcome in check_component(component) if outcome.state == "failed"}


@pytest.mark.parametrize(
    ("contract", "reason", "component"),
    [pytest.param(*bad, id=f"{kind}-{bad[0]}-{place}") for kind in BAD for place, bad in enumerate(BAD[kind])],
)
def test_a_bad_component_breaks_exactly_its_contract(contract, reason, component):
    """A component that is sound but for one thing fails the one contract about it, with a sentence that says what was found."""
    found = failures(component)

    assert [contract] == list(found), found
    assert reason in found[contract]


@pytest.mark.parametrize("kind", BAD)
def test_each_contract_has_a_component_that_breaks_it(kind):
    """No contract of a kind is beyond failing: the bad components break each of them."""
    assert {contract.name for contract in CONTRACTS[kind]} == {contract for contract, _, _ in BAD[kind]}


def test_each_kind_has_contracts():
    """Every kind of component that there is has contracts, and the first of them is that the process is left alone."""
    assert {"plugin", *KINDS} == set(CONTRACTS)
    assert {PROCESS} == {CONTRACTS[kind][0].name for kind in KINDS}


@pytest.mark.parametrize(
    "component", [pytest.param(component, id=f"{kind}-{place}") for kind in GOOD for place, component in enumerate(GOOD[kind])]
)
def test_sound_components_keep_all_contracts(component):
    """What the bad components are made from fails nothing: each fails for its one fault alone."""
    assert {} == failures(component)


@pytest.mark.slow
@pytest.mark.parametrize("component", [pytest.param(c, id=f"{c.kind}-{c.name}") for c in BUILTIN])
def test_what_ships_keeps_all_contracts(component):
    """No built-in of any kind breaks a contract."""
    assert {} == failures(component)


@pytest.mark.parametrize(
    ("component", "reason"),
    [
        (made("datasets", lambda path: None, takes_path=True), "it is called with a path, as made:PATH"),
        (made("engines", lambda function, partition: None), "it needs partition, which only a user can give"),
    ],
    ids=["a-path", "a-partition"],
)
def test_what_only_a_user_has_is_a_reason_to_skip(component, reason):
    """What cannot be built without a user's file or cluster is skipped whole, and says what it lacks."""
    outcomes = check_component(component)

    assert {"skipped"} == {outcome.state for outcome in outcomes}
    assert all(reason in outcome.reason for outcome in outcomes)
