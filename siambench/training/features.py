"""What a trunk that stays as it is makes of items: computed once for each data set and weights, and trained on from then on."""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.metadata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn

from siambench.data.crops import CROP
from siambench.data.features import kept_features
from siambench.data.transforms import numbers_drawn
from siambench.evaluation.embedding import embed
from siambench.identity import digest
from siambench.machine import processor
from siambench.training.model import EmbeddingModel
from siambench.training.state import device

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset
    from siambench.spec import Form, TrainingSpec, Unit
    from siambench.tracks.parts import Items
    from siambench.tracks.split import Split

REVISION = 1
"""Raised by any change of how features are computed."""

_ROWS = 4096


def trains_on_features(unit: Unit, dataset: Dataset) -> bool:
    """Whether the features of each item are the same in every step of a unit.

    Args:
        unit: that trains, or does not.
        dataset: whose items.
    """
    # Of two encoders each would have features of its own: they go through their trunks in every step.
    return unit.training is not None and not dataset.sides and draws_nothing(unit.training, dataset.form, dataset.shape)


def draws_nothing(rules: TrainingSpec, form: Form, shape: Sequence[int]) -> bool:
    """Whether by the rules of training the trunk stays as it is, and nothing random is done to items.

    In bf16 features are not the same either: then training computes them otherwise than evaluation does.

    Args:
        rules: of a unit.
        form: of its items.
        shape: of an item.
    """
    if rules.recipe.trained_stages != 0 or rules.precision != "fp32" or rules.rotate_classes:
        return False
    # A table is that of an augmentation that is a component.
    further = any(isinstance(options, Mapping) for options in rules.augment.values())
    return not further and rules.augment.get(CROP) is None and (not rules.augment or numbers_drawn(form, rules.augment, shape) == 0)


class HeadModel(EmbeddingModel):
    """The head of a model, which it shares: from features to embeddings. What trains it trains that model.

    Args:
        model: whose trunk stays as it is.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        super().__init__(nn.Identity(), model.head.in_features, model.head.out_features)
        self.head = model.head


@dataclass(frozen=True)
class Features:
    """Gives features of the items of one data set, of the part that they belong to all at once.

    A tune unit is given those of trainval alone: of the test part nothing is computed before a final unit opens it.

    Args:
        unit: whose trunk.
        split: that the items are parts of.
    """

    unit: Unit
    split: Split

    def of(self, model: EmbeddingModel, items: Items) -> Items:
        """The same items as arrays of features, float32 [N, F].

        Args:
            model: whose trunk stays as it is; it is in evaluation mode afterwards.
            items: of trainval, or of the test part.

        Raises:
            LostError: if the items cannot be read.
            DataError: if the disk of the cache is full.
        """
        split = self.split
        part = split.trainval if bool(np.isin(items.indices, split.trainval).all()) else split.test
        whole = dataclasses.replace(items, indices=part)
        width = model.head.in_features
        found = kept_features(self._key(model, items.dataset, part), (len(part), width), lambda: _computed(model, whole))
        dataset = dataclasses.replace(
            items.dataset,
            form="arrays",
            vocabulary=None,
            shape=(width,),
            read=lambda indices: found[np.searchsorted(part, indices)],
            episodes={},
            whole=None,
        )
        return dataclasses.replace(items, dataset=dataset)

    def _key(self, model: EmbeddingModel, dataset: Dataset, part: NDArray[np.int64]) -> str:
        unit, content = self.unit, hashlib.sha256()
        assert unit.model is not None
        for index in part:
            content.update(self.split.content[index])
        document = {
            "revision": REVISION,
            "items": [content.hexdigest(), dataset.form, list(dataset.shape)],
            "backbone": [unit.model.backbone, unit.components["backbone"].digest, dict(unit.model.options)],
            "weights": _digest_of(model.trunk),
            "libraries": {**unit.libraries, "torchvision": torchvision_minor()},
            # Bit for bit a number is what one kind of processor makes of it.
            "computed": [*_machine(), str(model.memory_format)],
        }
        return digest(document)[:40]


def _computed(model: EmbeddingModel, items: Items) -> Iterator[NDArray[np.float32]]:
    trunk = _Trunk(model)
    for start in range(0, len(items), _ROWS):
        size = min(_ROWS, len(items) - start)

        def read(places: NDArray[np.int64], start: int = start) -> NDArray[np.float32]:
            return items.read(start + places)

        yield embed(trunk, read, size, form=items.dataset.form, device=device()).cpu().numpy()


class _Trunk(nn.Module):
    """A model's trunk, which takes images as the model does."""

    def __init__(self, model: EmbeddingModel) -> None:
        super().__init__()
        self.memory_format = model.memory_format
        self.trunk = model.trunk

    def forward(self, items: torch.Tensor) -> torch.Tensor:
        """Features [B, F]."""
        features: torch.Tensor = self.trunk(items)
        return features


def _digest_of(trunk: nn.Module) -> str:
    """SHA-256 of all numbers of a module: also of buffers that no state dict holds, such as those of a normalisation."""
    total = hashlib.sha256()
    for name, value in (*trunk.named_parameters(), *trunk.named_buffers()):
        total.update(f"{name} {value.dtype} {list(value.shape)}\n".encode())
        total.update(value.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def torchvision_minor() -> str:
    """Major and minor version of torchvision, of which many trunks are made; empty where it is not installed."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return ".".join(importlib.metadata.version("torchvision").split(".")[:2])
    return ""


def _machine() -> list[str]:
    target = device()
    if target.type == "cuda":
        return [torch.cuda.get_device_name(target)]
    return [processor(), torch.backends.cpu.get_cpu_capability()]
