"""An augmentation that tracks ask for by its name; those that they know themselves are in `siambench.data.transforms`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from siambench.plugin import AugmentationEntry, hookimpl

if TYPE_CHECKING:
    from torch import Generator, Tensor


def cutout(size: int) -> Callable[[Tensor, Generator], Tensor]:
    """A square of each image is set to 0, around a pixel drawn for it; what would lie outside the image is cut off."""
    from siambench.builtin.cutting import Cutout

    return Cutout(size)


@hookimpl
def siambench_augmentations() -> dict[str, AugmentationEntry]:
    """Random changes of whole batches, each item for itself."""
    return {
        "cutout": AugmentationEntry(
            cutout,
            source="DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, arXiv 1708.04552",
            defaults={"size": 8},
        )
    }
