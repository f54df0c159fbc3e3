import dataclasses
from collections.abc import Mapping

import numpy as np
import pytest

from siambench.errors import DataError, LostError, WithheldError
from siambench.spec import FORMS
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items, Parts, turned, unlabelled
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut


def rules(rule="class-halves", **changes):
    """Rules as a track gives them."""
    return SplitRules(rule=rule, **changes).spec


def classes_of(dataset, indices):
    """The classes of some items."""
    return set(dataset.labels[indices].tolist())


def parts_of(dataset, kind, fold=None, split=None, **options):
    """The parts of a data set cut by class-halves, and the list of its openings."""
    opened = []
    split = split or cut(dataset, rules())
    return Parts(dataset, split, kind=kind, fold=fold, opened=lambda: opened.append("opened"), **options), opened


@pytest.mark.parametrize("fold", [0, 1])
def test_a_tune_unit_gets_its_fold(fold):
    """A tune unit trains on its fold and validates on the classes held out, each part's labels renumbered from 0."""
    dataset = synthetic_dataset()
    split = cut(dataset, rules())
    given, opened = parts_of(dataset, "tune", fold)

    for items, expected in ((given.training(), split.folds[fold][0]), (given.validation(), split.folds[fold][1])):
        assert np.array_equal(expected, items.indices)
        assert items.labels.tolist() == [0] * 6 + [1] * 6
        assert [dataset.class_names[c] for c in sorted(classes_of(dataset, expected))] == list(items.class_names)
        assert np.array_equal(dataset.read(expected), items.read(np.arange(12)))
        assert len(items) == 12
    assert opened == []


def test_a_tune_unit_cannot_get_the_test_part():
    """Asking for the test part, reading one of its items by any way the unit has, and its episodes are all refused."""
    dataset = synthetic_dataset(official=True, one_shot_runs=2)
    given, opened = parts_of(dataset, "tune", 0)

    with pytest.raises(WithheldError, match="withheld"):
        given.test()
    seen = given.validation().dataset
    for indices in (np.array([24]), np.array([0, 47]), np.arange(48), np.array([-1])):
        with pytest.raises(WithheldError, match="withheld"):
            seen.read(indices)
    with pytest.raises(WithheldError):
        dataclasses.replace(given.training(), indices=np.array([47])).read(np.array([0]))
    assert seen.episodes == {}
    assert seen.parts == {}
    assert seen.digests is None
    assert opened == []


def test_a_tune_unit_can_read_its_own_items():
    """What is not withheld is read as it is."""
    dataset = synthetic_dataset()
    given, _ = parts_of(dataset, "tune", 0)

    assert np.array_equal(dataset.read(np.arange(24)), given.training().dataset.read(np.arange(24)))


def test_a_final_unit_trains_on_all_and_opens_the_test():
    """A final unit trains on all of trainval; its opening is logged before the first test item is handed out."""
    order = []
    dataset = synthetic_dataset(one_shot_runs=1)
    real = dataset.read
    split = cut(dataset, rules())

    def read(indices):
        order.append("test item" if indices.max() >= 24 else "training item")
        return real(indices)

    given = Parts(dataclasses.replace(dataset, read=read), split, kind="final", fold=None, opened=lambda: order.append("opened"))
    assert np.array_equal(split.trainval, given.training().indices)
    given.training().read(np.arange(3))
    given.test().read(np.arange(3))

    assert order == ["training item", "opened", "test item"]
    assert "one-shot" in given.test().dataset.episodes


def test_a_final_unit_has_no_validation_part():
    """A final unit trains on what would be validation, so asking for it is an error."""
    given, _ = parts_of(synthetic_dataset(), "final")
    with pytest.raises(WithheldError, match="no validation part"):
        given.validation()


def test_items_carry_the_number_of_their_group():
    """Where folds follow a class attribute, the parts number the groups of the items it hands out."""
    dataset = synthetic_dataset(classes=8, images_per_class=3, groups=4)
    found = cut(dataset, rules("by-group", group="group"))
    items = parts_of(dataset, "final", split=found, group="group")[0].test()
    attribute = np.array(dataset.class_attributes["group"])[dataset.labels[items.indices]]
    assert len(set(attribute)) == len(set(items.groups.tolist()))
    assert len(set(zip(attribute, items.groups.tolist(), strict=True))) == len(set(attribute))
    assert parts_of(dataset, "final", split=found)[0].test().groups is None


def test_fold_models_train_without_their_validation_classes():
    """A final unit may ask for the training part of each fold; a tune unit may not."""
    dataset = synthetic_dataset()
    found = cut(dataset, rules())
    given, _ = parts_of(dataset, "final")
    assert 2 == given.folds
    for fold, (training, _) in enumerate(found.folds):
        assert training.tolist() == given.fold_training(fold).indices.tolist()
    with pytest.raises(WithheldError, match="its own fold"):
        parts_of(dataset, "tune", 0)[0].fold_training(1)


def test_turned_classes_are_new_classes_of_turned_images():
    """Each class comes four times, its images turned by 90° more each time, in the order of the items."""
    dataset = synthetic_dataset(classes=8, images_per_class=3, channels=3)
    items = parts_of(dataset, "tune", 1)[0].training()
    found = turned(items)
    assert 4 * len(items) == len(found)
    assert sorted(set(found.labels.tolist())) == list(range(4 * len(items.class_names)))
    plain = items.read(np.arange(len(items)))
    for position in np.random.default_rng(0).permutation(len(found)):
        item, quarter = position % len(items), position // len(items)
        expected = np.rot90(plain[item], quarter, axes=(1, 2))
        assert expected.tolist() == found.read(np.array([position]))[0].tolist()
        assert items.labels[item] + quarter * len(items.class_names) == found.labels[position]


def test_turning_keeps_the_test_part_withheld():
    """The turned items of a tune unit still cannot be used to read a test item."""
    dataset = synthetic_dataset(classes=8, images_per_class=3)
    found = turned(parts_of(dataset, "tune", 0)[0].training())
    with pytest.raises(WithheldError):
        found.dataset.read(cut(dataset, rules()).test[:1] + len(dataset.labels))


def test_only_square_images_can_be_turned():
    """Images that are not square are refused in one sentence."""
    dataset = synthetic_dataset()
    flat = dataclasses.replace(dataset, shape=(1, 8, 4))
    with pytest.raises(DataError, match=r"rotate_classes needs square images, got 8 × 4"):
        turned(parts_of(flat, "tune", 0, cut(dataset, rules()))[0].training())


@pytest.mark.parametrize("form", ["arrays", "tokens"])
def test_only_images_can_be_turned(form):
    """Items that are no images are refused in one sentence that says what they are."""
    with pytest.raises(DataError, match=f"rotate_classes turns images; the data set's items are {form}"):
        turned(parts_of(synthetic_dataset(form=form), "tune", 0)[0].training())


# ---- items that cannot be read


@pytest.mark.parametrize("error", [OSError("the disk is gone"), DataError("the file is damaged")])
@pytest.mark.parametrize("form", FORMS)
def test_items_that_cannot_be_read_any_more_lose_the_unit(form, error):
    """What a read raises is the environment's doing, never a method's result: the unit is lost, with the reason."""

    def fail(indices):
        raise error

    dataset = synthetic_dataset(form=form)
    items = dataclasses.replace(parts_of(dataset, "tune", 0)[0].training(), dataset=dataclasses.replace(dataset, read=fail))

    with pytest.raises(LostError, match=f"the {form} cannot be read: {error}"):
        items.read(np.arange(2))


# ---- without labels


def values_of(thing):
    """Everything that can be reached from a value through its fields, its items and its keys."""
    yield thing
    if dataclasses.is_dataclass(thing):
        for field in dataclasses.fields(thing):
            yield from values_of(getattr(thing, field.name))
    elif isinstance(thing, Mapping):
        for pair in thing.items():
            yield from values_of(pair)
    elif isinstance(thing, list | tuple):
        for part in thing:
            yield from values_of(part)


def told_together(items):
    """Which values of a part say that two items belong together, and the names that a data set gives."""
    arrays = [value for value in values_of(items) if isinstance(value, np.ndarray) and value.dtype.kind in "iu"]
    names = {value for value in values_of(items) if isinstance(value, str)}
    return [array for array in arrays if len(np.unique(array)) < array.size], names


def labelled_items():
    """A part of a data set with all that can tell classes: groups, official parts, names of items, episodes."""
    dataset = synthetic_dataset(groups=4, official=True, one_shot_runs=1)
    named = [f"{dataset.class_names[label]}/{place}" for place, label in enumerate(dataset.labels)]
    dataset = dataclasses.replace(dataset, item_names=named)
    return dataset, Items(dataset, np.arange(24), dataset.labels[:24], dataset.class_names[:4], groups=dataset.labels[:24] // 2)


def test_unlabelled_items_lead_back_to_no_class():
    """Nothing that can be reached from unlabelled items says which of them share a class or a group, or how one is called."""
    dataset, items = labelled_items()
    found = unlabelled(items)
    together, names = told_together(found)
    known = {*dataset.class_names, *dataset.class_attributes["group"], *dataset.item_names}

    assert together == []
    assert names.isdisjoint(known)
    assert (found.groups, found.is_gallery, found.dataset.item_names) == (None, None, None)
    assert (found.dataset.class_attributes, found.dataset.parts, found.dataset.episodes) == ({}, {}, {})
    # What is looked for would be found in items that have their labels.
    assert told_together(items)[0] != []
    assert told_together(items)[1] & known == known


def test_unlabelled_items_do_not_depend_on_the_labels():
    """With the labels permuted, unlabelled items are the same in everything but where their pixels are read."""
    dataset, items = labelled_items()
    labels = np.random.default_rng(0).permutation(dataset.labels)
    other = Items(dataclasses.replace(dataset, labels=labels), items.indices, labels[:24] % 4, items.class_names)
    one, same = unlabelled(items), unlabelled(other)

    for field in ("indices", "labels", "class_names"):
        assert list(getattr(one, field)) == list(getattr(same, field))
    for field in dataclasses.fields(one.dataset):
        assert np.array_equal(getattr(one.dataset, field.name), getattr(same.dataset, field.name)), field.name


@pytest.mark.parametrize("form", FORMS)
def test_unlabelled_items_are_the_same_items(form):
    """Each item is a class of its own, numbered by its place, and is read as it was."""
    items, _ = parts_of(synthetic_dataset(form=form), "tune", 0)
    items = items.training()
    found = unlabelled(items)

    assert list(range(12)) == found.labels.tolist()
    assert [str(place) for place in range(12)] == list(found.class_names)
    assert np.array_equal(items.read(np.arange(12)), found.read(np.arange(12)))
    assert (items.dataset.form, items.dataset.shape) == (found.dataset.form, found.dataset.shape)
    assert items.dataset.vocabulary == found.dataset.vocabulary


def test_the_test_part_stays_withheld_without_labels():
    """The unlabelled items of a tune unit cannot be used to read a test item."""
    found = unlabelled(parts_of(synthetic_dataset(), "tune", 0)[0].training())

    with pytest.raises(WithheldError):
        found.dataset.read(np.array([47]))
    with pytest.raises(WithheldError):
        dataclasses.replace(found, indices=np.array([47])).read(np.array([0]))
