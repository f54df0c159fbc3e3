"""What was drawn for labels and a seed, kept for whoever asks next: every model that is scored on one part meets the same draws."""

from __future__ import annotations

import dataclasses
import hashlib
import threading
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from torch import Tensor

_T = TypeVar("_T")


class Kept(Generic[_T]):
    """The last few draws, found by all that they depend on.

    Args:
        most: how many are kept; of more, the one that was asked for longest ago goes.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: dict[Hashable, _T] = {}
        self._lock = threading.Lock()

    def of(self, tensors: Sequence[Tensor | None], rest: Hashable, draw: Callable[[], _T]) -> _T:
        """What ``draw`` gives, or gave before; a copy, so that whoever writes into it changes nobody else's.

        Args:
            tensors: whose content it depends on, and whose device it is on.
            rest: all else that it depends on.
            draw: gives a frozen dataclass of tensors, some of which may be None. What it raises is not kept.
        """
        key = (*(None if each is None else _digest(each) for each in tensors), rest)
        with self._lock:
            found = self._found.pop(key, None)
        if found is None:
            found = draw()
        with self._lock:
            self._found[key] = found
            while len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return _copy(found)


def _digest(tensor: Tensor) -> Hashable:
    content = hashlib.sha256(tensor.detach().cpu().contiguous().numpy().data).digest()
    return content, tuple(tensor.shape), str(tensor.dtype), str(tensor.device)


def _copy(found: _T) -> _T:
    document: Any = found
    held = {each.name: getattr(document, each.name) for each in dataclasses.fields(document)}
    copied: _T = type(document)(**{name: None if value is None else value.clone() for name, value in held.items()})
    return copied
