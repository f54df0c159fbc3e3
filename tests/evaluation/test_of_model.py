"""What metrics ask of the model itself, through an evaluation of items."""

import copy

import numpy as np
import pytest
import torch
from evaluated import Watching, items_of
from torch import nn

from siambench import metrics
from siambench.clock import Clock
from siambench.components.catalogue import Catalogue
from siambench.errors import DivergedError, MetricError
from siambench.evaluation.arrays import Arrays, evaluate_arrays
from siambench.evaluation.corruptions import CORRUPTIONS, corrupted
from siambench.evaluation.embedding import Concatenated, RawInput
from siambench.evaluation.of_model import NO_MODEL, OfItems
from siambench.evaluation.scoring import applies, evaluate_items
from siambench.evaluation.view import Evaluated
from siambench.identity import seed_of
from siambench.testing import synthetic_dataset
from siambench.tracks.parts import Items

CPU = torch.device("cpu")
CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
SIZES = [5, 1, 4, 3, 2, 6]


@pytest.fixture
def dataset():
    """Six classes, one of them with a single image."""
    return synthetic_dataset(classes=6, images_per_class=SIZES, noise=60.0)


def parted(dataset):
    """Every third item is of the gallery."""
    return Items(
        dataset, np.arange(len(dataset.labels)), dataset.labels, dataset.class_names, is_gallery=np.arange(len(dataset.labels)) % 3 == 0
    )


def flat(images):
    """Pixels at unit length, float64."""
    rows = images.reshape(len(images), -1).astype(np.float64)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize("gallery", [False, True])
@pytest.mark.parametrize("name", CORRUPTIONS)
def test_corrupted_queries_are_compared_with_clean_items(dataset, name, gallery):
    """Recall and MAP@R are those of loops over the corrupted queries' pixels and the clean others, the query's own image left out."""
    items = parted(dataset) if gallery else items_of(dataset)
    named = CATALOGUE.metrics([f"recall@1-{name}", f"recall@2-{name}", f"map@r-{name}"])
    found = evaluate_items(RawInput(), items, named, seed=7, device=CPU)
    clean = dataset.read(np.arange(len(items)))
    worse = flat(corrupted(clean, name, seed=seed_of(7, f"corruption {name}"), items=np.arange(len(items))))
    clean = flat(clean)
    queries = [i for i in range(len(items)) if not gallery or not items.is_gallery[i]]
    first, second, average = [], [], []
    for query in queries:
        others = [i for i in range(len(items)) if (items.is_gallery[i] if gallery else i != query)]
        # Those that are equally near follow each other as they stand.
        order = sorted(others, key=lambda i, query=query: (-round(float(worse[query] @ clean[i]), 12), i))
        hits = [bool(dataset.labels[i] == dataset.labels[query]) for i in order]
        if relevant := sum(hits):
            first.append(hits[0])
            second.append(any(hits[:2]))
            average.append(sum(sum(hits[: i + 1]) / (i + 1) for i in range(relevant) if hits[i]) / relevant)
    assert found.scores == pytest.approx(
        {f"recall@1-{name}": np.mean(first), f"recall@2-{name}": np.mean(second), f"map@r-{name}": np.mean(average)}
    )
    assert len(found.per_class[f"map@r-{name}"]) == 6


def test_a_corruption_is_embedded_once_and_only_where_it_is_asked(dataset):
    """Two metrics of one corruption embed its queries once; without such metrics nothing but the items is embedded."""
    for names, calls in ((["map@r"], 1), (["recall@1-noise", "map@r-noise", "recall@4-noise"], 2), (["recall@1-noise", "map@r-blur"], 3)):
        model = Watching()
        found = evaluate_items(model, items_of(dataset), CATALOGUE.metrics(names), seed=0, device=CPU)
        assert [(False, torch.float32, False, False, len(dataset.labels))] * calls == model.seen
        assert None not in found.scores.values()


def test_two_models_meet_the_same_corrupted_queries(dataset):
    """What is drawn follows the seed of the split, and not the model; another seed draws others."""

    class Keeping(nn.Module):
        def __init__(self):
            super().__init__()
            self.kept = []

        def forward(self, images):
            self.kept.append(images.clone())
            return images.flatten(1)

    kept = []
    for seed in (0, 0, 1):
        model = Keeping()
        evaluate_items(model, items_of(dataset), CATALOGUE.metrics(["map@r-noise"]), seed=seed, device=CPU)
        kept.append(model.kept[1])
    assert torch.equal(kept[0], kept[1])
    assert not torch.equal(kept[0], kept[2])


@pytest.mark.parametrize("gallery", [False, True])
def test_fine_tuning_is_told_k_items_of_each_class_and_asked_the_others(dataset, gallery, monkeypatch):
    """It is given the drawn items as the data set reads them, their labels, and the places of the others of their classes."""
    items, given = parted(dataset) if gallery else items_of(dataset), []

    def learn(model, known, labels, asked, size, *, form, device):
        given.append((known(np.arange(len(labels))), labels, asked(np.arange(size))))
        return torch.full((size,), 5)

    monkeypatch.setattr("siambench.evaluation.of_model.fine_tuned", learn)
    model = Watching()
    before = copy.deepcopy(model.state_dict())
    found = evaluate_items(model, items, CATALOGUE.metrics(["fine_tune@2"]), seed=3, device=CPU)
    known, labels, asked = given[0]
    images = dataset.read(np.arange(len(items)))
    at = {image.tobytes(): place for place, image in enumerate(images)}
    known, asked = ([at[image.tobytes()] for image in part] for part in (known, asked))
    assert dataset.labels[known].tolist() == labels.tolist()
    classes = set(labels.tolist())
    assert all(labels.tolist().count(c) == 2 for c in classes)
    if gallery:
        assert all(items.is_gallery[known])
        assert [i for i in range(len(items)) if not items.is_gallery[i] and dataset.labels[i] in classes] == asked
    else:
        assert {0, 2, 3, 5} == classes
        assert [i for i in range(len(items)) if i not in known and dataset.labels[i] in classes] == asked
    assert found.scores["fine_tune@2"] == pytest.approx(np.mean(dataset.labels[asked] == 5))
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in before.items())


def test_a_network_is_fine_tuned_and_raw_input_is_not(dataset):
    """A network has a score and is asked the same twice; raw input and embeddings alone have none, and the reason in the notes."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 8))
    named = CATALOGUE.metrics(["fine_tune@1", "linear_probe@1"])
    scores = [evaluate_items(model, items_of(dataset), named, seed=3, device=CPU).scores for _ in range(2)]
    assert scores[0] == scores[1]
    assert 0.5 < scores[0]["fine_tune@1"] <= 1
    raw = evaluate_items(RawInput(), items_of(dataset), named, seed=3, device=CPU)
    assert raw.scores["fine_tune@1"] is None
    assert raw.scores["linear_probe@1"] is not None
    assert raw.notes["fine_tune@1"] == "fine-tuning needs a network, which raw input and embeddings alone have not"
    assert {} == raw.faults


def test_embeddings_alone_have_no_model(dataset):
    """What needs images or a network has no value for arrays, with its reason; enrolment, few labels and dimensions have one."""
    points, labels = torch.randn(60, 8, generator=torch.Generator().manual_seed(0)), np.arange(60) % 6
    names = ["fine_tune@1", "recall@1-noise", "map@r-blur", "eer@enrol-2", "eer@enrol-nearest-2", "linear_probe@2", "recall@1-dim-4"]
    found = evaluate_arrays(Arrays(embeddings=points, labels=labels), metrics=names)
    assert [None] * 3 == [found.scores[name] for name in names[:3]]
    assert all(0 <= found.scores[name] <= 1 for name in names[3:])
    assert found.notes["recall@1-noise"] == "queries with noise are images and a model, and here are embeddings alone"
    assert found.notes["map@r-blur"] == "queries with blur are images and a model, and here are embeddings alone"
    assert "needs a network" in found.notes["fine_tune@1"]


def test_items_that_are_no_images_are_not_corrupted():
    """Arrays have no corrupted queries, and a note says what they are; a corruption that there is not is refused by name."""
    arrays = synthetic_dataset(classes=4, images_per_class=3, form="arrays")
    found = evaluate_items(RawInput(), items_of(arrays), CATALOGUE.metrics(["recall@1-rotation"]), seed=0, device=CPU)
    assert {"recall@1-rotation": None} == dict(found.scores)
    assert found.notes["recall@1-rotation"] == "rotation is done to images, the items are arrays"
    images = items_of(synthetic_dataset(classes=4, images_per_class=3))
    of_items = OfItems(RawInput(), images, torch.arange(12), 12, CPU, Clock())
    with pytest.raises(MetricError, match="no corruption 'nose', did you mean 'noise'"):
        of_items.corrupted_queries("nose", 0)


@pytest.mark.parametrize(
    ("name", "form", "said"),
    [
        ("recall@1-noise", "images", None),
        ("map@r-dim-300", "images", None),
        ("recall@2-dim-5", "arrays", None),
        ("eer@enrol-2", "images", None),
        ("linear_probe@1", "arrays", None),
        ("recall@1-noise", "arrays", "noise is done to images, the items are arrays"),
        ("eer@enrol-3", "images", "4 items of a class are needed, the largest has 3"),
        ("fine_tune@1", "images", "fine-tuning needs a network, which raw input and embeddings alone have not"),
    ],
)
def test_whether_a_metric_applies_is_told_before_there_is_a_model(name, form, said):
    """As the primary metric one is refused where items cannot have it, or raw input has none, with its own reason; others are not."""
    items = items_of(synthetic_dataset(classes=4, images_per_class=3, form=form))
    assert said == applies(name, CATALOGUE.metrics([name])[name], items, distance="cosine")


def test_a_model_that_breaks_on_corrupted_queries_has_diverged(dataset):
    """Embeddings of corrupted queries that are not finite are the model's end, as those of clean items are."""

    class Breaking(nn.Module):
        def forward(self, images):
            self.calls = getattr(self, "calls", 0) + 1
            return images.flatten(1) / (0 if self.calls > 1 else 1)

    with pytest.raises(DivergedError, match="embeddings of corrupted queries are not finite"):
        evaluate_items(Breaking(), items_of(dataset), CATALOGUE.metrics(["recall@1-noise"]), seed=0, device=CPU)


def test_models_side_by_side_have_no_first_dimensions(dataset):
    """The first dimensions of several models' embeddings are those of one model: they have no score, and a note says why."""
    together = Concatenated([RawInput(), RawInput()])
    found = evaluate_items(together, items_of(dataset), CATALOGUE.metrics(["map@r-dim-8", "map@r"]), seed=0, device=CPU)
    assert found.scores["map@r-dim-8"] is None
    assert "side by side" in found.notes["map@r-dim-8"]
    assert found.scores["map@r"] is not None


@pytest.mark.parametrize("queries", [None, 9])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_the_first_dimensions_are_an_evaluation_of_their_own(queries, distance):
    """What is near by the first d dimensions is what is near among embeddings cut before they were given; all of them are the whole."""
    generator = torch.Generator().manual_seed(0)
    points, labels = torch.randn(40, 6, generator=generator), torch.randint(5, (40,), generator=generator)
    whole = Evaluated(points, labels, seed=0, queries=queries, distance=distance)
    for d in (1, 2, 6):
        cut = Evaluated(points[:, :d].clone(), labels, seed=0, queries=queries, distance=distance)
        assert torch.equal(cut.matches(12), whole.first_dimensions(d).matches(12))
        assert torch.equal(cut.relevant, whole.first_dimensions(d).relevant)
    assert whole.first_dimensions(2) is whole.first_dimensions(2)
    for d in (0, 7):
        with pytest.raises(MetricError, match=f"the first {d} dimensions are asked for, and an embedding has 6"):
            whole.first_dimensions(d)


def test_enrolment_follows_the_seed_of_the_evaluation():
    """The error is that of the pure function with seeds made of the evaluation's; another seed enrols others."""
    points, labels = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 7
    view = Evaluated(points, labels, seed=5, model=NO_MODEL)
    seeds = [seed_of(5, f"enrolment 2 {draw}") for draw in range(metrics.DRAWS)]
    assert metrics.enrolled_verification(points, labels, k=2, seeds=seeds) == view.enrolled(2, "mean")
    assert Evaluated(points, labels, seed=6).enrolled(2, "mean") != view.enrolled(2, "mean")
    with pytest.raises(MetricError, match="10 items of a class are needed"):
        view.enrolled(9, "nearest")
    left = view.without(3)
    assert left.enrolled(2, "nearest") == metrics.enrolled_without_each_class(points, labels, k=2, seeds=seeds, template="nearest")[3]


@pytest.mark.parametrize("name", ["eer@enrol-2", "eer@enrol-nearest-1"])
def test_enrolment_is_scored_with_each_class_left_out(name):
    """As the primary metric it has a score without each class, which is that of the others; the class with one item has one too."""
    dataset = synthetic_dataset(classes=6, images_per_class=SIZES, noise=200.0)
    named = CATALOGUE.metrics([name])
    found = evaluate_items(RawInput(), items_of(dataset), named, seed=3, device=CPU, jackknifed=name)
    kept = dataset.labels != 2
    pixels = torch.from_numpy(dataset.read(np.arange(len(kept)))).flatten(1)[kept]
    k = int(name[-1])
    seeds = [seed_of(3, f"enrolment {k} {draw}") for draw in range(metrics.DRAWS)]
    template = "nearest" if "nearest" in name else "mean"
    expected = metrics.enrolled_verification(pixels, torch.from_numpy(dataset.labels[kept]), k=k, seeds=seeds, template=template)
    assert len(found.jackknife[name]) == 6
    assert found.jackknife[name][2] == pytest.approx(expected.equal_error_rate, abs=1e-12)
    assert found.jackknife[name][1] is not None
    assert found.notes[f"{name}_classes"] == sum(size > k for size in SIZES)
    assert found.notes[f"{name}_deviation"] > 0
