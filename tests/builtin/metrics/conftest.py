"""Random embeddings, as a metric meets them, and a metric, as the harness asks for it."""

import pytest
import torch

from siambench.builtin.metrics import siambench_metrics
from siambench.evaluation.view import Evaluated
from siambench.plugin import call_factory

ENTRIES = siambench_metrics()


class Told:
    """In the place of a model: corrupted queries and predictions as a test gives them; counts how often it is asked."""

    side_by_side = False

    def __init__(self, *, queries=None, predicted=None):
        self.queries, self.predicted, self.asked = queries, predicted, []

    def corrupted_queries(self, corruption, seed):
        """The queries that were given."""
        self.asked.append((corruption, seed))
        return self.queries

    def fine_tuned(self, known, labels, asked):
        """What was given for these items."""
        self.asked.append((known, labels, asked))
        return self.predicted[asked]


@pytest.fixture
def told():
    """Make what stands in the place of a model."""
    return Told


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

    def ask(name, evaluation, k=None, far=None, d=None):
        return call_factory(ENTRIES[name].compute, {"evaluation": evaluation, "k": k, "far": far, "d": d})

    return ask
