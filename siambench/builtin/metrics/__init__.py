"""The metrics, by name. What they compute is in `siambench.builtin.metrics.scores`, which imports torch when one is computed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siambench.plugin import MetricEntry, hookimpl

if TYPE_CHECKING:
    from collections.abc import Callable

    from siambench.interfaces import Evaluation

_REALITY_CHECK = "Musgrave, Belongie, Lim, A Metric Learning Reality Check, ECCV 2020"
_MANNING = "Manning, Raghavan, Schütze, Introduction to Information Retrieval, 2008"
_ISO = "ISO/IEC 19795-1, Biometric performance testing and reporting"
_WANG = "Wang, Isola, Understanding Contrastive Representation Learning through Alignment and Uniformity, ICML 2020"
_LAKE = "Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015"


def _plain(name: str, about: str) -> Callable[..., Any]:
    def compute(evaluation: Evaluation) -> Any:
        from siambench.builtin.metrics import scores

        return getattr(scores, name)(evaluation)

    compute.__doc__ = about
    return compute


def _at_k(name: str, about: str) -> Callable[..., Any]:
    def compute(evaluation: Evaluation, k: int) -> Any:
        from siambench.builtin.metrics import scores

        return getattr(scores, name)(evaluation, k)

    compute.__doc__ = about
    return compute


def _few_shot(shots: int, source: str) -> MetricEntry:
    """Accuracy of k-way episodes with so many examples of each class."""
    family = "one_shot" if shots == 1 else "five_shot"

    def compute(evaluation: Evaluation, k: int) -> Any:
        from siambench.builtin.metrics import scores

        return scores.few_shot(evaluation, k, shots=shots, name=f"{family}@{k}")

    compute.__doc__ = f"Accuracy of 400 drawn k-way {shots}-shot episodes, within a group (alphabet, script) where classes have groups."
    return MetricEntry(compute, source=source)


def _true_accept_rate(evaluation: Evaluation, far: float) -> float | None:
    """Share of genuine pairs accepted at a false accept rate, ``tar@1e-3``; none where there are fewer than 10 / rate impostors."""
    from siambench.builtin.metrics import scores

    return scores.true_accept_rate(evaluation, far)


@hookimpl
def siambench_metrics() -> dict[str, MetricEntry]:
    """Retrieval, clustering, verification, episodes, transfer and geometry."""
    return {
        "recall@k": MetricEntry(
            _at_k("recall", "Whether one of the k nearest shares the label."),
            source="Jégou, Douze, Schmid, Product Quantization for Nearest Neighbor Search, TPAMI 2011",
        ),
        "precision@k": MetricEntry(_at_k("precision", "Share of the k nearest that have the label."), source=f"{_MANNING}, ch. 8"),
        "r_precision": MetricEntry(_plain("r_precision", "Share of the R nearest that have the label."), source=_REALITY_CHECK),
        "map@r": MetricEntry(_plain("map_at_r", "Average precision over the R nearest."), source=_REALITY_CHECK),
        "map": MetricEntry(_plain("mean_average_precision", "Average precision over the whole ranking."), source=f"{_MANNING}, ch. 8"),
        "mrr": MetricEntry(
            _plain("reciprocal_rank", "One over the rank of the nearest that has the label."),
            source="Voorhees, The TREC-8 Question Answering Track Report, TREC 1999",
        ),
        "ndcg@k": MetricEntry(
            _at_k("ndcg", "Discounted gain of the k nearest, relative to the best possible."),
            source="Järvelin, Kekäläinen, Cumulated Gain-based Evaluation of IR Techniques, TOIS 2002",
        ),
        "nmi": MetricEntry(
            _plain("nmi", "Agreement of k-means clusters with the classes: mean of ten seeded starts, their deviation in the notes."),
            source="Oh Song, Xiang, Jegelka, Savarese, Deep Metric Learning via Lifted Structured Feature Embedding, CVPR 2016",
        ),
        "verification_accuracy": MetricEntry(
            _plain("verification_accuracy", "Mean accuracy over folds, each with the threshold of the others."),
            source="Huang, Ramesh, Berg, Learned-Miller, Labeled Faces in the Wild, 2007",
        ),
        "roc_auc": MetricEntry(
            _plain("roc_auc", "Probability that a genuine pair is more similar than an impostor."),
            source="Hanley, McNeil, The meaning and use of the area under a ROC curve, Radiology 1982",
        ),
        "eer": MetricEntry(
            _plain("eer", "The error where false accepts and false rejects are equally frequent."), direction="min", source=_ISO
        ),
        "tar@far": MetricEntry(_true_accept_rate, source=_ISO),
        "one_shot_error": MetricEntry(
            _plain("one_shot_error", "Share of the queries of the official episodes that are given another class."),
            direction="min",
            needs="one-shot",
            source=_LAKE,
        ),
        "one_shot@k": _few_shot(1, "Vinyals et al., Matching Networks for One Shot Learning, NIPS 2016"),
        "five_shot@k": _few_shot(5, "Snell, Swersky, Zemel, Prototypical Networks for Few-shot Learning, NIPS 2017"),
        "knn@k": MetricEntry(
            _at_k("neighbour_vote", "Share of one half of each class's items that the k nearest of the other half vote into their class."),
            source="Cover, Hart, Nearest Neighbor Pattern Classification, IEEE Transactions on Information Theory 1967",
        ),
        "linear_probe": MetricEntry(
            _plain("linear_probe", "Share of one half of each class's items that a linear classifier on the other half gives its class."),
            source="Alain, Bengio, Understanding Intermediate Layers using Linear Classifier Probes, 2016",
        ),
        "alignment": MetricEntry(
            _plain("alignment", "Mean squared distance of items of one class on the unit sphere."), direction="min", high=4.0, source=_WANG
        ),
        "uniformity": MetricEntry(
            _plain("uniformity", "Log of the mean Gaussian potential of all pairs on the unit sphere."),
            direction="min",
            low=-8.0,
            high=0.0,
            source=_WANG,
        ),
        "effective_rank": MetricEntry(
            _plain("effective_rank", "How many directions the embeddings use: the exponential of the entropy of the spectrum."),
            high=None,
            source="Roy, Vetterli, The Effective Rank: a Measure of Effective Dimensionality, EUSIPCO 2007",
        ),
        "positive_distance": MetricEntry(
            _plain("positive_distance", "Mean euclidean distance of two items of one class."), direction="min", high=None, source=_WANG
        ),
        "negative_distance": MetricEntry(
            _plain("negative_distance", "Mean euclidean distance of two items of different classes."), high=None, source=_WANG
        ),
    }
