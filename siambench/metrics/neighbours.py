"""Exact nearest neighbours, and what the retrieval metrics are made of: matches and counts of relevant references."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import torch

from siambench.errors import MetricError
from siambench.metrics.checks import check_distance, check_embeddings, check_labels, finite_float64, unit_length
from siambench.metrics.largest import group_size, largest, largest_of_groups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

Distance = Literal["cosine", "euclidean"]

FLOAT64_ITEMS = 20_000
"""Up to this many items (queries or references, whichever are more) the search computes in float64."""

DEFAULT_MEMORY = 256 * 2**20

_TILE_ROWS = 512
# Matrix kernels work in panels of columns and sum the columns left over in another order, so that two identical
# references could differ in the last bit. Whole panels only: 192 is a multiple of every usual width (4 ... 64, 24).
_PANEL = 192
_ROWS_AT_ONCE = 4096
_CENTRE_BITS = 12


def search_precision(queries: int, references: int) -> torch.dtype:
    """The type the search computes in: float64 up to ``FLOAT64_ITEMS`` items, float32 above.

    A caller that gets ``torch.float32`` says so in a note beside the scores.
    """
    return torch.float64 if max(queries, references) <= FLOAT64_ITEMS else torch.float32


@torch.no_grad()
def nearest(
    queries: Tensor,
    references: Tensor,
    k: int,
    *,
    exclude_self: bool,
    distance: Distance = "cosine",
    memory: int = DEFAULT_MEMORY,
) -> Tensor:
    """The k nearest references of each query, nearest first, by exact search.

    Ties: of references at the same computed distance the lower index comes first, also where the tie straddles the
    k-th place. Identical references are always tied, and the order does not depend on ``memory``: every product has
    the same number of rows, and whole panels of columns.

    Precision: see `search_precision`. In float32, rows are normalised and centred in float64 before they are rounded,
    which keeps nearly equal references apart.

    Args:
        queries: [Q, D], any real type.
        references: [R, D], any real type.
        k: how many neighbours, 1 <= k <= R, or R - 1 with ``exclude_self``.
        exclude_self: queries and references are the same items in the same order, and item i is no neighbour of
            itself. It is left out by its index, so a duplicate at distance 0 stays.
        distance: ``"cosine"`` (a row of zeros has similarity 0 to everything) or ``"euclidean"``.
        memory: bytes for the copied references and one tile of scores; at least one tile of 192 columns is used.

    Returns:
        Indices into the references, int64 [Q, k].

    Raises:
        MetricError: if k is larger than the number of neighbours there are, if the shapes do not fit, or if an
            embedding is not finite.
    """
    check_distance(distance)
    check_embeddings(references, name="references")
    check_embeddings(queries, name="queries", width=references.shape[1])
    if exclude_self and len(queries) != len(references):
        raise MetricError(f"exclude_self needs the same items on both sides, got {len(queries)} queries, {len(references)} references")
    available = len(references) - int(exclude_self)
    if not 1 <= k <= available:
        raise MetricError(f"k must be between 1 and the {available} references a query can have, got {k}")

    precision = search_precision(len(queries), len(references))
    centre = _centre(references, distance=distance, precision=precision)
    width = _block_width(len(references), references.shape[1], precision=precision, memory=memory)
    # Filled in place, and similarities only kept where a further block is to be compared: at k = 1000 either is half a gigabyte.
    found = torch.empty(len(queries), k, dtype=torch.int64, device=references.device)
    best: list[Tensor] = []
    for start in range(0, len(references), width):
        block = references[start : start + width]
        group = group_size(_padded(len(block)), k)
        prepared, bias = _prepare(block, centre, distance=distance, precision=precision, group=group)
        scores = torch.empty(_TILE_ROWS, len(prepared), dtype=precision, device=references.device)
        for tile, rows in enumerate(_slices(len(queries), _TILE_ROWS)):
            _score(_tile(queries[rows], centre, distance=distance, precision=precision), prepared, bias, out=scores)
            part = scores[: rows.stop - rows.start]
            _hide(part, start=start, length=len(block), group=group, first_query=rows.start if exclude_self else None)
            values, columns = largest_of_groups(part, k, group=group)
            columns += start
            if start > 0:
                # What was found before has lower indices, so position goes on agreeing with index among equals.
                values, order = largest(torch.cat([best[tile], values], dim=1), k)
                columns = torch.cat([found[rows, : best[tile].shape[1]], columns], dim=1).gather(1, order)
                best[tile] = values
            elif width < len(references):
                best.append(values)
            found[rows, : columns.shape[1]] = columns
    return found


@torch.no_grad()
def matches(query_labels: Tensor, reference_labels: Tensor, indices: Tensor) -> Tensor:
    """Whether each neighbour shares its query's label.

    Args:
        query_labels: int64 [Q].
        reference_labels: int64 [R].
        indices: neighbours as `nearest` returns them, int64 [Q, K].

    Returns:
        bool [Q, K].

    Raises:
        MetricError: if labels are not int64, or the number of rows differs.
    """
    check_labels(query_labels, name="query_labels", length=len(indices))
    check_labels(reference_labels, name="reference_labels")
    shared = torch.empty(indices.shape, dtype=torch.bool, device=indices.device)
    for rows in _slices(len(indices), _ROWS_AT_ONCE):
        torch.eq(reference_labels[indices[rows]], query_labels[rows, None], out=shared[rows])
    return shared


@torch.no_grad()
def relevant_counts(query_labels: Tensor, reference_labels: Tensor, *, exclude_self: bool) -> Tensor:
    """How many references share the label of each query: R of the retrieval metrics.

    Args:
        query_labels: int64 [Q].
        reference_labels: int64 [R].
        exclude_self: queries and references are the same items, and none is relevant to itself.

    Returns:
        int64 [Q]; 0 for a query that no answer exists for.

    Raises:
        MetricError: if labels are not int64, or ``exclude_self`` is asked of different labels.
    """
    check_labels(query_labels, name="query_labels")
    check_labels(reference_labels, name="reference_labels")
    if exclude_self and not torch.equal(query_labels, reference_labels):
        raise MetricError("exclude_self needs the same labels on both sides, got different ones")
    if len(reference_labels) == 0:
        return torch.zeros_like(query_labels)
    classes, counts = torch.unique(reference_labels, return_counts=True)
    places = torch.searchsorted(classes, query_labels).clamp(max=len(classes) - 1)
    found = torch.where(classes[places] == query_labels, counts[places], torch.zeros_like(counts[places]))
    return found - int(exclude_self)


def answerable(relevant: Tensor) -> Tensor:
    """Which queries have at least one relevant reference; the others belong in no average, and in a count.

    Args:
        relevant: int64 [Q], as `relevant_counts` returns it.

    Returns:
        bool [Q].
    """
    return relevant > 0


def _slices(length: int, step: int) -> Iterator[slice]:
    return (slice(start, min(start + step, length)) for start in range(0, length, step))


def _padded(length: int) -> int:
    return -(-length // _PANEL) * _PANEL


def _block_width(references: int, dimensions: int, *, precision: torch.dtype, memory: int) -> int:
    """How many references are compared at once: whole panels within the budget, at least one."""
    affordable = memory // (precision.itemsize * (dimensions + _TILE_ROWS))
    return min(_padded(references), max(affordable // _PANEL, 1) * _PANEL)


def _centre(references: Tensor, *, distance: Distance, precision: torch.dtype) -> Tensor | None:
    """What is taken from both sides before they are multiplied, float64 [D]; nothing for cosines in float64.

    Products of float32 numbers, and squares of numbers far from zero, lose the differences between near neighbours.
    The mean is rounded to a coarse grid: small integers stay exact numbers, and their ties stay ties.
    """
    if precision == torch.float64 and distance == "cosine":
        return None
    total = torch.zeros(references.shape[1], dtype=torch.float64, device=references.device)
    extent = 0.0
    for rows in _slices(len(references), _ROWS_AT_ONCE):
        part = _exact(references[rows], distance=distance, name="references")
        total += part.sum(dim=0)
        extent = max(extent, float(part.abs().max()))
    grid = 2.0 ** (math.frexp(extent)[1] - _CENTRE_BITS)
    return torch.round(total / len(references) / grid) * grid


def _exact(points: Tensor, *, distance: Distance, name: str) -> Tensor:
    exact = finite_float64(points, name=name)
    return unit_length(exact) if distance == "cosine" else exact


def _prepare(
    block: Tensor, centre: Tensor | None, *, distance: Distance, precision: torch.dtype, group: int
) -> tuple[Tensor, Tensor | None]:
    """References ready for the product, and what is added to it.

    With q and r centred, a query's order by q·r - |r|²/2 is that by -|q - r|², which for unit vectors is that by cosine
    (a zero vector is as far from every unit vector as one at right angles, once 1/2 is taken off). Rows are laid out so
    that the members of a group of neighbouring indices are one group count apart.
    """
    padded = _padded(len(block))
    prepared = torch.zeros(padded, block.shape[1], dtype=precision, device=block.device)
    bias = None if centre is None else torch.zeros(padded, dtype=precision, device=block.device)
    for rows in _slices(len(block), _ROWS_AT_ONCE):
        part = _exact(block[rows], distance=distance, name="references")
        index = torch.arange(rows.start, rows.stop, device=block.device)
        if centre is not None and bias is not None:
            missing = part.square().sum(dim=1) - 1.0 if distance == "cosine" else 0.0
            part = part - centre
            bias.view(group, -1)[index % group, index // group] = ((missing - part.square().sum(dim=1)) / 2).to(precision)
        prepared.view(group, -1, block.shape[1])[index % group, index // group] = part.to(precision)
    return prepared, bias


def _tile(queries: Tensor, centre: Tensor | None, *, distance: Distance, precision: torch.dtype) -> Tensor:
    """Queries ready for the product, filled up with rows of zeros: a product of fewer rows sums in another order."""
    part = _exact(queries, distance=distance, name="queries")
    tile = torch.zeros(_TILE_ROWS, queries.shape[1], dtype=precision, device=queries.device)
    tile[: len(part)] = (part if centre is None else part - centre).to(precision)
    return tile


def _score(tile: Tensor, prepared: Tensor, bias: Tensor | None, *, out: Tensor) -> None:
    # The out= forms are left alone by autocast, which would round the factors to 16 bits.
    if bias is None:
        torch.mm(tile, prepared.T, out=out)
    else:
        torch.addmm(bias, tile, prepared.T, out=out)


def _hide(scores: Tensor, *, start: int, length: int, group: int, first_query: int | None) -> None:
    """Put padding, and each query itself, behind every reference."""
    padded = scores.shape[1]
    layout = scores.view(len(scores), group, padded // group)
    padding = torch.arange(length, padded, device=scores.device)
    layout[:, padding % group, padding // group] = -torch.inf
    if first_query is not None:
        row = torch.arange(len(scores), device=scores.device)
        column = row + first_query - start
        inside = (column >= 0) & (column < length)
        row, column = row[inside], column[inside]
        layout[row, column % group, column // group] = -torch.inf
