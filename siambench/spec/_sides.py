"""Words for items that have two sides, and for the way back between what asks and what is asked."""

from __future__ import annotations

from typing import Final

SIDES: Final = "sides"
"""The form of items that have two, such as an image and its name."""

BETWEEN: Final = "|"
"""Between the names of the two backbones of such items."""

REVERSED: Final = "reversed:"
"""Before the name of a metric: the gallery asks, and the queries are what it is compared with."""


def is_two_sided(name: str) -> bool:
    """Whether the name of a backbone names two."""
    return BETWEEN in name


def forward_of(metric: str) -> str:
    """The metric itself of one that may be of the way back: ``reversed:recall@1`` is ``recall@1`` with the sides exchanged."""
    return metric.removeprefix(REVERSED)
