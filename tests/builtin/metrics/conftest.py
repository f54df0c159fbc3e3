"""Random embeddings, as a metric meets them, and a metric, as the harness asks for it."""

import pytest
import torch

from siambench.builtin.metrics import siambench_metrics
from siambench.evaluation.view import Evaluated
from siambench.plugin import call_factory

ENTRIES = siambench_metrics()


@pytest.fixture
def evaluated():
    """Make random embeddings of some labels; the larger `near`, the closer those of a class."""

    def make(labels, *, seed=0, dimensions=5, episodes=None, near=0.0, **options):
        generator = torch.Generator().manual_seed(seed)
        points = torch.randn(len(labels), dimensions, generator=generator)
        points += near * torch.randn(max(labels) + 1, dimensions, generator=generator)[labels]
        return Evaluated(points, torch.tensor(labels), **{"seed": 3, "episodes": (episodes or {}).get, **options})

    return make


@pytest.fixture
def compute():
    """Compute a metric of an evaluation."""
    return lambda name, evaluation, k=None, far=None: call_factory(ENTRIES[name].compute, {"evaluation": evaluation, "k": k, "far": far})
