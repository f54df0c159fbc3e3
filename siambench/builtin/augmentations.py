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


def colour_jitter(brightness: float, contrast: float, saturation: float, hue: float, share: float) -> Callable[[Tensor, Generator], Tensor]:
    """Another brightness, contrast, saturation and hue of each image, by factors drawn around 1 in an order drawn for it."""
    from siambench.builtin.colours import ColourJitter

    return ColourJitter(brightness, contrast, saturation, hue, share)


def gaussian_blur(kernel: int, low: float, high: float, share: float) -> Callable[[Tensor, Generator], Tensor]:
    """A share of the images blurred, by a Gaussian whose standard deviation in pixels is drawn from low to high."""
    from siambench.builtin.colours import GaussianBlur

    return GaussianBlur(kernel, low, high, share)


def greyscale(share: float) -> Callable[[Tensor, Generator], Tensor]:
    """A share of the images without colour."""
    from siambench.builtin.colours import Greyscale

    return Greyscale(share)


_SIMCLR = "Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning of Visual Representations, ICML 2020"


@hookimpl
def siambench_augmentations() -> dict[str, AugmentationEntry]:
    """Random changes of whole batches, each item for itself."""
    return {
        "cutout": AugmentationEntry(
            cutout,
            source="DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, arXiv 1708.04552",
            defaults={"size": 8},
        ),
        "colour-jitter": AugmentationEntry(
            colour_jitter,
            source=f"{_SIMCLR}; torchvision's ColorJitter",
            defaults={"brightness": 0.4, "contrast": 0.4, "saturation": 0.4, "hue": 0.1, "share": 1.0},
        ),
        "gaussian-blur": AugmentationEntry(
            gaussian_blur,
            source=f"{_SIMCLR}; torchvision's GaussianBlur",
            defaults={"kernel": 5, "low": 0.1, "high": 2.0, "share": 0.5},
        ),
        "greyscale": AugmentationEntry(greyscale, source=f"{_SIMCLR}; torchvision's RandomGrayscale", defaults={"share": 0.2}),
    }
