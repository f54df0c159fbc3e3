"""A model read from its file: a module in evaluation mode, with its preprocessing, its distance and its thresholds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from siambench.errors import DataError, UsageError
from siambench.metrics.checks import finite_float64, unit_length
from siambench.models.document import ByDataSet, ModelDocument
from siambench.models.file import read_model
from siambench.models.items import items_from
from siambench.models.network import backbone_of, built, check_probe, component_of, embedded

if TYPE_CHECKING:
    from siambench.components.component import Component

BATCH = 512
"""Items that are embedded at once."""

_DTYPES = {"images": torch.uint8, "arrays": torch.float32, "tokens": torch.int64}


class LoadedModel(nn.Module):
    """A model from its file: items in, embeddings out.

    Args:
        network: from items, as `preprocess` gives them, to embeddings fp32 [B, D], not normalised.
        document: what the file says of it; see `siambench.models.document.ModelDocument`.
    """

    def __init__(self, network: nn.Module, document: ModelDocument) -> None:
        super().__init__()
        self.network = network
        self.document = document
        self._loaders: dict[str, Component] = {}
        self.eval()

    def forward(self, items: Tensor) -> Tensor:
        """Embeddings fp32 [B, D], not normalised, of items as `preprocess` gives them: images fp32 [B, C, H, W] in [0, 1]."""
        memory_format = getattr(self.network, "memory_format", torch.contiguous_format)
        found: Tensor = self.network(items.contiguous(memory_format=memory_format) if items.ndim == 4 else items.contiguous())
        return found

    def preprocess(self, things: Any) -> Tensor:
        """Items as the model takes them: of images fp32 [B, C, H, W] in [0, 1], of texts int64 [B, T].

        Args:
            things: one or a sequence of: a path, an image of Pillow's, an array uint8 [H, W], [H, W, 3] or [H, W, 4]; of a model of texts,
                a text.

        Raises:
            DataMissingError: if there is no such file.
            DataError: naming what cannot be read.
        """
        given = self.document.given
        listed = list(things) if isinstance(things, list | tuple) else [things]
        if not listed:
            raise DataError("there is nothing to preprocess: an empty list")
        return self._taken(torch.from_numpy(items_from(listed, given, self._loader)))

    def _loader(self, rule: ByDataSet) -> Component:
        if rule.dataset not in self._loaders:
            found = component_of(self.document, "datasets", "dataset", rule.dataset)
            if found.entry.from_file is None:
                raise DataError(f"the data set {rule.dataset!r} of {found.provenance} does not say any more how a file becomes an item")
            self._loaders[rule.dataset] = found
        return self._loaders[rule.dataset]

    def embed(self, things: Any, *, batch_size: int = BATCH) -> Tensor:
        """Embeddings fp32 [N, D] on the CPU, not normalised: those that were scored.

        Args:
            things: as `preprocess` takes them; or items, an array or tensor [N, …] of the model's shape: images uint8, or floating in
                [0, 1]; arrays fp32; tokens int64.
            batch_size: items at once.

        Raises:
            DataError: if something cannot be read, or items are of another shape or type.
            UsageError: for a batch size below 1.
        """
        if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
            raise UsageError(f"batch_size must be a whole number of at least 1, got {batch_size!r}")
        target = next((one.device for one in self.network.parameters()), torch.device("cpu"))
        was_training = self.training
        try:
            parts = [embedded(self.network, batch.to(target)).cpu() for batch in self._batches(things, batch_size)]
        finally:
            self.train(was_training)
        return torch.cat(parts)

    def _batches(self, things: Any, size: int) -> Iterator[Tensor]:
        given = self.document.given
        is_items = (
            isinstance(things, np.ndarray | Tensor) and things.ndim == 1 + len(given.shape) and tuple(things.shape[1:]) == given.shape
        )
        if is_items:
            items = things if isinstance(things, Tensor) else torch.from_numpy(np.ascontiguousarray(things))
            if len(items) == 0:
                raise DataError("there is nothing to embed: no items")
            yield from (self._taken(part) for part in torch.split(items, size))
            return
        if isinstance(things, Tensor) or (isinstance(things, np.ndarray) and things.ndim > 3):
            raise DataError(f"items must be [N, {', '.join(map(str, given.shape))}], got {list(things.shape)}")
        listed = list(things) if isinstance(things, list | tuple) else [things]
        if not listed:
            raise DataError("there is nothing to embed: an empty list")
        for start in range(0, len(listed), size):
            yield self.preprocess(listed[start : start + size])

    def _taken(self, items: Tensor) -> Tensor:
        given = self.document.given
        wanted = _DTYPES[given.form]
        if given.form == "images" and items.is_floating_point():
            low, high = float(items.min()), float(items.max())
            if not (low >= 0 and high <= 1):
                raise DataError(f"images that are real numbers must lie in [0, 1], got {low:.4g} … {high:.4g}")
            return items.to(torch.float32)
        if items.dtype != wanted:
            own, got = str(wanted).removeprefix("torch."), str(items.dtype).removeprefix("torch.")
            raise DataError(f"items must be {own}, got {got}")
        if given.form == "images":
            return items.to(torch.float32).div_(255)
        if given.form == "tokens" and len(items) and not 0 <= int(items.min()) <= int(items.max()) < int(given.vocabulary or 0):
            raise DataError(f"tokens must lie in 0 … {int(given.vocabulary or 0) - 1}, got {int(items.min())} … {int(items.max())}")
        return items

    def distances(self, one: Any, other: Any) -> Tensor:
        """The distance of each embedding of one set to each of another, float64 [N, M]: what thresholds are in the units of.

        Under ``"cosine"`` 1 - cosine, in [0, 2]; under ``"euclidean"`` the length of the difference.

        Args:
            one: embeddings [N, D].
            other: embeddings [M, D].

        Raises:
            MetricError: if one is not finite.
        """
        return distances(torch.as_tensor(one), torch.as_tensor(other), self.document.distance)


def distances(one: Tensor, other: Tensor, distance: str) -> Tensor:
    """See `LoadedModel.distances`."""
    left, right = finite_float64(one), finite_float64(other)
    if distance == "cosine":
        return 1 - (unit_length(left) @ unit_length(right).T).clamp(-1, 1)
    # The one form that gives 0 for equal rows; the other subtracts large numbers.
    return torch.cdist(left, right, compute_mode="donot_use_mm_for_euclid_dist")


def load_model(path: str | Path, *, device: str | torch.device = "cpu") -> LoadedModel:
    """Read the file of a model that ``siambench model`` wrote, or ``run --keep-models``.

    Nothing in the file is executed. The network is built by the plugin that its backbone comes from, which must be installed.

    Args:
        path: of the file.
        device: where the model is wanted; ``"auto"``: on a GPU where there is one.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is damaged, no model of siambench's, or of a newer layout.
        PluginError: if a plugin is missing, or makes another network now than the one that was saved.
        UsageError: if there is no such device.
    """
    found = read_model(Path(path).expanduser())
    document = found.document
    component = backbone_of(document)
    network = built(document.network, document.given, component, found.weights)
    used = document.components.get("backbone")
    told = f"{document.network.model.backbone} is {component.told} here, and was {'not told' if used is None else used.told}"
    check_probe(network, document.given, found.probe, told=told)
    return LoadedModel(network, document).to(device_of(device))


def device_of(name: str | torch.device) -> torch.device:
    """A device of this machine; of ``"auto"`` a GPU where there is one.

    Raises:
        UsageError: if there is none of that name.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        found = torch.device(name)
        torch.zeros(1, device=found)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(f"there is no device {str(name)[:60]!r} here: cpu{', cuda' if torch.cuda.is_available() else ''}") from error
    return found
