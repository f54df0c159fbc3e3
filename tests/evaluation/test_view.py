"""What a metric may ask for: each thing is computed once, when it is first asked for."""

import pytest
import torch

from siambench import metrics
from siambench.components.catalogue import Catalogue
from siambench.errors import DivergedError
from siambench.evaluation.scoring import score
from siambench.evaluation.view import Evaluated, no_episodes

LABELS = torch.arange(8).repeat_interleave(6)
RETRIEVAL = ("recall@1", "recall@4", "precision@3", "r_precision", "map@r")


def evaluated(*, start=0, seed=0, labels=LABELS, **options):
    """Random embeddings of these labels."""
    points = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(start))
    return Evaluated(points, labels, seed=seed, **options)


def test_verification_pairs_follow_the_seed_and_not_the_model():
    """Two models meet the same pairs under one seed; another seed draws others."""
    one, same, other = evaluated(seed=1), evaluated(seed=1, start=5), evaluated(seed=2)

    assert torch.equal(one.pairs.left, same.pairs.left)
    assert one.pairs.left.tolist() != other.pairs.left.tolist()


def test_neighbours_are_searched_once(monkeypatch):
    """All retrieval metrics share one search."""
    calls = []
    real = metrics.nearest
    monkeypatch.setattr(metrics, "nearest", lambda *a, **k: calls.append(a[2]) or real(*a, **k))

    score(evaluated(), Catalogue.load({"SIAMBENCH_PLUGINS": ""}).metrics(RETRIEVAL), classes=8)

    assert len(calls) == 1


def test_a_deeper_list_is_searched_when_it_is_asked_for(monkeypatch):
    """A list as deep as was announced is searched at once; a deeper one costs a second search, with the same beginning."""
    calls = []
    real = metrics.nearest
    monkeypatch.setattr(metrics, "nearest", lambda *a, **k: calls.append(a[2]) or real(*a, **k))
    view = evaluated(depth=10)
    shallow, deep = view.matches(3), view.matches(40)

    assert calls == [10, 40]
    assert torch.equal(shallow, deep[:, :3])
    assert torch.equal(deep[:, :12], view.matches(12))
    assert len(calls) == 2


def test_beyond_the_last_item_nothing_matches():
    """A list longer than there are items is filled with what does not match."""
    view = evaluated(labels=torch.tensor([0, 0, 0]))

    assert view.depth == 2
    assert view.matches(5).tolist() == [[True, True, False, False, False]] * 3


@pytest.mark.parametrize("queries", [None, 20])
def test_who_is_compared_with_whom(queries):
    """Without a gallery each item is compared with all others, with one the queries with the gallery alone."""
    view = evaluated(queries=queries)
    references = LABELS if queries is None else LABELS[queries:]
    expected = [int((references == label).sum()) - (queries is None) for label in LABELS[:queries]]

    assert (view.queries, view.has_gallery) == (queries or 48, queries is not None)
    assert view.depth == (47 if queries is None else 28)
    assert expected == view.relevant.tolist()
    assert view.matches(view.depth).sum(dim=1).tolist() == expected


@pytest.mark.parametrize(("distance", "unit"), [("cosine", True), ("euclidean", False)])
def test_embeddings_are_as_the_distance_sees_them(distance, unit):
    """Metrics are given float64 rows, of unit length under the cosine and as they are under the euclidean distance."""
    view = evaluated(distance=distance)

    assert view.embeddings.dtype == torch.float64
    assert torch.allclose(view.embeddings.norm(dim=1), torch.ones(48, dtype=torch.float64)) == unit


def test_what_metrics_draw_follows_the_seed_and_the_purpose():
    """A metric's seed depends on the evaluation's and on what it is for."""
    assert evaluated(seed=1).seed("clusters") == evaluated(seed=1, start=3).seed("clusters")
    assert len({evaluated(seed=seed).seed(purpose) for seed in (1, 2) for purpose in ("pairs", "clusters")}) == 4


def test_a_note_is_what_json_can_hold():
    """Facts are kept as they are, and a number that is not finite as text."""
    view = evaluated()
    for name, value in (("a", 0.5), ("b", float("inf")), ("c", "why"), ("d", float("nan"))):
        view.note(name, value)

    assert {"a": 0.5, "b": "inf", "c": "why", "d": "nan"} == view.notes


def test_every_pair_is_counted_where_it_is_asked_for():
    """With every pair asked for there is a count of them all; otherwise there is a list, and no count."""
    every, drawn = evaluated(pairs="every"), evaluated()

    assert every.every_pair.impostors == 48 * 47 // 2 - 8 * 15
    assert drawn.every_pair is None
    assert len(drawn.similarities) == len(drawn.pairs.left)


def test_with_a_gallery_pairs_are_a_query_and_one_of_it():
    """Drawn or every one, a verification pair is of a query and of the gallery: 20 queries and 28 others make 560 of them."""
    labels = LABELS[torch.randperm(48, generator=torch.Generator().manual_seed(3))]
    every, drawn = evaluated(labels=labels, queries=20, pairs="every"), evaluated(labels=labels, queries=20)

    assert (every.every_pair.genuine + every.every_pair.impostors) == 20 * 28
    assert every.every_pair.genuine == int((labels[:20, None] == labels[20:]).sum())
    assert int(drawn.pairs.left.max()) < 20 <= int(drawn.pairs.right.min())


def test_embeddings_that_are_no_numbers_are_none():
    """An embedding that is not finite is divergence, told before any metric is asked."""
    points = torch.randn(48, 4)
    points[7, 2] = torch.nan
    with pytest.raises(DivergedError, match="not finite"):
        Evaluated(points, LABELS, seed=0)


def test_without_official_episodes_there_are_none():
    """Data without episodes of its own has none of any name."""
    assert no_episodes("one-shot") is None
    assert evaluated().episodes("one-shot") is None
