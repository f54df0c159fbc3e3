"""docs/reality_check.md says of our tracks what their files say, and docs/published.md stands beside tables, never in them."""

from __future__ import annotations

import csv
import json
import re
import tomllib
from pathlib import Path

import pytest

from siambench.builtin.losses import siambench_losses

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "reality_check.md").read_text(encoding="utf-8")
PUBLISHED = (ROOT / "docs" / "published.md").read_text(encoding="utf-8")
TRACKS = sorted(path.parent.name for path in (ROOT / "leaderboards").glob("*-reality-check/track.toml"))
OTHERWISE = {"schema", "name", "version", "title", "notes", "dataset.name"}
"""Keys that say nothing of what is done."""

ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in PAGE.splitlines() if line.startswith("|")][2:]
BY_KEY = {row[2].strip("`"): row for row in ROWS}


def rules_of(name):
    """A track's file."""
    return tomllib.loads((ROOT / "leaderboards" / name / "track.toml").read_text(encoding="utf-8"))


def flat(rules, above=""):
    """Its keys with dots and their values; a range of the space is one value."""
    found = {}
    for key, value in rules.items():
        place = f"{above}{key}"
        if isinstance(value, dict) and not {"low", "high"} <= set(value):
            found |= flat(value, f"{place}.")
        else:
            found[place] = value
    return found


def told(value):
    """A value as the page shows it."""
    if isinstance(value, dict):
        return f"{'log ' if value.get('log') else ''}{json.dumps([value['low'], value['high']])}, default {value['default']}"
    return value if isinstance(value, str) else json.dumps(value)


@pytest.mark.parametrize("name", TRACKS)
def test_every_key_of_a_track_stands_in_the_page_with_its_value(name):
    """Nothing that a track of the Reality Check sets is left out beside the authors' configuration, and each value is the file's."""
    rules = {key: value for key, value in flat(rules_of(name)).items() if key not in OTHERWISE}

    assert set(BY_KEY) == set(rules)
    assert {key: row[3] for key, row in BY_KEY.items()} == {key: told(value) for key, value in rules.items()}


def test_there_is_a_track_for_each_data_set_and_each_row_says_whether_it_is_the_same():
    """Four tracks, and of no line it is left open whether it is the authors'."""
    assert len(TRACKS) == 4
    assert all(len(row) == 5 and all(row) for row in ROWS)
    assert len(BY_KEY) == len(ROWS)


def figures():
    """The rows of published figures of the Reality Check: name of a loss, and three figures."""
    return re.findall(r"^\| [^|]+ \| `([a-z-]+)` \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", PUBLISHED, flags=re.MULTILINE)


def test_published_figures_bear_names_that_a_comparison_here_has():
    """Each published loss is one of ours, and stands in the comparisons of the three tracks beside which the page is."""
    names = {name for name, *_ in figures()}
    assert len(names) == 10
    assert names <= set(siambench_losses())
    for data in ("cub-200", "cars-196", "sop"):
        methods = tomllib.loads((ROOT / "configs" / f"{data}-reality-check.toml").read_text(encoding="utf-8"))["methods"]
        compared = {loss for method in methods for loss in (method["loss"] if isinstance(method["loss"], list) else [method["loss"]])}
        assert names <= compared


def test_no_published_figure_stands_in_a_table_of_ours():
    """A table of ours holds rows of records alone: without records it has none, whatever others have published."""
    for name in (*TRACKS, "cub-200", "cars-196", "sop", "in-shop", "lfw"):
        folder = ROOT / "leaderboards" / name
        if not list((folder / "records").glob("*.json")):
            with (folder / "table.csv").open(encoding="utf-8", newline="") as file:
                assert list(csv.DictReader(file)) == []


def test_the_pages_are_reached_from_those_of_the_tracks():
    """Whoever reads a track of the Reality Check finds both pages, and they each other."""
    for name in TRACKS:
        notes = rules_of(name)["notes"]
        assert "docs/reality_check.md" in notes
        assert "docs/published.md" in notes
    assert "](published.md)" in PAGE
    assert "](reality_check.md)" in PUBLISHED
    assert "](docs/published.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
