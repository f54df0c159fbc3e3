"""A square cut out of each image of a batch."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from siambench.errors import ConfigError


class Cutout:
    """Sets a square of each image to 0; its middle is any pixel, all of them equally likely.

    Args:
        size: pixels on a side, at least 1.

    Raises:
        ConfigError: if it is none.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ConfigError(f"augment.cutout.size must be at least 1 pixel, got {size}")
        self.size = size

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """The images [B, C, H, W] with a square of each cut out."""
        height, wide = images.shape[2:]
        drawn = torch.rand((len(images), 2), generator=generator).to(images.device)
        down = self._inside(drawn[:, 0], height)
        across = self._inside(drawn[:, 1], wide)
        return images.masked_fill((down[:, :, None] & across[:, None, :])[:, None], 0)

    def _inside(self, drawn: Tensor, edge: int) -> Tensor:
        """Which places along an edge lie in the square, bool [B, edge]."""
        first = (drawn * edge).long()[:, None] - self.size // 2
        place = torch.arange(edge, device=drawn.device)[None]
        return (place >= first) & (place < first + self.size)
