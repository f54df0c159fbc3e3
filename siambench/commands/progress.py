"""What a run looks like: a live tree on a terminal, one line per finished unit elsewhere; all of it on stderr."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from siambench.records.running import running
from siambench.records.selection import best_epoch, best_trial
from siambench.wording import duration, printable

if TYPE_CHECKING:
    from pathlib import Path

    from siambench.execution.coordinator import Event
    from siambench.records.record import Record
    from siambench.records.running import Running
    from siambench.studies.plan import StudyPlan
    from siambench.studies.request import Prepared

_MARK = {"done": "·", "cached": "=", "failed": "✗", "lost": "?"}


@dataclass
class _Branch:
    plan: StudyPlan
    tuned: int = 0
    final: int = 0
    trials: dict[int, list[Record]] = field(default_factory=dict)
    best: float | None = None
    troubles: int = 0


class Progress:
    """Watches a run; use as a context manager and hand `notify` to it.

    Args:
        console: on stderr.
        prepared: what will run.
        running: where running units say how far they are.
    """

    def __init__(self, console: Console, prepared: Prepared, running: Path) -> None:
        self._console = console
        self._prepared = prepared
        self._folder = running
        self._running: list[Running] = []
        self._looked = float("-inf")
        self._branches = {plan.key: _Branch(plan) for plan in prepared.studies}
        self._baselines = 0
        self._pace = Pace(
            tune=sum(plan.tune_units for plan in prepared.studies),
            final=len(prepared.baselines) + sum(plan.repetitions for plan in prepared.studies),
        )
        self._counts = {"done": 0, "cached": 0, "failed": 0, "lost": 0}
        self._live = Live(console=console, get_renderable=self._tree, refresh_per_second=4) if console.is_terminal else None

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def notify(self, event: Event) -> None:
        """Take one event."""
        self._counts[event.state] += 1
        timed = None if event.state == "cached" else event.record
        self._pace.count(event.unit.kind, None if timed is None else timed.seconds)
        branch = self._branches.get((event.unit.row, event.unit.study))
        if branch is None:
            self._baselines += 1
        else:
            self._grow(branch, event)
        if event.state == "cached":
            return
        if self._live is None or event.reason:
            self._console.print(self._line(event), highlight=False, markup=False, soft_wrap=True)

    def _grow(self, branch: _Branch, event: Event) -> None:
        if event.unit.kind == "final":
            branch.final += 1
        else:
            branch.tuned += 1
            if event.record is not None:
                branch.trials.setdefault(event.unit.trial or 0, []).append(event.record)
                folds = branch.trials[event.unit.trial or 0]
                if len(folds) == branch.plan.folds:
                    branch.best = _better(branch, folds)
        branch.troubles += event.state in ("failed", "lost")

    def _line(self, event: Event) -> str:
        number = sum(self._counts.values())
        text = f"{_MARK[event.state]} {number}/{self._prepared.planned} {event.unit.label} {event.state}"
        if event.record is not None and event.record.outcome.state == "done":
            outcome, primary = event.record.outcome, event.unit.scoring.primary
            values = outcome.scores or (outcome.curve[-1].validation if outcome.curve else None) or {}
            score = values.get(primary)
            text += f" {primary} {score:.3f}" if score is not None else ""
            text += "" if event.record.seconds is None else f" {event.record.seconds:.1f} s"
        return printable(text + (f": {event.reason}" if event.reason else ""))

    def _tree(self) -> Tree:
        finished = sum(self._counts.values())
        seconds = self._pace.left()
        left = "" if seconds is None else f", about {duration(seconds)} left"
        tree = Tree(Text(f"{self._prepared.track.name} {self._prepared.track.version}: {finished} of {self._prepared.planned} units{left}"))
        running = self._look()
        baselines = tree.add(Text(f"baselines {self._baselines}/{len(self._prepared.baselines)}"))
        for one in running:
            if (one.row, one.study) not in self._branches:
                baselines.add(Text(printable(one.told)))
        for key, branch in self._branches.items():
            plan = branch.plan
            if plan.study and not branch.tuned and not branch.final:
                # Of a round that has not begun.
                continue
            study = f" study {plan.study}" if plan.study else ""
            text = f"{plan.method.name}{study}: tuning {branch.tuned}/{plan.tune_units}, final {branch.final}/{plan.repetitions}"
            if branch.best is not None:
                text += f", best validation {plan.template.scoring.primary} {branch.best:.3f}"
            if branch.troubles:
                text += f", {branch.troubles} failed or lost"
            grown = tree.add(Text(printable(text)))
            for one in running:
                if (one.row, one.study) == key:
                    grown.add(Text(printable(one.told)))
        return tree

    def _look(self) -> list[Running]:
        # The tree is drawn more often than is worth asking a shared disk.
        if time.monotonic() - self._looked >= 1:
            self._looked, self._running = time.monotonic(), running(self._folder)
        return self._running


def _better(branch: _Branch, folds: list[Record]) -> float | None:
    """The best validation score so far, with a trial whose folds have all ended."""
    plan = branch.plan
    outcomes = [fold.outcome for fold in folds]
    found = best_epoch(outcomes, plan.template.scoring.primary, maximise=plan.maximise, annealed=plan.is_annealed)
    values = [branch.best, None if found is None else found[1]]
    place = best_trial(values, maximise=plan.maximise)
    return None if place is None else values[place]


class Pace:
    """How long it will take, told by the units that ended: tune and final units take unlike times.

    Args:
        tune: how many tune units are planned.
        final: how many others.
    """

    LEAST = 3
    """With fewer finished units nothing is said."""

    def __init__(self, *, tune: int, final: int) -> None:
        self._open = {"tune": tune, "final": final}
        self._took: dict[str, list[float]] = {"tune": [], "final": []}
        self._start = time.monotonic()

    def count(self, kind: str, seconds: float | None) -> None:
        """A unit ended, and took so long; None: it was cached, or lost."""
        self._open[kind] -= 1
        if seconds is not None:
            self._took[kind].append(seconds)

    def left(self) -> float | None:
        """Seconds that the open units will take at the pace so far."""
        both = [*self._took["tune"], *self._took["final"]]
        if len(both) < self.LEAST or not sum(both):
            return None
        work = sum(max(0, number) * statistics.fmean(self._took[kind] or both) for kind, number in self._open.items())
        return work * (time.monotonic() - self._start) / sum(both)
