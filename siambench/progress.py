"""What a run looks like: a live tree on a terminal, one line per finished unit elsewhere; all of it on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from siambench.record import best_epoch
from siambench.wording import duration, printable

if TYPE_CHECKING:
    from siambench.benchmark import Event
    from siambench.plan import StudyPlan
    from siambench.record import Record
    from siambench.request import Prepared

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
    """

    def __init__(self, console: Console, prepared: Prepared) -> None:
        self._console = console
        self._prepared = prepared
        self._branches = {study.key: _Branch(study) for study in prepared.studies}
        self._anchors = 0
        self._counts = {"done": 0, "cached": 0, "failed": 0, "lost": 0}
        self._start = time.monotonic()
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
        branch = self._branches.get(event.unit.study)
        if branch is None:
            self._anchors += 1
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
                found = best_epoch(folds, event.unit.primary, maximise=branch.plan.maximise) if len(folds) == branch.plan.folds else None
                if found is not None:
                    better: Callable[..., float] = max if branch.plan.maximise else min
                    branch.best = found[1] if branch.best is None else better(branch.best, found[1])
        branch.troubles += event.state in ("failed", "lost")

    def _line(self, event: Event) -> str:
        number = sum(self._counts.values())
        text = f"{_MARK[event.state]} {number}/{self._prepared.planned} {event.unit.label} {event.state}"
        if event.record is not None and event.record["result"]["state"] == "done":
            seconds = event.record["telemetry"]["total_seconds"]
            result = event.record["result"]
            values = result["scores"] or (result["curve"][-1]["validation"] if result["curve"] else {})
            score = values.get(event.unit.primary)
            text += f" {event.unit.primary} {score:.3f}" if score is not None else ""
            text += f" {seconds:.1f} s"
        return printable(text + (f": {event.reason}" if event.reason else ""))

    def _tree(self) -> Tree:
        finished = sum(self._counts.values())
        fresh = self._counts["done"] + self._counts["failed"]
        elapsed = time.monotonic() - self._start
        left = ""
        if fresh >= 3:
            left = f", about {duration(elapsed / fresh * max(0, self._prepared.planned - finished))} left"
        tree = Tree(Text(f"{self._prepared.track.name} {self._prepared.track.version}: {finished} of {self._prepared.planned} units{left}"))
        tree.add(Text(f"anchors {self._anchors}/{len(self._prepared.anchors)}"))
        for branch in self._branches.values():
            plan = branch.plan
            text = f"{plan.method.name}: tuning {branch.tuned}/{plan.trials * plan.folds}, final {branch.final}/{plan.seeds}"
            if branch.best is not None:
                text += f", best validation {plan.template.primary} {branch.best:.3f}"
            if branch.troubles:
                text += f", {branch.troubles} failed or lost"
            tree.add(Text(printable(text)))
        return tree
