from __future__ import annotations

import hashlib

import numpy as np
import pytest

from siambench_timeseries import pigs


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """No test sees the data and caches of the machine."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("SIAMBENCH_PLUGINS", raising=False)
    monkeypatch.setattr(pigs, "PACKAGE", "no_such_package")


@pytest.fixture
def made(tmp_path, monkeypatch):
    """Both files as the archive has them, with made-up values: each pig has a rhythm of its own; gives the values by file."""
    folder = tmp_path / "data" / "pig-cvp"
    folder.mkdir(parents=True)
    generator, time, held = np.random.default_rng(5), np.arange(pigs.LENGTH), {}
    for file, each in (("TRAIN", 2), ("TEST", 4)):
        labels = generator.permutation(np.repeat(np.arange(1, 53), each))
        waves = np.sin(2 * np.pi * (5 + labels[:, None]) * time / pigs.LENGTH + generator.uniform(0, 6, (len(labels), 1)))
        values = 3 + labels[:, None] / 10 + waves + generator.normal(0, 0.5, waves.shape)
        text = "\n".join("   ".join(f"{number:.7e}" for number in (label, *row)) for label, row in zip(labels, values, strict=True))
        (folder / f"PigCVP_{file}.txt").write_text(f"   {text}\n")
        held[file] = labels, values
        monkeypatch.setitem(pigs.SHA256, file, hashlib.sha256((folder / f"PigCVP_{file}.txt").read_bytes()).hexdigest())
    return held
