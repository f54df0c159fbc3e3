"""Losses that are made of what a ranking is judged by."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import Float, LossEntry

if TYPE_CHECKING:
    from torch import nn


def recall_at_k(temperature: float, rank_temperature: float, most: int) -> nn.Module:
    """Recall among the first k, mean over several k, with smooth ranks."""
    from siambench.builtin.losses.forms.recall_at_k import RecallAtK

    return RecallAtK(temperature=temperature, rank_temperature=rank_temperature, most=most)


def roadmap(temperature: float, slope: float, share: float) -> nn.Module:
    """An upper bound of 1 - average precision, and hinges that hold similarities of all batches to one measure."""
    from siambench.builtin.losses.forms.roadmap import Roadmap

    return Roadmap(temperature=temperature, slope=slope, share=share)


def happier(temperature: float, slope: float, share: float, alpha: float, num_classes: int, embedding_size: int) -> nn.Module:
    """As roadmap, with items of the query's group relevant too, and a softmax over classes beside it."""
    from siambench.builtin.losses.forms.happier import Happier

    return Happier(num_classes=num_classes, embedding_size=embedding_size, temperature=temperature, slope=slope, share=share, alpha=alpha)


def contextual(contextual: float, regulariser: float, slack: float, neighbours: int) -> nn.Module:
    """Items of a class are to have neighbours in common, beside hinges of cosines."""
    from siambench.builtin.losses.forms.contextual import Contextual

    return Contextual(contextual=contextual, regulariser=regulariser, slack=slack, neighbours=neighbours)


def hist(scale: float, alpha: float, share: float, hidden: int, num_classes: int, embedding_size: int) -> nn.Module:
    """Classes are distributions, and a network over the hypergraph of items and classes tells the items' classes."""
    from siambench.builtin.losses.forms.hist import Hist

    return Hist(num_classes=num_classes, embedding_size=embedding_size, scale=scale, alpha=alpha, share=share, hidden=hidden)


_NO_SELF = "a query is no item of its own ranking; in the code it is"

ENTRIES = {
    "recall-at-k": LossEntry(
        recall_at_k,
        space={"temperature": Float(0.003, 0.1, log=True), "rank_temperature": Float(0.1, 10.0, log=True)},
        defaults={"temperature": 0.01, "rank_temperature": 1.0, "most": 16},
        space_source=(
            "defaults: Patel et al., with k of 1, 2, 4, 8 and 16; space: similarities from a third to ten times their temperature, ranks "
            "from a tenth to ten times theirs"
        ),
        feeds=("classes", "views"),
        source="Patel, Tolias, Matas, Recall@k Surrogate Loss with Large Batches and Similarity Mixup, CVPR 2022",
        equation=(
            "1 - mean over k of min(k, sum over positives of sigmoid((k - r_p) / t)) / min(k, positives), "
            "r_p = 1 + sum over j of sigmoid((s_qj - s_qp) / T)"
        ),
        needs="large batches, of thousands in the paper",
        distance="cosine",
        reducer="mean over the queries that have a positive",
        differs=(_NO_SELF, "similarities are not mixed (SiMix)", "the batch is one: the paper makes it of parts, in two passes"),
    ),
    "roadmap": LossEntry(
        roadmap,
        space={"temperature": Float(0.003, 0.1, log=True), "slope": Float(10.0, 1000.0, log=True), "share": Float(0.1, 0.9)},
        defaults={"temperature": 0.01, "slope": 100.0, "share": 0.5},
        space_source=(
            "defaults: the code of Ramzi et al., whose two terms weigh the same; space: a third to ten times their temperature, a tenth to "
            "ten times their slope, and both terms at work"
        ),
        feeds=("classes", "views"),
        source="Ramzi, Thome, Rambour, Audebert, Bitot, Robust and Decomposable Average Precision for Image Retrieval, NeurIPS 2021",
        equation=(
            "(1 - l) (1 - mean over positives of rank+ / (rank+ + sum over negatives of H(s_qn - s_qp))) + l (mean of max(0, 0.9 - s_p) "
            "+ mean of max(0, s_n - 0.6)); H = sigmoid(d / T), + 1/2 above 0, from 0.05 on a line of slope rho"
        ),
        needs="several images of each class; in the paper, batches of few groups of classes",
        distance="cosine",
        reducer="mean over the queries that have a positive; hinges: mean over the pairs that cost",
        differs=(
            _NO_SELF,
            "the bound of the step function goes on without a jump at 0.05; the code's settings have it fall there, from 1.493 to 1.44",
        ),
    ),
    "happier": LossEntry(
        happier,
        space={"temperature": Float(0.003, 0.1, log=True), "slope": Float(10.0, 1000.0, log=True), "share": Float(0.02, 0.5, log=True)},
        defaults={"temperature": 0.01, "slope": 100.0, "share": 0.1, "alpha": 1.0},
        space_source="defaults: the code of Ramzi et al.; space: that of roadmap, and a softmax from a fifth to five times its weight",
        own_parameters=True,
        source="Ramzi, Audebert, Thome, Rambour, Bitot, Hierarchical Average Precision Training for Pertinent Image Retrieval, ECCV 2022",
        equation=(
            "(1 - l) (1 - sum over items of (rel_i + sum over j before i of min(rel_i, rel_j)) / rank_i / sum of rel) "
            "- l log softmax(cos theta / 0.05) at the true class; rel 2^alpha / number in the class, 1 / number in the group"
        ),
        needs="classes that come in groups, a level above them; where they do not, it has the one level of classes",
        distance="cosine, and cosine to class weights",
        reducer="mean over the queries that have a relevant item, plus mean over the items",
        differs=(
            _NO_SELF,
            "there are two levels, class and group",
            "the bound of the step function goes on without a jump at 0.05; the code's settings have it fall there, from 1.493 to 1.44",
        ),
    ),
    "contextual": LossEntry(
        contextual,
        space={"contextual": Float(0.0, 0.8), "regulariser": Float(0.01, 0.2, log=True), "slack": Float(0.01, 0.2, log=True)},
        defaults={"contextual": 0.4, "regulariser": 0.1, "slack": 0.05, "neighbours": 4},
        space_source=(
            "defaults: the code of Liao et al. for images of 256 pixels; space: no contextual term up to twice its weight, a tenth to "
            "twice the regulariser's, a fifth to four times the slack"
        ),
        feeds=("classes",),
        source="Liao, Tsiligkaridis, Kulis, Supervised Metric Learning for Retrieval via Contextual Similarity Optimization, ICML 2023",
        equation=(
            "l mean over pairs of (y - w_ij)^2 + g (mean cosine - 0.25)^2 + (1 - l - g) (mean of max(0, 0.75 - s_p) + mean of "
            "max(0, s_n - 0.6)), w_ij the share of neighbours in common"
        ),
        needs="as many images of each class as the neighbours that are counted, an item itself among them: 4",
        distance="cosine, and how many of their nearest items two items share",
        reducer="mean over the ordered pairs, plus mean over the pairs that cost",
    ),
    "hist": LossEntry(
        hist,
        space={"scale": Float(4.0, 64.0, log=True), "alpha": Float(0.5, 3.0), "share": Float(0.1, 10.0, log=True)},
        defaults={"scale": 32.0, "alpha": 0.9, "share": 1.0, "hidden": 512},
        space_source=(
            "defaults: the code of Lim et al., which runs scales of 16 and 32 and alpha of 0.9, 1.1 and 2; space: around those, and the "
            "network's term from a tenth to ten times its weight"
        ),
        sampler="random",
        own_parameters=True,
        normalise=False,
        source="Lim, Yun, Park, Choi, Hypergraph-Induced Semantic Tuplet Loss for Deep Metric Learning, CVPR 2022",
        equation=(
            "-log softmax(-scale m) at the true class + share (-log softmax of a network over the hypergraph), "
            "m the squared Mahalanobis distance to a class"
        ),
        needs="in the paper, a first epoch with a backbone that stands still",
        distance="squared Mahalanobis to class distributions, items and means of length 1",
        reducer="mean over the items",
        differs=(
            "the rate of the distributions and of the network is one, as of all parameters of a loss; the code has a rate for each",
            "the network has no running statistics: it is not used after training",
            "it is given embeddings as the head gives them; the code's backbone ends in a layer norm",
        ),
    ),
}
"""By name."""
