"""What `run` says at its end of the studies that are left."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from siambench.commands.run import _rest


@pytest.mark.parametrize(("trials", "repetitions", "more"), [(6, 2, ""), (2, 2, "so"), (6, 1, "so")])
def test_a_smaller_budget_is_said_not_to_be_ranked(trials, repetitions, more):
    """Where trials or repetitions are not the track's, more studies alone do not rank a row, and what would is named."""
    plan = SimpleNamespace(study=0, row="r", trials=trials, repetitions=repetitions)
    prepared = SimpleNamespace(studies=(plan,), track=SimpleNamespace(budget=SimpleNamespace(studies=5, trials=6, repetitions=2)))
    record = SimpleNamespace(unit=SimpleNamespace(row="r"), seconds=60.0)
    outcome = SimpleNamespace(interrupted=False, unfinished=(), records=(record,), jobs=1)
    said = _rest(prepared, outcome)
    assert said.startswith("1 of 5 studies, so not ranked yet; the other 4 studies would take about ")
    end = (
        " and without --trials and --repetitions: ranked are rows of 6 trials and 2 repetitions, whose tuning takes longer" if more else ""
    )
    assert said.endswith(f": the same command with --studies all{end}")
