"""Whether a data set is what it promises: each fault is one sentence that names the data set, what it gave and what is wanted."""

import dataclasses

import numpy as np
import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.data.checked import checked
from siambench.errors import DataError
from siambench.plugin import DatasetEntry
from siambench.spec import FORMS
from siambench.testing import synthetic_dataset

WANTED = {"images": "uint8 [B, C, H, W]", "arrays": "float32 [B, …]", "tokens": "int64 [B, T]"}


def change(dataset, **changes):
    """A data set with other fields."""
    return dataclasses.replace(dataset, **changes)


def reading(dataset, edit):
    """A data set that reads what a function makes of its items."""
    return change(dataset, read=lambda indices: edit(dataset.read(indices)))


def fault_of(dataset):
    """The sentence with which a data set called ``birds`` is refused."""
    with pytest.raises(DataError) as caught:
        checked(dataset, "birds")
    text = str(caught.value)
    assert text.startswith("data set 'birds'")
    assert "\n" not in text
    return text


@pytest.mark.parametrize("form", FORMS)
def test_a_good_data_set_is_read_as_it_is(form):
    """Of a data set that keeps its promise every field and every item is as it was."""
    dataset = synthetic_dataset(form=form, groups=2, official=True)
    found = checked(dataset, "birds")

    for field in dataclasses.fields(dataset):
        if field.name != "read":
            assert getattr(dataset, field.name) is getattr(found, field.name) or getattr(dataset, field.name) == getattr(found, field.name)
    assert np.array_equal(dataset.read(np.arange(48)), found.read(np.arange(48)))


# ---- items


@pytest.mark.parametrize(
    ("form", "dtype"),
    [
        ("images", "float32"),
        ("images", "float64"),
        ("images", "int64"),
        ("images", "bool"),
        ("arrays", "float64"),
        ("arrays", "int64"),
        ("arrays", "float16"),
        ("tokens", "int32"),
        ("tokens", "float32"),
        ("tokens", "uint8"),
    ],
)
def test_items_of_another_type_are_refused(form, dtype):
    """The sentence says the type that was read and the one that is wanted, and of float images the form that takes them."""
    text = fault_of(reading(synthetic_dataset(form=form), lambda items: items.astype(dtype)))

    assert f"gives {form} of dtype {dtype}, expected {WANTED[form]}" in text
    assert ("form = 'arrays'" in text) == (form == "images" and dtype.startswith("float"))


@pytest.mark.parametrize("form", FORMS)
def test_items_of_another_shape_are_refused(form):
    """The sentence says the shape that was read, the one that was promised, and what is wanted."""
    dataset = synthetic_dataset(form=form)
    text = fault_of(reading(dataset, lambda items: items[..., :-1]))
    shape = (*dataset.shape[:-1], dataset.shape[-1] - 1)

    assert f"gives {form} of shape {shape}, its shape is {dataset.shape}: expected {WANTED[form]}" in text


def test_channels_come_first():
    """Images whose channels come last are refused with the remark that they come first, whether the shape says so or the items."""
    dataset = synthetic_dataset(channels=3)
    moved = reading(dataset, lambda items: items.transpose(0, 2, 3, 1))

    text = fault_of(moved)
    assert "gives images of shape (8, 8, 3), its shape is (3, 8, 8)" in text
    assert text.endswith("expected uint8 [B, C, H, W]; channels come first")
    text = fault_of(change(moved, shape=(8, 8, 3)))
    assert "images of shape (8, 8, 3): channels come first, (C, H, W), it must read uint8 [B, C, H, W]" in text


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("edit", [lambda items: items[:-1], lambda items: items[:0], lambda items: np.concatenate([items, items])])
def test_another_number_of_items_is_refused(form, edit):
    """The sentence says for how many items the data set was asked, and the shape of what it gave."""
    dataset = synthetic_dataset(form=form)
    given = edit(dataset.read(np.arange(48)))

    text = fault_of(reading(dataset, edit))
    assert f"asked for 48 items it gave {form} of shape {given.shape}, expected {WANTED[form]} with B = 48" in text


@pytest.mark.parametrize(("given", "kind"), [([[0]], "list"), (None, "NoneType")])
@pytest.mark.parametrize("form", FORMS)
def test_items_that_are_no_array_are_refused(form, given, kind):
    """The sentence says what was given in the place of an array."""
    text = fault_of(change(synthetic_dataset(form=form), read=lambda indices: given))

    assert f"must read {form} as a numpy array {WANTED[form]}, got {kind}" in text


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_arrays_that_are_no_numbers_are_refused(value):
    """Arrays with numbers that are not finite are refused with how many there are."""

    def edit(items):
        items = items.copy()
        items[:, 0, :2] = value
        return items

    text = fault_of(reading(synthetic_dataset(form="arrays"), edit))
    assert "gives arrays with 96 numbers that are not finite; expected float32 [B, …]" in text


@pytest.mark.parametrize(("value", "span"), [(64, "0 … 64"), (-1, "-1 … 63")])
def test_tokens_outside_the_vocabulary_are_refused(value, span):
    """Tokens that the vocabulary does not have are refused with the range they are in and the one they should be in."""
    dataset = synthetic_dataset(form="tokens")

    def edit(items):
        items = items.copy()
        items[-1, :3] = (0, 63, value)
        items[:, 3:] = 0
        return items

    text = fault_of(reading(dataset, edit))
    assert f"gives tokens in {span}, expected int64 [B, T] in 0 … 63" in text


@pytest.mark.parametrize("form", FORMS)
def test_every_batch_is_looked_at(form):
    """An item that no probe has met is looked at when it is read: the fault shows then, in the same words."""
    dataset = synthetic_dataset(form=form, classes=50, images_per_class=40)
    place = 3  # not among the items that are read at first, which are spread over all 2,000
    bad = {"images": lambda items: items.astype(np.float32), "arrays": lambda items: items * np.float32(np.nan)}
    edit = bad.get(form, lambda items: items - 64)
    spoilt = change(dataset, read=lambda indices: edit(dataset.read(indices)) if place in indices else dataset.read(indices))
    found = checked(spoilt, "birds")

    assert len(found.read(np.array([0, 1, 2]))) == 3
    with pytest.raises(DataError, match=f"data set 'birds' gives {form}"):
        found.read(np.array([2, 3]))


# ---- form, shape and vocabulary


@pytest.mark.parametrize(
    ("form", "changes", "words"),
    [
        ("images", {"form": "image"}, "says that its items are 'image'; items are images, arrays, tokens"),
        ("images", {"shape": (8, 8)}, "has images of shape (8, 8), expected (C, H, W): it must read uint8 [B, C, H, W]"),
        ("arrays", {"shape": ()}, "must say the shape of an item as whole numbers, got ()"),
        ("arrays", {"shape": (1, 0)}, "must say the shape of an item as whole numbers, got (1, 0)"),
        ("arrays", {"shape": (1.0, 8)}, "must say the shape of an item as whole numbers, got (1.0, 8)"),
        ("arrays", {"shape": None}, "must say the shape of an item as whole numbers, got None"),
        ("tokens", {"shape": (1, 8)}, "has tokens of shape (1, 8), expected (T,): it must read int64 [B, T]"),
        ("tokens", {"vocabulary": None}, "must say its vocabulary, a whole number of at least 2, got None"),
        ("tokens", {"vocabulary": 1}, "must say its vocabulary, a whole number of at least 2, got 1"),
        ("tokens", {"vocabulary": 64.0}, "must say its vocabulary, a whole number of at least 2, got 64.0"),
    ],
)
def test_a_form_that_does_not_hold_is_refused(form, changes, words):
    """An unknown form, a shape that the form cannot have, and a vocabulary that tokens need are told before anything is read."""

    def read(indices):
        raise AssertionError("read before the form was looked at")

    assert words in fault_of(change(synthetic_dataset(form=form), read=read, **changes))


def test_a_shape_may_be_given_as_a_list():
    """A shape of any whole numbers is made a tuple of Python's own."""
    found = checked(change(synthetic_dataset(), shape=[np.int64(1), 8, np.uint8(8)]), "birds")

    assert found.shape == (1, 8, 8)
    assert [type(edge) for edge in found.shape] == [int] * 3


# ---- labels


@pytest.mark.parametrize(
    ("edit", "got"),
    [
        (lambda labels: np.array([f"class-{label}" for label in labels]), "<U7 (48,)"),
        (lambda labels: labels.astype(object), "object (48,)"),
        (lambda labels: labels.astype(np.int32), "int32 (48,)"),
        (lambda labels: labels.astype(np.float64), "float64 (48,)"),
        (lambda labels: labels[:, None], "int64 (48, 1)"),
        (lambda labels: labels.tolist(), "a list"),
        (lambda labels: labels - 1, "int64 in -1 … 6"),
        (lambda labels: labels + 1, "int64 in 1 … 8"),
    ],
    ids=["text", "objects", "int32", "float64", "two axes", "list", "negative", "too large"],
)
def test_labels_that_are_no_classes_are_refused(edit, got):
    """Labels of another type or shape, texts among them, and those out of range are refused with what was given."""
    dataset = synthetic_dataset()

    assert fault_of(change(dataset, labels=edit(dataset.labels))) == f"data set 'birds': labels must be int64 [N] in 0 … 7, got {got}"


def test_labels_must_fit_the_names():
    """A label without a class name is refused, and so is a data set without items."""
    dataset = synthetic_dataset()

    text = fault_of(change(dataset, class_names=dataset.class_names[:7]))
    assert "labels must be int64 [N] in 0 … 6, got int64 in 0 … 7" in text
    assert fault_of(change(dataset, labels=dataset.labels[:0])) == "data set 'birds' is empty"


# ---- names, attributes, digests, parts


def test_two_classes_of_one_name_are_no_two_classes():
    """Class names are distinct: one name on both sides would be a leak that nothing sees."""
    dataset = synthetic_dataset()
    names = [*dataset.class_names[:-1], dataset.class_names[0]]

    assert fault_of(change(dataset, class_names=names)) == "data set 'birds': class names must be distinct, got 'class-000' twice"


def test_item_names_are_one_per_item_and_distinct():
    """A file of verification pairs must mean one item by each name."""
    dataset = synthetic_dataset()
    names = [f"{place}.png" for place in range(48)]

    assert checked(change(dataset, item_names=names), "birds").item_names == names
    twice = [*names[:-1], names[0]]
    assert fault_of(change(dataset, item_names=twice)) == "data set 'birds': item names must be distinct, got '0.png' twice"
    assert fault_of(change(dataset, item_names=names[:-1])) == "data set 'birds' gives 47 item names for 48 items"


def test_a_missing_digest_is_an_error():
    """A loader that gives fewer digests than items is told so, rather than failing somewhere else."""
    dataset = change(synthetic_dataset(), digests=[bytes([i]) * 32 for i in range(40)])

    assert fault_of(dataset) == "data set 'birds' gives 40 digests for 48 items"


def test_an_attribute_has_a_value_for_every_class():
    """A class attribute of another length is refused with both numbers."""
    dataset = change(synthetic_dataset(), class_attributes={"script": ["a", "b"]})

    assert fault_of(dataset) == "data set 'birds': class attribute 'script' has 2 values for 8 classes"


@pytest.mark.parametrize(
    ("indices", "got"),
    [
        (np.array([0, 48]), "int64 (2,)"),
        (np.array([-1, 0]), "int64 (2,)"),
        (np.array([0.0, 1.0]), "float64 (2,)"),
        (np.array([[0, 1]]), "int64 (1, 2)"),
        (np.ones(48, dtype=bool), "bool (48,)"),
    ],
)
def test_parts_are_indices(indices, got):
    """A part that is no list of items of the data set is refused with what was given."""
    dataset = change(synthetic_dataset(), parts={"trainval": indices})

    assert fault_of(dataset) == f"data set 'birds': the part 'trainval' must be int64 indices in 0 … 47, got {got}"


# ---- through the catalogue


def test_every_data_set_that_is_loaded_is_checked():
    """What the catalogue loads has been checked, under the name that it was asked for."""
    entry = DatasetEntry(lambda: reading(synthetic_dataset(), lambda items: items / 255), source="made up")
    catalogue = Catalogue((Component("datasets", "floats", entry, Provenance("tests", "tests", "0")),), ())

    with pytest.raises(DataError, match=r"^data set 'floats' gives images of dtype float64, expected uint8 \[B, C, H, W\]"):
        catalogue.dataset("floats", {})


def test_padding_stands_at_the_end():
    """A 0 before another token is refused: networks and augmentation take it for padding."""

    def edit(items):
        items = items.copy()
        items[0, :3] = (5, 0, 7)
        return items

    text = fault_of(reading(synthetic_dataset(form="tokens"), edit))
    assert "gives tokens with a 0 before another token; 0 is padding and stands at the end of int64 [B, T]" in text


def test_names_become_text():
    """Class and item names with bytes that are no text, as a loader gets them from a file system, are spelt out."""
    dataset = synthetic_dataset(classes=2, images_per_class=2)
    names = ["a\udcfc", "b\ud800"]
    strange = dataclasses.replace(
        dataset, class_names=names, class_attributes={"g": names}, item_names=["w", "x\udce4", "y", "z"], notes=names
    )

    found = checked(strange, "made")

    assert list(found.class_names) == list(found.class_attributes["g"]) == list(found.notes) == [r"a\xfc", r"b\ud800"]
    assert found.item_names[1] == r"x\xe4"
