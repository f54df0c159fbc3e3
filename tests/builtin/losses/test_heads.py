"""The verification head of Koch et al. beside ten lines by hand."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy

from siambench.builtin.losses.forms.verification_head import VerificationHead
from siambench.training.components import pair_indices


@pytest.mark.parametrize("labels", [[0, 1, 2, 0, 0, 3, 2, 0], [0, 1, 2, 3, 0, 1, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7], [0, 0, 1, 1, 0, 1, 0, 1]])
def test_the_head_is_a_weighted_l1_distance_a_sigmoid_and_cross_entropy(labels):
    """Of labelled pairs, genuine and impostors each half: the value, and its gradient by embeddings, weights and bias."""
    generator = torch.Generator().manual_seed(4)
    rows = torch.randn(8, 5, dtype=torch.float64, generator=generator)
    rows[6] = rows[2]
    head = VerificationHead(embedding_size=5).double()
    with torch.no_grad():
        head.weight.copy_(torch.randn(5, generator=generator))
        head.bias.fill_(0.3)
    here, there = (rows.clone().requires_grad_() for _ in range(2))
    weight, bias = (value.detach().clone().requires_grad_() for value in (head.weight, head.bias))

    # Ten lines by hand: twin embeddings, their component-wise distance, one sigmoid unit, cross-entropy with same = 1.
    terms = {True: [], False: []}
    for place in range(4):
        left, right = here[place], here[place + 4]
        probability = torch.sigmoid(bias - (weight * (left - right).abs()).sum())
        same = labels[place] == labels[place + 4]
        target = torch.tensor(1.0 if same else 0.0, dtype=torch.float64)
        terms[same].append(binary_cross_entropy(probability, target))
    means = [torch.stack(part).mean() for part in terms.values() if part]
    expected = sum(means) / 2
    expected.backward()

    value = head(there, torch.tensor(labels), pair_indices(torch.tensor(labels)))
    value.backward()

    assert torch.allclose(expected, value, atol=1e-9)
    assert torch.allclose(here.grad, there.grad, atol=1e-9)
    assert torch.allclose(weight.grad, head.weight.grad, atol=1e-9)
    assert torch.allclose(bias.grad, head.bias.grad, atol=1e-9)


def test_its_similarity_is_the_logit_that_it_is_trained_by():
    """The score by which its models are judged is the one in the loss: the higher, the likelier of one class."""
    generator = torch.Generator().manual_seed(5)
    left, right = torch.randn(3, 4, generator=generator), torch.randn(2, 4, generator=generator)
    head = VerificationHead(embedding_size=4)
    with torch.no_grad():
        head.weight.copy_(torch.tensor([0.5, 0.1, 2.0, 0.0]))
    found = head.similarity(left, right)

    assert (3, 2) == tuple(found.shape)
    weight = head.weight.tolist()
    for i, one in enumerate(left.tolist()):
        for j, other in enumerate(right.tolist()):
            by_hand = 0.5 - sum(w * abs(a - b) for w, a, b in zip(weight, one, other, strict=True))
            assert by_hand == pytest.approx(found[i, j].item(), abs=1e-5)
