"""Verification against enrolled classes, beside loops over every comparison."""

import math
import statistics

import pytest
import torch

from siambench.errors import MetricError
from siambench.metrics import draw_references, enrolled_similarities, enrolled_verification, enrolled_without_each_class, enrolment

SIZES = (1, 2, 4, 9, 7, 3, 6)


@pytest.fixture
def items():
    """Classes of unlike size, one of a single item; five items are alike, of four classes, and two are zero."""
    labels = torch.tensor([c for c, size in enumerate(SIZES) for _ in range(size)])
    generator = torch.Generator().manual_seed(0)
    labels = labels[torch.randperm(len(labels), generator=generator)]
    points = torch.randn(len(labels), 3, generator=generator, dtype=torch.float64) + (labels[:, None] % 3 == torch.arange(3))
    points[[2, 5, 14, 20]], points[[11, 17]] = points[9].clone(), 0.0
    return points, labels


def unit(row):
    """At length one; zeros stay."""
    length = math.sqrt(sum(value * value for value in row))
    return [value / length for value in row] if length else list(row)


def by_loops(points, labels, drawn, *, template, distance):
    """Similarity of each of the others with each class, and whether it is of it, comparison by comparison."""
    rows = [unit(row) for row in points.tolist()] if distance == "cosine" else points.tolist()
    near, same = [], []
    for asked in drawn.others.tolist():
        for label, references in zip(drawn.classes.tolist(), drawn.items.tolist(), strict=True):
            stand = [rows[index] for index in references]
            if template == "mean":
                mean = [sum(column) / len(stand) for column in zip(*stand, strict=True)]
                stand = [unit(mean) if distance == "cosine" else mean]
            if distance == "cosine":
                near.append(max(sum(a * b for a, b in zip(rows[asked], one, strict=True)) for one in stand))
            else:
                near.append(-min(math.dist(rows[asked], one) for one in stand))
            same.append(int(labels[asked]) == label)
    return near, same


def crossing(near, same):
    """Where false accepts and false rejects cross, joined by straight lines, counted at every threshold; near equals are equal."""
    near = [round(value, 9) for value in near]
    genuine, impostors = sum(same), len(same) - sum(same)
    previous = None
    for threshold in [*sorted(set(near)), math.inf]:
        accepted = sum(1 for value, own in zip(near, same, strict=True) if value >= threshold and not own) / impostors
        rejected = sum(1 for value, own in zip(near, same, strict=True) if value < threshold and own) / genuine
        if rejected >= accepted:
            weight = (previous[0] - previous[1]) / (previous[0] - previous[1] + rejected - accepted)
            return previous[0] + weight * (accepted - previous[0])
        previous = accepted, rejected
    raise AssertionError


@pytest.mark.parametrize("queries", [None, 12], ids=["one part", "gallery"])
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
@pytest.mark.parametrize("template", ["mean", "nearest"])
@pytest.mark.parametrize("k", [1, 3])
def test_the_error_is_that_of_loops(items, k, template, distance, queries):
    """Over every comparison of each draw the mean error, its deviation and the counts are those of loops; the similarities too."""
    points, labels = items
    scores = []
    for seed in (3, 8, 11):
        drawn = draw_references(labels, k=k, seed=seed, queries=queries)
        near, same = by_loops(points, labels, drawn, template=template, distance=distance)
        assert near == pytest.approx(
            enrolled_similarities(points, drawn, template=template, distance=distance).flatten().tolist(), abs=1e-12
        )
        scores.append(crossing(near, same))
    found = enrolled_verification(points, labels, k=k, seeds=(3, 8, 11), template=template, queries=queries, distance=distance)
    assert (sum(same), len(same) - sum(same), len(drawn.classes)) == (found.genuine, found.impostors, found.classes)
    assert found.equal_error_rate == pytest.approx(statistics.fmean(scores), abs=1e-9)
    assert found.deviation == pytest.approx(statistics.stdev(scores), abs=1e-9)


@pytest.mark.parametrize("queries", [None, 12], ids=["one part", "gallery"])
@pytest.mark.parametrize("template", ["mean", "nearest"])
def test_each_class_left_out_is_scored_as_if_it_were_not_there(items, template, queries):
    """Without a class as item and as enrolled class the error is that of the others alone, with their references as they were."""
    points, labels = items
    options = {"k": 2, "seeds": (1, 2), "template": template}
    found = enrolled_without_each_class(points, labels, **options, queries=queries)
    assert list(range(len(SIZES))) == list(found)
    for label, score in found.items():
        kept = labels != label
        left = None if queries is None else int(kept[:queries].sum())
        expected = enrolled_verification(points[kept], labels[kept], **options, queries=left)
        assert (expected.classes, expected.genuine, expected.impostors) == (score.classes, score.genuine, score.impostors)
        assert expected.equal_error_rate == pytest.approx(score.equal_error_rate, abs=1e-12)
        assert expected.deviation == pytest.approx(score.deviation, abs=1e-12)


def test_where_a_class_is_needed_nothing_is_left_without_it():
    """Of two enrolled classes the score without either of them has no impostors, and is None."""
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    found = enrolled_without_each_class(torch.randn(6, 2), labels, k=1, seeds=(0, 1))
    assert {0: None, 1: None} == found


def test_parted_classes_and_mingled_ones_have_the_errors_at_the_ends():
    """Classes at right angles are never confused; where all items are alike, half of all decisions are wrong."""
    labels = torch.arange(5).repeat_interleave(4)
    for template in ("mean", "nearest"):
        options = {"k": 2, "seeds": (0, 1), "template": template}
        assert enrolled_verification(torch.eye(5)[labels], labels, **options).equal_error_rate == 0.0
        alike = enrolled_verification(torch.ones(20, 3), labels, **options)
        assert (0.5, 0.0) == (alike.equal_error_rate, alike.deviation)


def test_the_order_of_blocks_changes_nothing(items, monkeypatch):
    """Computed in small blocks of items and classes, similarities are the same."""
    points, labels = items
    drawn = draw_references(labels, k=2, seed=0)
    whole = [enrolled_similarities(points, drawn, template="nearest", distance=distance) for distance in ("cosine", "euclidean")]
    monkeypatch.setattr(enrolment, "_COLUMNS", 4)
    monkeypatch.setattr(enrolment, "_ROWS", 5)
    for distance, expected in zip(("cosine", "euclidean"), whole, strict=True):
        assert torch.allclose(expected, enrolled_similarities(points, drawn, template="nearest", distance=distance), atol=1e-14, rtol=0)


def test_what_cannot_be_verified_is_refused(items, monkeypatch):
    """Too few items or draws, one class, an unknown template, numbers that are not finite, and too many comparisons."""
    points, labels = items
    with pytest.raises(MetricError, match="10 items of a class are needed, the largest has 9"):
        enrolled_verification(points, labels, k=9, seeds=(0, 1))
    with pytest.raises(MetricError, match="at least two draws are needed, got 1"):
        enrolled_verification(points, labels, k=1, seeds=(0,))
    with pytest.raises(MetricError, match="both kinds of comparisons are needed, got 9 genuine and 0 impostors"):
        enrolled_verification(points[:10], labels[:10] * 0, k=1, seeds=(0, 1))
    with pytest.raises(MetricError, match="'mean' or 'nearest', got 'median'"):
        enrolled_verification(points, labels, k=1, seeds=(0, 1), template="median")
    with pytest.raises(MetricError, match="embeddings must be finite"):
        enrolled_verification(points.clone().fill_(torch.nan), labels, k=1, seeds=(0, 1))
    monkeypatch.setattr(enrolment, "MOST_COMPARISONS", 20)
    with pytest.raises(MetricError, match="at most 20 comparisons of an item with an enrolled class are sorted, here are 156"):
        enrolled_verification(points, labels, k=1, seeds=(0, 1))
