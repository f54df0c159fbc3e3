"""What pictures are drawn from, as a file: read back as it was written, and refused where it is damaged."""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from siambench.errors import RecordError
from siambench.identity import canonical, digest, to_json
from siambench.records.folder import Folder
from siambench.records.unit_figures import (
    Answer,
    Class,
    Distances,
    EmbeddingMap,
    ErrorRates,
    Item,
    OfGroup,
    UnitFigures,
    Verification,
    load,
    write,
)

FIGURES = UnitFigures(
    unit="a" * 64,
    outcome="b" * 64,
    dataset="glyphs",
    distance="cosine",
    models=1,
    attribute="script",
    classes=(Class(3, "<b>&", "Thai"), Class(8, "ก", None)),
    items=(Item(7, 0, None, "both"), Item(9, 1, "x/y.png", "query", "AAAA"), Item(11, 1, "z", "gallery")),
    verification=Verification(
        "drawn",
        *(2, 3),
        0.25,
        0.5,
        ErrorRates((-0.1, 0.5, 1.0), (0.0, 0.25, 1.0), (1.0, 0.25, 0.0)),
        Distances(0.0, 2.0, (1, 1), (0, 3)),
        (OfGroup("Thai", 2, 3, 0.25),),
    ),
    map=EmbeddingMap((0, 1, 2), (0.5, -0.25, -0.25), (0.0, 0.1, -0.1), (0.9, 0.1)),
    answers=(Answer(1, (0, 2), (0.1, 0.3)),),
)


def document(path):
    return json.loads(path.read_text(encoding="utf-8"))


def rewritten(path, change):
    """The file with another content of its figures, and a digest that vouches for it."""
    found = document(path)
    change(found["figures"])
    found["digest"] = digest(found["figures"])
    path.write_text(canonical(found) + "\n", encoding="utf-8")
    return path


def test_what_is_written_is_read_back(tmp_path):
    """All fields, those that are missing among them, and the name of the file is that of the unit."""
    path = write(tmp_path, FIGURES)
    assert path.name == f"{'a' * 64}.json"
    assert load(path) == FIGURES
    bare = dataclasses.replace(FIGURES, verification=None, map=None, answers=(), attribute=None)
    assert load(write(tmp_path, bare)) == bare


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda f: f.update(colour="red"), "unknown key 'figures.colour'"),
        (lambda f: f.pop("map"), "the key 'figures.map' is missing"),
        (lambda f: f.update(models="1"), "figures.models: input should be a valid integer"),
        (lambda f: f["map"]["items"].append(2), "columns that belong together are of different lengths"),
        (lambda f: f["items"][0].update(label=5), "an item or a class is pointed to that is not there"),
        (lambda f: f["answers"][0].update(query=-1), "an item or a class is pointed to that is not there"),
        (lambda f: f.update(unit="c" * 64), "it holds the figures of cccccccccccccccc…"),
    ],
    ids=["unknown", "missing", "type", "lengths", "class", "place", "other unit"],
)
def test_a_file_of_another_form_is_refused(tmp_path, change, said):
    """A key too many, one too few, another type, columns that do not fit, a place that is not there, another unit: one sentence each."""
    path = rewritten(write(tmp_path, FIGURES), change)
    with pytest.raises(RecordError, match=path.name) as refused:
        load(path)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b'{"schema":2}', b"9" * (1 << 21)], ids=repr)
def test_a_file_that_holds_something_else_is_refused(tmp_path, content):
    """Nothing, half a document, a list, bytes that are no text, another schema, too much: a RecordError, nothing else."""
    path = tmp_path / f"{'a' * 64}.json"
    path.write_bytes(content)
    with pytest.raises(RecordError, match=r"a{64}\.json"):
        load(path)


def test_a_number_that_was_changed_is_noticed(tmp_path):
    """The digest does not vouch for figures that somebody edited."""
    path = write(tmp_path, FIGURES)
    path.write_text(path.read_text().replace('"equal_error_rate":0.25', '"equal_error_rate":0.05'))
    with pytest.raises(RecordError, match="its figures have the digest"):
        load(path)


def test_a_folder_keeps_them_beside_its_records(tmp_path):
    """`figures/<unit>.json`: kept, found by the unit, dropped; a damaged or foreign one is named and passed over."""
    folder, damaged = Folder(tmp_path), {}
    assert folder.figures_of("a" * 64, damaged) is None
    assert folder.figured == frozenset()
    folder.keep_figures(FIGURES)
    assert folder.figures_of("a" * 64, damaged) == FIGURES
    assert folder.figured == {"a" * 64}
    foreign = folder.figures / f"{'d' * 64}.json"
    foreign.write_text('{"my":"notes"}')
    assert damaged == {}
    assert folder.figures_of("d" * 64, damaged) is None
    assert list(damaged) == [foreign]
    assert "unknown key 'my'" in damaged[foreign] or "missing" in damaged[foreign]
    folder.drop_figures("a" * 64)
    folder.drop_figures("a" * 64)
    assert folder.figures_of("a" * 64, damaged) is None
    assert [path.name for path in folder.figures.iterdir()] == [foreign.name]


def test_figures_are_no_part_of_a_record():
    """They have no key in a record's document, and two records that differ in them alone are equal."""
    from shared import record_of

    from siambench.interfaces import Failed
    from siambench.spec import Method
    from siambench.studies.baselines import baselines_of
    from siambench.testing import synthetic_study

    unit = baselines_of([synthetic_study(Method("contrastive"))])[0]
    record = record_of(unit, Failed(error="made up", ended="raised"), {})
    carrying = dataclasses.replace(record, figures=FIGURES)
    assert carrying.to_json() == record.to_json()
    assert carrying == record
    assert "figures" not in repr(carrying)
    assert to_json(FIGURES)["unit"] == "a" * 64


def test_every_key_stands_in_the_page():
    """Each key of the file is told in docs/unit_figures.md, and the page names none that there is not."""
    page = (Path(__file__).parents[2] / "docs" / "unit_figures.md").read_text(encoding="utf-8")
    table = page[page.index("| key |") :]
    told = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", table))
    keys = {
        field.name
        for kind in (UnitFigures, Verification, ErrorRates, Distances, OfGroup, Item, Class, EmbeddingMap, Answer)
        for field in fields(kind)
    }
    dotted = {f"verification.{field.name}" for field in fields(Verification)}
    words = {"both", "query", "gallery", "drawn", "listed", "every", "cosine", "euclidean", "outcome_digest"}
    assert keys <= {name for one in told for name in one.split(".")}
    assert told <= keys | dotted | words


def test_the_numbers_of_the_page_are_those_of_the_code():
    """How many items, points, bins, groups, queries and bytes there are at most."""
    from siambench.evaluation import error_rates, figures, shown

    page = " ".join((Path(__file__).parents[2] / "docs" / "unit_figures.md").read_text(encoding="utf-8").split())
    assert f"At most {shown.MOST_ON_MAP} items on a map, {2 * error_rates._GRID} points of a curve, {error_rates.BINS} bins" in page
    assert f"{figures.MOST_GROUPS} groups, ten queries with five neighbours each, names of {shown.LONGEST_NAME} characters" in page
    assert (shown.QUERIES, shown.NEIGHBOURS) == (10, 5)
    assert f"{figures.MOST_PICTURE_BYTES:,} bytes of thumbnails" in page
