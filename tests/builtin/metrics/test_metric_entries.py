import itertools
import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from torch.nn import functional

from siambench import metrics
from siambench.builtin.metrics import siambench_metrics
from siambench.builtin.metrics.scores import EPISODES, _labelled_part
from siambench.evaluation.scoring import Evaluated
from siambench.plugin import call_factory

ENTRIES = siambench_metrics()


def evaluated(labels, *, seed=0, dimensions=5, episodes=None, near=0.0, **options):
    """Random embeddings of these labels, as a metric meets them; the larger `near`, the closer those of a class."""
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(len(labels), dimensions, generator=generator)
    points += near * torch.randn(max(labels) + 1, dimensions, generator=generator)[labels]
    return Evaluated(points, torch.tensor(labels), **{"seed": 3, "episodes": (episodes or {}).get, **options})


def compute(name, evaluation, k=None, far=None):
    """The metric as the harness asks for it."""
    return call_factory(ENTRIES[name].compute, {"evaluation": evaluation, "k": k, "far": far})


def ranking(evaluation, query):
    """All that the query is compared with, most similar first, lower index first among equals."""
    x = evaluation.embeddings.double()
    references = range(evaluation.queries, len(x)) if evaluation.has_gallery else (i for i in range(len(x)) if i != query)
    return sorted(references, key=lambda i: (-float(x[query] @ x[i]), i))


def by_hand(name, evaluation, query, k):
    """One query's score, counted along its ranking; None where it has no positive."""
    labels = evaluation.labels.tolist()
    hits = [labels[i] == labels[query] for i in ranking(evaluation, query)]
    relevant = sum(hits)
    if relevant == 0:
        return None
    precisions = [sum(hits[: i + 1]) / (i + 1) if hit else 0.0 for i, hit in enumerate(hits)]
    gains = [1 / math.log2(i + 2) for i in range(k or 1)]
    return {
        "recall@k": lambda: float(any(hits[:k])),
        "precision@k": lambda: sum(hits[:k]) / k,
        "r_precision": lambda: sum(hits[:relevant]) / relevant,
        "map@r": lambda: math.fsum(precisions[:relevant]) / relevant,
        "map": lambda: math.fsum(precisions) / relevant,
        "mrr": lambda: 1 / (hits.index(True) + 1),
        "ndcg@k": lambda: math.fsum(g for g, hit in zip(gains, hits, strict=False) if hit) / math.fsum(gains[: min(k, relevant)]),
    }[name]()


# Classes of one, two, three, five and nine.
LABELS = [4, 0, 3, 4, 2, 4, 3, 1, 4, 3, 2, 4, 4, 3, 1, 4, 2, 4, 3, 4]


@pytest.mark.parametrize("queries", [None, 7], ids=["each other", "gallery"])
@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("name", "k"),
    [
        *[("recall@k", 1), ("recall@k", 3), ("precision@k", 4), ("ndcg@k", 5), ("ndcg@k", 40)],
        *[(name, None) for name in ("r_precision", "map@r", "map", "mrr")],
    ],
)
def test_retrieval_scores_follow_the_ranking(name, k, seed, queries):
    """Each query's score is that counted along its sorted ranking, float64, and NaN for the query without a positive."""
    evaluation = evaluated(LABELS, seed=seed, queries=queries)

    found = compute(name, evaluation, k).tolist()

    assert (queries or len(LABELS)) == len(found)
    assert any(math.isnan(score) for score in found)
    for query, score in enumerate(found):
        expected = by_hand(name, evaluation, query, k)
        assert math.isnan(score) if expected is None else expected == pytest.approx(score, abs=1e-12)


def test_a_list_longer_than_the_data_counts_what_there_is():
    """With k above the number of others, recall is 1 wherever there is a positive, and precision still divides by k."""
    evaluation = evaluated([0, 0, 1, 1, 2])

    assert compute("recall@k", evaluation, 50)[:4].tolist() == [1.0] * 4
    assert compute("precision@k", evaluation, 50)[:4].tolist() == [1 / 50] * 4
    assert bool(torch.isnan(compute("recall@k", evaluation, 50)[4]))


def test_no_positive_anywhere_is_no_score():
    """Where every class has one item, all queries are NaN for all retrieval metrics."""
    evaluation = evaluated([0, 1, 2, 3])
    for name in ("recall@k", "precision@k", "r_precision", "map@r", "map", "mrr", "ndcg@k"):
        assert bool(torch.isnan(compute(name, evaluation, 2)).all()), name


def test_verification_scores_are_those_of_the_drawn_pairs():
    """Accuracy, ROC-AUC and EER are computed from the pairs that the seed draws and their cosines, same = 1."""
    evaluation = evaluated([c for c in range(8) for _ in range(6)])
    pairs = metrics.draw_pairs(evaluation.labels, seed=evaluation.seed("pairs"))
    cosine = functional.cosine_similarity(evaluation.embeddings[pairs.left].double(), evaluation.embeddings[pairs.right].double())

    assert torch.equal(pairs.left, evaluation.pairs.left)
    assert pytest.approx(roc_auc_score(pairs.same, cosine), abs=1e-12) == compute("roc_auc", evaluation)
    assert metrics.k_fold_accuracy(cosine, pairs.same, pairs.fold).mean == pytest.approx(compute("verification_accuracy", evaluation))
    assert metrics.equal_error_rate(cosine, pairs.same) == pytest.approx(compute("eer", evaluation))
    assert metrics.k_fold_accuracy(cosine, pairs.same, pairs.fold).standard_error == evaluation.notes["verification_accuracy_se"]
    assert metrics.best_threshold(cosine, pairs.same) == pytest.approx(evaluation.notes["verification_threshold"])


def test_pairs_may_be_given():
    """Named pairs take the place of drawn ones, and their cosines and folds give the scores."""
    left, right, same = [0, 6, 12, 0, 7, 13], [1, 7, 13, 6, 12, 18], [True] * 3 + [False] * 3
    pairs = metrics.Pairs(torch.tensor(left), torch.tensor(right), torch.tensor(same), torch.tensor([0, 0, 1, 0, 1, 1]))
    evaluation = evaluated([c for c in range(8) for _ in range(6)], pairs=pairs)
    cosines = [float(evaluation.embeddings[a] @ evaluation.embeddings[b]) for a, b in zip(left, right, strict=True)]

    assert roc_auc_score(same, cosines) == compute("roc_auc", evaluation)
    assert cosines == pytest.approx(evaluation.similarities.tolist(), abs=1e-12)


def test_true_accept_rate_is_counted():
    """tar@far is the share of genuine pairs more similar than all but the allowed share of impostors."""
    evaluation = evaluated([c for c in range(6) for _ in range(12)], near=0.7)
    found = compute("tar@far", evaluation, far=0.1)
    same, similarity = evaluation.pairs.same.numpy(), evaluation.similarities.numpy()
    impostors = np.sort(similarity[~same])[::-1]

    assert len(impostors) >= 100
    assert 0.1 < found < 1
    assert np.mean(similarity[same] > impostors[math.floor(len(impostors) * 0.1)]) == pytest.approx(found)


def test_too_few_impostors_are_no_score():
    """Where fewer than 10 / far impostors are there, tar@far is None and a note gives both numbers."""
    evaluation = evaluated([0, 0, 1, 1, 2, 2, 3, 3])

    assert compute("tar@far", evaluation, far=1e-3) is None
    assert f"10000 impostor pairs, there are {int((~evaluation.pairs.same).sum())}" in evaluation.notes["tar@0.001"]


@pytest.mark.parametrize("labels", [[0, 0, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 5]])
def test_verification_does_not_apply_to_few_classes(labels):
    """With fewer than two possible folds verification is None, and a note says why."""
    evaluation = evaluated(labels)
    for name in ("verification_accuracy", "roc_auc", "eer", "tar@far"):
        assert compute(name, evaluation, far=0.1) is None
    assert "two folds" in evaluation.notes["verification"]


def test_one_shot_error_is_that_of_a_loop():
    """The error is the share of queries whose most similar support image is another than the answer; ties go to the first."""
    generator = torch.Generator().manual_seed(0)
    support = functional.normalize(torch.randn(3, 4, 6, generator=generator), dim=2)
    query = functional.normalize(support[:, [0, 1, 2, 3, 0]] + 0.6 * torch.randn(3, 5, 6, generator=generator), dim=2)
    support[1, 2] = support[1, 0]  # a tie, which the first of the two wins
    query[1, 4] = support[1, 0]
    answer = torch.tensor([[0, 1, 2, 3, 0], [0, 1, 2, 3, 2], [0, 1, 2, 3, 0]])
    wrong = 0
    for run in range(3):
        for item in range(5):
            cosines = [float(query[run, item].double() @ support[run, way].double()) for way in range(4)]
            wrong += cosines.index(max(cosines)) != int(answer[run, item])

    found = compute("one_shot_error", evaluated([0, 0, 1, 1], episodes={"one-shot": (support, query, answer)}))

    assert 0 < wrong < 15
    assert wrong / 15 == pytest.approx(found)


def test_one_shot_error_does_not_apply_without_episodes():
    """A data set without official runs has no one-shot error."""
    assert compute("one_shot_error", evaluated([0, 0, 1, 1])) is None


def episode_accuracies(evaluation, drawn, shots):
    """Accuracy of each episode, item by item: the nearest support of one shot, else the nearest mean."""
    x, labels = evaluation.embeddings.numpy(), evaluation.labels.numpy()
    for support, query in zip(drawn.support.numpy(), drawn.query.numpy(), strict=True):
        classes = np.unique(labels[support])
        centres = np.stack([x[support[labels[support] == c]].mean(axis=0) for c in classes])
        if evaluation.distance == "cosine":
            near = x[query] @ (centres / np.linalg.norm(centres, axis=1, keepdims=True)).T
        else:
            near = -cdist(x[query], centres)
        assert shots * len(classes) == len(support)
        yield np.mean(classes[near.argmax(axis=1)] == labels[query])


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize(("name", "shots"), [("one_shot", 1), ("five_shot", 5)])
@pytest.mark.parametrize("grouped", [False, True])
def test_few_shot_accuracy_is_that_of_drawn_episodes(name, shots, grouped, distance):
    """It is the mean over the drawn episodes, within a group where classes have one, with its standard error in the notes."""
    labels = [c for c in range(9) for _ in range(6 + c % 3)]
    groups = torch.tensor([c // 4 for c in labels]) if grouped else None
    evaluation = evaluated(labels, near=0.8, distance=distance, groups=groups)
    drawn = metrics.draw_episodes(
        evaluation.labels, seed=evaluation.seed(f"3-way {shots}-shot"), episodes=EPISODES, ways=3, shots=shots, groups=groups
    )
    if grouped:
        # The third group has one class, too few for three ways.
        assert all(1 == len({labels[i] // 4 for i in episode}) for episode in drawn.support.tolist())
    expected = np.array(list(episode_accuracies(evaluation, drawn, shots)))

    assert expected.mean() == pytest.approx(compute(f"{name}@k", evaluation, 3), abs=1e-12)
    assert expected.std(ddof=1) / math.sqrt(EPISODES) == pytest.approx(evaluation.notes[f"{name}@3_se"], abs=1e-12)
    assert 1 / 3 < expected.mean() < 1


def test_few_shot_accuracy_needs_classes_of_one_group():
    """Where no group has enough classes it is None, though all groups together have, and a note says how many there are."""
    labels = [c for c in range(6) for _ in range(6)]
    grouped = evaluated(labels, groups=torch.tensor(labels) // 2)

    assert compute("five_shot@k", grouped, 4) is None
    assert "4 classes of 6 items within a group, got at most 2" in grouped.notes["five_shot@4"]
    assert compute("five_shot@k", evaluated(labels), 4) is not None


def test_half_of_each_class_is_labelled():
    """Without a gallery, half of each class, the larger half, is what the others are classified by; the seed says which."""
    sizes = [1, 2, 3, 8, 9]
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    evaluation = evaluated(labels)
    known, asked = (part.tolist() for part in _labelled_part(evaluation))

    assert list(range(len(labels))) == sorted(known + asked)
    assert [math.ceil(size / 2) for size in sizes] == torch.tensor(labels)[known].bincount().tolist()
    assert (known, asked) == tuple(part.tolist() for part in _labelled_part(evaluated(labels, seed=5)))
    others = Evaluated(evaluation.embeddings, evaluation.labels, seed=4)
    assert known != _labelled_part(others)[0].tolist()


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("queries", [None, 15], ids=["halves", "gallery"])
def test_classification_is_that_of_sklearn(queries, distance):
    """knn@k and linear_probe are scikit-learn's classifiers, fitted to the gallery or to half of each class."""
    labels = [0, 1] * 30
    evaluation = evaluated(labels, near=0.4, queries=queries, distance=distance)
    known, asked = (part.numpy() for part in _labelled_part(evaluation))
    if queries is not None:
        assert (list(range(15, 60)), list(range(15))) == (known.tolist(), asked.tolist())
    x, y = evaluation.embeddings.numpy(), np.array(labels)
    ridge = Ridge(alpha=1.0).fit(x[known], np.eye(2)[y[known]])

    for k in (1, 5):
        theirs = KNeighborsClassifier(k, metric=distance, algorithm="brute").fit(x[known], y[known])
        assert theirs.score(x[asked], y[asked]) == pytest.approx(compute("knn@k", evaluation, k), abs=1e-12)
    assert np.mean(ridge.predict(x[asked]).argmax(axis=1) == y[asked]) == pytest.approx(compute("linear_probe", evaluation), abs=1e-12)


def test_classification_that_does_not_apply_has_a_reason():
    """More votes than labelled items, nobody to ask, or a single class is no score, and a note says so."""
    few, single, one_class = evaluated([0, 0, 1, 1]), evaluated([0, 1, 2]), evaluated([0, 0, 0])

    assert compute("knn@k", few, 3) is None
    assert "there are 2 labelled items and 2 others" in few.notes["knn@3"]
    assert compute("knn@k", single, 1) is None
    assert compute("linear_probe", single) is None
    assert compute("linear_probe", one_class) is None
    assert "two labelled classes" in one_class.notes["linear_probe"]


def test_nmi_is_the_mean_of_ten_seeded_clusterings():
    """Agreement of k-means with the classes, over starts drawn from the evaluation's seed, their deviation in the notes."""
    evaluation = evaluated([c for c in range(4) for _ in range(8)], near=1.0)
    expected = metrics.cluster_agreement(evaluation.embeddings, evaluation.labels, seed=evaluation.seed("clusters"))

    assert 10 == len(expected.scores)
    assert sum(expected.scores) / 10 == pytest.approx(compute("nmi", evaluation), abs=1e-12)
    assert np.std(expected.scores, ddof=1) == pytest.approx(evaluation.notes["nmi_deviation"], abs=1e-12)
    assert 0 < expected.mean < 1


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("queries", [None, 6], ids=["each other", "gallery"])
def test_geometry_is_that_of_all_pairs_of_items(queries, distance):
    """Alignment, uniformity, mean distances and effective rank follow from loops over all items, the gallery included."""
    evaluation = evaluated(LABELS, near=0.5, queries=queries, distance=distance)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(len(LABELS), 5, generator=generator)
    x = (x + 0.5 * torch.randn(5, 5, generator=generator)[LABELS]).double().numpy()
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    seen = unit if distance == "cosine" else x
    couples = list(itertools.combinations(range(len(LABELS)), 2))
    same, other = ([(a, b) for a, b in couples if (LABELS[a] == LABELS[b]) == wanted] for wanted in (True, False))
    shares = np.linalg.svd(seen, compute_uv=False) / np.linalg.svd(seen, compute_uv=False).sum()
    expected = {
        "alignment": np.mean([((unit[a] - unit[b]) ** 2).sum() for a, b in same]),
        "uniformity": math.log(np.mean([math.exp(-2 * ((unit[a] - unit[b]) ** 2).sum()) for a, b in couples])),
        "positive_distance": np.mean([np.linalg.norm(seen[a] - seen[b]) for a, b in same]),
        "negative_distance": np.mean([np.linalg.norm(seen[a] - seen[b]) for a, b in other]),
        "effective_rank": math.exp(-sum(share * math.log(share) for share in shares)),
    }

    for name, value in expected.items():
        assert value == pytest.approx(compute(name, evaluation), abs=1e-9), name


def test_geometry_without_pairs_of_a_kind_is_no_score():
    """Where no two items share a class, or all do, the mean distance of such pairs is None; alignment needs two of a class."""
    alone, together = evaluated([0, 1, 2]), evaluated([0, 0, 0])

    assert compute("alignment", alone) is None
    assert compute("positive_distance", alone) is None
    assert compute("negative_distance", together) is None


def test_directions_and_ranges_are_stated():
    """Errors and distances within a class are better when lower, everything else when higher; most scores lie in [0, 1]."""
    lower = {"eer", "one_shot_error", "alignment", "uniformity", "positive_distance"}
    assert lower == {name for name, entry in ENTRIES.items() if entry.direction == "min"}
    ranges = {name: (entry.low, entry.high) for name, entry in ENTRIES.items() if (entry.low, entry.high) != (0.0, 1.0)}
    unbounded = dict.fromkeys(("effective_rank", "positive_distance", "negative_distance"), (0.0, None))
    assert {"alignment": (0.0, 4.0), "uniformity": (-8.0, 0.0), **unbounded} == ranges
    assert {"one_shot_error": "one-shot"} == {name: entry.needs for name, entry in ENTRIES.items() if entry.needs}


def test_ranges_are_reached():
    """Opposite points of one class have the worst alignment, coinciding ones the worst uniformity."""
    apart = Evaluated(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), torch.zeros(2, dtype=torch.int64), seed=0)
    together = Evaluated(torch.ones(4, 3), torch.zeros(4, dtype=torch.int64), seed=0)

    assert ENTRIES["alignment"].high == pytest.approx(compute("alignment", apart))
    assert ENTRIES["uniformity"].low == pytest.approx(compute("uniformity", apart))
    assert ENTRIES["uniformity"].high == pytest.approx(compute("uniformity", together))


def test_perfect_embeddings_have_perfect_scores():
    """Classes at right angles score the best possible value in every metric whose best value they can reach."""
    labels = torch.arange(6).repeat_interleave(8)
    evaluation = Evaluated(torch.eye(6)[labels], labels, seed=0, episodes=lambda name: None)
    # Six directions of six, and distances of sqrt 2 between classes; the sphere has more room than six points fill.
    at_right_angles = {"effective_rank": 6.0, "negative_distance": math.sqrt(2)}

    for name, entry in ENTRIES.items():
        if entry.needs is None and name != "uniformity":
            value = compute(name, evaluation, 2 if "shot" in name else 1, 0.1)
            best = at_right_angles.get(name, entry.high if entry.direction == "max" else entry.low)
            assert best == pytest.approx(float(value.mean()) if isinstance(value, torch.Tensor) else value, abs=1e-12), name


def test_no_embedding_leaves_the_range_of_a_metric():
    """On random, opposite and coinciding embeddings every score lies in the range its entry states."""
    labels = [c for c in range(6) for _ in range(7)]
    noise = torch.randn(42, 4, generator=torch.Generator().manual_seed(0))
    for points in (noise, 1e-9 * noise + 1, noise.sign(), torch.zeros(42, 4)):
        evaluation = Evaluated(points, torch.tensor(labels), seed=0, episodes=lambda name: None)
        for name, entry in ENTRIES.items():
            # k-means warns of fewer points than clusters.
            if name == "nmi" and len(evaluation.embeddings.unique(dim=0)) < 6:
                continue
            value = compute(name, evaluation, 3, 0.1)
            if value is not None:
                value = float(value.mean()) if isinstance(value, torch.Tensor) else value
                assert entry.low - 1e-12 <= value <= (math.inf if entry.high is None else entry.high + 1e-12), name
