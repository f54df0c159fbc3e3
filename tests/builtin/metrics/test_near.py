"""Neighbours by the first dimensions alone, and of corrupted queries."""

import pytest
import torch

from siambench.evaluation.corruptions import CORRUPTIONS
from siambench.evaluation.view import Evaluated

LABELS = [c for c, size in enumerate((1, 4, 9, 2, 7)) for _ in range(size)]


@pytest.mark.parametrize("queries", [None, 9])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_scores_by_the_first_dimensions_are_those_of_embeddings_cut_before(evaluated, compute, queries, distance):
    """recall@k-dim-d and map@r-dim-d are recall@k and map@r of the first d columns; of all columns, of the whole."""
    whole = evaluated(LABELS, near=0.6, queries=queries, distance=distance)
    points = evaluated(LABELS, near=0.6)._given
    for d in (1, 3, 5):
        cut = Evaluated(points[:, :d], torch.tensor(LABELS), seed=3, queries=queries, distance=distance)
        for name, k in (("recall@k", 1), ("recall@k", 50), ("map@r", None)):
            found = compute(f"{name}-dim-d", whole, k, None, d)
            assert torch.equal(compute(name, cut, k).nan_to_num(2.0), found.nan_to_num(2.0))
            assert torch.equal(found.isnan(), whole.relevant == 0)
    assert compute("recall@k-dim-d", whole, 1, None, 6) is None
    assert compute("map@r-dim-d", whole, None, None, 6) is None
    said = "the first 6 dimensions are asked for, and an embedding has 5"
    assert {said} == {whole.notes["recall@1-dim-6"], whole.notes["map@r-dim-6"]}


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_scores_of_corrupted_queries_are_those_of_a_gallery_without_the_query(evaluated, compute, told, name):
    """Each query alone, compared with the clean others as its gallery, has the same recall and MAP@R; asked by its own seed."""
    clean = evaluated(LABELS, near=0.6)
    worse = clean._given + 0.8 * torch.randn(clean._given.shape, generator=torch.Generator().manual_seed(9))
    model = told(queries=worse)
    evaluation = evaluated(LABELS, near=0.6, model=model)
    recall, average = compute(f"recall@k-{name}", evaluation, 2), compute(f"map@r-{name}", evaluation)
    assert [(name, evaluation.seed(f"corruption {name}"))] == model.asked
    labels = torch.tensor(LABELS)
    for query in range(len(LABELS)):
        others = [i for i in range(len(LABELS)) if i != query]
        points = torch.cat([worse[query : query + 1], clean._given[others]])
        alone = Evaluated(points, labels[[query, *others]], seed=0, queries=1)
        for found, again in ((recall, compute("recall@k", alone, 2)), (average, compute("map@r", alone))):
            assert torch.equal(found[query].nan_to_num(2.0), again[0].nan_to_num(2.0))
    assert not torch.equal(average.nan_to_num(2.0), compute("map@r", evaluation).nan_to_num(2.0))


@pytest.mark.parametrize("name", CORRUPTIONS)
def test_without_images_there_are_no_corrupted_queries(evaluated, compute, name):
    """Embeddings alone have no score, and a note under each metric's own name says why."""
    evaluation = evaluated(LABELS)
    assert compute(f"recall@k-{name}", evaluation, 4) is None
    assert compute(f"map@r-{name}", evaluation) is None
    said = f"queries with {name} are images and a model, and here are embeddings alone"
    assert {said} == {evaluation.notes[f"recall@4-{name}"], evaluation.notes[f"map@r-{name}"]}
