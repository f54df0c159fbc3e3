"""``--space``: what its words come to, and what is said of words that cannot be meant."""

from __future__ import annotations

import pytest

from siambench.errors import CombinationError, ConfigError
from siambench.records.damage import check_exam
from siambench.spaces import Choice, Float, Int
from siambench.studies.narrowed import SpaceAsked, narrow, narrowed, space_asked
from siambench.studies.request import Request, prepare
from siambench.testing import synthetic_catalogue

TRACK = """
name = "tiny"
version = "1.0"
[dataset]
name = "synthetic"
[split]
rule = "class-halves"
[model]
backbone = "mlp"
embedding_size = 8
[training]
epochs = 1
steps_per_epoch = 2
batch_size = 8
[budget]
trials = 4
studies = 1
repetitions = 1
"""
SWITCH = (True, False)
MARGIN = Float(0.02, 0.7, log=True)


@pytest.fixture(scope="module")
def catalogue():
    """Everything installed, and the synthetic data set."""
    return synthetic_catalogue()


@pytest.fixture
def asked(tmp_path, catalogue):
    """Resolve a request on a tiny track."""

    def make(*losses, **fields):
        (tmp_path / "track.toml").write_text(TRACK)
        return prepare(Request(track=str(tmp_path / "track.toml"), losses=losses or ("triplet",), **fields), catalogue)

    return make


# ---- one dimension


@pytest.mark.parametrize(
    ("whole", "text", "part"),
    [
        (MARGIN, "0.05..0.5", Float(0.05, 0.5, log=True)),
        (Float(-1.0, 1.0), "-.5...5", Float(-0.5, 0.5)),
        (Float(1e-6, 1.0, log=True), "1e-5 .. 1e-2", Float(1e-5, 1e-2, log=True)),
        (Int(2, 250, log=True), "4..32", Int(4, 32, log=True)),
        (MARGIN, "0.5|0.1|0.25", Choice(0.1, 0.25, 0.5)),
        (MARGIN, "[0.5, 0.1]", Choice(0.1, 0.5)),
        (Int(2, 250), "16|4", Choice(4, 16)),
        (Choice("all", "hard", "semi"), "semi|all", Choice("all", "semi")),
        (Choice("all", "hard", "semi"), '["hard", "all"]', Choice("all", "hard")),
        (Choice(*SWITCH), "false|true", Choice(*SWITCH)),
        (Choice(1.0, 2.0, 4.0), "4|1", Choice(1.0, 4.0)),
    ],
)
def test_a_part_of_a_dimension_keeps_its_scale_and_its_kind(whole, text, part):
    """A range has the scale and the kind of the whole; values make a choice, sorted or in the whole's order, however they are said."""
    found = narrowed("loss.x", whole, text)
    assert part == found
    values = found.options if isinstance(found, Choice) else (found.low, found.high)
    expected = part.options if isinstance(part, Choice) else (part.low, part.high)
    assert list(map(type, expected)) == list(map(type, values))


@pytest.mark.parametrize(
    ("whole", "text", "sentence"),
    [
        (MARGIN, "0.5..0.05", "--space loss.x=0.5..0.05 has its ends reversed: low..high"),
        (MARGIN, "0.1..0.1", "--space loss.x=0.1..0.1 is one value: --set loss.x=0.1 fixes a parameter at it"),
        (MARGIN, "0..0.5", "--space loss.x=0..0.5: its scale is logarithmic, so that low is above 0; its space is 0.02 to 0.7, log"),
        (MARGIN, "0.1..2", "--space loss.x=0.1..2 reaches outside its space, 0.02 to 0.7, log: 2.0 is not in it"),
        (MARGIN, "0.1|2", "--space loss.x=0.1|2 reaches outside its space, 0.02 to 0.7, log: 2.0 is not in it"),
        (MARGIN, "0.1..", "--space loss.x=0.1..: an end is missing; its space is 0.02 to 0.7, log"),
        (MARGIN, "low..0.2", "--space loss.x=low..0.2: 'low' is not a number; a range is low..high, a choice a|b|c"),
        (MARGIN, "0.1..inf", "--space loss.x=0.1..inf: 'inf' is not finite"),
        (MARGIN, "0.1|0.10", "--space loss.x=0.1|0.10 names 0.1 twice"),
        (MARGIN, "[0.1]", "--space loss.x=[0.1]: a choice has at least two values; --set loss.x=0.1 fixes a parameter at one"),
        (MARGIN, "[0.1", "--space loss.x=[0.1 cannot be read as a list of values such as [0.1, 0.2]"),
        (MARGIN, "[[0.1]]", "--space loss.x=[[0.1]]: a list holds values of the parameter, such as [0.1, 0.2]"),
        (MARGIN, "0.1|", "--space loss.x=0.1|: a value is missing; a range is low..high, a choice a|b|c"),
        (Int(2, 9), "3..5.5", "--space loss.x=3..5.5: '5.5' is not a whole number; a range is low..high, a choice a|b|c"),
        (Choice("all", "hard"), "a..b", "--space loss.x=a..b: it is a choice, all | hard, and has no range; a part of it is all|hard"),
        (
            Choice("all", "hard"),
            "all|hart",
            "--space loss.x=all|hart: 'hart' is no value of it, did you mean 'hard'?; it has all | hard",
        ),
        (MARGIN, "9" * 5000 + "..1", f"--space loss.x={'9' * 60}: '{'9' * 60}' is not finite"),
    ],
)
def test_what_cannot_be_a_part_is_one_sentence(whole, text, sentence):
    """Reversed, outside, at a logarithm's zero, doubled, unreadable or single: each is said with what was given and what may be."""
    with pytest.raises(ConfigError) as caught:
        narrowed("loss.x", whole, text)
    assert sentence == str(caught.value)


def test_a_default_outside_moves_to_the_nearest_value_on_the_scale():
    """Trial 0 stays the default where that is inside, else it is the nearest end, or the nearest value by the logarithm."""
    for text, default in [("0.05..0.5", 0.1), ("0.2..0.5", 0.2), ("0.02..0.05", 0.05), ("0.2|0.04", 0.2), ("0.3|0.04", 0.04)]:
        space, defaults = {"loss.margin": MARGIN}, {"loss.margin": 0.1, "loss.other": 1}
        assert ["loss.margin"] == narrow(space, defaults, {"loss.margin": text})
        assert {"loss.margin": default, "loss.other": 1} == defaults
    space, defaults = {"loss.mode": Choice("all", "hard", "semi")}, {"loss.mode": "hard"}
    narrow(space, defaults, {"loss.mode": "all|semi"})
    assert {"loss.mode": "all"} == defaults


# ---- all that is said


def test_a_name_and_ranges_may_be_said_together():
    """One name, and any number of ranges; the command line goes before a comparison, parameter by parameter."""
    told = space_asked(["reality-check", "loss.margin = 0.1..0.5", "miner.x=a|b"])
    assert SpaceAsked("reality-check", {"loss.margin": "0.1..0.5", "miner.x": "a|b"}) == told
    assert SpaceAsked("reality-check") == space_asked("reality-check")
    assert SpaceAsked() == space_asked(None) == space_asked(())
    other = SpaceAsked("other", {"loss.margin": "0.2..0.3", "optimiser.lr": "0.01..0.1"})
    assert SpaceAsked("reality-check", {**other.ranges, **told.ranges}) == told.over(other)
    assert SpaceAsked("other", {**other.ranges, "miner.x": "a"}) == SpaceAsked(ranges={"miner.x": "a"}).over(other)


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["loss.x=1..2", "loss.x=1..3"], r"^--space narrows loss\.x twice: 1\.\.2 and 1\.\.3$"),
        (["reality-check", "other"], r"^--space names two spaces, reality-check and other: a method is tuned in one$"),
        (
            ["loss.x=0.2"],
            r"^--space loss\.x=0\.2: a range is low\.\.high, .*; --set loss\.x=0\.2 fixes a parameter at one value$",
        ),
        (["loss.x="], r"^--space takes the name of a space or PARAMETER=RANGE \(.*\), got 'loss\.x='$"),
        (["=1..2"], r"got '=1\.\.2'$"),
        (["1..2"], r"^--space 1\.\.2 is a range of no parameter: --space PARAMETER=RANGE, such as loss\.margin=0\.1\.\.0\.5$"),
        (["loss.x=[1,"], r"cannot be read as a list"),
    ],
)
def test_words_that_cannot_be_meant_are_one_sentence(texts, sentence):
    """What no method could make sense of is said before anything is looked up."""
    with pytest.raises(ConfigError, match=sentence):
        space_asked(texts)


# ---- of methods


def test_a_narrowed_space_is_a_row_of_its_own(asked):
    """The row, its units and its trials have the narrower space and are marked; the exam and all that is not narrowed stay."""
    plain, other = asked().studies[0], asked(space="loss.margin=0.2..0.5").studies[0]
    assert Float(0.2, 0.5, log=True) == other.space["loss.margin"]
    assert {**plain.space, "loss.margin": None} == {**other.space, "loss.margin": None}
    assert ((), ("loss.margin",)) == (plain.edited, other.edited)
    assert {"type": "float", "low": 0.2, "high": 0.5, "log": True} == other.template.space["loss.margin"]
    assert (0.1, 0.2) == (plain.defaults["loss.margin"], other.defaults["loss.margin"])
    assert plain.row != other.row
    assert (plain.template.seeds, asked().exam) == (other.template.seeds, asked(space="loss.margin=0.2..0.5").exam)


def test_what_is_said_to_be_as_it_was_is_no_edit(asked):
    """The whole of a space, said by hand, is that space: the same row, without a mark."""
    assert asked().studies == asked(space="loss.margin=0.02..0.7").studies


def test_two_words_for_one_space_are_one_row(asked):
    """The order of a choice, and how its numbers are written, make no other row."""
    one, other = (asked(space=[text]).studies[0].row for text in ("loss.margin=0.1|0.2", "loss.margin=[0.20, 1e-1]"))
    assert one == other


def test_a_part_of_a_named_space(asked):
    """A range narrows the space that is asked for by name, which reaches further than the loss's own."""
    study = asked(space=("reality-check", "loss.margin=1..2")).studies[0]
    assert (Float(1.0, 2.0), 1.0) == (study.space["loss.margin"], study.defaults["loss.margin"])
    assert ("reality-check", ("loss.margin",)) == (study.template.space_name, study.edited)
    with pytest.raises(ConfigError, match=r"reaches outside its space, 0\.02 to 0\.7, log: 2\.0"):
        asked(space="loss.margin=0.1..2")
    with pytest.raises(CombinationError, match=r"the loss angular has no space 'reality-check'"):
        asked("angular", space=("reality-check", "optimiser.lr=0.001..0.01"))


def test_the_range_of_a_track_is_narrowed_for_a_row_alone(asked):
    """The rate that every method tunes can be narrowed for a row: the exam stays, and its records do not contradict it."""
    plain, other = asked(), asked(space="optimiser.lr=0.001..0.01")
    study = other.studies[0]
    assert (plain.exam, Float(1e-3, 1e-2, log=True)) == (other.exam, study.space["optimiser.lr"])
    unit = study.tune_unit(0, 0, study.defaults)
    check_exam(unit, other.exam, "a record")


def test_in_a_grid_a_range_is_of_those_that_have_the_parameter(asked):
    """Methods without the parameter are what they were; one that nobody tunes is an error that names the nearest."""
    plain, other = asked("triplet", "angular"), asked("triplet", "angular", space="loss.margin=0.1..0.5")
    assert [("loss.margin",), ()] == [study.edited for study in other.studies]
    assert plain.studies[1] == other.studies[1]
    with pytest.raises(
        ConfigError, match=r"^--space loss\.margn: no method here tunes a parameter 'loss\.margn', did you mean 'loss\.margin'\?"
    ):
        asked(space="loss.margn=0.1..0.5")
    with pytest.raises(ConfigError, match=r"^--space loss\.swap: it has no space, since it is not tuned; --set loss\.swap=VALUE fixes it"):
        asked(space="loss.swap=true|false")
    with pytest.raises(ConfigError, match=r"^--space miner\.margin: no method here tunes a parameter 'miner\.margin'"):
        asked(space="miner.margin=0.1..0.5")


def test_a_parameter_is_fixed_or_narrowed_but_not_both(asked):
    """`--set` and `--space` of one parameter contradict each other, which is said."""
    with pytest.raises(ConfigError, match=r"^loss\.margin is both fixed by --set and narrowed by --space: give one of the two$"):
        asked(space="loss.margin=0.1..0.5", changes={"loss.margin": 0.3})


def test_a_comparison_says_it_in_the_same_words(asked, tmp_path, catalogue):
    """The key `space` of a comparison takes what the option does, alone or as a list, and makes the same rows."""
    by_hand = asked(space=("reality-check", "loss.margin=1..2"))
    words = 'space = ["reality-check", "loss.margin=1..2"]'
    (tmp_path / "c.toml").write_text(f'track = "{tmp_path / "track.toml"}"\n{words}\n[[methods]]\nloss = "triplet"\n')
    found = prepare(Request(comparison=str(tmp_path / "c.toml")), catalogue)
    assert [study.row for study in by_hand.studies] == [study.row for study in found.studies]
    narrower = prepare(Request(comparison=str(tmp_path / "c.toml"), space="loss.margin=1..1.5"), catalogue).studies[0]
    assert (Float(1.0, 1.5), "reality-check") == (narrower.space["loss.margin"], narrower.template.space_name)
