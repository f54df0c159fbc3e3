"""Words for items that have two sides, and for the two backbones that embed them."""

from __future__ import annotations

from typing import Final

SIDES: Final = "sides"
"""The form of items that have two, such as an image and its name."""

BETWEEN: Final = "|"
"""Between the names of the two backbones of such items."""


def is_two_sided(name: str) -> bool:
    """Whether the name of a backbone names two."""
    return BETWEEN in name
