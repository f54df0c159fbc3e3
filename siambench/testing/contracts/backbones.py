"""What a backbone promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from siambench.components.component import Component
from siambench.components.stages import stages_of
from siambench.data.transforms import prepared
from siambench.errors import PluginError
from siambench.interfaces import Dataset
from siambench.plugin import BackboneEntry
from siambench.spec import Form, ModelSpec
from siambench.testing.contracts.blame import nothing_printed, sentence, told_where
from siambench.testing.contracts.graph import leaves, unregistered
from siambench.testing.contracts.process import OTHER, SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.testing.synthetic import synthetic_dataset
from siambench.training.model import EmbeddingModel, assembled
from siambench.training.optimiser import build_optimiser
from siambench.training.state import seed_globals

_CPU = torch.device("cpu")
_BATCH = 6
_STEPS = 2
_JUDGED_STEPS = 8
_RELATIVE, _ABSOLUTE = 1e-3, 1e-4

_SHAPES: dict[Form, tuple[tuple[int, int], ...]] = {
    "images": ((1, 32), (3, 32), (3, 64), (1, 105), (3, 224)),
    "arrays": ((3, 64), (1, 64), (3, 8)),
    "tokens": ((1, 24),),
}
"""Channels and edge, of arrays and tokens the length: a backbone need not take them all."""


_Suits = tuple[Component, int, int]

_FOUND: dict[tuple[int, Form], _Suits] = {}
"""Which shape suits a component, of each form, so that large ones are not built in vain for every contract."""


@dataclass(frozen=True)
class _Ready:
    """A data set that a backbone takes, and a batch of it as the harness prepares it."""

    dataset: Dataset
    items: Tensor


@cache
def _of(form: Form, channels: int, size: int) -> _Ready:
    dataset = synthetic_dataset(form=form, classes=4, images_per_class=4, channels=channels, size=size)
    return _Ready(dataset, prepared(dataset.read(np.arange(0, 2 * _BATCH, 2)), form, _CPU))


def _built(component: Component, ready: _Ready, seed: int = SEED) -> EmbeddingModel:
    entry: BackboneEntry = component.entry
    # Without pretrained weights, which would be downloaded.
    spec = ModelSpec(backbone="examined", options={**entry.defaults, **entry.scratch}, embedding_size=8)
    model = assembled(spec, entry, ready.dataset, seed=seed)
    assert isinstance(model, EmbeddingModel), "of items of one side"
    return model


def _taken(component: Component) -> Iterator[_Ready]:
    """For each form that it takes, the first shape of items that it can be built for.

    Raises:
        PluginError: if it takes none of a form that it declares, with its reason for the first.
    """
    entry: BackboneEntry = component.entry
    for form in entry.takes:
        reasons = []
        for channels, size in _SHAPES[form]:
            ready = _of(form, channels, size)
            place = (id(component), form)
            if place in _FOUND and _FOUND[place] != (component, channels, size):
                continue
            try:
                if place not in _FOUND:
                    _built(component, ready)
            except Exception as error:  # noqa: BLE001  whatever it raises of a shape, another may suit it
                reasons.append(sentence(error))
                continue
            _FOUND[place] = (component, channels, size)
            yield ready
            break
        else:
            raise PluginError(f"it takes {form}, and can be built for none of {len(_SHAPES[form])} shapes of them: {reasons[0]}")


def _called(model: EmbeddingModel, ready: _Ready) -> Tensor:
    found: Tensor = model.trunk(ready.items.clone().contiguous(memory_format=model.memory_format))
    return found


def features(component: Component) -> None:
    """For each form of items that it takes it is a module that gives finite fp32 features [B, F], in training and in evaluation."""
    for ready in _taken(component):
        with told_where(f"of {ready.dataset.form} {list(ready.dataset.shape)}"):
            model = _built(component, ready)
            for training in (True, False):
                model.train(training)
                with torch.no_grad():
                    _check(_called(model, ready))


def _check(found: object) -> None:
    if not isinstance(found, Tensor) or found.dtype != torch.float32 or found.ndim != 2 or len(found) != _BATCH:
        got = f"{found.dtype} {list(found.shape)}" if isinstance(found, Tensor) else type(found).__name__
        raise PluginError(f"features must be fp32 [{_BATCH}, F], got {got}")
    if not found.isfinite().all():
        raise PluginError("its features are not finite")


def items_are_apart(component: Component) -> None:
    """In evaluation the features of an item are the same whatever other items are in the batch."""
    for ready in _taken(component):
        model = _built(component, ready).eval()
        with torch.no_grad():
            together = _called(model, ready)
            alone = torch.cat([_called(model, _Ready(ready.dataset, item[None])) for item in ready.items])
        # Rounding goes by the largest terms of a sum: without training a deep network may give features of any size.
        size = max(1.0, float(together.abs().max()))
        if alone.shape != together.shape or not torch.allclose(alone, together, rtol=_RELATIVE, atol=_ABSOLUTE * size):
            raise PluginError("in evaluation the features of an item depend on the other items of its batch")


def evaluation_changes_nothing(component: Component) -> None:
    """In evaluation the same items have the same features, and no weight or buffer changes."""
    for ready in _taken(component):
        model = _built(component, ready).eval()
        before = {name: value.clone() for name, value in model.trunk.state_dict().items()}
        with torch.no_grad():
            once, again = _called(model, ready), _called(model, ready)
        if not torch.equal(once, again):
            raise PluginError("in evaluation the same items have other features the second time")
        changed = [name for name, value in model.trunk.state_dict().items() if not torch.equal(before[name], value)]
        if changed:
            raise PluginError(f"evaluation changes {changed[0]}")


class _Training:
    """A backbone in training: its embeddings are drawn to a target of their own."""

    def __init__(self, component: Component, ready: _Ready, seed: int = SEED) -> None:
        self.model, self._ready, self._seed = _built(component, ready, seed).train(), ready, seed
        self._target = torch.randn(_BATCH, 8, generator=torch.Generator().manual_seed(SEED))
        rates = {"optimiser.lr": 1e-3, "optimiser.weight_decay": 1e-4}
        self._optimiser = build_optimiser("adam", rates, self.model, torch.nn.Identity())

    def step(self, number: int) -> Tensor:
        """One step; its loss, with what it was computed from."""
        seed_globals(self._seed, number)
        embeddings: Tensor = self.model(self._ready.items.clone().contiguous(memory_format=self.model.memory_format))
        value = (embeddings - self._target).square().mean()
        self._optimiser.zero_grad(set_to_none=True)
        value.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return value


def gradient(component: Component) -> None:
    """In training a gradient, finite and not zero, reaches it, where it has parameters to train."""
    for ready in _taken(component):
        training = _Training(component, ready)
        own = [(name, parameter) for name, parameter in training.model.trunk.named_parameters() if parameter.requires_grad]
        arrived = False
        for step in range(_STEPS):
            training.step(step)
            for name, parameter in own:
                if parameter.grad is not None and not parameter.grad.isfinite().all():
                    raise PluginError(f"the gradient of its {name} is not finite")
                arrived = arrived or (parameter.grad is not None and bool(parameter.grad.any()))
        if own and not arrived:
            raise PluginError("no gradient reaches its parameters: training would move the head alone")


def parameters_are_registered(component: Component) -> None:
    """What its features are computed from, and would be trained, are the parameters that it had when it was built."""
    for ready in _taken(component):
        training = _Training(component, ready)
        known = {id(parameter) for parameter in training.model.parameters() if parameter.requires_grad}
        before: list[Tensor] = []
        for step in range(_STEPS):
            strange = [leaf for leaf in leaves(training.step(step)) if id(leaf) not in known]
            lasting = [leaf for leaf in strange if any(leaf is other for other in before)]
            if lasting:
                raise PluginError(unregistered(lasting[0], training.model.trunk))
            before = strange


def stages_hold_its_parameters(component: Component) -> None:
    """Its stages, as it tells them or by its children, hold each of its parameters once."""
    for ready in _taken(component):
        stages_of(_built(component, ready).trunk)


def seeds_decide(component: Component) -> None:
    """The same seed gives the same weights and features, and another seed others, where there are weights to draw."""
    for ready in _taken(component):
        trunks = [_built(component, ready, seed).trunk for seed in (SEED, SEED, OTHER)]
        states = [trunk.state_dict() for trunk in trunks]
        same = [all(torch.equal(states[0][name], other[name]) for name in states[0]) for other in states[1:]]
        if not same[0]:
            raise PluginError("the same seed gave other weights: draw them from torch's global generator")
        trained = any(parameter.requires_grad and parameter.ndim > 1 for parameter in trunks[0].parameters())
        if same[1] and trained:
            raise PluginError("another seed gave the same weights: draw them from torch's global generator")


def inputs_are_kept(component: Component) -> None:
    """The items are the same after the call, in training and in evaluation."""
    for ready in _taken(component):
        model = _built(component, ready)
        for training in (True, False):
            model.train(training)
            items = ready.items.clone(memory_format=torch.preserve_format).contiguous(memory_format=model.memory_format)
            with torch.no_grad():
                model.trunk(items)
            if not torch.equal(items, ready.items):
                raise PluginError("it changes what it is given: the items")


def prints_nothing(component: Component) -> None:
    """Building and calling it writes nothing to stdout, where documents go."""
    with nothing_printed(), torch.no_grad():
        for ready in _taken(component):
            _called(_built(component, ready), ready)


def leaves_the_process_alone(component: Component) -> None:
    """Training, judged after each step of one instance, leaves the process as it was before the backbone was built."""
    for form in component.entry.takes:
        for channels, size in _SHAPES[form]:
            ready = _of(form, channels, size)

            answered: list[str] = []

            def run(
                seed: int, ready: _Ready = ready, answered: list[str] = answered, suits: _Suits = (component, channels, size)
            ) -> Iterator[str]:
                training = _Training(component, ready, seed)
                _FOUND.setdefault((id(component), ready.dataset.form), suits)
                yield "once it is built"
                for step in range(_JUDGED_STEPS):
                    training.step(step)
                    answered.append(f"after step {step + 1} of training")
                    yield answered[-1]

            left_alone(run, may_draw=True)
            if answered:
                break


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("features", "of each form that it `takes` it is a module that gives finite fp32 features `[B, F]`", features, first=True),
    Contract("batch", "in evaluation the features of an item do not depend on the others of its batch", items_are_apart),
    Contract("evaluation", "in evaluation it gives the same features again, and changes no weight or buffer", evaluation_changes_nothing),
    Contract("gradient", "in training a gradient, finite and not zero, reaches its parameters", gradient),
    Contract(
        "registered-parameters",
        "what training could move are its `torch.nn.Parameter`s, all of them there when it is built",
        parameters_are_registered,
    ),
    Contract("stages", "where it says its `stages`, they hold each of its parameters once", stages_hold_its_parameters),
    Contract("seeds", "torch's global generator decides its weights: the same seed gives the same, another seed others", seeds_decide),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a backbone, in this order."""
