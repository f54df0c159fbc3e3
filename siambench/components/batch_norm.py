"""Layers by which the embedding of an item depends on the batch that it stands in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn
    from torch.nn.modules.batchnorm import _BatchNorm


def statistics_of_batches(network: nn.Module) -> list[_BatchNorm]:
    """The BatchNorm layers of a network that take their statistics from the batch, as the network is set now: not those that are frozen."""
    from torch.nn.modules.batchnorm import _BatchNorm

    layers = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    return [layer for layer in layers if layer.training or layer.running_mean is None]
