"""The form of a known failure, and the names that a verdict and a finding may have."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from unit_runs import Setting

VERDICTS: Final = (
    *("diverged", "frozen", "batch-unfit", "label-mixup", "no-signal", "starved", "collapsed", "exploding", "vanishing", "overfitted"),
    *("under-trained", "ok"),
)
"""In their order: a unit has the first that holds."""

FINDINGS: Final = (
    *("plateau", "one-sided", "unshared", "same-draw", "margin-too-small", "margin-unreachable", "scale-mismatch", "train-mode"),
    *("low-dimension", "dead-units"),
)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One known failure beside its healthy twin.

    Args:
        name: of it.
        what: the fault, in one sentence.
        verdicts: that are right; several where the issue it was taken from names several, or an earlier one in the order may hold too.
        findings: that have to be among those found.
        doses: of the fault, from the mildest.
        failing: the unit that fails, by its dose; None: the objects of `object_runs` of that name.
        twin: the same without the fault.
        costs: whether it has to cost; else it is told by its score, and may be harmless.
        on: the data sets that it is for.
    """

    name: str
    what: str
    verdicts: tuple[str, ...]
    findings: tuple[str, ...] = ()
    doses: tuple[float, ...] = (1.0,)
    failing: Callable[[float], Setting] | None = None
    twin: Setting | None = None
    costs: bool = True
    on: tuple[str, ...] = ("glyphs", "omniglot")

    @property
    def is_unit(self) -> bool:
        """Whether it is a unit of siambench; else plain torch objects."""
        return self.failing is not None
