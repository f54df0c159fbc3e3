"""What the entries of all data sets state: the files they need, and augmentation that suits their items."""

import pytest

from siambench.builtin.datasets import siambench_datasets
from siambench.data.forms import AUGMENT_OF_FORM
from siambench.data.locate import Remote
from siambench.tracks.rules import AugmentRules

ENTRIES = siambench_datasets()


FOUR = ["train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"]


def test_there_are_twenty_data_sets_without_a_plugin():
    """Of published data sets alone there are more than twenty, and each says its licence, what it holds and where its split is from."""
    published = {name: entry for name, entry in ENTRIES.items() if not entry.takes_path}

    assert len(published) >= 20
    for name, entry in published.items():
        assert all((entry.licence, entry.holds, entry.split)), name


def test_a_data_set_says_which_published_files_it_needs(monkeypatch, tmp_path):
    """Those that are downloaded name their files, those that come with packages name none, and what is somebody's own cannot say."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
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
        "fashion-mnist": FOUR,
        "mnist": FOUR,
        "kmnist": FOUR,
        "emnist": ["gzip.zip"],
        "cifar-10": ["cifar-10-python.tar.gz"],
        "cifar-100": ["cifar-100-python.tar.gz"],
        "omniglot": ["images_background.zip", "images_evaluation.zip", "all_runs.zip"],
        "cub-200": ["images.txt", "image_class_labels.txt", "classes.txt"],
        "cars-196": ["cars_annos.mat"],
        "sop": ["Ebay_train.txt", "Ebay_test.txt"],
        "in-shop": ["Eval/list_eval_partition.txt"],
        "inat-2018": ["Inat_dataset_splits/Inaturalist_train_set1.txt", "Inat_dataset_splits/Inaturalist_test_set1.txt"],
        "lfw": ["peopleDevTrain.txt", "peopleDevTest.txt", "pairsDevTest.txt", "lfw.tgz"],
        "cfp-fp": ["cfp_fp.bin"],
        "agedb-30": ["agedb_30.bin"],
        "faces": ["att_faces.zip"],
        "emoji": ["emoji-datasource-google-16.0.0.tgz", "emoji-datasource-twitter-16.0.0.tgz"],
        "emoji-names": ["emoji-datasource-google-16.0.0.tgz", "emoji-datasource-twitter-16.0.0.tgz"],
        "clinc150": ["data_full.json", "domains.json"],
        "sts": ["sts-train.csv", "sts-dev.csv", "sts-test.csv"],
        "ucr": None,
        "hf": None,
        "sides": None,
    }


@pytest.mark.parametrize("name", ["omniglot-minimal", "fashion-mnist"])
def test_published_files_have_whole_checksums(name):
    """Each file has an address and a whole SHA-256, and the files of a data set lie in one folder."""
    files = ENTRIES[name].files()

    assert all(isinstance(remote, Remote) and remote.url.endswith(f"/{remote.name}") for remote in files)
    assert {len(remote.sha256_prefix) for remote in files} == {64}
    assert len({remote.sha256_prefix for remote in files}) == len(files)
    assert len({remote.folder for remote in files}) == 1


@pytest.mark.parametrize("name", ["mnist", "kmnist", "emnist", "cifar-10", "cifar-100"])
def test_where_md5_is_published_it_is_whole(name):
    """Each file has a whole MD5 and an address that ends with its name; those that nothing downloads say so."""
    files = ENTRIES[name].files()

    assert all(remote.url.endswith(f"/{remote.name}") and len(remote.md5) == 32 and not remote.sha256_prefix for remote in files)
    assert {remote.by_hand for remote in files} == {name == "emnist"}


@pytest.mark.parametrize("name", sorted(set(ENTRIES) - {"npz", "safetensors", "clinc150", "sts", "ucr"}))
def test_the_augmentation_of_a_data_set_is_for_its_images(name):
    """What an entry says of augmentation are rules that a track may have, for images."""
    rules = AugmentRules.model_validate(ENTRIES[name].augment)

    assert set(ENTRIES[name].augment) <= set(AUGMENT_OF_FORM["images"])
    assert any(rules.of_form("images")[rule] for rule in ("rotate", "flip"))
