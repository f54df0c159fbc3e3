"""Miners that choose among the tuples of the whole training set, once every so many epochs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, Int, MinerEntry

if TYPE_CHECKING:
    from torch import nn


def offline_hard(negatives: int) -> nn.Module:
    """For each item of the training set its furthest positive, with each of its nearest negatives."""
    from siambench.builtin.miners.whole import OfflineHard

    return OfflineHard(negatives=negatives)


def offline_semihard(margin: float) -> nn.Module:
    """For each item of the training set and a positive, the nearest negative that is further, by no more than ``margin``."""
    from siambench.builtin.miners.whole import OfflineSemihard

    # An epoch takes fewer triplets than there are items: further positives would hardly be met.
    return OfflineSemihard(margin=margin, positives=1)


_FACENET = "Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015, section 3.2"

ENTRIES = {
    "offline-hard": MinerEntry(
        offline_hard,
        space={"negatives": Int(1, 16, log=True)},
        defaults={"negatives": 1, "every": 1},
        space_source=(
            "default: the one nearest negative of FaceNet; space: up to 16, so that what is near to everything is not every item's only "
            "negative; every: siambench's own"
        ),
        warmup=0.33,
        scope="training-set",
        source=f"{_FACENET}: triplets generated offline every n steps",
    ),
    "offline-semihard": MinerEntry(
        offline_semihard,
        space={"margin": Float(0.02, 0.7, log=True)},
        defaults={"margin": 0.2, "every": 1},
        space_source="margin: as semihard; every: siambench's own",
        scope="training-set",
        source=f"{_FACENET}: semi-hard exemplars, here of the whole training set",
    ),
}
"""By name."""
