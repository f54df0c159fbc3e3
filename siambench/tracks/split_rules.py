"""Split rules that say which classes are tested: siambench's own, and what is demanded of those of plugins."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.errors import ConfigError, DataError, PluginError, SiambenchError, said

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset
    from siambench.spec import SplitSpec

Rule = Callable[[Mapping[str, Any]], Any]
"""Calls the factory of a `siambench.plugin.SplitRuleEntry` with those of what is there that its signature names."""

LEAST_CLASSES = 2
"""On each side of each cut."""


@dataclass(frozen=True)
class ClassCut:
    """Classes cut by a rule, int64 each and sorted.

    Args:
        test: those of the test.
        folds: those of each fold's validation part; None: the harness makes the folds.
    """

    test: NDArray[np.int64]
    folds: tuple[NDArray[np.int64], ...] | None = None


def class_halves(classes: NDArray[np.int64]) -> tuple[NDArray[np.int64], None]:
    """The second half of the sorted classes is test."""
    return classes[round(len(classes) * 0.5) :], None


def class_fraction(classes: NDArray[np.int64], test_fraction: float) -> tuple[NDArray[np.int64], None]:
    """The last classes are test, so large a share of them."""
    return classes[round(len(classes) * (1 - test_fraction)) :], None


def by_group(
    classes: NDArray[np.int64], attributes: Mapping[str, Sequence[str]], group: str | None, test_fraction: float
) -> tuple[NDArray[np.int64], None]:
    """Whole groups of classes are test, the last in the order of their names, as many as fit so large a share."""
    groups = grouped(classes, attributes, group)
    test_groups: set[str] = set()
    size = 0
    for name, members in sorted(groups.items(), reverse=True):
        # The last groups in order of name become test, as the last classes do in class-halves.
        if size + len(members) <= len(classes) * test_fraction or not test_groups:
            test_groups.add(name)
            size += len(members)
    if len(test_groups) == len(groups):
        raise DataError(f"by-group needs at least two groups, got {len(groups)}")
    return np.sort(np.concatenate([groups[name] for name in test_groups])), None


OWN: Mapping[str, Callable[..., tuple[NDArray[np.int64], None]]] = {
    "class-halves": class_halves,
    "class-fraction": class_fraction,
    "by-group": by_group,
}
"""Those of siambench; `siambench.builtin.split_rules` registers them as anybody's are."""


def grouped(classes: NDArray[np.int64], attributes: Mapping[str, Sequence[str]], group: str | None) -> dict[str, NDArray[np.int64]]:
    """The classes of each group, by its name, in the order of names.

    Args:
        classes: int64 [K].
        attributes: by their names, K texts each.
        group: the attribute.

    Raises:
        ConfigError: if classes have no such attribute.
    """
    if str(group) not in attributes:
        known = ", ".join(sorted(attributes)) or "none"
        raise ConfigError(f"the data set's classes have no attribute {str(group)!r}; they have: {known}")
    values = attributes[str(group)]
    return {
        name: np.array([number for number, value in zip(classes, values, strict=True) if value == name]) for name in sorted(set(values))
    }


def attributes_of(dataset: Dataset, classes: NDArray[np.int64]) -> dict[str, tuple[str, ...]]:
    """The attributes of some classes of a data set."""
    return {name: tuple(values[number] for number in classes) for name, values in dataset.class_attributes.items()}


def class_cut(dataset: Dataset, rules: SplitSpec, rule: Rule | None) -> ClassCut:
    """What a rule makes of the classes of a data set; of a plugin's it is looked at.

    Args:
        dataset: whose classes are cut.
        rules: of the track.
        rule: of a plugin; None: siambench's own of the name in the rules.

    Raises:
        PluginError: if the rule of a plugin raises, or what it gives is no cut of these classes.
        SiambenchError: of the rule's own, such as `DataError` for classes that it cannot cut.
    """
    classes, counts = np.unique(dataset.labels, return_counts=True)
    available = {
        "classes": classes.copy(),
        "counts": counts,
        "names": tuple(str(dataset.class_names[number]) for number in classes),
        "attributes": attributes_of(dataset, classes),
        "group": rules.group,
        "folds": rules.folds,
        "test_fraction": rules.test_fraction,
    }
    if rule is None:
        own = OWN[rules.rule]
        test, _ = own(**{name: value for name, value in available.items() if name in inspect.signature(own).parameters})
        return ClassCut(test)
    try:
        found = rule(available)
    except (SiambenchError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        raise PluginError(f"split rule {rules.rule!r} raised {said(error)}") from error
    return _checked(found, classes, rules)


def _checked(found: object, classes: NDArray[np.int64], rules: SplitSpec) -> ClassCut:
    name = f"split rule {rules.rule!r}"
    if not isinstance(found, tuple) or len(found) != 2:
        raise PluginError(f"{name} must give (test, folds), got {type(found).__name__}")
    test = _classes(found[0], classes, f"{name}: the test")
    rest = np.setdiff1d(classes, test)
    _check_enough(len(test), len(rest), f"{name}: the test")
    if found[1] is None:
        return ClassCut(test)
    folds = tuple(_classes(part, rest, f"{name}: fold {number}") for number, part in enumerate(_listed(found[1], name)))
    if len(folds) != rules.folds:
        raise PluginError(f"{name} must give {rules.folds} folds, got {len(folds)}")
    for number, part in enumerate(folds):
        _check_enough(len(part), len(rest) - len(part), f"{name}: fold {number}")
    held_out = np.concatenate(folds)
    twice = sorted({int(one) for one in held_out if (held_out == one).sum() > 1})
    if twice:
        raise PluginError(f"{name}: class {twice[0]} is held out in two folds")
    never = np.setdiff1d(rest, held_out)
    if len(never):
        raise PluginError(f"{name}: class {never[0]} is held out in no fold")
    return ClassCut(test, folds)


def _listed(given: object, name: str) -> list[Any]:
    if isinstance(given, str) or not isinstance(given, Iterable):
        raise PluginError(f"{name} must give its folds as a list of classes for each, got {type(given).__name__}")
    return list(given)


def _classes(given: object, known: NDArray[np.int64], where: str) -> NDArray[np.int64]:
    try:
        found = np.asarray(given)
    except ValueError as error:
        raise PluginError(f"{where} must be a list of classes, got {type(given).__name__}") from error
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise PluginError(f"{where} must be a list of classes, whole numbers, got {found.dtype} {list(found.shape)}")
    strange = np.setdiff1d(found, known)
    if len(strange):
        raise PluginError(f"{where} holds {strange[0]}, which is none of the {len(known)} classes that it may hold")
    if len(np.unique(found)) < len(found):
        raise PluginError(f"{where} holds a class twice")
    return np.sort(found.astype(np.int64))


def _check_enough(inside: int, outside: int, where: str) -> None:
    few = min(inside, outside)
    if few < LEAST_CLASSES:
        raise PluginError(f"{where} leaves {few} class{'' if few == 1 else 'es'} on one side; each side needs at least two")
