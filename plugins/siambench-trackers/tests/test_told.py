from __future__ import annotations

from siambench_trackers.told import facts_of, folder_name, name_of, point_of, scores_of


def test_figures_and_measures_have_names(life):
    """An epoch's loss, tuples, validation scores and measures are numbers by name; what is missing has none."""
    _, first, second, _ = life()

    assert dict(point_of(first).numbers) == {
        "loss": 0.75,
        "tuples": 8.0,
        "measures/steps": 3.0,
        "measures/parts/trunk/parameters": 2.0,
        "measures/parts/trunk/unreached": 0.0,
        "measures/parts/trunk/unlisted": 0.0,
        "measures/parts/trunk/gradient_norm": 0.5,
        "measures/parts/trunk/rate": 0.001,
        "measures/branches/0": 0.5,
        "measures/positive/mean": 1.0,
        "measures/positive/low": 0.5,
        "measures/positive/high": 2.0,
    } | {name: value for name, value in point_of(first).numbers.items() if name == "measures/finite"}
    assert point_of(second).numbers == {"loss": 0.5, "gradient_norm": 1.25, "tuples": 6.0, "validation/map@r": 0.25}
    assert (point_of(second).epoch, point_of(second).seconds) == (2, 3.0)


def test_a_unit_is_called_what_it_is(life):
    """Its name is its label and the first digits of its id; its facts leave out what it has none of."""
    started = life(trial=None, fold=None, kind="final")[0]

    assert name_of(started) == "triplet+hard trial 3 fold 1 1a2b3c4d"
    assert facts_of(started) == {"unit": started.unit, "track": "glyphs", "method": "triplet+hard", "kind": "final", "repetition": 0}
    assert facts_of(life()[0])["fold"] == 1


def test_names_of_folders_stay_inside():
    """Whatever a label holds, the folder's name has no separator, no space and no dot in front."""
    assert folder_name("./file.py:Löss(x) trial 1") == "file.py-L-ss-x-trial-1"
    assert folder_name("../..") == "unit"
    assert folder_name("...") == "unit"


def test_scores_are_those_that_there_are(life):
    """A final unit's scores are numbers under test/; one that failed has none."""
    assert scores_of(life()[-1].outcome) == {"test/map@r": 0.5}
    assert scores_of(life(error="it raised")[-1].outcome) == {}
