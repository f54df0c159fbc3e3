"""The promises of tables of studies, kept in simulated exams of which the truth is known: five studies a row, ten thousand tables a cell.

Whole tables are drawn and tested at once by the inner functions that `compare_studies` rests on; a test shows that they give what it gives.
"""

import numpy as np
import pytest
from scipy.special import ndtri, stdtr
from simulated import found_by_holm

from siambench.stats import class_bootstrap, compare_studies, detectable_differences, group_interval, holm, jackknife
from siambench.stats.studies import _moderate, _new_row_freedom, _standardised, _test

pytestmark = pytest.mark.slow

STUDIES = 5
TABLES = 10_000
ROWS = (2, 3, 4, 6, 8, 13, 24)
REPETITIONS = 2


def told(text):
    """What was measured, for whoever reads: `pytest -rP` shows it."""
    print(text)  # noqa: T201


def normal(generator, size):
    return generator.normal(size=size)


def heavy(generator, size):
    """Student's t with five degrees of freedom: now and then a tuning goes far astray."""
    return generator.standard_t(5, size=size) / np.sqrt(5 / 3)


def skewed(generator, size):
    """Gumbel, the limit of a maximum over trials: skewness 1.14."""
    return (generator.gumbel(size=size) - np.euler_gamma) / (np.pi / np.sqrt(6))


def stuck(generator, size):
    """In two of five studies the default wins, and tuning adds exactly nothing."""
    return np.where(generator.random(size) < 0.4, 0.0, generator.normal(size=size) / np.sqrt(0.6))


# The last one is normal too, and then counted in 400 queries: scores are tied, and rows without spread occur.
SHAPES = {"normal": normal, "heavy": heavy, "skewed": skewed, "stuck": stuck, "counted": normal}


def spreads(rows, pattern):
    """Standard deviations of tuning and of one repetition, by row."""
    row, none = np.arange(rows), np.zeros(rows)
    return {
        "equal": (np.full(rows, 0.0125), none),
        "half": (np.where(row < rows // 2, 0.004, 0.02), none),
        "one": (np.where(row < 1, 0.02, 0.004), none),
        "three": (np.where(row < 3, 0.02, 0.004), none),
        "ladder": (np.linspace(0, 0.02, rows), np.full(rows, 0.008)),
        "mixed": (np.where(row % 2 == 0, 0.0, 0.02), np.linspace(0.003, 0.018, rows)),
    }[pattern]


PATTERNS = ("equal", "half", "one", "three", "ladder", "mixed")


def studies_of(generator, tuning, repetition, size, *, shape="normal", correlation=0.0):
    """Study means around .7, [tables, rows, studies], of rows with the given deviations; studies of one number may share an effect."""
    shared = generator.normal(size=(size[0], 1, size[2]))
    effect = np.sqrt(correlation) * shared + np.sqrt(1 - correlation) * SHAPES[shape](generator, size)
    scores = 0.7 + tuning[..., None] * effect + repetition[..., None] * generator.normal(size=size) / np.sqrt(REPETITIONS)
    return np.round(scores * 400) / 400 if shape == "counted" else scores


def moments(scores):
    """Means and variances over studies; rows whose studies are equal have exactly none, as in `compare_studies`."""
    return scores.mean(axis=-1), np.where(np.ptp(scores, axis=-1) <= 1e-12, 0.0, scores.var(axis=-1, ddof=1))


def tables_with_a_difference(scores):
    """Share of tables in which any pair is significant: Holm rejects something where the least p is at most alpha / m.

    A t at which even a normal variable would not reach that cannot either, which leaves few p-values to compute.
    """
    mean, variance = moments(scores)
    studies = np.full(mean.shape[1], scores.shape[-1])
    pairs = _standardised(mean, _moderate(variance, studies), studies)
    level = 0.05 / pairs.error.shape[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.abs(pairs.difference / pairs.error)
    candidates = (pairs.error > 0) & (statistic > -ndtri(level / 2))
    candidates[candidates] = 2 * stdtr(pairs.freedom[candidates], -statistic[candidates]) <= level
    still = (pairs.error == 0) & (pairs.difference != 0) & (2 * 0.5 ** scores.shape[-1] <= level)
    return (candidates | still).any(axis=1).mean()


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("rows", ROWS)
def test_whole_tables_are_tested_as_single_ones(rows, shape):
    """Moments, p-values, Holm's decisions and the quick way to a table's first difference are those of `compare_studies`."""
    generator = np.random.default_rng([rows, len(shape)])
    tuning, repetition = spreads(rows, "mixed")
    tables = studies_of(generator, tuning, repetition, (40, rows, STUDIES), shape=shape) + 0.02 * (np.arange(rows) % 3)[:, None]
    mean, variance = moments(tables)
    studies = np.full(rows, STUDIES)
    together = _test(mean, _moderate(variance, studies), studies).p_value

    upper = np.triu_indices(rows, k=1)
    single = [compare_studies(list(table)) for table in tables]

    np.testing.assert_allclose(together, [tests.p_value[upper] for tests in single], rtol=1e-6, atol=1e-15)
    np.testing.assert_array_equal(found_by_holm(together), [holm(p) <= 0.05 for p in together])
    assert np.mean([bool(tests.signs().any()) for tests in single]) == tables_with_a_difference(tables)


# Left out, for the promise does not hold: few rows of unlike spread whose studies are strongly skewed, without any repetition
# noise to soften it. t-tests of five skewed values err towards their tail; two rows are Welch's test, which does the same.
# Measured over 10,000 tables: see the numbers. Exponential scores (skewness 2) would reach .12 in the first of them.
SKEWED_TOO_FAR = {
    ("half", 2): 0.074,
    ("half", 3): 0.0615,
    ("one", 2): 0.067,
    ("ladder", 2): 0.069,
}


@pytest.mark.parametrize("correlation", [0.0, 0.3])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rows", ROWS)
def test_family_wise_error(rows, pattern, shape, correlation):
    """Of 10,000 tables of equally good methods at most 6 % show any difference, whatever spreads, shape and what studies share."""
    generator = np.random.default_rng([rows, PATTERNS.index(pattern), list(SHAPES).index(shape), int(correlation * 10)])
    tuning, repetition = spreads(rows, pattern)
    scores = studies_of(generator, tuning, repetition, (TABLES, rows, STUDIES), shape=shape, correlation=correlation)

    wrong = tables_with_a_difference(scores)

    told(f"family-wise error {wrong:.4f}")
    if shape == "skewed" and correlation == 0 and (pattern, rows) in SKEWED_TOO_FAR:
        # What is measured stays what it is, so that whoever mends it notices.
        assert SKEWED_TOO_FAR[pattern, rows] == pytest.approx(wrong, abs=0.01)
    else:
        assert wrong <= 0.060


@pytest.mark.parametrize(("rows", "pattern", "power"), [(8, "equal", 0.90), (13, "equal", 0.82), (13, "half", 0.56), (24, "equal", 0.63)])
def test_power(rows, pattern, power):
    """Where half the rows (the quiet half) are better by .04, so many of the true pairs are found, within Monte Carlo error."""
    generator = np.random.default_rng([rows, PATTERNS.index(pattern)])
    better = np.arange(rows) < rows // 2
    tuning, repetition = spreads(rows, pattern)
    scores = studies_of(generator, tuning, repetition, (5000, rows, STUDIES)) + 0.04 * better[:, None]
    mean, variance = moments(scores)
    studies = np.full(rows, STUDIES)
    first, second = np.triu_indices(rows, k=1)

    found = found_by_holm(_test(mean, _moderate(variance, studies), studies).p_value)

    share = found[:, better[first] != better[second]].mean(axis=1)
    told(f"power {share.mean():.4f}")
    # Both figures are of 5,000 tables, and the promised one is rounded.
    assert power == pytest.approx(share.mean(), abs=0.005 + 3 * np.sqrt(2 / 5000) * share.std())


def told_apart_wrongly(truth, pattern):
    """Share of 10,000 tables in which Holm tells two equals apart, or takes the worse for the better: else ranks are in their intervals."""
    rows = len(truth)
    generator = np.random.default_rng([rows, PATTERNS.index(pattern), 1])
    tuning, repetition = spreads(rows, pattern)
    mean, variance = moments(studies_of(generator, tuning, repetition, (TABLES, rows, STUDIES)) + truth[:, None])
    studies = np.full(rows, STUDIES)
    pairs = _test(mean, _moderate(variance, studies), studies)
    first, second = np.triu_indices(rows, k=1)
    wrong = (found_by_holm(pairs.p_value) & (np.sign(pairs.difference) != np.sign(truth[first] - truth[second]))).any(axis=1).mean()
    told(f"wrong {wrong:.4f}")
    return wrong


# Left out: three rows of which the noisiest has a twin and the third has none, .069 (pattern one). With .5 between pairs, so that all
# others are found at once, the worst of these cells are .066 (13 rows, three) and .057 (4 rows, mixed).
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rows", [4, 6, 8, 13, 24])
def test_rank_intervals_contain_the_true_ranks(rows, pattern):
    """Where rows come in pairs of equals, .05 apart, all rank intervals of a table contain all true ranks in 94 % of 10,000 tables."""
    assert told_apart_wrongly(0.05 * (np.arange(rows) // 2), pattern) <= 0.060


@pytest.mark.parametrize(("pattern", "measured"), [("equal", 0.04), ("half", 0.05), ("ladder", 0.07), ("three", 0.10), ("one", 0.145)])
def test_what_is_not_promised_of_the_last_pair(pattern, measured):
    """Where of 13 rows all but two are far apart, those two are tested at 5 % alone, and beside quiet rows a noisy one errs more often.

    The variance of a lone noisy row is drawn towards a smaller one. The correction over many pairs makes up for that; at the last
    step of Holm, where nothing is corrected any more, nothing does.
    """
    truth = 0.5 * np.arange(13.0)
    truth[0] = truth[-1]

    assert measured == pytest.approx(told_apart_wrongly(truth, pattern), abs=0.015)


@pytest.mark.parametrize("studies", [2, 3, 5, 10])
@pytest.mark.parametrize("shape", ["normal", "heavy", "skewed", "counted"])
def test_a_rows_own_interval_covers_its_mean(shape, studies):
    """Of 40,000 intervals of a row's own variance 93 to 97 % contain the true mean.

    Left out: tunings in which the default wins in two of five studies and nothing else varies, where intervals cover .98 to .99.
    """
    generator = np.random.default_rng([studies, list(SHAPES).index(shape)])
    scores = studies_of(generator, np.array([0.0125]), np.array([0.0]), (40_000, 1, studies), shape=shape)
    mean, variance = moments(scores)

    # Counted studies may be equal: such an interval is a point, and covers only that.
    error = np.maximum(np.sqrt(variance / studies), 1e-12)
    covered = (2 * stdtr(studies - 1, -np.abs(mean - 0.7) / error) >= 0.05).mean()

    told(f"covered {covered:.4f}")
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(("shape", "studies"), [*((shape, 1) for shape in SHAPES), ("normal", 3)])
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("rows", [4, 6, 8, 13, 24])
def test_a_partial_rows_difference_is_covered_on_average(rows, pattern, shape, studies):
    """Over 40,000 rows of the table's spreads with one study, 94.5 to 98.3 % of intervals contain the true difference to a full row.

    With three studies they cover as much and up to .986. The noisiest row's own coverage, which nothing promises, is printed.
    """
    generator = np.random.default_rng([rows, PATTERNS.index(pattern), list(SHAPES).index(shape), studies, 2])
    size = 40_000 if studies == 1 else TABLES
    tuning, repetition = spreads(rows, pattern)
    mean, variance = moments(studies_of(generator, tuning, repetition, (size, rows, STUDIES), shape=shape))
    spread = _moderate(variance, np.full(rows, STUDIES))
    like, beside, table = generator.integers(rows, size=size), generator.integers(rows, size=size), np.arange(size)
    new = studies_of(generator, tuning[like, None], repetition[like, None], (size, 1, studies), shape=shape).mean(axis=(1, 2))

    error = np.sqrt(spread.pooled / studies + spread.moderated[table, beside] / STUDIES)
    freedom = _new_row_freedom(variance, np.full(rows, STUDIES - 1))
    covered = 2 * stdtr(freedom, -np.abs(new - mean[table, beside]) / error) >= 0.05

    noisiest = like == np.hypot(tuning, repetition / np.sqrt(REPETITIONS)).argmax()
    told(f"covered {covered.mean():.4f}, the noisiest row {covered[noisiest].mean():.3f}")
    # The promise has three digits.
    assert 0.945 <= round(covered.mean(), 3) <= (0.983 if studies == 1 else 1.0)


def exams_of_groups(generator, groups, exams):
    """Means of groups with effects of their own, each over 3 to 20 classes that vary too, in [0, 1]; the mean of all groups is .6."""
    effect = generator.beta(6, 4, size=(exams, groups))
    classes = generator.integers(3, 21, size=(exams, groups))
    noise = 0.15 / np.sqrt(classes)
    return np.clip(effect + generator.uniform(-np.sqrt(3), np.sqrt(3), size=effect.shape) * noise, 0, 1)


@pytest.mark.parametrize("groups", [3, 7, 8])
def test_intervals_over_groups_cover_the_mean_over_groups(groups):
    """Of 5,000 exams whose groups are drawn from many, 93 to 97 % have the mean over all groups in their interval."""
    generator = np.random.default_rng(groups)

    found = [group_interval(means) for means in exams_of_groups(generator, groups, 5000)]

    covered = np.mean([abs(interval.mean - 0.6) <= interval.half_width for interval in found])
    told(f"covered {covered:.4f}")
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("groups", [3, 7, 8])
def test_a_bootstrap_over_few_groups_covers_too_little(groups):
    """Why groups have a t-interval: percentile intervals of the same exams contain the mean in less than 91 %."""
    generator = np.random.default_rng(groups)

    ranges = [class_bootstrap(means, np.ones(groups), seed=0, draws=500) for means in exams_of_groups(generator, groups, 1000)]

    covered = np.mean([low <= 0.6 <= high for _, low, high in ranges])
    told(f"covered {covered:.4f}")
    assert covered < 0.91


@pytest.mark.parametrize("classes", [10, 40])
def test_the_jackknife_covers_a_ratio(classes):
    """A score that is no mean over classes, a ratio of sums over them, is in 93 to 97 % of 2,000 intervals over test classes."""
    generator = np.random.default_rng(classes)
    sizes = generator.integers(5, 31, size=(2000, classes)).astype(np.float64)
    hits = sizes * generator.beta(6, 4, size=sizes.shape)

    covered = 0
    for hit, size in zip(hits, sizes, strict=True):
        found = jackknife(hit.sum() / size.sum(), (hit.sum() - hit) / (size.sum() - size))
        covered += abs(found.mean - 0.6) <= found.half_width

    told(f"covered {covered / 2000:.4f}")
    assert 0.93 <= covered / 2000 <= 0.97


@pytest.mark.parametrize("rows", [3, 8, 13])
def test_detectable_differences_are_detected(rows):
    """A row that is better by what a table of equal methods names as its median is told from another in about 80 % of tables."""
    generator = np.random.default_rng(rows)
    tuning, repetition = spreads(rows, "equal")
    named = np.median(
        [
            detectable_differences(compare_studies(list(table))).median
            for table in studies_of(generator, tuning, repetition, (200, rows, STUDIES))
        ]
    )
    scores = studies_of(generator, tuning, repetition, (TABLES, rows, STUDIES))
    scores[:, 0] += named
    mean, variance = moments(scores)
    studies = np.full(rows, STUDIES)

    p_value = _test(mean, _moderate(variance, studies), studies).p_value[:, 0]

    found = (p_value <= 0.05 / (rows * (rows - 1) / 2)).mean()
    told(f"found {found:.4f}")
    assert 0.75 <= found <= 0.85
