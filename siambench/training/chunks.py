"""A large batch embedded chunk by chunk: the memory of one chunk, and the gradient of the whole batch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from siambench.components.batch_norm import statistics_of_batches
from siambench.errors import PluginError
from siambench.training.state import generator_states, restore_generators

if TYPE_CHECKING:
    from torch.nn.modules.batchnorm import _BatchNorm


class InChunks(nn.Module):
    """A network that embeds a batch in chunks: without a graph at first, and when the gradient comes, once more with one, chunk by chunk.

    What a chunk draws from the global generators is drawn the same when it is embedded again; running statistics move once.

    Args:
        network: from items to embeddings [B, D].
        chunk: how many items are embedded at once at most, at least 1; a batch is cut into as few chunks as that allows, alike in size.
        per_chunk_batchnorm: whether BatchNorm may take its statistics from a chunk.

    Raises:
        PluginError: if the network has BatchNorm that takes its statistics from a batch, and that was not allowed, or a chunk has one item.

    Source:
        Gao, Zhang, Han, Callan, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021.
    """

    def __init__(self, network: nn.Module, *, chunk: int, per_chunk_batchnorm: bool) -> None:
        super().__init__()
        self.network, self.chunk = network, chunk
        self._normed = bool(statistics_of_batches(network))
        if self._normed and not per_chunk_batchnorm:
            raise PluginError("the network has BatchNorm, whose statistics would be those of a chunk")

    def forward(self, items: Tensor) -> Tensor:
        """Embeddings [B, D] of items, with a graph."""
        # What a graph is hung on: the network's weights are reached when it is run again.
        hook = torch.zeros((), requires_grad=True, device=items.device)
        number = -(-len(items) // self.chunk)
        if number > 1 and self._normed and len(items) // number < 2:
            alone = f"{len(items)} items in chunks of {self.chunk} leave one alone, and BatchNorm has no statistics of one"
            raise PluginError(f"{alone}: take a larger loss.chunk")
        embeddings: Tensor = self.network(items) if number < 2 else _Embedded.apply(hook, self.network, items, number)
        return embeddings


class _Embedded(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, _hook: Tensor, network: nn.Module, items: Tensor, number: int) -> Tensor:
        kind = items.device.type
        ctx.network, ctx.parts, ctx.states = network, torch.tensor_split(items, number), []
        ctx.autocast = (kind, torch.get_autocast_dtype(kind), torch.is_autocast_enabled(kind))
        found = []
        for part in ctx.parts:
            ctx.states.append(generator_states(items.device))
            with torch.no_grad():
                found.append(network(part))
        return torch.cat(found)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[None, ...]:
        kind, dtype, enabled = ctx.autocast
        after = generator_states(gradient.device)
        with _statistics_kept(ctx.network):
            for part, state, slope in zip(ctx.parts, ctx.states, torch.tensor_split(gradient, len(ctx.parts)), strict=True):
                restore_generators(state, gradient.device)
                with torch.enable_grad(), torch.autocast(kind, dtype, enabled=enabled):
                    embeddings = ctx.network(part)
                torch.autograd.backward(embeddings, slope.to(embeddings.dtype))
        restore_generators(after, gradient.device)
        return None, None, None, None


@contextlib.contextmanager
def _statistics_kept(network: nn.Module) -> Iterator[None]:
    """Leave the running statistics of BatchNorm as they are, whatever is embedded."""
    layers: list[_BatchNorm] = statistics_of_batches(network)
    before = [[buffer.clone() for buffer in layer.buffers()] for layer in layers]
    try:
        yield
    finally:
        for layer, kept in zip(layers, before, strict=True):
            for buffer, value in zip(layer.buffers(), kept, strict=True):
                buffer.copy_(value)
