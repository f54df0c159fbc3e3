import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import draw_episodes, episode_accuracy


def random_episodes(*, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    support = torch.randn(6, 9, 4, generator=generator, dtype=torch.float64).to(dtype)
    query = torch.randn(6, 11, 4, generator=generator, dtype=torch.float64).to(dtype)
    labels = torch.stack([torch.tensor([5, 5, 5, 2, 2, 2, 9, 9, 7])[torch.randperm(9, generator=generator)] for _ in range(6)])
    answer = torch.tensor([2, 5, 7, 9])[torch.randint(4, (6, 11), generator=generator)]
    return support, labels, query, answer


def slow_accuracy(support, labels, query, answer, *, rule, distance):
    """One query after another, in float64."""
    scores = []
    for s, ls, q, a in zip(support.double(), labels.tolist(), query.double(), answer.tolist(), strict=True):
        if distance == "cosine":
            s, q = s / s.norm(dim=1, keepdim=True), q / q.norm(dim=1, keepdim=True)  # noqa: PLW2901
        if rule == "prototype":
            classes = sorted(set(ls))
            s = torch.stack([s[[x == c for x in ls]].mean(dim=0) for c in classes])  # noqa: PLW2901
            s = s / s.norm(dim=1, keepdim=True) if distance == "cosine" else s  # noqa: PLW2901
            ls = classes  # noqa: PLW2901
        nearest = [min(range(len(ls)), key=lambda i, one=one: float((one - s[i]).norm())) for one in q]
        scores.append(sum(ls[i] == right for i, right in zip(nearest, a, strict=True)) / len(a))
    return scores


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("rule", ["nearest", "prototype"])
def test_accuracy_is_its_loop(rule, distance, dtype):
    """Each rule under each distance gives what a loop over queries gives, with classes of unequal size."""
    episodes = random_episodes(seed=0, dtype=dtype)

    actual = episode_accuracy(*episodes, rule=rule, distance=distance)

    assert torch.float64 == actual.dtype
    assert slow_accuracy(*episodes, rule=rule, distance=distance) == pytest.approx(actual.tolist(), abs=1e-12)


def test_first_support_item_wins_a_tie():
    """Of two equally near items the first decides, and of two equally near prototypes the lower label."""
    support = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    query = torch.tensor([[[1.0, 0.5]]])

    assert [1.0] == episode_accuracy(support, torch.tensor([[8, 3]]), query, torch.tensor([[8]])).tolist()
    assert [1.0] == episode_accuracy(support, torch.tensor([[8, 3]]), query, torch.tensor([[3]]), rule="prototype").tolist()


def test_draws_keep_every_promise():
    """An episode has its ways, shots and queries, of one group, without an item twice; groups take turns."""
    labels = torch.arange(60).repeat_interleave(5)
    labels = torch.cat([labels, torch.arange(60, 70)])
    groups = labels // 20
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    labels, groups = labels[order], groups[order]

    drawn = draw_episodes(labels, seed=1, episodes=7, ways=15, shots=2, queries=3, groups=groups)

    assert (7, 30) == drawn.support.shape
    assert (7, 45) == drawn.query.shape
    used = []
    for support, query in zip(drawn.support, drawn.query, strict=True):
        items = torch.cat([support, query])
        assert 75 == len(items.unique())
        assert 1 == len(groups[items].unique())
        assert torch.equal(labels[support].view(15, 2)[:, 0], labels[query].view(15, 3)[:, 0])
        assert [5] * 15 == labels[items].unique(return_counts=True)[1].tolist()
        used.append(int(groups[support[0]]))
    assert {0, 1, 2} == set(used[:3]) == set(used[3:6])


def test_same_seed_same_episodes():
    """Episodes are a function of labels and seed."""
    labels = torch.arange(30).repeat(4)

    first, second = (draw_episodes(labels, seed=5, episodes=3) for _ in range(2))

    assert torch.equal(first.support, second.support)
    assert torch.equal(first.query, second.query)
    assert not torch.equal(first.support, draw_episodes(labels, seed=6, episodes=3).support)


def test_drawn_episodes_are_scored_end_to_end():
    """Embeddings that are their label are told apart without error."""
    labels = torch.arange(30).repeat(4)
    points = torch.nn.functional.one_hot(labels).double()
    drawn = draw_episodes(labels, seed=0, episodes=4, shots=2)

    scores = episode_accuracy(points[drawn.support], labels[drawn.support], points[drawn.query], labels[drawn.query])

    assert [1.0] * 4 == scores.tolist()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ({"ways": 31}, "31 classes of 2 items .* at most 30"),
        ({"shots": 4}, "20 classes of 5 items .* at most 0"),
        ({"queries": 0}, "at least 1, got 1, 20, 1, 0"),
        ({"groups": torch.arange(120)}, "got two for class"),
        ({"groups": torch.arange(30).repeat(4) // 15}, "20 classes of 2 items .* at most 15"),
    ],
)
def test_refuses_episodes_that_cannot_be_drawn(arguments, reason):
    """Too few classes or items, and classes in two groups, are errors with the numbers."""
    with pytest.raises(MetricError, match=reason):
        draw_episodes(torch.arange(30).repeat(4), seed=0, **{"episodes": 1, **arguments})


def test_refuses_episodes_that_do_not_fit():
    """Wrong shapes, dtypes and rules are errors."""
    support, labels, query, answer = random_episodes(seed=1)
    for episodes, arguments, reason in (
        ((support, labels, query[:, :, :3], answer), {}, "agree in E and D"),
        ((support, labels[:, :2], query, answer), {}, r"labels \[E, items\]"),
        ((support, labels.double(), query, answer), {}, "of support must be int64"),
        ((support, labels, query, answer), {"rule": "vote"}, "got 'vote'"),
        ((support, labels, query, answer), {"distance": "taxi"}, "got 'taxi'"),
    ):
        with pytest.raises(MetricError, match=reason):
            episode_accuracy(*episodes, **arguments)
