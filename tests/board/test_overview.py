"""All tracks on one page: what each asks, who leads, and where its page lies."""

from __future__ import annotations

import dataclasses

import pytest
from made import TRACK, leave, local, several, studies, table_of, tuned

from siambench.board import overview
from siambench.errors import DataMissingError
from siambench.tracks.files import track_names


def test_the_tracks_that_ship_are_those_of_the_folder():
    """Without a folder they are those that ship, by their names; else the tracks' folders that lie in it, by their paths."""
    home, known = overview.tracks_of(None)
    assert track_names() == [name for name, _ in known]
    assert {home} == {folder.parent for _, folder in known}


def test_a_folder_of_runs_is_one_of_tracks(tmp_path):
    """Each exam's folder in an output folder is a track, and a folder without one, or none at all, is an error that names it."""
    leave(tmp_path / "made-1a2b3c4d", several())
    assert (tmp_path, [(str(tmp_path / "made-1a2b3c4d"), tmp_path / "made-1a2b3c4d")]) == overview.tracks_of(tmp_path)
    with pytest.raises(DataMissingError, match="holds no folder of a track"):
        overview.tracks_of(tmp_path / "made-1a2b3c4d")
    with pytest.raises(DataMissingError, match="cannot be read: No such file"):
        overview.tracks_of(tmp_path / "nowhere")


def test_leaders_are_those_that_are_not_told_apart_from_the_best():
    """Of ranked rows the first group leads, with ranks and scores; a track names what it asks without its own name before it."""
    table = table_of(several(), track=TRACK.model_copy(update={"title": "made: by hand"}))
    entry = overview.entry_of(table, "made/index.html")
    assert [("supcon", "rank 1–2", "0.503 ± 0.021"), ("triplet", "rank 1–2", "0.500 ± 0.025")] == [
        tuple(one.values()) for one in entry["leaders"]
    ]
    assert ("by hand", 4, "map@r", False) == (entry["title"], entry["methods"], entry["primary"], entry["lower"])


def test_without_ranks_the_first_row_is_told_as_what_it_is():
    """Where nothing is ranked the best row stands without a rank; without a score or a row the state says what there is."""
    (leader,) = overview.entry_of(table_of(studies("triplet", [0.3])), "x")["leaders"]
    assert ("triplet", "not ranked") == (leader["name"], leader["rank"])
    failed = [tuned("triplet", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    entry = overview.entry_of(table_of(failed), "x")
    assert ([], "no scores yet", 1) == (entry["leaders"], entry["state"], entry["methods"])
    entry = overview.entry_of(table_of([]), "x")
    assert ([], "not run yet", 0) == (entry["leaders"], entry["state"], entry["methods"])


def test_a_local_row_never_leads():
    """A row that nobody else could make is not counted, and does not lead."""
    entry = overview.entry_of(table_of([*studies("triplet", [0.3, 0.31, 0.32]), *local()]), "x")
    assert 1 == entry["methods"]
    assert ["triplet"] == [one["name"] for one in entry["leaders"]]


def test_of_many_leaders_the_first_are_named():
    """Six leaders stand by name, and the number of the others behind them."""
    table = table_of([record for number in range(9) for record in studies(f"m{number}", [0.5, 0.6, 0.4 + number / 1000])])
    entry = overview.entry_of(table, "x")
    assert [*(f"m{number}" for number in range(8, 2, -1)), "…"] == [one["name"] for one in entry["leaders"]]
    assert "and 3 more" == entry["leaders"][-1]["rank"]


def test_the_page_says_what_writes_it(tmp_path):
    """It names its command, with the folder where it is not of the tracks that ship."""
    table = dataclasses.replace(table_of(several()), reference="x")
    page = overview.page_of([(table, tmp_path / "made")], tmp_path / "a b")["index.html"]
    assert "siambench leaderboard --all --write &#39;" in page
    assert 'href="made/index.html"' in page
    assert "siambench leaderboard --all --write" == overview.command(None)
