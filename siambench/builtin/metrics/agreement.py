"""Agreement with people: whether similarities follow the scores that they gave to pairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import MetricEntry

if TYPE_CHECKING:
    from siambench.interfaces import Evaluation


def spearman(evaluation: Evaluation) -> float | None:
    """Spearman's correlation of similarities with the scores that people gave to pairs; none where the pairs have no scores."""
    from siambench import metrics
    from siambench.errors import MetricError

    if evaluation.pairs is None or evaluation.similarities is None:
        return None
    if evaluation.pairs.score is None:
        evaluation.note("spearman", "the pairs have no scores: a list of pairs may have a column score, or a data set bring them")
        return None
    try:
        return metrics.rank_correlation(evaluation.similarities, evaluation.pairs.score)
    except MetricError as error:
        evaluation.note("spearman", str(error))
        return None


ENTRIES = {
    "spearman": MetricEntry(
        spearman,
        low=-1.0,
        over_pairs=True,
        source="Cer, Diab, Agirre, Lopez-Gazpio, Specia, SemEval-2017 Task 1: Semantic Textual Similarity, SemEval 2017",
    ),
}
