"""Classification episodes: N classes, K examples of each, and queries to be told apart by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_distance, check_labels, finite_float64, unit_length

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.metrics.neighbours import Distance

Rule = Literal["nearest", "prototype"]


@dataclass(frozen=True, eq=False)
class EpisodeIndices:
    """Which items make up each episode; no item is both support and query of one.

    Args:
        support: int64 [E, ways · shots], class after class.
        query: int64 [E, ways · queries], the same classes in the same order.
    """

    support: Tensor
    query: Tensor


@torch.no_grad()
def episode_accuracy(
    support: Tensor,
    support_labels: Tensor,
    query: Tensor,
    answer: Tensor,
    *,
    rule: Rule = "nearest",
    distance: Distance = "cosine",
) -> Tensor:
    """The share of queries of each episode that are given the right class.

    ``"nearest"`` answers with the class of the nearest support item; of equally near ones the first counts.
    ``"prototype"`` answers with the class whose mean support item is nearest (under ``"cosine"``, the mean of the items
    at unit length); of equally near ones the lowest label counts.

    Args:
        support: embeddings, [E, S, D].
        support_labels: int64 [E, S].
        query: embeddings, [E, Q, D].
        answer: the label of each query, int64 [E, Q].
        rule: how a query is classified.
        distance: what near means.

    Returns:
        One accuracy per episode in [0, 1], higher is better, float64 [E]. Episodes are drawn independently, so their
        t-interval is that of the mean.

    Raises:
        MetricError: if shapes do not fit, labels are not int64, or an embedding is not finite.

    Source:
        Vinyals et al., Matching networks for one shot learning, NeurIPS 2016; Snell, Swersky, Zemel, Prototypical
        networks for few-shot learning, NeurIPS 2017.
    """
    check_distance(distance)
    _check_episodes(support, support_labels, query, answer)
    if rule not in {"nearest", "prototype"}:
        raise MetricError(f"rule must be 'nearest' or 'prototype', got {rule!r}")
    scores = torch.empty(len(support), dtype=torch.float64, device=support.device)
    for episode in range(len(support)):
        known, labels = finite_float64(support[episode], name="support"), support_labels[episode]
        asked = finite_float64(query[episode], name="query")
        if distance == "cosine":
            known, asked = unit_length(known), unit_length(asked)
        if rule == "prototype":
            labels, place, counts = torch.unique(labels, return_inverse=True, return_counts=True)
            sums = torch.zeros(len(labels), known.shape[1], dtype=torch.float64, device=known.device)
            known = sums.index_add_(0, place, known) / counts[:, None]
            known = unit_length(known) if distance == "cosine" else known
        near = (asked[:, None] * known).sum(dim=2) if distance == "cosine" else -(asked[:, None] - known).square().sum(dim=2)
        scores[episode] = (labels[near.argmax(dim=1)] == answer[episode]).to(torch.float64).mean()
    return scores


def draw_episodes(
    labels: Tensor,
    *,
    seed: int,
    episodes: int,
    ways: int = 20,
    shots: int = 1,
    queries: int = 1,
    groups: Tensor | None = None,
) -> EpisodeIndices:
    """Draw episodes; with groups, all classes of an episode are of one group, such as one alphabet.

    Groups with enough classes take turns in a random order, so that each is asked equally often, up to one.

    Args:
        labels: int64 [N].
        seed: of a generator of its own; the same seed and labels give the same episodes.
        episodes: how many, E >= 1.
        ways: classes of an episode.
        shots: support items of a class.
        queries: query items of a class.
        groups: of each item, int64 [N], the same for all items of a class.

    Returns:
        Indices into the items, on the device of ``labels``.

    Raises:
        MetricError: if a number is below 1, a class lies in two groups, or no group has ``ways`` classes of
            ``shots + queries`` items.
    """
    if min(episodes, ways, shots, queries) < 1:
        raise MetricError(f"episodes, ways, shots and queries must be at least 1, got {episodes}, {ways}, {shots}, {queries}")
    check_labels(labels)
    group_of = torch.zeros_like(labels) if groups is None else groups
    check_labels(group_of, name="groups", length=len(labels))
    classes, place, counts = torch.unique(labels.cpu(), return_inverse=True, return_counts=True)
    group_of = group_of.cpu()
    group_of_class = torch.empty_like(classes)
    group_of_class[place] = group_of
    split = (group_of_class[place] != group_of).nonzero()
    if len(split):
        raise MetricError(f"all items of a class must be of one group, got two for class {int(labels[split[0, 0]])}")

    needed = shots + queries
    usable = [
        members[counts[members] >= needed]
        for members in ((group_of_class == group).nonzero()[:, 0] for group in torch.unique(group_of_class))
    ]
    most = max((len(members) for members in usable), default=0)
    usable = [members for members in usable if len(members) >= ways]
    if not usable:
        raise MetricError(f"an episode needs {ways} classes of {needed} items within a group, got at most {most}")
    items = place.argsort(stable=True)
    starts = counts.cumsum(dim=0) - counts
    generator = torch.Generator().manual_seed(seed)
    support, query = [], []
    for episode in range(episodes):
        turn = episode % len(usable)
        if turn == 0:
            order = torch.randperm(len(usable), generator=generator).tolist()
        members = usable[order[turn]]
        chosen = members[torch.randperm(len(members), generator=generator)[:ways]]
        drawn = torch.stack(
            [items[starts[label] + torch.randperm(int(counts[label]), generator=generator)[:needed]] for label in chosen.tolist()]
        )
        support.append(drawn[:, :shots].flatten())
        query.append(drawn[:, shots:].flatten())
    return EpisodeIndices(support=torch.stack(support).to(labels.device), query=torch.stack(query).to(labels.device))


def _check_episodes(support: Tensor, support_labels: Tensor, query: Tensor, answer: Tensor) -> None:
    for name, embeddings, labels in (("support", support, support_labels), ("query", query, answer)):
        if embeddings.ndim != 3 or embeddings.numel() == 0 or labels.shape != embeddings.shape[:2]:
            raise MetricError(f"{name} must be [E, items, D] with labels [E, items], got {tuple(embeddings.shape)}, {tuple(labels.shape)}")
        if labels.dtype != torch.int64:
            raise MetricError(f"labels of {name} must be int64, got {labels.dtype}")
    if support.shape[0] != query.shape[0] or support.shape[2] != query.shape[2]:
        raise MetricError(f"support and query must agree in E and D, got {tuple(support.shape)} and {tuple(query.shape)}")
