"""Histograms that have a slope: what lies between two edges counts at both, the more the nearer."""

from __future__ import annotations

import torch
from torch import Tensor


def spread(places: Tensor, often: Tensor, bins: int) -> Tensor:
    """How much of each row lies at each edge, fp [R, bins + 1].

    Each value touches two edges, so that this takes R × C places whatever the number of bins is.

    Args:
        places: in [0, bins], counted in bins, fp [R, C]; beyond either end counts at that end.
        often: how often each counts, fp [R, C].
        bins: how many there are, with an edge more.
    """
    places = places.clamp(0, bins)
    lower = places.detach().floor().clamp(max=bins - 1)
    upper = places - lower
    at = lower.long()
    found = torch.zeros(len(places), bins + 1, dtype=places.dtype, device=places.device)
    return found.scatter_add(1, at, often * (1 - upper)).scatter_add(1, at + 1, often * upper)
