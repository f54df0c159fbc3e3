"""The triplet loss with an anchor that is swapped, a soft margin, squared distances, or a mean over all triplets."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from siambench.builtin.losses.forms.matrices import euclidean
from siambench.builtin.pairwise import all_pairs, counted
from siambench.interfaces import Indices


class TripletVariant(nn.Module):
    """f(d(a, p) - d(a, n) + margin), f the hinge or its soft form log(1 + exp), mean over triplets.

    Triplets are gone through positive pair by positive pair, each with every item of the batch: P · B places for P pairs. How many pairs
    there are, is asked of the device.

    Args:
        margin: inside f.
        swap: whether d(p, n) stands in the place of d(a, n) where it is smaller.
        soft: whether f is log(1 + exp(x)), under which every triplet costs.
        squared: whether d is the squared distance.
        over_all: whether the mean of hinges is over all triplets; else over those that cost.

    Source:
        Schroff, Kalenichenko, Philbin, FaceNet, CVPR 2015 (squared, over all). Balntas, Riba, Ponsa, Mikolajczyk, Learning local feature
        descriptors with triplets and shallow convolutional neural networks, BMVC 2016 (swap). Hermans, Beyer, Leibe, In Defense of the
        Triplet Loss for Person Re-Identification, arXiv 2017 (soft).
    """

    def __init__(self, *, margin: float, swap: bool, soft: bool, squared: bool, over_all: bool) -> None:
        super().__init__()
        self.margin, self.swap, self.soft, self.squared, self.over_all = margin, swap, soft, squared, over_all

    def forward(self, embeddings: Tensor, labels: Tensor, indices: Indices | None = None) -> Tensor:
        """The loss of a batch.

        Args:
            embeddings: fp [B, D].
            labels: int64 [B].
            indices: three index tensors int64 [T], or four: of pairs with one anchor each positive with each negative; None: all triplets.
        """
        found = euclidean(embeddings)
        found = found.square() if self.squared else found
        is_list = indices is not None and len(indices) == 3
        near, far, between, often = _listed(found, indices) if is_list else _joined(found, labels, indices)
        far = torch.minimum(far, between) if self.swap else far
        costs = near - far + self.margin
        costs = functional.softplus(costs) if self.soft else costs.clamp(min=0)
        if not (self.soft or self.over_all):
            often = often * costs.detach().sign()
        return (often * costs).sum() / often.sum().clamp(min=1)


def _listed(found: Tensor, indices: Indices | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distances of triplets fp [T]: of the anchor to the positive, to the negative, and between those; and ones."""
    assert indices is not None
    anchor, positive, negative = indices
    near = found[anchor, positive]
    return near, found[anchor, negative], found[positive, negative], torch.ones_like(near)


def _joined(found: Tensor, labels: Tensor, indices: Indices | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Distances fp [P, 1] of positive pairs, of their items to all others fp [P, B] each, and how often each triplet counts, fp [P, B]."""
    times, each = all_pairs(labels) if indices is None else counted(indices, len(labels))
    anchor, positive = times.nonzero(as_tuple=True)
    often = times[anchor, positive][:, None].to(found.dtype) * each[anchor].to(found.dtype)
    return found[anchor, positive][:, None], found[anchor], found[positive], often
