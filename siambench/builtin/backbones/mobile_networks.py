"""Networks of torchvision for small devices, by the names that they have there; light to import.

Each takes images of 1 or 3 channels, grey ones repeated over three, and the option ``weights``: ``none``; ``imagenet``, the first of those
that torchvision publishes; the name of its enumeration, such as ``IMAGENET1K_V2``; or a file with a state dict. What they are made by
stands in `siambench.builtin.backbones.trunks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.builtin.backbones.image_networks import LICENCE
from siambench.plugin import BackboneEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

Shape = tuple[int, int, int]


def efficientnet_b0(input_shape: Shape, weights: str) -> nn.Module:
    """EfficientNet-B0: 1,280 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("efficientnet_b0", input_shape, weights=weights, smallest=1, published={"V1": "efficientnet_b0_rwightman-7f5810bc"})


def efficientnet_b1(input_shape: Shape, weights: str) -> nn.Module:
    """EfficientNet-B1: 1,280 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "efficientnet_b1_rwightman-bac287d4", "V2": "efficientnet_b1-c27df63c"}
    return network("efficientnet_b1", input_shape, weights=weights, smallest=1, published=published)


def efficientnet_b2(input_shape: Shape, weights: str) -> nn.Module:
    """EfficientNet-B2: 1,408 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("efficientnet_b2", input_shape, weights=weights, smallest=1, published={"V1": "efficientnet_b2_rwightman-c35c1473"})


def efficientnet_v2_s(input_shape: Shape, weights: str) -> nn.Module:
    """EfficientNetV2-S: 1,280 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("efficientnet_v2_s", input_shape, weights=weights, smallest=1, published={"V1": "efficientnet_v2_s-dd5fe13b"})


def mobilenet_v2(input_shape: Shape, weights: str) -> nn.Module:
    """MobileNetV2: 1,280 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "mobilenet_v2-b0353104", "V2": "mobilenet_v2-7ebf99e0"}
    return network("mobilenet_v2", input_shape, weights=weights, smallest=1, published=published)


def mobilenet_v3_small(input_shape: Shape, weights: str) -> nn.Module:
    """MobileNetV3, small: 576 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("mobilenet_v3_small", input_shape, weights=weights, smallest=1, published={"V1": "mobilenet_v3_small-047dcff4"})


def mobilenet_v3_large(input_shape: Shape, weights: str) -> nn.Module:
    """MobileNetV3, large: 960 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "mobilenet_v3_large-8738ca79", "V2": "mobilenet_v3_large-5c1a4163"}
    return network("mobilenet_v3_large", input_shape, weights=weights, smallest=1, published=published)


def regnet_x_400mf(input_shape: Shape, weights: str) -> nn.Module:
    """RegNetX of 400 million operations: 400 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "regnet_x_400mf-adf1edd5", "V2": "regnet_x_400mf-62229a5f"}
    return network("regnet_x_400mf", input_shape, weights=weights, smallest=1, published=published)


def regnet_y_400mf(input_shape: Shape, weights: str) -> nn.Module:
    """RegNetY of 400 million operations: 440 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "regnet_y_400mf-c65dace8", "V2": "regnet_y_400mf-e6988f5f"}
    return network("regnet_y_400mf", input_shape, weights=weights, smallest=1, published=published)


def regnet_y_1_6gf(input_shape: Shape, weights: str) -> nn.Module:
    """RegNetY of 1.6 billion operations: 888 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "regnet_y_1_6gf-b11a554e", "V2": "regnet_y_1_6gf-0d7bc02a"}
    return network("regnet_y_1_6gf", input_shape, weights=weights, smallest=1, published=published)


def shufflenet_v2_x1_0(input_shape: Shape, weights: str) -> nn.Module:
    """ShuffleNet V2, whole width: 1,024 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("shufflenet_v2_x1_0", input_shape, weights=weights, smallest=1, published={"V1": "shufflenetv2_x1-5666bf0f80"})


def squeezenet1_1(input_shape: Shape, weights: str) -> nn.Module:
    """SqueezeNet 1.1: 512 features of images of at least 17 × 17 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("squeezenet1_1", input_shape, weights=weights, smallest=17, published={"V1": "squeezenet1_1-b8a52dc0"})


_OF_PAPERS: tuple[tuple[str, tuple[Callable[..., nn.Module], ...]], ...] = (
    (
        "Tan, Le, EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019",
        (efficientnet_b0, efficientnet_b1, efficientnet_b2),
    ),
    ("Tan, Le, EfficientNetV2: Smaller Models and Faster Training, ICML 2021", (efficientnet_v2_s,)),
    ("Sandler, Howard, Zhu, Zhmoginov, Chen, MobileNetV2: Inverted Residuals and Linear Bottlenecks, CVPR 2018", (mobilenet_v2,)),
    ("Howard et al., Searching for MobileNetV3, ICCV 2019", (mobilenet_v3_small, mobilenet_v3_large)),
    (
        "Radosavovic, Kosaraju, Girshick, He, Dollár, Designing Network Design Spaces, CVPR 2020",
        (regnet_x_400mf, regnet_y_400mf, regnet_y_1_6gf),
    ),
    ("Ma, Zhang, Zheng, Sun, ShuffleNet V2: Practical Guidelines for Efficient CNN Architecture Design, ECCV 2018", (shufflenet_v2_x1_0,)),
    ("Iandola et al., SqueezeNet: AlexNet-level Accuracy with 50x Fewer Parameters, arXiv 1602.07360", (squeezenet1_1,)),
)

ENTRIES = {
    factory.__name__: BackboneEntry(factory, defaults={"weights": "none"}, scratch={"weights": "none"}, source=source, licence=LICENCE)
    for source, factories in _OF_PAPERS
    for factory in factories
}
"""The entry of each."""
