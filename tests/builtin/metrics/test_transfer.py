"""Transfer: one half of each class is labelled, the other asked."""

import math

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge
from sklearn.neighbors import KNeighborsClassifier

from siambench.builtin.metrics.transfer import _labelled_part
from siambench.evaluation.view import Evaluated


def test_half_of_each_class_is_labelled(evaluated):
    """Without a gallery, half of each class, the larger half, is what the others are classified by; the seed says which."""
    sizes = [1, 2, 3, 8, 9]
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    evaluation = evaluated(labels)
    known, asked = (part.tolist() for part in _labelled_part(evaluation))

    assert list(range(len(labels))) == sorted(known + asked)
    assert [math.ceil(size / 2) for size in sizes] == torch.tensor(labels)[known].bincount().tolist()
    assert (known, asked) == tuple(part.tolist() for part in _labelled_part(evaluated(labels, seed=5)))
    others = Evaluated(evaluation.embeddings, evaluation.labels, seed=4)
    assert known != _labelled_part(others)[0].tolist()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("queries", [None, 15], ids=["halves", "gallery"])
def test_classification_is_that_of_sklearn(evaluated, compute, queries, distance):
    """knn@k and linear_probe are scikit-learn's classifiers, fitted to the gallery or to half of each class."""
    labels = [0, 1] * 30
    evaluation = evaluated(labels, near=0.4, queries=queries, distance=distance)
    known, asked = (part.numpy() for part in _labelled_part(evaluation))
    if queries is not None:
        assert (list(range(15, 60)), list(range(15))) == (known.tolist(), asked.tolist())
    x, y = evaluation.embeddings.numpy(), np.array(labels)
    ridge = Ridge(alpha=1.0).fit(x[known], np.eye(2)[y[known]])

    for k in (1, 5):
        theirs = KNeighborsClassifier(k, metric=distance, algorithm="brute").fit(x[known], y[known])
        assert theirs.score(x[asked], y[asked]) == pytest.approx(compute("knn@k", evaluation, k), abs=1e-12)
    assert np.mean(ridge.predict(x[asked]).argmax(axis=1) == y[asked]) == pytest.approx(compute("linear_probe", evaluation), abs=1e-12)


def test_classification_that_does_not_apply_has_a_reason(evaluated, compute):
    """More votes than labelled items, nobody to ask, or a single class is no score, and a note says so."""
    few, single, one_class = evaluated([0, 0, 1, 1]), evaluated([0, 1, 2]), evaluated([0, 0, 0])

    assert compute("knn@k", few, 3) is None
    assert "there are 2 labelled items and 2 others" in few.notes["knn@3"]
    assert compute("knn@k", single, 1) is None
    assert compute("linear_probe", single) is None
    assert compute("linear_probe", one_class) is None
    assert "two labelled classes" in one_class.notes["linear_probe"]
