"""NT-Xent, SupCon and multi-similarity loss as modules: matrices over the batch, value and slope in closed form.

What embeddings, labels and indices are, and what a value is, is told in `forms_tuples`.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from siambench.builtin.losses.forms_tuples import TupleLoss, weights
from siambench.builtin.pairwise import largest, of_products, only
from siambench.interfaces import Mined


class NTXent(TupleLoss):
    """-log(exp(s_ap / T) / (exp(s_ap / T) + Σ over n of exp(s_an / T))), mean over positive pairs.

    With z = logsumexp over the anchor's negatives - s_ap / T a term is softplus(z), which is right at any temperature.

    Args:
        temperature: T > 0.

    Source:
        Chen, Kornblith, Norouzi, Hinton, A Simple Framework for Contrastive Learning, ICML 2020.
    """

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            products = (embeddings / self.temperature) @ embeddings.T
            powers, most = _powers(products, negative)
            sums = powers.sum(dim=1, keepdim=True)
            # An anchor without a negative has a logarithm of minus infinity, and terms of 0.
            behind = (sums.log() + most) - products
            share = positive.div_(positive.sum().clamp(min=1))
            value = functional.softplus(behind).mul_(share).sum()
            pull = behind.sigmoid_().mul_(share)
            push = powers.mul_(pull.sum(dim=1, keepdim=True) / torch.where(sums > 0, sums, 1))
        return of_products(value, push.sub_(pull).div_(self.temperature), embeddings)


def _powers(products: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """Exp of each row less its largest, as often as it counts, fp [B, B], and that largest, fp [B, 1], finite in any case."""
    counting = only(products, often)
    most = largest(counting)
    return counting.sub_(most).exp_().mul_(often), most


class SupCon(TupleLoss):
    """Mean over the anchor's positives of -log(exp(s_ap / T) / Σ over all others of exp(s / T)), mean over items that are not 0.

    Args:
        temperature: T > 0.

    Source:
        Khosla et al., Supervised Contrastive Learning, NeurIPS 2020, eq. 2.
    """

    def __init__(self, *, temperature: float) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = (pairs.sign() for pairs in weights(labels, indices, embeddings.dtype))
            products = (embeddings / self.temperature) @ embeddings.T
            powers, most = _powers(products, positive + negative)
            sums = powers.sum(dim=1, keepdim=True)
            mean = positive / positive.sum(dim=1, keepdim=True).clamp(min=1)
            has_positive = positive.sum(dim=1) > 0
            items = sums.squeeze(1).log() - (mean * (products - most)).sum(dim=1)
            comparable = (positive.sum() > 0) & (negative.sum() > 0)
            active = (has_positive & (items > 0) & comparable).to(items.dtype)
            share = active / active.sum().clamp(min=1)
            value = (share * torch.where(active > 0, items, 0)).sum()
            slope = share[:, None] * (powers / torch.where(sums > 0, sums, 1) - mean)
        return of_products(value, slope / self.temperature, embeddings)


class MultiSimilarity(TupleLoss):
    """1/α log(1 + Σ over p of exp(-α (s - λ))) + 1/β log(1 + Σ over n of exp(β (s - λ))), mean over the batch.

    Args:
        alpha: weight of positives in the exponent, α > 0.
        beta: weight of negatives in the exponent, β > 0.
        base: λ, the similarity that both are measured from.

    Source:
        Wang, Han, Huang, Dong, Scott, Multi-Similarity Loss with General Pair Weighting, CVPR 2019, eq. 15.
    """

    def __init__(self, *, alpha: float, beta: float, base: float) -> None:
        super().__init__()
        self.alpha, self.beta, self.base = alpha, beta, base

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Mined | None = None) -> Tensor:
        """The loss of a batch."""
        with torch.no_grad():
            positive, negative = weights(labels, indices, embeddings.dtype)
            above = embeddings @ embeddings.T - self.base
            near, pull = soft_sum(-self.alpha * above, positive)
            far, push = soft_sum(self.beta * above, negative)
            value = (near / self.alpha + far / self.beta).mean()
        return of_products(value, (push - pull) / len(labels), embeddings)


def soft_sum(exponents: Tensor, often: Tensor) -> tuple[Tensor, Tensor]:
    """log(1 + Σ exp(exponents)) of each row, fp [R], and its derivative by each exponent, fp [R, C].

    Args:
        exponents: fp [R, C].
        often: 1 for those that count, 0 for the others, fp [R, C].
    """
    counting = only(exponents, often)
    most = largest(counting, at_least=0.0)
    powers = counting.sub_(most).exp_()
    sums = powers.sum(dim=1, keepdim=True) + (-most).exp()
    return (sums.log() + most).squeeze(1), powers.div_(sums)
