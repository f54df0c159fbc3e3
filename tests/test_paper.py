"""docs/paper.md, from a loss in a file to the paper's table: its commands, one after the other, on a tiny track in the place of glyphs."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
SMALL = ("--trials", "2", "--repetitions", "1")


def commands():
    """The commands of the page in their order, each with the file that its output goes to."""
    found = []
    for block in re.findall(r"```sh\n(.*?)```", (DOCS / "paper.md").read_text(encoding="utf-8"), flags=re.DOTALL):
        for line in block.splitlines():
            command, _, target = line.partition(" > ")
            found.append((shlex.split(command), target))
    return found


def test_the_page_goes_all_the_way():
    """From the check to what a reviewer runs: all five commands stand there, in this order."""
    first = list(dict.fromkeys(words[1] for words, _ in commands()))

    assert first == ["check", "run", "leaderboard", "plot", "show", "reproduce"]


@pytest.mark.slow
def test_each_command_works_after_the_one_before_it(siambench, tmp_path, tiny_track):
    """With a small budget on a tiny track all exit 0; the files are what they are called, and hold the row; a reviewer gets them too."""
    loss = re.search(r"```python\n(.*?)```", (DOCS / "your_loss.md").read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    (tmp_path / "mine.py").write_text(loss)
    for words, target in commands():
        asked = [str(tiny_track) if word == "glyphs" else word for word in words[1:]]
        more = ["--track", str(tiny_track), *SMALL, "--jobs", "1"] if asked[0] == "run" else []
        done = siambench(*asked, *more)
        assert 0 == done.returncode, f"{words}: {done.stderr}"
        if target:
            (tmp_path / target).write_text(done.stdout)
    assert "MyLoss" in (tmp_path / "glyphs.tex").read_text()
    assert "mine.py:MyLoss" in (tmp_path / "glyphs.html").read_text()
    assert "mine.py:MyLoss" in (tmp_path / "glyphs.csv").read_text()
    assert all((tmp_path / name).read_bytes().startswith(b"%PDF") for name in ("scores.pdf", "trials.pdf"))
    assert "results identical" in done.stderr
