"""What a reader must know of a table, in sentences."""

from __future__ import annotations

import dataclasses

import pytest
from made import CLOSED, PER_MODEL, QUERIES, SCORING, TRACK, final, several, studies, table_of, untrained, with_classes

from siambench.board import captions
from siambench.board.rows import DRAWS
from siambench.spec import BASELINES, Every, Listed


def test_the_caption_tells_the_intervals_apart():
    """The caption says what each interval is about, and that neither is about tuning; without classes it says what is missing."""
    both = " ".join(captions.captions(table_of(with_classes("triplet", PER_MODEL, QUERIES)), classes=True))
    for words in ("randomness of training", "choice of test classes", "gallery as it was", "Neither is about tuning", f"{DRAWS:,} draws"):
        assert words in both
    one = " ".join(captions.captions(table_of(studies("triplet", [0.3, 0.31, 0.32])), classes=False))
    assert "not about tuning, and not about the choice of test classes" in one


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
    """Seeds, pairs, difference and probability stand in it; a single pair is one; where nothing is detectable there is none."""
    table = table_of(several())
    sentence = captions.detectable_text(table)
    assert "With 3 seeds and 6 pairs, between two methods whose differences spread over seeds as those of the median pair do" in sentence
    assert f"a true difference of {table.detectable.difference:.3f} in map@r is found with probability 80 %" in sentence
    assert sentence in captions.captions(table, classes=False)
    two = table_of(studies("triplet", [0.50, 0.51, 0.53]) + studies("npair", [0.10, 0.12, 0.11]))
    assert captions.detectable_text(two).startswith("With 3 seeds and 1 pair, ")
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
        ("failed-seeds:2", "failed-seeds"),
        ("row:0123abcd", "row"),
        ("short-budget", "short-budget"),
    ],
)
def test_a_flag_without_its_details_is_explained(flag, stem):
    """What is left of a flag without number, name or key is a flag that has words."""
    assert stem == captions.stem(flag)
    assert captions.FLAGS[stem]
