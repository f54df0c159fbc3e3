"""Losses made of others, as modules: one as it is called from inside another, and several added with weights."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from siambench.components.loss_call import LossCall
from siambench.interfaces import Mined


class Inner(nn.Module):
    """A loss as the one that wraps it calls it: with embeddings, labels, and what else there is, of which it is given what it takes.

    Args:
        loss: the module.
        name: of the loss, for people.
    """

    takes_empty_places = True

    def __init__(self, loss: nn.Module, name: str) -> None:
        super().__init__()
        self.loss = loss
        self._call = LossCall(loss, name)

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, a scalar; see `siambench.components.loss_call.LossCall`."""
        return self._call(embeddings, labels, indices, progress=progress, groups=groups)


class Summed(nn.Module):
    """Σ weight · loss.

    Args:
        terms: weight, module and name of each loss.
        normalised: of each, whether the embeddings, which come as the head gives them, are to have unit length for it.
        minded: of each, whether the tuples of a miner or a feed are for it.
    """

    takes_empty_places = True

    def __init__(self, terms: Sequence[tuple[float, nn.Module, str]], *, normalised: Sequence[bool], minded: Sequence[bool]) -> None:
        super().__init__()
        self.weights = tuple(weight for weight, _, _ in terms)
        self.losses = nn.ModuleList(module for _, module, _ in terms)
        self._calls = [LossCall(module, name) for _, module, name in terms]
        self._normalised, self._minded = tuple(normalised), tuple(minded)

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch, a scalar.

        Args:
            embeddings: fp [B, D].
            labels: int64 [B].
            indices: for the losses that take tuples; None: they form theirs.
            progress: the share of training that is done, in [0, 1].
            groups: of the items' classes, int64 [B], or None.
        """
        unit = functional.normalize(embeddings) if any(self._normalised) else embeddings
        total = embeddings.new_zeros(())
        for place, (weight, call) in enumerate(zip(self.weights, self._calls, strict=True)):
            rows = unit if self._normalised[place] else embeddings
            total = total + weight * call(rows, labels, indices if self._minded[place] else None, progress=progress, groups=groups)
        return total
