"""What pictures of rows' models are drawn from: which unit stands for a row, where its file is looked for, and what may lie where."""

from __future__ import annotations

import dataclasses

import pytest
from made import final, leave, studies, table_of

from siambench.board import files, pages, unit_figures
from siambench.board.unit_figures import FiguresIn, adopt, as_kept, is_published, pictured
from siambench.records.folder import Folder
from siambench.records.unit_figures import Class, EmbeddingMap, Item, UnitFigures
from siambench.tracks.files import load_track, track_folder


def figures(unit, *, dataset="digits", x=(0.0, 1.0, 2.0)):
    """A map of three items, of which the first has a picture."""
    return UnitFigures(
        unit=unit,
        outcome="b" * 64,
        dataset=dataset,
        distance="cosine",
        models=1,
        attribute=None,
        classes=(Class(0, "zero", None),),
        items=(Item(0, 0, None, "both", "AAAA"), Item(1, 0, None, "both"), Item(2, 0, None, "both")),
        verification=None,
        map=EmbeddingMap((0, 1, 2), x, (0.0, 0.0, 0.0), (1.0, 0.0)),
        answers=(),
    )


def test_the_first_final_model_stands_for_its_row():
    """Of studies and repetitions the first that ended well; a row of failures has none."""
    records = studies("triplet", [0.5, 0.6], repetitions=2)
    finals = [record for record in records if record.unit.kind == "final"]
    assert pictured(reversed(finals)) == finals[0]
    failed = [dataclasses.replace(final("triplet", r, 0.1, state="failed", trial=1), unit=finals[r].unit) for r in (0, 1)]
    assert pictured([*failed, *finals[2:]]) == finals[2]
    assert pictured(failed) is None
    (line,) = table_of(records).lines
    assert line.row.pictured == finals[0].id


def test_the_later_folder_goes_before(tmp_path):
    """What lies in several folders is read of the last that holds it; a damaged file there is named, and the other is shown."""
    one, other = Folder(tmp_path / "one"), Folder(tmp_path / "other")
    for folder, place in ((one, 1.0), (other, 5.0)):
        folder.keep_figures(figures("a" * 64, x=(0.0, 0.0, place)))
    assert FiguresIn((one, other)).of("a" * 64).map.x[2] == 5.0
    (other.figures / f"{'a' * 64}.json").write_text("{}")
    found = FiguresIn((one, other))
    assert found.of("a" * 64).map.x[2] == 1.0
    assert [path.parent for path in found.damaged] == [other.figures]
    assert found.of("c" * 64) is None
    assert found.of(None) is None
    assert len(found.damaged) == 1


def test_a_file_is_read_once_and_only_when_it_is_asked_for(tmp_path, monkeypatch):
    """A table is built without opening one; what was read is kept."""
    read = []
    folder = Folder(tmp_path)
    folder.keep_figures(figures("a" * 64))

    def watched(self, unit, damaged=None, own=Folder.figures_of):
        read.append(unit)
        return own(self, unit, damaged)

    monkeypatch.setattr(Folder, "figures_of", watched)
    found = FiguresIn((folder,))
    assert read == []
    assert found.of("a" * 64) == found.of("a" * 64)
    assert read == ["a" * 64]


@pytest.fixture
def folder(tmp_path):
    """A track's own folder with a row of three studies and its figures."""
    records = studies("triplet", [0.5, 0.51, 0.52])
    found = leave(tmp_path / "made", records)
    Folder(found).keep_figures(figures(next(record.id for record in records if record.unit.kind == "final")))
    return found


def test_a_table_finds_those_of_its_rows(folder):
    """Through the unit that stands for the row."""
    table, _ = files.leaderboard(str(folder))
    assert table.figures.of(table.lines[0].row.pictured).unit == table.lines[0].row.pictured
    again = pages._repeatable(table)
    assert again.figures.of(again.lines[0].row.pictured) is not None


def test_one_file_a_row_is_adopted(folder, tmp_path):
    """Of an output folder whose final units all have figures those that stand for rows come along; of others none, and none twice."""
    records = studies("npair", [0.2, 0.21, 0.22])
    other = Folder(leave(tmp_path / "run" / "made", records, rules=False))
    for record in records:
        if record.unit.kind == "final":
            other.keep_figures(figures(record.id))
    found = files.found_in(str(folder), [tmp_path / "run"])
    pages.adopt(folder, found)
    table, _ = files.leaderboard(str(folder))
    units = [line.row.pictured for line in table.lines]
    assert adopt(folder, found.track, units, found.folders) == 1
    assert Folder(folder).figured == set(units)
    assert len(other.figured) == 3


def test_what_stands_for_no_row_any_more_is_dropped(folder):
    """The figures of a unit that was replaced go; a file that is not siambench's stays."""
    own = Folder(folder)
    own.keep_figures(figures("e" * 64))
    mine = own.figures / "notes.json"
    mine.write_text("my notes")
    table, found = files.leaderboard(str(folder))
    adopt(folder, found.track, [line.row.pictured for line in table.lines], found.folders)
    assert own.figured == {table.lines[0].row.pictured, "notes"}
    assert mine.read_text() == "my notes"


def test_figures_without_their_record_are_not_adopted(folder, tmp_path):
    """A unit that the track's own folder has no record of brings none there."""
    other = Folder(tmp_path / "run")
    other.keep_figures(figures("f" * 64))
    assert adopt(folder, load_track(str(folder)), ["f" * 64], (other,)) == 0
    assert "f" * 64 not in Folder(folder).figured


def test_thumbnails_of_others_data_are_not_published(tmp_path):
    """In a folder that ships thumbnails of glyphs stay and all others go; in somebody's own folder all stay."""
    track, home = load_track("glyphs"), track_folder("glyphs")
    assert is_published(home, track)
    assert not is_published(tmp_path, track)
    kept = figures("a" * 64, dataset="glyphs")
    assert as_kept(kept, home, track) == kept
    faces = figures("a" * 64, dataset="lfw")
    assert [item.picture for item in as_kept(faces, home, track).items] == [None, None, None]
    assert as_kept(faces, home, track).map == faces.map
    assert as_kept(faces, tmp_path, track) == faces


def test_what_ships_holds_no_thumbnail_but_of_glyphs():
    """Every file of figures in leaderboards/ can be read, belongs to a record that is there, and shows no item that did not come along."""
    from siambench.data.shipped import shipped

    for folder in map(Folder, sorted(shipped("leaderboards").iterdir())):
        damaged = {}
        for unit in folder.figured:
            found = folder.figures_of(unit, damaged)
            assert damaged == {}
            assert folder.holds(unit)
            assert found.dataset in unit_figures.SHOWN_TO_ALL or all(item.picture is None for item in found.items)
