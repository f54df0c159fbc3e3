"""Data sets of Hugging Face's library, local ones, with the real library where it is installed."""

import importlib.util
import sys

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.data.tokens import hashed_words
from siambench.errors import DataError, DataMissingError

needs_library = pytest.mark.skipif(
    importlib.util.find_spec("datasets") is None, reason="Hugging Face's library datasets is not installed: pip install 'siambench[hf]'"
)
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")


def test_without_the_library_it_says_what_to_install(build, tmp_path, monkeypatch):
    """Where the extra is not installed the sentence says how it is."""
    monkeypatch.setitem(sys.modules, "datasets", None)

    with pytest.raises(DataMissingError, match=r"^hf:beans needs Hugging Face's library datasets: pip install 'siambench\[hf\]'$"):
        build("hf", path="beans")


@pytest.fixture
def offline(tmp_path, monkeypatch):
    """No network, and the library's own cache in the test's folder."""
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE", "HF_UPDATE_DOWNLOAD_COUNTS"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "hf/datasets"))


@pytest.fixture
def saved(tmp_path, offline):
    """Pictures of three kinds in two splits, saved to disk by the library; the pictures."""
    import datasets

    pictures = [layouts.picture([15, n]) for n in range(7)]
    features = datasets.Features(
        {"img": datasets.Image(), "label": datasets.ClassLabel(names=["owl", "ant", "bee"]), "order": datasets.Value("string")}
    )
    rows = {"img": pictures, "label": [0, 1, 2, 0, 1, 2, 2], "order": ["bird", "insect", "insect", "bird", "insect", "insect", "insect"]}
    whole = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict({"train": whole.select(range(4)), "test": whole.select(range(4, 7))}).save_to_disk(str(tmp_path / "saved"))
    return str(tmp_path / "saved"), np.stack([np.asarray(one).transpose(2, 0, 1) for one in pictures])


@needs_library
def test_images_of_a_saved_data_set(build, every, check_contract, saved):
    """Images are those of the column, classes have the column's names, splits of known names are the parts, a column the groups."""
    path, pixels = saved
    dataset = build("hf", path=path, size=12, group="order")

    check_contract(dataset)
    assert np.array_equal(pixels, every(dataset))
    assert dataset.class_names == ["ant", "bee", "owl"]
    assert dataset.labels.tolist() == [2, 0, 1, 2, 0, 1, 1]
    assert dataset.class_attributes == {"group": ["insect", "insect", "bird"]}
    assert dataset.parts["test"].tolist() == [4, 5, 6]
    assert "parts train, test: the official split" in dataset.notes


@needs_library
def test_one_split_and_grey_images(build, saved):
    """A split alone has no parts; mode grey gives one channel."""
    dataset = build("hf", path=saved[0], size=8, split="train", mode="grey")

    assert dataset.shape == (1, 8, 8)
    assert len(dataset.labels) == 4
    assert dataset.parts == {}


@needs_library
def test_texts_of_local_files(build, every, tmp_path, offline):
    """A folder of CSV files is read by the library; texts become tokens, labels of text are the classes."""
    folder = tmp_path / "texts"
    layouts.text(folder / "train.csv", ["text,label", "what a day,good", "oh no,bad", "fine weather,good"])
    dataset = build("hf", path=str(folder), length=4, vocabulary=500)

    assert np.array_equal(every(dataset), hashed_words(["what a day", "oh no", "fine weather"], vocabulary=500, length=4))
    assert dataset.class_names == ["bad", "good"]
    assert dataset.labels.tolist() == [1, 0, 1]


@needs_library
def test_columns_and_splits_that_are_not_there_are_told(build, saved):
    """An unknown column or split is one sentence with the nearest and with those that there are."""
    path, _ = saved
    with pytest.raises(
        DataError, match=r"has no column 'image', did you mean 'img'\?; columns: img, label, order; --set dataset\.options\.item="
    ):
        build("hf", path=path, item="image")
    with pytest.raises(DataError, match=r"has no split 'tset', did you mean 'test'\?; splits: train, test"):
        build("hf", path=path, split="tset")
    with pytest.raises(DataError, match=r"img of row 0 must be a whole number or text, got \w+"):
        build("hf", path=path, label="img")
    with pytest.raises(DataError, match=r"label must be the same for all items of a class, class 'insect' has 'ant' and 'bee'"):
        build("hf", path=path, label="order", group="label")


@needs_library
def test_a_data_set_that_is_nowhere_is_one_sentence(build, tmp_path, offline):
    """A name without a data set, and a folder without data, are told with the library's reason in a line."""
    (tmp_path / "empty").mkdir()
    for path in ("no-such/thing", str(tmp_path / "empty")):
        with pytest.raises(DataMissingError, match=r"^hf:.* cannot be loaded: \w+: "):
            build("hf", path=path)


@needs_library
def test_a_damaged_image_is_named(build, tmp_path, offline):
    """An image that cannot be read is told with its row."""
    import datasets

    rows = {"image": [{"bytes": b"no image", "path": None}] * 2, "label": [0, 1]}
    features = datasets.Features({"image": datasets.Image(), "label": datasets.Value("int64")})
    datasets.Dataset.from_dict(rows, features=features).save_to_disk(str(tmp_path / "bad"))

    with pytest.raises(DataError, match=r"image of row \d of hf:.*bad cannot be read as an image"):
        build("hf", path=str(tmp_path / "bad"))
