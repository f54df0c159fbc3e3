"""Losses that wrap another one: ``xbm(contrastive)``, ``matryoshka(supcon)``."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from siambench.plugin import LossEntry

if TYPE_CHECKING:
    from torch import nn


def xbm(loss: nn.Module, embedding_size: int, memory: int, start: float, weight: float) -> nn.Module:
    """A loss over a batch, and over its pairs with the items of earlier batches."""
    from siambench.builtin.losses.forms.cross_batch_memory import CrossBatchMemory

    return CrossBatchMemory(loss=loss, embedding_size=embedding_size, memory=memory, start=start, weight=weight)


def matryoshka(make_loss: Callable[[int], nn.Module], embedding_size: int, smallest: int, normalised: bool) -> nn.Module:  # noqa: FBT001  what a wrapper's factory is given by name
    """A loss over the first dimensions of the embeddings, for several numbers of them: recall@1 is then kept when most are cut off."""
    from siambench.builtin.losses.forms.matryoshka import Matryoshka

    return Matryoshka(make_loss=make_loss, embedding_size=embedding_size, smallest=smallest, normalised=normalised)


def gradcache(loss: nn.Module, chunk: int, per_chunk_batchnorm: bool) -> nn.Module:  # noqa: FBT001  what a wrapper's factory is given by name
    """A loss on a batch that is embedded in chunks, each twice: the same gradient in the memory of one chunk."""
    from siambench.builtin.losses.forms.gradient_cache import GradientCache

    return GradientCache(loss=loss, chunk=chunk, per_chunk_batchnorm=per_chunk_batchnorm)


ENTRIES = {
    "xbm": LossEntry(
        xbm,
        defaults={"memory": 1024, "start": 0.5, "weight": 1.0},
        space_source="start and weight: the code of Wang et al., which begins after 2,000 of 4,000 steps; memory: theirs is 8192",
        takes="pairs",
        wraps=True,
        source="Wang, Zhang, Huang, Scott, Cross-Batch Memory for Embedding Learning, CVPR 2020",
        equation="loss(batch) + weight loss(batch, memory)",
        needs="a loss that takes pairs",
        differs=(
            "the memory is filled from the first step; the paper's code begins with it when it begins to count",
            "it holds items of earlier batches alone; in the paper's code the batch itself is in it too",
            "of a loss that is a mean over items those in the memory count as items",
        ),
    ),
    "matryoshka": LossEntry(
        matryoshka,
        defaults={"smallest": 8},
        space_source="smallest: that of Kusupati et al.",
        feeds=("classes", "pairs", "triplets", "views"),
        wraps=True,
        normalise=False,
        source="Kusupati et al., Matryoshka Representation Learning, NeurIPS 2022",
        equation="mean over d of loss(z_1:d), d = D, D / 2, ...",
        differs=("a mean over the cuts, so that the size of a step is that of one loss; a sum with weights elsewhere",),
    ),
    "gradcache": LossEntry(
        gradcache,
        defaults={"chunk": 32, "per_chunk_batchnorm": False},
        space_source="chunk: whatever fits the memory; it changes no score but by rounding",
        feeds=("classes", "pairs", "triplets", "views"),
        wraps=True,
        chunked=True,
        source="Gao, Zhang, Han, Callan, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021",
        equation="loss(batch), the batch embedded chunk by chunk",
        needs="a backbone without BatchNorm, or with BatchNorm that is not trained, unless per_chunk_batchnorm says otherwise",
        differs=("with per_chunk_batchnorm, running statistics are taken from the first of the two times that a chunk is embedded",),
    ),
}
"""By name."""
