"""Gradient cache: a loss on a batch that the harness embeds in chunks."""

from __future__ import annotations

from torch import Tensor, nn

from siambench.interfaces import Mined


class GradientCache(nn.Module):
    """The loss itself. Chunks are the business of whoever embeds the batch, who reads how large they may be.

    Args:
        loss: of the whole batch.
        chunk: how many items are embedded at once, at least 1.
        per_chunk_batchnorm: whether BatchNorm may take its statistics from a chunk.

    Source:
        Gao, Zhang, Han, Callan, Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup, RepL4NLP 2021.
    """

    takes_empty_places = True

    def __init__(self, *, loss: nn.Module, chunk: int, per_chunk_batchnorm: bool) -> None:
        super().__init__()
        self.loss, self.chunk, self.per_chunk_batchnorm = loss, chunk, per_chunk_batchnorm
        # As it is handed over, a loss is wrapped once more.
        own = getattr(getattr(loss, "loss", loss), "similarity", None)
        if callable(own):
            self.similarity = own

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch."""
        value: Tensor = self.loss(embeddings, labels, indices, progress=progress, groups=groups)
        return value
