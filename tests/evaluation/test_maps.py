"""Embeddings that somebody brings, laid flat: places, colours, images, and what is refused."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from siambench.errors import ConfigError, DataError, DataMissingError, PluginError
from siambench.evaluation import maps
from siambench.evaluation.maps import brought, laid_flat, picture
from siambench.figures import Points, Thumbnails, svg

LABELS = np.repeat(["a", "b", "<i>c"], [14, 12, 10])


def points(labels=LABELS, size=6, seed=0):
    """Three clouds that lie far apart."""
    generator = np.random.default_rng(seed)
    _, place = np.unique(labels, return_inverse=True)
    return (10 * np.eye(size)[place % size] + generator.normal(0, 0.3, (len(labels), size))).astype(np.float32)


@pytest.fixture
def saved(tmp_path):
    def save(name="e.npz", **arrays):
        path = tmp_path / name
        np.savez(path, **{"embeddings": points(), "labels": LABELS, **arrays})
        return path

    return save


def test_principal_components_are_those_of_scikit_learn(saved):
    """By the euclidean distance the places are its PCA's but for signs, and the caption says how much of the variance they hold."""
    given = brought(saved())
    places, about = laid_flat(given.points, "pca", "euclidean")
    other = PCA(2, svd_solver="full").fit(points())
    assert abs(places) == pytest.approx(abs(other.transform(points())), abs=1e-3)
    assert f"hold {100 * other.explained_variance_ratio_.sum():.0f} % of the variance" in about


@pytest.mark.parametrize("method", ["tsne", pytest.param("umap", marks=pytest.mark.slow)])
def test_neighbours_stay_neighbours_and_nothing_is_drawn_anew(saved, method):
    """By t-SNE and UMAP the nearest item of each is of its own cloud, twice the same places come out, and no global generator moves."""
    if method == "umap":
        pytest.importorskip("umap", reason="umap-learn is not installed: pip install -e '.[umap]'")
    given = brought(saved())
    state = np.random.get_state()[1].tolist()  # noqa: NPY002  the global one is what must not move
    places, about = laid_flat(given.points, method)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 1e9 * np.eye(len(places))
    assert (LABELS[apart.argmin(axis=1)] == LABELS).all()
    assert np.array_equal(laid_flat(given.points, method)[0], places)
    assert "from seed 0" in about


def test_without_umap_the_extra_is_named(saved, monkeypatch):
    """Where umap-learn is not installed one sentence says what to install."""
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(PluginError, match=r"UMAP is an extra that is not installed: pip install 'siambench\[umap\]'"):
        laid_flat(brought(saved()).points, "umap")


def test_a_method_that_there_is_not_is_named():
    """The nearest name is offered, and all are told."""
    with pytest.raises(ConfigError, match=r"'tnse'.*tsne.*there are pca, tsne, umap"):
        laid_flat(torch.eye(4, dtype=torch.float64), "tnse")


def test_each_label_has_a_colour_and_each_item_a_tip(saved):
    """Labels are the groups of the legend, names the tips, and what they hold is text in the SVG."""
    names = [f"folder/{place}.png" for place in range(36)]
    found = picture(brought(saved(names=names)), title="mine")
    assert found.groups == ("<i>c", "a", "b")
    assert sorted(tip for mark in found.marks for tip in mark.tips) == sorted(f"{a}: {b}" for a, b in zip(LABELS, names, strict=True))
    assert "<i>" not in svg(found)
    assert found.caption.startswith("36 items of 3 labels, by the cosine.")


def test_labels_are_called_as_their_classes(saved):
    """Numbers are named by ``class_names``, as `siambench embed` writes them; without, or where they number no class, they stay."""
    numbers = np.unique(LABELS, return_inverse=True)[1]
    names = np.array(["ann", "bob", "cid"])
    assert {"ann", "bob", "cid"} == set(brought(saved(labels=numbers, class_names=names)).labels)
    for more in ({}, {"class_names": names[:2]}, {"class_names": np.arange(3)}):
        assert {"0", "1", "2"} == set(brought(saved(labels=numbers, **more)).labels)


def test_of_many_labels_the_largest_have_colours(saved, tmp_path):
    """Of twenty labels eleven are coloured, those with most items, and the others are grey; the caption says how many."""
    labels = np.repeat([f"l{place:02d}" for place in range(20)], np.arange(20, 0, -1))
    path = tmp_path / "many.npz"
    np.savez(path, embeddings=points(labels), labels=labels)
    found = picture(brought(path))
    assert found.groups == tuple(f"l{place:02d}" for place in range(11))
    grey = [mark for mark in found.marks if isinstance(mark, Points) and not mark.group]
    assert [len(mark.at) for mark in grey] == [sum(range(1, 10))]
    assert "Grey: 9 smaller labels." in found.caption


def test_queries_and_gallery_lie_on_one_map(saved):
    """A gallery's items are laid flat with the queries'."""
    given = brought(saved(gallery=points()[:5], gallery_labels=LABELS[:5]))
    assert (len(given.labels), given.of) == (41, 41)


@pytest.mark.parametrize("shape", [(36, 8, 10), (36, 1, 8, 10), (36, 8, 10, 3), (36, 3, 8, 10)])
def test_images_of_the_file_are_shown(saved, shape):
    """In each of the usual layouts an image stands at the place of its item."""
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    given = brought(saved(images=images))
    found = picture(given)
    (thumbnails,) = [mark for mark in found.marks if isinstance(mark, Thumbnails)]
    assert f"{len(thumbnails.items)} of them with their images." in found.caption
    at = {tip: place for mark in found.marks if isinstance(mark, Points) for place, tip in zip(mark.at, mark.tips, strict=True)}
    for item in thumbnails.items:
        assert at[item.tip] == (item.x, item.y)
        assert Image.open(io.BytesIO(item.png)).size == (10, 8)


def test_images_do_not_cover_each_other(saved):
    """Any two of them are further apart than a thirtieth of the map; of items in one place a single one is shown."""
    images = np.zeros((36, 4, 4), dtype=np.uint8)
    (thumbnails,) = [mark for mark in picture(brought(saved(images=images))).marks if isinstance(mark, Thumbnails)]
    places = np.array([(item.x, item.y) for item in thumbnails.items])
    apart = abs(places[:, None] - places[None]).max(axis=2) + 1e9 * np.eye(len(places))
    width = max(max(at) - min(at) for at in zip(*places, strict=True))
    assert 3 <= len(places)
    assert apart.min() >= 0.03 * width
    same = picture(brought(saved(name="same.npz", embeddings=np.ones((36, 3)), images=images)))
    assert [len(mark.items) for mark in same.marks if isinstance(mark, Thumbnails)] == [1]


def test_images_of_a_folder_are_found_by_name(saved, tmp_path):
    """Names are paths in the folder; one that leads out of it, or is not there, is refused by name, and so are names that are missing."""
    folder = tmp_path / "images" / "in"
    folder.mkdir(parents=True)
    names = [f"in/{place}.png" for place in range(36)]
    for name in names:
        Image.new("RGB", (40, 20), (200, 0, 0)).save(tmp_path / "images" / name)
    found = picture(brought(saved(names=names), tmp_path / "images"))
    (thumbnails,) = [mark for mark in found.marks if isinstance(mark, Thumbnails)]
    assert Image.open(io.BytesIO(thumbnails.items[0].png)).size == (32, 16)
    Image.new("L", (4, 4)).save(tmp_path / "secret.png")
    with pytest.raises(DataError, match=r"'\.\./secret\.png' of .*e\.npz leads out of .*images"):
        picture(brought(saved(names=["../secret.png"] + ["../secret.png"] * 35), tmp_path / "images"))
    with pytest.raises(DataError, match=r"images holds no image 'in/gone\.png', which .*e\.npz names"):
        picture(brought(saved(names=["in/gone.png"] * 36), tmp_path / "images"))
    with pytest.raises(DataError, match="holds no names, by which --images could find the images"):
        brought(saved(name="nameless.npz"), tmp_path / "images")
    with pytest.raises(DataError, match="is no folder"):
        brought(saved(names=names), tmp_path / "nowhere")


def test_of_many_items_a_sample_is_laid_flat(tmp_path, monkeypatch):
    """Classes take turns, the same items whatever their order in the file, and images stay with their items."""
    monkeypatch.setattr(maps, "MOST_ITEMS", 10)
    labels, names = np.repeat(["a", "b"], [40, 4]), np.array([f"n{place}" for place in range(44)])
    images = np.repeat(np.arange(44, dtype=np.uint8)[:, None, None], 4, axis=1).repeat(4, axis=2)
    order = np.random.default_rng(1).permutation(44)
    found = []
    for number, chosen in enumerate((np.arange(44), order)):
        path = tmp_path / f"{number}.npz"
        np.savez(path, embeddings=points(labels)[chosen], labels=labels[chosen], names=names[chosen], images=images[chosen])
        given = brought(path)
        assert (given.labels.count("a"), given.labels.count("b"), given.of) == (6, 4, 44)
        assert [int(given.image(place)[0, 0, 0]) for place in range(10)] == [int(name[1:]) for name in given.names]
        found.append(set(given.names))
    assert found[0] == found[1]
    assert "A sample of 44" in picture(given).caption


@pytest.mark.parametrize(
    ("arrays", "said"),
    [
        ({"images": np.zeros((35, 8, 8), np.uint8)}, "images must be uint8"),
        ({"images": np.zeros((36, 8, 8), np.float32)}, "images must be uint8"),
        ({"images": np.zeros((36, 5, 8, 7), np.uint8)}, "images must be uint8"),
        ({"embeddings": np.zeros((36,))}, "embeddings must be real numbers"),
        ({"embeddings": np.full((36, 2), np.nan)}, "embeddings must be finite"),
        ({"labels": np.zeros(35, int)}, "labels must be whole numbers or text, one for each of 36 items"),
        ({"labels": np.zeros(36)}, "labels must be whole numbers or text"),
        ({"names": ["a"]}, "names must be whole numbers or text, one for each of 36 items"),
        ({"gallery": np.zeros((2, 5)), "gallery_labels": ["a", "b"]}, "embeddings and gallery have 6 and 5 dimensions"),
        ({"embeddings": np.eye(2), "labels": ["a", "b"]}, "a map needs at least 3 items, got 2"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(saved, arrays, said):
    """Wrong shapes, types and numbers, values that are not finite: one sentence that names the file."""
    with pytest.raises(DataError, match=said) as refused:
        brought(saved(**arrays))
    assert "e.npz" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    """No such file, as `evaluate` says it."""
    with pytest.raises(DataMissingError, match="no such file"):
        brought(tmp_path / "gone.npz")


def test_equal_embeddings_have_a_map_too():
    """Items that all lie in one place are drawn there, by the components and by t-SNE."""
    given = maps.Brought(torch.ones(8, 3, dtype=torch.float64), ["a"] * 8, [str(place) for place in range(8)], None, 8)
    for method in ("pca", "tsne"):
        found = picture(given, method=method)
        assert found.x.high > found.x.low
        assert svg(found)
