"""docs/verdicts.md is what the rules give, and the pages that speak of verdicts lead to it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from siambench.verdicts import RULES

ROOT = Path(__file__).parents[1]


def loaded():
    """The script of that page; `import verdicts` would find the folder of tests."""
    spec = importlib.util.spec_from_file_location("verdicts_page", ROOT / "docs" / "verdicts.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


verdicts_page = loaded()


def test_the_page_is_fresh():
    """What is committed is what the script writes."""
    assert verdicts_page.PAGE.read_text(encoding="utf-8") == verdicts_page.page()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_stands_in_it(rule):
    """With its severity, its condition, what it compares with and from where, and its remedy, none of them empty."""
    line = next(line for line in verdicts_page.PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{rule.name}` |"))
    cells = [cell.strip() for cell in line.replace("\\|", "").split("|")[1:-1]]

    assert len(cells) == 5
    assert all(cells)
    assert [cells[1], cells[2], cells[4]] == [rule.severity, rule.condition, rule.remedy]


def test_each_threshold_says_where_it_is_from():
    """Each threshold of a rule stands in the last table once, with its value and its source, and whether it is provisional."""
    page = verdicts_page.PAGE.read_text(encoding="utf-8")
    for rule in RULES:
        for one in rule.thresholds:
            word = "yes" if one.provisional else "no"
            assert page.count(f"| {one.name} | {one.value:g} | {one.source} | {word} |") == 1


def test_another_page_is_told(monkeypatch, tmp_path, capsys):
    """`--check` exits 6 where the page differs or is missing, and 0 where it is the same."""
    assert verdicts_page.main(["--check"]) == 0
    monkeypatch.setattr(verdicts_page, "PAGE", tmp_path / "verdicts.md")
    assert verdicts_page.main(["--check"]) == 6
    assert verdicts_page.main([]) == 0
    assert verdicts_page.main(["--check"]) == 0
    assert "python docs/verdicts.py writes it" in capsys.readouterr().err


@pytest.mark.parametrize("page", ["README.md", "leaderboards/README.md", "plugins/README.md"])
def test_the_other_pages_lead_to_it(page):
    """README, the page on leaderboards and the page on plugins link it."""
    assert "docs/verdicts.md" in (ROOT / page).read_text(encoding="utf-8")
