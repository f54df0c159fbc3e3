"""A loss made of others, as a component: a sum with weights, or a loss that wraps another."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from siambench.components.component import Component, Provenance
from siambench.components.expression import SUM, Expression
from siambench.errors import CombinationError, UsageError
from siambench.identity import digest
from siambench.machine import own_version
from siambench.plugin import RATE, Fingerprint, LossEntry, Option, accepted_by, call_factory
from siambench.spaces import Params, Space
from siambench.spec import Feed, Source

if TYPE_CHECKING:
    from torch import nn

_SAMPLER = "random"


@dataclass(frozen=True)
class Composed(Component):
    """A loss made of others.

    Args:
        parts: the losses in it, by their names: those whose code it runs.
        expression: how it is made of them.
        chosen: parts that options are set of, as they then are.
    """

    parts: Mapping[str, Component] = dataclasses.field(default_factory=dict)
    expression: Expression = dataclasses.field(default_factory=lambda: Expression(SUM))
    chosen: tuple[Component, ...] = ()

    @functools.cached_property
    def source(self) -> Source:
        """How it is made: the parts have digests of their own, and what adds them is the harness's."""
        others = [component.source.digest for component in self.chosen]
        return Source("siambench", "siambench", digest(["composed", self.name, *others]))

    def with_options(self, given: Params) -> Composed:
        """It with options of its parts set; see `Component.with_options`."""
        chosen = [component for component in _chosen(self.expression, self.parts, given) if component is not self.parts[component.name]]
        return dataclasses.replace(self, entry=self.entry.with_options(given), chosen=tuple(chosen)) if chosen else self


def composed(expression: Expression, get: Callable[[str], Component]) -> Composed:
    """The loss that an expression names.

    Args:
        expression: with brackets.
        get: the component of a plain name.

    Raises:
        UsageError: if a name is unknown, wraps nothing, or is wrapped by what cannot.
        CombinationError: if its parts cannot be fed alike.
    """
    parts = {name: get(name) for name in expression.names}
    short = expression.renamed(lambda name: parts[name].name)
    by_name = {component.name: component for component in parts.values()}
    entry = _entry(short, {name: component.entry for name, component in by_name.items()}, {})
    own = Provenance("siambench", "siambench", own_version() or "")
    return Composed("losses", str(short), entry, own, parts=by_name, expression=short)


def check_unwrapped(name: str, entry: LossEntry) -> None:
    """Raise `UsageError` for a loss that wraps another and was asked for alone."""
    if entry.wraps:
        raise UsageError(f"loss {name!r} wraps another one: say which, such as {name}(contrastive)")


def _entry(expression: Expression, entries: Mapping[str, LossEntry], given: Params) -> LossEntry:
    """The entry of an expression, with the options set that some parameters say: of a plain loss its own."""
    if not expression.parts:
        check_unwrapped(expression.name, entries[expression.name])
        return entries[expression.name].with_options(given)
    labels = _labels(expression)
    inner = [_entry(part, entries, _own(label, given)) for part, label in zip(expression.parts, labels, strict=True)]
    chunked = next((part for part, entry in zip(expression.parts, inner, strict=True) if entry.chunked), None)
    if chunked is not None:
        raise CombinationError(f"loss {str(expression)!r}: {chunked.name} goes around the whole of it: {chunked.name}(…)")
    if expression.name == SUM:
        found = _summed(expression, inner, labels)
    else:
        outer = entries[expression.name]
        if not outer.wraps:
            raise UsageError(f"loss {expression.name!r} wraps no other: {expression} makes no sense; sum(…) adds losses")
        if outer.sides:
            _check_forms_tuples(expression, entries)
        found = _wrapped(expression.name, outer.with_options(given), inner[0], labels[0])
    return dataclasses.replace(found, with_set=lambda _, chosen: _entry(expression, entries, chosen))


def _check_forms_tuples(expression: Expression, entries: Mapping[str, LossEntry]) -> None:
    """Raise `CombinationError` where a loss in it takes no tuples: of a batch of both sides it would compare each with its own."""
    for name in expression.names[1:]:
        if not entries[name].wraps and entries[name].takes == "none" and not entries[name].sides:
            raise CombinationError(f"{expression.name} hands tuples to the losses in it, and {name} takes none")


def _chosen(expression: Expression, parts: Mapping[str, Component], given: Params) -> Iterator[Component]:
    """The losses of an expression from left to right, with the options set that some parameters say."""
    if expression.name != SUM:
        yield parts[expression.name].with_options(given)
    for part, label in zip(expression.parts, _labels(expression), strict=True):
        yield from _chosen(part, parts, _own(label, given))


def _labels(expression: Expression) -> list[str]:
    labels = [part.name.rpartition(":")[2] for part in expression.parts]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"loss {str(expression)!r}: {twice} stands in it twice, and its parameters would share their names")
    return labels


def _prefixed(label: str, values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    # Own parameters are optimised together, at one rate, but for those in groups.
    return ((name if name == RATE else f"{label}.{name}", value) for name, value in values.items())


def _own(label: str, params: Mapping[str, Any]) -> dict[str, Any]:
    rate = {RATE: params[RATE]} if RATE in params else {}
    return {name.removeprefix(f"{label}."): value for name, value in params.items() if name.startswith(f"{label}.")} | rate


@dataclass(frozen=True)
class _Build:
    """The factory of a composed loss; its parameters have dots in their names, which no signature can have."""

    make: Callable[[Mapping[str, Any]], nn.Module]
    names: tuple[str, ...]
    __doc__ = "A loss made of others."

    @property
    def accepted(self) -> tuple[str, ...]:
        """The names of its arguments."""
        return ("num_classes", "embedding_size", *self.names)

    def __call__(self, **given: Any) -> nn.Module:
        return self.make(given)


_OF_HARNESS = ("num_classes", "embedding_size")


def _built(entry: LossEntry, label: str, given: Mapping[str, Any]) -> nn.Module:
    own = _own(label, given)
    available = {**{name: given[name] for name in _OF_HARNESS if name in given}, **own, "options": entry.options_among(own)}
    module: nn.Module = call_factory(entry.build, available)
    return module


def _with_groups(parts: Sequence[tuple[str, LossEntry]], *more: tuple[str, LossEntry]) -> bool | tuple[str, ...]:
    """What a loss made of others says of its own parameters: the groups of parts that have some, and each other part as one."""
    every = (*more, *parts)
    if not any(entry.groups for _, entry in every):
        return any(entry.own_parameters for _, entry in every)
    return tuple(name for label, entry in every if entry.own_parameters for name in _groups(label, entry))


def _groups(label: str, entry: LossEntry) -> tuple[str, ...]:
    return tuple(f"{label}.{group}" for group in entry.groups) or (label,)


def _members(label: str, entry: LossEntry, module: nn.Module, *, besides: Sequence[Any] = ()) -> dict[str, list[Any]]:
    """The parameters of one part by the groups that the whole knows them by."""
    from siambench.components.groups import grouped

    if not entry.own_parameters:
        return {}
    if entry.groups:
        return {f"{label}.{name}": members for name, members in grouped(module, entry.groups, besides=besides).items()}
    return {label: [one for one in module.parameters() if one.requires_grad and not any(one is other for other in besides)]}


def _joined(parts: Sequence[tuple[str, LossEntry]], pick: Callable[[LossEntry], Mapping[str, Any]]) -> dict[str, Any]:
    return dict(pair for label, entry in parts for pair in _prefixed(label, pick(entry)))


def _told(parts: Sequence[tuple[str, LossEntry]], pick: Callable[[LossEntry], str]) -> str:
    """What the parts say of themselves, each by its name."""
    return "; ".join(f"{label}: {pick(entry)}" for label, entry in parts if pick(entry))


def _spaces(parts: Sequence[LossEntry]) -> list[str]:
    """The names of further spaces that any of them has; a part without one of that name keeps its own."""
    return sorted({name for entry in parts for name in entry.spaces})


def _feeds(parts: Sequence[LossEntry], what: str) -> tuple[Feed, ...]:
    feeds = tuple(feed for feed in get_args(Feed) if all(feed in entry.feeds for entry in parts))
    if not feeds:
        raise CombinationError(f"the losses of {what} cannot be fed alike: {'; '.join(' or '.join(entry.feeds) for entry in parts)}")
    return feeds


def _summed(expression: Expression, inner: Sequence[LossEntry], labels: Sequence[str]) -> LossEntry:
    parts = list(zip(labels, inner, strict=True))
    space: Space = _joined(parts, lambda entry: entry.space)
    defaults: Params = _joined(parts, lambda entry: entry.defaults)
    options: Mapping[str, Option] = _joined(parts, lambda entry: entry.options)
    normalise = all(entry.normalise for entry in inner)
    # Losses over classes live with batches by class, those of tuples not with batches at random.
    sides = {entry.sides for entry in inner}
    if len(sides) > 1:
        apart = ", ".join(label for label, entry in parts if not entry.sides)
        raise CombinationError(
            f"of the losses of {expression} {apart} take items of one side, and the others both sides: across(…) is around one"
        )
    layout = next((entry for entry in inner if entry.sampler != _SAMPLER), inner[0])

    own = _with_groups(parts)

    def make(given: Mapping[str, Any]) -> nn.Module:
        from siambench.components.groups import say_groups
        from siambench.components.summed import Summed

        modules = [_built(entry, label, given) for label, entry in parts]
        made = Summed(
            [(weight, module, label) for weight, module, label in zip(expression.weights, modules, labels, strict=True)],
            normalised=[entry.normalise and not normalise for entry in inner],
            minded=[entry.takes != "none" for entry in inner],
        )
        if not isinstance(own, bool):
            said = (_members(label, entry, module) for (label, entry), module in zip(parts, modules, strict=True))
            say_groups(made, {name: members for one in said for name, members in one.items()})
        return made

    projectors = {entry.projector for entry in inner}
    if len(projectors) > 1:
        raise CombinationError(f"the losses of {expression} see the embedding through projectors of different widths, or through none")
    terms = " + ".join(f"{weight:g} {label}" for weight, label in zip(expression.weights, labels, strict=True))
    return LossEntry(
        build=_Build(make, tuple(dict.fromkeys([*space, *defaults, *options]))),
        source=_told(parts, lambda entry: entry.source),
        space=space,
        defaults=defaults,
        takes=next((entry.takes for entry in inner if entry.takes != "none"), "none"),
        images_per_class=max(entry.images_per_class for entry in inner if entry.sampler == layout.sampler),
        sampler=layout.sampler,
        own_parameters=own,
        normalise=normalise,
        feeds=_feeds(inner, str(expression)),
        projector=projectors.pop(),
        spaces={
            name: _joined(parts, lambda entry, name=name: entry.spaces.get(name, entry.space))  # type: ignore[misc]
            for name in _spaces(inner)
        },
        space_source=_told(parts, lambda entry: entry.space_source),
        space_version=sum(entry.space_version for entry in inner),
        equation=terms,
        needs=_told(parts, lambda entry: entry.needs),
        distance=_told(parts, lambda entry: entry.distance),
        reducer=_told(parts, lambda entry: entry.reducer),
        differs=tuple(f"{label}: {sentence}" for label, entry in parts for sentence in entry.differs),
        options=options,
        fingerprint=_together(parts, normalise=normalise),
        sides=sides.pop(),
    )


def _together(parts: Sequence[tuple[str, LossEntry]], *, normalise: bool) -> Fingerprint | None:
    """What is known of a loss made of others: of its margins those whose loss sees what it sees. None where one tells nothing."""
    told = [(label, entry.normalise, entry.fingerprint) for label, entry in parts if entry.fingerprint is not None]
    if len(told) < len(parts):
        return None
    margins = tuple(margin for label, same, one in told if same == normalise for margin in one.within(label).margins)
    # A part that forms no tuples teaches in every batch.
    return Fingerprint(all(one.forms_tuples for _, _, one in told), margins)


def _wrapped(outer_name: str, outer: LossEntry, inner: LossEntry, label: str) -> LossEntry:
    space: Space = {**outer.space, **dict(_prefixed(label, inner.space))}
    defaults: Params = {**outer.defaults, **dict(_prefixed(label, inner.defaults))}
    options: Mapping[str, Option] = {**outer.options, **dict(_prefixed(label, inner.options))}
    groups = _with_groups([(label, inner)], (outer_name, outer))

    def make(given: Mapping[str, Any]) -> nn.Module:
        from siambench.components.groups import say_groups
        from siambench.components.summed import Inner

        made: list[nn.Module] = []

        def make_loss(embedding_size: int) -> nn.Module:
            made.append(_built(inner, label, {**given, "embedding_size": embedding_size}))
            return Inner(made[-1], label)

        own: dict[str, Any] = {name: value for name, value in given.items() if not name.startswith(f"{label}.")}
        own |= {"make_loss": make_loss, "normalised": inner.normalise, "options": outer.options_among(own)}
        if "loss" in accepted_by(outer.build):
            own["loss"] = make_loss(given["embedding_size"])
        module: nn.Module = call_factory(outer.build, own)
        if not isinstance(groups, bool):
            theirs = [parameter for one in made for parameter in one.parameters()]
            said: dict[str, list[Any]] = _members(outer_name, outer, module, besides=theirs) if outer.own_parameters else {}
            for one in made:
                for name, members in _members(label, inner, one).items():
                    said.setdefault(name, []).extend(members)
            say_groups(module, said)
        return module

    if outer.takes != "none" and inner.takes == "none":
        raise CombinationError(f"{outer_name} hands tuples to the loss that it wraps, and {label} takes none")
    if inner.sides and outer.sides:
        raise CombinationError(f"loss {outer_name}({label}): {label} takes both sides of items already")
    feeds = _feeds([outer, inner], f"{outer_name}({label})")
    return dataclasses.replace(
        inner,
        build=_Build(make, tuple(dict.fromkeys([*space, *defaults, *options]))),
        source=f"{outer.source}; {label}: {inner.source}",
        space=space,
        defaults=defaults,
        own_parameters=groups,
        normalise=outer.normalise and inner.normalise,
        feeds=feeds,
        spaces={name: {**outer.spaces.get(name, outer.space), **dict(_prefixed(label, inner.spaces[name]))} for name in inner.spaces},
        space_source="; ".join(text for text in (outer.space_source, inner.space_source) if text),
        space_version=outer.space_version + inner.space_version,
        equation="; ".join(text for text in (outer.equation, f"{label}: {inner.equation}" if inner.equation else "") if text),
        needs="; ".join(text for text in (outer.needs, inner.needs) if text),
        differs=(*outer.differs, *(f"{label}: {sentence}" for sentence in inner.differs)),
        wraps=False,
        options=options,
        chunked=outer.chunked,
        sides=outer.sides or inner.sides,
        # Of an item with two sides each is the other's positive: a class need not have a second.
        images_per_class=1 if outer.sides else inner.images_per_class,
        takes="none" if outer.sides else inner.takes,
        # What sees other embeddings than the loss inside has no margins in them.
        fingerprint=_together([(label, inner)], normalise=outer.normalise and inner.normalise),
    )
