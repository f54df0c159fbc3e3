"""`board.pictures.tuned`: what tuning brought, and whether validation foretold the test."""

from __future__ import annotations

import dataclasses
import statistics

import pytest
from made import TRACK, several, studies, table_of, trials

from siambench.board.pictures.tuned import expected, tuned, validation
from siambench.board.pictures.tuned import trials as best_so_far
from siambench.board.rows import rows_of
from siambench.board.table import BELOW_VALIDATION
from siambench.errors import NothingToDrawError
from siambench.figures import Arrows, Line, Points, Reference
from siambench.stats import expected_best


def of(marks, kind):
    return [mark for mark in marks if isinstance(mark, kind)]


def test_arrows_lead_from_the_default_to_what_was_selected():
    """Each arrow begins at the mean of the default trials and ends at that of the selected ones; the change stands beside it."""
    table = table_of(several())
    picture = tuned(table)
    arrows = [mark.spans[0] for mark in of(picture.marks, Arrows)]
    for place, (line, arrow) in enumerate(zip(table.lines, arrows, strict=True)):
        default, chosen = line.row.validation
        assert (default, place, chosen, place) == arrow
    assert picture.y.notes == ("+0.100",) * 4


def test_the_best_so_far_is_the_mean_over_studies_with_their_band():
    """After n trials the line is at the mean of the studies' best of n, the band from the lowest to the highest; the default is dashed."""
    records = trials((0, 1, 2, 3)) + trials((0, 1), study=1)
    table = table_of(studies("npair", [0.4, 0.41, 0.42]) + records)
    row = next(line.row for line in table.lines if line.row.name == "triplet")
    picture = best_so_far(table)
    panel = next(panel for panel in picture.panels if panel.title == "triplet")
    (line,), (reference,) = of(panel.marks, Line), of(panel.marks, Reference)
    assert reference.at == row.validation[0]
    for (count, mean), (low, high) in zip(line.at, line.band, strict=True):
        best = [one.best_after(int(count)) for one in row.tunings]
        assert (statistics.fmean(best), min(best), max(best)) == (mean, low, high)
    assert len(line.at) == min(one.counted for one in row.tunings)
    assert len(picture.marks) == len(picture.panels) == 2


def test_the_expected_best_is_that_of_random_trials_on_the_first_fold():
    """Trial 0 is left out, each study's trials are exchanged with each other, and the band is that of the studies."""
    records = trials((0, 1, 2, 3, 4), telemetry={"search": {"sampler": "quasi-random"}})
    (row,) = rows_of(TRACK, records)
    values = [trial.first for trial in row.tunings[0].trials if trial.number]
    (panel,) = expected(table_of(records)).panels
    (line,) = of(panel.marks, Line)
    assert [(n, expected_best(values, n)) for n in range(1, 5)] == [(int(x), pytest.approx(y)) for x, y in line.at]


def test_validation_stands_against_test():
    """Each point is a row's selected score on validation and its score on test; a flagged row is hollow, and the caption says why."""
    table = table_of(several())
    points = of(validation(table).marks, Points)
    assert [(line.row.validation[1], line.row.scores["map@r"].mean) for line in table.lines] == [mark.at[0] for mark in points]
    assert [(line.row.name,) for line in table.lines] == [mark.labels for mark in points]
    assert not any(mark.hollow for mark in points)

    flagged = dataclasses.replace(table.lines[0], row=dataclasses.replace(table.lines[0].row, flags=(BELOW_VALIDATION,)))
    marked = validation(dataclasses.replace(table, lines=(flagged, *table.lines[1:])))
    assert [True, False, False, False] == [mark.hollow for mark in of(marked.marks, Points)]
    assert "far below" in marked.caption


def test_without_data_a_sentence_says_so():
    """A table without rows has none of these figures, and says why for each."""
    empty = table_of([])
    for draw, words in (
        (tuned, "a default and a selected"),
        (best_so_far, "two trials"),
        (expected, "two trials"),
        (validation, "both on"),
    ):
        with pytest.raises(NothingToDrawError, match=words):
            draw(empty)
