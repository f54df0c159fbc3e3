"""`board.pictures.spent`: scores against seconds."""

from __future__ import annotations

import itertools

import pytest
from made import several, studies, table_of, timed, trials, tuned

from siambench.board.pictures.spent import cost, seconds
from siambench.errors import NothingToDrawError
from siambench.figures import Line, Points


@pytest.mark.parametrize("direction", ["max", "min"])
def test_the_front_holds_whom_none_beats_in_both(direction):
    """A point is filled exactly where no other row is both at least as cheap and at least as good, and one of them better."""
    table = table_of(timed(several()), direction=direction)
    picture = cost(table)
    points = [mark for mark in picture.marks if isinstance(mark, Points)]
    sign = 1 if direction == "max" else -1
    at = {mark.labels[0]: mark.at[0] for mark in points}
    for mark in points:
        x, y = mark.at[0]
        beaten = any(a <= x and sign * b >= sign * y and (a, b) != (x, y) for a, b in at.values())
        assert mark.hollow == beaten
    fronts = [mark for mark in picture.marks if isinstance(mark, Line)]
    for line in fronts:
        assert all(a[0] <= b[0] and sign * a[1] < sign * b[1] for a, b in itertools.pairwise(line.at))
    row = table.lines[0].row
    assert at[row.name] == (row.costs.tuning.seconds / 3, row.scores["map@r"].mean)


def test_what_was_tuned_less_is_named():
    """A row with other trials than most stands in the caption with their number; where all had as many nothing is said."""
    more = [tuned("mine", trial, fold, [0.1, 0.2], study=number) for trial in (2, 3) for fold in (0, 1) for number in range(3)]
    picture = cost(table_of(timed([*several(), *studies("mine", [0.4, 0.41, 0.42]), *more])))
    assert "Trials were 2, of mine 4: what was tuned less cost less." in picture.caption
    assert "what was tuned less" not in cost(table_of(timed(several()))).caption


def test_curves_rise_where_a_better_trial_ended():
    """Each study's line goes through the sum of its trials' seconds so far, at the best so far."""
    records = timed(trials((0, 1, 2, 3)))
    (panel,) = seconds(table_of(records)).panels
    row = table_of(records).lines[0].row
    told = row.material.seconds[0]
    spent = list(itertools.accumulate(told[number] for number in range(4)))
    (line,) = panel.marks
    assert [(pytest.approx(x), row.tunings[0].best_after(n)) for n, x in enumerate(spent, 1)] == list(line.at)


def test_without_times_a_sentence_says_so():
    """Records that do not say how long they took have neither figure."""
    for draw in (cost, seconds):
        with pytest.raises(NothingToDrawError, match="how long"):
            draw(table_of(several()))
