"""What a miner promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.plugin import EVERY, MinerEntry
from siambench.spaces import Params
from siambench.spec import Method
from siambench.testing.contracts.batches import SIZE, Batch, edge_batches, orders, ordinary_batches, shuffled
from siambench.testing.contracts.blame import nothing_printed, told_where
from siambench.testing.contracts.calls import build_miner, mine
from siambench.testing.contracts.process import SEED, left_alone
from siambench.testing.contracts.spaces import each_has_effect, in_space
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.training.components import check_tuples
from siambench.training.state import seed_globals

_IMAGES_PER_CLASS = 4
_OTHER_STEP = 1000
_JUDGED_STEPS = 10
_MANY = 6000
_EVERY = EVERY.partition(".")[2]


def leaves_the_process_alone(component: Component) -> str | None:
    """Mining, judged after each batch of one instance, leaves the process as it was before the miner was built."""
    if component.name == Method.miner:
        return f"{component.name!r} stands for no mining: the harness never builds it"
    entry: MinerEntry = component.entry

    def run(seed: int) -> Iterator[str]:
        miner = build_miner(entry, {}, seed=seed)
        yield "once it is built"
        for step, batch in zip(range(_JUDGED_STEPS), itertools.cycle(_ordinary()), strict=False):
            mine(miner, batch, step=step, seed=seed)
            yield f"after batch {step + 1}"

    left_alone(run, may_draw=True)
    return None


def tuples(component: Component) -> None:
    """On ordinary batches it gives valid index tensors of the declared form, and on one of them at least one tuple."""
    entry: MinerEntry = component.entry
    found = [_mined(entry, {}, [batch])[0] for batch in _ordinary()]
    if not any(len(part) for parts in found for part in parts):
        raise PluginError("it finds not one tuple on any ordinary batch: nothing would be trained")


def valid_on_edges(component: Component) -> None:
    """Its tuples are valid, or none, on every edge batch."""
    for batch in edge_batches(_IMAGES_PER_CLASS):
        with told_where(f"on {batch.name}"):
            _mined(component.entry, {}, [batch])


def valid_in_space(component: Component) -> str | None:
    """The default lies in the space; there, at the corners and at drawn points it is built, and its tuples are valid."""

    def examine(params: Params) -> None:
        _mined(component.entry, params, _ordinary())

    return in_space(component.entry, examine)


def space_has_effect(component: Component) -> str | None:
    """Each parameter of the space changes the tuples of some batch."""
    entry: MinerEntry = component.entry

    def differ(one: Params, other: Params, rounds: int) -> bool:
        batches = _ordinary() * rounds + (edge_batches(_IMAGES_PER_CLASS) if rounds == 1 else [])
        return not _equal(_mined(entry, one, batches), _mined(entry, other, batches))

    # After how many epochs it is called again is the harness's business.
    names = sorted(set(entry.space) - ({_EVERY} if entry.scope == "training-set" else set()))
    return each_has_effect(entry, names, differ)


def order_is_no_matter(component: Component) -> str | None:
    """It finds the same tuples in whatever order the images of a batch stand."""
    entry: MinerEntry = component.entry
    if not _equal(_mined(entry, {}, _ordinary()), _mined(entry, {}, _ordinary(), first_step=_OTHER_STEP)):
        return "it draws at random: with two seeds it found other tuples in one batch"
    for batch in _ordinary():
        here = _as_sets(_mined(entry, {}, [batch])[0])
        for order in orders(batch.labels, within_classes=True):
            moved = _mined(entry, {}, [shuffled(batch, order)])[0]
            if here != _as_sets([order[part] for part in moved]):
                raise PluginError("on an ordinary batch it finds other tuples when the same images stand in another order")
    return None


def seeds_decide(component: Component) -> None:
    """Built and called twice with the same seeds, it gives the same tuples in the same order."""
    if not _equal(_mined(component.entry, {}, _ordinary()), _mined(component.entry, {}, _ordinary())):
        raise PluginError("two calls with the same seeds gave different tuples: it draws from a generator of its own")


def inputs_are_kept(component: Component) -> None:
    """Embeddings and labels are the same after the call."""
    for batch in _ordinary():
        miner = build_miner(component.entry, {})
        embeddings, labels = functional.normalize(batch.points), batch.labels.clone()
        before = embeddings.clone()
        seed_globals(SEED, 0)
        with torch.no_grad():
            miner(embeddings, labels)
        if not torch.equal(before, embeddings) or not torch.equal(batch.labels, labels):
            raise PluginError(f"it changes what it is given: {'labels' if torch.equal(before, embeddings) else 'embeddings'}")


class _LargestStorage(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The memory of the largest tensor that is made meanwhile, in bytes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.size = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        for one in made if isinstance(made, tuple | list) else (made,):
            if isinstance(one, Tensor):
                self.size = max(self.size, one.untyped_storage().nbytes())
        return made


def memory_follows_the_items(component: Component) -> str | None:
    """Called with some thousand items, it makes no tensor that has even a bit for each two of them."""
    entry: MinerEntry = component.entry
    if entry.scope != "training-set":
        return "it is given batches alone"
    generator = torch.Generator().manual_seed(SEED)
    labels = (torch.arange(_MANY) // _IMAGES_PER_CLASS)[torch.randperm(_MANY, generator=generator)]
    batch = Batch("a training set", torch.randn(_MANY, SIZE, generator=generator), labels)
    miner = build_miner(entry, {})
    with _LargestStorage() as largest:
        found = mine(miner, batch)
    check_tuples(found, labels, gives=entry.gives)
    if largest.size >= _MANY * _MANY // 8:
        megabytes = largest.size / 2**20
        raise PluginError(f"of {_MANY} items it makes a tensor of {megabytes:.0f} MB, which grows with the square of their number")
    return None


def prints_nothing(component: Component) -> None:
    """Building and calling it writes nothing to stdout, where documents go."""
    with nothing_printed():
        _mined(component.entry, {}, _ordinary())


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("tuples", "on an ordinary batch it gives valid tuples of the form that `gives` declares", tuples, first=True),
    Contract("edge-batches", "its tuples are valid, or none, on one class, on singletons and on duplicates", valid_on_edges),
    Contract("space", "it can be built, and its tuples are valid, at the default, at the corners and at drawn points", valid_in_space),
    Contract("space-effect", "each parameter of its space changes the tuples of some batch", space_has_effect),
    Contract("permutation", "it finds the same tuples in whatever order the images stand", order_is_no_matter),
    Contract("determinism", "the same seeds give the same tuples in the same order", seeds_decide),
    Contract("inputs-kept", "it leaves what it is given as it was", inputs_are_kept),
    Contract("memory", "of a training set it makes no tensor with a number for each two items", memory_follows_the_items),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a miner, in this order."""


def _ordinary() -> list[Batch]:
    return ordinary_batches(_IMAGES_PER_CLASS)


def _mined(entry: MinerEntry, params: Params, batches: Sequence[Batch], *, first_step: int = 0) -> list[tuple[Tensor, ...]]:
    miner = build_miner(entry, params)
    found = []
    for step, batch in enumerate(batches):
        indices = mine(miner, batch, step=first_step + step)
        check_tuples(indices, batch.labels, gives=entry.gives)
        found.append(indices)
    return found


def _equal(one: Sequence[tuple[Tensor, ...]], other: Sequence[tuple[Tensor, ...]]) -> bool:
    pairs = zip(itertools.chain.from_iterable(one), itertools.chain.from_iterable(other), strict=True)
    return all(torch.equal(first, second) for first, second in pairs)


def _as_sets(indices: Sequence[Tensor]) -> list[list[tuple[int, ...]]]:
    # Of pairs, the positive and the negative ones are two sets.
    groups = [indices] if len(indices) == 3 else [indices[:2], indices[2:]]
    return [sorted(zip(*(part.tolist() for part in group), strict=True)) for group in groups]
