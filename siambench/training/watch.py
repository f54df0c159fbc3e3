"""What training looks like while it happens: one line of figures per epoch, gathered without waiting for the device."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from siambench.errors import DivergedError
from siambench.interfaces import Epoch

if TYPE_CHECKING:
    from collections.abc import Iterable

    import torch
    from torch import Tensor


class Watcher:
    """Gathers losses, tuples and the gradient's norm over an epoch."""

    def __init__(self) -> None:
        self._losses: list[Tensor] = []
        self._tuples: list[Tensor | int] = []

    def step(self, loss: Tensor, tuples: Tensor | int | None) -> None:
        """Take the loss of one step, and how many tuples the miner chose (None: no miner)."""
        self._losses.append(loss.detach())
        if tuples is not None:
            self._tuples.append(tuples)

    def epoch(self, number: int, parameters: Iterable[torch.nn.Parameter]) -> Epoch:
        """The figures of the epoch that ends, which has not been validated yet.

        Raises:
            DivergedError: if a loss of the epoch was not finite.
        """
        import torch

        losses = torch.stack(self._losses).double().cpu()
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        tuples = math.fsum(map(float, self._tuples)) / len(self._tuples) if self._tuples else None
        self._losses, self._tuples = [], []
        finite = torch.isfinite(losses)
        if not bool(finite.all()):
            first = int(torch.nonzero(~finite)[0])
            raise DivergedError(f"the loss became {float(losses[first])} at step {first + 1} of the epoch")
        return Epoch(number, float(losses.mean()), norm if math.isfinite(norm) else None, tuples, None)
