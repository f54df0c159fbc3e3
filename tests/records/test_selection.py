"""Which epoch and which trial are chosen."""

from __future__ import annotations

import pytest
from made import done
from shared import curve

from siambench.interfaces import Epoch, Failed
from siambench.records.selection import best_epoch, best_trial, survivors


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
    found = best_epoch([done(curve=curve(*values)) for values in folds], "map@r", maximise=maximise, annealed=False)

    assert expected == (None if found is None else (found[0], pytest.approx(found[1])))


@pytest.mark.parametrize("annealed", [True, False])
def test_a_failed_fold_has_no_best_epoch(annealed):
    """A fold that failed after some epochs gives no value, though its curve has scores."""
    failed = Failed(error="made up", ended="diverged", curve=curve(0.9))
    assert best_epoch([done(curve=curve(0.5, 0.6)), failed], "map@r", maximise=True, annealed=annealed) is None
    assert (
        best_epoch([done(curve=curve(0.5, 0.6)), Failed(error="made up", ended="raised")], "map@r", maximise=True, annealed=annealed)
        is None
    )


def epochs(*validation):
    """A curve in which None stands for an epoch without validation."""
    return tuple(
        Epoch(number, 0.5, 1.0, None, None if value is None else {"map@r": value}) for number, value in enumerate(validation, start=1)
    )


@pytest.mark.parametrize("annealed", [True, False])
def test_a_trial_that_was_never_validated_has_no_score(annealed):
    """A curve without validation, or without that metric, gives no epoch rather than an error."""
    assert best_epoch([done(curve=epochs(None))], "map@r", maximise=True, annealed=annealed) is None
    assert best_epoch([done(curve=curve(0.5, metric="recall@1"))], "map@r", maximise=True, annealed=annealed) is None
    assert best_epoch([done()], "map@r", maximise=True, annealed=annealed) is None
    assert best_epoch([], "map@r", maximise=True, annealed=annealed) is None


def test_under_an_annealing_schedule_the_last_epoch_counts():
    """However good an earlier epoch was, and though it had no score at all, the last one gives epoch and value."""
    folds = [done(curve=epochs(0.9, 0.8, 0.2)), done(curve=epochs(None, None, 0.4))]
    assert (3, pytest.approx(0.3)) == best_epoch(folds, "map@r", maximise=True, annealed=True)
    assert (2, 0.25) == best_epoch([done(curve=curve(None, 0.25))], "map@r", maximise=True, annealed=True)
    # Which was not validated has no score, as one whose last epoch gave none.
    assert best_epoch([done(curve=epochs(0.9, None))], "map@r", maximise=True, annealed=True) is None
    assert best_epoch([done(curve=curve(0.9, None))], "map@r", maximise=True, annealed=True) is None


def test_epochs_without_validation_are_passed_over():
    """Where every second epoch is validated, the best of those counts, by its own number."""
    folds = [done(curve=epochs(None, 0.3, None, 0.6, None, 0.5)), done(curve=epochs(None, 0.3, None, 0.2, None, 0.5))]
    assert (6, 0.5) == best_epoch(folds, "map@r", maximise=True, annealed=False)
    assert (2, 0.3) == best_epoch(folds, "map@r", maximise=False, annealed=False)
    # What not all folds were validated at is no epoch of the trial.
    assert (4, 0.4) == best_epoch(
        [done(curve=epochs(0.9, None, None, 0.4)), done(curve=epochs(None, 0.9, None, 0.4))], "map@r", maximise=True, annealed=False
    )


@pytest.mark.parametrize(
    ("values", "first", "maximise", "expected"),
    [
        ([0.1, 0.4, 0.2, 0.3], 4, True, [1, 3]),
        ([0.1, 0.4, 0.2, 0.3], 4, False, [0, 2]),
        # The default beside the best two, and only two where it is one of them.
        ([0.1, 0.4, 0.2, 0.3], 0, True, [0, 1, 3]),
        ([0.4, 0.1, 0.2, 0.3], 0, True, [0, 3]),
        # The earlier of equals, whichever way is better.
        ([0.2, 0.3, 0.2, 0.2], 8, True, [0, 1]),
        ([0.2, 0.1, 0.2, 0.2], 8, False, [0, 1]),
        # What failed never stays, the default neither.
        ([None, 0.1, None, 0.3], 0, True, [1, 3]),
        ([None, None, -0.5, None], 4, True, [2]),
        ([None, None, None, None], 0, True, []),
        # A short batch loses none.
        ([0.1, 0.2], 4, True, [0, 1]),
        ([0.1], 8, True, [0]),
        ([None, 0.2], 4, True, [1]),
        ([0.3, 0.1, 0.2], 4, True, [0, 2]),
        ([], 4, True, []),
    ],
)
def test_the_best_two_of_a_batch_and_the_default_run_every_fold(values, first, maximise, expected):
    """Of a batch the best two by their first fold stay, the earlier of equals, and of a study's first batch the default."""
    assert expected == survivors(values, first=first, maximise=maximise)


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
