"""Features of series [C, T] that have no weight to train. Both give features [B, F] in fp32."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import Literal

import torch
from siambench.errors import ConfigError
from torch import Tensor, nn
from torch.nn import functional

HeadStart = Literal["identity", "drawn"]
SCALES = ("plain", "root", "log")
MOST_KERNELS = 100_000
_LENGTHS = (7, 9, 11)
_EPSILON = 1e-12


class Features(nn.Module):
    """What both have in common: series are checked when they are built, and the head over them starts as told.

    Args:
        input_shape: (C, T).
        name: for people.
        head: ``"identity"`` or ``"drawn"``.

    Raises:
        ConfigError: if the items are no series, or the head starts in no such way.
    """

    def __init__(self, input_shape: tuple[int, ...], *, name: str, head: str) -> None:
        super().__init__()
        if len(input_shape) != 2:
            raise ConfigError(f"{name} takes series of shape (C, T), got {tuple(input_shape)}")
        if head not in ("identity", "drawn"):
            raise ConfigError(f"head must be identity or drawn, got {str(head)[:60]!r}")
        self.head_start = head
        self.channels, self.length = input_shape


class Spectrum(Features):
    """Magnitudes of the lowest frequencies of each channel, without that of its mean, together of unit length.

    Args:
        input_shape: (C, T).
        bins: frequencies of a channel, at most T // 2.
        scale: ``"plain"``, ``"root"`` of magnitudes, or ``"log"`` of one more.
        head: how the embedding head starts.

    Raises:
        ConfigError: if an option does not hold.

    Source:
        Cooley, Tukey, An Algorithm for the Machine Calculation of Complex Fourier Series, Mathematics of Computation 1965.
    """

    def __init__(self, input_shape: tuple[int, ...], *, bins: int, scale: str, head: str) -> None:
        super().__init__(input_shape, name="spectrum", head=head)
        most = self.length // 2
        if isinstance(bins, bool) or not isinstance(bins, int) or bins < 1:
            raise ConfigError(f"bins must be a number of frequencies, at least 1, got {bins!r}")
        if scale not in SCALES:
            raise ConfigError(f"scale must be one of {', '.join(SCALES)}, got {str(scale)[:60]!r}")
        if most < 1:
            raise ConfigError(f"a series of {self.length} moments has no frequency")
        self.bins, self.scale = min(bins, most), scale

    def forward(self, series: Tensor) -> Tensor:
        """Features [B, C · bins] of series fp32 [B, C, T]."""
        found = torch.fft.rfft(series, dim=-1)[..., 1 : self.bins + 1].abs()
        if self.scale == "root":
            found = found.sqrt()
        if self.scale == "log":
            found = found.log1p()
        return functional.normalize(found.flatten(1), dim=1, eps=_EPSILON)


class RandomKernels(Features):
    """For each of many random kernels the share of a series on which it is positive, less one half.

    A kernel has a length of 7, 9 or 11, weights from the normal distribution less their mean, a bias from [-1, 1], a dilation that is
    exponentially distributed up to what fits the series, and is padded or not: as in ROCKET. It is drawn by a generator of its own, so
    that every model of a track has the same. Series ought to be standardised.

    Args:
        input_shape: (C, T).
        kernels: K, of 1 … 100,000.
        seed: of the kernels.
        head: how the embedding head starts.

    Raises:
        ConfigError: if an option does not hold.

    Source:
        Dempster, Petitjean, Webb, ROCKET, Data Mining and Knowledge Discovery 34, 2020; MiniROCKET, KDD 2021, keeps this feature alone.
    """

    def __init__(self, input_shape: tuple[int, ...], *, kernels: int, seed: int, head: str) -> None:
        super().__init__(input_shape, name="random-kernels", head=head)
        if isinstance(kernels, bool) or not isinstance(kernels, int) or not 1 <= kernels <= MOST_KERNELS:
            raise ConfigError(f"kernels must lie in 1 … {MOST_KERNELS:,}, got {kernels!r}")
        if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 1 << 63:
            raise ConfigError(f"seed must be a whole number of at least 0, got {seed!r}")
        fitting = [length for length in _LENGTHS if length <= self.length]
        if not fitting:
            raise ConfigError(f"random-kernels takes series of at least {_LENGTHS[0]} moments, got {self.length}")
        generator = torch.Generator().manual_seed(seed)
        drawn: dict[tuple[int, int, int], list[tuple[Tensor, Tensor]]] = defaultdict(list)
        for _ in range(kernels):
            length = fitting[int(torch.randint(len(fitting), (), generator=generator))]
            weights = torch.randn(self.channels, length, generator=generator)
            exponent = float(torch.rand((), generator=generator)) * math.log2((self.length - 1) / (length - 1))
            dilation = max(1, int(2**exponent))
            bias = 2 * torch.rand((), generator=generator) - 1
            padding = (length - 1) * dilation // 2 if bool(torch.rand((), generator=generator) < 0.5) else 0
            drawn[length, dilation, padding].append((weights - weights.mean(dim=1, keepdim=True), bias))
        # Kernels of one form are one convolution.
        self.forms = tuple(sorted(drawn))
        for place, form in enumerate(self.forms):
            self.register_buffer(f"weights_{place}", torch.stack([weights for weights, _ in drawn[form]]))
            self.register_buffer(f"biases_{place}", torch.stack([bias for _, bias in drawn[form]]))

    def forward(self, series: Tensor) -> Tensor:
        """Features [B, K], in [-0.5, 0.5], of series fp32 [B, C, T]."""
        found = []
        for place, (_, dilation, padding) in enumerate(self.forms):
            weights, biases = self.get_buffer(f"weights_{place}"), self.get_buffer(f"biases_{place}")
            response = functional.conv1d(series, weights, biases, padding=padding, dilation=dilation)
            found.append((response > 0).to(series.dtype).mean(dim=-1))
        return torch.cat(found, dim=1) - 0.5
