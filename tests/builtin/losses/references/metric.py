"""The losses of pairs, tuples, ranks and histograms beyond the first edition's."""

from __future__ import annotations

import math

from references import Reference
from references.arithmetic import (
    distance,
    dot,
    log_one_plus_sum_exp,
    log_sum_exp,
    mean,
    mean_of_positive,
    pairs,
    product,
    softplus,
    unit,
)


def sides(labels):
    """The positives and the negatives of each item, two lists of indices."""
    everyone = range(len(labels))
    return [([p for p in everyone if p != a and labels[p] == labels[a]], [n for n in everyone if labels[n] != labels[a]]) for a in everyone]


def square(x, i, j):
    """Squared Euclidean distance of two rows."""
    return math.fsum((a - b) ** 2 for a, b in zip(x[i], x[j], strict=True))


def sigmoid(value):
    """1 / (1 + exp(-value)), whatever the value is."""
    return 1 / (1 + math.exp(-value)) if value >= 0 else math.exp(value) / (1 + math.exp(value))


def circle(x, labels, margin, gamma):
    """log(1 + Σ exp(γ [s + m]₊ (s - m)) Σ exp(-γ [1 + m - s]₊ (s - 1 + m))), mean over the items with a positive and a negative."""
    total = []
    for a, (positives, negatives) in enumerate(sides(labels)):
        if positives and negatives:
            near = log_sum_exp(-gamma * max(0.0, 1 + margin - dot(x, a, p)) * (dot(x, a, p) - 1 + margin) for p in positives)
            far = log_sum_exp(gamma * max(0.0, dot(x, a, n) + margin) * (dot(x, a, n) - margin) for n in negatives)
            total.append(softplus(near + far))
    return mean(total)


def margin_of(x, labels, margin, beta_of):
    """[d - β + m]₊ and [β - d + m]₊ summed over the pairs, and how many of them cost."""
    genuine, impostors = pairs(labels)
    costs = [distance(x, i, j) - beta_of(labels[i]) + margin for i, j in genuine]
    costs += [beta_of(labels[i]) - distance(x, i, j) + margin for i, j in impostors]
    costs = [cost for cost in costs if cost > 0]
    return math.fsum(costs), max(1, len(costs))


def margin(x, labels, margin, beta):
    """[d - β + m]₊ over genuine pairs and [β - d + m]₊ over impostors, their mean over what costs."""
    total, number = margin_of(x, labels, margin, lambda _: beta)
    return total / number


def margin_learned(x, labels, margin, nu, per_class, own):
    """As margin, with the anchor's class's β, or the only one, and ν β for each genuine pair in the sum."""

    def beta_of(label):
        return own["beta"][label if per_class else 0]

    total, number = margin_of(x, labels, margin, beta_of)
    return (total + nu * math.fsum(beta_of(labels[i]) for i, _ in pairs(labels)[0])) / number


def lifted(x, labels, neg_margin, pos_margin):
    """½ [d_ij - pos_margin + log Σ over the negatives of i and of j of exp(neg_margin - d)]₊², mean over genuine pairs."""
    genuine, impostors = pairs(labels)
    total = []
    for i, j in genuine:
        behind = log_sum_exp(neg_margin - distance(x, a, n) for a, n in impostors if a in {i, j})
        total.append(max(0.0, distance(x, i, j) - pos_margin + behind) ** 2 / 2)
    return mean(total)


def generalised_lifted(x, labels, neg_margin, pos_margin):
    """[log Σ exp(d_ap - pos_margin) + log Σ exp(neg_margin - d_an)]₊, mean over the items with a positive and a negative."""
    total = []
    for a, (positives, negatives) in enumerate(sides(labels)):
        if positives and negatives:
            near = log_sum_exp(distance(x, a, p) - pos_margin for p in positives)
            total.append(max(0.0, near + log_sum_exp(neg_margin - distance(x, a, n) for n in negatives)))
    return mean(total)


def variance(row):
    """Over the dimensions of a row."""
    return mean((value - mean(row)) ** 2 for value in row)


def snr_contrastive(x, labels, pos_margin, neg_margin, reg_weight):
    """Contrastive loss of var(a - b) / var(a), each side's mean over what costs, plus the weighted mean of |Σ of the dimensions|."""

    def ratio(a, b):
        return variance([one - other for one, other in zip(x[a], x[b], strict=True)]) / variance(x[a])

    genuine, impostors = pairs(labels)
    near = mean_of_positive(ratio(a, p) - pos_margin for a, p in genuine)
    far = mean_of_positive(neg_margin - ratio(a, n) for a, n in impostors)
    return near + far + reg_weight * mean(abs(math.fsum(row)) for row in x)


def tuplet_margin(x, labels, margin, scale):
    """log(1 + Σ over n of exp(scale (cos θ_an - cos(θ_ap - margin)))), mean over genuine pairs; the angle from half the chord."""
    total = []
    sided = sides(labels)
    for a, p in pairs(labels)[0]:
        angle = 2 * math.asin(min(1.0, distance(x, a, p) / 2)) - math.radians(margin)
        total.append(log_one_plus_sum_exp(scale * (dot(x, a, n) - math.cos(angle)) for n in sided[a][1]))
    return mean(total)


def nca(x, labels, softmax_scale):
    """-log(Σ over p of exp(-s d²) / Σ over all others of exp(-s d²)), mean over the items with a positive."""
    total = []
    for a, (positives, negatives) in enumerate(sides(labels)):
        if positives:
            everyone = log_sum_exp(-softmax_scale * square(x, a, k) for k in positives + negatives)
            total.append(everyone - log_sum_exp(-softmax_scale * square(x, a, p) for p in positives))
    return mean(total)


def instance(x, labels, gamma):
    """-log of the softmax of γ cos among the class means, each its own target, mean over the classes."""
    centres = []
    for label in sorted(set(labels)):
        rows = [row for row, y in zip(x, labels, strict=True) if y == label]
        centres.append(unit([mean(column) for column in zip(*rows, strict=True)]))
    return mean(log_sum_exp(gamma * product(one, other) for other in centres) - gamma * product(one, one) for one in centres)


def ranked_list(x, labels, margin, negative_temperature, positive_temperature, imbalance):
    """Weighted means of d - (α - m) over far positives and α - d over near negatives, weights exp(T cost), mean over the items."""

    def weighted(costs, temperature):
        costs = [cost for cost in costs if cost > 0]
        sum_of_weights = math.fsum(math.exp(temperature * cost) for cost in costs)
        return math.fsum(math.exp(temperature * cost) * cost for cost in costs) / sum_of_weights if costs else 0.0

    alpha, total = 1 + margin / 2, []
    for a, (positives, negatives) in enumerate(sides(labels)):
        near = weighted([distance(x, a, p) - (alpha - margin) for p in positives], positive_temperature)
        far = weighted([alpha - distance(x, a, n) for n in negatives], negative_temperature)
        total.append((1 - imbalance) * near + imbalance * far)
    return mean(total)


def histogram_of(values, low, high, bins):
    """How much lies at each edge between two ends: 1 - |value - edge| / width of a bin, where that is above 0."""
    width = (high - low) / bins
    edges = [low + edge * width for edge in range(bins + 1)]
    return [math.fsum(max(0.0, 1 - abs(min(high, max(low, value)) - edge) / width) for value in values) for edge in edges]


def fastap(x, labels, num_bins):
    """1 - 1 / P Σ over the edges of h+ H+ / H, histograms of squared distances, mean over the items with a positive."""
    total = []
    for a, (positives, negatives) in enumerate(sides(labels)):
        if positives:
            genuine = histogram_of([square(x, a, p) for p in positives], 0.0, 4.0, num_bins)
            everyone = histogram_of([square(x, a, k) for k in positives + negatives], 0.0, 4.0, num_bins)
            precision = 0.0
            for edge, height in enumerate(genuine):
                ahead, all_ahead = math.fsum(genuine[: edge + 1]), math.fsum(everyone[: edge + 1])
                precision += height * ahead / all_ahead if height > 0 else 0.0
            total.append(1 - precision / len(positives))
    return mean(total)


def histogram(x, labels, num_bins):
    """Σ over the edges of h- H+, shares of the cosines of impostor pairs and running shares of those of genuine ones; 0 without both."""
    genuine, impostors = ([dot(x, i, j) for i, j in some if i < j] for some in pairs(labels))
    if not genuine or not impostors:
        return 0.0
    near, far = ([height / len(some) for height in histogram_of(some, -1.0, 1.0, num_bins)] for some in (genuine, impostors))
    return math.fsum(height * math.fsum(near[: edge + 1]) for edge, height in enumerate(far))


def smooth_ap(x, labels, temperature):
    """1 - the mean over the class of rank within the class over rank in the batch, mean over the items with a positive."""

    def rank(q, i, among):
        return 1 + math.fsum(sigmoid((dot(x, q, j) - dot(x, q, i)) / temperature) for j in among if j != i)

    total = []
    for q, (positives, negatives) in enumerate(sides(labels)):
        own = [q, *positives]
        if positives:
            total.append(1 - mean(rank(q, i, own) / rank(q, i, own + negatives) for i in own))
    return mean(total)


def pnp(x, labels, alpha, temperature, b, variant):
    """A function of N = Σ over the negatives of σ((s_qj - s_qi) / T), mean over the class, then over the items with a positive."""
    cost = {
        "O": lambda n: n,
        "Iu": lambda n: (1 + n) * math.log(1 + n),
        "Ib": lambda n: (b * n - math.log(1 + b * n)) / b**2,
        "Ds": lambda n: math.log(1 + n),
        "Dq": lambda n: 1 - 1 / (1 + n) ** alpha,
    }[variant]
    total = []
    for q, (positives, negatives) in enumerate(sides(labels)):
        if positives:
            before = [math.fsum(sigmoid((dot(x, q, j) - dot(x, q, i)) / temperature) for j in negatives) for i in [q, *positives]]
            total.append(mean(cost(number) for number in before))
    return mean(total)


def solved(matrix):
    """The inverse of a matrix, by elimination of one column after the other."""
    size = len(matrix)
    rows = [[*row, *(float(i == j) for j in range(size))] for i, row in enumerate(matrix)]
    for column in range(size):
        pivot = max(range(column, size), key=lambda i: abs(rows[i][column]))
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [value / rows[column][column] for value in rows[column]]
        for i in range(size):
            if i != column:
                factor = rows[i][column]
                rows[i] = [value - factor * other for value, other in zip(rows[i], rows[column], strict=True)]
    return [row[size:] for row in rows]


def manifold(x, labels, alpha, margin, context_weight, own):
    """log(1 + Σ exp(f_ik - f_iy + m)) where that is not below 0, f of (1 - α) (I - α S')⁻¹, plus that of the rows' cosines, weighted."""
    nodes = [*x, *(unit(proxy) for proxy in own["proxies"])]
    size, number = len(x), len(own["proxies"])
    similar = [[0.0 if i == j else math.exp(2 * max(0.0, dot(nodes, i, j))) for j in range(len(nodes))] for i in range(len(nodes))]
    sums = [math.fsum(row) for row in similar]
    walk = [[float(i == j) - alpha * value / math.sqrt(sums[i] * sums[j]) for j, value in enumerate(row)] for i, row in enumerate(similar)]
    walked = [[(1 - alpha) * value for value in row] for row in solved(walk)]
    rows = [unit(row) for row in walked]

    def term(similarity):
        total = []
        for i, label in enumerate(labels):
            behind = [similarity(i, k) - similarity(i, label % number) + margin for k in range(number) if k != label % number]
            total.append(log_one_plus_sum_exp(value for value in behind if value >= 0))
        return mean(total)

    return term(lambda i, k: walked[i][size + k]) + context_weight * term(lambda i, k: product(rows[i], rows[size + k]))


REFERENCES = {
    "circle": Reference(
        circle,
        [{"margin": 0.1, "gamma": 5.0}, {"margin": 0.25, "gamma": 256.0}],
        gradient=None,  # the brackets weigh and are held constant
    ),
    "margin": Reference(margin, [{"margin": 0.0, "beta": 0.9}], collapsed=1.4),  # beta + margin
    "margin-learned": Reference(margin_learned, [{"beta": 0.9, "nu": 0.3}, {"per_class": False, "nu": 0.1, "margin": 0.05}], collapsed=1.4),
    "lifted": Reference(lifted, [{"neg_margin": 0.5, "pos_margin": 0.3}], collapsed=(1 + math.log(56)) ** 2 / 2),
    "gen-lifted": Reference(generalised_lifted, [{"neg_margin": 0.1, "pos_margin": 0.9}], collapsed=1 + math.log(3 * 28)),
    "snr-contrastive": Reference(
        snr_contrastive, [{"pos_margin": 0.6, "neg_margin": 2.3, "reg_weight": 0.0}, {"neg_margin": 0.2, "reg_weight": 1.0}]
    ),
    "tuplet-margin": Reference(tuplet_margin, [{"margin": 0.0, "scale": 3.0}, {"margin": 30.0, "scale": 10.0}], gradient={"scale": 5.0}),
    "nca": Reference(nca, [{"softmax_scale": 20.0}], collapsed=math.log(31 / 3)),
    "instance": Reference(instance, [{"gamma": 2.0}], collapsed=math.log(8), gradient={"gamma": 4.0}),
    "ranked-list": Reference(
        ranked_list,
        [{"margin": 0.9, "negative_temperature": 0.0}, {"positive_temperature": 3.0, "imbalance": 0.2, "negative_temperature": 1.0}],
        collapsed=0.6,  # half of alpha
    ),
    "fastap": Reference(fastap, [{"num_bins": 3}, {"num_bins": 41}], collapsed=28 / 31),
    "histogram": Reference(histogram, [{"num_bins": 7}, {"num_bins": 20}], collapsed=1.0),
    "smooth-ap": Reference(smooth_ap, [{"temperature": 0.2}], gradient={"temperature": 0.3}),
    "pnp": Reference(
        pnp,
        [{"variant": variant, "temperature": 0.1} for variant in ("O", "Iu", "Ib", "Ds", "Dq")] + [{"variant": "Ib", "b": 5.0}],
        gradient={"temperature": 0.3},
    ),
    "manifold": Reference(manifold, [{"num_proxies": 2, "alpha": 0.5, "margin": 0.05}, {"context_weight": 7.0, "margin": 0.3}]),
}
