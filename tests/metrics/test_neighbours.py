import numpy as np
import pytest
import torch
from sklearn.metrics import pairwise_distances

from siambench.errors import MetricError
from siambench.metrics import FLOAT64_ITEMS, answerable, matches, nearest, neighbours, relevant_counts, search_precision


def slow_neighbours(queries, references, k, *, exclude_self, distance):
    """Sort by distance, then by index, one query after another."""
    distances = pairwise_distances(queries.double().numpy(), references.double().numpy(), metric=distance)
    if exclude_self:
        np.fill_diagonal(distances, np.inf)
    return torch.from_numpy(np.argsort(distances, axis=1, kind="stable")[:, :k].copy())


def random_points(items, dimensions, *, seed):
    return torch.randn(items, dimensions, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def integer_points(items, dimensions, *, seed):
    """Few distinct values, so that distances are exact and mostly tied."""
    return torch.randint(-2, 3, (items, dimensions), generator=torch.Generator().manual_seed(seed)).double()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("exclude_self", [True, False])
@pytest.mark.parametrize(("items", "dimensions", "k"), [(2, 1, 1), (193, 7, 5), (500, 33, 1), (700, 20, 400)])
def test_finds_what_sklearn_sorts(items, dimensions, k, exclude_self, distance):
    """Neighbours are those of a full sort of scikit-learn's distances, with negative similarities among them."""
    points = random_points(items, dimensions, seed=items)
    queries = points if exclude_self else random_points(37, dimensions, seed=1)
    if dimensions == 1 and distance == "cosine":
        points = queries = torch.tensor([[1.0], [-2.0]])
        exclude_self = True

    found = nearest(queries, points, k, exclude_self=exclude_self, distance=distance)

    expected = slow_neighbours(queries, points, k, exclude_self=exclude_self, distance=distance)
    assert torch.equal(expected, found)


@pytest.mark.parametrize("k", [1, 3, 60, 299])
@pytest.mark.parametrize("exclude_self", [True, False])
def test_lower_index_comes_first_among_equals(k, exclude_self):
    """With many exact ties, inside the list and across its end, order and choice follow the index."""
    points = integer_points(300, 2, seed=0)

    found = nearest(points, points, k, exclude_self=exclude_self, distance="euclidean")

    squared = (points[:, None] - points[None]).square().sum(dim=2)
    if exclude_self:
        squared.fill_diagonal_(torch.inf)
    assert torch.equal(squared.sort(dim=1, stable=True).indices[:, :k], found)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16])
@pytest.mark.parametrize("dimensions", [1, 13, 300])
def test_identical_references_are_tied(dimensions, dtype):
    """Copies of a reference stay in order of index wherever they stand, whatever the rounding of the product."""
    generator = torch.Generator().manual_seed(dimensions)
    originals = torch.randn(40, dimensions, generator=generator).to(dtype)
    copies = torch.randint(40, (1001,), generator=generator)
    found = nearest(torch.randn(70, dimensions, generator=generator), originals[copies], 1001, exclude_self=False)

    same = copies[found[:, :-1]] == copies[found[:, 1:]]
    assert bool((found[:, :-1] < found[:, 1:])[same].all())


def test_identical_references_are_tied_in_float32(monkeypatch):
    """The same holds above the number of items up to which the search is in float64."""
    monkeypatch.setattr(neighbours, "FLOAT64_ITEMS", 10)
    generator = torch.Generator().manual_seed(0)
    copies = torch.randint(40, (1001,), generator=generator)
    references = torch.randn(40, 65, generator=generator)[copies]
    for distance in ("cosine", "euclidean"):
        found = nearest(torch.randn(70, 65, generator=generator), references, 1001, exclude_self=False, distance=distance)

        same = copies[found[:, :-1]] == copies[found[:, 1:]]
        assert bool((found[:, :-1] < found[:, 1:])[same].all())


def test_collapsed_embeddings_keep_the_order_of_indices():
    """When all embeddings are one point, every query's neighbours are the first other items."""
    found = nearest(torch.full((400, 16), 0.3), torch.full((400, 16), 0.3), 5, exclude_self=True)

    assert found[0].tolist() == [1, 2, 3, 4, 5]
    assert found[2].tolist() == [0, 1, 3, 4, 5]
    assert found[399].tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("limit", [10, 20_000])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_memory_changes_nothing(distance, limit, monkeypatch):
    """A budget that cuts the references into panels gives the neighbours of one product, in either precision."""
    monkeypatch.setattr(neighbours, "FLOAT64_ITEMS", limit)
    points = torch.cat([random_points(500, 24, seed=3), integer_points(500, 24, seed=4)])

    whole = nearest(points, points, 77, exclude_self=True, distance=distance)

    for memory in (1, 2_000_000):
        assert torch.equal(whole, nearest(points, points, 77, exclude_self=True, distance=distance, memory=memory))


def test_number_of_queries_changes_nothing():
    """One query alone finds what it finds among others."""
    points, queries = random_points(400, 48, seed=5), random_points(300, 48, seed=6)

    together = nearest(queries, points, 20, exclude_self=False)

    alone = torch.cat([nearest(query[None], points, 20, exclude_self=False) for query in queries[::37]])
    assert torch.equal(together[::37], alone)


def test_itself_is_left_out_by_index_and_not_by_distance():
    """A duplicate is the nearest neighbour, though nothing is nearer than the item itself."""
    points = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.9]])

    assert nearest(points, points, 1, exclude_self=True).tolist() == [[2], [3], [0], [1]]


@pytest.mark.parametrize("limit", [0, 20_000])
def test_zero_vector_is_at_right_angles_to_everything(limit, monkeypatch):
    """A row of zeros has cosine 0 in either precision: nearer than what points away, further than what points along."""
    monkeypatch.setattr(neighbours, "FLOAT64_ITEMS", limit)
    references = torch.tensor([[-0.1, 5.0], [0.0, 0.0], [0.2, 7.0]])

    assert nearest(torch.tensor([[1.0, 0.0]]), references, 3, exclude_self=False).tolist() == [[2, 1, 0]]
    assert nearest(torch.tensor([[0.0, -3.0]]), references, 3, exclude_self=False).tolist() == [[1, 2, 0]]


def test_float16_input_is_searched_exactly():
    """Half-precision embeddings are compared as the numbers they are, not rounded again."""
    points = random_points(300, 10, seed=7).half()

    assert torch.equal(nearest(points.double(), points.double(), 9, exclude_self=True), nearest(points, points, 9, exclude_self=True))


def test_float32_search_agrees_with_float64_on_nearly_collapsed_embeddings(monkeypatch):
    """Centring keeps neighbours apart that plain float32 products of unit vectors cannot tell from each other."""
    points = 1.0 + 1e-3 * random_points(600, 32, seed=8)
    exact = nearest(points, points, 10, exclude_self=True)
    monkeypatch.setattr(neighbours, "FLOAT64_ITEMS", 10)

    rounded = nearest(points, points, 10, exclude_self=True)

    unit = torch.nn.functional.normalize(points).float()
    plain = (unit @ unit.T).fill_diagonal_(-2).topk(10).indices
    assert (exact == rounded).double().mean() > 0.9999
    assert (exact == plain).double().mean() < 0.9


def test_autocast_does_not_round_the_search():
    """Inside autocast the products keep their precision."""
    points = random_points(300, 40, seed=9).float()
    expected = nearest(points, points, 30, exclude_self=True)

    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(expected, nearest(points, points, 30, exclude_self=True))


def test_gradients_are_not_recorded():
    """Embeddings that require gradients are searched like any others."""
    points = random_points(30, 4, seed=10).requires_grad_()

    assert torch.equal(nearest(points.detach(), points.detach(), 3, exclude_self=True), nearest(points, points, 3, exclude_self=True))


def test_precision_changes_above_twenty_thousand_items():
    """Float64 up to 20,000 queries and references, float32 above."""
    assert torch.float64 == search_precision(FLOAT64_ITEMS, 20_000)
    assert torch.float32 == search_precision(1, 20_001)
    assert torch.float32 == search_precision(20_001, 1)


@pytest.mark.parametrize(
    ("queries", "references", "arguments", "reason"),
    [
        ((3, 2), (3, 2), {"k": 3, "exclude_self": True}, "between 1 and the 2 .* got 3"),
        ((3, 2), (3, 2), {"k": 0, "exclude_self": False}, "between 1 and the 3 .* got 0"),
        ((3, 2), (4, 2), {"k": 1, "exclude_self": True}, "got 3 queries, 4 references"),
        ((3, 2), (3, 5), {"k": 1, "exclude_self": False}, "5 dimensions .* got 2"),
        ((3, 2), (3, 2), {"k": 1, "exclude_self": False, "distance": "manhattan"}, "got 'manhattan'"),
        ((3,), (3, 2), {"k": 1, "exclude_self": False}, r"got shape \(3,\)"),
    ],
)
def test_refuses_what_does_not_fit(queries, references, arguments, reason):
    """Wrong shapes, numbers of neighbours and distances are errors that give both values."""
    k = arguments.pop("k")
    with pytest.raises(MetricError, match=reason):
        nearest(torch.zeros(queries), torch.zeros(references), k, **arguments)


@pytest.mark.parametrize("broken", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_refuses_embeddings_that_are_not_finite(distance, broken):
    """NaN and infinity have no neighbours: an error, on either side."""
    points, bad = torch.ones(4, 2), torch.ones(4, 2)
    bad[2, 1] = broken
    for queries, references in ((points, bad), (bad, points)):
        with pytest.raises(MetricError, match="1 of 4 rows"):
            nearest(queries, references, 1, exclude_self=False, distance=distance)


def test_labels_above_two_to_the_24_do_not_merge():
    """Labels that are one number in float32 stay two classes in matches and in counts."""
    labels = torch.tensor([2**24, 2**24 + 1, 2**24, 2**24 + 1, 2**53 + 1, 2**53])

    assert matches(labels, labels, torch.tensor([[1, 2], [2, 3], [0, 1], [1, 4], [4, 5], [4, 5]])).tolist() == [
        [False, True],
        [False, True],
        [True, False],
        [True, False],
        [True, False],
        [False, True],
    ]
    assert relevant_counts(labels, labels, exclude_self=True).tolist() == [1, 1, 1, 1, 0, 0]


def test_counts_of_relevant_references():
    """Each query counts the references of its label, without itself where it is one; unknown labels count 0."""
    queries, references = torch.tensor([5, -1, 7, 9]), torch.tensor([7, 5, 5, -1, 5])

    assert relevant_counts(queries, references, exclude_self=False).tolist() == [3, 1, 1, 0]
    assert relevant_counts(references, references, exclude_self=True).tolist() == [0, 2, 2, 0, 2]
    assert relevant_counts(queries, references[:0], exclude_self=False).tolist() == [0, 0, 0, 0]


def test_answerable_names_the_queries_with_a_positive():
    """A class of one member has no answer, and its query is marked as such."""
    assert answerable(torch.tensor([3, 0, 1])).tolist() == [True, False, True]


def test_refuses_labels_that_are_not_int64():
    """Floating and narrower labels are errors, and so are labels that are not one per item."""
    labels = torch.tensor([1, 2, 3])
    for dtype in (torch.float32, torch.float64, torch.int32):
        with pytest.raises(MetricError, match="must be int64"):
            relevant_counts(labels.to(dtype), labels, exclude_self=False)
    with pytest.raises(MetricError, match="3 labels for 2 items"):
        matches(labels, labels, torch.zeros(2, 1, dtype=torch.int64))
    with pytest.raises(MetricError, match="one dimension"):
        relevant_counts(labels[None], labels, exclude_self=False)
    with pytest.raises(MetricError, match="same labels on both sides"):
        relevant_counts(labels, labels.flip(0), exclude_self=True)
