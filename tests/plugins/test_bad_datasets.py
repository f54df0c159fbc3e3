"""Data sets of a plugin that are not what `siambench.interfaces.Dataset` promises are refused before anything trains."""

from __future__ import annotations

import pytest
from plugin_packages import TINY, install, pyproject, write

HEAD = """
from siambench.plugin import DatasetEntry, hookimpl


def made(**changes):
    import numpy as np
    from siambench.interfaces import Dataset

    labels = np.repeat(np.arange(8), 4)
    images = np.random.default_rng(8).integers(0, 256, (len(labels), 1, 12, 16), dtype=np.uint8)
    sound = {
        "labels": labels,
        "read": lambda indices: images[indices],
        "shape": (1, 12, 16),
        "class_names": [f"class {label}" for label in range(8)],
    }
    return Dataset(**{**sound, **{name: change(sound, images, np) for name, change in changes.items()}})


def registered(**changes):
    return DatasetEntry(lambda: made(**changes), source="made for a test")


@hookimpl
def siambench_datasets():
    return {
        "sound": registered(),
"""

FAULTS = {
    "float-images": (
        "read=lambda sound, images, np: lambda indices: (images[indices] / 255).astype(np.float32)",
        "gives images of dtype float32, expected uint8 [B, C, H, W]; float32 arrays that are used as they are have form = 'arrays'",
    ),
    "channels-last": (
        "read=lambda sound, images, np: lambda indices: np.moveaxis(images[indices], 1, 3)",
        "gives images of shape (12, 16, 1), its shape is (1, 12, 16): expected uint8 [B, C, H, W]; channels come first",
    ),
    "said-channels-last": (
        "shape=lambda sound, images, np: (12, 16, 1)",
        "has images of shape (12, 16, 1): channels come first, (C, H, W), it must read uint8 [B, C, H, W]",
    ),
    "wrong-shape": (
        "shape=lambda sound, images, np: (1, 16, 16)",
        "gives images of shape (1, 12, 16), its shape is (1, 16, 16): expected uint8 [B, C, H, W]",
    ),
    "flat": (
        "shape=lambda sound, images, np: (12, 16)",
        "has images of shape (12, 16), expected (C, H, W): it must read uint8 [B, C, H, W]",
    ),
    "wrong-count": (
        "read=lambda sound, images, np: lambda indices: images[indices][1:]",
        ": asked for 32 items it gave images of shape (31, 1, 12, 16), expected uint8 [B, C, H, W] with B = 32",
    ),
    "a-list": (
        "read=lambda sound, images, np: lambda indices: list(images[indices])",
        "must read images as a numpy array uint8 [B, C, H, W], got list",
    ),
    "text-labels": (
        "labels=lambda sound, images, np: np.array([f'class {label}' for label in sound['labels']])",
        ": labels must be int64 [N] in 0 … 7, got <U7 (32,)",
    ),
    "strange-labels": (
        "labels=lambda sound, images, np: sound['labels'] + 1",
        ": labels must be int64 [N] in 0 … 7, got int64 in 1 … 8",
    ),
    "duplicate-classes": (
        "class_names=lambda sound, images, np: [*sound['class_names'][:7], 'class 0']",
        ": class names must be distinct, got 'class 0' twice",
    ),
    "duplicate-items": (
        "item_names=lambda sound, images, np: ['one', *(f'item {n}' for n in range(30)), 'one']",
        ": item names must be distinct, got 'one' twice",
    ),
    "infinite": (
        "form=lambda *_: 'arrays', read=lambda sound, images, np: lambda indices: (1 / np.float32(images[indices] // 255))",
        "gives arrays with ",
    ),
    "beyond-vocabulary": (
        "form=lambda *_: 'tokens', vocabulary=lambda *_: 9, shape=lambda *_: (3,), read=lambda *_: lambda i: i.repeat(3).reshape(-1, 3)",
        "gives tokens in 0 … 31, expected int64 [B, T] in 0 … 8",
    ),
    "raises-when-read": (
        "read=lambda sound, images, np: lambda indices: images[indices + 1]",
        " of bad-data 1.0 cannot be read: IndexError: ",
    ),
}
"""What each data set gives in the place of something sound, and what is said of it."""


@pytest.fixture(scope="module")
def bad_data(tmp_path_factory):
    """A plugin package with a sound data set and one for each fault, installed from its wheel."""
    folder = tmp_path_factory.mktemp("bad_data")
    entries = "".join(f'        "{name}": registered({change}),\n' for name, (change, _) in FAULTS.items())
    files = {"pyproject.toml": pyproject("bad-data", "1.0", {"bad": "bad_data"}), "src/bad_data.py": f"{HEAD}{entries}    }}\n"}
    return install(write(folder / "source", files), folder / "site")


def sit(siambench, monkeypatch, site, name, *arguments):
    monkeypatch.syspath_prepend(site)
    return siambench("run", "--loss", "triplet", "--dataset", name, *TINY, *arguments, "--out", "out", env={"SIAMBENCH_PLUGINS": "bad"})


@pytest.mark.filterwarnings("ignore:divide by zero")
@pytest.mark.parametrize("name", FAULTS)
def test_data_that_is_not_as_promised_is_refused_before_anything_trains(siambench, monkeypatch, bad_data, tmp_path, name):
    """Float images, channels last, a wrong shape or count, text labels, names that come twice …: exit 4, one sentence, no record."""
    done = sit(siambench, monkeypatch, bad_data, name)

    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.startswith(f"siambench: data set '{name}'")
    assert FAULTS[name][1] in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_data_that_the_faults_were_put_into_is_sound(siambench, monkeypatch, bad_data):
    """Without a fault the same data set is planned: each is refused for its one fault alone."""
    done = sit(siambench, monkeypatch, bad_data, "sound", "--plan")

    assert done.returncode == 0, done.stderr
