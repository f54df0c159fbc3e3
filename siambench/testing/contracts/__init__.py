"""The contract kit: what siambench expects of a component of each kind and of the module it comes in, one promise at a time.

A plugin author's own test, with one id for each component and contract::

    import pytest
    from siambench.testing.contracts import cases

    @pytest.mark.parametrize("case", cases("soft"), ids=str)
    def test_contract(case):
        outcome = case.examine()
        assert outcome.state != "failed", outcome.reason

Or all in one: ``[] == [outcome for outcome in check("soft") if outcome.state == "failed"]``.
"""

from siambench.testing.contracts.examine import CONTRACTS, Case, cases, check, check_component, subjects
from siambench.testing.contracts.terms import Contract, Outcome

__all__ = ["CONTRACTS", "Case", "Contract", "Outcome", "cases", "check", "check_component", "subjects"]
