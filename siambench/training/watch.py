"""What training looks like while it happens: the figures of each epoch and a row of measures, gathered without waiting for the device.

Nothing that is measured changes an outcome: no generator is drawn from, no statistics move, and what a step computes is what it computes
unwatched. At most steps there is a loss to be kept and nothing else.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from siambench.errors import DivergedError, named
from siambench.interfaces import Epoch, Measures
from siambench.training.distances import told
from siambench.training.gradients import of_branches
from siambench.training.picked import number_of_classes, picked_distances, repeated
from siambench.training.state import generators_kept

if TYPE_CHECKING:
    from siambench.interfaces import Mined
    from siambench.training.batches import Batch, Batches
    from siambench.training.gradients import Gradients
    from siambench.training.probe import Probe


@dataclass
class Kept:
    """What was measured of a unit, kept beside its training: a unit that fails leaves no other trace of it.

    Args:
        rows: of its models, one after the other; each begins with a row of epoch 0.
        current: the row of the epoch that has just ended; None where nothing is measured.
        error: why nothing was measured any more, in one line; None where all went well.
    """

    rows: list[Measures] = field(default_factory=list)
    current: Measures | None = None
    error: str | None = None

    @property
    def models(self) -> tuple[tuple[Measures, ...], ...]:
        """The rows of each model."""
        starts = [place for place, row in enumerate(self.rows) if row.epoch == 0]
        return tuple(tuple(self.rows[start:stop]) for start, stop in zip(starts, [*starts[1:], None], strict=True))


@dataclass
class _Measured:
    """What is gathered of the steps that are measured, on the device, until the epoch ends."""

    losses: list[Tensor] = field(default_factory=list)
    spread: list[Tensor] = field(default_factory=list)
    tuples: list[Tensor | int] = field(default_factory=list)
    picked: list[Tensor] = field(default_factory=list)
    classes: list[Tensor] = field(default_factory=list)
    repeated: list[float] = field(default_factory=list)


def _nobody(_: Epoch) -> None:
    """Nobody is told."""


class Watcher:
    """Gathers losses, tuples and the gradient's norm over an epoch; and at some of its steps, and before the first, what `Measures` hold.

    Args:
        ended: told of each epoch.
        kept: where rows are left; None: nobody reads them.
        every: at every how many steps of an epoch there is a measurement, and at the last step in any case; None: never.
    """

    def __init__(self, ended: Callable[[Epoch], None] = _nobody, *, kept: Kept | None = None, every: int | None = None) -> None:
        self.ended = ended
        self.kept = Kept() if kept is None else kept
        self._every, self._first = every, len(self.kept.rows)
        self._losses: list[Tensor] = []
        self._tuples: list[Tensor | int] = []
        self._gradients: Gradients | None = None
        self._probe: Probe | None = None
        self._branches = 1
        self._batch: Batch | None = None
        self._embeddings: Tensor | None = None
        self._measured = _Measured()

    @property
    def rows(self) -> tuple[Measures, ...]:
        """Of the model that is watched."""
        return tuple(self.kept.rows[self._first :])

    def begin(self, gradients: Callable[[], Gradients], probe: Callable[[], Probe]) -> None:
        """Look at a model before its first step.

        Args:
            gradients: makes what gathers those of its parts.
            probe: makes what looks at how it embeds.
        """
        self.kept.current = None
        if self._every is None:
            return
        with self._kept_apart(), generators_kept():
            self._gradients, self._probe = gradients(), probe()
            self.kept.rows.append(Measures(epoch=0, steps=0, loss=None, **self._probe.look()))

    def over(self, batches: Batches, steps: int) -> Iterator[Batch]:
        """The batches of an epoch of so many steps, one after the other."""
        self._branches = batches.branches
        for step, batch in enumerate(batches.epoch(steps), 1):
            is_measured = self._gradients is not None and self._every is not None and (step % self._every == 0 or step == steps)
            self._batch = batch if is_measured else None
            yield batch

    def embedded(self, embeddings: Tensor) -> Tensor:
        """The embeddings of a step as the loss will see them, [B, D]; their gradient is kept where the step is measured."""
        if self._batch is not None:
            self._embeddings = embeddings
            if embeddings.requires_grad:
                embeddings.retain_grad()
        return embeddings

    def reached(self) -> None:
        """The gradient of a step is there, and nothing has moved."""
        if self._batch is not None and self._gradients is not None:
            with self._kept_apart():
                self._gradients.before()

    def step(self, loss: Tensor, tuples: Tensor | int | None, indices: Mined | None = None) -> None:
        """The optimiser has taken a step, and the schedule has not.

        Args:
            loss: its value.
            tuples: how many tuples the miner chose; None: no miner.
            indices: the tuples that the loss was given, the miner's where one chose some.
        """
        self._losses.append(loss.detach())
        if tuples is not None:
            self._tuples.append(tuples)
        batch, embeddings, self._batch, self._embeddings = self._batch, self._embeddings, None, None
        if batch is None or embeddings is None or self._gradients is None:
            return
        with self._kept_apart():
            self._gradients.after()
            self._measured.losses.append(loss.detach())
            self._measured.spread.append(of_branches(embeddings.grad, len(embeddings), self._branches))
            self._measured.classes.append(number_of_classes(batch.labels))
            self._measured.repeated.append(repeated(batch.places))
            if tuples is not None:
                self._measured.tuples.append(tuples)
                if indices is not None:
                    self._measured.picked.append(picked_distances(indices, embeddings))

    def epoch(self, number: int, parameters: Iterable[torch.nn.Parameter]) -> Epoch:
        """The figures of the epoch that ends, which has not been validated yet.

        Raises:
            DivergedError: if a loss of the epoch was not finite.
        """
        self._measure(number)
        losses = torch.stack(self._losses).double().cpu()
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = float(torch.nn.utils.get_total_norm(gradients)) if gradients else 0.0
        tuples = math.fsum(map(float, self._tuples)) / len(self._tuples) if self._tuples else None
        self._losses, self._tuples = [], []
        finite = torch.isfinite(losses)
        if not bool(finite.all()):
            first = int(torch.nonzero(~finite)[0])
            raise DivergedError(f"the loss became {float(losses[first])} at step {first + 1} of the epoch")
        return Epoch(number, float(losses.mean()), norm if math.isfinite(norm) else None, tuples, None)

    def _measure(self, epoch: int) -> None:
        """Leave the row of an epoch."""
        self.kept.current = None
        if self._gradients is None or self._probe is None:
            return
        with self._kept_apart(), generators_kept():
            row = Measures(epoch=epoch, parts=self._gradients.read(), **self._of_steps(), **self._probe.look())
            self.kept.rows.append(row)
            self.kept.current = row

    def _of_steps(self) -> dict[str, Any]:
        measured, self._measured = self._measured, _Measured()
        spread = torch.stack(measured.spread).cpu()
        picked = torch.stack(measured.picked).cpu() if measured.picked else torch.full((1, 2), math.nan)
        return {
            "steps": len(measured.losses),
            "loss": _mean(torch.stack(measured.losses)),
            "branches": tuple(_mean(one) for one in spread[:, 1:].T),
            "active": _mean(spread[:, 0]),
            "idle": _mean(spread[:, 0] == 0),
            "tuples": _mean(torch.tensor([float(one) for one in measured.tuples])) if measured.tuples else None,
            # Of steps that picked something.
            "picked_positive": told(float(picked[:, 0].nanmean())),
            "picked_negative": told(float(picked[:, 1].nanmean())),
            "classes": _mean(torch.stack(measured.classes)),
            "repeated": _mean(torch.tensor(measured.repeated)),
        }

    @contextlib.contextmanager
    def _kept_apart(self) -> Iterator[None]:
        """Whatever goes wrong while something is measured, the unit goes on; it is said, and nothing more is measured."""
        try:
            with torch.no_grad():
                yield
        except (Exception, SystemExit) as error:  # noqa: BLE001  it is code of the method's that is looked at
            self.kept.error = self.kept.error or named(error, 500)
            self._gradients, self._probe, self.kept.current = None, None, None


def _mean(values: Tensor) -> float | None:
    return told(float(values.double().mean()))
