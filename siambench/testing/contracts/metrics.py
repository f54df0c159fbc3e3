"""What a metric promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from functools import cached_property, partial
from typing import Any

import torch
from torch import Tensor

from siambench.components.component import Component
from siambench.components.families import is_family, member
from siambench.errors import MetricError, PluginError
from siambench.evaluation.of_model import NO_MODEL
from siambench.evaluation.scoring import value_of
from siambench.evaluation.view import Evaluated
from siambench.metrics import Pairs, draw_pairs
from siambench.plugin import MetricEntry
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import OTHER, SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.state import seed_globals

Value = Tensor | float | None

_SIZE = 8
_CLASSES, _ITEMS = 12, 12
_NOISES = (0.3, 1.0, 3.0)
_JUDGED_STEPS = 8

_CLEARLY = 0.05
"""The share by which two scores must differ before one counts as the better."""


class _Recording(Evaluated):
    """Remembers whether it was asked for comparisons: of verification pairs, or with enrolled classes.

    Its drawn pairs have scores, as if people had told what the labels tell, for there are metrics of such pairs alone.
    """

    asked_for_pairs = False

    @cached_property
    def pairs(self) -> Pairs | None:
        found: Pairs | None = Evaluated.pairs.func(self)  # type: ignore[attr-defined]  # the property as typeshed has it hides its function
        if found is None or isinstance(self._pairs, Pairs):
            return found
        return dataclasses.replace(found, score=found.same.double())

    def __getattribute__(self, name: str) -> Any:
        if name in ("pairs", "similarities", "every_pair", "enrolled"):
            object.__setattr__(self, "asked_for_pairs", True)
        return super().__getattribute__(name)


@dataclasses.dataclass(frozen=True)
class _Model:
    """In the place of a model: corrupted queries lie beside the clean ones, and a fine-tuned network tells the nearest mean of a class."""

    points: Tensor
    queries: int
    side_by_side: bool = False

    def corrupted_queries(self, corruption: str, seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed + len(corruption))
        asked = self.points[: self.queries]
        return asked + 0.5 * torch.randn(asked.shape, generator=generator)

    def fine_tuned(self, known: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
        classes, place = torch.unique(labels, return_inverse=True)
        sums = torch.zeros(len(classes), self.points.shape[1]).index_add_(0, place, self.points[known])
        found: Tensor = classes[torch.cdist(self.points[asked], sums / place.bincount()[:, None]).argmin(dim=1)]
        return found


_NUMBERS = {"k": ("1", "4"), "d": ("2", "4"), "far": ("0.1", "0.5")}
_AT_THE_EDGE = {"k": ("1", "1000"), "d": ("1", "1000"), "far": ("1e-9", "0.99")}


def _members(component: Component, *, edge: bool = False) -> tuple[str, ...]:
    """The names that the harness calls it by: of a family two members, at the edge those beyond what there is."""
    if not is_family(component.name):
        return (component.name,)
    numbers = _AT_THE_EDGE if edge else _NUMBERS
    return tuple(member(component.name, {name: values[place] for name, values in numbers.items()}) for place in range(2))


def _episodes(name: str) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(len(name))
    support = torch.randn(4, 5, _SIZE, generator=generator)
    answer = torch.stack([torch.randperm(5, generator=generator) for _ in range(4)])
    query = support.gather(1, answer[:, :, None].expand(-1, -1, _SIZE)) + torch.randn(4, 5, _SIZE, generator=generator)
    return support, query, answer


def _points(labels: Tensor, noise: float) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    centres = torch.randn(int(labels.max()) + 1, _SIZE, generator=generator)
    return centres[labels] + noise * torch.randn(len(labels), _SIZE, generator=generator)


def _evaluation(labels: Tensor, points: Tensor, **options: Any) -> _Recording:
    model = _Model(points.clone(), options.get("queries") or len(labels))
    given = {"groups": labels % 3, "depth": 4, "episodes": _episodes, "model": model, **options}
    return _Recording(points.clone(), labels.clone(), seed=SEED, **given)


def _usual() -> Tensor:
    return torch.arange(_CLASSES).repeat_interleave(_ITEMS)


def _ordinary() -> Iterator[Evaluated]:
    """Twelve classes of twelve items, from well parted to mingled."""
    for noise in _NOISES:
        yield _evaluation(_usual(), _points(_usual(), noise))


def _mingled() -> _Recording:
    return _evaluation(_usual(), _points(_usual(), 1.0))


def _edges() -> Iterator[tuple[str, Evaluated]]:
    usual = _usual()
    points = _points(usual, 1.0)
    yield "a class of one item", _evaluation(torch.tensor([0, *[1] * 5, *[2] * 5]), points[:11])
    yield "items of one class", _evaluation(torch.zeros(20, dtype=torch.int64), points[:20])
    yield "singletons", _evaluation(torch.arange(20), points[:20])
    yield "two items", _evaluation(torch.tensor([0, 0]), points[:2])
    yield "embeddings that are all alike", _evaluation(usual, points[:1].expand(len(usual), -1))
    yield "embeddings of zero", _evaluation(usual, torch.zeros(len(usual), _SIZE))
    yield "items without groups", _evaluation(usual, points, groups=None)
    yield "a gallery of its own", _evaluation(usual.roll(5), points.roll(5, 0), queries=40)
    yield "a gallery that lacks a class", _evaluation(usual, points, queries=_ITEMS)
    yield "the euclidean distance", _evaluation(usual, points, distance="euclidean")
    yield "pairs that nobody scored", _evaluation(usual, points, pairs=draw_pairs(usual, seed=SEED))
    yield "every pair of items", _evaluation(usual, points, pairs="every")
    yield "data without episodes", _evaluation(usual, points, episodes=lambda _: None)
    yield "embeddings without a model", _evaluation(usual, points, model=NO_MODEL)


def _unbounded(entry: MetricEntry) -> MetricEntry:
    return dataclasses.replace(entry, low=None, high=None)


def _mean(value: Value) -> float | None:
    if isinstance(value, Tensor):
        known = value[~value.isnan()].double()
        return float(known.mean()) if len(known) else None
    return value


def scores(component: Component) -> None:
    """On ordinary embeddings it gives one score per query, or one number, and does so of each member of a family."""
    for name in _members(component):
        found = [_mean(value_of(name, _unbounded(component.entry), evaluated)) for evaluated in _ordinary()]
        if all(value is None for value in found):
            raise PluginError(f"{name} has no value on any ordinary embeddings: it never applies")


def edge_evaluations(component: Component) -> None:
    """On odd items, and for members of a family beyond what there is, it gives scores or None, and raises nothing."""
    for place, (where, evaluated) in enumerate(_edges()):
        # What lies beyond the last neighbour, or the last impostor, is asked of the first alone.
        for name in (_members(component)[0], *(_members(component, edge=True) if place == 0 else ())):
            with told_where(f"on {where}"):
                value_of(name, _unbounded(component.entry), evaluated)


def scores_lie_in_range(component: Component) -> None:
    """Each score lies between `low` and `high`, on ordinary items and on odd ones."""
    entry: MetricEntry = component.entry
    places = [("ordinary embeddings", evaluated) for evaluated in _ordinary()] + list(_edges())
    name = _members(component)[-1]
    for where, evaluated in places:
        try:
            value = value_of(name, _unbounded(entry), evaluated)
        except MetricError:
            continue
        with told_where(f"on {where}"):
            value_of(component.name, dataclasses.replace(entry, compute=lambda value=value: value), evaluated)


def direction_is_true(component: Component) -> str | None:
    """Classes that lie well apart score no worse than mingled ones, where it is the labels that decide."""
    entry: MetricEntry = component.entry
    looks = False
    for name in _members(component)[-1:]:
        parted, mingled = (_mean(value_of(name, _unbounded(entry), e)) for e in (next(iter(_ordinary())), list(_ordinary())[-1]))
        other = torch.randperm(len(_usual()), generator=torch.Generator().manual_seed(SEED))
        moved = _mean(value_of(name, _unbounded(entry), _evaluation(_usual()[other], _points(_usual(), _NOISES[0]))))
        if parted is None or mingled is None or moved is None or math.isclose(parted, moved, rel_tol=1e-6, abs_tol=1e-9):
            continue
        looks = True
        clearly = abs(parted - mingled) > _CLEARLY * max(abs(parted), abs(mingled))
        if clearly and (parted > mingled) != (entry.direction == "max"):
            values = f"{parted:.6g} for classes well apart and {mingled:.6g} for mingled ones"
            raise PluginError(f"direction is {entry.direction!r}, and {name} is {values}")
    return None if looks else "it does not look at the labels of the items"


def pairs_are_declared(component: Component) -> None:
    """`over_pairs` says whether it asks for comparisons: verification pairs, or items with enrolled classes."""
    entry: MetricEntry = component.entry
    asked = False
    for name in _members(component):
        evaluated = _mingled()
        value_of(name, _unbounded(entry), evaluated)
        asked = asked or evaluated.asked_for_pairs
    if asked != entry.over_pairs:
        does = "asks" if asked else "does not ask"
        raise PluginError(f"over_pairs is {entry.over_pairs}, and it {does} for verification pairs or enrolled classes")


def seeds_decide(component: Component) -> None:
    """Asked twice of the same embeddings it gives the same scores."""
    for name in _members(component):
        found = []
        for _ in range(2):
            seed_globals(SEED)
            found.append(value_of(name, _unbounded(component.entry), _mingled()))
        if not _same(*found):
            raise PluginError(f"{name} gave two scores for the same embeddings: draw from evaluation.seed(purpose)")


def draws_by_its_seed(component: Component) -> None:
    """The global generators are neither moved nor asked."""
    name, found = _members(component)[0], []
    draws_nothing(partial(value_of, name, _unbounded(component.entry), _mingled()))
    for seed in (SEED, SEED, OTHER):
        seed_globals(seed)
        found.append(value_of(name, _unbounded(component.entry), _mingled()))
    if _same(found[0], found[1]) and not _same(found[0], found[2]):
        raise PluginError(f"{name} follows a global generator: draw from evaluation.seed(purpose)")


def inputs_are_kept(component: Component) -> None:
    """Embeddings, labels, groups, neighbours and pairs are the same after the call."""
    evaluated = _mingled()
    before = {name: tensor.clone() for name, tensor in _given(evaluated).items()}
    for name in _members(component):
        value_of(name, _unbounded(component.entry), evaluated)
    changed = [name for name, tensor in _given(evaluated).items() if not torch.equal(before[name], tensor)]
    if changed:
        raise PluginError(f"it changes what it is given: {', '.join(changed)}")


def prints_nothing(component: Component) -> None:
    """Computing it writes nothing to stdout, where documents go."""
    with nothing_printed():
        value_of(_members(component)[0], _unbounded(component.entry), _mingled())


def leaves_the_process_alone(component: Component) -> None:
    """Computing it, judged after each of several evaluations, leaves the process as it was."""

    def run(seed: int) -> Iterator[str]:
        for step in range(_JUDGED_STEPS):
            seed_globals(seed, step)
            value_of(_members(component)[0], component.entry, _mingled())
            yield f"after evaluation {step + 1}"

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("scores", "on ordinary embeddings it gives one floating score per query, or one number", scores, first=True),
    Contract("edge-evaluations", "on few, lone or equal items, and beyond the last neighbour, it gives scores or None", edge_evaluations),
    Contract("range", "no score lies outside of `low` and `high`", scores_lie_in_range),
    Contract("direction", "classes that lie well apart score no worse than mingled ones", direction_is_true),
    Contract("over-pairs", "`over_pairs` says whether it asks for verification pairs or enrolled classes", pairs_are_declared),
    Contract("determinism", "the same embeddings have the same scores", seeds_decide),
    Contract("own-seed", "it draws by `evaluation.seed` alone", draws_by_its_seed),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a metric, in this order."""


def _given(evaluated: Evaluated) -> dict[str, Tensor]:
    found = {
        "embeddings": evaluated.embeddings,
        "labels": evaluated.labels,
        "relevant": evaluated.relevant,
        "neighbours": evaluated.matches(4),
    }
    if evaluated.groups is not None:
        found["groups"] = evaluated.groups
    if evaluated.pairs is not None and evaluated.similarities is not None:
        found |= {"pairs": evaluated.pairs.same, "similarities": evaluated.similarities}
    return found


def _same(one: Value, other: Value) -> bool:
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one.shape == other.shape and bool(torch.equal(one.nan_to_num(2.0), other.nan_to_num(2.0)))
    return type(one) is type(other) and one == other
