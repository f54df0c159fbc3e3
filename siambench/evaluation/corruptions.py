"""Images made worse: noise, blur, occlusion and rotation, each at one stated severity, each image by a draw of its own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from siambench.data.transforms import changed, to_float

if TYPE_CHECKING:
    from numpy.random import Generator
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Corruption:
    """One way to make an image worse.

    Args:
        change: from images fp32 [B, C, H, W] in [0, 1], a generator for each of them and the severity to images of the same shape.
        severity: how much of it, in the unit that `told` names.
        told: what it does, for people, with a place for the severity.
        source: where that severity is from.
    """

    change: Callable[[Tensor, list[Generator], float], Tensor]
    severity: float
    told: str
    source: str


def corrupted(images: NDArray[np.uint8], name: str, *, seed: int, items: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Images made worse, rounded to the 8 bits that images have.

    What is drawn for an image depends on the seed and its number alone, not on the images beside it.

    Args:
        images: uint8 [B, C, H, W].
        name: of the corruption, a key of `CORRUPTIONS`.
        seed: of all draws.
        items: the number of each image, not negative, int64 [B].

    Returns:
        uint8 [B, C, H, W].
    """
    corruption = CORRUPTIONS[name]
    generators = [np.random.default_rng([seed, item]) for item in items.tolist()]
    given = to_float(torch.from_numpy(np.ascontiguousarray(images)))
    found = corruption.change(given, generators, corruption.severity)
    return found.mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()


def _noise(images: Tensor, generators: list[Generator], severity: float) -> Tensor:
    drawn = np.stack([one.standard_normal(images.shape[1:], dtype=np.float32) for one in generators])
    return images + severity * torch.from_numpy(drawn)


def _blur(images: Tensor, generators: list[Generator], severity: float) -> Tensor:  # noqa: ARG001  the signature is shared
    """Nothing is drawn; beyond the border the image goes on as it ends."""
    deviation = severity * min(images.shape[2:])
    # Four deviations to each side: what lies beyond is less than one part in ten thousand.
    reach = max(1, math.ceil(4 * deviation))
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float32) / deviation) ** 2)
    weights = weights / weights.sum()
    batch, channels, height, wide = images.shape
    planes = functional.pad(images.reshape(batch * channels, 1, height, wide), (reach,) * 4, mode="replicate")
    planes = functional.conv2d(functional.conv2d(planes, weights.view(1, 1, -1, 1)), weights.view(1, 1, 1, -1))
    return planes.view(images.shape)


def _occlusion(images: Tensor, generators: list[Generator], severity: float) -> Tensor:
    """A square, wholly inside, in the mean colour of the image: on black ground as on white it tells nothing by itself."""
    height, wide = images.shape[2:]
    edge = max(1, round(severity * min(height, wide)))
    found = images.clone()
    for place, one in enumerate(generators):
        top, left = one.integers(height - edge + 1), one.integers(wide - edge + 1)
        found[place, :, top : top + edge, left : left + edge] = images[place].mean(dim=(1, 2))[:, None, None]
    return found


def _rotation(images: Tensor, generators: list[Generator], severity: float) -> Tensor:
    """To the left or to the right, each as often; what comes in goes on as the border ends."""
    signs = torch.tensor([1.0 if one.random() < 0.5 else -1.0 for one in generators])
    angles = signs * math.radians(severity)
    cosine, sine, none = torch.cos(angles), torch.sin(angles), torch.zeros(len(images))
    # A turn is one in pixels, and places are told in shares of the edges.
    height, wide = images.shape[2:]
    theta = torch.stack(
        [torch.stack([cosine, -sine * (height / wide), none], dim=1), torch.stack([sine * (wide / height), cosine, none], dim=1)], dim=1
    )
    return changed(images, "images", {"padding": "border"}, {"theta": theta})


CORRUPTIONS: Mapping[str, Corruption] = {
    "noise": Corruption(
        _noise,
        0.18,
        "Gaussian noise in each channel of each pixel, standard deviation {} of the range from black to white",
        "Hendrycks, Dietterich, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations, ICLR 2019: "
        "Gaussian noise of ImageNet-C at severity 3 of 5",
    ),
    "blur": Corruption(
        _blur,
        1 / 32,
        "Gaussian blur, standard deviation {} of the shorter edge",
        "Hendrycks, Dietterich, ICLR 2019: Gaussian blur of CIFAR-10-C at severity 5 of 5, a pixel of 32",
    ),
    "occlusion": Corruption(
        _occlusion,
        0.5,
        "a square of {} of the shorter edge at a random place, in the image's mean colour",
        "DeVries, Taylor, Improved Regularization of Convolutional Neural Networks with Cutout, 2017: 16 pixels of 32 for CIFAR-10",
    ),
    "rotation": Corruption(
        _rotation,
        30.0,
        "turned by {} degrees, to the left or to the right",
        "Cubuk, Zoph, Shlens, Le, RandAugment, 2019: the largest rotation of its range",
    ),
}
"""By name. Severities are part of what a score means: changing one changes scores."""
