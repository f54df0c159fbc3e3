"""Emoji and their names, from small packages in the real layout."""

from __future__ import annotations

import dataclasses

import dataset_layouts as layouts
import numpy as np
import pytest
import torch
from small_emoji import write_packages

from siambench.builtin.datasets import emoji_names
from siambench.data.checked import checked
from siambench.data.sides import parted
from siambench.data.tokens import hashed_words
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Small packages, where they are looked for."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    return write_packages(tmp_path)


def said(texts, length=32):
    return hashed_words(texts, vocabulary=4096, length=length)


def sides_of(dataset):
    """Pictures and names of all items."""
    pictures, names = parted(torch.from_numpy(dataset.read(np.arange(len(dataset.labels)))), dataset.sides)
    return (pictures * 255).round().numpy().astype(np.uint8), names.numpy()


def test_each_picture_has_its_name(build, packages):
    """Every style's picture of an emoji stands beside its name and what its short name adds, in lower case, each word once."""
    dataset = checked(build("emoji-names", size=12), "emoji-names")
    pictures, names = sides_of(dataset)

    assert [side.name for side in dataset.sides] == ["picture", "name"]
    assert np.bincount(dataset.labels).tolist() == [2] * 20
    for place in (3, 4, 24):
        number = dataset.labels[place]
        assert np.array_equal(pictures[place], np.asarray(layouts.picture([14, place // 20, int(number)])).transpose(2, 0, 1))
        text = f"sign number {number} extra" if number != 3 else "sign 3 extra"
        assert names[place].tolist() == said([text])[0].tolist()
    assert dataset.item_names[24] == "twitter/1f004-fe0f.png"


def test_one_style_has_one_item_a_class(build, packages):
    """Of one style alone every class is a single item, and that is enough for a split."""
    dataset = checked(build("emoji-names", size=12, styles="twitter"), "emoji-names")
    pictures, _ = sides_of(dataset)

    assert np.bincount(dataset.labels).tolist() == [1] * 20
    assert np.array_equal(pictures[5], np.asarray(layouts.picture([14, 1, 5])).transpose(2, 0, 1))
    assert len(cut(dataset, SplitRules(rule="official", group="subgroup").spec).test) == 4


def test_keywords_stand_behind_the_name(build, packages):
    """Those of an emoji are found whether or not it is written with a variation mark; one without any is told of."""
    dataset = checked(build("emoji-names", size=12, text="keywords"), "emoji-names")
    _, names = sides_of(dataset)

    assert names[4].tolist() == said(["sign number 4 extra happy word4"])[0].tolist()
    assert names[5].tolist() == said(["sign number 5 extra happy word5"])[0].tolist()
    assert names[7].tolist() == said(["sign number 7 extra"])[0].tolist()
    assert "emoji without keywords: 1" in dataset.notes


def test_training_and_test_share_no_subgroup(build, packages):
    """Every fifth subgroup tests, with both styles."""
    dataset = build("emoji-names", size=12)
    split = cut(dataset, SplitRules(rule="official", group="subgroup").spec)
    groups = np.array(dataset.class_attributes["subgroup"])[dataset.labels]

    assert len(set(groups[split.test])) == 2
    assert not set(groups[split.test]) & set(groups[split.trainval])
    assert split.gallery is None


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"styles": "apple"}, r"emoji-names: styles must be google, twitter or both, got 'apple'"),
        ({"text": "story"}, r"emoji-names: text must be name or keywords, got 'story'"),
        ({"tokens": "letters"}, r"emoji-names: tokens must be words or bytes, got 'letters'"),
    ],
)
def test_options_that_do_not_hold(build, packages, options, sentence):
    """Each is one sentence with what is allowed."""
    with pytest.raises(DataError, match=sentence):
        build("emoji-names", size=12, **options)


@pytest.mark.parametrize(
    ("content", "sentence"), [(b"[", "is no JSON"), (b"[]", "must hold a list of keywords"), (b'{"a": [1]}', "must hold")]
)
def test_keywords_that_do_not_hold(build, packages, content, sentence):
    """A file of another form is named."""
    (packages / "emojilib/dist/emoji-en-US.json").write_bytes(content)
    with pytest.raises(DataError, match=rf"emojilib/dist/emoji-en-US\.json {sentence}"):
        build("emoji-names", size=12, text="keywords")


def test_keywords_that_are_nowhere(build, packages, monkeypatch):
    """Where the package is not here and cannot be fetched, it is said where to get it and where it goes."""
    (packages / "emojilib/dist/emoji-en-US.json").unlink()
    monkeypatch.setattr(emoji_names, "KEYWORDS", dataclasses.replace(emoji_names.KEYWORDS, archives=()))
    with pytest.raises(DataMissingError, match=r"data set emoji is missing: get it from https://www\.npmjs\.com/package/emojilib"):
        build("emoji-names", size=12, text="keywords")
