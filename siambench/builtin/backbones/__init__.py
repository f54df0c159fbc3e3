"""The backbones: from items to features; the harness adds the linear embedding head."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.builtin.backbones import image_networks, mobile_networks
from siambench.plugin import BackboneEntry, hookimpl

if TYPE_CHECKING:
    from torch import nn


def mlp(input_shape: tuple[int, ...], width: int, layers: int, dropout: float) -> nn.Module:
    """Fully connected layers on the flattened item."""
    from siambench.builtin.backbones.networks import mlp as build

    return build(input_shape, width=width, layers=layers, dropout=dropout)


def conv4(input_shape: tuple[int, int, int], width: int, blocks: int, growth: int, dropout: float) -> nn.Module:
    """Blocks of 3 × 3 convolution, BatchNorm, 2 × 2 max-pooling and ReLU."""
    from siambench.builtin.backbones.networks import conv4 as build

    return build(input_shape, width=width, blocks=blocks, growth=growth, dropout=dropout)


def koch2015(input_shape: tuple[int, int, int], dropout: float) -> nn.Module:
    """The twin network for Omniglot, its kernels scaled to the input."""
    from siambench.builtin.backbones.networks import koch2015 as build

    return build(input_shape, dropout=dropout)


def resnet18(input_shape: tuple[int, int, int], weights: str) -> nn.Module:
    """Torchvision's ResNet-18 without its classifier; ``weights`` = none, imagenet or a file."""
    from siambench.builtin.backbones.residual import resnet18 as build

    return build(input_shape, weights=weights)


def bn_inception(input_shape: tuple[int, int, int], weights: str) -> nn.Module:
    """BN-Inception as trained in Caffe, the Reality Check's: 1,024 features of images with edges of 32 k - 1 to 32 k + 6 pixels."""
    from siambench.builtin.backbones.caffe_inception import bn_inception as build

    return build(input_shape, weights=weights)


def cnn1d(input_shape: tuple[int, ...], width: int, blocks: int, kernel: int, dropout: float) -> nn.Module:
    """Blocks of convolution over time, BatchNorm, ReLU and halving; then the mean over time."""
    from siambench.builtin.backbones.series import cnn1d as build

    return build(input_shape, width=width, blocks=blocks, kernel=kernel, dropout=dropout)


def gru(input_shape: tuple[int, ...], width: int, layers: int, dropout: float) -> nn.Module:
    """A recurrent network that reads a series in both directions."""
    from siambench.builtin.backbones.series import gru as build

    return build(input_shape, width=width, layers=layers, dropout=dropout)


def bag(vocabulary: int, width: int, dropout: float) -> nn.Module:
    """The mean of a learnt vector of each token."""
    from siambench.builtin.backbones.text import Bag

    return Bag(vocabulary, width=width, dropout=dropout)


def gated_bag(vocabulary: int, width: int, dropout: float) -> nn.Module:
    """The mean of a learnt vector of each token, weighted by a learnt gate of each token."""
    from siambench.builtin.backbones.gated import GatedBag

    return GatedBag(vocabulary, width=width, dropout=dropout)


def gru_text(vocabulary: int, size: int, width: int, dropout: float) -> nn.Module:
    """A recurrent network that reads the vectors of an item's tokens in both directions."""
    from siambench.builtin.backbones.text import GruText

    return GruText(vocabulary, size=size, width=width, dropout=dropout)


@hookimpl
def siambench_backbones() -> dict[str, BackboneEntry]:
    """Small networks for small images, those of torchvision, BN-Inception, and networks for series and texts."""
    return {
        **image_networks.ENTRIES,
        **mobile_networks.ENTRIES,
        "bn-inception": BackboneEntry(
            bn_inception,
            defaults={"weights": "none"},
            scratch={"weights": "none"},
            source="Ioffe, Szegedy, Batch Normalization: Accelerating Deep Network Training, ICML 2015",
        ),
        "mlp": BackboneEntry(
            mlp,
            defaults={"width": 512, "layers": 2, "dropout": 0.0},
            takes=("images", "arrays"),
            source="Rumelhart, Hinton, Williams, Learning representations by back-propagating errors, Nature 1986",
        ),
        "conv4": BackboneEntry(
            conv4,
            defaults={"width": 64, "blocks": 4, "growth": 1, "dropout": 0.0},
            source="Vinyals et al., Matching Networks for One Shot Learning, NIPS 2016",
        ),
        "koch2015": BackboneEntry(
            koch2015,
            defaults={"dropout": 0.0},
            source="Koch, Zemel, Salakhutdinov, Siamese Neural Networks for One-shot Image Recognition, ICML workshop 2015",
        ),
        "resnet18": BackboneEntry(
            resnet18,
            defaults={"weights": "none"},
            scratch={"weights": "none"},
            licence=image_networks.LICENCE,
            source="He, Zhang, Ren, Sun, Deep Residual Learning for Image Recognition, CVPR 2016",
        ),
        "cnn1d": BackboneEntry(
            cnn1d,
            defaults={"width": 32, "blocks": 3, "kernel": 7, "dropout": 0.0},
            takes=("arrays",),
            source="Wang, Yan, Oates, Time Series Classification from Scratch with Deep Neural Networks, IJCNN 2017",
        ),
        "gru": BackboneEntry(
            gru,
            defaults={"width": 64, "layers": 1, "dropout": 0.0},
            takes=("arrays",),
            source="Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014",
        ),
        "bag": BackboneEntry(
            bag,
            defaults={"width": 256, "dropout": 0.0},
            takes=("tokens",),
            source="Joulin, Grave, Bojanowski, Mikolov, Bag of Tricks for Efficient Text Classification, EACL 2017",
        ),
        "gated-bag": BackboneEntry(
            gated_bag,
            defaults={"width": 256, "dropout": 0.0},
            takes=("tokens",),
            source="Arora, Liang, Ma, A Simple but Tough-to-Beat Baseline for Sentence Embeddings, ICLR 2017",
        ),
        "gru-text": BackboneEntry(
            gru_text,
            defaults={"size": 64, "width": 64, "dropout": 0.0},
            takes=("tokens",),
            source="Cho et al., Learning Phrase Representations using RNN Encoder-Decoder, EMNLP 2014",
        ),
    }
