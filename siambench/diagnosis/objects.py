"""``siambench.diagnose``: somebody's own model, loss and batches."""

from __future__ import annotations

import dataclasses
import importlib
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
from torch import Tensor

from siambench.diagnosis.case import Case, Known, stacked
from siambench.diagnosis.checks import batch, fitting, gradients, margins, numbers, shapes, views
from siambench.diagnosis.checks.batch import Convention
from siambench.diagnosis.given import Given, read
from siambench.diagnosis.guard import OutOfTime, Time, undisturbed
from siambench.diagnosis.judging import of_course
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import Subject, leaves_of, parameters_of, subject_of
from siambench.errors import SiambenchError, UsageError, text_of
from siambench.interfaces import Diagnosis
from siambench.plugin import Fingerprint
from siambench.verdicts import Facts

SECONDS: Final = 60.0
"""How long a diagnosis takes at the most."""

MOST_SECONDS: Final = 86_400.0


def diagnose(model: Any, loss: Any, batches: Any, optimiser: Any = None, *, seconds: float = SECONDS, seed: int = 0) -> Diagnosis:
    """Say why a model does not train, or that it does.

    Everything is done on copies, on the processor: nothing of what is given changes, be it weights, buffers, modes, gradients or the state
    of a generator.

    Args:
        model: from items to embeddings [B, D]. One whose ``forward`` takes two or three items is called once and returns as many
            embeddings; one that takes a single item is called on each.
        loss: called ``loss(e1, e2, same)``, ``loss(anchor, positive, negative)`` or ``loss(embeddings, labels)``.
        batches: a batch ``(x1, x2, same)``, ``(anchor, positive, negative)`` or ``(x, labels)``, or a loader of such batches.
        optimiser: with which the model is trained; None: Adam over all parameters of model and loss.
        seconds: at the most.
        seed: of what is drawn.

    Returns:
        The verdict and the findings, those that are most likely to matter first.

    Raises:
        UsageError: if the objects cannot be looked at, because they cannot be copied, raise, or give something else than is expected.
    """
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds <= MOST_SECONDS:
        raise UsageError(f"seconds must be a number above 0, at most {MOST_SECONDS:.0f}, got {seconds!r}")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise UsageError(f"seed must be a whole number from 0 to 2**63 - 1, got {seed!r}")
    # The first optimiser of a process imports it, which takes seconds that are not the user's.
    importlib.import_module("torch._dynamo")
    time = Time(seconds)
    try:
        with undisturbed([model, loss, optimiser, batches], seed):
            given = read(batches, time)
            with time.limited(seconds):
                subject = subject_of(model, loss, optimiser, branches=len(given[0].items))
            return examined(subject, given, time, seed=seed)
    except OutOfTime:
        raise UsageError(f"model and loss took longer than {seconds:g} s for one batch: give a smaller one, or more seconds") from None


def examined(subject: Subject, given: Sequence[Given], time: Time, *, seed: int, known: Known | None = None) -> Diagnosis:
    """Make all checks.

    Args:
        subject: copies.
        given: batches of one size.
        time: in which to end.
        seed: of what is drawn.
        known: of a method; None of somebody's own objects.

    Raises:
        UsageError: if model or loss cannot be called.
        OutOfTime: if they take longer than there is time.
    """
    report = Report()
    with time.limited(time.left):
        subject, given = shapes.passes(subject, list(given), report)
    _Checks(Case(subject=subject, batches=given, time=time, seed=seed, known=known), report).run()
    return report.diagnosis


class _Checks:
    """The checks, one after the other, each within its time; one that cannot be made is said."""

    def __init__(self, case: Case, report: Report) -> None:
        self._case, self._report = case, report
        self._convention = Convention(None, "")
        self._is_same: bool | None = None
        self._fitted: float | None = None

    def run(self) -> None:
        """All of them, the quick ones first."""
        self._made("gradients", 10, lambda _: gradients.gradients(self._case, self._report))
        self._made("shared weights", 5, lambda _: gradients.shared(self._case, self._report))
        self._made("the loss's scale", 5, lambda _: self._know_scale())
        self._made("the loss's convention", 8, lambda _: self._know_convention())
        self._made("the batch", 5, lambda _: batch.held(self._case, self._report))
        self._made("the labels' convention", 8, lambda _: self._know_data())
        if self._case.known is not None:
            known = self._case.known
            self._made("mining", 5, lambda _: known.mining(self._case, self._report))
        self._made("margins", 5, lambda _: margins.margins(self._case, self._report))
        self._made("equal items", 5, lambda _: numbers.equal_items(self._case, self._report))
        self._made("one draw of augmentation", 3, lambda _: views.draws(self._case, self._report, is_same=self._is_same))
        self._made("modes", 5, lambda _: views.modes(self._case, self._report))
        if not self._report.has("frozen", "diverged"):
            self._made("training", 20 if self._case.known is None else 40, self._train)
        if not self._report.has("frozen", "diverged"):
            self._made("over-fitting one batch", 10, self._fit)
            self._made("learning rates", 10, lambda time: fitting.rates(self._case, self._report, time, fitted=self._fitted))
        self._made("half precision", 5, lambda _: numbers.half_precision(self._case, self._report))

    def _made(self, what: str, seconds: float, check: Callable[[Time], None]) -> None:
        try:
            with self._case.time.limited(seconds) as time:
                check(time)
        except OutOfTime:
            self._report.skipped(f"{what} (time)")
        except (SiambenchError, RuntimeError, ValueError, TypeError, ArithmeticError, LookupError) as error:
            # The first batch passed; what raises now does so in another mode, precision, or at odd embeddings.
            self._report.skipped(f"{what} ({text_of(error, 120)})")

    def _know_scale(self) -> None:
        self._case = dataclasses.replace(self._case, lengthless=margins.lengthless(self._case))

    def _know_convention(self) -> None:
        self._convention = batch.convention(self._case)
        near = self._convention.near if self._case.first.form == "pairs" else None
        self._case = dataclasses.replace(self._case, near=near)

    def _know_data(self) -> None:
        self._is_same = batch.conventions(self._case, self._convention, self._report)

    def _fit(self, time: Time) -> None:
        self._fitted = fitting.one_batch(self._case, self._report, time)

    def _train(self, time: Time) -> None:
        case, report = self._case, self._report
        # What is the same the data says; where it does not tell, the loss.
        same = case.near if self._is_same is None else int(self._is_same)
        found = fitting.trained(case, time, same=same)
        facts = self._facts(stacked(case.batches)) if case.known is None else case.known.facts(found.course.scores)
        for finding in of_course(found.course, facts):
            report.add(finding)
        last = found.course.rows[-1]
        if last.active is not None:
            report.measured(f"{last.active:.0%} of the embeddings get a gradient in the last of {found.course.steps} steps")
        if report.has("diverged", "label-mixup", "batch-unfit"):
            return
        given = stacked(case.batches, 400 if case.first.form == "labels" else 1600)
        raw, new = batch.raw(case, given), batch.untrained(case, given)
        if raw is None or raw.tells or (new is not None and new.tells):
            return
        out = found.held_out if found.held_out is not None else fitting.crossed(case, time)
        report.add(fitting.signal({"raw items": raw, "the untrained model": new, fitting.TRAINED: out}))

    def _facts(self, given: Given) -> Facts:
        """What is known of objects beside the rows of their training."""
        case = self._case
        at, forms_tuples = _at_equality(case), not parameters_of(case.subject.loss) and not leaves_of(case.subject.loss)
        return Facts(
            rows=(),
            normalised=case.lengthless or _is_unit(case, given),
            embedding_size=_embedded(case, given).shape[1],
            fingerprint=Fingerprint(forms_tuples, at_equality=None if at is None else (lambda *_: at), plateau=at is not None),
            at_equality=at,
        )


def _embedded(case: Case, given: Given) -> Tensor:
    copy = case.subject.fresh()
    with copy.judged():
        return copy.embedded(given)[0].flatten(1)


def _is_unit(case: Case, given: Given) -> bool:
    return bool((_embedded(case, given).norm(dim=1) - 1).abs().max() < 1e-3)


def _at_equality(case: Case) -> float | None:
    """The loss where all embeddings are one, which is where a plateau stands."""
    copy = case.subject.fresh()
    with copy.judged():
        embeddings = copy.embedded(case.first)
    mean = torch.cat([each.flatten(1) for each in embeddings]).mean(0)
    equal: list[Tensor] = [mean.expand(len(case.first), -1).reshape(each.shape).clone() for each in embeddings]
    try:
        value = copy.number(equal, case.first.target)
    except SiambenchError:
        return None
    return value if math.isfinite(value) else None
