"""BN-Inception, the network of "A Metric Learning Reality Check": Inception with BatchNorm as it was trained in Caffe.

Names of weights are those of the package ``pretrainedmodels``, from which the published file comes. That file is for images in the order
blue, green, red, in 0 … 255, minus one mean for each channel; the trunk brings images in [0, 1] to that by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.backbones.weights import FOLDER, State, fit, path_of
from siambench.data.locate import Remote
from siambench.errors import ConfigError

NAME = "bn-inception"
PUBLISHED = Remote(
    "bn_inception-52deb4733.pth",
    "http://data.lip6.fr/cadene/pretrainedmodels/bn_inception-52deb4733.pth",
    sha256_prefix="52deb4733",
    folder=FOLDER,
)
FEATURES = 1024

_MEAN_BGR = (104.0, 117.0, 128.0)

# Of each block: the widths of its 1 × 1, its 3 × 3 behind a reduction, its two 3 × 3 behind one, and of the projection behind the pool;
# whether the pool takes the mean, and the stride. A block that halves the map has no 1 × 1, and passes the pool's maximum on as it is.
_BLOCKS: tuple[tuple[str, int, tuple[int, int], tuple[int, int], int, bool, int], ...] = (
    ("3a", 64, (64, 64), (64, 96), 32, True, 1),
    ("3b", 64, (64, 96), (64, 96), 64, True, 1),
    ("3c", 0, (128, 160), (64, 96), 0, False, 2),
    ("4a", 224, (64, 96), (96, 128), 128, True, 1),
    ("4b", 192, (96, 128), (96, 128), 128, True, 1),
    ("4c", 160, (128, 160), (128, 160), 128, True, 1),
    ("4d", 96, (128, 192), (160, 192), 128, True, 1),
    ("4e", 0, (128, 192), (192, 256), 0, False, 2),
    ("5a", 352, (192, 320), (160, 224), 128, True, 1),
    ("5b", 352, (192, 320), (192, 224), 128, False, 1),
)


class BnInception(nn.Module):
    """The network up to its 1,024 pooled features, behind its own normalisation; grey images are repeated over three channels."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self._layer("conv1_7x7_s2", 3, 64, 7, 2)
        self._layer("conv2_3x3_reduce", 64, 64, 1)
        self._layer("conv2_3x3", 64, 192, 3)
        width = 192
        for block, single, reduced, double, projected, _, stride in _BLOCKS:
            name = f"inception_{block}"
            if single:
                self._layer(f"{name}_1x1", width, single, 1)
            self._layer(f"{name}_3x3_reduce", width, reduced[0], 1)
            self._layer(f"{name}_3x3", reduced[0], reduced[1], 3, stride)
            self._layer(f"{name}_double_3x3_reduce", width, double[0], 1)
            self._layer(f"{name}_double_3x3_1", double[0], double[1], 3)
            self._layer(f"{name}_double_3x3_2", double[1], double[1], 3, stride)
            if projected:
                self._layer(f"{name}_pool_proj", width, projected, 1)
            width = single + reduced[1] + double[1] + (projected or width)
        self.stages = _stages(self)
        self.register_buffer("mean", torch.tensor(_MEAN_BGR).view(1, 3, 1, 1), persistent=False)

    def _layer(self, name: str, given: int, width: int, kernel: int, stride: int = 1) -> None:
        # A bias in front of BatchNorm is undone by it, and stands in the published file.
        self.add_module(name, nn.Conv2d(given, width, kernel, stride, padding=kernel // 2))
        self.add_module(f"{name}_bn", nn.BatchNorm2d(width))

    def _called(self, name: str, maps: Tensor) -> Tensor:
        found: Tensor = self.get_submodule(f"{name}_bn")(self.get_submodule(name)(maps))
        return found.relu_()

    def forward(self, images: Tensor) -> Tensor:
        """Features [B, 1024] of images [B, 1 or 3, H, W] in [0, 1]."""
        maps = 255 * images.expand(-1, 3, -1, -1).flip(1) - self.mean
        maps = functional.max_pool2d(self._called("conv1_7x7_s2", maps), 3, 2, ceil_mode=True)
        maps = self._called("conv2_3x3", self._called("conv2_3x3_reduce", maps))
        maps = functional.max_pool2d(maps, 3, 2, ceil_mode=True)
        for block, single, _, _, projected, averages, stride in _BLOCKS:
            name = f"inception_{block}"
            pooled = (
                functional.avg_pool2d(maps, 3, 1, padding=1, ceil_mode=True)
                if averages
                else functional.max_pool2d(maps, 3, stride, padding=1 if stride == 1 else 0, ceil_mode=True)
            )
            twice = self._called(f"{name}_double_3x3_1", self._called(f"{name}_double_3x3_reduce", maps))
            parts = [
                *([self._called(f"{name}_1x1", maps)] if single else []),
                self._called(f"{name}_3x3", self._called(f"{name}_3x3_reduce", maps)),
                self._called(f"{name}_double_3x3_2", twice),
                self._called(f"{name}_pool_proj", pooled) if projected else pooled,
            ]
            maps = torch.cat(parts, dim=1)
        return maps.mean(dim=(2, 3))


def _stages(network: nn.Module) -> tuple[tuple[str, ...], ...]:
    names = [name for name, _ in network.named_children()]
    starts = ("conv1_", "conv2_", "inception_3", "inception_4", "inception_5")
    return tuple(tuple(name for name in names if name.startswith(start)) for start in starts)


def bn_inception(input_shape: tuple[int, int, int], *, weights: str) -> nn.Module:
    """`BnInception` with no weights, the published ones of ImageNet, or those of a file.

    Raises:
        ConfigError: if the images have neither one nor three channels or an edge that is not halved evenly, or the file does not hold such
            weights.
        DataMissingError: if the published weights are neither here nor within reach.
    """
    channels, height, width = input_shape
    if channels not in (1, 3):
        raise ConfigError(f"{NAME} takes images of 1 or 3 channels, got {channels}")
    if not (_halves(height) and _halves(width)):
        raise ConfigError(
            f"{NAME} halves its maps twice by convolutions beside a pool, which agree on images with edges of 31 … 38, 63 … 70, "
            f"and so on to 223 … 230 pixels and beyond (32 k - 1 … 32 k + 6), got {height} × {width}"
        )
    path = path_of(NAME, weights, {"pretrainedmodels": PUBLISHED})
    network = BnInception()
    if path is not None:
        fit(network, NAME, path, dropped=("last_linear.",), change=_flat)
    return network


def _halves(edge: int) -> bool:
    """Whether the maps of the blocks 3c and 4e have an even edge: a convolution rounds up where a pool rounds down."""
    map_of_3c = -(-edge // 2) // 4
    return map_of_3c > 0 and map_of_3c % 4 == 0


def _flat(state: State) -> State:
    """The published file holds what BatchNorm has as [1, C]."""
    return {key: value[0] if "_bn." in key and value.ndim == 2 and len(value) == 1 else value for key, value in state.items()}
