"""PNP loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from siambench.builtin.losses.forms.ranks import ranked
from siambench.builtin.pairwise import of_products, same_class

VARIANTS = ("O", "Iu", "Ib", "Ds", "Dq")
"""What a positive costs by the number of negatives before it: that number itself, two that rise faster, two that rise slower."""


class PNP(nn.Module):
    """A function of N, the smooth number of negatives before a positive; mean over the positives, then over the queries.

    N = Σ over the negatives j of σ((s_qj - s_qi) / T). The function is by variant O: N; Iu: (1 + N) log(1 + N);
    Ib: (b N - log(1 + b N)) / b²; Ds: log(1 + N); Dq: 1 - 1 / (1 + N)^alpha. The query stands among its own positives.
    Queries are the items with another one of their class.

    Args:
        variant: one of `VARIANTS`.
        temperature: T > 0.
        alpha: of Dq alone, > 0.
        b: of Ib alone, > 0.

    Raises:
        ValueError: of another variant.

    Source:
        Li, Min, Song, Zhu, Kang, Wei, Wei, Jiang, Rethinking the Optimization of Average Precision: Only Penalizing Negative Instances
        before Positive Ones is Enough, AAAI 2022.
    """

    def __init__(self, *, variant: str, temperature: float, alpha: float, b: float) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"variant must be one of {', '.join(VARIANTS)}, got {variant!r}")
        self.variant, self.temperature, self.alpha, self.b = variant, temperature, alpha, b

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """The loss of a batch of embeddings of unit length."""
        with torch.no_grad():
            rows = embeddings.detach()
            own = same_class(labels).to(rows.dtype)
            number = own.sum(dim=1, keepdim=True)

            def cost(before: Tensor, queries: slice) -> tuple[Tensor, Tensor]:
                share, negative = own[queries] / number[queries], 1 - own[queries]
                value, slope = self._cost((before * negative[:, None, :]).sum(dim=2))
                return (share * value).sum(dim=1), (share * slope)[:, :, None] * negative[:, None, :]

            found, slope = ranked(rows @ rows.T, self.temperature, cost)
            query = (number.squeeze(1) > 1).to(rows.dtype)
            share = query / query.sum().clamp(min=1)
        return of_products((share * found).sum(), share[:, None] * slope, embeddings)

    def _cost(self, before: Tensor) -> tuple[Tensor, Tensor]:
        """The function of N and its derivative."""
        if self.variant == "Iu":
            return (1 + before) * before.log1p(), before.log1p() + 1
        if self.variant == "Ib":
            return (self.b * before - (self.b * before).log1p()) / self.b**2, before / (1 + self.b * before)
        if self.variant == "Ds":
            return before.log1p(), 1 / (1 + before)
        if self.variant == "Dq":
            return 1 - (1 + before) ** -self.alpha, self.alpha * (1 + before) ** (-self.alpha - 1)
        return before, torch.ones_like(before)
