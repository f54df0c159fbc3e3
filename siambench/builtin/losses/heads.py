"""Losses with a head of their own, by which they compare two embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import LossEntry

if TYPE_CHECKING:
    from torch import nn


def verification_head(embedding_size: int) -> nn.Module:
    """A weighted L1 distance, a sigmoid and the cross-entropy of pairs; judged by its own probability too."""
    from siambench.builtin.losses.forms.verification_head import VerificationHead

    return VerificationHead(embedding_size=embedding_size)


ENTRIES = {
    "verification-head": LossEntry(
        verification_head,
        takes="pairs",
        feeds=("classes", "pairs", "triplets"),
        own_parameters=True,
        normalise=False,
        source="Koch, Zemel, Salakhutdinov, Siamese Neural Networks for One-shot Image Recognition, ICML workshop 2015",
        equation="p = sigmoid(b - sum over d of w_d |x_d - y_d|); -log p of positive pairs, -log(1 - p) of negative pairs",
        distance="L1 with learnt weights, of embeddings that are not normalised; its models are also judged by it",
        reducer="half the mean over the positive pairs plus half the mean over the negative pairs",
        differs=(
            "there is a bias b, without which equal items would be of one class with a probability of one half",
            "the embeddings are the linear head's; the paper's last layer before the distance has sigmoid units (the backbone koch2015)",
            "weight decay is the harness's, for matrices alone: the paper penalises all weights layer by layer",
        ),
    ),
}
"""By name."""
