"""What a split rule promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

from siambench.components.component import Component
from siambench.errors import PluginError, SiambenchError
from siambench.interfaces import Dataset
from siambench.plugin import call_factory
from siambench.spec import SplitSpec
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import OTHER, SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.testing.synthetic import synthetic_dataset
from siambench.tracks.split import Split, cut
from siambench.tracks.split_rules import class_cut
from siambench.training.state import seed_globals

_CLASSES, _GROUPS = 24, 12
_FOLDS = (2, 3, 4)
_JUDGED_STEPS = 8


def _dataset(classes: int = _CLASSES, *, groups: int = _GROUPS) -> Dataset:
    return synthetic_dataset(classes=classes, images_per_class=3, groups=groups)


def _rules(component: Component, *, folds: int = 2, fraction: float = 0.5) -> SplitSpec:
    return SplitSpec(rule=component.name, folds=folds, group="group", test_fraction=fraction, acknowledged_duplicates=0)


def _rule(component: Component) -> Any:
    return functools.partial(call_factory, component.entry.build)


def _cut(component: Component, dataset: Dataset | None = None, **options: Any) -> Split:
    return cut(dataset or _dataset(), _rules(component, **options), _rule(component))


def cuts(component: Component) -> None:
    """Classes are cut in two, and training classes into folds: each in one part, none left out, two or more in each."""
    for folds in _FOLDS:
        with told_where(f"of {_CLASSES} classes with {folds} folds"):
            dataset = _dataset()
            found = _cut(component, dataset, folds=folds)
            parts = [set(np.unique(dataset.labels[part]).tolist()) for part in (found.trainval, found.test)]
            if parts[0] & parts[1] or len(parts[0] | parts[1]) != _CLASSES:
                raise PluginError("a class is on both sides, or on none")
            if len(found.folds) != folds:
                raise PluginError(f"it gives {len(found.folds)} folds")


def few_classes(component: Component) -> None:
    """Of few classes, and of groups of one, it makes such parts too, or says in a sentence of siambench's own errors why it cannot."""
    for classes, groups in ((1, 1), (2, 1), (3, 3), (4, 2), (9, 9), (_CLASSES, 1)):
        with told_where(f"of {classes} classes in {groups} groups"):
            try:
                _cut(component, _dataset(classes, groups=groups))
            except PluginError as error:
                if " leaves " not in str(error):
                    raise
            except SiambenchError:
                continue


def same_again(component: Component) -> None:
    """The same classes are cut the same way, whatever the global generators say."""
    draws_nothing(lambda: _cut(component))
    found = []
    for seed in (SEED, OTHER):
        seed_globals(seed)
        found.append(_cut(component))
    same = np.array_equal(found[0].test, found[1].test)
    same = same and all(np.array_equal(a[1], b[1]) for a, b in zip(found[0].folds, found[1].folds, strict=True))
    if not same:
        raise PluginError("the same classes were cut in two ways: a split rule draws nothing")


def inputs_are_kept(component: Component) -> None:
    """What it is given is the same after it was called."""
    dataset = _dataset()
    given: dict[str, Any] = {}

    def keep(available: dict[str, Any]) -> Any:
        given.update({name: available[name] for name in ("classes", "counts")})
        before = {name: value.copy() for name, value in given.items()}
        found = _rule(component)(available)
        changed = [name for name, value in before.items() if not np.array_equal(value, given[name])]
        if changed:
            raise PluginError(f"it changes what it is given: {changed[0]}")
        return found

    class_cut(dataset, _rules(component), keep)  # type: ignore[arg-type]


def prints_nothing(component: Component) -> None:
    """Calling it writes nothing to stdout, where documents go."""
    with nothing_printed():
        _cut(component)


def leaves_the_process_alone(component: Component) -> None:
    """Cutting, judged after each of several times, leaves the process as it was."""

    def run(seed: int) -> Iterator[str]:
        for step in range(_JUDGED_STEPS):
            seed_globals(seed, step)
            _cut(component)
            yield f"after cut {step + 1}"

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("cuts", "each class is tested, or held out in one fold: none in two parts or in none, two or more in each", cuts, first=True),
    Contract("few-classes", "of few classes it makes such parts too, or says in a sentence why it cannot", few_classes),
    Contract("determinism", "the same classes are cut the same way: it draws nothing", same_again),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a split rule, in this order."""
