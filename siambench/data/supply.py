"""Items on the device, batch after batch: read as they are wanted, whole in its memory, or read ahead beside what is computed."""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import torch
from torch import Tensor

from siambench.data.transforms import to_float

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.spec import Form

    Read = Callable[[NDArray[np.int64]], NDArray[Any]]

RESIDENT_SHARE = 0.25
"""Of the free memory of a GPU, what the items of one part may take; the rest is for the model, and for other units beside it."""

_AHEAD = 2
"""Batches that are read while one is computed with, each into a buffer of its own."""

_BLOCK = 1024
"""Items that are read at once on their way into a GPU's memory."""

_LOOK = 0.1
"""Seconds between two looks of a reader that waits at whether it is still wanted."""


class Supply(Protocol):
    """Gives the items of one part, batch after batch."""

    def batches(self, places: Sequence[Tensor]) -> Iterator[Tensor]:
        """A batch of items for each tensor of places.

        Args:
            places: int64 [B] each, on the CPU.

        Returns:
            Images fp32 [B, C, H, W] in [0, 1], arrays fp32 [B, …] as they are, tokens int64 [B, T]; on the device.
        """


def supply(
    read: Read, size: int, form: Form, device: torch.device, *, way: Literal["direct", "resident", "streamed"] | None = None
) -> Supply:
    """What gives the items of a part on a device.

    On a CPU they are read as they are wanted. On a GPU they are kept whole in its memory, as they were read, where they take no more
    than `RESIDENT_SHARE` of what is free there; else a thread reads them ahead into pinned memory, and a stream of its own copies them.

    Args:
        read: items by their places, as a data set reads them.
        size: how many there are.
        form: what they are.
        device: where they are wanted.
        way: one of the three, whatever the device; None: as above.
    """
    if way is None:
        way = "direct" if device.type != "cuda" else "resident" if _fits(read, size, device) else "streamed"
    if way == "resident":
        try:
            return _Resident(read, size, form, device)
        except torch.OutOfMemoryError:
            # Others on the same GPU have been faster.
            way = "streamed"
    return _Direct(read, form, device) if way == "direct" else _Streamed(read, form, device)


def _fits(read: Read, size: int, device: torch.device) -> bool:
    free, _ = torch.cuda.mem_get_info(device)
    return size > 0 and read(np.zeros(1, dtype=np.int64)).nbytes * size <= RESIDENT_SHARE * free


def _as_taken(items: Tensor, form: Form) -> Tensor:
    return to_float(items) if form == "images" else items


class _Direct:
    def __init__(self, read: Read, form: Form, device: torch.device) -> None:
        self._read, self._form, self._device = read, form, device

    def batches(self, places: Sequence[Tensor]) -> Iterator[Tensor]:
        for chosen in places:
            items = torch.from_numpy(np.ascontiguousarray(self._read(chosen.numpy())))
            yield _as_taken(items.to(self._device), self._form)


class _Resident:
    def __init__(self, read: Read, size: int, form: Form, device: torch.device) -> None:
        self._form, self._device = form, device
        streamed = _Streamed(read, form, device)
        blocks = torch.split(torch.arange(size), _BLOCK)
        self._items: Tensor | None = None
        for block, items in zip(blocks, streamed.raw(blocks), strict=True):
            if self._items is None:
                self._items = torch.empty((size, *items.shape[1:]), dtype=items.dtype, device=device)
            self._items[block[0] : block[0] + len(block)] = items

    def batches(self, places: Sequence[Tensor]) -> Iterator[Tensor]:
        if not places:
            return
        assert self._items is not None
        # One copy of all places, instead of one for each batch.
        chosen = torch.split(torch.cat(list(places)).to(self._device), [len(each) for each in places])
        for each in chosen:
            yield _as_taken(self._items[each], self._form)


class _Streamed:
    """A thread reads ahead. On a GPU it reads into pinned buffers in turn, and has a stream of its own copy them."""

    def __init__(self, read: Read, form: Form, device: torch.device) -> None:
        self._read, self._form, self._device = read, form, device
        self._stream = torch.cuda.Stream(device) if device.type == "cuda" else None  # type: ignore[no-untyped-call]

    def batches(self, places: Sequence[Tensor]) -> Iterator[Tensor]:
        for items in self.raw(places):
            yield _as_taken(items, self._form)

    def raw(self, places: Sequence[Tensor]) -> Iterator[Tensor]:
        """The items as they were read, on the device."""
        given: queue.Queue[tuple[Tensor, Any] | BaseException] = queue.Queue(maxsize=_AHEAD)
        left = threading.Event()
        reader = threading.Thread(target=self._read_ahead, args=(places, given, left), name="siambench-reader", daemon=True)
        reader.start()
        try:
            for _ in places:
                found = given.get()
                if isinstance(found, BaseException):
                    raise found
                items, copied = found
                if copied is not None:
                    # The device waits for the copy, the processor for nothing; and the memory is not given away before it was used.
                    torch.cuda.current_stream(self._device).wait_event(copied)
                    items.record_stream(torch.cuda.current_stream(self._device))
                yield items
        finally:
            # Nobody reads on, and no thread is left, however the loop was left.
            left.set()
            reader.join()

    def _read_ahead(self, places: Sequence[Tensor], given: queue.Queue[tuple[Tensor, Any] | BaseException], left: threading.Event) -> None:
        buffers: list[tuple[Tensor, Any] | None] = [None] * (_AHEAD + 1)
        try:
            for number, chosen in enumerate(places):
                items = torch.from_numpy(np.ascontiguousarray(self._read(chosen.numpy())))
                found: tuple[Tensor, Any] = (items, None)
                if self._stream is not None:
                    slot = number % len(buffers)
                    found = self._copied(items, buffers[slot])
                    buffers[slot] = (self._buffer, found[1])
                if not _put(given, found, left):
                    return
        except BaseException as error:  # noqa: BLE001  whatever reading raises is raised again where the items are wanted
            _put(given, error, left)

    def _copied(self, items: Tensor, before: tuple[Tensor, Any] | None) -> tuple[Tensor, Any]:
        """The items on the GPU, and what tells that they have arrived there."""
        if before is not None:
            # What was in the buffer has to be on the GPU before it is written over.
            before[1].synchronize()
        if before is None or before[0].numel() < items.numel() or before[0].dtype != items.dtype:
            self._buffer = torch.empty(items.numel(), dtype=items.dtype, pin_memory=True)
        else:
            self._buffer = before[0]
        pinned = self._buffer[: items.numel()].view(items.shape)
        pinned.copy_(items)
        with torch.cuda.stream(self._stream):
            there = pinned.to(self._device, non_blocking=True)
            return there, torch.cuda.current_stream(self._device).record_event()


def _put(given: queue.Queue[tuple[Tensor, Any] | BaseException], found: tuple[Tensor, Any] | BaseException, left: threading.Event) -> bool:
    while not left.is_set():
        with contextlib.suppress(queue.Full):
            given.put(found, timeout=_LOOK)
            return True
    return False
