import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from siambench.errors import MetricError
from siambench.metrics import Pairs, draw_pairs, pair_similarity, pairs


def labels_of(*sizes, seed=0):
    """A shuffled class for every size, not numbered from zero."""
    labels = torch.cat([torch.full((size,), 2**24 + number) for number, size in enumerate(sizes)])
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))]


@settings(max_examples=60)
@given(st.lists(st.integers(1, 9), min_size=4, max_size=30), st.integers(0, 5), st.sampled_from([2, 10, 600]))
def test_every_promise_of_a_draw(sizes, seed, pairs_per_fold):
    """Labels agree with same, kinds are balanced, folds share no class, no pair occurs twice or pairs an item with itself."""
    labels = labels_of(*sizes)
    if sum(size > 1 for size in sizes) < 2:
        with pytest.raises(MetricError):
            draw_pairs(labels, seed=seed)
        return

    drawn = draw_pairs(labels, seed=seed, pairs_per_fold=pairs_per_fold)

    assert torch.equal(labels[drawn.left] == labels[drawn.right], drawn.same)
    assert bool((drawn.left < drawn.right).all())
    assert len(drawn.left) == len(set(zip(drawn.left.tolist(), drawn.right.tolist(), strict=True)))
    folds = min(10, len(sizes) // 2, sum(size > 1 for size in sizes))
    assert list(range(folds)) == drawn.fold.unique().tolist()
    seen = set()
    for fold in range(folds):
        here = drawn.fold == fold
        classes = set(labels[torch.cat([drawn.left[here], drawn.right[here]])].tolist())
        assert not seen & classes
        seen |= classes
        assert int(here.sum()) == 2 * int(drawn.same[here].sum()) <= pairs_per_fold


def test_same_seed_same_pairs():
    """A draw is a function of labels and seed, untouched by the global generator, and other seeds give other pairs."""
    labels = labels_of(*range(1, 25))
    torch.manual_seed(0)
    first = draw_pairs(labels, seed=3)
    state = torch.get_rng_state()
    second = draw_pairs(labels, seed=3)

    for name in ("left", "right", "same", "fold"):
        assert torch.equal(getattr(first, name), getattr(second, name))
    assert torch.equal(state, torch.get_rng_state())
    other = draw_pairs(labels, seed=4)
    assert not torch.equal(first.left, other.left)


def test_large_classes_do_not_crowd_out_small_ones():
    """Genuine pairs are spread over classes: one of 200 items gets as many as one of 20."""
    labels = labels_of(200, 20, 20, 20)

    drawn = draw_pairs(labels, seed=0, folds=2, pairs_per_fold=200)

    _, counts = labels[drawn.left[drawn.same]].unique(return_counts=True)
    assert [50, 50, 50, 50] == counts.tolist()


def test_all_pairs_of_a_small_fold_are_drawn_once():
    """Where folds have fewer genuine pairs than are wanted, each of them is there."""
    labels = labels_of(4, 5, 4, 5)

    drawn = draw_pairs(labels, seed=1, folds=2, pairs_per_fold=600)

    genuine = {tuple(pair) for pair in torch.stack([drawn.left, drawn.right], dim=1)[drawn.same].tolist()}
    assert {(i, j) for j in range(18) for i in range(j) if labels[i] == labels[j]} == genuine
    assert 2 * len(genuine) == len(drawn.same)


@pytest.mark.parametrize("items", [2, 3, 4, 5, 8, 9])
def test_codes_on_the_circle_name_every_pair_once(items):
    """All codes together are all unordered pairs of a class, for even and odd sizes."""
    generator = torch.Generator().manual_seed(0)
    total = items * (items - 1) // 2

    everyone = pairs._Sides(torch.tensor([0]), torch.tensor([items]), torch.tensor([items]), apart=False)
    one, other = pairs._genuine(everyone, total, generator)

    found = {tuple(sorted(pair)) for pair in zip(one.tolist(), other.tolist(), strict=True)}
    assert {(i, j) for j in range(items) for i in range(j)} == found


@pytest.mark.parametrize("population", [50, 2**17])
def test_distinct_numbers_are_distinct(population):
    """Shuffling a small population and trying again in a large one both give different numbers below its size."""
    for size in (1, 40):
        drawn = pairs._distinct(population, size, torch.Generator().manual_seed(size))

        assert size == len(set(drawn.tolist())) == len(drawn)
        assert int(drawn.max()) < population


def test_many_classes_give_impostors_of_different_class_pairs():
    """With more pairs of classes than impostors wanted, no two impostors are of the same two classes."""
    labels = torch.arange(3000).repeat_interleave(2)
    drawn = draw_pairs(labels, seed=0, folds=2, pairs_per_fold=1200)

    couples = torch.stack([labels[drawn.left], labels[drawn.right]], dim=1)[~drawn.same]
    assert 1200 == len(couples.unique(dim=0))


@pytest.mark.parametrize(
    ("labels", "arguments", "reason"),
    [
        (torch.arange(40), {}, "got 40 classes, 0 of them"),
        (labels_of(5, 5, 5), {}, "got 3 classes, 3 of them"),
        (labels_of(5, 1, 1, 1, 1), {}, "got 5 classes, 1 of them"),
        (labels_of(*[5] * 8), {"folds": 5}, "between 2 and the 4 that 8 classes.* got 5"),
        (labels_of(*[5] * 8), {"folds": 1}, "between 2 and the 4 .*got 1"),
        (labels_of(*[5] * 8), {"pairs_per_fold": 3}, "even and at least 2, got 3"),
        (labels_of(*[5] * 8).double(), {}, "must be int64"),
    ],
)
def test_says_why_there_is_no_exam(labels, arguments, reason):
    """Too few classes, too many folds and odd numbers of pairs are errors in one sentence with the numbers."""
    with pytest.raises(MetricError, match=reason):
        draw_pairs(labels, seed=0, **arguments)


def test_more_than_ten_folds_only_when_asked():
    """Ten folds by default, more where the caller says so and the classes allow it."""
    labels = labels_of(*[3] * 50)

    assert 10 == len(draw_pairs(labels, seed=0).fold.unique())
    assert 25 == len(draw_pairs(labels, seed=0, folds=25).fold.unique())


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_similarity_is_cosine_or_negative_distance(dtype):
    """Pairs are scored by the cosine of their items, or by minus their euclidean distance; a zero row has cosine 0."""
    points = torch.randn(40, 5, generator=torch.Generator().manual_seed(0)).to(dtype)
    points[7] = 0
    left, right = torch.arange(39), torch.arange(1, 40)
    drawn = Pairs(left=left, right=right, same=left > 3, fold=left % 2)

    exact = points.double()
    cosine = torch.nn.functional.cosine_similarity(exact[left], exact[right])
    torch.testing.assert_close(pair_similarity(points, drawn), cosine, rtol=0, atol=1e-12)
    assert 0 == pair_similarity(points, drawn)[7]
    distance = (exact[left] - exact[right]).norm(dim=1)
    torch.testing.assert_close(pair_similarity(points, drawn, distance="euclidean"), -distance, rtol=0, atol=1e-12)


# ---- queries and a gallery


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=4, max_size=24), st.integers(0, 5), st.sampled_from([2, 10, 600]))
def test_every_promise_of_a_draw_with_a_gallery(sizes, seed, pairs_per_fold):
    """Each pair is a query and one of the gallery, none twice; labels agree with same, kinds are balanced, folds share no class."""
    queries = torch.cat([torch.full((size,), number) for number, (size, _) in enumerate(sizes)])
    gallery = torch.cat([torch.full((size,), number) for number, (_, size) in enumerate(sizes)])
    generator = torch.Generator().manual_seed(seed)
    labels = torch.cat([side[torch.randperm(len(side), generator=generator)] for side in (queries, gallery)])
    there = sum(query + gallery > 0 for query, gallery in sizes)
    folds = min(10, there // 2, sum(query > 0 and gallery > 0 for query, gallery in sizes))
    if folds < 2:
        with pytest.raises(MetricError):
            draw_pairs(labels, seed=seed, queries=len(queries))
        return

    drawn = draw_pairs(labels, seed=seed, queries=len(queries), pairs_per_fold=pairs_per_fold)

    assert torch.equal(labels[drawn.left] == labels[drawn.right], drawn.same)
    assert bool((drawn.left < len(queries)).all())
    assert bool((drawn.right >= len(queries)).all())
    assert len(drawn.left) == len(set(zip(drawn.left.tolist(), drawn.right.tolist(), strict=True)))
    assert list(range(folds)) == drawn.fold.unique().tolist()
    seen = set()
    for fold in range(folds):
        here = drawn.fold == fold
        classes = set(labels[torch.cat([drawn.left[here], drawn.right[here]])].tolist())
        assert not seen & classes
        seen |= classes
        assert int(here.sum()) == 2 * int(drawn.same[here].sum()) <= pairs_per_fold


def test_a_small_gallery_has_all_its_pairs_drawn():
    """Where there are fewer genuine pairs than are wanted, every one of them is drawn, and as many impostors."""
    labels = torch.tensor([0, 0, 1, 2, 3, 0, 1, 1, 2, 3])
    drawn = draw_pairs(labels, seed=0, queries=5, folds=2)

    genuine = set(zip(drawn.left[drawn.same].tolist(), drawn.right[drawn.same].tolist(), strict=True))
    expected = {(q, g) for q in range(5) for g in range(5, 10) if labels[q] == labels[g]}
    assert expected == genuine
    assert len(expected) == int((~drawn.same).sum())


def test_many_classes_give_impostors_of_different_class_pairs_with_a_gallery():
    """With more couples of classes than impostors wanted, no two impostors are of the same query's and gallery's classes."""
    labels = torch.arange(300).repeat(2)
    drawn = draw_pairs(labels, seed=0, queries=300, folds=2, pairs_per_fold=300)

    couples = torch.stack([labels[drawn.left], labels[drawn.right]], dim=1)[~drawn.same]
    assert 300 == len(couples) == len(couples.unique(dim=0))


@pytest.mark.parametrize("queries", [0, 4, -1, 9])
def test_queries_leave_a_gallery(queries):
    """Without a query or without a gallery there is no pair, which is said."""
    with pytest.raises(MetricError, match="queries must leave a gallery"):
        draw_pairs(torch.tensor([0, 0, 1, 1]), seed=0, queries=queries)
