"""Losses: NT-Xent beside the product that it cannot do without, and each loss beside the library's."""

from __future__ import annotations

import pytest
import torch
from pytorch_metric_learning import distances, losses, miners, regularizers
from torch.nn import functional

from siambench.components.catalogue import Catalogue
from siambench.machine import keep_freed_memory
from siambench.plugin import call_factory

CLASSES = 621


@pytest.fixture(scope="module")
def built():
    """A built-in loss or miner by its name, with its defaults."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})

    def make(kind, name, size):
        entry = catalogue.get(kind, name).entry
        return call_factory(entry.build, {**entry.defaults, "num_classes": CLASSES, "embedding_size": size})

    return make


def batch(count, size):
    """Unit rows fp32 [B, D], four of a class, and their labels."""
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(count // 4).repeat_interleave(4)
    centres = torch.randn(count // 4, size, generator=generator)
    return functional.normalize(centres[labels] + torch.randn(count, size, generator=generator)), labels


def stepped(loss, rows, labels, miner=None):
    """Forward and backward: the value and the gradient by the rows."""
    leaf = rows.clone().requires_grad_()
    value = loss(leaf, labels) if miner is None else loss(leaf, labels, miner(leaf.detach(), labels))
    value.backward()
    return value.detach(), leaf.grad


def repeated(times, work):
    """What is too short to be timed alone, several times over."""
    return lambda: [work() for _ in range(times)][-1]


@pytest.mark.parametrize(("size", "aim"), [(64, "≤ 4"), (128, "≤ 3")], ids=["64", "128"])
def test_ntxent_beside_the_bare_product(size, aim, built, row, small, threads):
    """Both read the same rows; memory that is freed is kept, as in units; the product's gradient has ones upstream."""
    threads(1)
    keep_freed_memory()
    count = 64 if small else 512
    rows, labels = batch(count, size)
    loss = built("losses", "ntxent", size)
    upstream = torch.ones(count, count)

    def product():
        leaf = rows.clone().requires_grad_()
        (leaf @ leaf.T).backward(upstream)
        return leaf.grad

    (_, gradient), bare = row(41).pair(
        f"NT-Xent forward and backward, batch {count}, D = {size}",
        "the product of B × D by D × B, forward and backward",
        aim=aim,
        work=repeated(5, lambda: stepped(loss, rows, labels)),
        reference=repeated(5, product),
    )
    assert gradient.shape == bare.shape == (count, size)


def npair(**params):
    """The library's N-pair loss in the form that the entry has."""
    return losses.NPairsLoss(
        distance=distances.DotProductSimilarity(normalize_embeddings=False),
        embedding_regularizer=regularizers.LpRegularizer(p=2, power=2),
        embedding_reg_weight=0.002,
    )


LIBRARY = {
    "contrastive": losses.ContrastiveLoss,
    "triplet": lambda: losses.TripletMarginLoss(margin=0.1),
    "npair": npair,
    "angular": lambda: losses.AngularLoss(alpha=45.0),
    "ntxent": lambda: losses.NTXentLoss(temperature=0.1),
    "supcon": losses.SupConLoss,
    "multi-similarity": losses.MultiSimilarityLoss,
    "proxy-anchor": lambda: losses.ProxyAnchorLoss(CLASSES, 64),
    "arcface": lambda: losses.ArcFaceLoss(CLASSES, 64),
}
LIBRARY_MINERS = {
    "hard": miners.BatchHardMiner,
    "semihard": lambda: miners.TripletMarginMiner(margin=0.2, type_of_triplets="semihard"),
    "multi-similarity": miners.MultiSimilarityMiner,
    "distance-weighted": miners.DistanceWeightedMiner,
    "easy-positive-hard-negative": lambda: miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="hard"),
}


@pytest.mark.parametrize("name", LIBRARY)
def test_loss_beside_the_librarys(name, built, row, threads):
    """Batch 128, four of a class, D = 64, one thread; both give the same value, proxies drawn alike."""
    threads(1)
    rows, labels = batch(128, 64)
    torch.manual_seed(0)
    own = built("losses", name, 64)
    torch.manual_seed(0)
    library = LIBRARY[name]()
    (value, _), (other, _) = row(15).pair(
        f"{name} forward and backward, batch 128, D = 64",
        "pytorch-metric-learning's",
        aim="",
        work=lambda: stepped(own, rows, labels),
        reference=lambda: stepped(library, rows, labels),
    )
    assert value.item() == pytest.approx(other.item(), rel=1e-4)


@pytest.mark.parametrize("name", LIBRARY_MINERS)
def test_mined_triplet_beside_the_librarys(name, built, row, threads):
    """Mining and the triplet loss on what was mined; both give the same value but where the miner draws."""
    threads(1)
    rows, labels = batch(128, 64)
    own, miner = built("losses", "triplet", 64), built("miners", name, 64)
    library, other_miner = LIBRARY["triplet"](), LIBRARY_MINERS[name]()
    (value, _), (other, _) = row(15).pair(
        f"{name} and triplet forward and backward, batch 128, D = 64",
        "pytorch-metric-learning's",
        aim="",
        work=lambda: stepped(own, rows, labels, miner),
        reference=lambda: stepped(library, rows, labels, other_miner),
    )
    assert value.item() == pytest.approx(other.item(), rel=1e-4 if name != "distance-weighted" else 0.5)
