"""The networks of torchvision as trunks: from images fp32 [B, 1 or 3, H, W] in [0, 1] to features [B, F].

What a trunk does with images is a part of it: grey ones are repeated over three channels, and all are normalised as the published
weights expect it, which networks with random weights get too. Its features are what the classifier is given: the mean of the last map, of
vision transformers the class token.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models import vgg

from siambench.builtin.backbones.weights import FOLDER, State, fit, path_of
from siambench.data.locate import Remote
from siambench.errors import ConfigError

URL = "https://download.pytorch.org/models/"
ENUM = "IMAGENET1K_"
"""Begins the names of torchvision's enumerations of weights."""

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_HALF = (0.5, 0.5, 0.5)
_PUBLISHED_EDGE = 224


class Trunk(nn.Module):
    """A network without its classifier, behind its own normalisation.

    Args:
        model: from images [B, 3, H, W] to features [B, F].
        stages: prefixes of the model's parameters, from input to output; none: its children.
        mean: of each channel.
        std: of each channel.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: nn.Module, stages: tuple[tuple[str, ...], ...], *, mean: tuple[float, ...], std: tuple[float, ...]) -> None:
        super().__init__()
        self.model = model
        if stages:
            self.stages = tuple(tuple(f"model.{prefix}" for prefix in stage) for stage in stages)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, F] of images [B, 1 or 3, H, W] in [0, 1]."""
        features: Tensor = self.model((images.expand(-1, 3, -1, -1) - self.mean) / self.std)
        return features


def network(
    name: str, input_shape: tuple[int, int, int], *, weights: str, smallest: int, published: Mapping[str, str], changed: str = ""
) -> Trunk:
    """A network of torchvision as a trunk.

    Args:
        name: torchvision's.
        input_shape: (C, H, W).
        weights: ``none``, ``imagenet`` (the first of those published), the name of torchvision's enumeration, or a file.
        smallest: edge in pixels below which it computes nothing.
        published: file of each enumeration, such as ``{"V1": "resnet50-0676ba61"}``; behind the last hyphen its SHA-256 begins.
        changed: of published weights the form that is brought to today's: ``"densenet"``; empty: none.

    Raises:
        ConfigError: if the images have neither one nor three channels or are too small, or the file does not hold such weights.
        DataMissingError: if published weights are neither here nor within reach.
    """
    channels, height, width = input_shape
    if channels not in (1, 3):
        raise ConfigError(f"{name} takes images of 1 or 3 channels, got {channels}")
    if min(height, width) < smallest:
        raise ConfigError(f"{name} takes images of at least {smallest} × {smallest} pixels, got {height} × {width}")
    remotes = {f"{ENUM}{key}": remote(file) for key, file in published.items()}
    path = path_of(name, weights, remotes)
    family = next(make for pattern, make in _FAMILIES if re.match(pattern, name))
    model, stages, dropped = family(name, height, width)
    mean, std = (_HALF, _HALF) if name in ("googlenet", "inception_v3") else (_MEAN, _STD)
    if path is not None:
        change = _CHANGES.get(changed, dict) if not name.startswith("vit_") else partial(_positions, model)
        fit(model, name, path, dropped=dropped, change=change)
    return Trunk(model, stages, mean=mean, std=std)


def remote(file: str) -> Remote:
    """A file of weights as torchvision publishes it, by its name without suffix."""
    return Remote(f"{file}.pth", f"{URL}{file}.pth", sha256_prefix=file.rpartition("-")[2], folder=FOLDER)


# Each gives the model without its classifier, its stages, and prefixes of the classifier's names in published files.
_Made = tuple[nn.Module, tuple[tuple[str, ...], ...], tuple[str, ...]]


def _fc(stages: tuple[tuple[str, ...], ...], name: str, _height: int, _width: int) -> _Made:
    model = getattr(models, name)(weights=None)
    model.fc = nn.Identity()
    return model, stages, ("fc.",)


_RESIDUAL = (("conv1", "bn1"), ("layer1",), ("layer2",), ("layer3",), ("layer4",))
_REGNET = (("stem",), *((f"trunk_output.block{number}",) for number in range(1, 5)))
_DENSE = (
    ("features.conv0", "features.norm0"),
    *((f"features.denseblock{number}", f"features.transition{number}") for number in range(1, 4)),
    ("features.denseblock4", "features.norm5"),
)
_CONVNEXT = (("features.0", "features.1"), *((f"features.{n}", f"features.{n + 1}") for n in (2, 4)), ("features.6", "features.7"))
_GOOGLENET = (
    ("conv1",),
    ("conv2", "conv3"),
    ("inception3a", "inception3b"),
    tuple(f"inception4{letter}" for letter in "abcde"),
    ("inception5a", "inception5b"),
)
_INCEPTION = (
    ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3"),
    ("Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    tuple(f"Mixed_5{letter}" for letter in "bcd"),
    tuple(f"Mixed_6{letter}" for letter in "abcde"),
    tuple(f"Mixed_7{letter}" for letter in "abc"),
)


def _densenet(name: str, _height: int, _width: int) -> _Made:
    model = getattr(models, name)(weights=None)
    model.classifier = nn.Identity()
    return model, _DENSE, ("classifier.",)


def _mobile(name: str, _height: int, _width: int) -> _Made:
    # EfficientNet, MobileNet: each block of `features` is a stage.
    model = getattr(models, name)(weights=None)
    model.classifier = nn.Identity()
    return model, (), ("classifier.",)


def _squeezenet(name: str, _height: int, _width: int) -> _Made:
    model = getattr(models, name)(weights=None)
    model.classifier = nn.AdaptiveAvgPool2d(1)
    return model, (), ("classifier.",)


def _convnext(name: str, _height: int, _width: int) -> _Made:
    model = getattr(models, name)(weights=None)
    # The norm in front of the classifier's matrix is the features'.
    model.classifier[2] = nn.Identity()
    return model, (*_CONVNEXT[:-1], (*_CONVNEXT[-1], "classifier.0")), ("classifier.2.",)


def _swin(name: str, _height: int, _width: int) -> _Made:
    model = getattr(models, name)(weights=None)
    model.head = nn.Identity()
    return model, (*_CONVNEXT[:-1], (*_CONVNEXT[-1], "norm")), ("head.",)


def _inception(stages: tuple[tuple[str, ...], ...], name: str, _height: int, _width: int) -> _Made:
    # torchvision brings images from ImageNet's statistics to 0.5 and 0.5 inside; the trunk does so at once.
    model = getattr(models, name)(weights=None, aux_logits=False, init_weights=True, transform_input=False)
    model.fc, model.dropout = nn.Identity(), nn.Identity()
    return model, stages, ("fc.", "aux", "AuxLogits.")


class _Convolutions(nn.Module):
    """The convolutions of AlexNet or VGG and the mean of their last map, in the place of three matrices with most of the weights."""

    def __init__(self, features: nn.Sequential) -> None:
        super().__init__()
        self.features = features

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, F] of images [B, 3, H, W]."""
        maps: Tensor = self.features(images)
        return maps.mean(dim=(2, 3))


def _convolutions(features: nn.Sequential) -> _Made:
    stages: list[list[str]] = [[]]
    for number, layer in enumerate(features):
        if isinstance(layer, nn.MaxPool2d):
            stages.append([])
        elif any(True for _ in layer.parameters()):
            stages[-1].append(f"features.{number}")
    return _Convolutions(features), tuple(tuple(stage) for stage in stages if stage), ("classifier.",)


def _vgg(name: str, _height: int, _width: int) -> _Made:
    letter = {"vgg11": "A", "vgg16": "D", "vgg19": "E"}[name.partition("_")[0]]
    features = vgg.make_layers(vgg.cfgs[letter], batch_norm=name.endswith("_bn"))
    for layer in features:
        if isinstance(layer, nn.Conv2d) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return _convolutions(features)


def _alexnet(_name: str, _height: int, _width: int) -> _Made:
    def block(given: int, width: int, kernel: int, *, padding: int, stride: int = 1) -> list[nn.Module]:
        return [nn.Conv2d(given, width, kernel, stride, padding), nn.ReLU(inplace=True)]

    def halved() -> nn.Module:
        return nn.MaxPool2d(3, stride=2)

    first, second = block(3, 64, 11, stride=4, padding=2), block(64, 192, 5, padding=2)
    third = [*block(192, 384, 3, padding=1), *block(384, 256, 3, padding=1), *block(256, 256, 3, padding=1)]
    return _convolutions(nn.Sequential(*first, halved(), *second, halved(), *third, halved()))


def _vit(name: str, height: int, width: int) -> _Made:
    patch = int(name.rpartition("_")[2])
    if height != width or height % patch:
        raise ConfigError(f"{name} takes square images whose edge is a multiple of {patch}, got {height} × {width}")
    model = getattr(models, name)(weights=None, image_size=height)
    model.heads = nn.Identity()
    layers = [f"encoder.layers.encoder_layer_{number}" for number in range(len(model.encoder.layers))]
    stages = (("class_token", "conv_proj", "encoder.pos_embedding"), *((layer,) for layer in layers[:-1]), (layers[-1], "encoder.ln"))
    return model, stages, ("heads.",)


_Family = Callable[[str, int, int], _Made]
_FAMILIES: tuple[tuple[str, _Family], ...] = (
    (r"(wide_)?resne", partial(_fc, _RESIDUAL)),
    (r"regnet_", partial(_fc, _REGNET)),
    (r"shufflenet_", partial(_fc, ())),
    (r"densenet", _densenet),
    (r"efficientnet_|mobilenet_", _mobile),
    (r"squeezenet", _squeezenet),
    (r"convnext_", _convnext),
    (r"swin_", _swin),
    (r"googlenet", partial(_inception, _GOOGLENET)),
    (r"inception_v3", partial(_inception, _INCEPTION)),
    (r"vgg", _vgg),
    (r"alexnet", _alexnet),
    (r"vit_", _vit),
)


def _positions(model: Any, state: State) -> State:
    """Encodings of the positions of other patches than the network's, interpolated."""
    from torchvision.models.vision_transformer import interpolate_embeddings

    key = "encoder.pos_embedding"
    if key not in state or state[key].shape == model.state_dict()[key].shape:
        return state
    changed: State = interpolate_embeddings(model.image_size, model.patch_size, dict(state))
    return changed


def _dense_names(state: State) -> State:
    """Names in which a layer of a block was called ``norm.1``, which no module can be called any more."""
    return {re.sub(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.", r"\1\2.", key): value for key, value in state.items()}


_CHANGES: Mapping[str, Callable[[State], State]] = {"densenet": _dense_names}
