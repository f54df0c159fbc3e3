"""Items of which a part is seen, cut out as they are read: a batch takes as much of a device's memory as without crops."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from siambench.data.crops import box_of, cropped
from siambench.data.supply import supply

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.tracks.parts import Items


class CroppedItems:
    """Reads crops of whole images, brought to the shape of the data set's items.

    They are cut and brought to size on the processor, in the 8 bits that they are kept in, which gives the same on every device; on a GPU
    a thread does it ahead, while one batch is computed with.

    Args:
        items: images.
        rules: ``crop`` and ``crop_ratio``.
        device: where they are wanted.
    """

    def __init__(self, items: Items, rules: Mapping[str, Any], device: torch.device) -> None:
        self._items, self._rules, self._device = items, rules, device

    def batches(self, places: Sequence[Tensor], draws: Tensor) -> Iterator[Tensor]:
        """The crops of each batch, fp32 [B, C, H, W] in [0, 1] on the device.

        Args:
            places: of the items, int64 [B] for each batch.
            draws: what was drawn for each, [S, B, 10, 4] in [0, 1).
        """
        shares, chosen = draws.double().cpu().flatten(0, 1).numpy(), torch.cat(list(places)).numpy()

        def read(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
            return np.stack([self._one(int(chosen[number]), shares[number]) for number in numbers])

        way: Literal["direct", "streamed"] = "streamed" if self._device.type == "cuda" else "direct"
        given = supply(read, len(chosen), "images", self._device, way=way)
        # By their number among all of these: of two views of one item each has a crop of its own.
        return given.batches(torch.split(torch.arange(len(chosen)), [len(each) for each in places]))

    def _one(self, position: int, shares: NDArray[np.float64]) -> NDArray[np.uint8]:
        _, height, width = self._items.dataset.shape
        image = self._items.read_whole(position)
        top, left, down, across = box_of(shares, (image.shape[1], image.shape[2]), self._rules)
        # A copy: what lies in a file cannot be written to, and torch says so of every tensor that is made of such an array. As it lies in
        # memory: with channels last, as the cache has them, it is resized faster.
        part = torch.from_numpy(image[:, top : top + down, left : left + across].copy(order="K"))
        found: NDArray[np.uint8] = cropped(part, (0, 0, down, across), (height, width)).numpy()
        return found
