import dataclasses

import numpy as np
import pytest

from siambench.errors import ConfigError, DataError, LeakageError
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Parts
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import RULES, VALIDATION_GALLERY, cut, digests


def rules(rule="class-halves", **changes):
    """Rules as a track gives them."""
    return SplitRules(rule=rule, **changes).spec


def classes_of(dataset, indices):
    """The classes of some items."""
    return set(dataset.labels[indices].tolist())


def change(dataset, **changes):
    """A data set with other fields."""
    return dataclasses.replace(dataset, **changes)


def with_images(dataset, edit):
    """A data set whose images were edited in place by a function."""
    images = dataset.read(np.arange(len(dataset.labels))).copy()
    edit(images)
    return change(dataset, read=lambda indices: images[indices])


# ---- rules


def test_class_halves_cuts_the_sorted_classes_in_the_middle():
    """The first half of the classes is trainval, the second half is test, all items of a class on one side."""
    dataset = synthetic_dataset(classes=9)
    split = cut(dataset, rules())

    assert classes_of(dataset, split.trainval) == {0, 1, 2, 3}
    assert classes_of(dataset, split.test) == {4, 5, 6, 7, 8}
    assert sorted([*split.trainval, *split.test]) == list(range(54))


@pytest.mark.parametrize(("fraction", "first"), [(0.25, 9), (0.5, 6), (0.6, 5)])
def test_class_fraction_takes_the_last_classes(fraction, first):
    """So large a share of the classes is test, the last ones in order."""
    dataset = synthetic_dataset(classes=12)
    split = cut(dataset, rules("class-fraction", test_fraction=fraction))

    assert classes_of(dataset, split.test) == set(range(first, 12))
    assert classes_of(dataset, split.trainval) == set(range(first))


def test_official_takes_the_parts_of_the_data_set():
    """The parts are taken as they are, sorted; items in neither part are in neither side."""
    dataset = synthetic_dataset(classes=8, official=True)
    parts = {"trainval": dataset.parts["trainval"][::-1], "test": dataset.parts["test"][3:]}
    split = cut(change(dataset, parts=parts), rules("official"))

    assert split.trainval.tolist() == list(range(24))
    assert split.test.tolist() == list(range(27, 48))


def test_official_needs_parts():
    """A data set without an official split says which rules there are instead."""
    with pytest.raises(ConfigError, match="no official split: choose class-halves, class-fraction or by-group"):
        cut(synthetic_dataset(), rules("official"))


@pytest.mark.parametrize("groups", [3, 4, 5])
def test_by_group_keeps_groups_whole(groups):
    """No group stands on both sides; the last groups are test, up to the share of the classes."""
    dataset = synthetic_dataset(classes=20, groups=groups)
    split = cut(dataset, rules("by-group", group="group"))
    names = np.array(dataset.class_attributes["group"])
    trainval, test = (set(names[dataset.labels[side]].tolist()) for side in (split.trainval, split.test))

    assert trainval.isdisjoint(test)
    assert max(trainval) < min(test)
    assert 0 < len(classes_of(dataset, split.test)) <= 10


def test_by_group_skips_a_group_that_does_not_fit():
    """A group that would make the test part too large is passed over, and smaller ones before it are still taken."""
    sizes = {"a": 2, "b": 5, "c": 2, "d": 2, "e": 9, "f": 2}
    names = [name for name, size in sizes.items() for _ in range(size)]
    dataset = change(synthetic_dataset(classes=22), class_attributes={"script": names})
    split = cut(dataset, rules("by-group", group="script", test_fraction=0.3))

    assert {names[c] for c in classes_of(dataset, split.test)} == {"f", "d", "c"}


def test_by_group_needs_an_attribute_that_exists():
    """An attribute that classes do not have is named together with those that they have."""
    with pytest.raises(ConfigError, match="no attribute 'alphabet'; they have: group"):
        cut(synthetic_dataset(groups=4), rules("by-group", group="alphabet"))
    with pytest.raises(ConfigError, match="they have: none"):
        cut(synthetic_dataset(), rules("by-group", group="alphabet"))


def test_groups_too_few():
    """One group cannot be split, and folds by group need as many groups as folds."""
    with pytest.raises(DataError, match="at least two groups, got 1"):
        cut(synthetic_dataset(groups=1), rules("by-group", group="group"))
    with pytest.raises(DataError, match=r"2 folds by group need at least 2 groups of training classes; there are 1, .*: bring more groups"):
        cut(synthetic_dataset(groups=2), rules("by-group", group="group"))


def test_an_unknown_rule_gets_the_nearest():
    """A rule that does not exist is answered with the nearest one and all there are."""
    with pytest.raises(ConfigError, match=r"unknown split rule 'class-half', did you mean 'class-halves'\?; rules: official"):
        cut(synthetic_dataset(), dataclasses.replace(rules(), rule="class-half"))
    assert len(RULES) == 5


# ---- folds


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_are_disjoint_by_class_and_cover_trainval(folds):
    """Each class of trainval is held out in exactly one fold, with all its items, and folds differ by one class at most."""
    dataset = synthetic_dataset(classes=22, images_per_class=3)
    split = cut(dataset, rules(folds=folds))
    held_out = []
    for train, validation in split.folds:
        assert classes_of(dataset, train).isdisjoint(classes_of(dataset, validation))
        assert sorted([*train, *validation]) == split.trainval.tolist()
        held_out.append(classes_of(dataset, validation))

    assert sorted(c for part in held_out for c in part) == list(range(11))
    assert max(map(len, held_out)) - min(map(len, held_out)) <= 1


def test_folds_by_group_keep_groups_whole_and_are_balanced():
    """No group is on both sides of a fold, and large groups are dealt out first, so that folds are nearly equal."""
    sizes = {"a": 9, "b": 4, "c": 3, "d": 2, "z": 18}
    names = [name for name, size in sizes.items() for _ in range(size)]
    dataset = change(synthetic_dataset(classes=36, images_per_class=2), class_attributes={"script": names})
    split = cut(dataset, rules("by-group", group="script", folds=2))
    held_out = [{names[c] for c in classes_of(dataset, validation)} for _, validation in split.folds]

    assert held_out == [{"a"}, {"b", "c", "d"}]
    for train, validation in split.folds:
        assert {names[c] for c in classes_of(dataset, train)}.isdisjoint({names[c] for c in classes_of(dataset, validation)})


def test_folds_may_follow_a_group_where_the_test_does_not():
    """With class-halves and a group, the folds alone follow the group."""
    dataset = synthetic_dataset(classes=16, groups=4)
    split = cut(dataset, rules(group="group"))
    names = np.array(dataset.class_attributes["group"])

    assert [{"group-0"}, {"group-1"}] == [set(names[dataset.labels[validation]].tolist()) for _, validation in split.folds]


def test_indices_are_sorted_int64():
    """All parts are sorted int64, whatever the order of the items."""
    dataset = synthetic_dataset(classes=12)
    order = np.random.default_rng(0).permutation(72)
    images = dataset.read(np.arange(72))[order]
    split = cut(change(dataset, labels=dataset.labels[order], read=lambda indices: images[indices]), rules())

    for part in (split.trainval, split.test, *(side for fold in split.folds for side in fold)):
        assert part.dtype == np.int64
        assert part.tolist() == sorted(part.tolist())


# ---- guards


def test_a_class_on_both_sides_is_named():
    """A class with images in trainval and in test is an error that names it."""
    dataset = synthetic_dataset(official=True)
    parts = {**dataset.parts, "test": np.append(dataset.parts["test"], 5)}
    parts["trainval"] = dataset.parts["trainval"][dataset.parts["trainval"] != 5]

    with pytest.raises(LeakageError, match="1 classes are in trainval and in test, among them class-000"):
        cut(change(dataset, parts=parts), rules("official"))


def test_an_image_on_both_sides_is_counted():
    """Images that occur in trainval and in test are an error with their number, unless the track acknowledges it."""

    def copy(images):
        images[[40, 41, 47]] = images[[0, 0, 9]]

    dataset = with_images(synthetic_dataset(), copy)

    with pytest.raises(
        LeakageError,
        match=r"3 images occur both in trainval and in test: item 0 of .* = item 40 of .*; .*split\.acknowledged_duplicates = 3",
    ):
        cut(dataset, rules())
    with pytest.raises(LeakageError, match="3 images"):
        cut(dataset, rules(acknowledged_duplicates=2))
    assert len(cut(dataset, rules(acknowledged_duplicates=3)).test) == 24


def test_an_image_on_both_sides_of_a_fold_is_counted():
    """The same holds between the training and the validation part of a fold."""

    def copy(images):
        images[20] = images[1]

    dataset = with_images(synthetic_dataset(), copy)

    with pytest.raises(LeakageError, match="1 image occurs both in the training and in the validation part of a fold"):
        cut(dataset, rules())
    assert len(cut(dataset, rules(acknowledged_duplicates=1)).trainval) == 24


def test_duplicates_on_one_side_are_allowed():
    """The same image twice within one class of one part leaks nothing."""

    def copy(images):
        images[1] = images[0]
        images[45] = images[44]

    assert len(cut(with_images(synthetic_dataset(), copy), rules()).test) == 24


def test_given_digests_are_believed():
    """A loader's digests stand for the images, which are then not read."""

    def read(indices):
        raise AssertionError("read in spite of the digests")

    dataset = change(synthetic_dataset(), digests=[bytes([i]) * 32 for i in range(48)], read=read)
    cut(dataset, rules())
    same = list(dataset.digests)
    same[47] = same[0]
    with pytest.raises(LeakageError, match="1 image occurs"):
        cut(change(dataset, digests=same), rules())


def test_digests_are_of_the_pixels():
    """Without digests from the loader those of the pixels are taken: equal pixels, equal digests."""
    dataset = synthetic_dataset()
    found = digests(dataset)

    assert len(set(found)) == 48
    assert {32} == {len(digest) for digest in found}
    assert found == digests(synthetic_dataset())


@pytest.mark.parametrize("classes", [1, 2, 3])
def test_too_few_classes(classes):
    """Three classes and fewer leave fewer than two on one side."""
    with pytest.raises(DataError, match="fewer than two on one side"):
        cut(synthetic_dataset(classes=classes), rules())


def test_folds_too_many_for_the_classes():
    """Three folds need six training classes."""
    with pytest.raises(DataError, match="3 folds need at least 6 training classes, two each; there are 5"):
        cut(synthetic_dataset(classes=10), rules(folds=3))


def test_a_test_part_of_one_class_is_refused():
    """Retrieval among one class is no exam."""
    dataset = synthetic_dataset(official=True)
    with pytest.raises(DataError, match="test part holds 1 class; retrieval needs at least two"):
        cut(change(dataset, parts={**dataset.parts, "test": np.arange(42, 48)}), rules("official"))


@pytest.mark.parametrize("part", ["trainval", "test"])
def test_an_empty_part_is_refused(part):
    """A part without items is an error that says so, not a crash."""
    dataset = synthetic_dataset(official=True)
    with pytest.raises(DataError):
        cut(change(dataset, parts={**dataset.parts, part: np.array([], dtype=np.int64)}), rules("official"))


def test_two_images_per_class_are_enough():
    """Classes of two images can be examined on."""
    split = cut(synthetic_dataset(images_per_class=2), rules())
    assert len(split.test) == 8


def test_classes_of_one_are_allowed_where_others_have_two():
    """A class of one image stays in its part, as a distractor; where all classes have one there is nothing to retrieve."""
    split = cut(synthetic_dataset(images_per_class=[2, 1, 2, 1, 1, 2, 1, 1]), rules())
    assert len(split.test) == 5
    with pytest.raises(DataError, match="no class of the test part has two images"):
        cut(synthetic_dataset(images_per_class=[2, 2, 2, 2, 1, 1, 1, 1]), rules())
    with pytest.raises(DataError, match="a fold has no class with two images"):
        cut(synthetic_dataset(images_per_class=[2, 2, 1, 1, 2, 2, 2, 2]), rules())


# ---- fingerprints


def test_the_fingerprint_is_stable():
    """The same data and rules give the same fingerprint, committed here: a change would orphan every record."""
    dataset = change(synthetic_dataset(), digests=[bytes([i]) * 32 for i in range(48)])

    assert cut(dataset, rules()).fingerprint == "f9894b750b4e7ba8b50c8769fdc5c80a36cb420195a967e7c9446e311f7809c9"


def test_the_fingerprint_follows_what_an_exam_depends_on():
    """One pixel, one label, one class name, the items of a part or the folds change the fingerprint."""
    dataset = synthetic_dataset(official=True)
    reference = cut(dataset, rules("official")).fingerprint

    def one_pixel(images):
        images[30, 0, 0, 0] ^= 1

    labels = dataset.labels.copy()
    labels[[0, 6]] = labels[[6, 0]]
    names = [*dataset.class_names[:-1], "another"]
    parts = {**dataset.parts, "test": dataset.parts["test"][1:]}
    changed = {
        "content": cut(with_images(dataset, one_pixel), rules("official")),
        "labels": cut(change(dataset, labels=labels), rules("official")),
        "names": cut(change(dataset, class_names=names), rules("official")),
        "parts": cut(change(dataset, parts=parts), rules("official")),
    }
    for what, split in changed.items():
        assert reference != split.fingerprint, what
    larger = synthetic_dataset(classes=16)
    assert cut(larger, rules()).fingerprint != cut(larger, rules(folds=3)).fingerprint


def test_the_fingerprint_does_not_follow_what_an_exam_does_not_depend_on():
    """The order of parts, a part that no rule asks for, colours and descriptions change nothing."""
    dataset = synthetic_dataset(official=True)
    parts = {"extra": np.arange(3), "test": dataset.parts["test"], "trainval": dataset.parts["trainval"]}
    same = change(dataset, parts=parts, colour="another", class_attributes={"group": ["a"] * 8})

    assert cut(dataset, rules("official")).fingerprint == cut(same, rules("official")).fingerprint


# ---- closed sets and galleries


def test_closed_set_shares_every_class_and_no_image():
    """`closed-set` puts the last images of every class into the test, and its folds hold images of every class too."""
    dataset = synthetic_dataset(classes=5, images_per_class=[8, 9, 10, 8, 1])
    found = cut(dataset, rules("closed-set", test_fraction=0.25))
    labels = dataset.labels
    assert [0, 1, 2, 3] == sorted(set(labels[found.test]))
    assert [0, 1, 2, 3, 4] == sorted(set(labels[found.trainval]))
    assert len(labels) == len(np.union1d(found.trainval, found.test))
    for label, count in enumerate([2, 2, 2, 2, 0]):
        own = np.flatnonzero(labels == label)
        assert count == (labels[found.test] == label).sum()
        assert own[len(own) - count :].tolist() == found.test[labels[found.test] == label].tolist()
    for training, validation in found.folds:
        assert [] == np.intersect1d(training, validation).tolist()
        assert {0, 1, 2, 3} <= set(labels[training]) & set(labels[validation])


def test_closed_set_follows_official_parts_that_share_classes():
    """Official parts with the same classes on both sides are an error under every rule but `closed-set`."""
    dataset = synthetic_dataset(classes=4, images_per_class=8)
    even = np.arange(len(dataset.labels)) % 2 == 0
    parted = dataclasses.replace(dataset, parts={"trainval": np.flatnonzero(even), "test": np.flatnonzero(~even)})
    with pytest.raises(LeakageError, match=r"4 classes are in trainval and in test"):
        cut(parted, rules("official"))
    assert np.flatnonzero(~even).tolist() == cut(parted, rules("closed-set")).test.tolist()


def test_closed_set_needs_images_for_its_folds():
    """Folds that would hold one image of each class are refused in one sentence."""
    with pytest.raises(DataError, match=r"closed-set with 2 folds needs a class with at least 4 training images"):
        cut(synthetic_dataset(classes=4, images_per_class=4), rules("closed-set", test_fraction=0.5))


def with_gallery(dataset, query, gallery):
    trainval = np.setdiff1d(np.arange(len(dataset.labels)), np.concatenate([query, gallery]))
    return dataclasses.replace(dataset, parts={"trainval": trainval, "query": np.array(query), "gallery": np.array(gallery)})


def test_query_and_gallery_are_the_test():
    """An official split with query and gallery tests on both, and the part that is handed out says which items are the gallery."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    query, gallery = np.array([20, 16, 17]), np.array([18, 19, 21, 22, 23])
    found = cut(with_gallery(dataset, query, gallery), rules("official"))
    assert [16, 17, 18, 19, 20, 21, 22, 23] == found.test.tolist()
    items = Parts(dataset, found, kind="final", fold=None, opened=lambda: None).test()
    assert [False, False, True, True, False, True, True, True] == items.is_gallery.tolist()
    other = cut(with_gallery(dataset, [20, 16], [17, 18, 19, 21, 22, 23]), rules("official"))
    assert found.fingerprint != other.fingerprint


def parted(dataset, *, trainval_gallery):
    """The first 16 items in trainval, some of them its gallery; the test in query and gallery."""
    given = with_gallery(dataset, [16, 17, 20, 21], [18, 19, 22, 23])
    return dataclasses.replace(given, parts={**given.parts, VALIDATION_GALLERY: np.array(trainval_gallery)})


def test_folds_are_parted_as_the_test_is():
    """Where the data says which items of trainval are compared with, each fold has a gallery of its own, and tune units are told."""
    dataset = parted(synthetic_dataset(classes=6, images_per_class=4), trainval_gallery=[13, 0, 1, 4, 5, 8, 9, 12])
    found = cut(dataset, rules("official"))

    assert [[0, 1, 4, 5], [8, 9, 12, 13]] == [gallery.tolist() for gallery in found.galleries]
    for fold, expected in enumerate(([True, True, False, False] * 2, [True, True, False, False] * 2)):
        items = Parts(dataset, found, kind="tune", fold=fold, opened=lambda: None).validation()
        assert expected == items.is_gallery.tolist()
        assert Parts(dataset, found, kind="tune", fold=fold, opened=lambda: None).training().is_gallery is None


def test_the_gallery_of_the_folds_is_part_of_the_fingerprint():
    """Another gallery in validation is another exam; without one the fingerprint is what it was before there could be one."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    plain = cut(with_gallery(dataset, [16, 17, 20, 21], [18, 19, 22, 23]), rules("official"))
    one = cut(parted(dataset, trainval_gallery=[0, 4, 8, 12]), rules("official"))
    other = cut(parted(dataset, trainval_gallery=[1, 4, 8, 12]), rules("official"))

    assert plain.galleries is None
    assert plain.fingerprint == "fc2dd3a12a1e987b7f6a45f392451bfb927a5efed0a551184d48ef54d8ecc265"
    assert 3 == len({plain.fingerprint, one.fingerprint, other.fingerprint})


def test_another_rule_has_no_gallery():
    """A split that is not the official one compares all with all, in the test and in the folds."""
    found = cut(
        parted(synthetic_dataset(classes=6, images_per_class=4), trainval_gallery=[0, 4, 8, 12]),
        rules("class-fraction", test_fraction=0.34),
    )

    assert (None, None) == (found.gallery, found.galleries)


def test_the_gallery_of_the_folds_lies_in_trainval_and_answers():
    """Items outside of trainval, and a fold whose queries have no answer in its gallery, are refused in one sentence."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    with pytest.raises(DataError, match="trainval-gallery holds 2 items that are not in trainval"):
        cut(parted(dataset, trainval_gallery=[0, 4, 8, 18, 22]), rules("official"))
    with pytest.raises(DataError, match="no query of the validation part of fold 1 has an image of its class in the gallery"):
        cut(parted(dataset, trainval_gallery=[0, 4]), rules("official"))


def test_a_query_of_a_fold_that_stands_in_its_gallery_is_refused():
    """A copy of a query in the gallery of a fold would answer it, as one in the test would."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)

    def copy(images):
        images[1] = images[0]

    with pytest.raises(LeakageError, match=r"1 image occurs both as a query and in the gallery of a fold"):
        cut(parted(with_images(dataset, copy), trainval_gallery=[0, 4, 8, 12]), rules("official"))


def test_an_item_cannot_be_query_and_gallery():
    """An item on both sides would find itself."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    with pytest.raises(DataError, match=r"1 items are both query and gallery"):
        cut(with_gallery(dataset, [20, 16], [16, 17, 21, 22]), rules("official"))


def test_a_gallery_without_an_answer_is_no_exam():
    """If no query has an image of its class in the gallery there is nothing to retrieve."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    with pytest.raises(DataError, match=r"no query of the test part has an image of its class in the gallery"):
        cut(with_gallery(dataset, [16, 17, 18, 19], [20, 21, 22, 23]), rules("official"))


def test_a_query_that_stands_in_the_gallery_is_refused():
    """A copy of a query in the gallery would answer it: an error with the number to acknowledge."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)

    def copy(images):
        images[21] = images[20]

    parted = with_gallery(with_images(dataset, copy), [20, 16], [17, 18, 19, 21, 22, 23])
    with pytest.raises(LeakageError, match=r"1 image occurs both as a query and in the gallery"):
        cut(parted, rules("official"))
    assert 8 == len(cut(parted, rules("official", acknowledged_duplicates=1)).test)


def test_a_fold_of_one_class_is_refused():
    """Groups that leave a fold with a single class are an error: any model would retrieve perfectly there."""
    dataset = synthetic_dataset(classes=16, images_per_class=3)
    groups = ["a"] * 7 + ["b"] + ["z"] * 8
    grouped = dataclasses.replace(dataset, class_attributes={"group": groups})
    with pytest.raises(DataError, match=r"fold \d leaves 1 class on one side"):
        cut(grouped, rules(group="group"))
