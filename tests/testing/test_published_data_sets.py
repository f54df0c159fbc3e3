"""Loaders of published data sets keep the contracts of data sets, on small ones in the real layouts."""

from __future__ import annotations

import dataclasses

import dataset_layouts as layouts
import pytest

from siambench.builtin.datasets import birds_and_cars, face_pairs, lfw, products, siambench_datasets
from siambench.components.component import Component, Provenance
from siambench.testing.contracts import datasets as contracts

EXAMINED = (contracts.loads, contracts.items_are_apart, contracts.parts_hold, contracts.leaves_the_process_alone)


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Small sets of several kinds, where SIAMBENCH_DATA points."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(birds_and_cars, "BIRDS", (4, 14))
    monkeypatch.setattr(products, "SHOP_COUNTS", (4, 5, 2, 3))
    monkeypatch.setattr(lfw, "COUNTS", (6, 13))
    monkeypatch.setattr(face_pairs, "PAIRS", {"cfp-fp": 20})
    data = tmp_path / "data"
    layouts.cub(data)
    layouts.in_shop(data)
    _, digests = layouts.lfw(data)
    for name, md5 in digests.items():
        monkeypatch.setitem(lfw.LISTS, name, dataclasses.replace(lfw.LISTS[name], md5=md5))
    layouts.face_bin(data / "cfp-fp/cfp_fp.bin", [True, False] * 10)


@pytest.mark.parametrize("name", ["cub-200", "in-shop", "lfw", "cfp-fp"])
@pytest.mark.parametrize("examine", EXAMINED, ids=lambda examine: examine.__name__)
def test_they_keep_the_contracts(made, name, examine):
    """What is demanded of any data set: it loads, items do not depend on others, parts are apart, the process is left alone."""
    entry = siambench_datasets()[name]
    smaller = dataclasses.replace(entry, defaults={**entry.defaults, "size": 12}, files=None)
    examine(Component("datasets", name, smaller, Provenance("siambench", "siambench", "0")))
