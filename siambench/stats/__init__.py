"""Pure numpy: how sure a mean is, which methods differ, and what ranks that leaves open. Light enough for a leaderboard."""

from siambench.stats.comparison import ALPHA, PairedTests, compare_all, holm, score_table
from siambench.stats.intervals import (
    CONFIDENCE,
    Interval,
    Range,
    class_bootstrap,
    clopper_pearson,
    group_interval,
    jackknife,
    jackknife_difference,
    minimum_detectable_difference,
    t_interval,
)
from siambench.stats.moved import PERMUTATIONS, Moved, moved
from siambench.stats.ranking import Decided, RankInterval, mean_ranks, rank_intervals, ranks, tie_groups
from siambench.stats.regression import robust_residuals
from siambench.stats.studies import (
    DetectableDifferences,
    StudyTests,
    brown_forsythe,
    compare_studies,
    detectable_differences,
    pair_interval,
    partial_difference,
)
from siambench.stats.tuning import expected_best

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "PERMUTATIONS",
    "Decided",
    "DetectableDifferences",
    "Interval",
    "Moved",
    "PairedTests",
    "Range",
    "RankInterval",
    "StudyTests",
    "brown_forsythe",
    "class_bootstrap",
    "clopper_pearson",
    "compare_all",
    "compare_studies",
    "detectable_differences",
    "expected_best",
    "group_interval",
    "holm",
    "jackknife",
    "jackknife_difference",
    "mean_ranks",
    "minimum_detectable_difference",
    "moved",
    "pair_interval",
    "partial_difference",
    "rank_intervals",
    "ranks",
    "robust_residuals",
    "score_table",
    "t_interval",
    "tie_groups",
]
