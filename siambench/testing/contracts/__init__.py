"""The contract kit: what siambench expects of a loss, a miner and the module they come in, examined one promise at a time.

A plugin author's own test::

    from siambench.testing.contracts import check

    def test_contracts():
        assert [] == [outcome for outcome in check("soft") if outcome.state == "failed"]
"""

from siambench.testing.contracts.examine import CONTRACTS, check, check_component, subjects
from siambench.testing.contracts.terms import Contract, Outcome

__all__ = ["CONTRACTS", "Contract", "Outcome", "check", "check_component", "subjects"]
