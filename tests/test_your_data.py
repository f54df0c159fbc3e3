"""The four commands by which README.md runs on somebody's own data, as they are printed, on data made here."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

README = Path(__file__).parents[1] / "README.md"
SHORT = ["--trials", "1", "--repetitions", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2", "--json"]
WORDS = ("money", "table", "light", "song", "route", "shirt", "visa", "lamp")


def commands() -> list[list[str]]:
    """What the README prints under its head on own data, without the program's name."""
    block = re.search(r"<!-- run by tests/test_your_data.py -->\n```sh\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return [shlex.split(line)[1:] for line in block[1].splitlines()]


def photos(folder: Path) -> None:
    """Eight classes in four folders of two, and the table of their files."""
    chance = np.random.default_rng(0)
    lines = ["path,label"]
    for number in range(8):
        home = folder / "photos" / f"room{number // 2}" / f"cup{number}"
        home.mkdir(parents=True)
        base = chance.integers(0, 256, (16, 16, 3))
        for item in range(6):
            Image.fromarray(np.clip(base + chance.normal(0, 20, base.shape), 0, 255).astype("uint8")).save(home / f"{item}.png")
            lines.append(f"{(home / f'{item}.png').relative_to(folder)},cup{number}")
    (folder / "photos.csv").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("words", commands(), ids=lambda words: words[2].partition(":")[2])
def test_the_readme_runs_on_own_data_as_printed(siambench, tmp_path, words):
    """Folder with groups, tables of images and of texts, and arrays: each gives a row beside raw and untrained."""
    photos(tmp_path)
    texts = [f"{word} number {item} please,{word}" for word in WORDS for item in range(6)]
    (tmp_path / "questions.csv").write_text("\n".join(["text,label", *texts]), encoding="utf-8")
    chance = np.random.default_rng(1)
    labels = np.repeat(np.arange(8), 6)
    np.savez(tmp_path / "features.npz", features=chance.normal(0, 1, (48, 10)) + labels[:, None], labels=labels)
    done = siambench(*words, *SHORT)
    assert done.returncode == 0, done.stderr
    assert "8 classes" in done.stderr
    rows = {row["method"]: row["scores"]["map@r"]["mean"] for row in json.loads(done.stdout)["rows"]}
    assert {words[words.index("--loss") + 1], "raw", "untrained"} == set(rows)
    assert all(0 < score <= 1 for score in rows.values())
