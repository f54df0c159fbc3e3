from __future__ import annotations

import json
import subprocess
import sys

import faiss
import numpy as np
import pytest
import siambench
from siambench.testing.contracts import check

NAMES = ["recall@1", "recall@10", "map@r", "recall@1-hnsw", "recall@10-hnsw", "map@r-hnsw", "recall@1-ivf", "recall@10-ivf", "map@r-ivf"]


def scores(embeddings, labels, names=NAMES, **more):
    return siambench.evaluate(embeddings, labels, metrics=names, **more)


@pytest.fixture(scope="module")
def clusters():
    """Two thousand points of 200 classes of uneven size, and 64 dimensions."""
    generator = np.random.default_rng(2)
    labels = generator.integers(0, 200, 2000)
    return generator.normal(size=(200, 64))[labels] + generator.normal(size=(2000, 64)) * 1.5, labels


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_estimates_lie_near_the_exact_scores(clusters, distance):
    """A graph finds nearly all neighbours; an inverted file that looks into one cell of eight misses some, and loses by that."""
    found = scores(*clusters, distance=distance)

    for name in ("recall@1", "recall@10", "map@r"):
        assert found[f"{name}-hnsw"] == pytest.approx(found[name], abs=0.01)
        assert found[f"{name}-ivf"] == pytest.approx(found[name], abs=0.25)
    assert found["map@r-ivf"] < found["map@r"]


def test_small_sets_are_searched_exactly():
    """Of few items there is one cell, and all of it is searched: scores are the exact ones, with duplicates and lone classes too."""
    generator = np.random.default_rng(3)
    labels = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4])
    embeddings = generator.normal(size=(12, 5))
    found = scores(embeddings, labels)

    for name in ("recall@1", "recall@10", "map@r"):
        assert found[f"{name}-ivf"] == pytest.approx(found[name], abs=1e-12)
        assert found[f"{name}-hnsw"] == pytest.approx(found[name], abs=1e-12)


def test_queries_are_compared_with_a_gallery(clusters):
    """With a gallery of its own no query is left out of it, and estimates lie near the exact scores."""
    embeddings, labels = clusters
    found = scores(embeddings[:500], labels[:500], gallery=embeddings[500:], gallery_labels=labels[500:])

    for name in ("recall@1", "recall@10", "map@r"):
        assert found[f"{name}-hnsw"] == pytest.approx(found[name], abs=0.01)


def test_threads_are_put_back_and_scores_are_the_same_twice(clusters):
    """Two searches give the same scores, and faiss has as many threads afterwards as before."""
    before = faiss.omp_get_max_threads()

    assert scores(*clusters, names=NAMES[3:]) == scores(*clusters, names=NAMES[3:])
    assert faiss.omp_get_max_threads() == before


def test_contracts():
    """The plugin is light to import, and its metrics keep what siambench expects of any."""
    assert [outcome for outcome in check("faiss") if outcome.state == "failed"] == []


def run(*arguments, cwd):
    command = [sys.executable, "-m", "siambench", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=cwd)


def test_a_track_reports_an_estimate_and_cannot_rank_by_one(tmp_path):
    """As a reported metric it has a marked column; as the primary one the run ends with one sentence and exit code 4."""
    tiny = ["--loss", "contrastive", "--dataset", "digits", "--trials", 1, "--repetitions", 1, "--jobs", 1]
    tiny += [part for rule in ("epochs=1", "steps_per_epoch=2", "batch_size=16") for part in ("--set", f"training.{rule}")]
    refused = run("run", *tiny, "--set", 'metrics.report=["recall@1-hnsw"]', "--set", "metrics.primary=recall@1-hnsw", cwd=tmp_path)
    assert refused.returncode == 4
    assert "the metric recall@1-hnsw is an estimate, by which no track can rank" in refused.stderr
    done = run("run", *tiny, "--set", 'metrics.report=["map@r","recall@1-hnsw"]', "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = {metric["name"]: metric.get("approximate", False) for metric in json.loads(done.stdout)["metrics"]}

    assert metrics == {"map@r": False, "recall@1-hnsw": True}
