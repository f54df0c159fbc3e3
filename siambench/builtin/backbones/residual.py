"""Residual networks of torchvision, for images fp32 [B, C, H, W] in [0, 1]. They give features [B, F]."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from torch import Tensor, nn

from siambench.data.locate import Remote, locate
from siambench.errors import ConfigError

IMAGENET = Remote(
    "resnet18-f37072fd.pth",
    "https://download.pytorch.org/models/resnet18-f37072fd.pth",
    sha256_prefix="f37072fd",
    folder="weights",
)


class ResNet18(nn.Module):
    """torchvision's ResNet-18 up to the pooled 512 features; grey images are repeated over three channels.

    Args:
        state: a state dict to load, or None for torchvision's own initialisation.
    """

    def __init__(self, state: dict[str, Tensor] | None) -> None:
        super().__init__()
        from torchvision.models import resnet18 as build

        self.trunk = build(weights=None)
        if state is not None:
            self.trunk.load_state_dict(state)
        self.trunk.fc = nn.Identity()
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, 512] of images [B, 1 or 3, H, W] in [0, 1], normalised as the published weights expect."""
        images = (images.expand(-1, 3, -1, -1) - self.mean) / self.std
        features: Tensor = self.trunk(images)
        return features


def resnet18(input_shape: tuple[int, int, int], *, weights: str) -> nn.Module:
    """`ResNet18` with no weights, the published ImageNet weights, or those of a file.

    Raises:
        ConfigError: if the images have neither one nor three channels, or the file does not hold such weights.
        DataMissingError: if the ImageNet weights are neither here nor within reach.
    """
    if input_shape[0] not in (1, 3):
        raise ConfigError(f"resnet18 takes images of 1 or 3 channels, got {input_shape[0]}")
    if weights == "none":
        return ResNet18(None)
    path = locate(IMAGENET) if weights == "imagenet" else Path(weights).expanduser()
    if not path.is_file():
        raise ConfigError(f"resnet18: weights must be none, imagenet or a file, got {weights!r}")
    try:
        return ResNet18(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch.load raises almost anything for a foreign file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        checksum = hashlib.sha256(path.read_bytes()).hexdigest()[:16]
        raise ConfigError(f"resnet18: {path.name} (SHA-256 {checksum}…) holds no ResNet-18 weights: {reason}") from error
