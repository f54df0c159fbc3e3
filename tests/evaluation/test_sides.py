"""Both ways between two sides of items, beside brute force; the way back of any gallery; and the baselines of two sides."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from evaluated import items_of
from torch import nn
from torch.nn import functional

from siambench import metrics
from siambench.components.catalogue import Catalogue
from siambench.data.sides import parted
from siambench.errors import ConfigError, MetricError, UnknownNameError
from siambench.evaluation.embedding import Concatenated, TermWeights, raw_model
from siambench.evaluation.scoring import applies, evaluate_items, pairs_of, score
from siambench.evaluation.view import Evaluated
from siambench.interfaces import Dataset, Side
from siambench.testing import synthetic_dataset
from siambench.training.sides import TwoEncoders

CPU = torch.device("cpu")
CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
BOTH = ("recall@1", "recall@3", "map@r", "r_precision")
# Classes of four, one, three and two items.
LABELS = np.array([0, 2, 1, 0, 3, 2, 0, 3, 2, 0])
FIRST = torch.randn(10, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
SECOND = (FIRST + 0.8 * torch.randn(10, 4, generator=torch.Generator().manual_seed(1))).float()


class Given(nn.Module):
    """Gives both sides as they are, beside each other: the items are their own embeddings."""

    encoders = True

    def forward(self, items):
        """Both sides, [B, 8]."""
        return items


def arrays(first=FIRST, second=SECOND, labels=LABELS):
    sides = tuple(
        Side(name=name, form="arrays", shape=(items.shape[1],), read=lambda indices, items=items: items.numpy()[indices])
        for name, items in (("left", first), ("right", second))
    )
    return Dataset.of_sides(sides, labels=labels, class_names=list("abcd"), item_names=[f"i{n}" for n in range(len(labels))])


def evaluate(model, dataset, names, **options):
    return evaluate_items(model, items_of(dataset), CATALOGUE.metrics(names), seed=3, device=CPU, **options)


def by_hand(asking, asked, labels):
    """Scores of a way by loops: for each query the asked in order of their cosine, all of them, its own item among them."""
    asking, asked = (functional.normalize(side.double()) for side in (asking, asked))
    found = {name: [] for name in BOTH}
    for query in range(len(labels)):
        order = sorted(range(len(labels)), key=lambda i: (-float(asking[query] @ asked[i]), i))
        hits = [labels[i] == labels[query] for i in order]
        r = sum(hits)
        found["recall@1"].append(float(hits[0]))
        found["recall@3"].append(float(any(hits[:3])))
        found["map@r"].append(math.fsum(sum(hits[: k + 1]) / (k + 1) for k in range(r) if hits[k]) / r)
        found["r_precision"].append(sum(hits[:r]) / r)
    return found


def test_both_ways_are_those_of_brute_force():
    """Every retrieval metric from first to second sides, and `reversed:` of it back, is what loops count; so is each class's mean."""
    names = (*BOTH, *(f"reversed:{name}" for name in BOTH))
    found = evaluate(Given(), arrays(), names)
    there, back = by_hand(FIRST, SECOND, LABELS), by_hand(SECOND, FIRST, LABELS)

    assert there["map@r"] != back["map@r"]
    for name in BOTH:
        for title, queries in ((name, there[name]), (f"reversed:{name}", back[name])):
            assert math.fsum(queries) / 10 == pytest.approx(found.scores[title], abs=1e-12)
            for label in range(4):
                own = [value for value, other in zip(queries, LABELS, strict=True) if other == label]
                assert math.fsum(own) / len(own) == pytest.approx(found.per_class[title][label], abs=1e-6)
    assert found.class_queries == (4, 1, 3, 2)
    assert "queries_without_positive" not in found.notes


def test_the_way_back_of_a_gallery_is_that_of_the_gallery_as_queries():
    """Of five queries and eight in the gallery the reversed scores are those of an evaluation made the other way round."""
    points = torch.randn(13, 4, generator=torch.Generator().manual_seed(5))
    labels = torch.tensor([0, 1, 2, 2, 4, 0, 0, 1, 2, 3, 3, 2, 1])
    named = CATALOGUE.metrics(("recall@1", "map@r"))
    back = CATALOGUE.metrics(("reversed:recall@1", "reversed:map@r"))
    there = score(Evaluated(points, labels, seed=0, queries=5), back, classes=5)
    turned = torch.cat([points[5:], points[:5]]), torch.cat([labels[5:], labels[:5]])
    expected = score(Evaluated(*turned, seed=0, queries=8), named, classes=5)

    assert expected.scores == {name.removeprefix("reversed:"): value for name, value in there.scores.items()}
    assert expected.per_class == {name.removeprefix("reversed:"): value for name, value in there.per_class.items()}


def test_without_a_gallery_there_is_no_way_back():
    """Where all are compared with all it has no score, and the note says that both ways are one; the others have theirs."""
    dataset = synthetic_dataset(classes=4)
    found = evaluate(raw_model(items_of(dataset)), dataset, ("recall@1", "reversed:recall@1"))

    assert found.scores["reversed:recall@1"] is None
    assert found.scores["recall@1"] is not None
    assert "both ways are one" in found.notes["reversed:recall@1"]


@pytest.mark.parametrize("name", ["reversed:recall@k", "reversed:recall@0", "reversed:recal@1", "reversed:"])
def test_the_way_back_is_of_a_metric_that_there_is(name):
    """A family without its number, a number that no member has, and a slip are refused as without the word before them."""
    with pytest.raises((ConfigError, UnknownNameError)):
        CATALOGUE.metrics([name])


def test_pairs_are_of_two_sides():
    """Drawn pairs join a first side with a second; of a listed pair the first item is asked for by its first side."""
    dataset = arrays()
    found = evaluate(Given(), dataset, ("roc_auc",))
    view = Evaluated(torch.cat([FIRST, SECOND]), torch.from_numpy(LABELS).repeat(2), seed=3, queries=10)

    assert view.pairs is not None
    assert bool(((view.pairs.left < 10) & (view.pairs.right >= 10)).all())
    assert found.scores["roc_auc"] == pytest.approx(
        float(metrics.roc_auc(metrics.pair_similarity(view._given, view.pairs), view.pairs.same)), abs=1e-12
    )


def test_a_list_of_pairs_is_of_first_and_second_sides(tmp_path):
    """The similarity of a listed pair is that of the left item's first side and the right item's second."""
    path = tmp_path / "pairs.txt"
    path.write_text("left,right,same,fold\ni0,i3,1,0\ni0,i1,0,0\ni4,i7,1,1\ni2,i9,0,1\n")
    items = items_of(arrays())
    pairs = pairs_of(path, items)
    seen = []

    def similar(evaluation):
        seen.append(evaluation.similarities)

    entry = dataclasses.replace(CATALOGUE.get("metrics", "roc_auc").entry, compute=similar)
    evaluate_items(Given(), items, {"mine": entry}, seed=0, device=CPU, pairs=pairs)
    wanted = [(0, 3), (0, 1), (4, 7), (2, 9)]

    assert [float(functional.cosine_similarity(FIRST[a].double(), SECOND[b].double(), dim=0)) for a, b in wanted] == pytest.approx(
        seen[0].tolist(), abs=1e-9
    )


def test_what_is_asked_of_one_network_has_no_value():
    """Corruptions and fine-tuning are of one network: each says so in its note, and costs the others nothing."""
    found = evaluate(Given(), arrays(), ("recall@1", "recall@1-noise", "fine_tune@2"))

    assert found.scores["recall@1"] is not None
    assert found.scores["recall@1-noise"] is None
    assert "each side of an item has its own" in found.notes["recall@1-noise"]
    assert "each side of an item has its own" in found.notes["fine_tune@2"]


def test_a_primary_metric_is_asked_of_both_sides():
    """What needs a second item of a class has a value on classes of one: a side is found by the other."""
    items = items_of(arrays(labels=np.arange(10)))
    items = dataclasses.replace(items, class_names=[str(n) for n in range(10)])

    assert applies("recall@1", CATALOGUE.get("metrics", "recall@1").entry, items, distance="cosine") is None


def test_models_side_by_side_are_so_on_each_side():
    """Of two models the embedding of a side is both its embeddings at unit length, and the second sides stand behind the first."""

    class Doubled(Given):
        def forward(self, items):
            return torch.cat([items[:, :4] * 3, items[:, 4:].flip(1)], dim=1)

    items = torch.cat([FIRST, SECOND], dim=1)
    found = Concatenated([Given(), Doubled()])(items)
    one, two = functional.normalize(FIRST), functional.normalize(SECOND)

    assert torch.allclose(found, torch.cat([one, one, two, functional.normalize(SECOND.flip(1))], dim=1), atol=1e-6)
    assert TwoEncoders.memory_format is torch.contiguous_format


def test_raw_arrays_of_one_shape_are_compared_as_they_are():
    """The baseline raw of two sides of one shape is the items themselves."""
    dataset = arrays()
    found = evaluate(raw_model(items_of(dataset)), dataset, ("map@r",))

    assert math.fsum(by_hand(FIRST, SECOND, LABELS)["map@r"]) / 10 == pytest.approx(found.scores["map@r"], abs=1e-12)


def test_raw_texts_are_weighted_by_both_sides():
    """Of two sides of tokens the weights are taken from both together, and each side is embedded by them."""
    words = np.array([[1, 2, 0], [3, 3, 1], [4, 0, 0]]), np.array([[2, 1, 5], [3, 0, 0], [4, 4, 1]])
    sides = tuple(
        Side(name=name, form="tokens", shape=(3,), read=lambda i, w=w: w[i], vocabulary=6)
        for name, w in zip(("question", "answer"), words, strict=True)
    )
    dataset = Dataset.of_sides(sides, labels=np.arange(3), class_names=list("abc"))
    items = torch.from_numpy(dataset.read(np.arange(3)))
    expected = TermWeights(torch.from_numpy(np.concatenate(words)), 6)

    assert torch.equal(raw_model(items_of(dataset))(items), torch.cat([expected(torch.from_numpy(side)) for side in words], dim=1))
    assert [part.tolist() for part in parted(items, sides)] == [side.tolist() for side in words]


def test_a_way_back_that_is_asked_of_no_gallery_says_so():
    """The view itself refuses it in one sentence."""
    with pytest.raises(MetricError, match="queries and gallery are the same items"):
        _ = Evaluated(FIRST, torch.from_numpy(LABELS), seed=0).reversed
