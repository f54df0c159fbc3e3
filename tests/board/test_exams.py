"""Which exam a table is of: `siambench.board.exams`, and what of that its files and commands show."""

from __future__ import annotations

import dataclasses

import pytest
from made import CLOSED, SCORING, TRACK, final, studies, study, table_of

from siambench.board.captions import captions
from siambench.board.exams import choose
from siambench.board.files import found_in, leaderboard
from siambench.board.rows import rows_of
from siambench.board.table import build
from siambench.errors import UnknownNameError, UsageError
from siambench.records.record import write


def with_rules(records, **training):
    """The same records, run under other rules of training; a baseline is the same unit under any."""
    found = []
    for record in records:
        exam = dataclasses.replace(record.exam, training={**record.exam.training, **training})
        own = record.unit.training
        unit = record.unit if own is None else dataclasses.replace(record.unit, training=dataclasses.replace(own, **training))
        found.append(dataclasses.replace(record, exam=exam, unit=unit))
    return found


OWN = [*studies("triplet", [0.3, 0.31, 0.32]), *studies("npair", [0.1, 0.12, 0.11]), final("raw", 0, 0.05)]
LONGER = with_rules([*studies("supcon", [0.5, 0.51, 0.52]), final("raw", 0, 0.05)], epochs=9)


def test_the_exam_that_follows_the_rules_is_shown_and_the_others_are_named():
    """Of two exams in one folder the one of the track's rules is chosen; the other has its methods, its units and what it differs in."""
    found = choose(TRACK, [*OWN, *LONGER])
    assert {record.id for record in OWN} == {record.id for record in found.records}
    (other,) = found.others
    assert (("supcon",), 16, ("training.epochs",)) == (other.methods, other.units, other.differs)
    assert f"not shown: 16 units of another exam, {other.exam.short} (supcon), which differs in training.epochs" in other.told
    assert {"id": other.exam.id, "methods": ["supcon"], "units": 16, "differs": ["training.epochs"]} == other.to_json()


def test_another_exam_is_asked_for_by_the_first_digits_of_its_id():
    """Four digits or more pick it; fewer, none that is there and two that are there are each one sentence."""
    longer = LONGER[0].exam
    found = choose(TRACK, OWN, LONGER, asked=longer.short)
    assert {record.id for record in LONGER} == {record.id for record in found.records}
    assert (longer, 1) == (found.exam, len(found.others))
    for asked, error, words in (
        (longer.id[:3], UsageError, "--exam takes the first 4 or more digits"),
        ("none", UsageError, "got 'none'"),
        ("0" * 8, UnknownNameError, "unknown exam '00000000'"),
    ):
        with pytest.raises(error, match=words):
            choose(TRACK, OWN, LONGER, asked=asked)


@pytest.mark.parametrize(
    "other",
    [
        studies("supcon", [0.5], track_version="2.0"),
        studies("supcon", [0.5], data=CLOSED),
        studies("supcon", [0.5], scoring=dataclasses.replace(SCORING, protocol="reality-check")),
        studies("supcon", [0.5], scoring=dataclasses.replace(SCORING, distance="euclidean")),
        studies("supcon", [0.5], data=dataclasses.replace(CLOSED, fingerprint="e")),
        studies("supcon", [0.5], data=dataclasses.replace(CLOSED, groups="g")),
        with_rules(studies("supcon", [0.5]), precision="bf16"),
    ],
    ids=["version", "closed-set", "protocol", "distance", "data", "groups", "precision"],
)
def test_rows_of_two_exams_never_share_a_table(other):
    """Whatever rule or data is another, the row stands in no table with those of the first exam."""
    if other[0].unit.data is CLOSED:
        other = [dataclasses.replace(r, exam=dataclasses.replace(r.exam, data="c")) for r in other]
    names = {record.unit.method.name for record in choose(TRACK, [*OWN, *other]).records}
    assert {"triplet", "npair", "raw"} == names


def test_a_track_whose_rules_were_edited_shows_none_of_the_old_rows():
    """Without a new version, too: the old records are of another exam, which is named."""
    edited = TRACK.model_copy(update={"training": TRACK.training.model_copy(update={"epochs": 9})})
    found = choose(edited, OWN)
    assert (None, ()) == (found.exam, found.records)
    assert [("training.epochs",)] == [other.differs for other in found.others]


def test_the_folders_own_exam_goes_before_one_with_more_records():
    """Of two exams that follow the rules, which say nothing of the data, the one of the track's own folder is shown."""
    data = dataclasses.replace(OWN[0].unit.data, fingerprint="another")
    more = [*studies("triplet", [0.3] * 9, data=data), *studies("npair", [0.3] * 9, data=data)]
    assert OWN[0].exam == choose(TRACK, OWN, more).exam
    assert "another" == choose(TRACK, (), [*OWN, *more]).exam.data


def leave(folder, records):
    for record in records:
        write(folder / "records", record)
    (folder / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    return folder


def test_a_table_of_two_folders_keeps_to_one_exam(tmp_path):
    """`--from` a folder that holds two exams joins the rows of one; a folder given twice, or as itself, doubles no row."""
    home = leave(tmp_path / "made", OWN[:15])
    leave(tmp_path / "out" / "made-00000000", OWN)
    leave(tmp_path / "out" / "made-11111111", LONGER)
    table, found = leaderboard(str(home), [tmp_path / "out", tmp_path / "out" / "made-00000000", home])
    assert ["triplet", "npair", "raw"] == [line.row.name for line in table.lines]
    assert [("supcon",)] == [other.methods for other in table.others] == [other.methods for other in found.chosen.others]
    shown, _ = leaderboard(str(home), [tmp_path / "out"], exam=LONGER[0].exam.id)
    assert ["supcon", "raw"] == [line.row.name for line in shown.lines]


def test_an_ad_hoc_track_is_known_by_its_path_and_by_its_name(tmp_path, monkeypatch):
    """The folder of its records names it, and so does its name beside the folder that holds it, or in the usual output folder."""
    leave(tmp_path / "siambench-runs" / "made-00000000", OWN)
    by_path = found_in(str(tmp_path / "siambench-runs" / "made-00000000"))
    by_name = found_in("made", [tmp_path / "siambench-runs"])
    monkeypatch.chdir(tmp_path)
    usual = found_in("made")
    assert by_path.chosen == by_name.chosen == usual.chosen
    assert "siambench-runs/made-00000000" == usual.reference
    with pytest.raises(UnknownNameError, match="unknown track 'maid'"):
        found_in("maid")


# ---- full rows


def test_a_row_that_is_not_full_moves_no_rank():
    """A row with fewer or more studies than the track's, or a failure that nothing stands for, is shown, flagged and not ranked."""
    full = [*studies("triplet", [0.30, 0.31, 0.33]), *studies("npair", [0.10, 0.12, 0.11]), *studies("supcon", [0.5, 0.51, 0.49])]
    before = {line.row.name: line.rank for line in table_of(full).lines}
    tuned_well = [record for record in study("failed", [], study=2) if record.unit.kind == "tune"]
    failed = [*tuned_well, final("failed", 0, 0, state="failed", trial=1, study=2)]
    odd = {
        "short": studies("short", [0.4]),
        "long": studies("long", [0.4, 0.41, 0.42, 0.43]),
        "failed": [*studies("failed", [0.4, 0.41]), *failed],
    }
    for name, records in odd.items():
        table = table_of([*full, *records])
        after = {line.row.name: line.rank for line in table.lines}
        assert (None, {**before, name: None}) == (after[name], after)
        assert 3 == table.detectable.pairs


def test_the_full_twin_of_a_row_that_is_not_full_stays_in_the_family_of_tests():
    """One's own short row stands in place of the shipped full one; ranks, groups and who is better than whom stay as they were."""
    records = {
        name: studies(name, scores)
        for name, scores in {"triplet": [0.30, 0.31, 0.33], "npair": [0.10, 0.12, 0.11], "supcon": [0.5, 0.51, 0.49]}.items()
    }
    shipped = rows_of(TRACK, [record for found in records.values() for record in found], shipped=True)
    before = build(TRACK, shipped, units={})
    after = build(TRACK, [*shipped, *rows_of(TRACK, studies("triplet", [0.9]))], units={})
    told = {line.row.name: (line.rank, line.group) for line in before.lines if line.row.name != "triplet"}
    assert told == {line.row.name: (line.rank, line.group) for line in after.lines if line.row.name != "triplet"}
    assert [("triplet", False, None)] == [
        (line.row.name, line.row.shipped, line.rank) for line in after.lines if line.row.name == "triplet"
    ]
    assert (before.detectable, before.spread) == (after.detectable, after.spread)
    assert ((), ("triplet",)) == (before.unseen, after.unseen)
    told = (
        "Of `triplet` your own results are shown, which are not full and so not ranked; what ships with siambench stays in the tests unseen"
    )
    assert [False, True] == [told in " ".join(captions(table, classes=False)) for table in (before, after)]


# ---- versions of libraries


def test_of_two_versions_of_a_row_the_newer_is_shown_and_the_other_named():
    """Trials and final models of two library versions are never mixed: the newer make is the row, flagged, the older named."""
    old, new = studies("triplet", [0.3, 0.31, 0.32]), studies("triplet", [0.4, 0.41, 0.42], libraries={"torch": "2.10"})
    table = table_of([*old, *new])
    (line,) = table.lines
    assert (0.41, 3, ("torch 2.9",)) == (round(line.row.scores["map@r"].mean, 9), line.row.seeds, line.row.also_made_with)
    assert ("mixed-versions",) == line.row.flags
    assert () == table_of(old).lines[0].row.also_made_with


def test_ones_own_row_goes_before_a_newer_shipped_one():
    """The table shows the user's own version, and names the shipped one's."""
    shipped = rows_of(TRACK, studies("triplet", [0.3, 0.31, 0.32], libraries={"torch": "2.10"}), shipped=True)
    table = build(TRACK, [*shipped, *rows_of(TRACK, studies("triplet", [0.4, 0.41, 0.42]))], units={})
    (line,) = table.lines
    assert (False, ("torch 2.10",), ("mixed-versions",)) == (line.row.shipped, line.row.also_made_with, line.row.flags)


def test_a_baseline_that_was_made_again_takes_its_twins_place():
    """Of two units of one repetition the newer counts, whatever made it; the row stands once."""
    old = final("raw", 0, 0.05, telemetry={"started": 1.0})
    new = final("raw", 0, 0.06, telemetry={"started": 2.0}, libraries={"torch": "2.10"})
    (line,) = table_of([old, new]).lines
    assert (0.06, 1) == (line.row.scores["map@r"].mean, line.row.seeds)
