"""Entries of what exams are made of beside methods: augmentations, optimisers, schedules, split rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from siambench.plugin._entries import _check, _check_among
from siambench.spaces import Params
from siambench.spec import FORMS, Form


@dataclass(frozen=True)
class AugmentationEntry:
    """An augmentation: random changes of the items of a batch, asked for as ``[augment.NAME]`` in a track.

    Args:
        build: called with its options as far as its signature names them; returns a function of ``(items, generator)``: items as models
            take them (images fp32 [B, C, H, W] in [0, 1], arrays fp32 [B, …], tokens int64 [B, T] padded with 0), on whatever device they
            are, and a CPU generator, the source of all randomness. It returns changed items of the same shape, dtype and device, each
            drawn for itself, and leaves what it was given as it was.
        source: the paper.
        defaults: the options (the keys of ``[augment.NAME]``) and their values where a track says nothing.
        takes: the forms of items that it can be given.
    """

    build: Callable[..., Any]
    source: str
    defaults: Params = field(default_factory=dict)
    takes: tuple[Form, ...] = ("images",)

    def __post_init__(self) -> None:
        _check(self.build, {}, self.defaults, self.source)
        _check_among("takes", self.takes, FORMS)


@dataclass(frozen=True)
class OptimiserEntry:
    """An optimiser, asked for as ``optimiser = "NAME"`` in a track's ``[training]``.

    Args:
        build: called with ``groups``, a list of mappings with ``params``, ``lr`` and ``weight_decay`` each, which are tuned, and with its
            options, as far as its signature names them; returns a ``torch.optim.Optimizer`` of these groups.
        source: the paper.
        defaults: the options (the keys of ``[training.optimiser_options]``) and their values where a track says nothing.
    """

    build: Callable[..., Any]
    source: str
    defaults: Params = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.build, {}, self.defaults, self.source)
        _check_free(self.defaults, ("lr", "weight_decay", "groups"))


@dataclass(frozen=True)
class ScheduleEntry:
    """A schedule of the learning rate, asked for as ``schedule = "NAME"`` in a track's ``[training]``.

    Args:
        build: called with its options, and if its signature names them with ``optimiser`` and ``steps``, the number of all steps. It
            returns a function from ``progress``, the share of the steps that are done, in [0, 1), to what the rates are multiplied by,
            finite and above 0; or a ``torch.optim.lr_scheduler.LRScheduler`` of the optimiser, which is stepped after each step, a
            ``ReduceLROnPlateau`` after each epoch with its loss; or None: rates stay.
        source: the paper.
        defaults: the options (the keys of ``[training.schedule_options]``) and their values where a track says nothing.
        anneals: whether the rates run out with the last step. Then a trial counts by its last epoch; else it is validated in between, and
            its best epoch counts.
    """

    build: Callable[..., Any]
    source: str
    defaults: Params = field(default_factory=dict)
    anneals: bool = False

    def __post_init__(self) -> None:
        _check(self.build, {}, self.defaults, self.source)
        _check_free(self.defaults, ("optimiser", "steps", "anneals"))


@dataclass(frozen=True)
class SplitRuleEntry:
    """A split rule, asked for as ``rule = "NAME"`` in a track's ``[split]``: which classes are tested, and which are held out in each fold.

    Args:
        build: called with those that its signature names of ``classes`` (int64 [K], sorted), ``counts`` (items of each, int64 [K]),
            ``names`` (K texts), ``attributes`` (by their names, K texts each), ``group`` (the track's, or None), ``folds`` (how many) and
            ``test_fraction``. It returns the classes of the test, and those of each fold's validation part: ``(test, folds)``; or
            ``(test, None)``, where folds follow the group, or the order of the classes, as under the rules that ship. It draws nothing:
            the same classes are cut the same way on every machine.
        source: the paper, or what it does.
    """

    build: Callable[..., Any]
    source: str

    def __post_init__(self) -> None:
        _check(self.build, {}, {}, self.source)


def _check_free(defaults: Params, taken: tuple[str, ...]) -> None:
    for name in taken:
        if name in defaults:
            raise ValueError(f"no option can be called {name!r}: siambench gives it itself")
