"""What the entries of all data sets state: the files they need, and augmentation that suits their items."""

import pytest

from siambench.builtin.datasets import siambench_datasets
from siambench.data.forms import AUGMENT_OF_FORM
from siambench.data.locate import Remote
from siambench.tracks.rules import AugmentRules

ENTRIES = siambench_datasets()


def test_a_data_set_says_which_published_files_it_needs():
    """Those that are downloaded name their files, those that come with packages name none, and what is somebody's own cannot say."""
    files = {name: None if entry.files is None else [remote.name for remote in entry.files()] for name, entry in ENTRIES.items()}

    assert files == {
        "glyphs": [],
        "digits": [],
        "signatures": [f"{number}.png" for _ in range(93) for number in range(1, 41)],
        "folder": None,
        "csv": None,
        "npz": None,
        "safetensors": None,
        "omniglot-minimal": ["images_background_small1.zip", "images_background_small2.zip", "all_runs.zip"],
        "fashion-mnist": [
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        ],
    }


@pytest.mark.parametrize("name", ["omniglot-minimal", "fashion-mnist"])
def test_published_files_have_whole_checksums(name):
    """Each file has an address and a whole SHA-256, and the files of a data set lie in one folder."""
    files = ENTRIES[name].files()

    assert all(isinstance(remote, Remote) and remote.url.endswith(f"/{remote.name}") for remote in files)
    assert {len(remote.sha256_prefix) for remote in files} == {64}
    assert len({remote.sha256_prefix for remote in files}) == len(files)
    assert len({remote.folder for remote in files}) == 1


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"npz", "safetensors"}))
def test_the_augmentation_of_a_data_set_is_for_its_images(name):
    """What an entry says of augmentation are rules that a track may have, for images."""
    rules = AugmentRules.model_validate(ENTRIES[name].augment)

    assert set(ENTRIES[name].augment) <= set(AUGMENT_OF_FORM["images"])
    assert any(rules.of_form("images")[rule] for rule in ("rotate", "flip"))
