"""`board.material`: what pictures of a row are drawn from, as far as its records tell."""

from __future__ import annotations

import pytest
from made import BY_SCRIPT, PER_MODEL, QUERIES, TRACK, final, timed, trials, tuned, with_classes

from siambench.board.material import material_of
from siambench.board.rows import rows_of
from siambench.identity import to_json
from siambench.interfaces import Epoch, Measures
from siambench.records.record import Record


def epochs(*pairs):
    return tuple(Epoch(number, loss, 1.0, None, None) for number, loss in pairs)


def test_losses_are_those_of_each_fold_model():
    """Several fold-models one after the other are a curve each; what is not finite is left out, and one epoch is no curve."""
    one = final("triplet", 0, 0.5, outcome={"curve": epochs((1, 3.0), (2, 2.0), (1, 5.0), (2, 4.0), (3, 1.0))})
    two = final("triplet", 1, 0.5, outcome={"curve": epochs((1, 3.0))})
    assert (((1, 3.0), (2, 2.0)), ((1, 5.0), (2, 4.0), (3, 1.0))) == material_of(TRACK, [], [one, two]).losses


def test_seconds_are_those_of_all_units_of_a_trial():
    """The units of a trial are summed; one of them without a time leaves the whole trial out, and another order gives the same."""
    records = timed(trials((0, 1)))
    of_trial = [sum(r.seconds for r in records if r.unit.trial == trial) for trial in range(2)]
    assert material_of(TRACK, records, []).seconds[0] == pytest.approx(dict(enumerate(of_trial)))
    assert material_of(TRACK, records[::-1], []).seconds == material_of(TRACK, records, []).seconds
    silent = [*records, tuned("triplet", 1, 2, [0.2])]
    assert list(material_of(TRACK, silent, []).seconds[0]) == [0]


def test_groups_weigh_classes_by_their_queries():
    """A group's score is the mean over the queries of its classes, for each final model."""
    scripts = ("Lao", "Thai", "Lao", "Thai", "Lao", "Thai", "Lao", "Thai")
    (row,) = rows_of(BY_SCRIPT, with_classes("triplet", PER_MODEL, QUERIES, {"script": scripts}))
    found = row.material.groups
    assert ("map@r", "script", ["Lao", "Thai"]) == (found.metric, found.over, list(found.scores))
    for model, scores in enumerate(PER_MODEL):
        members = [(s, q) for s, q, name in zip(scores, QUERIES, scripts, strict=True) if name == "Lao"]
        assert found.scores["Lao"][model] == pytest.approx(sum(s * q for s, q in members) / sum(q for _, q in members))


def test_where_records_tell_no_groups_there_are_none():
    """Without an attribute that folds follow, without names of groups, or with one group there is nothing to draw."""
    assert rows_of(TRACK, with_classes("triplet", PER_MODEL, QUERIES, {"script": ("a", "b") * 4}))[0].material.groups is None
    assert rows_of(BY_SCRIPT, with_classes("triplet", PER_MODEL, QUERIES))[0].material.groups is None
    assert rows_of(BY_SCRIPT, with_classes("triplet", PER_MODEL, QUERIES, {"script": ("a",) * 8}))[0].material.groups is None


def test_a_metric_without_classes_gives_way_to_one_that_has_them():
    """Where the primary metric has no score per class, the first reported one that has is taken."""
    outcome = {"per_class": {"recall@1": (0.2, 0.4)}, "class_queries": (1, 3), "class_attributes": {"script": ("a", "b")}}
    assert material_of(BY_SCRIPT, [], [final("triplet", 0, 0.5, outcome=outcome)]).groups.metric == "recall@1"


def test_separation_is_read_from_what_was_measured():
    """The probe's AUC by epoch, from before the first step on; records without measures have none."""
    rows = [Measures(epoch=number, steps=1, loss=1.0, parts={}, violated={}, auc=auc) for number, auc in enumerate((0.5, 0.7, None, 0.9))]
    record = final("triplet", 0, 0.5)
    told = Record(record.unit, record.exam, record.outcome, {"measures": [to_json(row) for row in rows]})
    assert (((0, 0.5), (1, 0.7), (3, 0.9)),) == material_of(TRACK, [], [told, record]).separations
