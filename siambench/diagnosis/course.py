"""Copies are trained for some steps, and what happens is measured: rows as those of a unit that trains."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import torch
from torch import Tensor, nn

from siambench.diagnosis.case import Case
from siambench.diagnosis.given import Given
from siambench.diagnosis.guard import OutOfTime, Time, blamed
from siambench.diagnosis.measured import gradient_norm
from siambench.diagnosis.subject import Subject, parameters_of
from siambench.interfaces import Measures, PartMeasures, Quantiles
from siambench.training.distances import quantiles, spread_and_rank
from siambench.training.probe import RECTIFIERS, dead_among, most_dead


@dataclass(frozen=True)
class Course:
    """How a training went.

    Args:
        rows: before the first step, and after each stretch of steps.
        losses: of each step.
        ended: ``"ok"``; ``"diverged"``: a loss or an embedding was not finite; ``"stopped"``: no gradient; ``"late"``: time was over.
        norms: length of the whole gradient at each step; infinite where it was not finite.
        after: the trained copies.
        scores: of each row, where they are asked for.
    """

    rows: tuple[Measures, ...]
    losses: tuple[float, ...]
    ended: str
    norms: tuple[float, ...]
    after: Subject
    scores: tuple[float | None, ...] = ()

    @property
    def steps(self) -> int:
        """How many were made."""
        return len(self.losses)

    @property
    def odd(self) -> int | None:
        """The first step whose gradient was not finite, from 0; None: all were."""
        return next((number for number, norm in enumerate(self.norms) if not math.isfinite(norm)), None)


@dataclass
class _Stretch:
    """What the steps since the last row showed."""

    losses: list[float] = field(default_factory=list)
    active: list[float] = field(default_factory=list)
    branches: list[list[float]] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    norms: dict[str, list[float]] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    reached: dict[str, set[int]] = field(default_factory=dict)


def parts_of(subject: Subject) -> dict[str, list[nn.Parameter]]:
    """What is meant to train, by part: the children of the model, of one that only holds another those of that, and the loss.

    Parameters that do not require a gradient are not meant to.
    """
    model: Any = subject.model
    found: dict[str, list[nn.Parameter]] = {}
    prefix = ""
    while isinstance(model, nn.Module):
        children = list(model.named_children())
        if len(children) != 1 or list(model.parameters(recurse=False)):
            break
        prefix, model = f"{prefix}{children[0][0]}.", children[0][1]
    for name, parameter in parameters_of(model):
        if parameter.requires_grad:
            head = name.partition(".")[0] if "." in name else "model"
            found.setdefault(f"{prefix}{head}" if "." in name else head, []).append(parameter)
    own = [parameter for _, parameter in parameters_of(subject.loss) if parameter.requires_grad]
    known = {id(parameter) for members in found.values() for parameter in members}
    own = [parameter for parameter in own if id(parameter) not in known]
    return found | ({"loss": own} if own else {})


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is trained for how long.

    Args:
        steps: at the most.
        probe: the items that rows are measured on.
        rows: how many stretches the steps are measured in.
        factor: what the learning rates are multiplied by.
        same: which label of pairs is that of positives; see `Case.tuples`.
        score: asked for the score of the model with each row, or None.
    """

    steps: int
    probe: Given
    rows: int = 1
    factor: float = 1.0
    same: int | None = None
    score: Callable[[Subject], float | None] | None = None


def train(case: Case, feed: Iterable[Given], run: Run, time: Time) -> Course:
    """Train copies.

    Args:
        case: what is diagnosed.
        feed: batches, at least as many as steps.
        run: for how long, and what is measured.
        time: in which to end.
    """
    trained = _Trained(case, run)
    losses, norms, ended = [], [], "ok"
    measured, scores = [trained.row(_Stretch())], trained.scored()
    stretch, size = _Stretch(), max(1, run.steps // run.rows)
    try:
        for step, given in zip(range(run.steps), feed, strict=False):
            if time.left <= 0:
                ended = "late"
                break
            trained.subject.at(step / run.steps)
            state, loss, norm = trained.step(given, stretch)
            losses.append(loss)
            if state != "ok":
                ended = state
                break
            norms.append(norm)
            if (step + 1) % size == 0:
                measured.append(trained.row(stretch))
                scores += trained.scored()
                stretch = _Stretch()
    except OutOfTime:
        ended = "late"
    return Course(tuple(measured), tuple(losses), ended, tuple(norms), trained.subject, tuple(scores))


class _Trained:
    """Copies that are trained."""

    def __init__(self, case: Case, run: Run) -> None:
        self._case, self._run = case, run
        self.subject = case.subject.fresh()
        self._optimiser, self._parts = self.subject.trained_by(), parts_of(self.subject)
        for group in self._optimiser.param_groups:
            group["lr"] = group["lr"] * run.factor
        self._schedule = self.subject.schedule(self._optimiser)
        self._rows = 0
        self._points: Tensor | None = None

    def step(self, given: Given, stretch: _Stretch) -> tuple[str, float, float]:
        """One step: how it ended, the loss, and the length of the gradient."""
        found = _step(self.subject, given, self._optimiser, self._parts, stretch)
        if found[0] == "ok" and self._schedule is not None:
            self._schedule.step()
        return found

    def scored(self) -> list[float | None]:
        """The score of the model as it is, where that is asked for."""
        return [] if self._run.score is None else [self._run.score(self.subject)]

    def row(self, stretch: _Stretch) -> Measures:
        """What the probe and the steps since the last row show."""
        number, self._rows = self._rows, self._rows + 1
        with self.subject.judged(), _Rectified(self.subject.model) as rectified:
            embeddings = self.subject.embedded(self._run.probe)
        points, told = self._case.seen(embeddings), _of_steps(stretch, self._optimiser, self._parts)
        if not bool(torch.isfinite(points).all()):
            self._points = None
            return Measures(epoch=number, finite=False, **told)
        tuples = self._case.tuples(self._run.probe, same=self._run.same)
        near, far = tuples.distances(points)
        auc, before = tuples.auc(points), self._points
        spread, rank = spread_and_rank(points.double().flatten(1))
        self._points = points
        return Measures(
            epoch=number,
            positive=quantiles(near),
            negative=quantiles(far),
            auc=None if auc is None else auc.value,
            spread=spread,
            effective_rank=rank,
            norms=_lengths(embeddings),
            moved=None if before is None else float((points - before).norm(dim=1).mean()),
            dead_units=rectified.dead,
            input_spread=None if number else _input_spread(self._run.probe.items),
            **told,
        )


def _step(
    subject: Subject, given: Given, optimiser: torch.optim.Optimizer, parts: Mapping[str, list[nn.Parameter]], stretch: _Stretch
) -> tuple[str, float, float]:
    embeddings = subject.embedded(given)
    value = subject.value(embeddings, given.target)
    loss = float(value.detach())
    if not math.isfinite(loss) or any(not bool(torch.isfinite(each).all()) for each in embeddings):
        return "diverged", loss, math.nan
    if not value.requires_grad:
        return "stopped", loss, 0.0
    listed = [parameter for group in optimiser.param_groups for parameter in group["params"] if parameter.requires_grad]
    wanted = list({id(each): each for each in (*listed, *(each for members in parts.values() for each in members))}.values())
    inner = [each for each in embeddings if each.requires_grad]
    with blamed("backward"):
        found = torch.autograd.grad(value, [*wanted, *inner], allow_unused=True)
    of_parameters = dict(zip(map(id, wanted), found[: len(wanted)], strict=True))
    _watch(stretch, loss, given, _by_branch(embeddings, found[len(wanted) :]))
    before = {name: [each.detach().clone() for each in members] for name, members in parts.items()}
    for parameter in wanted:
        parameter.grad = of_parameters[id(parameter)]
    _optimise(optimiser, value)
    for name, members in parts.items():
        gradients = [of_parameters[id(each)] for each in members]
        norm = gradient_norm(gradients)
        stretch.norms.setdefault(name, []).append(math.nan if norm is None and any(each is not None for each in gradients) else norm or 0.0)
        stretch.ratios.setdefault(name, []).append(_ratio(before[name], members))
        # By paths of the graph: a loss without an active tuple gives zeros, and reaches its parts all the same.
        reached = {number for number, each in enumerate(gradients) if each is not None}
        stretch.reached.setdefault(name, set()).update(reached)
        for each in members:
            each.grad = None
    of_all = [each for each in of_parameters.values() if each is not None]
    norm = gradient_norm(of_all)
    return "ok", loss, 0.0 if not of_all else math.inf if norm is None else norm


def _by_branch(embeddings: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> list[Tensor]:
    """The gradient of each branch, zeros where there is none."""
    left, found = list(gradients), []
    for each in embeddings:
        gradient = left.pop(0) if each.requires_grad else None
        found.append(torch.zeros_like(each) if gradient is None else gradient.detach())
    return found


def _watch(stretch: _Stretch, loss: float, given: Given, gradients: Sequence[Tensor]) -> None:
    stretch.losses.append(loss)
    stretch.active.append(float(torch.cat([each.flatten(1).any(dim=1) for each in gradients]).float().mean()))
    stretch.branches.append([float(each.flatten(1).norm(dim=1).mean()) for each in gradients])
    if given.form == "labels":
        stretch.classes.append(len(torch.unique(given.numbers)))


def _optimise(optimiser: torch.optim.Optimizer, value: Tensor) -> None:
    step: Callable[..., Any] = optimiser.step
    with blamed("the optimiser"):
        # One that asks for the loss anew is given what it was.
        step(lambda: float(value.detach())) if isinstance(optimiser, torch.optim.LBFGS) else step()


def _ratio(before: Sequence[Tensor], after: Sequence[Tensor]) -> float:
    length = math.sqrt(sum(float((each.double() ** 2).sum()) for each in before))
    change = math.sqrt(sum(float(((new.detach() - old).double() ** 2).sum()) for old, new in zip(before, after, strict=True)))
    return change / length if length > 0 else 0.0


def _lengths(embeddings: Sequence[Tensor]) -> Quantiles | None:
    return quantiles(torch.cat([each.detach().double().flatten(1).norm(dim=1) for each in embeddings]))


def _input_spread(items: Sequence[Tensor]) -> float | None:
    flat = [each.flatten(1) for each in items]
    # The branches of two networks may take items of two kinds: what lies between those says nothing.
    together = [torch.cat(flat)] if len({each.shape[1] for each in flat}) == 1 else flat
    if not all(each.is_floating_point() for each in together):
        return None
    return max((spread_and_rank(each.double())[0] or 0.0 for each in together), default=None)


def _of_steps(stretch: _Stretch, optimiser: torch.optim.Optimizer, parts: Mapping[str, list[nn.Parameter]]) -> dict[str, Any]:
    listed = {id(each): float(group["lr"]) for group in optimiser.param_groups for each in group["params"]}
    steps, made = len(stretch.losses), {}
    for name, members in parts.items() if steps else ():
        rates = [listed[id(each)] for each in members if id(each) in listed]
        made[name] = PartMeasures(
            parameters=len(members),
            unreached=len(members) - len(stretch.reached.get(name, ())),
            unlisted=len(members) - len(rates),
            gradient_norm=_mean(stretch.norms.get(name, [])),
            update_ratio=_mean(stretch.ratios.get(name, [])),
            rate=rates[0] if rates else None,
        )
    return {
        "steps": steps,
        "loss": _mean(stretch.losses),
        "parts": made,
        "branches": tuple(_mean(list(each)) for each in zip(*stretch.branches, strict=True)),
        "active": _mean(stretch.active),
        "idle": _mean([float(each == 0) for each in stretch.active]),
        "classes": _mean([float(each) for each in stretch.classes]),
    }


def _mean(values: Sequence[float]) -> float | None:
    found = math.fsum(values) / len(values) if values else math.nan
    return found if math.isfinite(found) else None


class _Rectified:
    """Which units behind a rectifier are 0 for all items that pass while it is entered."""

    def __init__(self, model: Any) -> None:
        self._modules = [each for each in model.modules() if isinstance(each, RECTIFIERS)] if isinstance(model, nn.Module) else []
        self._dead: dict[tuple[int, int], Tensor] = {}
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        self._hooks = [each.register_forward_hook(self._seen) for each in self._modules]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _seen(self, module: nn.Module, _given: Any, output: Any) -> None:
        dead = dead_among(output)
        if dead is not None:
            # Dead is what is dead in each of the calls: of two branches each is one.
            key = (id(module), len(dead))
            self._dead[key] = dead & self._dead[key] if key in self._dead else dead

    @property
    def dead(self) -> float | None:
        """The largest share of them; None where no rectifier is a module."""
        return most_dead(self._dead.values())
