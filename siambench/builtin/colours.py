"""Changes of colour and sharpness, each image of a batch for itself: the functions of torchvision, with draws that are the unit's own."""

from __future__ import annotations

import torch
from torch import Generator, Tensor
from torchvision.transforms.v2 import functional

from siambench.errors import ConfigError


class ColourJitter:
    """Another brightness, contrast, saturation and hue, in an order drawn for each image, as torchvision's ``ColorJitter``.

    Factors are uniform in [max(0, 1 - v), 1 + v], the shift of hue in [-hue, hue]; what is 0 is left as it is. Of grey images saturation
    and hue stay what they are.

    Args:
        brightness: v, at least 0.
        contrast: v, at least 0.
        saturation: v, at least 0.
        hue: in [0, 0.5], of a turn of the colour circle.
        share: of the images that are changed, in [0, 1].

    Raises:
        ConfigError: naming the option that is none of these.
    """

    def __init__(self, brightness: float, contrast: float, saturation: float, hue: float, share: float) -> None:
        spreads = {"brightness": brightness, "contrast": contrast, "saturation": saturation}
        for name, value in spreads.items():
            if not 0 <= value <= 100:
                raise ConfigError(f"augment.colour-jitter.{name} must lie in 0 … 100, got {value}")
        if not 0 <= hue <= 0.5:
            raise ConfigError(f"augment.colour-jitter.hue must lie in 0 … 0.5, got {hue}")
        self._share = _share("colour-jitter", share)
        self._ranges = [(max(0.0, 1 - value), 1 + value) for value in spreads.values()] + [(-hue, hue)]
        self._changed = [value > 0 for value in (*spreads.values(), hue)]

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """The images [B, C, H, W] in [0, 1], with other colours."""
        drawn = torch.rand((len(images), 5), generator=generator)
        orders = torch.rand((len(images), 4), generator=generator).argsort(dim=1).tolist()
        found = images.clone()
        for place, ((chosen, *shares), order) in enumerate(zip(drawn.tolist(), orders, strict=True)):
            if chosen < self._share:
                factors = [low + share * (high - low) for (low, high), share in zip(self._ranges, shares, strict=True)]
                found[place] = jittered(images[place], factors, [number for number in order if self._changed[number]])
        return found


_ADJUST = (functional.adjust_brightness, functional.adjust_contrast, functional.adjust_saturation, functional.adjust_hue)


def jittered(image: Tensor, factors: list[float], order: list[int]) -> Tensor:
    """An image [C, H, W] changed by some of the factors of brightness, contrast, saturation and the shift of hue, in that order."""
    for number in order:
        image = _ADJUST[number](image, factors[number])
    return image


class GaussianBlur:
    """Each image, or a share of them, blurred by a Gaussian of a width drawn for it, as torchvision's ``GaussianBlur``.

    Args:
        kernel: pixels on a side, odd.
        low: least standard deviation in pixels, above 0.
        high: largest, not below ``low``.
        share: of the images that are blurred, in [0, 1].

    Raises:
        ConfigError: naming the option that is none of these.
    """

    def __init__(self, kernel: int, low: float, high: float, share: float) -> None:
        if kernel < 1 or kernel % 2 == 0:
            raise ConfigError(f"augment.gaussian-blur.kernel must be an odd number of pixels, got {kernel}")
        if not 0 < low <= high <= 1000:
            raise ConfigError(f"augment.gaussian-blur: low and high must be 0 < low <= high <= 1000 pixels, got {low} and {high}")
        self._kernel, self._low, self._high, self._share = kernel, low, high, _share("gaussian-blur", share)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """The images [B, C, H, W], blurred."""
        if self._kernel // 2 >= min(images.shape[-2:]):
            edge = min(images.shape[-2:])
            raise ConfigError(f"augment.gaussian-blur.kernel = {self._kernel} is too large for an edge of {edge} pixels")
        drawn = torch.rand((len(images), 2), generator=generator).tolist()
        found = images.clone()
        for place, (chosen, share) in enumerate(drawn):
            if chosen < self._share:
                sigma = self._low + share * (self._high - self._low)
                # Weights that add up to one but for rounding may lift white above 1.
                found[place] = functional.gaussian_blur(images[place], [self._kernel, self._kernel], [sigma, sigma]).clamp_(0, 1)
        return found


class Greyscale:
    """A share of the images without colour, as torchvision's ``RandomGrayscale``; they keep their channels.

    Args:
        share: of the images, in [0, 1].

    Raises:
        ConfigError: if it is none.
    """

    def __init__(self, share: float) -> None:
        self._share = _share("greyscale", share)

    def __call__(self, images: Tensor, generator: Generator) -> Tensor:
        """The images [B, C, H, W], some of them grey."""
        chosen = torch.rand(len(images), generator=generator).to(images.device) < self._share
        if images.shape[1] != 3:
            return images.clone()
        return torch.where(chosen[:, None, None, None], functional.rgb_to_grayscale(images, num_output_channels=3), images)


def _share(name: str, share: float) -> float:
    if not 0 <= share <= 1:
        raise ConfigError(f"augment.{name}.share must lie in 0 … 1, got {share}")
    return share
