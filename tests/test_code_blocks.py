"""The blocks of code in the documentation hold: each is run on small data, unless the line before it says why not.

Of `siambench run` the plan is made, which resolves every name, option and file that stands there; the slow test trains on a tiny track.
"""

from __future__ import annotations

import contextlib
import io
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[1]
WRITTEN = {"catalogue.md", "losses.md", "verdicts.md", "data_sets.md"}
PAGES = [
    ROOT / "README.md",
    *sorted(page for page in (ROOT / "docs").rglob("*.md") if page.name not in WRITTEN and page.parent.name != "reference"),
    ROOT / "configs" / "README.md",
    ROOT / "leaderboards" / "README.md",
]
NAMED = re.compile(r"`(\w+\.py)`:$")
LANGUAGES = ("sh", "console", "python")


@dataclass(frozen=True)
class Block:
    """A block of code: on which page, where it begins, its language, its lines, and what stands before it."""

    page: Path
    line: int
    language: str
    code: tuple[str, ...]
    before: str

    def __str__(self):
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def mark(self):
        """Why it is not run here, or by which test it is."""
        found = re.fullmatch(r"<!-- (not run: .+|run by \S+) -->", self.before)
        return None if found is None else found[1]


def blocks():
    for page in PAGES:
        lines, fence, begun = page.read_text(encoding="utf-8").splitlines(), "", 0
        for number, line in enumerate(lines):
            mark = re.match(r"(`{3,})(\w*)", line)
            if not fence and mark:
                fence, language, begun = mark[1], mark[2], number
            elif fence and line == fence:
                fence = ""
                # What a file is called may stand in the sentence before.
                before = next((one for one in reversed(lines[:begun]) if one.strip()), "")
                if language in LANGUAGES:
                    yield Block(page, begun + 1, language, tuple(lines[begun + 1 : number]), before)


BLOCKS = list(blocks())
RUN = [block for block in BLOCKS if block.mark is None]


def test_there_are_blocks_and_those_that_are_not_run_say_why():
    """There are more than twenty blocks, most of which are run; another test that runs one is there and names the page."""
    assert len(BLOCKS) > 20
    assert sum(block.mark is not None and block.mark.startswith("not run: ") for block in BLOCKS) < len(BLOCKS) / 2
    for block in BLOCKS:
        if block.mark and block.mark.startswith("run by "):
            assert block.page.name in (ROOT / block.mark.removeprefix("run by ")).read_text(encoding="utf-8"), block


@pytest.fixture
def place(tmp_path):
    """A folder with the files that the pages speak of: faces, tables, lists, embeddings."""
    random = np.random.default_rng(0)
    names = []
    for c in range(8):
        base = random.integers(40, 200, (8, 8))
        for k in range(4):
            path = tmp_path / "faces" / f"s{c + 1}" / f"{k}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((base + random.integers(-9, 10, (8, 8))).astype(np.uint8)).save(path)
            names.append((c, f"s{c + 1}/{k}.png"))
    table(tmp_path / "faces.csv", "path,label", [f"faces/{name},s{c + 1}" for c, name in names])
    table(tmp_path / "questions.csv", "text,label,group", [f"what is {k} of {c},c{c},g{c // 2}" for c in range(8) for k in range(4)])
    table(tmp_path / "captions.csv", "path,text,label", [f"faces/{name},face {name[-5]} of {c},s{c}" for c, name in names])
    table(tmp_path / "bought.csv", "user_age,user_size,item,label", [f"{c},{k},thing {c},c{c}" for c in range(8) for k in range(4)])
    near = [(names[4 * c + k][1], names[4 * c + (k + 1) % 4][1], names[(4 * c + 5) % 32][1]) for c in range(8) for k in range(4)]
    table(tmp_path / "mined.csv", "anchor,positive,negative", [",".join(row) for row in near])
    table(tmp_path / "pairs.csv", "left,right,same", [f"{a},{b},1" for a, b, _ in near] + [f"{a},{c},0" for a, _, c in near])
    points, labels = random.normal(size=(32, 8)), np.array([f"c{c}" for c, _ in names])
    items = np.array([f"p{c}/p{c}_{k + 1:04d}" for c in range(8) for k in range(4)])
    np.savez(tmp_path / "mine.npz", embeddings=points, labels=labels, names=items)
    np.savez(tmp_path / "seen.npz", first=points, second=points[:, ::-1], labels=labels)
    folds = [f"p{2 * f}\t1\t{k}\np{2 * f + 1}\t2\t{k + 1}" for f in range(4) for k in (3,)]
    unlike = [f"p{2 * f}\t1\tp{2 * f + 1}\t{k}" for f in range(4) for k in (1, 2)]
    rows = [line for f in range(4) for line in [*folds[f].splitlines(), *unlike[2 * f : 2 * f + 2]]]
    (tmp_path / "pairs.txt").write_text("4\t2\n" + "\n".join(rows) + "\n")
    (tmp_path / "mine.py").write_text(next("\n".join(b.code) for b in BLOCKS if "class MyLoss(torch.nn.Module):" in b.code))
    return tmp_path


def table(path, head, rows):
    path.write_text("\n".join([head, *rows]) + "\n")


def commands(block):
    """The commands of a block, each with the lines that it is shown to print."""
    found = []
    for line in block.code:
        if block.language == "sh" and line.strip():
            found.append((line.partition("  #")[0], []))
        elif line.startswith("$ "):
            found.append((line[2:], []))
        elif found:
            found[-1][1].append(line)
    return found


def called(siambench, place, line, *more, fails=False):
    """Run one command of siambench as a shell would: words, variables before it, a file that its output goes to."""
    words, target = shlex.split(line), None
    if len(words) > 2 and words[-2] == ">":
        words, target = words[:-2], words[-1]
    variables = {}
    while "=" in words[0]:
        name, _, value = words.pop(0).partition("=")
        variables[name] = value
    assert "siambench" == words[0], f"{line}: run it, or say before the block why not"
    done = siambench(*words[1:], *more, cwd=place, env=variables)
    assert fails == (done.returncode != 0), f"{line}: {done.stderr}"
    assert done.returncode in range(7)
    if target is not None:
        (place / target).write_text(done.stdout)
    return done


@pytest.mark.parametrize("block", [block for block in RUN if block.language != "python"], ids=str)
def test_commands_work(block, siambench, place):
    """Each command exits 0, or as its shown error, and prints what stands below it; `siambench run` is planned."""
    found = commands(block)
    assert found
    for line, printed in found:
        is_run = re.search(r"\bsiambench run\b", line)
        plan = ["--plan"] if is_run and "--plan" not in line else []
        done = called(siambench, place, line, *plan, fails=any(one.startswith("siambench: ") for one in printed))
        said = [one.strip() for one in (done.stdout + done.stderr).splitlines()]
        for one in printed:
            assert one.strip() in said, f"{line}: {one!r} is not in {said}"


@pytest.mark.parametrize("block", [block for block in RUN if block.language == "python"], ids=str)
def test_python_runs(block, place, monkeypatch):
    """Each block of Python runs as it stands there; what the page says to save as a file is one."""
    code = "\n".join(block.code) + "\n"
    named = NAMED.search(block.before)
    monkeypatch.chdir(place)
    if named is not None:
        Path(named[1]).write_text(code)
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, str(block), "exec"), {"__name__": "__main__"})  # it is ours


@pytest.mark.slow
@pytest.mark.parametrize("block", [block for block in RUN if any("siambench run" in line for line in block.code)], ids=str)
def test_runs_run(block, siambench, place, tiny_track):
    """Each `siambench run` trains, on a tiny track where none is named, with one trial and one final model."""
    for line, _ in commands(block):
        if "siambench run" not in line or "--engine dask" in line or "--feed views" in line:
            continue
        quick = ["--trials", "1", "--repetitions", "1", "--set", "training.epochs=1", "--set", "training.batch_size=16"]
        track = [] if "--track" in line or "--dataset" in line else ["--track", str(tiny_track)]
        called(siambench, place, line.replace(" --plan", ""), *track, *quick)


def test_shell_commands_parse():
    """Each block for a shell is one: bash reads it without running it."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    for block in BLOCKS:
        if block.language != "python":
            text = "\n".join(line for line, _ in commands(block))
            done = subprocess.run(["bash", "-n"], input=text, capture_output=True, text=True, check=False)
            assert 0 == done.returncode, f"{block}: {done.stderr}"


def test_python_blocks_parse():
    """Each block of Python is Python, run or not."""
    for block in BLOCKS:
        if block.language == "python":
            compile("\n".join(block.code), str(block), "exec")
    assert sys.version_info >= (3, 11)
