"""Evaluation at the size of Stanford Online Products: 60,502 embeddings of 512 numbers, 11,316 classes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from siambench import metrics
from siambench.components.catalogue import Catalogue
from siambench.evaluation.scoring import score
from siambench.evaluation.view import Evaluated

ITEMS, SIZE, CLASSES = 60_502, 512, 11_316
NAMES = ("recall@1", "recall@10", "recall@100", "recall@1000", "map@r")


def made_up(items=ITEMS, size=SIZE, classes=CLASSES):
    """Embeddings of unit length around a centre per class, of which each has at least one item."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.cat([torch.arange(classes), torch.randint(classes, (items - classes,), generator=generator)]).sort().values
    points = torch.randn(items, size, generator=generator)
    points += 0.5 * torch.randn(classes, size, generator=generator)[labels]
    return torch.nn.functional.normalize(points), labels


def evaluate(points, labels):
    """The scores, as a unit computes them."""
    named = Catalogue.load().metrics(NAMES)
    return score(Evaluated(points, labels, seed=0, depth=1000), named, classes=int(labels.max()) + 1).scores


@pytest.fixture(scope="module")
def embedded(request):
    return made_up(4096, 64, 512) if request.config.getoption("--small") else made_up()


def product(points):
    """The bare product of all with all, 512 rows at a time."""
    out = torch.empty(512, len(points))
    for start in range(0, len(points), 512):
        rows = points[start : start + 512]
        torch.mm(rows, points.T, out=out[: len(rows)])


def test_retrieval_beside_the_bare_product(embedded, row):
    """Five metrics together: products, the thousand nearest in order, ties settled."""
    points, labels = embedded
    found, _ = row(5).pair(
        "recall@1, @10, @100, @1000 and MAP@R of 60,502 × 512",
        "the bare product in chunks of 512 rows",
        aim="≤ 1.3",
        work=lambda: evaluate(points, labels),
        reference=lambda: product(points),
    )
    assert 0 < found["map@r"] < found["recall@1"] < found["recall@1000"] <= 1


@pytest.mark.parametrize("depth", [1000, "max_bin_count"])
def test_retrieval_beside_pml(embedded, row, depth):
    """pytorch-metric-learning's calculator with faiss; it gives two of the five metrics, and they agree."""
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
    from pytorch_metric_learning.utils.inference import FaissKNN

    points, labels = embedded
    calculator = AccuracyCalculator(include=("precision_at_1", "mean_average_precision_at_r"), k=depth, knn_func=FaissKNN())
    what = "at the same depth, k = 1000" if depth == 1000 else "as deep as its two metrics need"
    found, other = row(3).pair(
        "the same five metrics",
        f"pytorch-metric-learning with faiss on the CPU, two metrics, {what}",
        aim="≤ 1" if depth == 1000 else "",
        work=lambda: evaluate(points, labels),
        reference=lambda: calculator.get_accuracy(points, labels),
    )
    # The calculator leaves out queries of a class of one, as we do; it computes in float32.
    assert found["recall@1"] == pytest.approx(other["precision_at_1"], abs=1e-4)
    assert found["map@r"] == pytest.approx(other["mean_average_precision_at_r"], abs=1e-4)


PEAK = """
import json, sys
import psutil
sys.path.insert(0, sys.argv[1])
from test_evaluation import evaluate, made_up
from siambench import metrics
from siambench.machine import peak_memory_mb
points, labels = made_up(*map(int, sys.argv[3:6]))
evaluate(points[:300], labels[:300])
before = psutil.Process().memory_info().rss / 2**20
evaluate(points, labels) if sys.argv[2] == "retrieval" else metrics.all_pairs_verification(points, labels)
print(json.dumps(peak_memory_mb() - before))
"""


@pytest.mark.parametrize("what", ["retrieval", "verification"])
def test_peak_memory(row, small, what):
    """In a process of its own: its peak above what it held before, embeddings and libraries included, in MB."""
    sizes = (4096, 64, 512) if small else (ITEMS, SIZE, CLASSES)

    def peak():
        command = [sys.executable, "-c", PEAK, str(Path(__file__).parent), what, *map(str, sizes)]
        return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)

    name = "the five metrics" if what == "retrieval" else "verification over every pair"
    assert row(1).single(f"peak memory of {name}", "the embeddings, which are there before", aim="≤ 1500 MB", work=peak, unit="MB") > 0


def test_verification_over_every_pair(embedded, row):
    """AUC, EER and TAR over all pairs, counted into bins; beside it the bare product, which visits each pair twice."""
    points, labels = embedded
    found, _ = row(3).pair(
        "AUC, EER and TAR@FAR over all 1,830,215,751 pairs",
        "the bare product, each pair twice",
        aim="",
        work=lambda: metrics.all_pairs_verification(points, labels),
        reference=lambda: product(points),
    )
    assert found.genuine + found.impostors == len(points) * (len(points) - 1) // 2
    assert found.roc_auc.error < 1e-4
