"""Pure functions from embeddings and labels to scores: exact, in float64, without files, clock or global random state."""

from siambench.metrics.all_pairs import AllPairs, Bounded, all_pairs_verification, all_pairs_without_each_class
from siambench.metrics.averages import ClassMeans, average, class_means
from siambench.metrics.clustering import ClusterAgreement, cluster_agreement, normalised_mutual_information
from siambench.metrics.correlation import rank_correlation
from siambench.metrics.enrolment import (
    DRAWS,
    EnrolledVerification,
    Template,
    enrolled_similarities,
    enrolled_verification,
    enrolled_without_each_class,
)
from siambench.metrics.episodes import EpisodeIndices, Rule, draw_episodes, episode_accuracy
from siambench.metrics.geometry import MeanDistances, alignment, effective_rank, mean_distances, uniformity
from siambench.metrics.neighbours import (
    DEFAULT_MEMORY,
    FLOAT64_ITEMS,
    Distance,
    answerable,
    matches,
    nearest,
    relevant_counts,
    search_precision,
)
from siambench.metrics.pair_lists import NamedPairs, parse_pairs, resolve_pairs
from siambench.metrics.pairs import Pairs, draw_pairs, pair_similarity
from siambench.metrics.references import References, draw_references
from siambench.metrics.retrieval import (
    mean_average_precision,
    mean_average_precision_at_r,
    ndcg_at_k,
    precision_at_k,
    r_precision,
    recall_at_k,
    reciprocal_rank,
)
from siambench.metrics.transfer import linear_probe, neighbour_vote
from siambench.metrics.triplet_lists import NamedTriplets, parse_triplets
from siambench.metrics.verification import (
    COARSE_BELOW,
    KFoldAccuracy,
    best_threshold,
    equal_error_rate,
    impostors_needed,
    impostors_that_may_pass,
    k_fold_accuracy,
    roc_auc,
    true_accept_rate_at,
)

__all__ = [
    "COARSE_BELOW",
    "DEFAULT_MEMORY",
    "DRAWS",
    "FLOAT64_ITEMS",
    "AllPairs",
    "Bounded",
    "ClassMeans",
    "ClusterAgreement",
    "Distance",
    "EnrolledVerification",
    "EpisodeIndices",
    "KFoldAccuracy",
    "MeanDistances",
    "NamedPairs",
    "NamedTriplets",
    "Pairs",
    "References",
    "Rule",
    "Template",
    "alignment",
    "all_pairs_verification",
    "all_pairs_without_each_class",
    "answerable",
    "average",
    "best_threshold",
    "class_means",
    "cluster_agreement",
    "draw_episodes",
    "draw_pairs",
    "draw_references",
    "effective_rank",
    "enrolled_similarities",
    "enrolled_verification",
    "enrolled_without_each_class",
    "episode_accuracy",
    "equal_error_rate",
    "impostors_needed",
    "impostors_that_may_pass",
    "k_fold_accuracy",
    "linear_probe",
    "matches",
    "mean_average_precision",
    "mean_average_precision_at_r",
    "mean_distances",
    "ndcg_at_k",
    "nearest",
    "neighbour_vote",
    "normalised_mutual_information",
    "pair_similarity",
    "parse_pairs",
    "parse_triplets",
    "precision_at_k",
    "r_precision",
    "rank_correlation",
    "recall_at_k",
    "reciprocal_rank",
    "relevant_counts",
    "resolve_pairs",
    "roc_auc",
    "search_precision",
    "true_accept_rate_at",
    "uniformity",
]
