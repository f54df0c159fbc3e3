"""The losses of rankings."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import cosines, cross_entropy, dot, mean, mean_of_positive, pairs, product, unit

TIE = 1e-12


def sigmoid(value):
    """1 / (1 + exp(-value))."""
    return 1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))


def difference(x, q, j, i):
    """By how much j is nearer to q than i; 0 of a tie."""
    found = dot(x, q, j) - dot(x, q, i)
    return 0.0 if abs(found) < TIE else found


def queries(labels):
    """Each query that has a positive, with its positives and all other items."""
    for q, label in enumerate(labels):
        others = [i for i in range(len(labels)) if i != q]
        positives = [i for i in others if labels[i] == label]
        if positives:
            yield q, positives, others


def recall_at_k(x, labels, temperature, rank_temperature, most):
    """1 - mean over k of min(k, Σ of σ((k - r) / t) over positives) / min(k, positives); r = 1 + Σ of σ((s_j - s_p) / T)."""
    total = []
    for q, positives, others in queries(labels):
        ranks = [1 + math.fsum(sigmoid(difference(x, q, j, p) / temperature) for j in others if j != p) for p in positives]
        k, recalls = 1, []
        while k <= most:
            found = math.fsum(sigmoid((k - rank) / rank_temperature) for rank in ranks)
            recalls.append(min(k, found) / min(k, len(positives)))
            k *= 2
        total.append(1 - mean(recalls))
    return mean(total)


def above(value, temperature, slope):
    """What a negative that is nearer by so much counts."""
    if value > 0.05:
        return slope * (value - 0.05) + sigmoid(0.05 / temperature) + 0.5
    return sigmoid(value / temperature) + (0.5 if value > 0 else 0)


def roadmap(x, labels, temperature, slope, share):
    """(1 - λ) (1 - mean of rank⁺ / (rank⁺ + Σ over negatives of H)) + λ (mean of [0.9 - s]₊ + mean of [s - 0.6]₊)."""
    total = []
    for q, positives, others in queries(labels):
        precisions = []
        for p in positives:
            right = 1 + sum(difference(x, q, j, p) >= 0 for j in positives if j != p)
            wrong = math.fsum(above(difference(x, q, j, p), temperature, slope) for j in others if labels[j] != labels[q])
            precisions.append(right / (right + wrong))
        total.append(1 - mean(precisions))
    genuine, impostors = pairs(labels)
    near = mean_of_positive(0.9 - dot(x, i, j) for i, j in genuine)
    far = mean_of_positive(dot(x, i, j) - 0.6 for i, j in impostors)
    return (1 - share) * mean(total) + share * (near + far)


def happier(x, labels, temperature, slope, share, alpha, own, groups):
    """(1 - λ) (1 - Σ of (r + Σ before it of min(r, r')) / rank / Σ r) + λ cross-entropy; r is 2^α / class, 1 / group, or 0."""
    total = []
    for q in range(len(labels)):
        others = [i for i in range(len(labels)) if i != q]
        level = {i: 2 if labels[i] == labels[q] else 1 if groups[i] == groups[q] else 0 for i in others}
        number = {k: sum(one == k for one in level.values()) for k in range(3)}
        relevance = {i: (0, 1, 2**alpha)[level[i]] / number[level[i]] for i in others}
        terms = []
        for i in (i for i in others if level[i]):
            rank, gained = 1.0, relevance[i]
            for j in (j for j in others if j != i):
                apart = difference(x, q, j, i)
                rank += above(apart, temperature, slope) if level[j] < level[i] else apart >= 0
                gained += min(relevance[i], relevance[j]) if apart >= 0 else 0
            terms.append(gained / rank)
        if terms:
            total.append(1 - math.fsum(terms) / math.fsum(relevance.values()))
    softmax = mean(cross_entropy([s / 0.05 for s in row], label) for row, label in zip(cosines(x, own["weight"]), labels, strict=True))
    return (1 - share) * mean(total) + share * softmax


def contextual(x, labels, contextual, regulariser, slack, neighbours):
    """λ mean of (y - w)² + γ (mean cosine - 1/4)² + (1 - λ - γ) (mean of [3/4 - s]₊ + mean of [s - 0.6]₊), w shared neighbours."""
    everyone = range(len(labels))
    square = [[max(0.0, 2 - 2 * dot(x, i, j)) for j in everyone] for i in everyone]

    def nearest(number):
        bounds = [sorted(row)[number - 1] for row in square]
        return [{j for j in everyone if square[i][j] <= bounds[i] + slack} for i in everyone]

    number = min(neighbours, len(labels))
    near, mutual = nearest(number), nearest(max(1, number // 2))

    def shared(i, j):
        if j not in near[i]:
            return 0.0
        apart = len(labels) - len(near[i])
        both = len(near[i] & near[j]) / len(near[i])
        neither = (len(labels) - len(near[i] | near[j])) / apart if apart else 0.0
        return (both + neither) / 2

    def one_way(i, j):
        return mean(shared(k, j) for k in everyone if k in mutual[i] and i in mutual[k])

    genuine, impostors = pairs(labels)
    w = {(i, j): (one_way(i, j) + one_way(j, i)) / 2 for i, j in genuine + impostors}
    context = math.fsum((1 - w[pair]) ** 2 for pair in genuine) + math.fsum(w[pair] ** 2 for pair in impostors)
    apart = mean(dot(x, i, j) for i in everyone for j in everyone) - 0.25
    hinges = mean_of_positive(0.75 - dot(x, *pair) for pair in genuine) + mean_of_positive(dot(x, *pair) - 0.6 for pair in impostors)
    return contextual * context / len(labels) ** 2 + regulariser * apart**2 + (1 - contextual - regulariser) * hinges


def linear(rows, weight, bias):
    """A linear layer."""
    return [[product(row, one) + add for one, add in zip(weight, bias, strict=True)] for row in rows]


def hist(x, labels, scale, alpha, share, own):
    """-log softmax(-τ m) + λ cross-entropy of a network of two layers over the hypergraph of items and the classes of the batch."""
    means = [unit(row) for row in own["means"]]
    variances = [[math.exp(min(6.0, max(0.0, value))) for value in row] for row in own["log_variances"]]
    m = [
        [math.fsum((a - b) ** 2 / v for a, b, v in zip(unit(row), mu, var, strict=True)) for mu, var in zip(means, variances, strict=True)]
        for row in x
    ]
    classes = sorted(set(labels))
    edges = [[1.0 if c == label else math.exp(-alpha * row[c]) for c in classes] for row, label in zip(m, labels, strict=True)]
    nodes, degrees = [math.fsum(row) for row in edges], [math.fsum(column) for column in zip(*edges, strict=True)]

    def spread(rows):
        found = []
        for i in range(len(rows)):
            heard = [
                math.fsum(a * b / d for a, b, d in zip(edges[i], edges[j], degrees, strict=True)) / math.sqrt(nodes[i] * nodes[j])
                for j in range(len(rows))
            ]
            found.append([product(heard, column) for column in zip(*rows, strict=True)])
        return found

    columns = []
    hidden = spread(linear(x, own["first.weight"], own["first.bias"]))
    for column, gain, offset in zip(zip(*hidden, strict=True), own["gain"], own["offset"], strict=True):
        centre = mean(column)
        deviation = math.sqrt(mean((value - centre) ** 2 for value in column) + 1e-5)
        values = [gain * (value - centre) / deviation + offset for value in column]
        columns.append([value if value > 0 else 0.1 * value for value in values])
    logits = spread(linear([list(row) for row in zip(*columns, strict=True)], own["second.weight"], own["second.bias"]))
    near = mean(cross_entropy([-scale * value for value in row], label) for row, label in zip(m, labels, strict=True))
    return near + share * mean(cross_entropy(row, label) for row, label in zip(logits, labels, strict=True))


REFERENCES = {
    "recall-at-k": Reference(
        recall_at_k,
        [{"temperature": 0.1, "rank_temperature": 0.1}, {"most": 3, "rank_temperature": 10.0}, {"most": 1}],
        gradient={"temperature": 0.1},
    ),
    "roadmap": Reference(
        roadmap,
        [{"temperature": 0.1, "slope": 10.0, "share": 0.1}, {"temperature": 0.003, "slope": 1000.0, "share": 0.9}],
        gradient={"temperature": 0.1, "slope": 10.0},
    ),
    "happier": Reference(
        happier,
        [{"temperature": 0.1, "slope": 10.0, "share": 0.5}, {"alpha": 0.0, "share": 0.0}, {"alpha": 2.0}],
        groups=True,
        gradient={"temperature": 0.1, "slope": 10.0},
    ),
    # Whether an item is a neighbour has no slope: the gradient is that of a line in its place.
    "contextual": Reference(
        contextual,
        [{"contextual": 0.8, "slack": 0.2}, {"neighbours": 2, "slack": 0.01}, {"neighbours": 6, "contextual": 0.7}],
        gradient={"contextual": 0.0},
    ),
    "hist": Reference(hist, [{"scale": 4.0, "alpha": 3.0, "hidden": 7}, {"share": 10.0, "hidden": 3, "alpha": 0.5}]),
}
