"""What makes two exams one: `siambench.tracks.exam`."""

from __future__ import annotations

import dataclasses

import pytest

from siambench.identity import canonical, from_json, to_json
from siambench.spec import Drawn, Every, Exam, Listed
from siambench.testing import synthetic_dataset, synthetic_track
from siambench.tracks.exam import base_name, departures, differences, exam_of, groups_digest, with_content
from siambench.tracks.split import cut


def exam(track=None, data=("f" * 64, None), augment=None, direction="max", pairs=None):
    """That of a tiny track."""
    return exam_of(track or synthetic_track(), data=data, augment=augment or {}, direction=direction, pairs=pairs or Drawn())


MOVES = {
    "version": {"version": "2.0"},
    "training.epochs": {"training": {"epochs": 9}},
    "training.precision": {"training": {"precision": "bf16"}},
    "model.embedding_size": {"model": {"embedding_size": 5}},
    "model.options.width": {"model": {"options": {"width": 3, "layers": 1}}},
    "space.lr.high": {"space": {"lr": {"low": 1e-4, "high": 0.5, "log": True, "default": 3e-3}}},
    "evaluation.distance": {"evaluation": {"distance": "euclidean"}},
    "evaluation.protocol": {"evaluation": {"protocol": "reality-check"}},
    "metrics.primary": {"metrics": {"primary": "recall@1"}},
}


@pytest.mark.parametrize("key", MOVES)
def test_a_rule_that_moves_a_score_is_another_exam(key):
    """Version, training, model, space, evaluation and the primary metric each give another id, and the difference has that name."""
    plain, other = exam(), exam(synthetic_track(**MOVES[key]))
    assert plain.id != other.id
    assert [key] == differences(plain, other)
    assert [] == departures(synthetic_track(**MOVES[key]), other)
    assert key in departures(synthetic_track(), other)


def test_what_does_not_move_a_score_is_the_same_exam():
    """Budget, title, notes, the name and metrics that are only reported leave the id as it is."""
    changes = {
        "budget": {"studies": 1, "trials": 50, "repetitions": 9},
        "title": "T",
        "notes": "N",
        "name": "else",
        "metrics": {"report": ["map@r", "eer"]},
    }
    assert {exam().id} == {exam(synthetic_track(**{key: value})).id for key, value in changes.items()}


def test_the_data_is_part_of_an_exam():
    """Fingerprint, groups, augmentation, direction and the pairs each give another id; a list of pairs counts by its content."""
    others = [
        exam(data=("e" * 64, None)),
        exam(data=("f" * 64, "a" * 64)),
        exam(augment={"flip": True}),
        exam(direction="min"),
        exam(pairs=Every()),
        exam(pairs=Listed("0" * 64)),
        exam(pairs=Listed("1" * 64)),
    ]
    assert 8 == len({exam().id, *(one.id for one in others)})
    assert [["data"], ["groups"], ["augment.flip"], ["metrics.direction"], ["evaluation.pairs.kind"]] == [
        differences(exam(), one) for one in others[:5]
    ]
    assert ["evaluation.pairs.digest"] == differences(*others[5:])


def test_an_exam_makes_the_round_trip():
    """Written as JSON and read back it is equal, with its id; the first eight digits name its folder."""
    one = exam(augment={"scale": (0.9, 1.1)})
    again = from_json(Exam, canonical(to_json(one)), where="exam")
    assert (to_json(one), one.id, one.id[:8]) == (to_json(again), again.id, again.short)


def test_groups_count_by_the_classes_that_are_sat():
    """Another group for one class gives another digest; without groups there is none."""
    dataset = synthetic_dataset()
    attributes = {"family": ["a", "b"] * (len(dataset.class_names) // 2)}
    grouped = dataclasses.replace(dataset, class_attributes=attributes)
    split = cut(grouped, synthetic_track().split.spec)
    first = groups_digest(grouped, split, "family")
    moved = dataclasses.replace(grouped, class_attributes={"family": ["c", *attributes["family"][1:]]})
    assert 64 == len(first)
    assert first != groups_digest(moved, split, "family")
    assert groups_digest(grouped, split, None) is None


def test_files_count_by_their_content():
    """An option that names a file is followed by an exam with the file's content; another option is not."""
    track = synthetic_track(model={"options": {"width": 16, "layers": 1, "weights": "w.pt"}})
    kept = with_content(track.model.options, {"weights": "a" * 64})
    assert {"width": 16, "layers": 1, "weights": f"sha256:{'a' * 64}"} == kept
    other = exam(track.model_copy(update={"model": track.model.model_copy(update={"options": kept})}))
    assert [] == departures(track, other)
    assert ["model.options.weights"] == differences(exam(track), other)


def test_a_track_that_says_how_to_augment_is_followed_or_not():
    """Rules of augmentation are compared as far as they suit the items of the exam."""
    track = synthetic_track(augment={"rotate": 5.0})
    rules = track.augment.of_form("images")
    assert [] == departures(track, exam(track, augment=rules))
    assert ["augment.rotate"] == departures(track, exam(track, augment={**rules, "rotate": 6.0}))
    assert [] == departures(synthetic_track(), exam(augment={"rotate": 7.0}))
    crops = synthetic_track(augment={"rotate": 5.0, "crop": (0.2, 1.0)})
    assert [] == departures(crops, exam(crops, augment=crops.augment.of_form("images")))
    assert ["augment.crop", "augment.crop_ratio"] == departures(crops, exam(crops, augment=rules))
    assert ["augment.crop", "augment.crop_ratio"] == departures(track, exam(track, augment=crops.augment.of_form("images")))


def test_the_mark_of_changed_rules_is_no_part_of_the_name():
    """`glyphs+edited` is glyphs with other rules."""
    assert ["glyphs", "glyphs", "my+own"] == [base_name(name) for name in ("glyphs", "glyphs+edited", "my+own")]
