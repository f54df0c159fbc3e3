"""Augmentation of whole batches: each image gets its own draw, all are moved by one `grid_sample`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from numpy.typing import NDArray


def to_device(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """A batch of images on a device; on a GPU the copy runs beside what is computed there, which it only does from pinned memory."""
    batch = torch.from_numpy(np.ascontiguousarray(images))
    if device.type == "cuda":
        batch = batch.pin_memory()
    return batch.to(device, non_blocking=True)


def to_float(images: Tensor) -> Tensor:
    """uint8 [B, C, H, W] in 0 … 255 to fp32 in [0, 1]."""
    return images.to(torch.float32).div_(255)


def augment(images: Tensor, rules: Mapping[str, Any], *, generator: Generator) -> Tensor:
    """A random affine map of each image, drawn independently.

    Args:
        images: fp32 [B, C, H, W].
        rules: ``rotate`` (degrees, ±), ``scale`` ([low, high]), ``translate`` (share of the edge, ±), ``shear``
            (degrees, ±), ``flip`` (bool, left-right with probability ½), ``padding`` (zeros, border or reflection);
            an empty mapping leaves the images as they are.
        generator: a CPU generator, the source of all randomness.

    Returns:
        fp32 [B, C, H, W] on the device of ``images``.
    """
    if not any(rules.get(key) for key in ("rotate", "translate", "shear", "flip")) and tuple(rules.get("scale", (1, 1))) == (1, 1):
        return images
    draws = torch.rand((len(images), 6), generator=generator, dtype=torch.float32)
    signed = draws * 2 - 1
    rotate = signed[:, 0] * math.radians(rules.get("rotate", 0.0))
    shear = torch.tan(signed[:, 1] * math.radians(rules.get("shear", 0.0)))
    low, high = rules.get("scale", (1.0, 1.0))
    scale = low + draws[:, 2] * (high - low)
    mirror = torch.where(draws[:, 3] < 0.5, -1.0, 1.0) if rules.get("flip") else torch.ones(len(images))
    # grid_sample's coordinates run over [-1, 1]: a share of the edge is twice that.
    move = signed[:, 4:] * 2 * rules.get("translate", 0.0)
    cosine, sine = torch.cos(rotate) / scale, torch.sin(rotate) / scale
    # A turn is one in pixels: in shares of the edges, a wide image would be sheared by it.
    height, wide = images.shape[2:]
    theta = torch.stack(
        [
            torch.stack([mirror * cosine, (shear * cosine - sine) * (height / wide), move[:, 0]], dim=1),
            torch.stack([mirror * sine * (wide / height), shear * sine + cosine, move[:, 1]], dim=1),
        ],
        dim=1,
    ).to(images.device, non_blocking=True)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=rules.get("padding", "zeros"), align_corners=False)
