"""What a loss says of itself so that a training run can be judged: its margins, its scale, and its value where embeddings are equal."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

from siambench.spaces import Params

MarginKind = Literal["positive", "negative", "triplet"]
MarginDistance = Literal["euclidean", "squared", "cosine"]
AtEquality = Callable[[Params, int, int], float | None]


@dataclass(frozen=True)
class Margin:
    """A margin of a loss.

    Args:
        parameter: its name among the loss's parameters.
        kind: ``"positive"``: a positive pair costs beyond it; ``"negative"``: a negative pair costs within it; ``"triplet"``: a triplet
            costs unless its negative is further than its positive by more than it.
        distance: what it is measured in: ``"euclidean"``, ``"squared"`` (Euclidean), or ``"cosine"``, which is a similarity: beyond means
            less similar.
    """

    parameter: str
    kind: MarginKind
    distance: MarginDistance = "euclidean"

    def __post_init__(self) -> None:
        for name, allowed in (("kind", get_args(MarginKind)), ("distance", get_args(MarginDistance))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"the {name} of a margin must be of {', '.join(allowed)}, got {getattr(self, name)!r}")


@dataclass(frozen=True)
class Fingerprint:
    """What is known of a loss's values, by which a training run is judged. It is no part of a unit's identity.

    Args:
        forms_tuples: whether its value is made of pairs or triplets of a batch, so that a batch in which none costs teaches nothing.
        margins: of pairs or triplets; none where it has none.
        scale: the name of the parameter by which similarities are multiplied, or None.
        temperature: the name of the parameter by which they are divided, or None.
        at_equality: its value where all embeddings of a batch are one unit vector; called with its parameters, the number of classes in
            the batch, at least 2, and the number of items of each, at least 2; of items
            with two sides, both are. None of it, or None as what it gives: not known.
        plateau: whether a run whose embeddings are nearly equal stays near that value.
    """

    forms_tuples: bool
    margins: tuple[Margin, ...] = ()
    scale: str | None = None
    temperature: str | None = None
    at_equality: AtEquality | None = None
    plateau: bool = False

    def __post_init__(self) -> None:
        if self.plateau and self.at_equality is None:
            raise ValueError("a fingerprint with a plateau says its value there: at_equality")

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters that it names."""
        return tuple(name for name in (*(margin.parameter for margin in self.margins), self.scale, self.temperature) if name is not None)

    def within(self, label: str) -> Fingerprint:
        """That of a loss made of this one, whose parameters are this one's behind a label and a dot; its value is another."""
        return Fingerprint(
            self.forms_tuples,
            tuple(replace(margin, parameter=f"{label}.{margin.parameter}") for margin in self.margins),
            None if self.scale is None else f"{label}.{self.scale}",
            None if self.temperature is None else f"{label}.{self.temperature}",
        )


def check_fingerprint(fingerprint: Any, parameters: Collection[str]) -> None:
    """Raise `TypeError` for what is no fingerprint, `ValueError` for one that names a parameter that the loss has not."""
    if fingerprint is None:
        return
    if not isinstance(fingerprint, Fingerprint):
        raise TypeError(f"the fingerprint of a loss must be a Fingerprint, got {type(fingerprint).__name__}")
    for name in fingerprint.names:
        if name not in parameters:
            raise ValueError(f"the fingerprint names the parameter {name!r}, the loss has only {sorted(parameters)}")
