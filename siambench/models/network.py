"""The network that a file's weights are of: built by its backbone's plugin, and known by what it makes of two items."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np
import torch
from torch import Tensor, nn

from siambench.components.catalogue import Catalogue
from siambench.data.transforms import prepared
from siambench.errors import DataError, DataMissingError, PluginError, SiambenchError, UnknownNameError, named
from siambench.evaluation.embedding import Concatenated
from siambench.interfaces import Dataset
from siambench.models.document import Given, ModelDocument, Network
from siambench.spec import CONTENT, ModelSpec
from siambench.training.model import EmbeddingModel, assembled
from siambench.training.state import generators_kept

if TYPE_CHECKING:
    from siambench.components.component import Component

OWN = "siambench"

TOLERANCE = 1e-3
"""How far the embeddings of the probe may lie from those in the file, by the length of the longer one: processors round otherwise."""

_KNUTH = 2654435761


def probe_items(given: Given) -> Tensor:
    """Two items that anybody can make again, as the model takes them.

    Number k of all their values, from 0, is h = (2654435761 · k mod 2³²) div 2¹⁶: of images h mod 256, of arrays h / 2¹⁵ - 1, of tokens
    1 + h mod (vocabulary - 1), and of these the second half of the second item is padding.
    """
    count = 2 * int(np.prod(given.shape))
    mixed = (np.arange(count, dtype=np.uint64) * np.uint64(_KNUTH) % np.uint64(1 << 32)) >> np.uint64(16)
    mixed = mixed.reshape(2, *given.shape)
    if given.form == "images":
        return prepared((mixed % np.uint64(256)).astype(np.uint8), "images", torch.device("cpu"))
    if given.form == "arrays":
        return torch.from_numpy((mixed.astype(np.float64) / (1 << 15) - 1).astype(np.float32))
    tokens = 1 + (mixed % np.uint64(max(1, (given.vocabulary or 2) - 1))).astype(np.int64)
    tokens[1, (given.shape[0] + 1) // 2 :] = 0
    return torch.from_numpy(tokens)


def embedded(network: nn.Module, items: Tensor) -> Tensor:
    """Embeddings fp32 [B, D] of items as the network takes them, in evaluation mode and without gradients."""
    network.eval()
    memory_format = getattr(network, "memory_format", torch.contiguous_format)
    with torch.no_grad():
        found: Tensor = network(items.contiguous(memory_format=memory_format) if items.ndim == 4 else items.contiguous())
    return found


def backbone_of(document: ModelDocument) -> Component:
    """The component of a file's backbone.

    Raises:
        PluginError: if the package that it comes from is not installed, or has none of that name any more.
    """
    return component_of(document, "backbones", "backbone", document.network.model.backbone)


def component_of(document: ModelDocument, kind: str, role: str, name: str) -> Component:
    """The component that played a role, of what is installed here.

    Raises:
        PluginError: naming the package, if it is not installed, is not let in, or has no such component any more.
    """
    used = document.components.get(role)
    distribution = OWN if used is None or used.source.plugin == OWN else used.source.distribution
    catalogue = Catalogue.load(distributions=() if distribution == OWN else (distribution,))
    try:
        return catalogue.get(kind, name)
    except UnknownNameError as error:
        what = {"backbones": "backbone", "datasets": "data set"}[kind]
        made = "" if used is None else f", made with {used.told.partition('+')[0]}"
        try:
            here = importlib.metadata.version(distribution)
        except importlib.metadata.PackageNotFoundError:
            raise PluginError(
                f"the {what} {name!r} of this model comes with the package {distribution}, which is not installed here{made}: "
                f"pip install {distribution}"
            ) from error
        failed = f"; plugins that failed to load: {', '.join(catalogue.failed)}" if catalogue.failed else ""
        raise PluginError(
            f"the {what} {name!r} of this model is not to be had from {distribution} {here} here{made}{failed}: is the plugin let in by "
            f"SIAMBENCH_PLUGINS, and the version right?"
        ) from error


def built(network: Network, given: Given, component: Component, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network with its weights, in evaluation mode on the CPU.

    It is built from random weights where its backbone can be, else with the weights that it started from, which must then be here.

    Args:
        network: how it is built.
        given: what it is given.
        component: of its backbone.
        weights: by the names of its state.

    Raises:
        PluginError: if what the backbone builds has other weights than the file.
        DataMissingError: if weights that it is built with are not here.
    """
    reasons = []
    for options in _options(network):
        try:
            with generators_kept():
                found = _assembled(network, given, component, options)
        except (MemoryError, KeyboardInterrupt):
            raise
        except SiambenchError as error:
            reasons.append(str(error))
            continue
        except BaseException as error:  # noqa: BLE001  whatever a factory raises: another way to build may do
            reasons.append(named(error))
            continue
        misfit = _misfit(found, weights)
        if misfit is None:
            found.load_state_dict(dict(weights))
            return found.eval()
        reasons.append(misfit)
    raise _refusal(network, component, reasons)


def _refusal(network: Network, component: Component, reasons: list[str]) -> SiambenchError:
    called = f"the backbone {network.model.backbone!r} of {component.provenance}"
    if not reasons:
        needed = next(name for name, value in network.model.options.items() if isinstance(value, str) and value.startswith(CONTENT))
        return DataMissingError(f"{called} is built with a file that its option {needed} names, and cannot be built without")
    return PluginError(f"{called} does not build the network of this file: {reasons[-1]}")


def _options(network: Network) -> list[dict[str, Any]]:
    """Options to build with: those of random weights, then those that it was trained with; of files none is here."""
    own = dict(network.model.options)
    ways = [{**own, **network.scratch}, own]
    kept = [one for one in ways if not any(isinstance(value, str) and value.startswith(CONTENT) for value in one.values())]
    return kept[:1] if len(kept) == 2 and kept[0] == kept[1] else kept


def _assembled(network: Network, given: Given, component: Component, options: dict[str, Any]) -> nn.Module:
    spec = ModelSpec(backbone=network.model.backbone, options=options, embedding_size=network.model.embedding_size)
    dataset = _stub(given)
    models = [assembled(spec, component.entry, dataset, seed=0) for _ in range(network.side_by_side)]
    parts: list[nn.Module] = []
    for model in models:
        if not isinstance(model, EmbeddingModel):
            raise DataError("a file holds one encoder, and this backbone is two")
        parts.append(model if network.head else model.trunk)
    return parts[0] if network.side_by_side == 1 else Concatenated(parts)


def _stub(given: Given) -> Dataset:
    """A data set without items, of which the shape of one is known."""

    def unread(indices: Any) -> NoReturn:
        raise DataError(f"a model reads no items, asked for {indices!r}")

    return Dataset(
        labels=np.zeros(0, dtype=np.int64),
        read=unread,
        shape=given.shape,
        class_names=(),
        form=given.form,
        vocabulary=given.vocabulary,
    )


def _misfit(network: nn.Module, weights: Mapping[str, Tensor]) -> str | None:
    """What of the weights does not fit, in half a sentence; None where all does."""
    wanted = dict(network.state_dict())
    lacking, strange = [name for name in wanted if name not in weights], [name for name in weights if name not in wanted]
    if lacking or strange:
        parts = [f"the file lacks {lacking[0]}"] if lacking else []
        parts += [f"it has {strange[0]}, which the network has not"] if strange else []
        return " and ".join(parts)
    for name, value in wanted.items():
        if not isinstance(value, Tensor):
            return f"{name} is no tensor"
        if value.shape != weights[name].shape:
            return f"{name} is {list(weights[name].shape)} in the file, and {list(value.shape)} in the network"
    return None


def check_probe(network: nn.Module, given: Given, expected: Tensor, *, told: str) -> None:
    """See that a network makes of the probe's items what the file says.

    Args:
        network: with its weights.
        given: what it is given.
        expected: embeddings, [2, D].
        told: what here and there are, for people.

    Raises:
        PluginError: if it makes something else of them.
    """
    found = embedded(network, probe_items(given))
    if found.shape != expected.shape:
        raise PluginError(f"the network gives embeddings {list(found.shape)}, the file says {list(expected.shape)}: {told}")
    length = float(expected.norm(dim=1).max().clamp(min=torch.finfo(torch.float32).tiny))
    distance = float((found - expected).norm(dim=1).max()) / length
    if not distance <= TOLERANCE:
        raise PluginError(
            f"the network makes other embeddings than when it was saved, by {distance:.2g} of their length: {told}; install the version "
            f"that the model was made with"
        )
