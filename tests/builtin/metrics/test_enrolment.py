"""Enrolment: whether an item is of a class that k references stand for."""

import statistics

import pytest

from siambench.metrics import DRAWS, draw_references, enrolled_similarities, equal_error_rate

LABELS = [c for c, size in enumerate((1, 4, 9, 6, 3, 8)) for _ in range(size)]


@pytest.mark.parametrize("queries", [None, 10])
@pytest.mark.parametrize(("name", "template"), [("eer@enrol-k", "mean"), ("eer@enrol-nearest-k", "nearest")])
def test_the_score_is_the_mean_of_the_drawn_enrolments(evaluated, compute, name, template, queries):
    """Each of five draws is scored by the equal error of all its comparisons; notes give their deviation and how many are enrolled."""
    evaluation = evaluated(LABELS, near=0.5, queries=queries)
    errors = []
    for draw in range(DRAWS):
        drawn = draw_references(evaluation.labels, k=2, seed=evaluation.seed(f"enrolment 2 {draw}"), queries=queries)
        near = enrolled_similarities(evaluation.embeddings, drawn, template=template)
        errors.append(equal_error_rate(near.flatten(), (evaluation.labels[drawn.others][:, None] == drawn.classes).flatten()))
    member = f"{name[:-1]}2"
    assert compute(name, evaluation, 2) == pytest.approx(statistics.fmean(errors), abs=1e-9)
    assert evaluation.notes[f"{member}_deviation"] == pytest.approx(statistics.stdev(errors), abs=1e-9)
    assert evaluation.notes[f"{member}_classes"] == len(drawn.classes)


def test_more_references_tell_a_class_better(evaluated, compute):
    """With more references the error falls, and the mean of one reference is the nearest of one."""
    evaluation = evaluated([c for c in range(12) for _ in range(20)], near=0.7)
    one, five = (compute("eer@enrol-k", evaluation, k) for k in (1, 5))
    assert five < one
    assert one == pytest.approx(compute("eer@enrol-nearest-k", evaluation, 1), abs=1e-12)


def test_enrolment_that_cannot_be_has_a_reason(evaluated, compute):
    """Too few items of a class, or one class alone, is no score; the note under the metric's own name says why."""
    few, alone = evaluated([0, 0, 1, 1, 2]), evaluated([0] * 6)
    assert compute("eer@enrol-k", few, 2) is None
    assert few.notes["eer@enrol-2"] == "3 items of a class are needed, the largest has 2"
    assert compute("eer@enrol-nearest-k", alone, 1) is None
    assert "0 impostors" in alone.notes["eer@enrol-nearest-1"]
