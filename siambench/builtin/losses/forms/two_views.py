"""What the losses of two views share: which item is the other view of which."""

from __future__ import annotations

import torch
from torch import Tensor


def two_views(embeddings: Tensor, labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right views, fp [B - 1, D] each, and which places hold two of one label, 1 among 0, fp [B - 1, 1].

    The first and the second item of a label are a pair, the third and the fourth, and so on, wherever they stand; an item that is left
    over is of none.

    Args:
        embeddings: fp [B, D].
        labels: int64 [B].
    """
    ordered, order = labels.sort(stable=True)
    rank = torch.arange(len(labels), device=labels.device) - torch.searchsorted(ordered, ordered)
    paired = (ordered[:-1] == ordered[1:]) & (rank[:-1] % 2 == 0)
    rows = embeddings[order]
    return rows[:-1], rows[1:], paired[:, None].to(embeddings.dtype)


def centred(rows: Tensor, counts: Tensor, number: Tensor) -> Tensor:
    """Rows less the mean of those that count, 0 where one does not.

    Args:
        rows: fp [R, D].
        counts: 1 for those that count, 0 for the others, fp [R, 1].
        number: how many count, or 1 where none does, a scalar.
    """
    return counts * (rows - (counts * rows).sum(dim=0) / number)


def off_diagonal(matrix: Tensor) -> Tensor:
    """Sum of the squares beside the diagonal of a square matrix."""
    return (matrix - torch.diag(matrix.diagonal())).square().sum()
