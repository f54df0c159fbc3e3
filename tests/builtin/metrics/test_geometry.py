"""Geometry: distances and directions, from loops over all items."""

import itertools
import math

import numpy as np
import pytest
import torch

# Classes of one, two, three, five and nine.
LABELS = [4, 0, 3, 4, 2, 4, 3, 1, 4, 3, 2, 4, 4, 3, 1, 4, 2, 4, 3, 4]


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("queries", [None, 6], ids=["each other", "gallery"])
def test_geometry_is_that_of_all_pairs_of_items(evaluated, compute, queries, distance):
    """Alignment, uniformity, mean distances and effective rank follow from loops over all items, the gallery included."""
    evaluation = evaluated(LABELS, near=0.5, queries=queries, distance=distance)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(LABELS), 5, generator=generator)
    x = (x + 0.5 * torch.randn(5, 5, generator=generator)[LABELS]).double().numpy()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    seen = unit if distance == "cosine" else x
    couples = list(itertools.combinations(range(len(LABELS)), 2))
    same, other = ([(a, b) for a, b in couples if (LABELS[a] == LABELS[b]) == wanted] for wanted in (True, False))
    shares = np.linalg.svd(seen, compute_uv=False) / np.linalg.svd(seen, compute_uv=False).sum()
    expected = {
        "alignment": np.mean([((unit[a] - unit[b]) ** 2).sum() for a, b in same]),
        "uniformity": math.log(np.mean([math.exp(-2 * ((unit[a] - unit[b]) ** 2).sum()) for a, b in couples])),
        "positive_distance": np.mean([np.linalg.norm(seen[a] - seen[b]) for a, b in same]),
        "negative_distance": np.mean([np.linalg.norm(seen[a] - seen[b]) for a, b in other]),
        "effective_rank": math.exp(-sum(share * math.log(share) for share in shares)),
    }

    for name, value in expected.items():
        assert value == pytest.approx(compute(name, evaluation), abs=1e-9), name


def test_geometry_without_pairs_of_a_kind_is_no_score(evaluated, compute):
    """Where no two items share a class, or all do, the mean distance of such pairs is None; alignment needs two of a class."""
    alone, together = evaluated([0, 1, 2]), evaluated([0, 0, 0])

    assert compute("alignment", alone) is None
    assert compute("positive_distance", alone) is None
    assert compute("negative_distance", together) is None
