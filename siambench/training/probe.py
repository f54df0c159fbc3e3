"""The same few training items, embedded again and again while a unit trains, by a copy of its network."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from siambench.data.supply import supply
from siambench.training.components import as_seen
from siambench.training.distances import Margins, described, quantiles, told
from siambench.training.sides import one_after_the_other

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.plugin import LossEntry
    from siambench.spaces import Params
    from siambench.tracks.parts import Items

CLASSES, MOST = 12, 48
"""How many classes a probe holds, and how many items, at most: 32 and 128 would take a hundredth more of a trial of glyphs."""


def chosen(labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of a probe's items, rising: nothing is drawn, so that it is the same wherever it is chosen.

    Of the classes that have two items or more, `CLASSES` that are spaced evenly by their number, and of each as many items, spaced evenly
    by their places, as `MOST` leaves it. Where fewer than two classes have two items, all classes count.

    Args:
        labels: of the items, int64 [N].
    """
    names, counts = np.unique(labels, return_counts=True)
    several = names[counts > 1]
    classes = _spaced(several if len(several) > 1 else names, CLASSES)
    each = MOST // max(1, len(classes))
    return np.sort(np.concatenate([_spaced(np.flatnonzero(labels == name), each) for name in classes]))


def _spaced(values: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most so many of some values, spaced evenly by their places."""
    if len(values) <= most:
        return values
    spaced: NDArray[np.int64] = values[np.arange(most) * len(values) // most]
    return spaced


def margins_of(entry: LossEntry, params: Params) -> Margins:
    """The margins that a loss says it has, and what they are set to; none of one that says nothing.

    Args:
        entry: of the loss.
        params: of the loss's own.
    """
    if entry.fingerprint is None:
        return {}
    values = {**entry.defaults, **params}
    found = [(margin, values.get(margin.parameter)) for margin in entry.fingerprint.margins]
    return {margin.parameter: (margin, float(value)) for margin, value in found if isinstance(value, int | float)}


RECTIFIERS = (nn.ReLU, nn.ReLU6)
"""The modules behind which a unit may be 0 for whatever comes."""


def dead_among(output: Any) -> Tensor | None:
    """Which units behind a rectifier are 0 for all items: of [B, F] each of F, of [B, C, …] each channel at all places; of others None."""
    if not isinstance(output, Tensor) or output.ndim < 2:
        return None
    return output.detach().amax(dim=[place for place in range(output.ndim) if place != 1]) == 0


def most_dead(found: Iterable[Tensor]) -> float | None:
    """The largest share of dead units behind one rectifier: a single layer of which none is left stops what is behind it.

    Args:
        found: of each rectifier what `dead_among` gives, bool [F].
    """
    return max((told(float(dead.double().mean())) or 0.0 for dead in found if len(dead)), default=None)


def told_of_inputs(items: Tensor, labels: Tensor) -> dict[str, float | None]:
    """How far items differ, and whether those of one class are nearer, before any network sees them; None of tokens.

    Args:
        items: of images or arrays, floating [N, …]; of tokens int64 [N, T].
        labels: int64 [N].

    Returns:
        ``input_spread``, 0 where they are all one, and ``input_auc``, as `described` tells both of embeddings.
    """
    if not items.is_floating_point() or len(items) < 2:
        return {"input_spread": None, "input_auc": None}
    found = described(items.double().flatten(1).cpu(), labels, {})
    return {"input_spread": found["spread"], "input_auc": found["auc"]}


class Probe:
    """Looks at how a network embeds a few training items: in evaluation mode, without augmentation and in fp32, as it is judged.

    What embeds them is a copy of the network, which takes over its weights and buffers before each look. So nothing that a module does
    in evaluation mode reaches what is trained: neither to its mode, nor to running statistics, hooks or counters of its own.

    A positive pair is of one class of the data set, whatever the loss is told: also where it is fed views, and not told of classes, or a
    list, which may say otherwise of its rows. Of data without two items of one class there are no positive pairs. Of items of two sides
    both sides are looked at, 2 N of them; nothing is told of what they are before any network sees them, for the two are not of one form.

    Args:
        network: from items to what the loss is given, but for its length.
        items: that are trained on, their labels known.
        normalise: whether the loss sees embeddings of unit length.
        margins: of the loss.
        device: where the network is.
        memory_format: how it takes its items.
    """

    def __init__(
        self,
        network: nn.Module,
        items: Items,
        *,
        normalise: bool,
        margins: Margins,
        device: torch.device,
        memory_format: torch.memory_format = torch.contiguous_format,
    ) -> None:
        places = chosen(items.labels)
        self._sides = bool(items.dataset.sides)
        labels = torch.from_numpy(items.labels[places])
        self._labels, self._normalise, self._margins = labels.repeat(2) if self._sides else labels, normalise, margins
        given = supply(items.read, len(items), items.dataset.form, device, way="direct")
        self._items = next(iter(given.batches([torch.from_numpy(places)]))).contiguous(memory_format=memory_format)
        self._network, self._copy = network, copy.deepcopy(network)
        self._looked = False
        self._dead: list[Tensor] = []
        for module in self._copy.modules():
            if isinstance(module, RECTIFIERS):
                module.register_forward_hook(self._looked_at)
        self._before: Tensor | None = None

    def look(self) -> dict[str, Any]:
        """What the network is like now: the fields of `siambench.interfaces.Measures` that tell of the probe."""
        raw = self._embedded()
        found: dict[str, Any] = {"dead_units": most_dead(self._dead)}
        if not self._looked and not self._sides:
            found |= told_of_inputs(self._items, self._labels)
        self._looked = True
        # Two forms of one thing: what is told of lengths is told of them as they are given.
        seen, lengths = as_seen(raw, normalise=self._normalise).double(), raw.double().norm(dim=1)
        before, self._before = self._before, None
        if not bool(torch.isfinite(seen).all() & torch.isfinite(lengths).all()):
            return {**found, "finite": False}
        self._before = seen
        found["norms"] = quantiles(lengths)
        if before is not None:
            found["moved"] = told(float((seen - before).norm(dim=1).mean()))
        return found | (described(seen, self._labels, self._margins) if len(seen) > 1 else {})

    def _embedded(self) -> Tensor:
        """Embeddings of the probe as the network gives them, fp32 [N, D] on the CPU."""
        self._dead.clear()
        with torch.no_grad():
            for mine, theirs in (
                (self._copy.parameters(), self._network.parameters()),
                (self._copy.buffers(), self._network.buffers()),
            ):
                for kept, value in zip(mine, theirs, strict=True):
                    kept.copy_(value)
            # Each time: what a module does to its own mode is done to the copy's.
            embeddings: Tensor = self._copy.eval()(self._items)
        return (one_after_the_other(embeddings) if self._sides else embeddings).float().cpu()

    def _looked_at(self, _module: nn.Module, _inputs: tuple[Any, ...], output: Any) -> None:
        dead = dead_among(output)
        if dead is not None:
            self._dead.append(dead)
