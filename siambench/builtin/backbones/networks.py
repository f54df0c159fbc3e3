"""Networks for images fp32 [B, C, H, W] in [0, 1], and one for anything that can be flattened. All give features [B, F]."""

from __future__ import annotations

import math

import torch
from torch import nn

from siambench.errors import ConfigError


def mlp(input_shape: tuple[int, ...], *, width: int, layers: int, dropout: float) -> nn.Module:
    """``layers`` × (linear, BatchNorm, ReLU, dropout) of ``width`` units on the flattened item."""
    parts: list[nn.Module] = [nn.Flatten()]
    features = math.prod(input_shape)
    for _ in range(layers):
        parts += [nn.Linear(features, width), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        parts += [nn.Dropout(dropout)] if dropout else []
        features = width
    return nn.Sequential(*parts)


def conv4(input_shape: tuple[int, int, int], *, width: int, blocks: int, growth: int = 1, dropout: float) -> nn.Module:
    """``blocks`` × (3 × 3 convolution, BatchNorm, 2 × 2 max-pooling, ReLU), flattened.

    The first block has ``width`` channels, each further one ``growth`` times as many as the one before.

    Raises:
        ConfigError: if the image is too small for that many halvings.
    """
    channels, height, wide = input_shape
    if min(height, wide) < 2**blocks:
        raise ConfigError(f"conv4 with {blocks} blocks needs images of at least {2**blocks} pixels, got {height} × {wide}")
    parts: list[nn.Module] = []
    for _ in range(blocks):
        # The bias would be undone by BatchNorm. The paper has ReLU before pooling: both orders give the same bits, forward and backward,
        # and a ReLU of a quarter of the numbers takes a quarter of the time.
        parts += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.MaxPool2d(2), nn.ReLU(inplace=True)]
        parts += [nn.Dropout2d(dropout)] if dropout else []
        channels, width = width, width * growth
    return nn.Sequential(*parts, nn.Flatten())


def koch2015(input_shape: tuple[int, int, int], *, dropout: float) -> nn.Module:
    """Four convolutions of 64, 128, 128 and 256 channels with pooling between, then 4,096 sigmoid units.

    At 105 × 105 the kernels are the paper's 10, 7, 4 and 4, without padding. For smaller images they shrink in
    proportion, to no less than 3, with "same" padding and pooling only while the map can still be halved.
    """
    channels, height, wide = input_shape
    size = min(height, wide)
    paper_size = 105
    parts: list[nn.Module] = []
    for index, (width, kernel) in enumerate([(64, 10), (128, 7), (128, 4), (256, 4)]):
        if size >= paper_size:
            parts.append(nn.Conv2d(channels, width, kernel))
            pooled = True
        else:
            # Odd, since torch pads even kernels by a copy of the image, and warns of it.
            scaled = max(3, round(kernel * size / paper_size) // 2 * 2 + 1)
            parts.append(nn.Conv2d(channels, width, scaled, padding="same"))
            pooled = min(height, wide) >= 4
        parts.append(nn.ReLU(inplace=True))
        if pooled and index < 3:
            parts.append(nn.MaxPool2d(2))
            height, wide = height // 2, wide // 2
        channels = width
    features = _features(nn.Sequential(*parts, nn.Flatten()), input_shape)
    head: list[nn.Module] = [nn.Flatten(), nn.Linear(features, 4096), nn.Sigmoid()]
    head += [nn.Dropout(dropout)] if dropout else []
    return nn.Sequential(*parts, *head)


def _features(module: nn.Module, input_shape: tuple[int, int, int]) -> int:
    with torch.no_grad():
        return int(module(torch.zeros(1, *input_shape)).shape[1])
