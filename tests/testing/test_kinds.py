"""Contracts of every kind can fail: for each one a component that breaks it and nothing else."""

from __future__ import annotations

import bad_exam_kinds
import bad_kinds
import pytest
from bad_kinds import made

from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import ENTRY_OF, KINDS
from siambench.plugin import FileEntry
from siambench.testing.contracts import CONTRACTS, cases, check, check_component
from siambench.testing.contracts.terms import PROCESS

GOOD, BAD = {**bad_kinds.GOOD, **bad_exam_kinds.GOOD}, {**bad_kinds.BAD, **bad_exam_kinds.BAD}


def failures(component):
    """Reasons of the contracts that failed."""
    return {outcome.contract: outcome.reason for outcome in check_component(component) if outcome.state == "failed"}


@pytest.mark.slow
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
    """Every kind of component that there is has contracts; of code the first is that the process is left alone, of files that they hold."""
    assert {"plugin", *KINDS} == set(CONTRACTS)
    files = [kind for kind in KINDS if issubclass(ENTRY_OF[kind], FileEntry)]
    assert ["tracks", "configs"] == files
    assert {PROCESS} == {CONTRACTS[kind][0].name for kind in KINDS if kind not in files}
    assert {"rules"} == {CONTRACTS[kind][0].name for kind in files}


@pytest.mark.parametrize(
    "component", [pytest.param(component, id=f"{kind}-{place}") for kind in GOOD for place, component in enumerate(GOOD[kind])]
)
def test_sound_components_keep_all_contracts(component):
    """What the bad components are made from fails nothing: each fails for its one fault alone."""
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


@pytest.mark.slow
def test_cases_are_the_outcomes_of_a_check_one_by_one():
    """Each contract of each component of a name is a case with an id of its own, and examined alone it has the outcome of a check."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    found = cases("multi-similarity", catalogue, kind="miner")
    outcomes = [case.examine() for case in found]

    assert [f"miners:multi-similarity-{contract.name}" for contract in CONTRACTS["miners"]] == [str(case) for case in found]
    assert check("multi-similarity", catalogue, kind="miner") == outcomes


def test_a_case_after_one_that_failed_is_skipped():
    """Where the contract that comes first fails, the case of another is skipped, and says so."""
    (component,) = [component for contract, words, component in BAD["formats"] if contract == "text" and "got list" in words]
    case = next(case for case in cases_of(component) if case.contract.name == "rows")

    assert "skipped" == case.examine().state
    assert "not examined, for text failed" == case.examine().reason


def test_what_comes_first_is_examined_once_for_all_cases():
    """A component's first contracts are not examined again before each case; a case that is asked for is, every time."""
    called = []

    def render(table):
        called.append(table)
        return bad_kinds.plainly(table)

    found = cases_of(made("formats", render))
    numbers = []
    for name in ("text", "text", "rows", "rows"):
        called.clear()
        assert "passed" == next(case for case in found if case.contract.name == name).examine().state
        numbers.append(len(called))

    first, again, rows, rows_again = numbers
    assert first > again > 0
    assert 0 < rows == rows_again


def cases_of(component):
    """The cases of one component."""
    catalogue = Catalogue((component,), ())
    return cases(component.name, catalogue, kind=component.kind)


def test_a_plugin_is_a_case_too():
    """What is examined of a plugin as a whole is a case of its own, the first."""
    first = cases("siambench", Catalogue.load({"SIAMBENCH_PLUGINS": ""}))[0]

    assert "plugin:siambench-light-import" == str(first)
