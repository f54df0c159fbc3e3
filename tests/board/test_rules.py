"""A track's rules in short: what is asked, with what budget, and how it is scored."""

from __future__ import annotations

from made import BY_SCRIPT, CLOSED, TRACK, several, studies, table_of

from siambench.board.files import leaderboard
from siambench.board.rules import rules_of
from siambench.tracks.files import load_track
from siambench.tracks.rules import DatasetRules


def test_the_rules_of_glyphs_are_told():
    """Data, split, network, length, augmentation, ranges and budget of the shipped track stand in its rules as its file has them."""
    told = dict(rules_of(leaderboard("glyphs")[0]))
    track = load_track("glyphs")
    assert "glyphs" == told["Data"]
    assert "2 validation folds of the training classes, each group of classes (family) in one of them" in told["Split"]
    assert "conv4 (width = 16, growth = 2, blocks = 3), embeddings of 64 numbers" == told["Network"]
    assert "120 steps (4 epochs of 30), 128 items a step, adam under one-cycle in fp32" == told["Training of a trial"]
    assert "rotate = 10, scale = 0.9–1.1" in told["Augmentation"]
    assert "lr 0.0003–0.03 by its logarithm (default 0.004)" in told["Tuned for every method"]
    assert "5 independent studies, each of 12 trials and 2 final models" == told["Budget of a method"]
    assert track.metrics.primary in told["Scored by"]
    assert "protocol retrain" in told["Scored by"]
    assert told["Exam"].startswith(leaderboard("glyphs")[0].exam.short)


def test_what_is_not_as_usual_is_told():
    """Rules that differ from those of a track that says nothing stand by their keys, and others do not."""
    told = dict(rules_of(table_of(several())))
    assert told["Training of a trial"].endswith("in fp32; validate_every = 1, racing = no")
    assert "none" == told["Augmentation"]
    assert "Exam" not in told
    with_options = TRACK.model_copy(update={"dataset": DatasetRules(name="digits", options={"size": 8, "grey": True})})
    assert "digits (size = 8, grey = yes)" == dict(rules_of(table_of([], track=with_options)))["Data"]


def test_a_closed_set_says_so():
    """Where training and test share their classes the split says so, and where folds follow an attribute it names that."""
    assert "training and test share their classes" in dict(rules_of(table_of(studies("triplet", [0.3], data=CLOSED))))["Split"]
    assert "(script)" in dict(rules_of(table_of([], track=BY_SCRIPT)))["Split"]


def test_the_rules_of_every_shipped_track_are_told():
    """Of each track that ships every rule has a title and a text without what Python writes."""
    from siambench.tracks.files import track_names

    for name in track_names():
        for title, text in rules_of(leaderboard(name)[0]) if name != "glyphs" else ():
            assert title
            assert text
            assert not {"{", "None", "True", "False"} & set(text.replace("(", " ").replace(")", " ").split())
