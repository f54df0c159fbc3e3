"""docs/catalogue.md is what `python docs/catalogue.py` writes of the components that ship."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import catalogue
import pytest
from shared import plugin_folder

from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import KINDS
from siambench.errors import DifferenceError

SCRIPT = Path(catalogue.__file__)
BUILTIN = Catalogue.load({"SIAMBENCH_PLUGINS": ""})


def called(script: Path, *arguments: str, **environ: str):
    return subprocess.run(
        [sys.executable, str(script), *arguments], env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=300
    )


def test_the_page_is_fresh():
    """The page that stands in the checkout is the one that the script would write."""
    catalogue.check()


def test_every_component_stands_in_the_table_of_its_kind():
    """Each kind has a heading with its number of components, and below it a row for each, with its name and its source."""
    sections = re.split(r"^## ", catalogue.page(), flags=re.MULTILINE)[1:]
    assert len(KINDS) == len(sections)
    for kind, section in zip(KINDS, sections, strict=True):
        found = BUILTIN.components(kind)
        rows = [line for line in section.splitlines() if line.startswith("| `")]
        assert section.startswith(f"{len(found)} ")
        assert len(found) == len(rows)
        for component, row in zip(found, rows, strict=True):
            assert row.startswith(f"| `{component.name}` | ")
            assert row.endswith(f" | {component.entry.source.replace('](', ']').replace('|', chr(92) + '|')} |")


def test_rows_have_as_many_cells_as_their_head():
    """No text of an entry breaks a table: every row has the head's number of cells, bars within them escaped."""
    for section in re.split(r"^## ", catalogue.page(), flags=re.MULTILINE)[1:]:
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in section.splitlines() if line.startswith("|")}
        assert 1 == len(counts), section[:60]


def test_a_loss_tells_its_space_its_default_and_its_equation():
    """The row of the triplet loss has its margin's default, the bounds of its space, and its equation with the bars escaped."""
    (row,) = [line for line in catalogue.page().splitlines() if line.startswith("| `triplet` | ")]
    entry = BUILTIN.get("losses", "triplet").entry
    space = entry.space["margin"]

    assert f"`margin = {entry.defaults['margin']:g}` [{space.low:g} to {space.high:g}, log]" in row
    assert f"`{entry.equation.replace('|', chr(92) + '|')}`" in row
    assert "further spaces: `reality-check`" in row


def test_a_page_that_is_another_is_told(tmp_path, monkeypatch):
    """With a line changed, and without the page, `check` raises an error of exit code 6 that says how to write it anew."""
    other = tmp_path / "catalogue.md"
    monkeypatch.setattr(catalogue, "PAGE", other)
    with pytest.raises(DifferenceError, match=r"catalogue.md is not what the catalogue gives"):
        catalogue.check()
    other.write_text(catalogue.page().replace("`triplet`", "`triplett`"), encoding="utf-8")
    with pytest.raises(DifferenceError, match=r"write it anew: python docs/catalogue.py"):
        catalogue.check()
    other.write_text(catalogue.page(), encoding="utf-8")
    catalogue.check()

    assert 6 == DifferenceError.exit_code


def test_the_script_exits_6_and_lists_no_plugin(tmp_path):
    """Beside an installed plugin: --check exits 6 without a page; then the page is written as it stands here, and --check is content."""
    site = plugin_folder(tmp_path, "stranger", "", 'return {"strange": LossEntry(lambda: 3, source="made for a test")}')
    script = tmp_path / "catalogue.py"
    script.write_text(SCRIPT.read_text(encoding="utf-8"), encoding="utf-8")
    paths = os.pathsep.join([str(site), str(SCRIPT.parents[1])])
    environ = {"PYTHONPATH": paths, "SIAMBENCH_PLUGINS": "stranger"}
    missing = called(script, "--check", **environ)
    codes = [called(script, **environ).returncode, called(script, "--check", **environ).returncode]

    assert (6, "") == (missing.returncode, missing.stdout)
    assert "catalogue.md is not what the catalogue gives" in missing.stderr
    assert [0, 0] == codes
    assert SCRIPT.with_suffix(".md").read_bytes() == (tmp_path / "catalogue.md").read_bytes()
