"""What somebody trains on: batches of pairs, triplets or labelled items, read from a batch or a loader and looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from siambench.diagnosis.guard import OutOfTime, Time, blamed
from siambench.errors import UsageError

Form = Literal["pairs", "triplets", "labels"]

FORMS = "(x1, x2, same), (anchor, positive, negative) or (x, labels)"

MOST_BATCHES = 24
_SECONDS = 12.0
"""How long a loader is read."""


@dataclass(frozen=True)
class Given:
    """One batch.

    Args:
        form: what it holds.
        items: of one branch, two or three, B items each.
        target: of pairs whether they are the same as the user says it, of items their labels, [B] or [B, 1]; of triplets None.
    """

    form: Form
    items: tuple[Tensor, ...]
    target: Tensor | None

    def __len__(self) -> int:
        return len(self.items[0])

    def with_target(self, target: Tensor | None) -> Given:
        """The same items with another target."""
        return Given(self.form, self.items, target)

    def rows(self, places: Tensor) -> Given:
        """Some of its pairs, triplets or items, by their numbers, int64 [N]."""
        return Given(self.form, tuple(each[places] for each in self.items), None if self.target is None else self.target[places])

    @property
    def numbers(self) -> Tensor:
        """The target as int64 [B]; of pairs 1 where it says more than a half."""
        if self.target is None:
            return torch.zeros(len(self), dtype=torch.int64)
        flat = self.target.reshape(len(self), -1)[:, 0]
        return (flat.double() > 0.5).long() if self.form == "pairs" else flat.long()


def read(source: Any, time: Time) -> list[Given]:
    """The batches that are judged: the one that is given, or the first of a loader.

    Args:
        source: a batch, or something that gives batches each time it is iterated over.
        time: that is left.

    Raises:
        UsageError: if it is neither, or a batch holds something else than is expected.
    """
    if _is_batch(source):
        return [_given(source, where="the batch")]
    if isinstance(source, Tensor | str | bytes | Mapping) or not isinstance(source, Iterable):
        raise UsageError(f"a batch must be {FORMS}, or a loader of such batches, got {_told(source)}")
    if iter(source) is source:
        raise UsageError("an iterator would be used up by diagnose: give it the loader itself, or one batch")
    found: list[Given] = []
    try:
        with time.limited(_SECONDS), blamed("the loader"):
            for number, batch in enumerate(source):
                found.append(_given(batch, where=f"batch {number} of the loader"))
                if len(found) == MOST_BATCHES:
                    break
    except OutOfTime:
        if not found:
            raise UsageError(f"the loader gave no batch within {_SECONDS:.0f} s") from None
    if not found:
        raise UsageError("the loader is empty: there is no batch to look at")
    forms = sorted({one.form for one in found})
    if len(forms) > 1:
        raise UsageError(f"the loader gives batches of several forms: {' and '.join(forms)}")
    # The last one of a loader may be cut short.
    return [one for one in found if len(one) == len(found[0])]


def _is_batch(source: Any) -> bool:
    return isinstance(source, list | tuple) and len(source) > 0 and all(not isinstance(each, list | tuple | dict) for each in source)


def _given(batch: Any, *, where: str) -> Given:
    if not isinstance(batch, list | tuple) or len(batch) not in (2, 3):
        number = f" of {len(batch)}" if isinstance(batch, list | tuple) else ""
        raise UsageError(f"{where} must be {FORMS}, got {_told(batch)}{number}")
    parts = [_tensor(each, where=f"part {place} of {where}") for place, each in enumerate(batch)]
    sizes = [len(each) for each in parts]
    if len(set(sizes)) > 1:
        raise UsageError(f"the parts of {where} must hold as many items, got {', '.join(map(str, sizes))}")
    if sizes[0] < 2:
        raise UsageError(f"{where} holds {sizes[0]} items: at least 2 are needed")
    for place, each in enumerate(parts):
        if each.is_floating_point() and not bool(torch.isfinite(each).all()):
            raise UsageError(f"part {place} of {where} holds values that are not finite")
    if len(parts) == 2:
        _check_target(parts[1], "labels", where)
        return Given("labels", (parts[0],), parts[1])
    if _is_target(parts[2]) and not (parts[2].shape == parts[0].shape and parts[0].ndim > 2):
        _check_pairs(parts[2], where)
        return Given("pairs", (parts[0], parts[1]), parts[2])
    return Given("triplets", (parts[0], parts[1], parts[2]), None)


def _is_target(part: Tensor) -> bool:
    return part.numel() == len(part)


def _check_target(part: Tensor, what: str, where: str) -> None:
    if not _is_target(part):
        raise UsageError(f"the {what} of {where} must be [B] with B = {len(part)}, got {list(part.shape)}")


def _check_pairs(part: Tensor, where: str) -> None:
    values = sorted({float(value) for value in part.double().flatten().tolist()})
    if len(values) > 2:
        raise UsageError(f"the labels of pairs in {where} must have two values, such as 0 and 1, got {len(values)} of them")


def _tensor(value: Any, *, where: str) -> Tensor:
    if not isinstance(value, Tensor):
        try:
            value = torch.as_tensor(value)
        except (TypeError, ValueError, RuntimeError):
            raise UsageError(f"{where} must be a tensor, got {_told(value)}") from None
    if value.ndim == 0:
        raise UsageError(f"{where} must hold B items, got a single number")
    if value.is_complex():
        raise UsageError(f"{where} must be of real numbers, got {value.dtype}")
    # A copy: whatever is done with it, the user's stays.
    found: Tensor = value.detach().cpu().clone()
    return found


def _told(value: Any) -> str:
    return f"a tensor {list(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
