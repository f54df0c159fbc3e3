"""Batches on the device, and their augmentation: each item gets a draw of its own, all are changed at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Generator, Tensor
from torch.nn import functional

from siambench.data.crops import CROP, DRAWN, crop_batch

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.spec import Form


def prepared(items: NDArray[Any], form: Form, device: torch.device) -> Tensor:
    """A batch as models take it: images fp32 [B, C, H, W] in [0, 1], arrays fp32 [B, …] as they are, tokens int64 [B, T].

    Args:
        items: as a data set reads them.
        form: what they are.
        device: where they are wanted.
    """
    batch = torch.from_numpy(np.ascontiguousarray(items)).to(device)
    return to_float(batch) if form == "images" else batch


@dataclass(frozen=True)
class Draws:
    """What was drawn for the items of several batches at once, on the device of the items.

    Args:
        changes: by their names, tensors [S, B, …]: S batches of B items; empty where the rules change nothing.
    """

    changes: Mapping[str, Tensor]

    def of(self, batch: int) -> Mapping[str, Tensor]:
        """Those of one batch, [B, …] each."""
        return {name: drawn[batch] for name, drawn in self.changes.items()}


def drawn(form: Form, rules: Mapping[str, Any], shape: Sequence[int], *, generator: Generator, device: torch.device) -> Draws:
    """Draw random changes of batches of items, each independently, by the rules for their form.

    Args:
        form: what they are.
        rules: as a track's ``[augment]``; what is missing, or an empty mapping, changes nothing, and nothing is drawn for it.
        shape: of the batches together: S, B, and the shape of an item.
        generator: a CPU generator, the source of all randomness.
        device: where the draws are wanted.
    """
    draw = {"images": _drawn_for_images, "arrays": _drawn_for_arrays, "tokens": _drawn_for_tokens}[form]
    return Draws({name: found.to(device, non_blocking=True) for name, found in draw(rules, tuple(shape), generator).items()})


def numbers_drawn(form: Form, rules: Mapping[str, Any], item: Sequence[int]) -> int:
    """How many numbers `drawn` keeps for one item of that shape: what its memory follows."""
    one = drawn(form, rules, (1, 1, *item), generator=Generator(), device=torch.device("cpu"))
    return sum(found.numel() for found in one.changes.values())


def changed(items: Tensor, form: Form, rules: Mapping[str, Any], draws: Mapping[str, Tensor]) -> Tensor:
    """The items of one batch, each changed as was drawn for it.

    Args:
        items: from `prepared`.
        form: what they are.
        rules: that were drawn for.
        draws: of the batch, from `Draws.of`; the items themselves come back where there are none.
    """
    if not draws:
        return items
    if form == "images":
        return _changed_images(items, draws, rules)
    return _changed_arrays(items, draws) if form == "arrays" else _changed_tokens(items, draws, rules)


def augmented(items: Tensor, form: Form, rules: Mapping[str, Any], *, generator: Generator) -> Tensor:
    """A random change of each item of one batch: `drawn`, then `changed`.

    Args:
        items: from `prepared`.
        form: what they are.
        rules: as for `drawn`.
        generator: a CPU generator, the source of all randomness.
    """
    draws = drawn(form, rules, (1, *items.shape), generator=generator, device=items.device)
    return changed(items, form, rules, draws.of(0))


def to_float(images: Tensor) -> Tensor:
    """uint8 [B, C, H, W] in 0 … 255 to fp32 in [0, 1]."""
    return images.to(torch.float32).div_(255)


def augment(images: Tensor, rules: Mapping[str, Any], *, generator: Generator) -> Tensor:
    """A random affine map of each image, drawn independently.

    Args:
        images: fp32 [B, C, H, W].
        rules: ``rotate`` (degrees, ±), ``scale`` ([low, high]), ``translate`` (share of the edge, ±), ``shear``
            (degrees, ±), ``flip`` (bool, left-right with probability ½), ``padding`` (zeros, border or reflection);
            ``crop`` ([low, high], share of the area) and ``crop_ratio`` ([low, high], width by height) of a part that is taken first
            and brought to the size of the whole; an empty mapping leaves the images as they are.
        generator: a CPU generator, the source of all randomness.

    Returns:
        fp32 [B, C, H, W] on the device of ``images``.
    """
    return augmented(images, "images", rules, generator=generator)


def _drawn_for_images(rules: Mapping[str, Any], shape: tuple[int, ...], generator: Generator) -> dict[str, Tensor]:
    """What `siambench.data.crops` is to cut out, and the affine maps; where there are crops mirrors are exact, whole pixels apart."""
    found = {}
    if rules.get(CROP) is not None:
        found[CROP] = torch.rand((*shape[:2], *DRAWN), generator=generator, dtype=torch.float32)
        if rules.get("flip"):
            found["mirror"] = torch.rand(shape[:2], generator=generator, dtype=torch.float32) < 0.5
        rules = {**rules, "flip": False}
    return found | _drawn_maps(rules, shape, generator)


def _drawn_maps(rules: Mapping[str, Any], shape: tuple[int, ...], generator: Generator) -> dict[str, Tensor]:
    """The affine maps, fp32 [S, B, 2, 3], from places in the result to places in the image, both in [-1, 1]."""
    if not any(rules.get(key) for key in ("rotate", "translate", "shear", "flip")) and tuple(rules.get("scale", (1, 1))) == (1, 1):
        return {}
    draws = torch.rand((*shape[:2], 6), generator=generator, dtype=torch.float32)
    signed = draws * 2 - 1
    rotate = signed[..., 0] * math.radians(rules.get("rotate", 0.0))
    shear = torch.tan(signed[..., 1] * math.radians(rules.get("shear", 0.0)))
    low, high = rules.get("scale", (1.0, 1.0))
    scale = low + draws[..., 2] * (high - low)
    mirror = torch.where(draws[..., 3] < 0.5, -1.0, 1.0) if rules.get("flip") else torch.ones(shape[:2])
    # Places run over [-1, 1]: a share of the edge is twice that.
    move = signed[..., 4:] * 2 * rules.get("translate", 0.0)
    cosine, sine = torch.cos(rotate) / scale, torch.sin(rotate) / scale
    # A turn is one in pixels: in shares of the edges, a wide image would be sheared by it.
    height, wide = shape[-2:]
    theta = torch.stack(
        [
            torch.stack([mirror * cosine, (shear * cosine - sine) * (height / wide), move[..., 0]], dim=-1),
            torch.stack([mirror * sine * (wide / height), shear * sine + cosine, move[..., 1]], dim=-1),
        ],
        dim=-2,
    )
    return {"theta": theta}


def _changed_images(images: Tensor, draws: Mapping[str, Tensor], rules: Mapping[str, Any]) -> Tensor:
    if CROP in draws:
        images = crop_batch(images, draws[CROP], rules)
    if "mirror" in draws:
        images = torch.where(draws["mirror"].view(-1, 1, 1, 1), images.flip(-1), images)
    return _moved(images, draws["theta"], rules.get("padding", "zeros")) if "theta" in draws else images


def _moved(images: Tensor, theta: Tensor, padding: str) -> Tensor:
    height, wide = images.shape[2:]
    # One product gives the place that each pixel comes from: `affine_grid` takes thirty times as long over small images on a CPU.
    places = theta.reshape(-1, 3) @ _pixels(height, wide, images.device)
    grid = places.view(len(images), 2, height, wide).permute(0, 2, 3, 1)
    return functional.grid_sample(images, grid, mode="bilinear", padding_mode=padding, align_corners=False)


@lru_cache(maxsize=8)
def _pixels(height: int, wide: int, device: torch.device) -> Tensor:
    """The centres of an image's pixels in [-1, 1], with a row of ones below: fp32 [3, H · W]."""
    across, down = ((torch.arange(edge, dtype=torch.float32) * 2 + 1) / edge - 1 for edge in (wide, height))
    return torch.stack([across.repeat(height), down.repeat_interleave(wide), torch.ones(height * wide)]).to(device)


def augment_arrays(arrays: Tensor, rules: Mapping[str, Any], *, generator: Generator) -> Tensor:
    """Noise, another amplitude, and another pace along the last axis.

    Args:
        arrays: fp32 [B, …].
        rules: ``jitter`` (standard deviation of Gaussian noise, in the units of the arrays), ``scaling`` ([low, high] of a factor per
            item), ``time_warp`` (share in [0, 1) by which an item's pace along its last axis changes, ±, fastest in the middle or at
            the ends; the ends stay where they are).
        generator: a CPU generator, the source of all randomness.

    Returns:
        fp32 [B, …] on the device of ``arrays``.

    Source:
        Um et al., Data Augmentation of Wearable Sensor Data for Parkinson's Disease Monitoring, ICMI 2017.
    """
    return augmented(arrays, "arrays", rules, generator=generator)


def _drawn_for_arrays(rules: Mapping[str, Any], shape: tuple[int, ...], generator: Generator) -> dict[str, Tensor]:
    warp, (low, high), jitter = rules.get("time_warp", 0.0), rules.get("scaling", (1.0, 1.0)), rules.get("jitter", 0.0)
    found = {}
    if warp:
        found["share"] = (torch.rand(shape[:2], generator=generator) * 2 - 1) * warp
    if (low, high) != (1.0, 1.0):
        found["factor"] = low + torch.rand(shape[:2], generator=generator) * (high - low)
    if jitter:
        found["noise"] = jitter * torch.randn(shape, generator=generator)
    return found


def _changed_arrays(arrays: Tensor, draws: Mapping[str, Tensor]) -> Tensor:
    if "share" in draws:
        arrays = _warped(arrays, draws["share"])
    if "factor" in draws:
        arrays = arrays * draws["factor"].view(-1, *[1] * (arrays.ndim - 1))
    return arrays + draws["noise"] if "noise" in draws else arrays


def _warped(arrays: Tensor, share: Tensor) -> Tensor:
    """Each item read along its last axis at t + share · sin(2πt) / 2π, t in [0, 1]: monotone for shares below 1, its ends fixed."""
    length = arrays.shape[-1]
    if length < 2:
        return arrays
    time = torch.linspace(0, 1, length, device=arrays.device)
    at = (time + share[:, None] * torch.sin(2 * math.pi * time) / (2 * math.pi)).clamp(0, 1) * (length - 1)
    left = at.floor().clamp(max=length - 2)
    weight = at - left
    shape = (len(arrays), *[1] * (arrays.ndim - 2), length)
    place, weight = left.long().view(shape).expand(arrays.shape), weight.view(shape)
    return torch.lerp(arrays.gather(-1, place), arrays.gather(-1, place + 1), weight)


def augment_tokens(tokens: Tensor, rules: Mapping[str, Any], *, generator: Generator) -> Tensor:
    """Tokens left out, and neighbours that change places.

    Args:
        tokens: int64 [B, T], padded with 0 at the end.
        rules: ``drop`` (share of the tokens that are left out, in [0, 1); those behind move up, one token always stays) and ``swap``
            (share of the tokens that change places with the next, in [0, 1]).
        generator: a CPU generator, the source of all randomness.

    Returns:
        int64 [B, T] on the device of ``tokens``.

    Source:
        Wei, Zou, EDA: Easy Data Augmentation Techniques for Boosting Performance on Text Classification Tasks, EMNLP 2019.
    """
    return augmented(tokens, "tokens", rules, generator=generator)


def _drawn_for_tokens(rules: Mapping[str, Any], shape: tuple[int, ...], generator: Generator) -> dict[str, Tensor]:
    return {name: torch.rand(shape, generator=generator) for name in ("swap", "drop") if rules.get(name, 0.0)}


def _changed_tokens(tokens: Tensor, draws: Mapping[str, Tensor], rules: Mapping[str, Any]) -> Tensor:
    if "swap" in draws:
        tokens = _swapped(tokens, draws["swap"] < rules["swap"])
    if "drop" in draws:
        kept = (draws["drop"] >= rules["drop"]) & (tokens != 0)
        # Of an item that would be left empty, the token with the largest draw stays.
        largest = draws["drop"].masked_fill(tokens == 0, -1).argmax(dim=1, keepdim=True)
        kept |= torch.zeros_like(kept).scatter(1, largest, value=True)
        order = torch.argsort((~kept).to(torch.int8), dim=1, stable=True)
        tokens = (tokens * kept).gather(1, order)
    return tokens


def _swapped(tokens: Tensor, chosen: Tensor) -> Tensor:
    length = tokens.shape[1]
    if length < 2:
        return tokens
    # Pairs of neighbours that do not overlap, so that all change places at once; padding stays at the end.
    order = torch.arange(length, device=tokens.device).expand_as(tokens).clone()
    for start in (0, 1):
        left = torch.arange(start, length - 1, 2, device=tokens.device)
        moved = chosen[:, left] & (tokens.gather(1, order)[:, left + 1] != 0)
        first, second = order[:, left].clone(), order[:, left + 1].clone()
        order[:, left] = torch.where(moved, second, first)
        order[:, left + 1] = torch.where(moved, first, second)
    return tokens.gather(1, order)
