"""What the pictures of a unit are drawn from: of the embeddings that were scored, and no more than a page can show."""

from __future__ import annotations

import base64
import dataclasses
import io

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA

from siambench import metrics
from siambench.evaluation.figures import MOST_PICTURE_BYTES, Seen, figures_of, neighbours, plane
from siambench.evaluation.view import Evaluated
from siambench.identity import canonical, to_json
from siambench.interfaces import Dataset
from siambench.records.unit_figures import size
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items


def items_of(dataset, is_gallery=None):
    return Items(dataset, np.arange(len(dataset.labels)), dataset.labels, dataset.class_names, is_gallery=is_gallery)


def points_of(labels, size=8, spread=0.6, seed=0):
    """Embeddings near the direction of their class."""
    generator = torch.Generator().manual_seed(seed)
    middles = torch.randn(int(labels.max()) + 1, size, generator=generator)
    return middles[torch.from_numpy(labels)] + spread * torch.randn(len(labels), size, generator=generator)


def seen_of(dataset, *, pairs=None, distance="cosine", is_gallery=None):
    """A data set embedded and evaluated as `evaluate_items` does it."""
    items = items_of(dataset, is_gallery)
    points, labels, places, queries = points_of(dataset.labels), torch.from_numpy(dataset.labels), torch.arange(len(items)), None
    if is_gallery is not None:
        places = torch.from_numpy(np.argsort(is_gallery, kind="stable"))
        points, labels, queries = points[places], labels[places], int((~is_gallery).sum())
    return Seen(Evaluated(points, labels, seed=1, queries=queries, distance=distance, pairs=pairs), items, places)


GROUPED = synthetic_dataset(classes=12, images_per_class=10, groups=3)


def test_the_numbers_are_those_of_the_metrics():
    """Equal error rate and numbers of pairs are what the metrics give of the same pairs, and each group's of the pairs that touch it."""
    seen = seen_of(GROUPED)
    found = figures_of(seen, unit="u", dataset="made").verification
    similarity, pairs = seen.evaluated.similarities, seen.evaluated.pairs
    assert found.pairs == "drawn"
    assert found.equal_error_rate == pytest.approx(metrics.equal_error_rate(similarity, pairs.same), abs=1e-6)
    assert (found.genuine, found.impostors) == (int(pairs.same.sum()), int((~pairs.same).sum()))
    group = np.array(GROUPED.class_attributes["group"])[GROUPED.labels]
    touched = torch.from_numpy((group[pairs.left] == group[0]) | (group[pairs.right] == group[0]))
    of_group = next(one for one in found.groups if one.name == group[0])
    assert of_group.equal_error_rate == pytest.approx(metrics.equal_error_rate(similarity[touched], pairs.same[touched]), abs=1e-5)
    assert len(found.groups) == 3


@pytest.mark.parametrize("with_gallery", [False, True])
def test_every_pair_is_counted_group_by_group(with_gallery):
    """Where every pair counts, a group has each pair that one of its items is in once: counted here one pair after the other."""
    dataset = dataclasses.replace(GROUPED, labels=GROUPED.labels)
    is_gallery = (np.arange(120) % 3 == 0) if with_gallery else None
    seen = seen_of(dataset, pairs="every", is_gallery=is_gallery)
    found = figures_of(seen, unit="u", dataset="made").verification
    queries = seen.evaluated.queries if with_gallery else None
    labels, group = seen.evaluated.labels.numpy(), np.array(dataset.class_attributes["group"])[dataset.labels][seen.places.numpy()]
    points = torch.nn.functional.normalize(seen.evaluated.given(slice(None)).double())
    pairs = [(i, j) for i in range(120) for j in range(i + 1, 120) if queries is None or i < queries <= j]
    assert found.genuine + found.impostors == len(pairs)
    assert found.pairs == "every"
    for one in found.groups:
        own = [(i, j) for i, j in pairs if one.name in (group[i], group[j])]
        similarity = torch.stack([points[i] @ points[j] for i, j in own])
        same = torch.tensor([bool(labels[i] == labels[j]) for i, j in own])
        assert (one.genuine, one.impostors) == (int(same.sum()), int((~same).sum()))
        assert one.equal_error_rate == pytest.approx(metrics.equal_error_rate(similarity, same), abs=1e-5)


def test_neighbours_are_the_nearest_of_the_whole_part():
    """Each query's neighbours are the first of the metric's own list over all queries, itself left out, at their distances."""
    seen = seen_of(GROUPED)
    points = seen.evaluated.given(slice(None))
    whole = metrics.nearest(points, points, 5, exclude_self=True)
    found = figures_of(seen, unit="u", dataset="made")
    assert len(found.answers) == 10
    unit = torch.nn.functional.normalize(points.double())
    for answer in found.answers:
        query = found.items[answer.query].index
        assert [found.items[place].index for place in answer.neighbours] == whole[query].tolist()
        expected = [1 - float(unit[query] @ unit[other]) for other in whole[query].tolist()]
        assert answer.distances == pytest.approx(expected, rel=1e-3)


def test_items_that_lie_on_one_another_are_found_without_the_query():
    """Of eight equal items each has five neighbours at distance 0, in order of their number, and is none of its own."""
    evaluated = Evaluated(torch.ones(8, 3), torch.zeros(8, dtype=torch.int64), seed=0)
    found = neighbours(evaluated, [2, 7])
    assert [(query, near) for query, near, _ in found] == [(2, [0, 1, 3, 4, 5]), (7, [0, 1, 2, 3, 4])]
    assert all(abs(apart) < 1e-12 for _, _, distances in found for apart in distances)


def test_queries_meet_the_gallery_alone():
    """With a gallery apart every query is one of the queries and every neighbour one of the gallery, each by its own index and class."""
    is_gallery = np.arange(120) % 2 == 1
    found = figures_of(seen_of(GROUPED, is_gallery=is_gallery), unit="u", dataset="made")
    for answer in found.answers:
        assert not is_gallery[found.items[answer.query].index]
        assert all(is_gallery[found.items[place].index] for place in answer.neighbours)
    for item in found.items:
        assert item.role == ("gallery" if is_gallery[item.index] else "query")
        assert found.classes[item.label].name == GROUPED.class_names[GROUPED.labels[item.index]]
        assert found.classes[item.label].group == GROUPED.class_attributes["group"][GROUPED.labels[item.index]]


def test_the_plane_is_that_of_scikit_learn():
    """Coordinates and shares of variance are those of its PCA but for signs; the farthest point of each axis is on its positive side."""
    points = points_of(GROUPED.labels, size=6)[:80]
    axes, share = plane(points)
    other = PCA(2, svd_solver="full").fit(points.double().numpy())
    expected = other.transform(points.double().numpy())
    assert abs(axes) == pytest.approx(abs(expected), abs=1e-9)
    assert share == pytest.approx(other.explained_variance_ratio_, abs=1e-6)
    assert all(axes[abs(axes[:, k]).argmax(), k] > 0 for k in (0, 1))
    assert plane(-points)[0] == pytest.approx(-expected * np.sign((-expected)[abs(expected).argmax(axis=0), [0, 1]]), abs=1e-9)


def test_points_on_one_line_or_in_one_place_have_a_plane():
    """One dimension leaves the second axis zero, equal points both, and no share is more than all."""
    line, share = plane(torch.tensor([[1.0], [2.0], [4.0]]))
    assert abs(line[:, 1]).max() == 0.0
    assert line[:, 0] == pytest.approx([-4 / 3, -1 / 3, 5 / 3])
    assert share == (1.0, 0.0)
    same, share = plane(torch.full((4, 3), 7.0))
    assert abs(same).max() < 1e-6
    assert share[0] in (0.0, 1.0)


def test_the_map_shows_what_metrics_see():
    """By the cosine the length of an embedding does not matter; by the euclidean distance it does."""
    one, other = seen_of(GROUPED), seen_of(GROUPED)
    longer = 1 + torch.arange(120)[:, None] / 10
    stretched = Seen(dataclasses.replace(other).evaluated, other.items, other.places)
    stretched.evaluated._given = stretched.evaluated._given * longer
    same = figures_of(one, unit="u", dataset="made").map
    assert figures_of(stretched, unit="u", dataset="made").map.x == pytest.approx(same.x, abs=1e-3)
    euclidean = seen_of(GROUPED, distance="euclidean")
    euclidean.evaluated._given = euclidean.evaluated._given * longer
    assert abs(np.array(figures_of(euclidean, unit="u", dataset="made").map.x)).max() > 5


def test_the_shown_items_have_their_pictures():
    """Query and neighbours have a thumbnail of just that item, items that are on the map alone have none."""
    found = figures_of(seen_of(GROUPED), unit="u", dataset="made")
    in_answers = {place for answer in found.answers for place in (answer.query, *answer.neighbours)}
    assert {place for place, item in enumerate(found.items) if item.picture} == in_answers
    for place in in_answers:
        item = found.items[place]
        picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(item.picture))).convert("L")).astype(int)
        assert abs(picture - GROUPED.read(np.array([item.index]))[0, 0]).max() <= 9


@pytest.mark.parametrize("form", ["arrays", "tokens"])
def test_items_that_are_no_images_have_no_pictures(form):
    """Series and texts have names at most; the rest is there."""
    dataset = synthetic_dataset(form=form, classes=6, images_per_class=5)
    dataset = dataclasses.replace(dataset, item_names=[f"item {place}" for place in range(30)])
    found = figures_of(seen_of(dataset), unit="u", dataset="made")
    assert all(item.picture is None and item.name == f"item {item.index}" for item in found.items)
    assert found.answers


def test_channels_that_are_no_colours_are_not_shown():
    """Images of five channels have no picture, and all else is there."""
    dataset = synthetic_dataset(classes=6, images_per_class=5, channels=5)
    assert all(item.picture is None for item in figures_of(seen_of(dataset), unit="u", dataset="made").items)


def test_of_two_sides_the_first_asks_the_second():
    """Each item stands on the map with both sides; queries are pictures with a thumbnail, neighbours are words without one."""
    dataset = synthetic_dataset(form="sides", classes=6, images_per_class=4)
    items, points = items_of(dataset), points_of(np.tile(dataset.labels, 2))
    evaluated = Evaluated(points, torch.from_numpy(np.tile(dataset.labels, 2)), seed=1, queries=24)
    found = figures_of(Seen(evaluated, items, torch.arange(24)), unit="u", dataset="made")
    shown = [(found.items[place].index, found.items[place].role) for place in found.map.items]
    assert sorted(shown) == sorted([(index, "query") for index in range(24)] + [(index, "gallery") for index in range(24)])
    for answer in found.answers:
        assert found.items[answer.query].role == "query"
        assert found.items[answer.query].picture is not None
        assert all(found.items[place].role == "gallery" and found.items[place].picture is None for place in answer.neighbours)


def test_without_pairs_there_is_no_verification():
    """Two classes make no two folds: no curve; classes of one item have no neighbours to find either, and the map is there."""
    few = figures_of(seen_of(synthetic_dataset(classes=2, images_per_class=4)), unit="u", dataset="made")
    assert few.verification is None
    assert len(few.answers) == 2
    alone = figures_of(seen_of(synthetic_dataset(classes=9, images_per_class=1)), unit="u", dataset="made")
    assert (alone.answers, alone.verification) == ((), None)
    assert len(alone.map.items) == 9


def test_two_items_are_no_map():
    """Of fewer than three items there is nothing to lay flat."""
    found = figures_of(seen_of(synthetic_dataset(classes=1, images_per_class=2)), unit="u", dataset="made")
    assert found.map is None
    assert len(found.answers) == 1


def test_large_data_gives_a_small_file():
    """Forty classes of thirty colour images of 96 pixels, noise all of them, with long names, take at most 65,000 bytes."""
    dataset = synthetic_dataset(classes=40, images_per_class=30, size=96, channels=3, groups=39, noise=90)
    dataset = dataclasses.replace(dataset, item_names=[f"{'folder/' * 30}{place:05d}.jpg" for place in range(1200)])
    found = figures_of(seen_of(dataset), unit="u" * 64, dataset="made")
    assert size(found) <= 65_000
    assert sum(len(base64.b64decode(item.picture)) for item in found.items if item.picture) <= MOST_PICTURE_BYTES
    assert len(found.verification.groups) == 39


def test_nothing_is_drawn_and_nothing_changed():
    """Twice the same figures, no generator moved, embeddings and labels as they were."""
    seen = seen_of(GROUPED)
    before = (seen.evaluated._given.clone(), seen.evaluated.labels.clone())
    states = (torch.get_rng_state(), np.random.get_state()[1].tolist())  # noqa: NPY002  the global one is what must not move
    one = figures_of(seen, unit="u", dataset="made")
    assert torch.equal(torch.get_rng_state(), states[0])
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert torch.equal(seen.evaluated._given, before[0])
    assert torch.equal(seen.evaluated.labels, before[1])
    assert canonical(to_json(figures_of(seen, unit="u", dataset="made"))) == canonical(to_json(one))


def test_a_data_set_of_its_own_classes_is_seen_by_numbers():
    """Without names of items the index is what orders and shows them."""
    labels = np.repeat(np.arange(4), 5)
    dataset = Dataset(labels=labels, read=lambda i: np.zeros((len(i), 1, 4, 4), np.uint8), shape=(1, 4, 4), class_names=list("abcd"))
    found = figures_of(seen_of(dataset), unit="u", dataset="made")
    assert {item.name for item in found.items} == {None}
    assert sorted(item.index for item in found.items) == list(range(20))
    assert found.attribute is None
    assert found.verification.groups == ()
