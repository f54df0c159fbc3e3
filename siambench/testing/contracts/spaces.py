"""What losses and miners alike promise about their search spaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from siambench.errors import PluginError
from siambench.plugin import LossEntry, MinerEntry
from siambench.spaces import Params
from siambench.testing.contracts.blame import told_where
from siambench.testing.contracts.points import corners, drawn, ends, told

LONG = 100
"""Rounds over the ordinary batches after which a queue or a running mean has filled, where a few batches show no effect."""

_BASES = 4

Differ = Callable[[Params, Params, int], bool]
"""Whether two settings lead to different answers in so many rounds."""


def in_space(entry: LossEntry | MinerEntry, examine: Callable[[Params], None]) -> str | None:
    """The default lies in the space, and what is examined holds there, at the corners and at drawn points.

    Args:
        entry: of a loss or a miner.
        examine: given parameters; raises where something does not hold.
    """
    if not entry.space:
        return "it has no space"
    outside = [name for name, dimension in entry.space.items() if not dimension.contains(entry.defaults.get(name))]
    if outside:
        raise PluginError(f"the default of {', '.join(outside)} lies outside its space")
    names = sorted(entry.space)
    for point in (entry.defaults, *corners(entry.space, entry.defaults), *drawn(entry.space)):
        params = {**entry.defaults, **point}
        with told_where(f"with {told(params, names)}"):
            examine(params)
    return None


def each_has_effect(entry: LossEntry | MinerEntry, names: Sequence[str], differ: Differ) -> str | None:
    """Each of these parameters makes a difference: beside the defaults, beside drawn values of the others, or in the long run.

    Args:
        entry: of a loss or a miner.
        names: the parameters of its space to examine.
        differ: tells two settings apart.
    """
    if not names:
        return "it has no space"
    idle = [name for name in names if not _has_effect(entry, name, differ)]
    if idle:
        raise PluginError(f"{', '.join(idle)} changes nothing, wherever in its space it lies: the tuner would search in vain")
    return None


def _has_effect(entry: LossEntry | MinerEntry, name: str, differ: Differ) -> bool:
    bases = [dict(entry.defaults), *({**entry.defaults, **point} for point in drawn(entry.space, _BASES))]
    tries = [(base, 1) for base in bases] + [(bases[0], LONG)]
    compared = False
    for base, rounds in tries:
        for value in ends(entry.space[name]):
            try:
                if differ(base, {**base, name: value}, rounds):
                    return True
            except (Exception, SystemExit):  # noqa: BLE001, S112  a point at which it raises is the business of another contract
                continue
            compared = True
    return not compared
