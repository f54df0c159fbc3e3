"""Networks of convolutions and transformers of torchvision, by the names that they have there; light to import.

Each takes images of 1 or 3 channels, grey ones repeated over three, and the option ``weights``: ``none``; ``imagenet``, the first of those
that torchvision publishes; the name of its enumeration, such as ``IMAGENET1K_V2``; or a file with a state dict. What they are made by
stands in `siambench.builtin.backbones.trunks`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import BackboneEntry

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import nn

Shape = tuple[int, int, int]


def alexnet(input_shape: Shape, weights: str) -> nn.Module:
    """AlexNet, its convolutions: 256 features of images of at least 63 × 63 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("alexnet", input_shape, weights=weights, smallest=63, published={"V1": "alexnet-owt-7be5be79"})


def convnext_tiny(input_shape: Shape, weights: str) -> nn.Module:
    """ConvNeXt-T: 768 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("convnext_tiny", input_shape, weights=weights, smallest=32, published={"V1": "convnext_tiny-983f1562"})


def convnext_small(input_shape: Shape, weights: str) -> nn.Module:
    """ConvNeXt-S: 768 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("convnext_small", input_shape, weights=weights, smallest=32, published={"V1": "convnext_small-0c510722"})


def densenet121(input_shape: Shape, weights: str) -> nn.Module:
    """DenseNet-121: 1,024 features of images of at least 29 × 29 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("densenet121", input_shape, weights=weights, smallest=29, published={"V1": "densenet121-a639ec97"}, changed="densenet")


def densenet169(input_shape: Shape, weights: str) -> nn.Module:
    """DenseNet-169: 1,664 features of images of at least 29 × 29 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("densenet169", input_shape, weights=weights, smallest=29, published={"V1": "densenet169-b2777c0a"}, changed="densenet")


def densenet201(input_shape: Shape, weights: str) -> nn.Module:
    """DenseNet-201: 1,920 features of images of at least 29 × 29 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("densenet201", input_shape, weights=weights, smallest=29, published={"V1": "densenet201-c1103571"}, changed="densenet")


def googlenet(input_shape: Shape, weights: str) -> nn.Module:
    """GoogLeNet with BatchNorm: 1,024 features of images of at least 15 × 15 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("googlenet", input_shape, weights=weights, smallest=15, published={"V1": "googlenet-1378be20"})


def inception_v3(input_shape: Shape, weights: str) -> nn.Module:
    """Inception v3: 2,048 features of images of at least 75 × 75 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("inception_v3", input_shape, weights=weights, smallest=75, published={"V1": "inception_v3_google-0cc3c7bd"})


def resnet34(input_shape: Shape, weights: str) -> nn.Module:
    """ResNet-34: 512 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("resnet34", input_shape, weights=weights, smallest=1, published={"V1": "resnet34-b627a593"})


def resnet50(input_shape: Shape, weights: str) -> nn.Module:
    """ResNet-50: 2,048 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    return network("resnet50", input_shape, weights=weights, smallest=1, published={"V1": "resnet50-0676ba61", "V2": "resnet50-11ad3fa6"})


def resnet101(input_shape: Shape, weights: str) -> nn.Module:
    """ResNet-101: 2,048 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "resnet101-63fe2227", "V2": "resnet101-cd907fc2"}
    return network("resnet101", input_shape, weights=weights, smallest=1, published=published)


def resnet152(input_shape: Shape, weights: str) -> nn.Module:
    """ResNet-152: 2,048 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "resnet152-394f9c45", "V2": "resnet152-f82ba261"}
    return network("resnet152", input_shape, weights=weights, smallest=1, published=published)


def resnext50_32x4d(input_shape: Shape, weights: str) -> nn.Module:
    """ResNeXt-50, 32 groups of 4: 2,048 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "resnext50_32x4d-7cdf4587", "V2": "resnext50_32x4d-1a0047aa"}
    return network("resnext50_32x4d", input_shape, weights=weights, smallest=1, published=published)


def swin_t(input_shape: Shape, weights: str) -> nn.Module:
    """Swin Transformer, tiny: 768 features of images of at least 4 × 4 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("swin_t", input_shape, weights=weights, smallest=4, published={"V1": "swin_t-704ceda3"})


def swin_s(input_shape: Shape, weights: str) -> nn.Module:
    """Swin Transformer, small: 768 features of images of at least 4 × 4 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("swin_s", input_shape, weights=weights, smallest=4, published={"V1": "swin_s-5e29d889"})


def vgg11_bn(input_shape: Shape, weights: str) -> nn.Module:
    """VGG-11 with BatchNorm, its convolutions: 512 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("vgg11_bn", input_shape, weights=weights, smallest=32, published={"V1": "vgg11_bn-6002323d"})


def vgg16(input_shape: Shape, weights: str) -> nn.Module:
    """VGG-16, its convolutions: 512 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("vgg16", input_shape, weights=weights, smallest=32, published={"V1": "vgg16-397923af"})


def vgg16_bn(input_shape: Shape, weights: str) -> nn.Module:
    """VGG-16 with BatchNorm, its convolutions: 512 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("vgg16_bn", input_shape, weights=weights, smallest=32, published={"V1": "vgg16_bn-6c64b313"})


def vgg19(input_shape: Shape, weights: str) -> nn.Module:
    """VGG-19, its convolutions: 512 features of images of at least 32 × 32 pixels."""
    from siambench.builtin.backbones.trunks import network

    return network("vgg19", input_shape, weights=weights, smallest=32, published={"V1": "vgg19-dcbb9e9d"})


def vit_b_16(input_shape: Shape, weights: str) -> nn.Module:
    """Vision Transformer, base, patches of 16: 768 features of square images whose edge is a multiple of 16."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "vit_b_16-c867db91", "SWAG_LINEAR_V1": "vit_b_16_lc_swag-4e70ced5"}
    return network("vit_b_16", input_shape, weights=weights, smallest=16, published=published)


def vit_b_32(input_shape: Shape, weights: str) -> nn.Module:
    """Vision Transformer, base, patches of 32: 768 features of square images whose edge is a multiple of 32."""
    from siambench.builtin.backbones.trunks import network

    return network("vit_b_32", input_shape, weights=weights, smallest=32, published={"V1": "vit_b_32-d86f8d99"})


def wide_resnet50_2(input_shape: Shape, weights: str) -> nn.Module:
    """ResNet-50 of twice the inner width: 2,048 features of images of any size."""
    from siambench.builtin.backbones.trunks import network

    published = {"V1": "wide_resnet50_2-95faca4d", "V2": "wide_resnet50_2-9ba9bcbe"}
    return network("wide_resnet50_2", input_shape, weights=weights, smallest=1, published=published)


LICENCE = "torchvision's, BSD-3-Clause; terms of ImageNet, which published weights were trained on, may bind them"
"""Of published weights."""

_OF_PAPERS: tuple[tuple[str, tuple[Callable[..., nn.Module], ...]], ...] = (
    ("Krizhevsky, One weird trick for parallelizing convolutional neural networks, arXiv 1404.5997", (alexnet,)),
    ("Liu, Mao, Wu, Feichtenhofer, Darrell, Xie, A ConvNet for the 2020s, CVPR 2022", (convnext_tiny, convnext_small)),
    (
        "Huang, Liu, van der Maaten, Weinberger, Densely Connected Convolutional Networks, CVPR 2017",
        (densenet121, densenet169, densenet201),
    ),
    ("Szegedy et al., Going Deeper with Convolutions, CVPR 2015", (googlenet,)),
    ("Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, Rethinking the Inception Architecture for Computer Vision, CVPR 2016", (inception_v3,)),
    ("He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016", (resnet34, resnet50, resnet101, resnet152)),
    ("Xie, Girshick, Dollár, Tu, He, Aggregated Residual Transformations for Deep Neural Networks, CVPR 2017", (resnext50_32x4d,)),
    ("Liu et al., Swin Transformer: Hierarchical Vision Transformer using Shifted Windows, ICCV 2021", (swin_t, swin_s)),
    (
        "Simonyan, Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015",
        (vgg11_bn, vgg16, vgg16_bn, vgg19),
    ),
    ("Dosovitskiy et al., An Image is Worth 16x16 Words, ICLR 2021", (vit_b_16, vit_b_32)),
    ("Zagoruyko, Komodakis, Wide Residual Networks, BMVC 2016", (wide_resnet50_2,)),
)

ENTRIES = {
    factory.__name__: BackboneEntry(factory, defaults={"weights": "none"}, scratch={"weights": "none"}, source=source, licence=LICENCE)
    for source, factories in _OF_PAPERS
    for factory in factories
}
"""The entry of each."""
