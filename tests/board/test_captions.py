"""What a reader must know of a table, in sentences."""

from __future__ import annotations

import dataclasses

import pytest
from made import (
    BY_SCRIPT,
    CLOSED,
    PER_MODEL,
    QUERIES,
    SCORES,
    SCORING,
    TRACK,
    final,
    local,
    several,
    studies,
    study,
    table_of,
    untrained,
    with_classes,
)

from siambench.board import captions
from siambench.board.scores import DRAWS
from siambench.spec import BASELINES, Every, Listed


def test_the_caption_tells_the_intervals_apart():
    """The caption says what each interval is over and about; without classes it says what is missing."""
    both = " ".join(captions.captions(table_of(with_classes("triplet", PER_MODEL, QUERIES)), classes=True))
    for words in (
        "over studies",
        "what tuning and training leave to chance",
        "choice of test classes",
        "gallery as it was",
        f"{DRAWS:,} draws",
    ):
        assert words in both
    one = " ".join(captions.captions(table_of(studies("triplet", [0.3, 0.31, 0.32])), classes=False))
    assert "It is not about the choice of test classes." in one


def test_a_row_of_one_study_is_captioned_as_of_this_tuning():
    """Where a row has one study its interval is said to be over repetitions, of this tuning; beside rows of several both are told."""
    one = captions.captions(table_of(study("triplet", [0.3, 0.31, 0.32])), classes=False)[0]
    assert "Mean ± half-width of the 95 % t-interval over repetitions: of this tuning, and it says nothing of the next." in one
    assert "over studies, independent" not in one
    both = " ".join(captions.captions(table_of([*study("triplet", [0.3, 0.31]), *studies("npair", [0.1, 0.12, 0.11])]), classes=False))
    assert "over studies, independent" in both
    assert "Of a row with one study: mean ± half-width of the 95 % t-interval over repetitions: of this tuning" in both
    assert "repetitions" not in captions.captions(table_of(several()), classes=False)[0]


def test_a_row_of_one_final_model_is_said_to_have_no_interval():
    """Where a score has no ± its caption says why, and it is silent where every score has one."""
    told = [captions.captions(table_of(study("triplet", scores)), classes=False)[0] for scores in ([0.3], [0.3, 0.31, 0.32])]
    assert [True, False] == ["One final model has no ±" in one for one in told]


def test_a_difference_without_an_interval_is_explained():
    """Where no half-width stands behind Δ the caption says why, and does not speak of repetitions that there are none of."""
    single = table_of([*study("triplet", [0.3]), *untrained([0.04])])
    told = " ".join(captions.captions(single, classes=False))
    assert single.lines[-1].difference.half_width is None
    assert "Without ± nothing tells how far off it may be" in told
    assert "of these two tunings" not in told


def test_a_local_row_is_said_to_have_a_provisional_rank_only_where_it_has_one():
    """The flag's sentence speaks of a rank beside one that is ranked alone; its key in the legend says the same."""
    for records, ranked in (([*several(), *local()], True), ([*several(), *local()[:-5]], False)):
        table = table_of(records)
        (line,) = (line for line in table.lines if "local" in line.row.flags)
        assert ranked == (line.rank is not None)
        assert ranked == ("provisional" in captions.flag_texts(table)["local"]) == ("provisional" in captions.legend(table))


def test_ranks_are_explained_where_there_are_any():
    """Tests and groups are spoken of where two rows are full, and not above a table without ranks."""
    tables = table_of(several()), table_of(studies("triplet", [0.3, 0.31, 0.32]))
    assert [True, False] == [captions.RANK_CAPTION in captions.captions(table, classes=False) for table in tables]
    assert [True, False] == [f"`group`: {captions.GROUP}." in captions.legend(table) for table in tables]


def test_a_difference_is_captioned_with_what_its_interval_promises():
    """Beside a row that is not full it says how often such intervals cover; between single tunings, that they are of these alone."""
    names = {**SCORES, "angular": [0.40, 0.41, 0.39]}
    full = [one for name, means in names.items() for one in studies(name, means)]
    partial = " ".join(captions.captions(table_of([*full, *studies("lifted", [0.3])]), classes=False))
    assert "Δ: the row minus `supcon`, ± half-width of its 95 % interval, of this pair alone." in partial
    assert "as few as 63 % for the noisiest of them" in partial
    single = table_of([*study("triplet", [0.3, 0.31, 0.35]), *untrained([0.04], repetitions=3)])
    told = " ".join(captions.captions(single, classes=False))
    assert "Between two rows of one study each it is over repetitions: of these two tunings" in told
    assert "63 %" not in told
    assert "Δ" not in " ".join(captions.captions(table_of(full), classes=False))


def test_groups_of_classes_are_captioned_with_what_they_are():
    """Where classes come in groups the caption names the attribute, the number of groups, and says nothing of single classes."""
    records = with_classes("triplet", PER_MODEL, QUERIES, attributes={"script": tuple("aabbccdd")})
    told = captions.captions(table_of(records, track=BY_SCRIPT), classes=True)[1]
    assert "map@r, mean over each script: the 4 groups of test classes count equally" in told
    assert "bootstrap" not in told


def test_the_spread_is_told_and_decides_nothing():
    """The standard deviation of all rows together and the p-value of equal spreads stand in a sentence; without studies there is none."""
    table = table_of(several())
    told = captions.spread_text(table)
    assert f"of all ranked rows together: {table.spread.sd:.4f}. Brown–Forsythe's test of equal spreads: p = " in told
    assert told in captions.captions(table, classes=False)
    assert "" == captions.spread_text(table_of(studies("triplet", [0.3, 0.31, 0.32])))


def test_a_closed_set_table_says_so():
    """Title and captions of a closed-set table say it, of a class-disjoint one they do not, and a title that says it is left alone."""
    closed = table_of([*studies("triplet", [0.3, 0.31, 0.32], data=CLOSED), final("raw", 0, 0.1, data=CLOSED)])
    assert "made (closed-set)" == captions.title_of(closed)
    assert any(caption.startswith("Closed-set: ") for caption in captions.captions(closed, classes=False))
    named = table_of(studies("triplet", [0.3], data=CLOSED), track=TRACK.model_copy(update={"title": "Closed-set digits"}))
    assert "Closed-set digits" == captions.title_of(named)
    disjoint = table_of([*studies("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)])
    assert "made" == captions.title_of(disjoint)
    assert "closed-set" not in " ".join([*captions.captions(disjoint, classes=False), captions.legend(disjoint)]).lower()


def test_the_detectable_difference_is_a_sentence():
    """Studies, pairs, difference and probability stand in it; a single pair is one; where nothing is detectable there is none."""
    table = table_of(several())
    sentence = captions.detectable_text(table)
    assert "With 3 studies and 6 pairs, a true difference of " in sentence
    assert "between two methods that spread over studies as the median pair does" in sentence
    assert f"a true difference of {table.detectable.difference:.3f} in map@r between" in sentence
    assert sentence in captions.captions(table, classes=False)
    two = table_of(studies("triplet", [0.50, 0.51, 0.53]) + studies("npair", [0.10, 0.12, 0.11]))
    assert captions.detectable_text(two).startswith("With 3 studies and 1 pair, ")
    assert "" == captions.detectable_text(table_of(studies("triplet", [0.3, 0.31, 0.32])))


def test_the_protocol_is_named_where_there_is_a_ranked_row():
    """Protocol, another distance than the cosine, and a list of pairs are named; what is usual is not, and baselines have none."""
    rules = dataclasses.replace(SCORING, distance="euclidean", protocol="reality-check", pairs=Listed(64 * "0"))
    told = captions.captions(table_of(studies("triplet", [0.3, 0.31, 0.32], scoring=rules)), classes=False)[-1]
    assert "protocol `reality-check`, the models of the folds" in told
    assert "Distance: euclidean." in told
    assert "Verification pairs: `a list with SHA-256 0000000000000000…`." in told
    every = dataclasses.replace(SCORING, pairs=Every())
    assert "pairs: `all`." in captions.captions(table_of(studies("triplet", [0.3], scoring=every)), classes=False)[-1]
    usual = captions.captions(table_of(studies("triplet", [0.3, 0.31, 0.32])), classes=False)[-1]
    assert "protocol `retrain`" in usual
    assert not {"Distance", "pairs:"} & set(usual.split())
    assert "protocol" not in " ".join(captions.captions(table_of([final("raw", 0, 0.1)]), classes=False))


def test_every_protocol_has_words():
    """Each protocol that a unit can have is explained."""
    assert {"retrain", "reality-check"} == set(captions.PROTOCOLS)


def test_the_legend_explains_the_baselines_that_occur():
    """Each baseline that siambench knows has words, and only those in the table are explained, in their order."""
    assert set(BASELINES) == set(captions.BASELINE_TEXTS)
    records = [final("pretrained", 0, 0.2), *untrained([0.04, 0.05, 0.06]), final("raw", 0, 0.1)]
    table = table_of(studies("triplet", [0.3, 0.31, 0.32]) + records)
    assert ["triplet", "raw", "untrained", "pretrained"] == [line.row.name for line in table.lines]
    legend = captions.legend(table)
    assert legend.index("`raw`:") < legend.index("`untrained`:") < legend.index("`pretrained`:")
    without = captions.legend(table_of(studies("triplet", [0.3, 0.31, 0.32]) + records[1:]))
    assert "`untrained`:" in without
    assert "`pretrained`:" not in without


def test_the_legend_explains_the_flags_that_occur():
    """Flags are explained once, without their details, and those that do not occur are not."""
    table = table_of(studies("triplet", [0.3], edited=("optimiser.lr",), revision=0))
    assert ["edited-space", "revision", "short-budget"] == captions.flags_of(table)
    legend = captions.legend(table)
    for flag in ("edited-space", "revision", "short-budget"):
        assert f"`{flag}`: {captions.FLAGS[flag]}." in legend
    assert "`local`" not in legend


@pytest.mark.parametrize(
    ("flag", "stem"),
    [
        ("local", "local"),
        ("revision-3", "revision"),
        ("on-bound:loss.margin", "on-bound"),
        ("failed-repetitions:2", "failed-repetitions"),
        ("test-below-validation", "test-below-validation"),
        ("row:0123abcd", "row"),
        ("short-budget", "short-budget"),
    ],
)
def test_a_flag_without_its_details_is_explained(flag, stem):
    """What is left of a flag without number, name or key is a flag that has words."""
    assert stem == captions.stem(flag)
    assert captions.FLAGS[stem]
