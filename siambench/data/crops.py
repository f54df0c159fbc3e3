"""A part of each image at random, brought to one size: torchvision's ``RandomResizedCrop``, with draws that are the unit's own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from numpy.typing import NDArray

CROP, RATIO = "crop", "crop_ratio"
"""The keys of ``[augment]``: the share of an image's area that a crop takes, and its width by its height; [low, high] each."""

TRIES = 10
"""As often a box is drawn; of those that fit into the image the first counts."""

DRAWN = (TRIES, 4)
"""Of one item, uniform in [0, 1): by try the area, the ratio, how far down, and how far across."""

Box = tuple[int, int, int, int]


def box_of(shares: NDArray[np.float64], edges: tuple[int, int], rules: Mapping[str, Any]) -> Box:
    """The box that was drawn for an image of its size: top, left, height, width.

    Area and the logarithm of the ratio are uniform in their ranges. Where no try fits, the middle is taken, as large as the ratio lets it
    be.

    Args:
        shares: what was drawn for it, [10, 4] in [0, 1).
        edges: its height and width.
        rules: ``crop`` and ``crop_ratio``.

    Source:
        Szegedy et al., Going Deeper with Convolutions, CVPR 2015; the steps are those of torchvision's ``RandomResizedCrop``.
    """
    height, width = edges
    (least, most), (narrow, wide) = rules[CROP], rules[RATIO]
    for area_share, ratio_share, down, across in shares.tolist():
        area = height * width * (least + area_share * (most - least))
        ratio = math.exp(math.log(narrow) + ratio_share * (math.log(wide) - math.log(narrow)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return int(down * (height - h + 1)), int(across * (width - w + 1)), h, w
    w, h = width, height
    if width / height < narrow:
        h = min(height, round(width / narrow))
    elif width / height > wide:
        w = min(width, round(height * wide))
    return (height - h) // 2, (width - w) // 2, h, w


def cropped(image: Tensor, box: Box, size: tuple[int, int]) -> Tensor:
    """What is in a box, brought to a size by antialiased bilinear interpolation: [C, h, w] to [C, *size], of its own dtype."""
    from torchvision.transforms.v2 import functional

    found: Tensor = functional.resized_crop(image, *box, size=list(size), antialias=True)
    return found


def crop_batch(images: Tensor, shares: Tensor, rules: Mapping[str, Any]) -> Tensor:
    """Of each image of a batch [B, C, H, W] a part, at the size of the whole; ``shares``: what was drawn, [B, 10, 4]."""
    edges = images.shape[-2], images.shape[-1]
    boxes = [box_of(one, edges, rules) for one in shares.double().cpu().numpy()]
    return torch.stack([cropped(image, box, edges) for image, box in zip(images, boxes, strict=True)])
