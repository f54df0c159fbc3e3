"""What moves a score: shares and p-values against least squares, against all reorderings, and against chance."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy import stats as reference

from siambench.errors import MetricError
from siambench.stats import ALPHA, PERMUTATIONS, holm, moved


def curve(places):
    """The columns of a curve that may turn once."""
    return np.stack([places, places**2], axis=1)


def explained(values, factor):
    """R² of ranks within groups on a factor's columns centred within groups, by numpy's least squares."""
    ranked = [(reference.rankdata(group) - (len(group) + 1) / 2) / len(group) for group in values]
    target = np.concatenate(ranked)
    columns = np.concatenate([part - part.mean(axis=0) for part in factor])
    fitted = columns @ np.linalg.lstsq(columns, target, rcond=None)[0]
    return float(fitted @ fitted / (target @ target))


@pytest.fixture(scope="module")
def drawn():
    """Three groups of unlike sizes, with ties, and two factors of which the first is followed."""
    generator = np.random.default_rng(5)
    places = [generator.uniform(-1, 1, (size, 2)) for size in (7, 4, 11)]
    values = [np.round(-((one[:, 0] - 0.3) ** 2) + 0.1 * generator.normal(size=len(one)) + 5 * k, 1) for k, one in enumerate(places)]
    return values, [[curve(one[:, place]) for one in places] for place in range(2)]


def test_the_share_is_the_adjusted_r_squared_of_ranks():
    """By all reorderings of two small groups: the share is R² less its mean over these, and p of so many is near their exact share."""
    values = [np.array([0.1, 0.4, 0.2, 0.2]), np.array([3.0, 1.0, 2.0])]
    factor = [curve(np.array([-1.0, 0.5, 0.1, 0.9])), curve(np.array([0.7, -0.2, 0.4]))]
    (found,) = moved(values, [factor], permutations=20_000)
    observed = explained(values, factor)
    all_of_them = [
        explained([values[0][list(a)], values[1][list(b)]], factor)
        for a in itertools.permutations(range(4))
        for b in itertools.permutations(range(3))
    ]
    mean = np.mean(all_of_them)
    assert found.share == pytest.approx((observed - mean) / (1 - mean), abs=1e-9)
    assert found.p == pytest.approx(np.mean(np.array(all_of_them) >= observed - 1e-12), abs=0.01)


def test_shares_and_fits_are_those_of_least_squares(drawn):
    """On unlike groups with ties: the fit is numpy's, R² follows from it, and p-values are Holm's of the single ones."""
    values, factors = drawn
    found = moved(values, factors)
    for one, factor in zip(found, factors, strict=True):
        ranked = np.concatenate([(reference.rankdata(group) - (len(group) + 1) / 2) / len(group) for group in values])
        columns = np.concatenate([part - part.mean(axis=0) for part in factor])
        assert one.fit == pytest.approx(np.linalg.lstsq(columns, ranked, rcond=None)[0], abs=1e-9)
    alone = [moved(values, [factor])[0].p for factor in factors]
    assert [one.p for one in found] == pytest.approx(holm(alone))
    assert found[0].p == 2 / (PERMUTATIONS + 1)
    assert found[0].share > 0.6
    assert found[1].p > ALPHA


def test_neither_levels_nor_scales_nor_outliers_of_groups_matter(drawn):
    """Values may be shifted, stretched or bent in any way that keeps the order within groups."""
    values, factors = drawn
    other = [np.exp(3 * group) * 10.0**k - 1e6 * (group == group.min()) for k, group in enumerate(values)]
    assert moved(values, factors) == moved(other, factors)


def test_a_hump_is_seen_that_a_rank_correlation_misses():
    """Best in the middle: Spearman's correlation is below .1, the share of the curve large and told."""
    places = np.linspace(-1, 1, 12)
    values = [-(places**2) + 0.001 * np.arange(12), -(places**2)]
    assert abs(reference.spearmanr(places, values[1])[0]) < 0.1
    (found,) = moved(values, [[curve(places)] * 2])
    assert found.share > 0.9
    assert found.p < 0.001
    assert found.fit[1] < 0


@pytest.mark.parametrize(
    ("values", "columns"),
    [
        ([np.zeros(5), np.zeros(3)], [np.arange(10.0).reshape(5, 2), np.arange(6.0).reshape(3, 2)]),
        ([np.arange(5.0)], [np.ones((5, 2))]),
        ([np.array([1.0]), np.array([2.0])], [np.ones((1, 2)), np.zeros((1, 2))]),
        ([np.empty(0)], [np.empty((0, 2))]),
    ],
)
def test_where_nothing_varies_nothing_is_told(values, columns):
    """Equal values, a factor that stands still, groups of one and of none: a share of 0, p = 1, and a flat fit."""
    (found,) = moved(values, [columns])
    assert (0.0, 1.0, (0.0, 0.0)) == (found.share, found.p, found.fit)
    assert [] == moved(values, [])


def test_columns_that_add_nothing_change_nothing(drawn):
    """A column that repeats others, as of whole numbers of two values or of a choice, has coefficient 0 and no part in share and p."""
    values, factors = drawn
    doubled = [np.column_stack([part, part[:, 0] - 2 * part[:, 1]]) for part in factors[0]]
    one, other = moved(values, [factors[0]])[0], moved(values, [doubled])[0]
    assert (one.p, pytest.approx(one.share)) == (other.p, other.share)
    assert (*one.fit, 0.0) == pytest.approx(other.fit)


def test_few_trials_cannot_tell():
    """Four trials of one study in perfect order have 24 orders, a curve through four points fits many of them, and p stays large."""
    (found,) = moved([np.arange(4.0)], [[curve(np.array([-1.0, -0.3, 0.2, 1.0]))]])
    assert found.p > ALPHA


@pytest.mark.parametrize(
    ("values", "factors", "words"),
    [
        ([[1.0, np.nan]], [], "values must be"),
        ([[[1.0]]], [], "values must be"),
        ([[1.0, 2.0]], [[[[1.0]]]], "a factor must have"),
        ([[1.0, 2.0]], [[]], "a factor must have"),
        ([[1.0, 2.0]], [[[[1.0], [np.inf]]]], "a factor must have"),
        ([[1.0], [2.0]], [[[[1.0]], [[1.0, 2.0]]]], "a factor must have"),
    ],
)
def test_what_does_not_fit_is_an_error(values, factors, words):
    """Numbers that are not finite and shapes that do not fit are refused."""
    with pytest.raises(MetricError, match=words):
        moved(values, factors)


@pytest.mark.slow
@pytest.mark.parametrize(("studies", "trials"), [(5, 11), (3, 7), (1, 7)])
def test_of_factors_that_do_not_matter_one_in_twenty_rows_tells_any(studies, trials):
    """Simulated as studies are run, with Sobol points: beside one factor that matters much the others are told in at most 6 % of rows."""
    from siambench.spaces import Float
    from siambench.studies.quasi_random import quasi_random

    space = {f"p{place}": Float(-1.0, 1.0) for place in range(4)}
    generator, rows, wrong, right = np.random.default_rng(7), 400, 0, 0
    for _ in range(rows):
        points = []
        for _ in range(studies):
            seed = int(generator.integers(2**31))
            drawn = [quasi_random(space, number, seed=seed) for number in range(1, trials + 1)]
            points.append(np.array([[one[name] for name in sorted(space)] for one in drawn]))
        values = [-4 * (one[:, 0] - 0.2) ** 2 + generator.normal(size=trials) + 3 * generator.normal() for one in points]
        found = moved(values, [[curve(one[:, place]) for one in points] for place in range(4)], permutations=499)
        wrong += any(one.p <= ALPHA for one in found[1:])
        right += found[0].p <= ALPHA
    assert wrong / rows <= 0.06
    if studies == 5:
        assert right / rows > 0.95
