"""Pure numpy: how sure a mean is, which methods differ, and what ranks that leaves open. Light enough for a leaderboard."""

from siambench.stats.comparison import ALPHA, PairedTests, compare_all, holm, score_table
from siambench.stats.intervals import (
    CONFIDENCE,
    Interval,
    Range,
    class_bootstrap,
    clopper_pearson,
    minimum_detectable_difference,
    t_interval,
)
from siambench.stats.ranking import RankInterval, mean_ranks, rank_intervals, ranks, tie_groups

__all__ = [
    "ALPHA",
    "CONFIDENCE",
    "Interval",
    "PairedTests",
    "Range",
    "RankInterval",
    "class_bootstrap",
    "clopper_pearson",
    "compare_all",
    "holm",
    "mean_ranks",
    "minimum_detectable_difference",
    "rank_intervals",
    "ranks",
    "score_table",
    "t_interval",
    "tie_groups",
]
