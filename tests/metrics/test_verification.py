import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import mannwhitneyu
from sklearn.metrics import roc_auc_score, roc_curve

from siambench.errors import MetricError
from siambench.metrics import (
    best_threshold,
    equal_error_rate,
    impostors_needed,
    impostors_that_may_pass,
    k_fold_accuracy,
    roc_auc,
    true_accept_rate_at,
)


@st.composite
def scored_pairs(draw):
    """Both kinds of pairs in unequal numbers, with negative similarities and many ties."""
    values = st.integers(-6, 6).map(lambda level: level / 7)
    genuine = draw(st.lists(values, min_size=1, max_size=25))
    impostors = draw(st.lists(values, min_size=1, max_size=40))
    return torch.tensor(genuine + impostors, dtype=torch.float64), torch.tensor([1] * len(genuine) + [0] * len(impostors))


def accuracy_at(threshold, similarity, same):
    return float(((similarity >= threshold) == same.bool()).double().mean())


@given(scored_pairs())
def test_auc_agrees_with_sklearn_and_scipy(pairs):
    """Ties count half: the area of scikit-learn's curve, and Mann and Whitney's U over the number of comparisons."""
    similarity, same = pairs
    genuine, impostors = similarity[same == 1], similarity[same == 0]

    actual = roc_auc(similarity, same)

    assert roc_auc_score(same, similarity) == pytest.approx(actual, abs=1e-12)
    statistic = mannwhitneyu(genuine.numpy(), impostors.numpy(), method="asymptotic").statistic
    assert statistic / (len(genuine) * len(impostors)) == pytest.approx(actual, abs=1e-12)


@given(scored_pairs())
def test_equal_error_rate_is_where_the_curve_meets_its_diagonal(pairs):
    """Scikit-learn's ROC curve, joined by straight lines, crosses FAR = FRR at our error."""
    similarity, same = pairs
    accepted, caught, _ = roc_curve(same, similarity, drop_intermediate=False)
    # Along the curve FAR - FRR rises from -1 to 1; by arc length, since both rates may stand still.
    arc = np.arange(len(accepted), dtype=np.float64)
    crossing = brentq(lambda at: np.interp(at, arc, accepted - (1 - caught)), 0, arc[-1], xtol=1e-14)

    assert np.interp(crossing, arc, accepted) == pytest.approx(equal_error_rate(similarity, same), abs=1e-12)


@given(scored_pairs())
def test_best_threshold_is_the_lowest_of_the_most_accurate(pairs):
    """No threshold is more accurate, and of the candidates as accurate none is lower."""
    similarity, same = pairs
    levels = similarity.unique()
    candidates = [float(levels[0]), *((levels[1:] + levels[:-1]) / 2).tolist(), math.inf]
    accuracies = [accuracy_at(candidate, similarity, same) for candidate in candidates]

    assert candidates[accuracies.index(max(accuracies))] == pytest.approx(best_threshold(similarity, same), abs=1e-15)


@given(scored_pairs(), st.sampled_from([0.25, 0.3, 0.5, 0.9]))
def test_true_accept_rate_is_the_best_that_keeps_the_promise(pairs, far):
    """Of all thresholds that let through at most far of the impostors, the one with most genuine pairs counts."""
    similarity, same = pairs
    genuine, impostors = similarity[same == 1], similarity[same == 0]
    thresholds = [*similarity.tolist(), math.inf]
    kept = [t for t in thresholds if float((impostors >= t).double().mean()) <= far]
    expected = max(float((genuine >= t).double().mean()) for t in kept)

    actual = true_accept_rate_at(similarity, same, far=far)

    if len(impostors) < 3 / far:
        assert actual is None
    else:
        assert expected == pytest.approx(actual, abs=1e-12)


def test_thresholds_come_from_the_other_folds():
    """A fold whose similarities are shifted is judged at the threshold of the others, and does badly."""
    similarity = torch.tensor([0.9, 0.1, 0.8, 0.2, 0.4, -0.5])
    same = torch.tensor([1, 0, 1, 0, 1, 0])
    fold = torch.tensor([0, 0, 1, 1, 2, 2])

    result = k_fold_accuracy(similarity, same, fold)

    assert (1.0, 1.0, 0.5) == result.per_fold
    assert (0.3, 0.25, 0.5) == pytest.approx(result.thresholds, abs=1e-7)
    assert 2.5 / 3 == pytest.approx(result.mean)
    assert np.std([1, 1, 0.5], ddof=1) / math.sqrt(3) == pytest.approx(result.standard_error)


@given(scored_pairs(), st.integers(2, 4), st.randoms(use_true_random=False))
def test_k_fold_accuracy_is_its_loop(pairs, folds, random):
    """Fold by fold: the best threshold of the rest, the accuracy here; the mean and its standard error."""
    similarity, same = pairs
    fold = torch.tensor([random.randrange(folds) for _ in same])
    numbers = sorted(set(fold.tolist()))
    if len(numbers) < 2:
        with pytest.raises(MetricError, match="at least 2 folds, got 1"):
            k_fold_accuracy(similarity, same, fold)
        return

    result = k_fold_accuracy(similarity, same, fold)

    expected = [
        accuracy_at(best_threshold(similarity[fold != n], same[fold != n]), similarity[fold == n], same[fold == n]) for n in numbers
    ]
    assert expected == pytest.approx(result.per_fold, abs=1e-12)
    assert np.mean(expected) == pytest.approx(result.mean, abs=1e-12)
    assert np.std(expected, ddof=1) / math.sqrt(len(numbers)) == pytest.approx(result.standard_error, abs=1e-12)


def test_swapped_convention_turns_every_score_around():
    """The convention is same = 1: with the labels of a perfect separation swapped, AUC is 0 and the equal error rate 1."""
    similarity, same = torch.tensor([0.9, 0.8, -0.2, -0.3, -0.4]), torch.tensor([1, 1, 0, 0, 0])

    assert (1.0, 0.0) == (roc_auc(similarity, same), equal_error_rate(similarity, same))
    assert (0.0, 1.0) == (roc_auc(similarity, 1 - same), equal_error_rate(similarity, 1 - same))


def test_equal_similarities_are_chance():
    """When all pairs are equally similar, AUC and equal error rate are one half, and nothing is accepted at a low FAR."""
    similarity, same = torch.full((60,), 0.7), torch.arange(60) % 3 == 0

    assert 0.5 == roc_auc(similarity, same)
    assert 0.5 == equal_error_rate(similarity, same)
    assert 0.0 == true_accept_rate_at(similarity, same, far=0.3)
    assert math.inf == best_threshold(similarity, same)


def test_lowest_threshold_when_all_should_be_accepted():
    """With genuine pairs alone, the threshold is the lowest similarity, which it accepts."""
    assert -0.5 == best_threshold(torch.tensor([0.5, -0.5, 0.1]), torch.tensor([1, 1, 1]))


def test_threshold_between_neighbouring_numbers_rejects_the_lower():
    """Where no number lies between two similarities, the threshold is the upper one."""
    low = 0.1
    high = math.nextafter(low, 1)

    assert high == best_threshold(torch.tensor([low, high], dtype=torch.float64), torch.tensor([0, 1]))


def test_number_of_impostors_needed():
    """Three impostors must be able to pass, 3,000 at the rate of 1e-3; fewer give no score."""
    assert [30, 300, 3000, 300_000, 43] == [impostors_needed(far) for far in (0.1, 0.01, 1e-3, 1e-5, 0.07)]
    assert [3, 3, 3, 3, 0, 10] == [
        impostors_that_may_pass(far, there) for far, there in [(0.1, 30), (1e-3, 3000), (0.07, 43), (0.3, 10), (0.1, 9), (0.1, 100)]
    ]
    same = torch.cat([torch.ones(5, dtype=torch.int64), torch.zeros(30, dtype=torch.int64)])
    similarity = torch.linspace(1, -1, 35)
    assert true_accept_rate_at(similarity, same, far=0.1) == 1.0
    assert true_accept_rate_at(similarity[:-1], same[:-1], far=0.1) is None


def test_float16_and_bool_inputs_are_the_numbers_they_are():
    """Half-precision similarities and bool labels give the scores of their float64 and integer twins."""
    similarity, same = torch.randn(90, generator=torch.Generator().manual_seed(0)).half(), torch.arange(90) % 4 == 0

    assert roc_auc(similarity.double(), same.long()) == roc_auc(similarity, same)
    assert equal_error_rate(similarity.double(), same.long()) == equal_error_rate(similarity, same)


ONE_KIND = (torch.tensor([0.1, 0.2]), torch.tensor([1, 1]))


@pytest.mark.parametrize(
    ("score", "reason"),
    [
        (lambda: roc_auc(*ONE_KIND), "got 2 genuine and 0 impostors"),
        (lambda: equal_error_rate(*ONE_KIND), "got 2 genuine and 0 impostors"),
        (lambda: true_accept_rate_at(*ONE_KIND, far=0.1), "got 2 genuine and 0 impostors"),
        (lambda: true_accept_rate_at(*ONE_KIND, far=0.0), "between 0 and 1, got 0.0"),
        (lambda: roc_auc(torch.tensor([0.1, torch.nan]), torch.tensor([0, 1])), "got 1 values that are not"),
        (lambda: roc_auc(torch.tensor([0.1, 0.2]), torch.tensor([0, 2])), r"with \[0, 2\]"),
        (lambda: roc_auc(torch.tensor([0.1, 0.2]), torch.tensor([0.0, 1.0])), "got torch.float32"),
        (lambda: best_threshold(torch.tensor([]), torch.tensor([])), r"P >= 1, got \(0,\)"),
        (lambda: k_fold_accuracy(*ONE_KIND, torch.tensor([0])), r"got \(1,\) for 2 pairs"),
    ],
)
def test_refuses_what_has_no_score(score, reason):
    """One kind of pairs, similarities that are no numbers and other labels than 0 and 1 are errors with the values."""
    with pytest.raises(MetricError, match=reason):
        score()
