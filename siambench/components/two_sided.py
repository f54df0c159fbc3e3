"""Two backbones for items of two sides, as one component: ``conv4|bag``, the first for the first side."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from siambench.components.component import Component, Provenance
from siambench.components.roles import OF_BACKBONE
from siambench.errors import UsageError
from siambench.identity import digest
from siambench.machine import own_version
from siambench.plugin import BackboneEntry
from siambench.spaces import Params, Value
from siambench.spec import BETWEEN, SIDES, Source

OF_SIDE: Final = ("first", "second")
"""Before the names of their options, and a dot: ``first.width``."""


@dataclass(frozen=True)
class _Build:
    """Stands for the factory of two backbones: each is built by its own, for its side."""

    names: tuple[str, ...]
    __doc__ = "Two trunks, one for each side of an item; each with a linear head into one space."

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names of its arguments."""
        return self.names

    def __call__(self, **_: Any) -> NoReturn:
        raise TypeError("two backbones are built one by one")


@dataclass(frozen=True)
class TwoBackbones(BackboneEntry):
    """Those of the two sides; their options are told apart by ``first.`` and ``second.``.

    Args:
        sides: the entry of each.
    """

    sides: tuple[BackboneEntry, ...] = ()

    def __post_init__(self) -> None:
        """What the entries of its parts are, they have been looked at for."""

    @staticmethod
    def options_of(side: int, options: Params) -> dict[str, Value]:
        """Those of one side, by the names that its backbone knows them by."""
        prefix = f"{OF_SIDE[side]}."
        return {name.removeprefix(prefix): value for name, value in options.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class TwoSided(Component):
    """Two backbones.

    Args:
        parts: the component of each.
    """

    parts: tuple[Component, ...] = ()

    @functools.cached_property
    def source(self) -> Source:
        """How it is made: the parts have digests of their own, and what gives each its side is the harness's."""
        return Source("siambench", "siambench", digest(["two backbones", self.name]))

    @property
    def roles(self) -> dict[str, Component]:
        """Its parts by their roles in a unit."""
        return {f"{OF_BACKBONE}{side}": part for side, part in zip(OF_SIDE, self.parts, strict=True)}


def two_sided(name: str, get: Callable[[str], Component]) -> TwoSided:
    """The two backbones that a name names.

    Args:
        name: ``first|second``.
        get: the component of a plain name.

    Raises:
        UsageError: if it does not name two, or one is unknown.
    """
    names = [part.strip() for part in name.split(BETWEEN)]
    if len(names) != 2 or not all(names):
        raise UsageError(f"backbone {name[:80]!r}: items of two sides take one backbone each, such as 'conv4|bag'")
    parts = tuple(get(one) for one in names)
    entries = tuple(part.entry for part in parts)
    defaults, scratch = _joined([entry.defaults for entry in entries]), _joined([entry.scratch for entry in entries])
    entry = TwoBackbones(
        build=_Build(tuple(defaults)),
        source="; ".join(dict.fromkeys(f"{part.name}: {part.entry.source}" for part in parts)),
        defaults=defaults,
        scratch=scratch,
        takes=(SIDES,),
        sides=entries,
    )
    own = Provenance("siambench", "siambench", own_version() or "")
    return TwoSided("backbones", BETWEEN.join(part.name for part in parts), entry, own, parts=parts)


def _joined(options: Sequence[Params]) -> dict[str, Value]:
    return {f"{side}.{name}": value for side, own in zip(OF_SIDE, options, strict=True) for name, value in own.items()}


def part_of(name: str, role: str) -> str:
    """The name of the backbone that plays a role in one that names two."""
    return name.split(BETWEEN)[OF_SIDE.index(role.removeprefix(OF_BACKBONE))]
