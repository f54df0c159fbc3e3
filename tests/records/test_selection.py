"""Which epoch and which trial are chosen."""

from __future__ import annotations

import pytest
from made import done
from shared import curve

from siambench.interfaces import Epoch, Failed
from siambench.records.selection import best_epoch, best_trial


@pytest.mark.parametrize(
    ("folds", "maximise", "expected"),
    [
        # The best mean, not the mean of the bests: 0.9 and 0.8 are reached in different epochs.
        ([[0.1, 0.9, 0.5], [0.8, 0.1, 0.6]], True, (3, 0.55)),
        ([[0.1, 0.9, 0.5], [0.8, 0.1, 0.6]], False, (1, 0.45)),
        # The earliest of equals.
        ([[0.5, 0.5, 0.5]], True, (1, 0.5)),
        ([[0.25, 0.5, 0.75], [0.5, 0.75, 0.5]], True, (2, 0.625)),
        # A fold that stopped early counts up to where it stopped.
        ([[0.1, 0.2, 0.9], [0.1, 0.2]], True, (2, 0.2)),
        # One fold without a score, failed or not, and there is no value.
        ([[0.1, None], [0.1, 0.2]], True, None),
        ([[0.1], []], True, None),
    ],
)
def test_the_best_epoch_is_that_of_the_mean_over_folds(folds, maximise, expected):
    """The best epoch has the best fold-mean, the earliest of equals; without a score in every fold there is none."""
    found = best_epoch([done(curve=curve(*values)) for values in folds], "map@r", maximise=maximise)

    assert expected == (None if found is None else (found[0], pytest.approx(found[1])))


def test_a_failed_fold_has_no_best_epoch():
    """A fold that failed after some epochs gives no value, though its curve has scores."""
    failed = Failed(error="made up", ended="diverged", curve=curve(0.9))
    assert best_epoch([done(curve=curve(0.5, 0.6)), failed], "map@r", maximise=True) is None
    assert best_epoch([done(curve=curve(0.5, 0.6)), Failed(error="made up", ended="raised")], "map@r", maximise=True) is None


def test_an_epoch_that_was_not_validated_has_no_score():
    """A curve without validation, or without that metric, gives no epoch rather than an error."""
    plain = done(curve=(Epoch(1, 0.5, 1.0, None, None),))
    assert best_epoch([plain], "map@r", maximise=True) is None
    assert best_epoch([done(curve=curve(0.5, metric="recall@1"))], "map@r", maximise=True) is None


@pytest.mark.parametrize(
    ("values", "maximise", "expected"),
    [
        ([0.1, 0.3, 0.2], True, 1),
        ([0.1, 0.3, 0.2], False, 0),
        # The earliest of equals, whichever way is better.
        ([0.1, 0.3, 0.3], True, 1),
        ([0.3, 0.1, 0.1], False, 1),
        # A failed trial is never chosen, not even where all others are worse than nothing.
        ([None, -0.5, None, -0.7], True, 1),
        ([None, None], True, None),
        ([], True, None),
    ],
)
def test_the_best_trial_is_the_earliest_of_the_best_values(values, maximise, expected):
    """The place of the best value is given, the earliest of equals; what failed is not counted, and without a value there is none."""
    assert expected == best_trial(values, maximise=maximise)
