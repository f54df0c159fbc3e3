"""Verification over all pairs equals that over a list of them, within its own bound."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from siambench import metrics
from siambench.errors import MetricError
from siambench.metrics import all_pairs
from siambench.metrics.all_pairs import all_pairs_verification, all_pairs_without_each_class


def made(items, classes, seed, spread=1.0):
    """Embeddings around a centre per class, and labels of uneven classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes, (items,), generator=generator) ** 2 % classes
    centres = torch.randn(classes, 6, generator=generator)
    return centres[labels] + spread * torch.randn(items, 6, generator=generator), labels


def every_pair(embeddings, labels):
    """Cosine and label of each pair, listed."""
    unit = torch.nn.functional.normalize(embeddings.double()).float()
    one, other = torch.triu_indices(len(labels), len(labels), offset=1)
    return (unit[one] * unit[other]).sum(dim=1).double(), labels[one] == labels[other]


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), items=st.integers(8, 90), classes=st.integers(2, 9), bins=st.sampled_from([16, 1000, 2**17]))
def test_all_scores_lie_within_their_bounds(seed, items, classes, bins):
    """Area, equal error and true accept rates of the listed pairs lie within the stated error, with few bins and with many."""
    embeddings, labels = made(items, classes, seed)
    similarity, same = every_pair(embeddings, labels)
    if not 0 < int(same.sum()) < len(same):
        return
    found = all_pairs_verification(embeddings, labels, bins=bins)
    assert (int(same.sum()), int((~same).sum())) == (found.genuine, found.impostors)
    assert roc_auc_score(same, similarity) == pytest.approx(found.roc_auc.value, abs=found.roc_auc.error + 1e-12)
    assert metrics.equal_error_rate(similarity, same) == pytest.approx(
        found.equal_error_rate.value, abs=found.equal_error_rate.error + 1e-12
    )
    for rate in (0.3, 0.1):
        bounded = found.true_accept_rate(rate)
        exact = metrics.true_accept_rate_at(similarity, same, far=rate)
        assert (exact is None) == (bounded is None)
        if exact is not None:
            assert bounded.value - 1e-12 <= exact <= bounded.value + bounded.error + 1e-12


def test_many_bins_are_exact():
    """With no two pairs of different kind in a bin the bound is 0 and the area is that of scikit-learn."""
    embeddings, labels = made(60, 5, seed=3, spread=0.8)
    similarity, same = every_pair(embeddings, labels)
    found = all_pairs_verification(embeddings, labels, bins=2**22)
    assert found.roc_auc.error < 1e-4
    assert roc_auc_score(same, similarity) == pytest.approx(found.roc_auc.value, abs=1e-4)


def test_more_bins_narrow_the_bound():
    """The bound of the area shrinks with the width of the bins."""
    embeddings, labels = made(300, 12, seed=1)
    errors = [all_pairs_verification(embeddings, labels, bins=bins).roc_auc.error for bins in (8, 64, 512, 4096)]
    assert sorted(errors, reverse=True) == errors
    assert errors[-1] < errors[0] / 50


def test_tiles_change_nothing(monkeypatch):
    """The same pairs are counted whatever the size of the tiles, edges included."""
    embeddings, labels = made(137, 7, seed=5)
    whole = all_pairs_verification(embeddings, labels, bins=4096)
    monkeypatch.setattr(all_pairs, "_TILE", 17)
    parts = all_pairs_verification(embeddings, labels, bins=4096)
    assert (whole.genuine, whole.impostors) == (parts.genuine, parts.impostors)
    assert whole.roc_auc.value == pytest.approx(parts.roc_auc.value, abs=1e-4)


def test_duplicates_and_opposites_stay_inside():
    """Cosines of exactly 1 and -1 are counted, none is lost over the edge of the last bin."""
    embeddings = torch.tensor([[1.0, 0.0], [3.0, 0.0], [-2.0, 0.0], [-1.0, 0.0]])
    found = all_pairs_verification(embeddings, torch.tensor([0, 0, 1, 1]))
    assert (2, 4) == (found.genuine, found.impostors)
    assert (1.0, 0.0) == (found.roc_auc.value, found.equal_error_rate.value)


def test_rates_with_too_few_impostors_are_none():
    """A false accept rate that needs more impostors than there are has no value."""
    embeddings, labels = made(40, 5, seed=2)
    found = all_pairs_verification(embeddings, labels)
    assert found.impostors < metrics.impostors_needed(1e-4)
    assert found.true_accept_rate(1e-4) is None
    assert found.true_accept_rate(0.1) is not None


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]])
def test_both_kinds_of_pairs_are_needed(labels):
    """One class only, or no two items of a class, is an error that counts both kinds."""
    with pytest.raises(MetricError, match=r"both kinds of pairs are needed"):
        all_pairs_verification(torch.eye(4), torch.tensor(labels))


@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 10_000), items=st.integers(8, 70), classes=st.integers(2, 6), share=st.sampled_from([None, 0.2, 0.6]))
def test_leaving_out_a_class_is_scoring_the_others(seed, items, classes, share):
    """With each class left out stand the scores of the items of the others, up to a pair on the edge of a bin; or None without them."""
    embeddings, labels = made(items, classes, seed)
    queries = None if share is None else max(1, round(items * share))
    found = all_pairs_without_each_class(embeddings, labels, queries=queries, bins=4096)
    assert sorted(set(labels.tolist())) == list(found)
    for label, scores in found.items():
        kept = labels != label
        try:
            left = None if queries is None else int(kept[:queries].sum())
            alone = all_pairs_verification(embeddings[kept], labels[kept], queries=left, bins=4096)
        except MetricError:
            assert scores is None
            continue
        assert (alone.genuine, alone.impostors) == (scores.genuine, scores.impostors)
        edge = 3 / min(alone.genuine, alone.impostors)
        assert alone.roc_auc.value == pytest.approx(scores.roc_auc.value, abs=edge * 1e-2 + 1e-9)
        assert alone.equal_error_rate.value == pytest.approx(scores.equal_error_rate.value, abs=edge)


def test_a_class_larger_than_a_tile_is_left_out_too(monkeypatch):
    """Counted in small tiles the scores without each class are the same as in one."""
    embeddings, labels = made(90, 7, seed=5)
    whole = all_pairs_without_each_class(embeddings, labels, bins=1000)
    monkeypatch.setattr(all_pairs, "_TILE", 7)
    monkeypatch.setattr(all_pairs, "_SMALL", 3)
    tiled = all_pairs_without_each_class(embeddings, labels, bins=1000)
    assert 3 <= sum(scores is not None for scores in whole.values())
    for label, scores in whole.items():
        if scores is None:
            assert tiled[label] is None
            continue
        assert scores.roc_auc.value == pytest.approx(tiled[label].roc_auc.value, abs=1e-3)
        assert (scores.genuine, scores.impostors) == (tiled[label].genuine, tiled[label].impostors)


# ---- queries and a gallery


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10_000), items=st.integers(8, 90), share=st.floats(0.1, 0.9), bins=st.sampled_from([16, 2**17]))
def test_with_a_gallery_the_pairs_are_a_query_and_one_of_the_gallery(seed, items, share, bins):
    """Counts, area, equal error and true accept rate are those of the listed queries × gallery, within the stated error."""
    embeddings, labels = made(items, 4, seed)
    queries = min(max(round(items * share), 1), items - 1)
    unit = torch.nn.functional.normalize(embeddings.double())
    similarity = (unit[:queries] @ unit[queries:].T).float().double().flatten()
    same = (labels[:queries, None] == labels[None, queries:]).flatten()
    if not 0 < int(same.sum()) < len(same):
        return
    found = all_pairs_verification(embeddings, labels, queries=queries, bins=bins)

    assert (int(same.sum()), int((~same).sum())) == (found.genuine, found.impostors)
    # What the bound leaves out: a similarity within rounding of a bin's edge.
    assert roc_auc_score(same, similarity) == pytest.approx(found.roc_auc.value, abs=found.roc_auc.error + 2 / len(same))
    assert metrics.equal_error_rate(similarity, same) == pytest.approx(
        found.equal_error_rate.value, abs=found.equal_error_rate.error + 2 / int(same.sum())
    )


def test_a_gallery_in_tiles_is_the_gallery_whole(monkeypatch):
    """Cut into small tiles, and with classes larger than are counted at once, the scores are the same."""
    embeddings, labels = made(150, 4, seed=5)
    whole = all_pairs_verification(embeddings, labels, queries=60, bins=4096)
    monkeypatch.setattr(all_pairs, "_TILE", 17)
    monkeypatch.setattr(all_pairs, "_SMALL", 20)
    parts = all_pairs_verification(embeddings, labels, queries=60, bins=4096)

    assert (whole.genuine, whole.impostors) == (parts.genuine, parts.impostors)
    assert whole.roc_auc.value == pytest.approx(parts.roc_auc.value, abs=1e-3)
    assert whole.equal_error_rate.value == pytest.approx(parts.equal_error_rate.value, abs=1e-2)


@pytest.mark.parametrize("queries", [0, 4, -1])
def test_queries_leave_a_gallery(queries):
    """Without a query or without a gallery there is no pair, which is said."""
    with pytest.raises(MetricError, match="queries must leave a gallery"):
        all_pairs_verification(torch.eye(4), torch.tensor([0, 0, 1, 1]), queries=queries)
