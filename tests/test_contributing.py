"""CONTRIBUTING.md leads to where things are: each file that it names exists, and every module stands in its table of rooms."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import rooms

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_every_place_that_is_named_exists():
    """The table "to change X, open room Y" has at least twenty lines, and each names a file or folder of the checkout."""
    section = PAGE[PAGE.index("## To change X") : PAGE.index("## The rooms")]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    assert len(lines) >= 20
    for line in lines:
        places = re.findall(r"`((?:siambench|docs)/[^`]+)`", line)
        assert places, line
        for place in places:
            assert (ROOT / place).exists(), place


def test_every_module_stands_in_the_table_of_rooms():
    """The table is what `python docs/rooms.py` gives: every module of every room is there, in the order of the import contract."""
    assert rooms.replaced(PAGE) == PAGE
    for path in (ROOT / "siambench").rglob("*.py"):
        parts = path.relative_to(ROOT / "siambench").with_suffix("").parts
        if parts[-1] != "__init__":
            assert parts[0] in rooms.order()
            assert f"`{'/'.join(parts[1:]) or parts[0]}`" in PAGE, path


def test_the_root_holds_doors_and_ground_alone():
    """`siambench/` has the modules that the design gives it, and rooms; the widest, `interfaces`, `plugin` and `spec`, are packages."""
    found = {path.stem for path in (ROOT / "siambench").glob("*.py")}
    doors = {"__init__", "__main__", "cli", "api", "doctor", "spaces"}
    ground = {"identity", "errors", "machine", "clock", "wording"}
    assert doors | ground == found


def test_a_module_that_nobody_placed_fails_the_contracts(tmp_path):
    """With a stray module beside the others `lint-imports` fails and names it; without it all contracts are kept."""
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed: pip install -e '.[dev]'")
    for name in ("siambench", "tests/allow_list.py", "pyproject.toml"):
        source, target = ROOT / name, tmp_path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "*.npz"))
        else:
            shutil.copyfile(source, target)

    def linted():
        return subprocess.run(
            [lint, "--no-cache"], cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False
        )

    assert linted().returncode == 0
    (tmp_path / "siambench" / "stray.py").write_text('"""Nobody placed it."""\n')
    found = linted()
    assert found.returncode != 0
    assert "stray" in found.stdout
