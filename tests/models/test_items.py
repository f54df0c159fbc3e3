"""A file becomes the item that the data set would have made of it."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siambench.components.catalogue import Catalogue
from siambench.errors import DataError
from siambench.models.document import AsTheyAre, ByDataSet, OfImages, OfTexts
from siambench.models.items import given_of, items_from

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""}, distributions=())


def given(name, **options):
    dataset = CATALOGUE.dataset(name, options)
    return dataset, given_of(dataset, CATALOGUE.get("datasets", name), options)


def loader(rule):
    return CATALOGUE.get("datasets", rule.dataset)


def photographs(root, mode, *, edges=(40, 30), scale=1):
    """Two folders of three images, and their files in the order of a data set."""
    generator = np.random.default_rng(0)
    files = []
    for label in ("a", "b"):
        (root / label).mkdir(parents=True)
        for number in range(3):
            path = root / label / f"{number}.png"
            if mode == "I;16":
                Image.fromarray((generator.integers(0, 4096, edges[::-1]) * scale).astype(np.uint16)).save(path)
            else:
                shape = edges[::-1] if mode == "L" else (*edges[::-1], 3)
                Image.fromarray(generator.integers(0, 256, shape, dtype=np.uint8)).save(path)
            files.append(path)
    return files


@pytest.mark.parametrize(
    ("mode", "options"), [("L", {}), ("RGB", {"size": 16}), ("RGB", {"size": 16, "resize": 20}), ("I;16", {"size": 12})]
)
def test_files_of_a_folder_are_read_as_its_data_set_reads_them(tmp_path, mode, options):
    """Grey and coloured, squeezed and resized, 12 bits in files of 16: each file gives the data set's own item, pixel by pixel."""
    files = photographs(tmp_path / "set", mode)
    dataset, found = given(f"folder:{tmp_path / 'set'}", **options)
    assert isinstance(found.preprocessing, OfImages)
    assert (dataset.read(np.arange(6)) == items_from(files, found, loader)).all()
    if mode == "I;16":
        assert 4095 == found.preprocessing.white


def test_dark_ink_becomes_bright_where_the_data_set_does_so(tmp_path):
    """Models of Omniglot are given a drawing of dark ink on white paper as its own loader gives it: 255 - value."""
    entry = CATALOGUE.get("datasets", "omniglot-minimal").entry
    assert entry.inverted
    rule = OfImages(mode="grey", height=28, width=28, resize=0, white=65535, inverted=True)
    image = np.full((105, 105), 255, np.uint8)
    image[40:60] = 0
    from siambench.models.document import Given

    form = Given(form="images", shape=(1, 28, 28), vocabulary=None, colour="white ink on black", preprocessing=rule)
    (found,) = items_from([image], form, loader)
    assert 0 == found[0, 0, 0]
    assert 255 == found[0, 13, 13]


def test_a_printed_letter_becomes_a_glyph():
    """Dark ink anywhere on a light page becomes a glyph: bright, 18 pixels large, in the middle of black; a blank page is black."""
    dataset, found = given("glyphs")
    assert isinstance(found.preprocessing, ByDataSet)
    assert found.preprocessing.about.startswith("Of one character, dark ink on light paper")
    page = np.full((200, 300), 255, np.uint8)
    page[20:110, 200:230] = 0
    (item,) = items_from([page], found, loader)
    rows, columns = np.flatnonzero(item[0].max(axis=1)), np.flatnonzero(item[0].max(axis=0))
    assert (3, 20) == (rows[0], rows[-1])
    assert 255 == item.max()
    assert 24 == columns[0] + columns[-1] + 1
    assert dataset.shape == item.shape
    assert 0 == items_from([np.full((50, 50), 255, np.uint8)], found, loader).max()


@pytest.mark.skipif(not (Path(os.environ.get("SIAMBENCH_DATA", "nowhere")) / "signatures").is_dir(), reason="the signatures are not here")
def test_files_of_signatures_are_read_as_their_data_set_reads_them():
    """A file of the signatures, read as anybody's file, is the data set's own item."""
    dataset, found = given("signatures", height=24, width=48)
    root = Path(os.environ["SIAMBENCH_DATA"]) / "signatures" / "bin"
    places = [0, 15, 199]
    files = [root / str(place // 40 + 1) / f"{place % 40 + 1}.png" for place in places]
    assert (dataset.read(np.array(places)) == items_from(files, found, loader)).all()


def test_texts_become_the_tokens_of_their_table(tmp_path):
    """A text gives the tokens that the table's loader makes of it, by words and by bytes; one without a word is named."""
    texts = ["Where is my card?", "I lost it", "Pay the bill", "pay it, now"]
    lines = "\n".join(f'"{text}",{label}' for text, label in zip(texts, "aabb", strict=True))
    (tmp_path / "t.csv").write_text(f"text,label\n{lines}\n")
    for options in ({"length": 9}, {"tokens": "bytes", "length": 12}):
        dataset, found = given(f"csv:{tmp_path / 't.csv'}", **options)
        assert isinstance(found.preprocessing, OfTexts)
        assert (dataset.read(np.arange(4)) == items_from(texts, found, loader)).all()
    with pytest.raises(DataError, match="text 2 has no word"):
        items_from(["a", ""], found, loader)
    with pytest.raises(DataError, match="this model is given texts"):
        items_from([3], found, loader)


def test_arrays_are_given_as_they_are(tmp_path):
    """A model of features is given arrays alone, and says so of a file."""
    np.savez(tmp_path / "f.npz", features=np.random.default_rng(0).random((6, 4), dtype=np.float32), labels=np.repeat([0, 1, 2], 2))
    _, found = given(f"npz:{tmp_path / 'f.npz'}")
    assert isinstance(found.preprocessing, AsTheyAre)
    with pytest.raises(DataError, match="as they are, and no files"):
        items_from(["a.png"], found, loader)
