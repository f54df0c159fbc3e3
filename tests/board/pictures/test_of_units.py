"""`board.pictures.of_units`: error rates, distances, maps and neighbours of the models that stand for rows."""

from __future__ import annotations

import base64
import dataclasses

import numpy as np
import pytest
from made import final, leave, studies

from siambench.board import files
from siambench.board.pictures import KINDS, drawn, of_units, selected
from siambench.data.thumbnails import thumbnail
from siambench.errors import NothingToDrawError
from siambench.figures import Cells, Line, Points, Reference, Thumbnails, svg
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
)

PNG = base64.b64encode(thumbnail(np.arange(64, dtype=np.uint8).reshape(1, 8, 8), 8)).decode()
NAMES = ("roc", "det", "distances", "group-errors", "map", "neighbours")


def figures(unit="u" * 64, *, error=0.25, pictures=True, **changes):
    """Of six items in three classes of two groups."""
    picture = PNG if pictures else None
    found = UnitFigures(
        unit=unit,
        outcome="b" * 64,
        dataset="digits",
        distance="cosine",
        models=1,
        attribute="script",
        classes=(Class(0, "Thai/ko kai", "Thai"), Class(1, "Thai/kho khai", "Thai"), Class(2, "<b>$x$", "Lao")),
        items=tuple(Item(place, place % 3, f"n{place}", "both", picture) for place in range(6)),
        verification=Verification(
            "drawn",
            *(40, 60),
            error,
            0.5,
            ErrorRates((-0.1, 0.25, 0.5, 1.0), (0.0, 0.1, error, 1.0), (1.0, 0.5, error, 0.0)),
            Distances(0.0, 2.0, (30, 10), (0, 60)),
            (OfGroup("Lao", 10, 20, 0.1), OfGroup("Thai", 30, 40, error)),
        ),
        map=EmbeddingMap(tuple(range(6)), (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), (0.0, 0.5, 0.0, -0.5, 0.0, 0.5), (0.5, 0.25)),
        answers=(Answer(0, (3, 1), (0.1, 0.2)), Answer(2, (4, 5), (0.3, 0.4))),
    )
    return dataclasses.replace(found, **changes)


@pytest.fixture
def table(tmp_path):
    """A table of two methods and a baseline whose models have figures."""

    def make(of=figures, methods=("triplet", "npair"), **options):
        records = [record for place, name in enumerate(methods) for record in studies(name, [0.5 - place / 20] * 3)]
        folder = leave(tmp_path / "made", [*records, final("raw", 0, 0.05)])
        found, _ = files.leaderboard(str(folder))
        for place, line in enumerate(found.lines):
            Folder(folder).keep_figures(of(line.row.pictured, error=0.2 + place / 20, **options))
        return found

    return make


def test_each_kind_draws_each_row(table):
    """All six kinds are registered, draw three rows, and become SVG in which hostile names are text."""
    made = table()
    for name in NAMES:
        picture = KINDS[name].draw(made)
        assert picture.name == name
        text = svg(picture)
        assert "<b>" not in text
        assert "triplet" in text
        assert "raw" in text


def test_roc_and_det_run_through_the_same_rates(table):
    """ROC has the share of genuine pairs that is accepted, DET that which is rejected; the point of equal error lies on its diagonal."""
    made = table()
    lines = [mark for mark in of_units.roc(made).marks if isinstance(mark, Line)]
    assert [line.group for line in lines] == [line.row.name for line in made.lines]
    assert lines[0].at == ((0.1, 0.5), (0.2, 0.8), (1.0, 1.0))
    det = of_units.det(made)
    mine = next(mark for mark in det.marks if isinstance(mark, Line) and mark.group == made.lines[0].row.name)
    assert mine.at == ((0.1, 0.5), (0.2, 0.2))
    point = next(mark for mark in det.marks if isinstance(mark, Points))
    assert point.at == ((0.2, 0.2),)
    assert det.x.scale == det.y.scale == "probit"


def test_perfect_verification_can_be_drawn(table):
    """A model without an error has no line on probit axes, on which 0 is nowhere, and every other picture."""
    perfect = Verification(
        "every", 2, 3, 0.0, 0.5, ErrorRates((-0.1, 0.5, 1.0), (0.0, 0.0, 1.0), (1.0, 0.0, 0.0)), Distances(0.0, 1.0, (2, 0), (0, 3)), ()
    )
    made = table(lambda unit, error: figures(unit, verification=perfect))
    assert not [mark for mark in of_units.det(made).marks if mark.group]
    assert svg(of_units.det(made))
    assert svg(of_units.roc(made))
    assert "all pairs" in of_units.distances(made).caption


def test_distances_are_shares_with_the_threshold(table):
    """A panel for each row: both kinds of pairs add up to all of them, over the histogram's own range, and the threshold is marked."""
    made = table()
    panels = of_units.distances(made).panels
    assert [panel.title for panel in panels] == [line.row.name for line in made.lines]
    genuine, impostors, threshold = panels[0].marks
    assert genuine.at == ((0.0, 0.0), (0.0, 0.75), (1.0, 0.25), (2.0, 0.0))
    assert sum(height for _, height in impostors.at) == 1.0
    assert isinstance(threshold, Reference)
    assert threshold.at == 0.5
    assert (panels[0].x.low, panels[0].x.high) == (0.0, 2.0)


def test_a_map_is_coloured_by_what_is_few(table):
    """By group where there are several and they are few, else by class, else not at all; every item has its place and its tip."""
    picture = of_units.maps(table())
    assert picture.groups == ("Lao", "Thai")
    panel = picture.panels[0]
    assert sorted(at for mark in panel.marks for at in mark.at) == sorted(zip(figures().map.x, figures().map.y, strict=True))
    assert "Thai/ko kai, Thai: n0" in [tip for mark in panel.marks for tip in mark.tips]
    assert panel.x.high - panel.x.low == pytest.approx(panel.y.high - panel.y.low)
    assert "75 % for triplet" in picture.caption
    bare = tuple(dataclasses.replace(one, group=None) for one in figures().classes)
    by_class = of_units.Colours.of([figures(classes=bare, attribute=None)])
    assert (by_class.by_group, by_class.by_class) == (False, True)
    many = tuple(Class(place, f"class {place}", f"group {place}") for place in range(20))
    items = tuple(Item(place, place, None, "both") for place in range(20))
    whole = EmbeddingMap(tuple(range(20)), (0.0,) * 20, (0.0,) * 20, (1.0, 0.0))
    none = of_units.Colours.of([figures(classes=many, items=items, map=whole, answers=())])
    assert (none.by_group, none.by_class) == (False, False)


def test_hits_and_misses_are_told_apart(table):
    """A neighbour of the query's class is a hit; the frames of thumbnails, tips and the panel's title say so."""
    made = table()
    picture = of_units.neighbours(made)
    assert picture.y.names == ("ko kai", "<b>$x$")
    panel = picture.panels[0]
    assert panel.title == "triplet: 2 of 4 hit"
    (thumbnails,) = panel.marks
    assert isinstance(thumbnails, Thumbnails)
    assert [(item.x, item.y, item.tone) for item in thumbnails.items] == [
        (0.0, 0.0, None),
        (1.0, 0.0, "good"),
        (2.0, 0.0, "bad"),
        (0.0, 1.0, None),
        (1.0, 1.0, "bad"),
        (2.0, 1.0, "good"),
    ]
    assert thumbnails.items[1].tip == "hit: Thai/ko kai, Thai: n3, distance 0.1"


@pytest.mark.parametrize("picture", [None, "no base64!", base64.b64encode(b"<script>").decode()])
def test_without_pictures_the_neighbours_are_cells(table, picture):
    """Where items have no picture, or one that is no PNG, cells say the neighbours' classes and whether they are hits."""
    items = tuple(dataclasses.replace(item, picture=picture) for item in figures().items)
    panel = of_units.neighbours(table(lambda unit, error: figures(unit, items=items))).panels[0]
    (cells,) = panel.marks
    assert isinstance(cells, Cells)
    assert [[cell.value for cell in row] for row in cells.rows] == [["plain", "good", "open"], ["plain", "open", "good"]]
    assert [[cell.text for cell in row] for row in cells.rows] == [["", "ko kai", "kho khai"], ["", "kho khai", "<b>$x$"]]


def test_group_errors_come_with_the_hardest_first(table):
    """Rows are groups from most errors to fewest, columns the table's rows, texts percent."""
    picture = of_units.group_errors(table())
    assert picture.y.names == ("Thai", "Lao")
    (cells,) = picture.marks
    assert [[cell.text for cell in row] for row in cells.rows] == [["20.0", "25.0", "30.0"], ["10.0", "10.0", "10.0"]]


def test_of_many_rows_a_map_shows_the_first_and_the_baselines(table):
    """Of eight rows six are shown, the baseline among them, and the caption says how many are not; --rows picks others."""
    made = table(methods=("triplet", "npair", "supcon", "ntxent", "contrastive", "angular", "arcface"))
    picture = of_units.maps(made)
    assert [panel.title for panel in picture.panels] == [*[line.row.name for line in made.lines if line.row.name != "raw"][:5], "raw"]
    assert "2 further rows are not shown" in picture.caption
    last = made.lines[6].row.name
    assert [panel.title for panel in of_units.maps(selected(made, [last])).panels] == [last]


def test_what_is_not_there_is_said(table, tmp_path):
    """Without figures, pairs, groups, a map or answers each kind says in one sentence why it cannot be drawn, and is left out."""
    bare = table(lambda unit, error: figures(unit, verification=None, map=None, answers=()))
    said = {}
    for name in NAMES:
        with pytest.raises(NothingToDrawError) as refused:
            KINDS[name].draw(bare)
        said[name] = str(refused.value)
    assert said["roc"] == said["det"] == "the test part of made has no verification pairs"
    assert said["map"] == "the test part of made has fewer than three items to lay flat"
    assert not {*NAMES} & {picture.name for picture in drawn(bare)[0]}
    folder = leave(tmp_path / "other" / "made", studies("triplet", [0.5, 0.51, 0.52]))
    without, _ = files.leaderboard(str(folder))
    with pytest.raises(NothingToDrawError, match=r"`siambench reproduce .*made ROW --figures` runs one again"):
        of_units.roc(without)


def test_a_model_that_errs_otherwise_than_its_record_is_told(table):
    """Where the equal error rate of the run that figures are of is another than the recorded one by more than .005, captions say both."""
    made = table()
    line = made.lines[0]

    def recorded(value):
        row = dataclasses.replace(line.row, by_repetition={"eer": {0: {0: value, 1: 0.9}}})
        return dataclasses.replace(made, lines=(dataclasses.replace(line, row=row), *made.lines[1:]))

    for name in NAMES:
        assert "Trained again" not in KINDS[name].draw(recorded(0.204)).caption
        told = "Trained again on another processor, in equal error rate: triplet 0.200, recorded 0.100."
        assert told in KINDS[name].draw(recorded(0.1)).caption
    assert "Trained again" not in of_units.roc(made).caption
