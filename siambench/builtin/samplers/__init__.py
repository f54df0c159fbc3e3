"""The batch samplers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import SamplerEntry, hookimpl

if TYPE_CHECKING:
    from torch import Generator, Tensor

    from siambench.interfaces import Sampler


def m_per_class(labels: Tensor, batch_size: int, images_per_class: int, steps: int, generator: Generator) -> Sampler:
    """Batches of ``batch_size // images_per_class`` classes."""
    from siambench.builtin.samplers.sampling import MPerClass

    return MPerClass(labels, batch_size=batch_size, images_per_class=images_per_class, steps=steps, generator=generator)


def random(labels: Tensor, batch_size: int, steps: int, generator: Generator) -> Sampler:
    """Batches of images in random order, classes as they fall."""
    from siambench.builtin.samplers.sampling import RandomBatches

    return RandomBatches(labels, batch_size=batch_size, steps=steps, generator=generator)


def balanced_pairs(labels: Tensor, batch_size: int, steps: int, generator: Generator) -> Sampler:
    """Batches of ``batch_size // 2`` pairs, half of them of one class."""
    from siambench.builtin.samplers.sampling import BalancedPairs

    return BalancedPairs(labels, batch_size=batch_size, steps=steps, generator=generator)


def random_triplets(labels: Tensor, batch_size: int, steps: int, generator: Generator) -> Sampler:
    """Batches of ``batch_size // 3`` triplets: anchors, then their positives, then their negatives."""
    from siambench.builtin.samplers.sampling import RandomTriplets

    return RandomTriplets(labels, batch_size=batch_size, steps=steps, generator=generator)


@hookimpl
def siambench_samplers() -> dict[str, SamplerEntry]:
    """Ways to fill a batch."""
    return {
        "m-per-class": SamplerEntry(m_per_class, source="Hermans, Beyer, Leibe, arXiv 1703.07737: P classes, K images each"),
        "random": SamplerEntry(random, source="uniform without replacement, epoch by epoch"),
        "balanced-pairs": SamplerEntry(balanced_pairs, source="Hadsell, Chopra, LeCun, CVPR 2006; as many genuine pairs as impostors"),
        "random-triplets": SamplerEntry(
            random_triplets, source="Hoffer, Ailon, Deep Metric Learning Using Triplet Network, SIMBAD 2015; drawn anew for each batch"
        ),
    }
