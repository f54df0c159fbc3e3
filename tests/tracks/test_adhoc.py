import dataclasses

import numpy as np
import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import UnknownNameError
from siambench.plugin import DatasetEntry
from siambench.testing import synthetic_dataset
from siambench.tracks.adhoc import adhoc_track
from siambench.tracks.files import load_track
from siambench.tracks.rules import Track
from siambench.tracks.split import cut

INSTALLED = Catalogue.load({"SIAMBENCH_PLUGINS": ""})


def catalogue_of(dataset, name="made"):
    """Everything installed, and this data set."""
    entry = DatasetEntry(lambda: dataset, source="made up")
    return Catalogue((*INSTALLED.components(), Component("datasets", name, entry, Provenance("tests", "tests", "0"))), INSTALLED.plugins)


def track_of(dataset, backbone=None):
    """The ad-hoc track of a data set."""
    return adhoc_track(catalogue_of(dataset), "made", backbone)


def flat(dataset):
    """The same arrays without their last axis but one: vectors."""
    return dataclasses.replace(dataset, read=lambda indices: dataset.read(indices)[:, 0], shape=dataset.shape[1:])


@pytest.mark.parametrize(
    ("dataset", "backbone"),
    [
        (synthetic_dataset(size=16), "conv4"),
        (synthetic_dataset(size=96), "conv4"),
        (synthetic_dataset(size=97, images_per_class=2), "resnet18"),
        (synthetic_dataset(form="arrays"), "cnn1d"),
        (flat(synthetic_dataset(form="arrays")), "mlp"),
        (synthetic_dataset(form="tokens"), "bag"),
    ],
    ids=["small images", "images of 96 pixels", "large images", "series", "vectors", "tokens"],
)
def test_the_backbone_suits_the_items(dataset, backbone):
    """Without a backbone one is chosen that takes the items: by their form, and of images and arrays by their shape."""
    found = track_of(dataset)

    assert backbone == found.model.backbone
    assert dataset.form in INSTALLED.get("backbones", backbone).entry.takes
    assert f"made-{backbone}" == found.name
    assert found.version == "0.0"


@pytest.mark.parametrize(("size", "blocks"), [(4, 1), (8, 2), (16, 3), (24, 3), (32, 4), (96, 4)])
def test_conv4_gets_as_many_blocks_as_the_images_bear(size, blocks):
    """The blocks of conv4 leave a map of at least two pixels, one block at least and four at most."""
    assert {"blocks": blocks} == track_of(synthetic_dataset(size=size, images_per_class=2)).model.options


def test_a_backbone_may_be_named():
    """A named backbone is taken as it is, and a name that nobody provides is refused with the nearest."""
    assert track_of(synthetic_dataset(), "mlp").model.backbone == "mlp"
    assert track_of(synthetic_dataset(), "mlp").model.options == {}
    for dataset in ("made", None):
        with pytest.raises(UnknownNameError, match="unknown backbone 'conv5', did you mean 'conv4'"):
            adhoc_track(catalogue_of(synthetic_dataset()), dataset, "conv5")


@pytest.mark.parametrize(
    ("options", "rule", "group"),
    [
        ({}, "class-halves", None),
        ({"groups": 4}, "by-group", "group"),
        ({"official": True}, "official", None),
        ({"official": True, "groups": 4}, "official", "group"),
    ],
)
def test_the_split_follows_what_the_data_set_brings(options, rule, group):
    """Official parts come first, then whole groups, then halves of the classes; folds follow the groups where there are any."""
    dataset = synthetic_dataset(**options)
    found = track_of(dataset).split

    assert (rule, group) == (found.rule, found.group)
    assert len(cut(dataset, found.spec).test) > 0


def test_query_and_gallery_are_an_official_split():
    """A data set with queries and a gallery of its own is examined on them."""
    dataset = synthetic_dataset(classes=6, images_per_class=4)
    parts = {"trainval": np.arange(16), "query": np.array([16, 20]), "gallery": np.array([17, 18, 19, 21, 22, 23])}
    found = track_of(dataclasses.replace(dataset, parts=parts)).split

    assert found.rule == "official"


def test_without_a_data_set_the_rules_are_those_of_glyphs():
    """Another backbone alone sits the exam of glyphs, under a name of its own and without the options of conv4."""
    glyphs, found = load_track("glyphs"), adhoc_track(INSTALLED, None, "mlp")

    assert found.name == "glyphs-mlp"
    assert (found.model.backbone, found.model.options) == ("mlp", {})
    assert (glyphs.dataset, glyphs.split, glyphs.training, glyphs.augment) == (found.dataset, found.split, found.training, found.augment)
    assert glyphs.model.embedding_size == found.model.embedding_size
    assert adhoc_track(INSTALLED, None, None).model == glyphs.model


@pytest.mark.parametrize("name", ["My Birds", "birds_2.0", "-odd-", "Vögel"])
def test_a_folder_gives_a_name_that_a_track_may_bear(tmp_path, name, monkeypatch):
    """Whatever a folder is called, its track has a name that a track's file may bear, without its path."""
    from PIL import Image

    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    for c, bird in enumerate(("wren", "finch", "robin", "swift")):
        (tmp_path / name / bird).mkdir(parents=True)
        for i in range(2):
            Image.new("L", (8, 8), color=40 * c + i + 1).save(tmp_path / name / bird / f"{i}.png")

    found = adhoc_track(INSTALLED, f"folder:{tmp_path / name}/", None)

    assert found == Track.model_validate(found.model_dump(by_alias=True))
    assert found.name.endswith("-conv4")
    assert str(tmp_path) not in f"{found.name} {found.title}"
    assert found.dataset.name == f"folder:{tmp_path / name}/"


def test_the_folds_that_a_data_set_says_are_cut():
    """Where classes say their fold, the ad-hoc track has so many folds, each of the classes that say so, within its official split too."""
    dataset = synthetic_dataset(classes=12)
    folds = [str(c % 3) if c < 6 else "" for c in range(12)]
    told = dataclasses.replace(dataset, class_attributes={"fold": folds}, parts={"trainval": np.arange(36), "test": np.arange(36, 72)})

    track = track_of(told)

    assert (track.split.rule, track.split.folds, track.split.group) == ("official", 3, "fold")
    split = cut(told, track.split.spec)
    assert sorted(sorted({folds[c] for c in told.labels[validation]}) for _, validation in split.folds) == [["0"], ["1"], ["2"]]


def test_an_official_split_that_shares_classes_is_not_taken():
    """Where train and test have classes in common, an ad-hoc track cuts by classes: an exam needs unseen ones."""
    dataset = synthetic_dataset(classes=8)
    items = np.arange(len(dataset.labels))
    shared = dataclasses.replace(dataset, parts={"trainval": items[::2], "test": items[1::2]})

    assert track_of(shared).split.rule == "class-halves"


def test_a_long_or_strange_name_makes_a_track(tmp_path):
    """The name of a file is of any length and any bytes; that of the track is short, and its data set's is text."""
    made = catalogue_of(synthetic_dataset())
    entry = DatasetEntry(lambda path: synthetic_dataset(), source="made up", takes_path=True)
    catalogue = Catalogue((*made.components(), Component("datasets", "own", entry, Provenance("tests", "tests", "0"))), made.plugins)

    track = adhoc_track(catalogue, f"own:/data/{'x' * 250}", None)
    strange = adhoc_track(catalogue, "own:/data/\udcfc\udce4", None)

    assert len(track.name) <= 100
    assert strange.dataset.name == r"own:/data/\xfc\xe4"
    strange.model_dump_json()
