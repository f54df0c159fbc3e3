"""Items → embeddings: of a model, of several as one, and of the input itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from siambench.data.sides import parted
from siambench.data.supply import supply
from siambench.tracks.parts import Items

if TYPE_CHECKING:
    from siambench.interfaces import Side
    from siambench.spec import Form

_BATCH = 512
"""Items that are embedded at once, and texts whose tokens are counted at once. On a CPU 64 to 512 take the same time within 5 %."""


def embed(
    model: torch.nn.Module,
    read: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]],
    size: int,
    *,
    form: Form = "images",
    device: torch.device,
) -> Tensor:
    """Embeddings fp32 [size, D] of items 0 … size - 1, in fp32 whatever the training's precision."""
    model.eval()
    memory_format = getattr(model, "memory_format", torch.contiguous_format)
    places = torch.split(torch.arange(size), _BATCH)
    # Each item is read once: there is nothing to keep in the memory of a device, only to copy beside what is computed there.
    given = supply(read, size, form, device, way="streamed" if device.type == "cuda" else "direct")
    # Not `torch.inference_mode`: what a trunk keeps from its first call, such as encodings of positions, could not be trained with any
    # more; and it is no faster.
    with torch.no_grad():
        return torch.cat([model(items.contiguous(memory_format=memory_format)) for items in given.batches(places)])


class RawInput(torch.nn.Module):
    """The baseline ``raw`` of images and arrays: the item itself, flattened."""

    def forward(self, items: Tensor) -> Tensor:
        """[B, F] of [B, …]."""
        return items.flatten(1)


class TermWeights(torch.nn.Module):
    """The baseline ``raw`` of tokens: their counts, weighted by how rare they are, and of unit length.

    With n texts of which d hold a token, its weight is 1 + ln((1 + n) / (1 + d)). What no text holds has no column: of the items
    that are embedded later, such tokens are passed over.

    Args:
        tokens: that the weights are taken from, int64 [N, T], padded with 0.
        vocabulary: one more than the largest id.

    Source:
        Spärck Jones, A Statistical Interpretation of Term Specificity and its Application in Retrieval, Journal of Documentation 1972.
    """

    def __init__(self, tokens: Tensor, vocabulary: int) -> None:
        super().__init__()
        # Block by block: a table of all texts and all tokens would take gigabytes.
        holds = torch.stack([_counts(block, vocabulary).clamp_(max=1).sum(dim=0) for block in torch.split(tokens, _BATCH)]).sum(dim=0)
        known = holds.nonzero().flatten()
        self.vocabulary = vocabulary
        self.known: Tensor
        self.weights: Tensor
        self.register_buffer("known", known)
        self.register_buffer("weights", 1 + torch.log((1 + len(tokens)) / (1 + holds[known])))

    def forward(self, items: Tensor) -> Tensor:
        """[B, F] of int64 [B, T], F being how many tokens are known."""
        return functional.normalize(_counts(items, self.vocabulary)[:, self.known] * self.weights)


def _counts(tokens: Tensor, vocabulary: int) -> Tensor:
    """How often each token stands in each item, fp32 [B, vocabulary]; padding is not counted."""
    found = torch.zeros(len(tokens), vocabulary, device=tokens.device)
    found.scatter_add_(1, tokens, torch.ones_like(tokens, dtype=torch.float32))
    found[:, 0] = 0
    return found


def raw_model(training: Items) -> torch.nn.Module:
    """The baseline ``raw`` for items of this form; only what is fitted, such as the weights of tokens, is taken from training items.

    Of two sides it is there where both are of one form and shape: see `siambench.data.checked_sides.comparable`.
    """
    sides = training.dataset.sides
    if sides and sides[0].form == "tokens":
        read = torch.from_numpy(np.asarray(training.read(np.arange(len(training)))))
        return RawSides(TermWeights(torch.cat(parted(read, sides)), int(sides[0].vocabulary or 0)), sides)
    if training.dataset.form != "tokens":
        return RawInput()
    tokens = torch.from_numpy(np.asarray(training.read(np.arange(len(training)))))
    return TermWeights(tokens, int(training.dataset.vocabulary or 0))


class RawSides(torch.nn.Module):
    """The baseline ``raw`` of two sides that both are tokens: the weights are those of both sides' texts together.

    Args:
        weights: of tokens.
        sides: of the items.
    """

    def __init__(self, weights: TermWeights, sides: Sequence[Side]) -> None:
        super().__init__()
        self.weights, self._sides = weights, tuple(sides)

    def forward(self, items: Tensor) -> Tensor:
        """[B, 2 F] of fp32 [B, 2 T]: both sides beside each other."""
        return torch.cat([self.weights(part) for part in parted(items, self._sides)], dim=1)


class Concatenated(torch.nn.Module):
    """Several models as one: their embeddings, each at unit length, side by side, as the Reality Check concatenates its folds.

    Args:
        models: M of them, each from items to embeddings [B, D].
    """

    def __init__(self, models: Sequence[torch.nn.Module]) -> None:
        super().__init__()
        self.models = torch.nn.ModuleList(models)
        self.memory_format = getattr(models[0], "memory_format", torch.contiguous_format)

    def forward(self, items: Tensor) -> Tensor:
        """[B, M · D] of items; of two sides each, [B, 2 M · D]."""
        if getattr(self.models[0], "encoders", None) is not None:
            given = [model(items).chunk(2, dim=1) for model in self.models]
            return torch.cat([functional.normalize(sides[place]) for place in (0, 1) for sides in given], dim=1)
        return torch.cat([functional.normalize(model(items)) for model in self.models], dim=1)
