"""`board.pictures.learning`: curves over epochs."""

from __future__ import annotations

import statistics

import pytest
from made import final, several, study, table_of, trials

from siambench.board.pictures.learning import epochs, losses, separation
from siambench.errors import NothingToDrawError
from siambench.identity import to_json
from siambench.interfaces import Epoch, Measures


def curve(*values):
    return tuple(Epoch(number, value, 1.0, None, None) for number, value in enumerate(values, 1))


def test_losses_have_an_axis_for_each_method():
    """The line is the mean over final models and the band their range; each panel has an axis of its own."""
    found = [(3.0, 2.0, 1.5), (4.0, 1.0, 0.5)]
    records = study("triplet", []) + [final("triplet", n, 0.5, trial=1, outcome={"curve": curve(*one)}) for n, one in enumerate(found)]
    (panel,) = losses(table_of(records)).panels
    (line,) = panel.marks
    assert panel.y is not None
    assert [(n, statistics.fmean(both)) for n, both in enumerate(zip(*found, strict=True), 1)] == list(line.at)
    assert [(min(both), max(both)) for both in zip(*found, strict=True)] == list(line.band)


def test_separation_is_drawn_where_it_was_measured():
    """Rows whose final models were measured have a panel, others none."""
    told = {
        "measures": [to_json(Measures(epoch=n, steps=1, loss=1.0, parts={}, violated={}, auc=auc)) for n, auc in enumerate((0.5, 0.8, 0.9))]
    }
    records = [*study("triplet", []), final("triplet", 0, 0.5, trial=1, telemetry=told), *study("npair", [0.4])]
    (panel,) = separation(table_of(records)).panels
    assert panel.title == "triplet"
    assert panel.marks[0].at == ((0, 0.5), (1, 0.8), (2, 0.9))


def test_validation_by_epoch_is_that_of_selected_trials():
    """The folds of the selected trial are averaged epoch by epoch."""
    records = trials()
    (panel,) = epochs(table_of(records)).panels
    assert [(1.0, pytest.approx(0.1)), (2.0, pytest.approx(0.55))] == list(panel.marks[0].at)


def test_without_data_a_sentence_says_so():
    """Rows without curves have no such figure, and each says what is missing."""
    table = table_of(several())
    with pytest.raises(NothingToDrawError, match="two epochs"):
        losses(table)
    with pytest.raises(NothingToDrawError, match="came apart"):
        separation(table)
    with pytest.raises(NothingToDrawError, match="after their last epoch alone"):
        epochs(table_of([]))
