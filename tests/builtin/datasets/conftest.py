"""An empty cache, data sets as their entries build them, and what every data set keeps."""

import numpy as np
import pytest

from siambench.builtin.datasets import siambench_datasets
from siambench.data.checked import checked
from siambench.plugin import call_factory

ENTRIES = siambench_datasets()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache; SIAMBENCH_DATA as the tests set it."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def build():
    """Build a data set as its entry does."""
    return lambda name, **options: call_factory(ENTRIES[name].build, {**ENTRIES[name].defaults, **options})


@pytest.fixture
def every():
    """Read all items of a data set."""
    return lambda dataset: dataset.read(np.arange(len(dataset.labels)))


@pytest.fixture
def check_contract():
    """Check that labels, names, attributes, parts and images keep what `Dataset` states."""

    def check(dataset):
        checked(dataset, "shipped")
        assert dataset.labels.dtype == np.int64
        assert sorted(set(dataset.labels.tolist())) == list(range(len(dataset.class_names)))
        assert len(set(dataset.class_names)) == len(dataset.class_names)
        assert all(len(values) == len(dataset.class_names) for values in dataset.class_attributes.values())
        few = np.array([len(dataset.labels) - 1, 0, 2], dtype=np.int64)
        images = dataset.read(few)
        assert images.dtype == np.uint8
        assert images.shape == (3, *dataset.shape)
        assert np.array_equal(images[1], dataset.read(np.array([0]))[0])

    return check
