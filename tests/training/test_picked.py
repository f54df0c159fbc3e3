"""What a batch holds and what a miner picked, beside slow loops."""

import math

import pytest
import torch

from siambench.builtin.sorted_negatives import runs, violating
from siambench.components.loss_call import plain
from siambench.training.picked import number_of_classes, picked_distances, repeated

LABELS = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3])


def embeddings(seed=0):
    """Of ten items, two of them equal."""
    found = torch.randn(10, 4, generator=torch.Generator().manual_seed(seed))
    found[1] = found[0]
    return found


def mean_apart(points, left, right):
    """The mean distance of pairs, one after the other; NaN of none."""
    apart = [math.dist(points[i].tolist(), points[j].tolist()) for i, j in zip(left, right, strict=True)]
    return sum(apart) / len(apart) if apart else math.nan


def same_numbers(found, expected):
    """Whether two pairs of numbers agree, where NaN is NaN."""
    assert found.tolist() == pytest.approx(expected, rel=1e-6, abs=1e-7, nan_ok=True)


def test_triplets_count_each():
    """Of triplets, some of them twice and some in an empty place, each that is one counts."""
    points = embeddings()
    triplets = [(0, 1, 3), (0, 1, 3), (0, 2, 5), (7, 8, 1), (6, 9, 4)]
    anchor, positive, negative = (torch.tensor(column) for column in zip(*triplets, (-1, -1, -1), strict=True))
    expected = [mean_apart(points, *([row[k] for row in triplets] for k in places)) for places in ((0, 1), (0, 2))]

    same_numbers(picked_distances((anchor, positive, negative), points), expected)


def test_pairs_have_places_of_their_own():
    """Of four index tensors the first two are positives and the last two negatives, as many as there are of each."""
    points = embeddings(1)
    positive, negative = ([0, 3, 6], [1, 4, 9]), ([0, 5], [3, 7])
    mined = tuple(torch.tensor(part) for part in (*positive, *negative))

    same_numbers(picked_distances(mined, points), [mean_apart(points, *positive), mean_apart(points, *negative)])


def test_more_tuples_than_items_are_looked_up():
    """All triplets of a batch, far more than its pairs, give what a loop over them gives."""
    points = embeddings(2)
    triplets = [
        (i, j, k) for i in range(10) for j in range(10) for k in range(10) if i != j and LABELS[i] == LABELS[j] and LABELS[i] != LABELS[k]
    ]
    anchor, positive, negative = (list(column) for column in zip(*triplets, strict=True))
    mined = tuple(torch.tensor(part) for part in (anchor, positive, negative))

    assert len(triplets) > 100
    same_numbers(picked_distances(mined, points), [mean_apart(points, anchor, positive), mean_apart(points, anchor, negative)])


@pytest.mark.parametrize("margin", [-0.5, 0.0, 0.2, 5.0])
@pytest.mark.parametrize("seed", range(3))
def test_sorted_triplets_are_the_same_triplets(seed, margin):
    """Of triplets in sorted matrices the means are those of the plain triplets that they stand for; of none they are no numbers."""
    points = embeddings(seed)
    same = LABELS[:, None] == LABELS[None, :]
    distances = torch.cdist(points, points)
    mined = violating(runs(distances, same & ~torch.eye(10, dtype=torch.bool), ~same), distances, margin)
    anchor, positive, negative = plain(mined)

    same_numbers(
        picked_distances(mined, points),
        [mean_apart(points, anchor.tolist(), positive.tolist()), mean_apart(points, anchor.tolist(), negative.tolist())],
    )


@pytest.mark.parametrize("parts", [3, 4])
def test_nothing_picked_is_no_number(parts):
    """Without a tuple, or with empty places alone, there is no mean."""
    for empty in (torch.empty(0, dtype=torch.int64), torch.tensor([-1, -1])):
        assert torch.isnan(picked_distances((empty,) * parts, embeddings())).all()


def test_what_lies_outside_the_batch_is_no_tuple():
    """Indices that no batch has, as a miner with a bug gives them, are passed over: what becomes of them is for the loss to say."""
    points = embeddings()
    mined = (torch.tensor([0, 99]), torch.tensor([2, 1]), torch.tensor([3, 4]))

    same_numbers(picked_distances(mined, points), [mean_apart(points, [0], [2]), mean_apart(points, [0], [3])])


@pytest.mark.parametrize("labels", [[0], [3, 3, 3], [1, 0, 1, 7], [5, 4, 3, 2]])
def test_classes_of_a_batch(labels):
    """As many as there are different labels."""
    assert len(set(labels)) == number_of_classes(torch.tensor(labels))


@pytest.mark.parametrize(("places", "share"), [([4], 0.0), ([1, 2, 3], 0.0), ([1, 1, 2, 1], 0.5), ([7, 7], 0.5)])
def test_repeats_are_items_that_stood_there_already(places, share):
    """Of an item that stands there three times two are repeats."""
    assert share == repeated(torch.tensor(places))
