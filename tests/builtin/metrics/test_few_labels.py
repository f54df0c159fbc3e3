"""Few labels: k items of each class are labelled, and the others asked."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge

from siambench.builtin.metrics.few_labels import _drawn

LABELS = [c for c, size in enumerate((1, 5, 9, 2, 7)) for _ in range(size)]


def test_the_others_of_the_same_classes_are_asked(evaluated):
    """K of each class with more are labelled, all others of these classes are asked; with a gallery it is labelled, and queries asked."""
    evaluation = evaluated(LABELS)
    known, asked = (part.tolist() for part in _drawn(evaluation, 2))
    assert [0, 2, 2, 0, 2] == torch.tensor(LABELS)[known].bincount(minlength=5).tolist()
    assert sorted(known + asked) == [i for i, label in enumerate(LABELS) if label not in (0, 3)]
    known, asked = (part.tolist() for part in _drawn(evaluated([0, 1, 2, 3, 0, 0, 1, 1, 3], queries=4), 2))
    assert {4, 5, 6, 7} == set(known)
    assert [0, 1] == asked


def test_the_probe_is_sklearns(evaluated, compute):
    """linear_probe@k is scikit-learn's ridge regression onto the labels of the drawn items."""
    evaluation = evaluated(LABELS, near=0.8)
    known, asked = (part.numpy() for part in _drawn(evaluation, 4))
    x, y = evaluation.embeddings.numpy(), np.array(LABELS)
    classes = np.unique(y[known])
    ridge = Ridge(alpha=1.0).fit(x[known], (y[known][:, None] == classes).astype(float))
    expected = np.mean(classes[ridge.predict(x[asked]).argmax(axis=1)] == y[asked])
    assert 0 < expected < 1
    assert expected == pytest.approx(compute("linear_probe@k", evaluation, 4), abs=1e-12)


def test_fine_tuning_is_scored_by_the_share_that_is_told_right(evaluated, compute, told):
    """The network is told the labels of the drawn items; what it then says of the others is counted."""
    model = told(predicted=torch.tensor(LABELS).roll(2))
    evaluation = evaluated(LABELS, model=model)
    known, asked = _drawn(evaluation, 2)
    found = compute("fine_tune@k", evaluation, 2)
    labels = torch.tensor(LABELS)
    assert found == pytest.approx(float((labels.roll(2)[asked] == labels[asked]).double().mean()))
    assert 0 < found < 1
    ((was_known, was_labels, was_asked),) = model.asked
    assert torch.equal(was_known, known)
    assert torch.equal(was_labels, labels[known])
    assert torch.equal(was_asked, asked)


def test_few_labels_that_do_not_apply_have_a_reason(evaluated, compute):
    """Too few items, one class that has enough, or no network is no score, and a note says so."""
    few, one, none = evaluated([0, 0, 1, 1]), evaluated([0, 0, 0, 1]), evaluated(LABELS)
    for name in ("linear_probe", "fine_tune"):
        assert compute(f"{name}@k", few, 2) is None
        assert few.notes[f"{name}@2"] == "3 items of a class are needed, the largest has 2"
        assert compute(f"{name}@k", one, 2) is None
        assert one.notes[f"{name}@2"] == "two classes with 2 labelled items and an item to ask are needed"
    assert compute("fine_tune@k", none, 2) is None
    assert "needs a network" in none.notes["fine_tune@2"]
