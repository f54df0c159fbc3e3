"""Where gradients arrive: in every part, through every branch, and what of it the optimiser knows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor, nn

from siambench.diagnosis.case import Case
from siambench.diagnosis.course import parts_of
from siambench.diagnosis.guard import blamed
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import Subject, leaves_of, parameters_of
from siambench.interfaces import Finding
from siambench.wording import several

_SHOWN = 4

_ALIKE = 1e-3
"""How far apart embeddings of one item may be, over their length: more than what rounding leaves."""


@dataclass(frozen=True)
class _Reached:
    # By part: its parameters, how many of them lie on a path from the loss, and whether the part was called at all.
    parts: dict[str, tuple[int, int, bool]]
    # By branch: length of the loss's gradient with respect to its embeddings; None where there is no path.
    branches: tuple[float | None, ...]
    # Which parts the embeddings of a branch come from.
    behind: tuple[frozenset[str], ...]


def gradients(case: Case, report: Report) -> None:
    """One step's gradient, and what it reaches."""
    subject = case.subject.fresh()
    of_model, of_loss = parameters_of(subject.model), parameters_of(subject.loss)
    if not any(each.requires_grad for _, each in of_model or of_loss):
        report.add(_nothing_to_train(len(of_model), own=any(each.requires_grad for _, each in of_loss)))
        return
    found = _reached(case, subject)
    if found is None:
        return
    report.add(_frozen(found))
    report.add(_one_sided(found, case.first.form))
    _listed(case.subject, report)


def _nothing_to_train(number: int, *, own: bool) -> Finding:
    told = f"none of its {several(number, 'parameter', 'parameters')} requires a gradient" if number else "it has no parameter"
    beside = "only the loss has some that does" if own else "and the loss has none that does"
    return Finding(
        name="frozen",
        severity="fatal",
        evidence=f"The model cannot be trained: {told}, {beside}.",
        remedy="Let the parameters that are to be trained require gradients.",
        attempt="for parameter in model.parameters(): parameter.requires_grad_(True)",
    )


def _reached(case: Case, subject: Subject) -> _Reached | None:
    given, parts = case.first, parts_of(subject)
    with _Called(subject.model) as called:
        embeddings = subject.embedded(given)
    value = subject.value(embeddings, given.target)
    wanted = [each for members in parts.values() for each in members]
    branches: tuple[float | None, ...] = (None,) * len(embeddings)
    got: list[Tensor | None] = [None] * len(wanted)
    if value.requires_grad:
        inner = [each for each in embeddings if each.requires_grad]
        with blamed("backward"):
            found = torch.autograd.grad(value, [*wanted, *inner], allow_unused=True, retain_graph=True)
        got, left = list(found[: len(wanted)]), list(found[len(wanted) :])
        branches = tuple(_length(left.pop(0)) if each.requires_grad else None for each in embeddings)
    places = dict(zip(map(id, wanted), got, strict=True))
    told = {
        name: (len(members), sum(places[id(each)] is not None for each in members), name == "loss" or called.was(name))
        for name, members in parts.items()
    }
    behind = tuple(_behind(each, parts) for each in embeddings)
    return _Reached(told, branches, behind)


def _length(gradient: Tensor | None) -> float | None:
    return None if gradient is None else float(gradient.flatten(1).norm(dim=1).mean())


def _behind(embeddings: Tensor, parts: dict[str, list[nn.Parameter]]) -> frozenset[str]:
    """The parts that embeddings depend on, as far as gradients know."""
    if not embeddings.requires_grad:
        return frozenset()
    wanted = [each for members in parts.values() for each in members]
    with blamed("backward"):
        found = torch.autograd.grad(embeddings.sum(), wanted, allow_unused=True, retain_graph=True)
    known = {id(each) for each, gradient in zip(wanted, found, strict=True) if gradient is not None}
    return frozenset(name for name, members in parts.items() if any(id(each) in known for each in members))


class _Called:
    """Which modules are called while it is entered."""

    def __init__(self, model: Any) -> None:
        self._named = dict(model.named_modules()) if isinstance(model, nn.Module) else {}
        self._seen: set[int] = set()
        self._hooks: list[Any] = []

    def __enter__(self) -> Self:
        self._hooks = [each.register_forward_hook(lambda module, _given, _output: self._note(module)) for each in self._named.values()]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _note(self, module: nn.Module) -> None:
        self._seen.add(id(module))

    def was(self, name: str) -> bool:
        """Whether a part was; of parameters that stand in no child, whether the model was."""
        module = self._named.get(name)
        return module is None or any(id(each) in self._seen for each in module.modules())


def _frozen(found: _Reached) -> Finding | None:
    """Parts that no gradient reaches; those that no item passes, or that feed a detached branch alone, are none."""
    total = sum(number for number, _, _ in found.parts.values())
    of_model = {name: told for name, told in found.parts.items() if name != "loss"}
    if not any(reached for _, reached, _ in found.parts.values()):
        return _out_of_graph(f"None of the {several(total, 'parameter', 'parameters')} that require a gradient is reached by one", found)
    if of_model and not any(reached for _, reached, _ in of_model.values()):
        return _out_of_graph("No parameter of the model is reached by a gradient, only the loss's own", found)
    detached = {name for branch, names in zip(found.branches, found.behind, strict=True) if branch is None for name in names}
    names = [name for name, (_, reached, called) in found.parts.items() if not reached and called and name not in detached]
    if not names:
        return None
    shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
    lost = sum(found.parts[name][0] for name in names)
    what = "takes part in the loss" if names == ["loss"] else "is passed by the items"
    return Finding(
        name="frozen",
        severity="fatal",
        evidence=f"The part {shown} {what}, but none of its {several(lost, 'parameter', 'parameters')} is reached by a gradient.",
        remedy="Take out what cuts the graph behind it: detach(), no_grad(), .data, numpy, argmax or rounding.",
        attempt=f"for name, parameter in model.named_parameters(): print(name, parameter.grad is None)  # {names[0]}",
    )


def _out_of_graph(text: str, found: _Reached) -> Finding:
    if any(found.behind):
        why, remedy = "the embeddings have a graph, and the loss is computed outside of it", "numpy, .item(), .data or torch.tensor(...)"
        where = "loss"
    else:
        why, remedy = "the embeddings come out of the model without a graph", "no_grad(), detach(), numpy or .data"
        where = "model"
    return Finding(
        name="frozen",
        severity="fatal",
        evidence=f"{text}: {why}.",
        remedy=f"Compute the {where} with torch alone, without {remedy}.",
        attempt="print(embeddings.grad_fn, loss.grad_fn)",
    )


def _one_sided(found: _Reached, form: str) -> Finding | None:
    if form == "labels" or not any(found.branches):
        return None
    without = [number for number, length in enumerate(found.branches) if not length]
    if not without or len(without) == len(found.branches):
        return None
    names = ("anchor", "positive", "negative") if form == "triplets" else ("first", "second")
    told = ", ".join(f"{name} {length or 0:.3g}" for name, length in zip(names, found.branches, strict=True))
    return Finding(
        name="one-sided",
        severity="possible",
        evidence=f"A branch gets no gradient: its mean length with respect to an embedding is, by branch, {told}.",
        remedy="Take out that branch's detach() or no_grad(), unless the method stops gradients on purpose, as SimSiam, BYOL and MoCo do.",
        attempt="print(embedding_1.requires_grad, embedding_2.requires_grad)",
    )


def _listed(subject: Subject, report: Report) -> None:
    """What the optimiser does not know, and what ``parameters()`` does not give."""
    optimiser = subject.trained_by()
    listed = {id(each) for group in optimiser.param_groups for each in group["params"]}
    parts = parts_of(subject)
    missing = {name: sum(id(each) not in listed for each in members) for name, members in parts.items()}
    of_model = {name: len(members) for name, members in parts.items() if name != "loss"}
    if of_model and all(missing[name] == number for name, number in of_model.items()):
        number = sum(of_model.values())
        report.add(
            _unlisted("frozen", f"None of the model's {several(number, 'parameter', 'parameters')} stands in the optimiser", "model")
        )
    elif missing.get("loss") and missing["loss"] == len(parts["loss"]):
        told = several(len(parts["loss"]), "parameter", "parameters")
        report.add(_unlisted("frozen", f"The loss has {told} of its own, and none of them stands in the optimiser", "loss"))
    left = {name: number for name, number in missing.items() if number}
    if left and not report.has("frozen"):
        told = ", ".join(f"{number} of {name}" for name, number in list(left.items())[:_SHOWN])
        report.add(_unlisted("unlisted", f"Parameters that require a gradient stand in no group of the optimiser: {told}", "model"))
    for what, one in (("loss", subject.loss), ("model", subject.model)):
        leaves = [(name, each) for name, each in leaves_of(one) if id(each) not in listed]
        if leaves:
            report.add(_leaf(what, leaves, trains_none="loss" not in parts))


def _unlisted(name: str, text: str, what: str) -> Finding:
    other = "[*model.parameters(), *criterion.parameters()]" if what == "loss" else "model.parameters()"
    frozen = name == "frozen"
    return Finding(
        name=name,
        severity="fatal" if frozen else "possible",
        evidence=f"{text}: no step changes {'it' if frozen and what == 'model' else 'them'}.",
        remedy="Give them to the optimiser."
        if frozen
        else "Give them to the optimiser, or say that they are not trained by requires_grad_(False).",
        attempt=f"optimiser = torch.optim.Adam({other})",
    )


def _leaf(what: str, leaves: list[tuple[str, Tensor]], *, trains_none: bool) -> Finding:
    name, tensor = leaves[0]
    is_frozen = what == "loss" and trains_none
    more = f" and {len(leaves) - 1} more" if len(leaves) > 1 else ""
    return Finding(
        name="frozen" if is_frozen else "unlisted",
        severity="fatal" if is_frozen else "likely",
        evidence=f"The {what} holds {name}, {list(tensor.shape)}{more}, which requires a gradient but is no Parameter: parameters() does "
        "not give it, and the optimiser does not train it.",
        remedy="Make it a Parameter.",
        attempt=f"self.{name.rpartition('.')[2]} = torch.nn.Parameter(torch.randn({', '.join(map(str, tensor.shape))}))",
    )


def shared(case: Case, report: Report) -> None:
    """Whether the branches of a model that takes several items share their weights."""
    subject, given = case.subject.fresh(), case.first
    if not subject.together or any(each.shape != given.items[0].shape or each.dtype != given.items[0].dtype for each in given.items):
        return
    with subject.judged():
        found = subject.embedded(type(given)(given.form, (given.items[0],) * len(given.items), given.target))
    points = [each.flatten(1).double() for each in found]
    scale = float((points[0] - points[0].roll(1, 0)).norm(dim=1).mean())
    apart = max(float((points[0] - each).norm(dim=1).mean()) for each in points[1:])
    if apart <= _ALIKE * max(scale, float(points[0].norm(dim=1).mean())):
        return
    report.add(
        Finding(
            name="unshared",
            severity="likely",
            evidence=f"The branches do not share their weights: one item through two branches gives embeddings {apart:.3g} apart, "
            f"different items through one branch {scale:.3g}.",
            remedy="Pass all branches through one network, unless they take different kinds of items, or one has a predictor of its own.",
            attempt="embedding_1, embedding_2 = self.network(x1), self.network(x2)",
        )
    )
