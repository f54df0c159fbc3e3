"""Images: decoded once by all cores, then read from a map."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from siambench.builtin.datasets.folder import folder
from siambench.data.images import decode

SIZE = 96
BATCH = 128


@pytest.fixture(scope="module")
def photographs(tmp_path_factory, request):
    """A folder of classes with JPEG files of 320 × 240, smooth enough to compress as photographs do."""
    root = tmp_path_factory.mktemp("photographs")
    generator = np.random.default_rng(0)
    for number in range(64 if request.config.getoption("--small") else 2048):
        rough = generator.integers(0, 256, size=(15, 20, 3), dtype=np.uint8)
        (root / f"class-{number % 32:02d}").mkdir(exist_ok=True)
        image = Image.fromarray(rough).resize((320, 240), Image.Resampling.BICUBIC)
        image.save(root / f"class-{number % 32:02d}" / f"{number:04d}.jpg", quality=90)
    return root


def cleared():
    shutil.rmtree(Path(os.environ["SIAMBENCH_CACHE"]) / "decoded", ignore_errors=True)


def test_reading_the_second_time_beside_decoding(photographs, row):
    """A pass over all images in random batches, from the map and from the files; the pixels are the same."""
    cleared()
    dataset = folder(str(photographs), size=SIZE, mode="rgb")
    files = [photographs / name for name in dataset.item_names]
    order = np.random.default_rng(1).permutation(len(files))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

    def mapped():
        return sum(int(dataset.read(batch).sum()) for batch in batches)

    def from_files():
        return sum(int(np.stack([decode(files[index], size=SIZE, mode="rgb") for index in batch]).sum()) for batch in batches)

    mine, other = row(5).pair(
        f"the second pass over {len(files)} JPEG files of 320 × 240, at {SIZE} × {SIZE}",
        "decoding them with PIL",
        aim="≥ 8",
        work=mapped,
        reference=from_files,
    )
    assert mine == other


def test_building_the_cache_beside_one_thread(photographs, row, monkeypatch):
    """The first pass, which decodes and writes the map, by all cores and by one."""
    own = len(os.sched_getaffinity(0))

    def build(cores):
        cleared()
        monkeypatch.setattr("siambench.data.decoded.cores", lambda: cores)
        dataset = folder(str(photographs), size=SIZE, mode="rgb")
        return int(dataset.read(np.arange(len(dataset.labels))).sum())

    mine, other = row(5).pair(
        f"decoding and resizing them into the cache with {own} threads",
        "one thread",
        aim="",
        work=lambda: build(own),
        reference=lambda: build(1),
    )
    assert mine == other
