"""The losses of items with two sides: the first sides of B items, and behind them the second."""

from __future__ import annotations

from references import Reference
from references.arithmetic import dot, log_sum_exp, mean


def clip(x, labels, temperature):
    """-log(exp(s_ii / T) / Σ of exp(s_ij / T)) over i itself and what is not of its label, mean over items and both ways."""
    half, terms = len(labels) // 2, []
    for here, there in ((0, half), (half, 0)):
        for i in range(half):
            among = [j for j in range(half) if j == i or labels[j] != labels[i]]
            logits = [dot(x, here + i, there + j) / temperature for j in among]
            terms.append(log_sum_exp(logits) - dot(x, here + i, there + i) / temperature)
    return mean(terms)


REFERENCES = {"clip": Reference(clip, cases=({"temperature": 0.02}, {"temperature": 0.5}))}
