"""The losses, each with its space, defaults, batch layout and paper.

Spaces say where they are from. The space ``reality-check`` is the one of Musgrave, Belongie, Lim, A Metric Learning Reality Check,
ECCV 2020, where that paper has the loss: wider, and as its code ran it.
"""

from __future__ import annotations

from siambench.builtin.losses import (
    classification,
    faces,
    fingerprints,
    heads,
    hyperbolic,
    metric,
    options,
    pairs,
    proxies,
    ranking,
    sides,
    softmax,
    terms,
    tuples,
    views,
    wrappers,
)
from siambench.plugin import LossEntry, hookimpl

_GROUPS = (tuples, softmax, proxies, classification, metric, faces, views, ranking, pairs, hyperbolic, heads, terms, wrappers, sides)


@hookimpl
def siambench_losses() -> dict[str, LossEntry]:
    """The vocabulary of the field."""
    entries = {name: options.with_options(name, entry) for group in _GROUPS for name, entry in group.ENTRIES.items()}
    return {name: fingerprints.with_fingerprint(name, entry) for name, entry in entries.items()}
