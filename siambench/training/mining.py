"""Mining over the training set: it is embedded every so many epochs, and what a miner finds in it feeds the epochs that follow."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Generator, Tensor, nn

from siambench.clock import Clock
from siambench.errors import DivergedError, PluginError
from siambench.evaluation.embedding import embed
from siambench.identity import seed_of
from siambench.plugin import EVERY, MinerEntry
from siambench.tracks.parts import Items
from siambench.training.batches import Batches
from siambench.training.components import as_seen, build_miner, check_tuples, mine, plain
from siambench.training.state import device, seed_globals

if TYPE_CHECKING:
    from siambench.spec import Unit


_ROUNDING = 1e-9
"""A share of the epochs that is a whole number but for this is that number."""


@dataclass(frozen=True)
class Fed:
    """What an epoch is fed.

    Args:
        batches: of its steps.
        tuples: how many mined ones stand in each batch; 0 where the miner found none, None before it was first called.
    """

    batches: Batches
    tuples: int | None


class Mining:
    """Calls the miner of a training set when its time has come, and makes batches of what it finds.

    The warm-up is rounded down to whole epochs, so that there is mining in every training. Where the miner finds nothing, the loss's own
    batches are fed until it is called again.

    Args:
        entry: of the miner.
        unit: that is trained.
        items: that are mined: those which the unit trains on, and no others.
        clock: counts embedding and mining as its phase ``mine``.
    """

    def __init__(self, entry: MinerEntry, unit: Unit, items: Items, *, clock: Clock) -> None:
        assert unit.training is not None
        own = unit.own("miner")
        self._rules, self._name, self._gives, self._seed = unit.training, unit.method.miner, entry.gives, unit.seeds["order"]
        self._miner: Callable[..., Any] = build_miner(entry, own, name=self._name)
        self._items, self._clock = items, clock
        # By epochs and not by steps, of which a final model may take more: it is mined before the epochs that its trial was.
        self._first = 1 + int(float(own.get("warmup", 0.0)) * self._rules.epochs + _ROUNDING)
        self._every = int(unit.params[EVERY])
        self._fed: Fed | None = None

    def feeding(self, epoch: int, network: nn.Module, batches: Batches) -> Fed:
        """What an epoch is fed; the network is in training mode afterwards.

        Args:
            epoch: its number, from 1; to be asked for one after the other.
            network: from items to what the loss is given.
            batches: the loss's own.

        Raises:
            DivergedError: if the embeddings are not finite.
            PluginError: if what the miner gives are no tuples of the training set.
        """
        if epoch >= self._first and (epoch - self._first) % self._every == 0:
            with self._clock.phase("mine"):
                self._fed = self._mined(epoch, network, batches)
        return Fed(batches, None) if self._fed is None else self._fed

    def _mined(self, epoch: int, network: nn.Module, batches: Batches) -> Fed:
        target, labels = device(), torch.from_numpy(self._items.labels)
        embeddings = embed(network, self._items.read, len(self._items), form=self._items.dataset.form, device=target)
        network.train()
        embeddings = as_seen(embeddings, normalise=self._rules.normalise)
        if not bool(torch.isfinite(embeddings).all()):
            raise DivergedError(f"the embeddings of the training set were not finite before epoch {epoch}")
        seed = seed_of(self._seed, "mined", epoch)
        # A miner may draw; steps seed the global generators anew, each for itself.
        seed_globals(seed)
        given = plain(mine(self._miner, embeddings, labels.to(target), name=self._name))
        found = [part.cpu() if isinstance(part, Tensor) else part for part in given]
        try:
            check_tuples(found, labels, gives=self._gives)
        except PluginError as error:
            raise PluginError(f"miner {self._name!r}, called before epoch {epoch}: {error}") from error
        if not any(len(part) for part in found):
            return Fed(batches, 0)
        branches = len(found) if len(found) == 3 else 2
        number = self._rules.batch_size // branches
        order = _in_turn(found, number, torch.Generator().manual_seed(seed))
        return Fed(batches.fed(order, "triplets" if branches == 3 else "pairs"), number)


def _in_turn(found: Sequence[Tensor], number: int, generator: Generator) -> Iterator[Tensor]:
    """Batches of places, branch after branch, without end; of each list each tuple comes once before any comes again.

    Args:
        found: three index tensors int64 [T], or four: of genuine pairs and of impostors.
        number: of tuples in a batch; of pairs half are genuine, where there are both.
        generator: from which the order is drawn.
    """
    if len(found) == 3:
        for at in _shuffled(len(found[0]), number, generator):
            yield torch.cat([part[at] for part in found])
        return
    genuine, impostors = (torch.stack(list(part)) for part in (found[:2], found[2:]))
    near = number // 2 if impostors.shape[1] else number
    one = _shuffled(genuine.shape[1], near if genuine.shape[1] else 0, generator)
    other = _shuffled(impostors.shape[1], number - near if genuine.shape[1] else number, generator)
    for at, off in zip(one, other, strict=True):
        yield torch.cat([genuine[:, at], impostors[:, off]], dim=1).flatten()


def _shuffled(count: int, number: int, generator: Generator) -> Iterator[Tensor]:
    """So many numbers below ``count`` at a time, in orders drawn one after the other."""
    left = torch.empty(0, dtype=torch.int64)
    while True:
        while len(left) < number:
            left = torch.cat([left, torch.randperm(count, generator=generator)])
        yield left[:number]
        left = left[number:]
