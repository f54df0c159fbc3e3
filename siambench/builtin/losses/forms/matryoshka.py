"""Matryoshka: a loss over the first dimensions of the embeddings, for several numbers of them."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from siambench.interfaces import Mined


def cuts(embedding_size: int, smallest: int) -> list[int]:
    """The numbers of dimensions: all, half of them, a quarter, and so on, down to no fewer than the smallest."""
    found = [embedding_size]
    while found[-1] // 2 >= smallest:
        found.append(found[-1] // 2)
    return found


class Matryoshka(nn.Module):
    """The mean of a loss over the first d dimensions, for d = D, D / 2, …; each has parameters of its own where the loss has some.

    Args:
        make_loss: makes the loss for embeddings of so many dimensions.
        embedding_size: D.
        smallest: no cut has fewer dimensions.
        normalised: whether the loss wants unit length: then what is cut off is given that.

    Source:
        Kusupati et al., Matryoshka Representation Learning, NeurIPS 2022.
    """

    takes_empty_places = True

    def __init__(self, *, make_loss: Callable[[int], nn.Module], embedding_size: int, smallest: int, normalised: bool) -> None:
        super().__init__()
        self.cuts, self.normalised = cuts(embedding_size, smallest), normalised
        self.losses = nn.ModuleList(make_loss(cut) for cut in self.cuts)

    def forward(
        self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None, *, progress: float = 0.0, groups: Tensor | None = None
    ) -> Tensor:
        """The loss of a batch."""
        total = embeddings.new_zeros(())
        for cut, loss in zip(self.cuts, self.losses, strict=True):
            rows = embeddings[:, :cut]
            rows = functional.normalize(rows) if self.normalised else rows
            total = total + loss(rows, labels, indices, progress=progress, groups=groups)
        return total / len(self.cuts)
