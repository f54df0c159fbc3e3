"""The embedding model: a backbone's trunk and a linear head."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from siambench.components.two_sided import TwoBackbones
from siambench.errors import PluginError
from siambench.identity import seed_of
from siambench.plugin import PROJECTOR, BackboneEntry, call_factory, projector_text, projector_widths
from siambench.spec import BETWEEN
from siambench.training.sides import OfEachSide, TwoEncoders, seed_of_side, side_entries
from siambench.training.state import seed_globals

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from siambench.interfaces import Dataset
    from siambench.spec import ModelSpec, Unit


class EmbeddingModel(nn.Module):
    """A trunk and a linear embedding head.

    Args:
        trunk: features [B, F] of items as `siambench.data.transforms.prepared` gives them.
        features: F.
        embedding_size: D.
        memory_format: how the trunk takes its images.
    """

    def __init__(
        self, trunk: nn.Module, features: int, embedding_size: int, memory_format: torch.memory_format = torch.contiguous_format
    ) -> None:
        super().__init__()
        self.memory_format = memory_format
        self.trunk = trunk
        self.head = nn.Linear(features, embedding_size)
        self.held: tuple[nn.Module, ...] = ()

    def train(self, mode: bool = True) -> EmbeddingModel:  # noqa: FBT001, FBT002  the signature is torch's
        """Set the mode; modules of the trunk that are ``held`` stay in evaluation mode, whoever asks."""
        super().train(mode)
        for module in self.held:
            module.eval()
        return self

    def forward(self, items: Tensor) -> Tensor:
        """Embeddings [B, D], not normalised."""
        embeddings: Tensor = self.head(self.trunk(items))
        return embeddings


Model = EmbeddingModel | TwoEncoders
"""What a unit trains: one encoder, or of items of two sides one for each."""


def build_model(unit: Unit, entry: BackboneEntry, dataset: Dataset, started: Mapping[str, Tensor] | None = None) -> Model:
    """The untrained model of a unit, its weights drawn from the unit's own seed.

    Args:
        unit: what is built.
        entry: of its backbone.
        dataset: whose items it will be given: shape, form and vocabulary.
        started: weights that take the place of those drawn, by the names of the model's state; None: they stay.

    Raises:
        PluginError: if the trunk does not give features [B, F], or the weights are those of another network.
    """
    assert unit.model is not None
    found = assembled(unit.model, entry, dataset, seed=unit.seeds["weights"])
    if started is not None:
        try:
            found.load_state_dict(dict(started))
        except RuntimeError as error:
            reason = " ".join(str(error).split())[:200]
            raise PluginError(
                f"backbone {unit.model.backbone!r} builds another network than the file's that it starts from: {reason}"
            ) from error
    return found


def assembled(model: ModelSpec, entry: BackboneEntry, dataset: Dataset, *, seed: int) -> Model:
    """A model as its part of a unit says, its weights drawn from a seed.

    Args:
        model: the backbone's name and options, and the size of the embedding.
        entry: of the backbone.
        dataset: as in `build_model`.
        seed: of the global generators, from which the weights are drawn.

    Raises:
        PluginError: if the trunk is no module, does not give features [B, F], or says something else of how its head starts.
    """
    if dataset.sides:
        encoders = [
            _encoder(
                dataclasses.replace(model, backbone=name.strip(), options=TwoBackbones.options_of(side, model.options)),
                own,
                dataclasses.replace(dataset, form=given.form, shape=given.shape, vocabulary=given.vocabulary, read=given.read, sides=()),
                seed=seed_of_side(seed, side),
            )
            for side, (name, own, given) in enumerate(
                zip(model.backbone.split(BETWEEN), side_entries(entry, model.backbone), dataset.sides, strict=True)
            )
        ]
        return TwoEncoders(encoders, dataset.sides)
    return _encoder(model, entry, dataset, seed=seed)


def _encoder(model: ModelSpec, entry: BackboneEntry, dataset: Dataset, *, seed: int) -> EmbeddingModel:
    seed_globals(seed)
    available = {**model.options, "input_shape": dataset.shape}
    if dataset.vocabulary is not None:
        available["vocabulary"] = dataset.vocabulary
    trunk = call_factory(entry.build, available)
    if not isinstance(trunk, nn.Module):
        raise PluginError(f"backbone {model.backbone!r} must be a torch.nn.Module, got {type(trunk).__name__}")
    memory_format, probe = _probe(trunk, dataset)
    if not isinstance(probe, Tensor) or probe.ndim != 2 or len(probe) != 2:
        got = f"shape {tuple(probe.shape)}" if isinstance(probe, Tensor) else type(probe).__name__
        raise PluginError(f"backbone {model.backbone!r} must give features [B, F], got {got} for B = 2")
    found = EmbeddingModel(trunk, probe.shape[1], model.embedding_size, memory_format)
    _start(found.head, getattr(trunk, "head_start", "drawn"), model.backbone)
    return found


def _start(head: nn.Linear, start: object, backbone: str) -> None:
    """Let a head start as its trunk says: as it was drawn, or as the identity, so that the first embeddings are the trunk's features."""
    if start == "identity":
        nn.init.eye_(head.weight)
        nn.init.zeros_(head.bias)
    elif start != "drawn":
        raise PluginError(f"head_start of backbone {backbone!r} must be 'drawn' or 'identity', got {start!r}")


def _probe(trunk: nn.Module, dataset: Dataset) -> tuple[torch.memory_format, Tensor]:
    # Channels-last is 1.6 times as fast for small convolutions on a CPU, and what GPUs want too; a trunk that flattens
    # with `view` cannot take it, and is told by trying.
    items = torch.zeros(2, *dataset.shape, dtype=torch.int64 if dataset.form == "tokens" else torch.float32)
    with torch.no_grad():
        trunk.eval()
        if dataset.form != "images":
            return torch.contiguous_format, trunk(items)
        try:
            probe = trunk.to(memory_format=torch.channels_last)(items.contiguous(memory_format=torch.channels_last))
        except RuntimeError:
            return torch.contiguous_format, trunk.to(memory_format=torch.contiguous_format)(items)
    return torch.channels_last, probe


def as_trained(unit: Unit, model: Model) -> tuple[nn.Module, int]:
    """What a unit trains: its model, or that with the layers that its loss sees embeddings through.

    Args:
        unit: whose ``loss.projector`` says their widths.
        model: on the device where it is trained.

    Returns:
        The module, and how many numbers the loss is given of an item.
    """
    assert unit.model is not None
    size = unit.model.embedding_size
    widths = projector_of(unit)
    projector = build_projector(widths, size, seed=seed_of(unit.seeds["weights"], "projector"))
    if projector is None:
        return model, size
    behind = projector.to(next(model.parameters()).device)
    return nn.Sequential(model, OfEachSide(behind) if isinstance(model, TwoEncoders) else behind), widths[-1]


def model_in(trained: nn.Module) -> EmbeddingModel:
    """The model in what a unit trains, from `as_trained`."""
    found = trained if isinstance(trained, EmbeddingModel) else trained[0]  # type: ignore[index]
    assert isinstance(found, EmbeddingModel)
    return found


def projector_of(unit: Unit) -> tuple[int, ...]:
    """Widths of the layers that the loss of a unit sees embeddings through; none where it sees what the model gives."""
    return projector_widths(str(unit.params.get(PROJECTOR, projector_text(()))))


def build_projector(widths: Sequence[int], embedding_size: int, *, seed: int) -> nn.Module | None:
    """The layers between the embedding and a loss: linear, BatchNorm and ReLU, and at the end linear; None without any.

    Args:
        widths: of the layers.
        embedding_size: D.
        seed: of the global generators, from which the weights are drawn.

    Source:
        Bardes, Ponce, LeCun, VICReg, ICLR 2022: its expander.
    """
    if not widths:
        return None
    seed_globals(seed)
    parts: list[nn.Module] = []
    size = embedding_size
    for width in widths[:-1]:
        # The bias would be undone by BatchNorm.
        parts += [nn.Linear(size, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(inplace=True)]
        size = width
    return nn.Sequential(*parts, nn.Linear(size, widths[-1]))


def pretrained_features(unit: Unit, entry: BackboneEntry, dataset: Dataset) -> nn.Module:
    """The trunk with its pretrained weights and no head: the baseline ``pretrained``."""
    model = build_model(unit, entry, dataset)
    if isinstance(model, TwoEncoders):
        raise PluginError("the features of two trunks are of two spaces: there is no baseline of them without a head")
    return model.trunk
