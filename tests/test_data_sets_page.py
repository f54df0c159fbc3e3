"""docs/data_sets.md is what the entries of the data sets give."""

from __future__ import annotations

import data_sets
import pytest

from siambench.builtin.datasets import siambench_datasets

LINES = data_sets.PAGE.read_text(encoding="utf-8").splitlines()


def test_the_page_is_fresh(monkeypatch, tmp_path):
    """What is committed is what the script writes, whatever lies on this machine."""
    (tmp_path / "faces/s1").mkdir(parents=True)
    (tmp_path / "faces/s2").mkdir()
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    assert data_sets.PAGE.read_text(encoding="utf-8") == data_sets.page()


@pytest.mark.parametrize("name", sorted(siambench_datasets()))
def test_every_data_set_stands_in_it(name):
    """With what it holds, split, licence, files, checksums and source, none of them empty."""
    line = next(line for line in LINES if line.startswith((f"| `{name}` |", f"| `{name}:PATH` |")))
    cells = [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]

    assert len(cells) == 7
    assert all(cells)


def test_another_page_is_told(monkeypatch, tmp_path, capsys):
    """`--check` exits 6 where the page differs or is missing, and 0 where it is the same."""
    assert data_sets.main(["--check"]) == 0
    monkeypatch.setattr(data_sets, "PAGE", tmp_path / "data_sets.md")
    assert data_sets.main(["--check"]) == 6
    assert data_sets.main([]) == 0
    assert data_sets.main(["--check"]) == 0
    assert "python docs/data_sets.py writes it" in capsys.readouterr().err
