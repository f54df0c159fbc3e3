"""What units took: sums and medians, by phase, from whatever their telemetry tells."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from made import ONE_STUDY, final, study, table_of, timed, tuned

from siambench.board.costs import HEAD, PHASES, cells, costs_of, to_json
from siambench.board.rows import rows_of
from siambench.board.view import to_json as table_json


def seconds_of(records, phase=None):
    return [record.telemetry["total_seconds"] if phase is None else record.telemetry["seconds"][phase] for record in records]


def test_tuning_is_summed_and_final_units_have_a_median():
    """Of tune units the sums stand there, of final units the medians, by phase; memory is the highest of all."""
    records = timed(study("triplet", [0.5, 0.51, 0.52]))
    tune, finals = records[:4], records[4:]
    (row,) = rows_of(ONE_STUDY, records)
    assert (4, 3) == (row.costs.tuning.units, row.costs.final.units)
    assert np.sum(seconds_of(tune)) == pytest.approx(row.costs.tuning.seconds, abs=1e-4)
    assert np.median(seconds_of(finals)) == pytest.approx(row.costs.final.seconds, abs=1e-4)
    for phase in ("data", "train", "evaluate"):
        assert np.sum(seconds_of(tune, phase)) == pytest.approx(row.costs.tuning.phases[phase], abs=1e-4)
        assert np.median(seconds_of(finals, phase)) == pytest.approx(row.costs.final.phases[phase], abs=1e-4)
    assert max(record.telemetry["peak_memory_mb"] for record in records) == row.costs.peak_memory_mb
    assert ("cpu",) == row.costs.devices


def test_the_order_of_records_does_not_matter():
    """Records in another order give the same costs, to the last digit."""
    records = timed(study("triplet", [0.5, 0.51, 0.52]))
    (row,), (other,) = rows_of(ONE_STUDY, records), rows_of(ONE_STUDY, records[::-1])
    assert to_json(row.costs) == to_json(other.costs)


def test_only_what_the_row_counts_is_counted():
    """A trial without all its folds, and a final model of a trial that is no longer selected, cost the row nothing."""
    records = timed(study("triplet", [0.5, 0.51, 0.52]))
    more = [tuned("triplet", 2, 0, [0.1]), final("triplet", 0, 0.4, trial=0)]
    (row,) = rows_of(ONE_STUDY, records)
    (other,) = rows_of(ONE_STUDY, records + timed(more, seed=1))
    assert to_json(row.costs) == to_json(other.costs)


def test_a_failed_trial_costs_what_it_took():
    """Units that failed spent budget, and are counted."""
    records = timed([tuned("triplet", t, f, [0.2], state="failed" if t else "done") for t in range(2) for f in range(2)])
    (row,) = rows_of(ONE_STUDY, records)
    assert 4 == row.costs.tuning.units
    assert np.sum(seconds_of(records)) == pytest.approx(row.costs.tuning.seconds, abs=1e-4)
    assert (0, None) == (row.costs.final.units, row.costs.final.seconds)


def test_a_phase_that_records_do_not_tell_is_empty():
    """Without `embed` in the telemetry its columns are empty and its JSON null; with it they are filled."""
    without, with_it = (
        costs_of([], timed(study("triplet", [0.5]), phases=phases)[4:]) for phases in (("data", "train", "evaluate"), PHASES)
    )
    assert "embed" not in without.final.phases
    assert to_json(without)["final"]["phases"]["embed"] is None
    assert to_json(with_it)["final"]["phases"]["embed"] > 0


@pytest.mark.parametrize(
    "telemetry",
    [{}, {"seconds": None, "total_seconds": "long"}, {"seconds": {"train": True}, "peak_memory_mb": [], "device": 3}],
)
def test_telemetry_of_any_form_is_borne(telemetry):
    """What is no number is not known; the row and its document are there all the same."""
    records = [dataclasses.replace(record, telemetry=telemetry) for record in study("triplet", [0.5, 0.51, 0.52])]
    found = costs_of(records[:4], records[4:])
    assert (4, None, {}, None, ()) == (found.tuning.units, found.tuning.seconds, found.tuning.phases, found.peak_memory_mb, found.devices)
    assert json.dumps(to_json(found), allow_nan=False)
    assert rows_of(ONE_STUDY, records)[0].scores


def test_rows_are_equal_whatever_they_cost():
    """Two rows that differ in their costs alone are equal."""
    slow, fast = (rows_of(ONE_STUDY, timed(study("triplet", [0.5, 0.51, 0.52]), seed=seed)) for seed in (1, 2))
    assert slow[0].costs != fast[0].costs
    assert slow == fast


def test_each_row_of_the_document_has_its_costs():
    """The JSON of a table has the key `costs` in every row, baselines included, which were not tuned."""
    rows = table_json(table_of(timed([*study("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)])))["rows"]
    assert [{"tuning", "final", "peak_memory_mb", "devices"}] * 2 == [set(row["costs"]) for row in rows]
    assert [4, 0] == [row["costs"]["tuning"]["units"] for row in rows]
    assert [3, 1] == [row["costs"]["final"]["units"] for row in rows]
    assert rows[1]["costs"]["tuning"]["seconds"] is None


def test_a_row_of_the_file_has_a_cell_for_every_column():
    """A row of ``costs.csv`` has the method, sums of tuning, medians of final units, memory and device, empty where nothing is told."""
    (row,) = rows_of(ONE_STUDY, timed(study("triplet", [0.5, 0.51, 0.52])))
    found = dict(zip(HEAD, cells("triplet", row.costs), strict=True))
    assert ("triplet", 4, 3, "cpu", "") == tuple(
        found[name] for name in ("method", "tuning_units", "final_units", "device", "final_embed_seconds")
    )
    assert row.costs.tuning.seconds == float(found["tuning_seconds"])
    assert row.costs.final.phases["train"] == float(found["final_train_seconds"])
    (bare,) = rows_of(ONE_STUDY, [final("raw", 0, 0.1)])
    assert {"raw", 0, 1, ""} == set(cells("raw", bare.costs))
