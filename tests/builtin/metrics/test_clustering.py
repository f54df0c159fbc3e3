"""Clustering: agreement of k-means with the classes."""

import numpy as np
import pytest

from siambench import metrics


def test_nmi_is_the_mean_of_ten_seeded_clusterings(evaluated, compute):
    """Agreement of k-means with the classes, over starts drawn from the evaluation's seed, their deviation in the notes."""
    evaluation = evaluated([c for c in range(4) for _ in range(8)], near=1.0)
    expected = metrics.cluster_agreement(evaluation.embeddings, evaluation.labels, seed=evaluation.seed("clusters"))

    assert 10 == len(expected.scores)
    assert sum(expected.scores) / 10 == pytest.approx(compute("nmi", evaluation), abs=1e-12)
    assert np.std(expected.scores, ddof=1) == pytest.approx(evaluation.notes["nmi_deviation"], abs=1e-12)
    assert 0 < expected.mean < 1
