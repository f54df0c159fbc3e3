import pytest
import torch
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import KNeighborsClassifier

from siambench.errors import MetricError
from siambench.metrics import linear_probe, neighbour_vote


def labelled(items, *, seed, classes=(3, 3, 3, 8, 8, 2**24)):
    """Overlapping classes of unequal size."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.tensor(classes)[torch.randint(len(classes), (items,), generator=generator)]
    shift = torch.stack([labels % 5, labels % 3], dim=1).double()
    return torch.randn(items, 2, generator=generator, dtype=torch.float64) * 1.5 + shift, labels


def test_one_neighbour_agrees_with_sklearn():
    """With one neighbour, and with three of two classes, where no vote is tied, predictions are scikit-learn's."""
    for k, classes in ((1, (3, 3, 8, 2**24)), (3, (3, 3, 8)), (9, (3, 8, 8))):
        references, labels = labelled(150, seed=0, classes=classes)
        queries, truth = labelled(80, seed=1, classes=classes)
        model = KNeighborsClassifier(k, algorithm="brute").fit(references.numpy(), labels.numpy())

        actual = neighbour_vote(references, labels, queries, truth, k=k, distance="euclidean")

        assert (model.predict(queries.numpy()) == truth.numpy()).tolist() == actual.bool().tolist()


def test_nearest_decides_a_tied_vote():
    """Two classes with two votes each: the one with the nearest neighbour wins, not the one with the lower label."""
    references = torch.tensor([[1.0], [2.0], [3.0], [4.0], [9.0]])
    labels = torch.tensor([7, 2, 2, 7, 5])

    assert [1.0] == neighbour_vote(references, labels, torch.tensor([[0.0]]), torch.tensor([7]), k=4, distance="euclidean").tolist()


@pytest.mark.parametrize("classes", [(3, 3, 3, 8, 8, 2**24), (1, 1, 4)])
@pytest.mark.parametrize("ridge", [1e-3, 1.0, 50.0])
def test_linear_probe_agrees_with_sklearn(ridge, classes):
    """Predictions are those of scikit-learn's ridge classifier with the same penalty and a free intercept."""
    references, labels = labelled(150, seed=2, classes=classes)
    queries, truth = labelled(400, seed=3, classes=classes)
    model = RidgeClassifier(alpha=ridge).fit(references.numpy(), labels.numpy())

    actual = linear_probe(references, labels, queries, truth, ridge=ridge)

    assert torch.float64 == actual.dtype
    assert (model.predict(queries.numpy()) == truth.numpy()).tolist() == actual.bool().tolist()


def test_unknown_label_is_never_right():
    """A query of a class that no reference has counts as wrong."""
    references, labels = labelled(50, seed=4)
    queries, _ = labelled(5, seed=5)
    unknown = torch.full((5,), 99)

    assert 0 == float(linear_probe(references, labels, queries, unknown).sum())
    assert 0 == float(neighbour_vote(references, labels, queries, unknown, k=3).sum())


def test_refuses_what_cannot_be_fitted():
    """No penalty, a single class and wrong shapes are errors with the values."""
    references, labels = labelled(50, seed=6)
    with pytest.raises(MetricError, match=r"got 0.0 and 3"):
        linear_probe(references, labels, references, labels, ridge=0.0)
    with pytest.raises(MetricError, match=r"got 1.0 and 1"):
        linear_probe(references, labels * 0, references, labels)
    with pytest.raises(MetricError, match="50 references a query can have, got 51"):
        neighbour_vote(references, labels, references, labels, k=51)
    with pytest.raises(MetricError, match=r"2 dimensions .* got 1"):
        linear_probe(references, labels, references[:, :1], labels)
