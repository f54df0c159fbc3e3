"""Augmentations that are components: what a track's ``[augment.NAME]`` asks for, after the rules that it has itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from siambench.errors import PluginError, SiambenchError, said
from siambench.identity import seed_of
from siambench.plugin import AugmentationEntry, call_factory
from siambench.spaces import Params


class Augmentations:
    """Some augmentations one after the other, each with a generator of its own: what one draws leaves the others as they are.

    Args:
        entries: by their names, in the order in which items go through them.
        options: of each, resolved.
        seed: that those of the generators are made of.

    Raises:
        PluginError: if a factory gives nothing that can be called.
    """

    def __init__(self, entries: Mapping[str, AugmentationEntry], options: Mapping[str, Params], *, seed: int) -> None:
        self._all: list[tuple[str, Callable[..., Any], Generator]] = []
        for name, entry in entries.items():
            change = call_factory(entry.build, options[name])
            if not callable(change):
                raise PluginError(f"augmentation {name!r} must be something to call, got {type(change).__name__}")
            self._all.append((name, change, Generator().manual_seed(seed_of(seed, "augmentation", name))))

    def __call__(self, items: Tensor) -> Tensor:
        """The items of one batch, each changed for itself.

        Args:
            items: as models take them, [B, …].

        Raises:
            PluginError: if an augmentation raises, or gives something else than as many items of that shape and dtype.
        """
        for name, change, generator in self._all:
            try:
                with torch.no_grad():
                    found = change(items, generator)
            except (SiambenchError, MemoryError, torch.OutOfMemoryError):
                raise
            except (Exception, SystemExit) as error:
                raise PluginError(f"augmentation {name!r} raised {said(error)}") from error
            if not isinstance(found, Tensor):
                raise PluginError(f"augmentation {name!r} must give a tensor, got {type(found).__name__}")
            if (found.shape, found.dtype, found.device) != (items.shape, items.dtype, items.device):
                raise PluginError(f"augmentation {name!r} must give {_told(items)}, as it was given, got {_told(found)}")
            items = found
        return items


def _told(items: Tensor) -> str:
    return f"{str(items.dtype).removeprefix('torch.')} {list(items.shape)} on {items.device}"
