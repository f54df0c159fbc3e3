"""docs/beside_others.md says of siambench what is there: its numbers, the names that it gives as evidence, and what it lacks."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import KINDS
from siambench.spec import NO_MINER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "beside_others.md"
TEXT = PAGE.read_text(encoding="utf-8")
LIBRARIES = ["siambench", "pytorch-metric-learning", "powerful-benchmarker", "open-metric-learning", "sentence-transformers", "lightly"]
CODE = [*(ROOT / "siambench").rglob("*.py"), *(ROOT / "plugins").rglob("src/**/*.py")]


def table(heading: str) -> dict[str, list[str]]:
    """The cells of each row of the table below a heading, by the row's name."""
    section = TEXT[TEXT.index(f"\n## {heading}\n") :].split("\n## ")[1]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line.startswith("|")]
    assert ["", *LIBRARIES] == head
    return {name: cells for name, *cells in rows}


SAID = table("The table")
READ = table("Where each cell was read")


def terms(evidence: str) -> list[str]:
    """What was looked for and not found."""
    return re.findall(r"`([^`]+)`", evidence.partition("nowhere: ")[2])


def places(evidence: str) -> list[tuple[str, str]]:
    """The files that a cell rests on, each with a name in it."""
    found = [place.partition(":") for place in re.findall(r"`([^`]+)`", evidence.partition("nowhere: ")[0])]
    return [(path, name) for path, _, name in found]


def defined(path: Path) -> set[str]:
    """The names that a module gives to functions, classes and values, at any depth."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
    return found


@cache
def numbers() -> dict[str, list[int]]:
    """The numbers that our cells begin with, or that stand in them, as the catalogue of what ships has them."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    losses, datasets = catalogue.components("losses"), catalogue.components("datasets")
    tracks = list((ROOT / "leaderboards").glob("*/track.toml"))
    wrapping, by_path = sum(loss.entry.wraps for loss in losses), sum(dataset.entry.takes_path for dataset in datasets)
    return {
        "losses by name": [len(losses) - wrapping, wrapping],
        "miners in the batch": [sum(miner.entry.scope == "batch" and miner.name != NO_MINER for miner in catalogue.components("miners"))],
        "samplers by name": [len(catalogue.names("samplers"))],
        "metrics by name": [len(catalogue.names("metrics"))],
        "data sets by name, with their splits": [len(datasets) - by_path],
        "one's own data, without code": [by_path],
        "backbones by name": [len(catalogue.names("backbones"))],
        "components by entry points of other packages": [len(KINDS)],
        "published results": [sum(any(track.parent.glob("records/**/*.json")) for track in tracks), len(tracks)],
    }


@pytest.mark.parametrize("row", numbers())
def test_our_numbers_are_those_of_the_catalogue(row):
    """The numbers in our cell of a row are how many components of that kind ship."""
    assert numbers()[row] == [int(number) for number in re.findall(r"(?<![@`\w])\d+", SAID[row][0])], f"{PAGE.name}, row {row!r}"


def test_no_other_cell_of_ours_begins_with_a_number():
    """A number that nothing holds would go stale: our cells begin with none but those that are compared."""
    assert [row for row, cells in SAID.items() if cells[0][0].isdigit() and row not in numbers()] == []


def test_each_cell_has_its_evidence():
    """Both tables have the same rows and a cell for each library; each cell of evidence names a place, terms, or says what was seen."""
    assert len(SAID) >= 40
    assert list(SAID) == list(READ)
    for row in SAID:
        assert len(SAID[row]) == len(READ[row]) == len(LIBRARIES), row
        assert all(SAID[row]), row
        assert all(READ[row]), row


def test_our_evidence_exists():
    """Each place in our column is a file of the checkout, and defines or holds the name beside it."""
    found = [(row, path, name) for row, cells in READ.items() for path, name in places(cells[0])]
    assert len(found) >= 50
    for row, path, name in found:
        file = ROOT / path
        assert file.is_file(), f"{row}: {path}"
        if file.suffix == ".py":
            assert name in defined(file), f"{row}: {path} defines no {name}"
        else:
            assert name in file.read_text(encoding="utf-8"), f"{row}: {path} does not hold {name}"


def test_what_we_lack_is_nowhere():
    """The terms by which something was found missing in siambench stand in none of its modules: who adds it changes the page."""
    texts = {path: path.read_text(encoding="utf-8").casefold() for path in CODE}
    assert len(texts) >= 100
    for row, cells in READ.items():
        for term in terms(cells[0]):
            found = [str(path.relative_to(ROOT)) for path, text in texts.items() if term.casefold() in text]
            assert [] == found, f"{PAGE.name}, row {row!r}: {term!r} is there now"


def test_each_lack_of_ours_names_terms():
    """A cell of ours that begins with "no", or says what is not there yet, names a term, so that the test above would find what came."""
    lacks = [row for row, cells in SAID.items() if re.search(r"^no\b|\byet\b", cells[0])]
    assert len(lacks) >= 3
    for row in lacks:
        assert terms(READ[row][0]), row


def test_the_page_is_linked_and_its_links_lead_somewhere():
    """The README links the page, and each relative link of the page leads to a file or to a heading of its own."""
    assert "](docs/beside_others.md)" in (ROOT / "README.md").read_text(encoding="utf-8")
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^#+ (.*)$", TEXT, re.MULTILINE)}
    for target in re.findall(r"\]\(([^)]+)\)", TEXT):
        if target.startswith("#"):
            assert target[1:] in headings, target
        elif "://" not in target:
            assert (PAGE.parent / target).exists(), target
