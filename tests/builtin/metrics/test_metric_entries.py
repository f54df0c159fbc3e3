"""What the entries of all metrics state: directions, ranges, and that they are kept."""

import math

import pytest
import torch

from siambench.builtin.metrics import siambench_metrics
from siambench.evaluation.view import Evaluated

ENTRIES = siambench_metrics()


def test_directions_and_ranges_are_stated():
    """Errors and distances within a class are better when lower, everything else when higher; most scores lie in [0, 1]."""
    lower = {"eer", "eer@enrol-k", "eer@enrol-nearest-k", "one_shot_error", "alignment", "uniformity", "positive_distance"}
    assert lower == {name for name, entry in ENTRIES.items() if entry.direction == "min"}
    ranges = {name: (entry.low, entry.high) for name, entry in ENTRIES.items() if (entry.low, entry.high) != (0.0, 1.0)}
    unbounded = dict.fromkeys(("effective_rank", "positive_distance", "negative_distance"), (0.0, None))
    assert {"alignment": (0.0, 4.0), "uniformity": (-8.0, 0.0), "spearman": (-1.0, 1.0), **unbounded} == ranges
    assert {"one_shot_error": "one-shot"} == {name: entry.needs for name, entry in ENTRIES.items() if entry.needs}


def test_ranges_are_reached(compute):
    """Opposite points of one class have the worst alignment, coinciding ones the worst uniformity."""
    apart = Evaluated(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2, dtype=torch.int64), seed=0)
    together = Evaluated(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), seed=0)

    assert ENTRIES["alignment"].high == pytest.approx(compute("alignment", apart))
    assert ENTRIES["uniformity"].low == pytest.approx(compute("uniformity", apart))
    assert ENTRIES["uniformity"].high == pytest.approx(compute("uniformity", together))


def test_perfect_embeddings_have_perfect_scores(compute, told):
    """Classes at right angles score the best possible value in every metric whose best value they can reach."""
    labels = torch.arange(6).repeat_interleave(8)
    model = told(queries=torch.eye(6)[labels], predicted=labels)
    evaluation = Evaluated(torch.eye(6)[labels], labels, seed=0, episodes=lambda name: None, model=model)
    # Six directions of six, and distances of sqrt 2 between classes; the sphere has more room than six points fill.
    at_right_angles = {"effective_rank": 6.0, "negative_distance": math.sqrt(2)}

    for name, entry in ENTRIES.items():
        # Drawn pairs have no scores for spearman to follow.
        if entry.needs is None and name not in ("uniformity", "spearman"):
            value = compute(name, evaluation, 2 if "shot" in name else 1, 0.1, 6)
            best = at_right_angles.get(name, entry.high if entry.direction == "max" else entry.low)
            # A distance is the root of a difference of float64 products: equal points lie up to the root of its rounding apart, on some
            # processors, as these fuse the product and the sum.
            rounding = 2e-8 if name == "positive_distance" else 1e-12
            assert best == pytest.approx(float(value.mean()) if isinstance(value, torch.Tensor) else value, abs=rounding), name


def test_no_embedding_leaves_the_range_of_a_metric(compute, told):
    """On random, opposite and coinciding embeddings every score lies in the range its entry states."""
    labels = [c for c in range(6) for _ in range(7)]
    noise = torch.randn(42, 4, generator=torch.Generator().manual_seed(0))
    for points in (noise, 1e-9 * noise + 1, noise.sign(), torch.zeros(42, 4)):
        model = told(queries=points.flip(0), predicted=torch.tensor(labels).roll(3))
        evaluation = Evaluated(points, torch.tensor(labels), seed=0, episodes=lambda name: None, model=model)
        for name, entry in ENTRIES.items():
            # k-means warns of fewer points than clusters.
            if name == "nmi" and len(evaluation.embeddings.unique(dim=0)) < 6:
                continue
            value = compute(name, evaluation, 3, 0.1, 2)
            if value is not None:
                value = float(value.mean()) if isinstance(value, torch.Tensor) else value
                assert entry.low - 1e-12 <= value <= (math.inf if entry.high is None else entry.high + 1e-12), name
