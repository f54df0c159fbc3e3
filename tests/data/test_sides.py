"""Items of two sides as one array, parted again, changed side by side; and what is refused of data sets of such."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from siambench.data.checked import checked
from siambench.data.checked_sides import comparable
from siambench.data.sides import changed_by, draws_of, joined, numbers_of, parted
from siambench.data.summary import summary
from siambench.data.transforms import changed, drawn, numbers_drawn, prepared
from siambench.errors import DataError
from siambench.interfaces import LARGEST_VOCABULARY, Dataset, Side
from siambench.testing import synthetic_dataset

CPU = torch.device("cpu")
IMAGES = np.random.default_rng(0).integers(0, 256, size=(5, 3, 4, 6), dtype=np.uint8)
WORDS = np.array([[3, 1, 0], [2**24 - 1, 2, 1], [1, 0, 0], [2, 2, 0], [4, 0, 0]], dtype=np.int64)
ARRAYS = np.random.default_rng(1).standard_normal((5, 2, 3)).astype(np.float32)


def side(name, form, items, **more):
    return Side(name=name, form=form, shape=items.shape[1:], read=lambda indices: items[indices], **more)


def made(sides=None, **more):
    """A data set of five items, each a class of its own: a picture and words, unless other sides are given."""
    own = (side("picture", "images", IMAGES), side("words", "tokens", WORDS, vocabulary=2**24))
    return Dataset.of_sides(own if sides is None else sides, labels=np.arange(5), class_names=list("abcde"), **more)


def test_both_sides_come_back_as_models_take_them():
    """Parted again each side is bit for bit what `prepared` makes of what it reads, ids of 24 bits among it; joined it is as before."""
    dataset = checked(made(), "made")
    places = np.array([4, 1, 1, 0])
    items = torch.from_numpy(dataset.read(places))
    pictures, words = parted(items, dataset.sides)

    assert items.dtype == torch.float32
    assert items.shape == (4, *dataset.shape) == (4, 3 * 4 * 6 + 3)
    assert torch.equal(pictures, prepared(IMAGES[places], "images", CPU))
    assert torch.equal(words, torch.from_numpy(WORDS[places]))
    assert words.dtype == torch.int64
    assert torch.equal(joined([pictures, words]), items)


def test_each_side_is_changed_by_the_rules_for_its_form():
    """One generator draws for the first side and then for the second; each is changed as a data set of that side alone would be."""
    dataset = checked(made(), "made")
    rules = {"rotate": 40.0, "flip": True, "drop": 0.5, "swap": 0.5}
    items = torch.from_numpy(dataset.read(np.arange(5)))
    draws = draws_of(dataset, rules, (2, 5), generator=torch.Generator().manual_seed(3), device=CPU)
    found = [parted(changed_by(items, dataset, rules, [each.of(step) for each in draws]), dataset.sides) for step in (0, 1)]
    generator = torch.Generator().manual_seed(3)
    for place, (form, own) in enumerate((("images", IMAGES), ("tokens", WORDS))):
        alone = drawn(form, rules, (2, *own.shape), generator=generator, device=CPU)
        for step in (0, 1):
            expected = changed(prepared(own, form, CPU), form, rules, alone.of(step))
            assert torch.equal(found[step][place], expected)
    assert not torch.equal(found[0][0], found[1][0])
    assert numbers_of(dataset, rules) == numbers_drawn("images", rules, (3, 4, 6)) + numbers_drawn("tokens", rules, (3,))


def test_without_rules_items_stay_as_they_are():
    """Rules that change nothing of either side give the very tensor back."""
    dataset = checked(made(), "made")
    items = torch.from_numpy(dataset.read(np.arange(5)))
    draws = draws_of(dataset, {}, (1, 5), generator=torch.Generator(), device=CPU)

    assert changed_by(items, dataset, {}, [each.of(0) for each in draws]) is items


def test_raw_items_are_comparable_where_both_sides_are_of_one_form_and_shape():
    """Two of one shape and vocabulary are; an image and a text, two shapes, and two vocabularies are not, which a note says."""
    same = (side("left", "arrays", ARRAYS), side("right", "arrays", ARRAYS))
    others = (side("few", "tokens", WORDS, vocabulary=2**24), side("many", "tokens", WORDS, vocabulary=2**24 - 1))

    assert comparable(made(same))
    assert not comparable(made())
    assert not comparable(made((same[0], side("right", "arrays", ARRAYS[:, :1]))))
    assert not comparable(made(others))
    assert comparable(synthetic_dataset())
    assert "no baseline raw: picture and words have no coordinates in common" in checked(made(), "made").notes
    assert not checked(made(same), "made").notes


def test_a_summary_names_both_sides():
    """It says of what sides the items are, in words and in its document; of items of one side neither changes."""
    found = summary(checked(made(), "made"))

    assert str(found).startswith("5 classes, 5 items of two sides, picture and words, 1 to 1 a class")
    assert found.to_json()["sides"] == ["picture", "words"]
    assert "sides" not in summary(synthetic_dataset()).to_json()


PICTURE, NAME = side("picture", "images", IMAGES), side("words", "tokens", WORDS, vocabulary=2**24)


@pytest.mark.parametrize(
    ("dataset", "sentence"),
    [
        (made((PICTURE,)), "data set 'made' must have two sides, each a siambench.interfaces.Side, got 1"),
        (dataclasses.replace(made(), sides=()), "must have two sides, each a siambench.interfaces.Side, got 0"),
        (dataclasses.replace(made(), form="images"), "has sides and says that its items are 'images': make it by Dataset.of_sides"),
        (made((PICTURE, dataclasses.replace(NAME, name="picture"))), "its sides must have names of their own, got 'picture' twice"),
        (made((dataclasses.replace(PICTURE, name=" "), NAME)), "a side must have a name, got ' '"),
        (made((PICTURE, dataclasses.replace(NAME, form="sides"))), "its side 'words' is 'sides'; a side is images, arrays, tokens"),
        (
            made((PICTURE, dataclasses.replace(NAME, vocabulary=LARGEST_VOCABULARY + 1))),
            "the vocabulary of its side 'words' must be at most 16,777,216, got 16,777,217",
        ),
        (made((PICTURE, dataclasses.replace(NAME, vocabulary=7))), "the words of data set 'made' gives tokens in 0 … 16777215"),
        (made((side("picture", "images", ARRAYS), NAME)), "the picture of data set 'made' has images of shape (2, 3)"),
        (
            made((side("numbers", "arrays", ARRAYS * np.inf), NAME)),
            "the numbers of data set 'made' gives arrays with 30 numbers that are not",
        ),
        (
            made(parts={"trainval": np.arange(3), "query": np.array([3]), "gallery": np.array([4])}),
            "has two sides and brings the part 'query': the first sides ask, and the second are what they are compared with",
        ),
        (made(episodes={"one-shot": dict}), "has two sides and brings episodes"),
    ],
)
def test_what_no_data_set_of_two_sides_can_be_is_one_sentence(dataset, sentence):
    """Each fault is told by the name of the side that it is of, when the data set is loaded."""
    with pytest.raises(DataError) as refused:
        checked(dataset, "made")
    assert sentence in str(refused.value)
