"""The findings, on rows made by hand."""

from __future__ import annotations

import dataclasses
import itertools
import math

import pytest
from measured import CLASSES, CONTRASTIVE, each, facts, healthy, quantiles

from siambench.plugin import Fingerprint, Margin
from siambench.spaces import Choice, Float, Int
from siambench.verdicts import FINDINGS, OK, STUDY_RULES, StudyFacts, judged, judged_study


def names(rows=None, **changed):
    found = judged(facts(rows, **changed))
    assert found.verdict == OK
    return [one.name for one in found.findings]


def test_the_findings_are_those_of_the_issue():
    """The ten findings stand in their order, and a study has one more."""
    assert [rule.name for rule in FINDINGS] == [
        *("plateau", "one-sided", "unshared", "same-draw", "margin-too-small", "margin-unreachable", "scale-mismatch", "train-mode"),
        *("low-dimension", "dead-units"),
    ]
    assert [rule.name for rule in STUDY_RULES] == ["on-bound"]


def test_a_plateau_moves():
    """At the value of equality with embeddings nearly equal it is a plateau while anything moves; elsewhere, or of another loss, none."""
    at = {"spread": 1e-5, "loss": 0.1004}

    assert names(each(healthy(), **at)) == ["plateau"]
    # As seen after 60 steps of batch-hard mining.
    assert names(each(healthy(), spread=5e-4, loss=0.1077)) == ["plateau"]
    assert names(each(healthy(), **at), at_equality=None) == []
    assert names(each(healthy(), **{**at, "loss": 0.12})) == []
    assert names(each(healthy(), **{**at, "spread": 0.2})) == []
    assert names(each(healthy(), **at), fingerprint=Fingerprint(forms_tuples=True, at_equality=lambda *_: 0.1)) == []
    assert names(each(healthy(), **at, parts={}, moved=0.0)) == []


def test_one_branch_without_a_gradient_is_one_sided():
    """The branch that gets none is named; none at all, or all of them, is not one-sided, nor is a batch of one branch."""
    found = judged(facts(each(healthy(), branches=(0.3, 0.0))))

    assert [one.name for one in found.findings] == ["one-sided"]
    assert "branch 2 of 2 got no gradient, branch 1 one of length 0.3" in found.findings[0].evidence
    assert "SimSiam" in found.findings[0].remedy
    assert names(each(healthy(), branches=(0.0, 0.0))) == []
    assert names(each(healthy(), branches=(0.3, 0.1))) == []
    assert names(each(healthy(), branches=(0.3, None))) == []
    rows = each(healthy(), branches=(0.3, 0.0))
    assert names((*rows[:-1], dataclasses.replace(rows[-1], branches=(0.3, 0.2)))) == []


def test_what_only_one_s_own_objects_tell_is_told_where_it_is_known():
    """Networks that share nothing, one draw for both members, and a model judged in training mode are findings where the facts say so."""
    assert names(shared=False) == ["unshared"]
    assert names(shared=True) == names(shared=None) == []
    assert names(draw_correlation=1.0) == ["same-draw"]
    assert names(draw_correlation=0.3) == []
    assert names(judged_in_training=True, modes_apart=0.4) == ["train-mode"]
    assert names(judged_in_training=True, modes_apart=1e-5) == names(judged_in_training=False, modes_apart=0.4) == []


@pytest.mark.parametrize(
    ("margin", "value", "is_small"),
    [
        (Margin("m", "triplet"), 0.0, True),
        (Margin("m", "triplet"), -0.1, True),
        (Margin("m", "triplet"), 0.005, True),
        (Margin("m", "triplet"), 0.02, False),
        (Margin("m", "negative"), 0.01, True),
        (Margin("m", "negative"), 0.4, False),
        (Margin("m", "negative", "squared"), 0.0001, True),
        (Margin("m", "negative", "squared"), 0.16, False),
        # Cosine .999 is a distance of .045; cosine .5 one of 1.
        (Margin("m", "negative", "cosine"), 0.999, True),
        (Margin("m", "negative", "cosine"), 0.5, False),
        (Margin("m", "positive"), 0.0, False),
    ],
)
def test_a_margin_is_small_beside_the_distance_of_unrelated_unit_vectors(margin, value, is_small):
    """What counts is the margin as a Euclidean distance over the square root of 2; a margin of positives may be 0."""
    found = names(fingerprint=Fingerprint(forms_tuples=True, margins=(margin,)), params={"loss.m": value})

    assert found == (["margin-too-small"] if is_small else [])


def test_a_margin_of_embeddings_with_a_length_is_measured_by_the_distances_before_training():
    """Negatives 1,000 apart before the first step make a margin of 1 too small, and out of scale; negatives 2 apart do not."""
    rows = tuple(dataclasses.replace(one, negative=quantiles(1000.0)) for one in healthy())
    near = tuple(dataclasses.replace(one, negative=quantiles(2.0)) for one in healthy())
    given = {"fingerprint": CONTRASTIVE, "params": {"loss.neg_margin": 1.0, "loss.pos_margin": 0.0}, "normalised": False}

    assert names(rows, **given) == ["margin-too-small", "scale-mismatch"]
    assert names(near, **given) == []


def furthest(vectors):
    """Mean distance and mean cosine over the pairs of some vectors, by hand."""
    pairs = list(itertools.combinations(vectors, 2))
    return (
        sum(math.dist(a, b) for a, b in pairs) / len(pairs),
        sum(sum(x * y for x, y in zip(a, b, strict=True)) for a, b in pairs) / len(pairs),
    )


def test_the_bounds_on_the_sphere_are_those_of_a_regular_simplex():
    """Of three classes at the corners of a triangle and four of a tetrahedron the mean over pairs is the bound that is told."""
    triangle = [(math.cos(at), math.sin(at)) for at in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)]
    tetrahedron = [tuple(x / math.sqrt(3) for x in corner) for corner in ((1, 1, 1), (1, -1, -1), (-1, 1, -1), (-1, -1, 1))]
    for corners in (triangle, tetrahedron):
        distance, cosine = furthest(corners)
        rows = each(healthy(), classes=float(len(corners)))
        for kind, at, step in (("euclidean", distance, 1), ("squared", distance**2, 1), ("cosine", cosine, -1)):
            one = Fingerprint(forms_tuples=True, margins=(Margin("m", "negative", kind),))
            assert names(rows, fingerprint=one, params={"loss.m": at + 0.01 * step}) == ["margin-unreachable"], kind
            assert names(rows, fingerprint=one, params={"loss.m": at - 0.01 * step}) == [], kind


def test_a_margin_of_ten_is_a_note_and_no_failure():
    """A margin that no pair can reach still trains: verdict `ok`, a note with the bound 2."""
    found = judged(facts(fingerprint=CONTRASTIVE, params={"loss.neg_margin": 10.0, "loss.pos_margin": 0.0}))

    assert found.verdict == OK
    assert [(one.name, one.severity) for one in found.findings] == [("margin-unreachable", "note")]
    assert "the bound of one pair on the sphere is 2" in found.findings[0].evidence
    # Of embeddings that have a length nothing is out of reach.
    assert "margin-unreachable" not in names(fingerprint=CONTRASTIVE, params={"loss.neg_margin": 10.0}, normalised=False)
    assert names(fingerprint=CONTRASTIVE, params={"loss.neg_margin": 1.0, "loss.pos_margin": -0.1}) == ["margin-unreachable"]


@pytest.mark.parametrize(
    ("told", "params", "found"),
    [
        (Fingerprint(forms_tuples=True, temperature="temperature"), {"loss.temperature": 1e-4}, ["scale-mismatch"]),
        (Fingerprint(forms_tuples=True, temperature="temperature"), {"loss.temperature": 8.0}, ["scale-mismatch"]),
        (Fingerprint(forms_tuples=True, temperature="temperature"), {"loss.temperature": 0.1}, []),
        (CLASSES, {"loss.scale": 64.0}, []),
        (CLASSES, {"loss.scale": 0.01}, ["scale-mismatch"]),
        (CLASSES, {"loss.scale": 2000.0}, ["scale-mismatch"]),
        (CLASSES, {}, []),
    ],
)
def test_a_temperature_or_scale_is_judged_by_what_similarities_are_multiplied_by(told, params, found):
    """A temperature of 1e-4 is too sharp and one of 8 too flat, a scale likewise; what is not known is not judged."""
    assert names(fingerprint=told, params=params) == found


def test_embeddings_with_a_length_under_a_loss_for_unit_vectors_are_out_of_scale():
    """A loss that asks for unit length and is given lengths of 3 is told so; one that asks for none is not."""
    assert names(normalised=False, wants_unit_length=True, fingerprint=None, params={}) == ["scale-mismatch"]
    assert names(normalised=False, wants_unit_length=False, fingerprint=None, params={}) == []


def test_a_loss_far_above_chance_in_the_first_epoch_is_out_of_scale_where_embeddings_have_a_length():
    """Five times its value for embeddings that say nothing, of embeddings with a length: `scale-mismatch`, with both numbers."""
    rows = healthy()
    high = (rows[0], dataclasses.replace(rows[1], loss=40.0), *rows[2:])
    given = {"normalised": False, "fingerprint": None, "params": {}, "at_chance": 7.0}
    found = judged(facts(high, **given))

    assert [one.name for one in found.findings] == ["scale-mismatch"]
    assert "the loss was 40 in the first epoch, and of embeddings that say nothing it is 7" in found.findings[0].evidence
    # Of unit vectors it is a matter of margins: a softmax with one begins far above chance, and trains.
    assert names(high, **{**given, "normalised": True}) == []
    assert names(high, **{**given, "at_chance": 25.0}) == names(high, **{**given, "at_chance": None}) == []
    assert names((rows[0], dataclasses.replace(rows[1], loss=None), *rows[2:]), **given) == []


def test_embeddings_along_a_line_are_of_low_dimension():
    """An effective rank near 1, or one dimension, is told; D = 8 in use is not, nor the rank of embeddings that are all alike."""
    assert names(each(healthy(), effective_rank=1.2)) == names(each(healthy(), effective_rank=1.9)) == ["low-dimension"]
    assert names(embedding_size=1) == ["low-dimension"]
    assert names(each(healthy(), effective_rank=6.0), embedding_size=8) == []
    assert names(each(healthy(), effective_rank=1.0, spread=1e-6)) == []


def test_units_that_are_0_for_the_whole_probe_are_dead():
    """Half of the units or more are told, with the share before training."""
    found = judged(facts(each(healthy(), dead_units=0.75)))

    assert found.findings[0].evidence == "75% of the units behind one rectifier are 0 for the whole probe, 5% before training"
    assert names(each(healthy(), dead_units=0.4)) == names(each(healthy(), dead_units=None)) == []


SPACE = {
    "loss.margin": Float(0.02, 0.7, log=True),
    "loss.pos_margin": Float(0.0, 0.4),
    "loss.bins": Int(1, 100),
    "miner.warmup": Float(0.0, 0.5),
    "optimiser.kind": Choice("adam", "sgd"),
}


@pytest.mark.parametrize(
    ("name", "value", "is_told"),
    [
        # 2 % of the scale of the logarithm from .7 is .652.
        ("loss.margin", 0.66, True),
        ("loss.margin", 0.64, False),
        ("loss.margin", 0.021, True),
        ("loss.pos_margin", 0.0, False),
        ("loss.pos_margin", 0.395, True),
        ("loss.bins", 1, False),
        ("loss.bins", 100, True),
        ("miner.warmup", 0.5, False),
        ("miner.warmup", 0.0, False),
        ("optimiser.kind", "adam", False),
    ],
)
def test_a_selected_value_at_a_bound_is_told_of_a_study(name, value, is_told):
    """Within 2 % of a bound on the scale of the space, unless the quantity ends there by its nature."""
    params = {"loss.margin": 0.1, "loss.pos_margin": 0.2, "loss.bins": 50, "miner.warmup": 0.2, "optimiser.kind": "sgd", name: value}
    found = judged_study(StudyFacts(space=SPACE, params=params, searched=True))

    assert [one.name for one in found] == (["on-bound"] if is_told else [])
    assert all(name in one.evidence for one in found)
    # What the search did not propose says nothing of where it should search.
    assert judged_study(StudyFacts(space=SPACE, params=params, searched=False)) == ()
