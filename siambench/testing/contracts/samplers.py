"""What a sampler promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from siambench.components.component import Component
from siambench.errors import PluginError, SiambenchError
from siambench.plugin import SamplerEntry, call_factory
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import OTHER, SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.components import Layout, build_batches
from siambench.training.state import seed_globals

_NAME = "examined"
_STEPS = 10
_LONG = 200
_LAYOUTS = (2, 3, 4, 8)
"""Images per class that losses ask for; a batch of 24 can be cut into slots of each, into pairs and into triplets."""


def _shuffled(labels: Tensor) -> Tensor:
    return labels[torch.randperm(len(labels), generator=torch.Generator().manual_seed(SEED))]


def _ordinary() -> Tensor:
    """Ten classes of eight items each, in no order."""
    return _shuffled(torch.arange(10).repeat_interleave(8))


def _edges() -> Mapping[str, Tensor]:
    return {
        "labels of two classes": _shuffled(torch.arange(2).repeat_interleave(20)),
        "labels of classes of one to nine items": _shuffled(torch.repeat_interleave(torch.arange(9), torch.arange(1, 10))),
        "fewer items than a batch holds": _shuffled(torch.arange(5).repeat_interleave(2)),
        "labels with a class of one item": torch.tensor([0, *[1] * 12, *[2] * 12]),
        "labels of singletons": torch.arange(30),
        "labels of one class": torch.zeros(30, dtype=torch.int64),
    }


def _groups(labels: Tensor) -> Tensor:
    """Three groups of classes, of unequal size."""
    return labels % 3


def _drawn(
    entry: SamplerEntry, labels: Tensor, *, images_per_class: int = 4, steps: int = _STEPS, seed: int = SEED, grouped: bool = True
) -> list[Tensor]:
    layout = Layout(batch_size=24, images_per_class=images_per_class, steps=steps)
    groups = _groups(labels) if grouped else None
    return list(build_batches(entry, labels, layout, name=_NAME, seed=seed, groups=groups)[0])


def batches(component: Component) -> None:
    """On ordinary labels it gives as many batches as there are steps, each of as many indices as a batch holds."""
    for images_per_class in _LAYOUTS:
        with told_where(f"with {images_per_class} images per class"):
            _drawn(component.entry, _ordinary(), images_per_class=images_per_class)


def edge_labels(component: Component) -> None:
    """On odd labels, and without groups, it gives such batches too, or says in a sentence of siambench's own errors why it cannot."""
    cases = [(name, labels, True) for name, labels in _edges().items()]
    for name, labels, grouped in [*cases, ("labels of classes without groups", _ordinary(), False)]:
        with told_where(f"on {name}"):
            try:
                _drawn(component.entry, labels, grouped=grouped)
            except PluginError:
                raise
            except SiambenchError:
                continue


def coverage(component: Component) -> None:
    """In the long run every item is drawn, the first and the last of each class included."""
    labels = _ordinary()
    drawn = torch.cat(_drawn(component.entry, labels, steps=_LONG)).bincount(minlength=len(labels))
    if bool((drawn == 0).any()):
        never = int((drawn == 0).sum())
        raise PluginError(f"{never} of {len(labels)} items never stand in any of {_LONG} batches, among them item {int(drawn.argmin())}")


def seeds_decide(component: Component) -> None:
    """Built twice with generators of one seed, it gives the same batches."""
    found = []
    for _ in range(2):
        seed_globals(SEED)
        found.append(torch.stack(_drawn(component.entry, _ordinary())))
    if not torch.equal(*found):
        raise PluginError("two runs with the same seed gave different batches: it draws from elsewhere than its generator")


def draws_from_its_generator(component: Component) -> None:
    """The global generators are neither moved nor asked: the batches are the same whatever their state."""
    labels = _ordinary()
    draws_nothing(lambda: _drawn(component.entry, labels))
    found = []
    for seed in (SEED, SEED, OTHER):
        seed_globals(seed)
        found.append(torch.stack(_drawn(component.entry, labels)))
    if torch.equal(found[0], found[1]) and not torch.equal(found[0], found[2]):
        raise PluginError("its batches follow a global generator: it must draw from `generator` alone")


def inputs_are_kept(component: Component) -> None:
    """Labels and groups are the same after the batches were drawn."""
    entry: SamplerEntry = component.entry
    given_as = {"labels": _ordinary(), "groups": _groups(_ordinary())}
    before = {name: tensor.clone() for name, tensor in given_as.items()}
    given = {"batch_size": 24, "images_per_class": 4, "steps": _STEPS, "generator": torch.Generator().manual_seed(SEED)}
    for _ in call_factory(entry.build, {**given_as, **given}):
        pass
    for name, tensor in given_as.items():
        if not torch.equal(before[name], tensor):
            raise PluginError(f"it changes what it is given: {name}")


def prints_nothing(component: Component) -> None:
    """Building it and drawing from it writes nothing to stdout, where documents go."""
    with nothing_printed():
        _drawn(component.entry, _ordinary())


def leaves_the_process_alone(component: Component) -> None:
    """Drawing, judged after each batch of one instance, leaves the process as it was before the sampler was built."""

    def run(seed: int) -> Iterator[str]:
        layout = Layout(batch_size=24, images_per_class=4, steps=_STEPS)
        seed_globals(seed)
        given, _ = build_batches(component.entry, _ordinary(), layout, name=_NAME, seed=seed, groups=_groups(_ordinary()))
        yield "once it is built"
        for step, _ in enumerate(given):
            yield f"after batch {step + 1}"
            seed_globals(seed, step)

    left_alone(run, may_draw=True)


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("batches", "it gives `steps` index tensors int64 `[batch_size]`, whatever `images_per_class`", batches, first=True),
    Contract("edge-labels", "so it does of few, uneven or lone items, or it says in a sentence why it cannot", edge_labels),
    Contract("coverage", "in the long run every item is drawn", coverage),
    Contract("determinism", "a generator of the same seed gives the same batches", seeds_decide),
    Contract("own-generator", "it draws from `generator` alone", draws_from_its_generator),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a sampler, in this order."""
