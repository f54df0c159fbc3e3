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


def hierarchical(
    labels: Tensor, groups: Tensor | None, batch_size: int, images_per_class: int, steps: int, generator: Generator
) -> Sampler:
    """Batches of the classes of two groups, half of a batch each."""
    from siambench.builtin.samplers.chosen import ByGroup

    return ByGroup(labels, groups, together=2, batch_size=batch_size, images_per_class=images_per_class, steps=steps, generator=generator)


def by_group(labels: Tensor, groups: Tensor | None, batch_size: int, images_per_class: int, steps: int, generator: Generator) -> Sampler:
    """Batches of the classes of one group, another in each batch, in turn."""
    from siambench.builtin.samplers.chosen import ByGroup

    return ByGroup(labels, groups, together=1, batch_size=batch_size, images_per_class=images_per_class, steps=steps, generator=generator)


def class_balanced(labels: Tensor, batch_size: int, steps: int, generator: Generator) -> Sampler:
    """Batches of images each drawn by drawing a class first, for classes of unequal size."""
    from siambench.builtin.samplers.chosen import ClassBalanced

    return ClassBalanced(labels, batch_size=batch_size, steps=steps, generator=generator)


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
        "hierarchical": SamplerEntry(
            hierarchical,
            source="Cakir, He, Xia, Kulis, Sclaroff, Deep Metric Learning to Rank, CVPR 2019, as HierarchicalSampler of "
            "pytorch-metric-learning has it; here groups come in turn, and batches are full whatever the groups hold",
        ),
        "by-group": SamplerEntry(by_group, source="as hierarchical, with one group to a batch: negatives are of the anchor's group alone"),
        "class-balanced": SamplerEntry(
            class_balanced,
            source="Kang et al., Decoupling Representation and Classifier for Long-Tailed Recognition, ICLR 2020; here classes are drawn "
            "with replacement, not in turn",
        ),
    }
