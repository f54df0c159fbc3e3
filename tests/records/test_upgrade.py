"""Records that an older siambench wrote are brought to today's layout, and say so where they are met."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from siambench.board.rows import rows_of
from siambench.errors import ConfigError, DataMissingError
from siambench.records import record as records
from siambench.records.upgrade import upgrade
from siambench.spec import RECORD_SCHEMA, Unit
from siambench.tracks.rules import load_track

OLD = Path(__file__).parent / "assets" / "schema-1"


@pytest.fixture
def old(tmp_path):
    """A copy of the committed folder of schema 1, as `run` left it."""
    folder = tmp_path / "out" / "glyphs"
    shutil.copytree(OLD, folder)
    return folder


def originals():
    """The committed records by id."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((OLD / "records").glob("*.json"))}


def test_the_assets_are_of_schema_1():
    """The committed files are intact records of schema 1, which today's reader does not take for its own."""
    assert len(originals()) > 20
    for path in (OLD / "records").glob("*.json"):
        assert 1 == records.schema_of(path)
        assert records.read(path) is None


def test_every_record_is_upgraded_and_kept(old):
    """Each old record is there anew under an id of its own, with its scores; the old file stands beside it, byte for byte."""
    (found,) = upgrade(old.parent)
    assert (len(originals()), 0, ()) == (found.records, found.current, found.damaged)
    new = {record["telemetry"]["upgraded_from"]["id"]: record for _, record in records.read_all(old / "records")}
    assert set(originals()) == set(new)
    for name, before in originals().items():
        assert RECORD_SCHEMA == new[name]["schema"]
        for key in ("state", "scores", "per_class", "curve", "error", "notes"):
            assert before["result"][key] == new[name]["result"][key]
        assert new[name]["result"]["class_queries"] is None
        assert (OLD / "records" / f"{name}.json").read_bytes() == (old / "records-schema-1" / f"{name}.json").read_bytes()


def test_an_upgraded_unit_is_a_unit_of_today(old):
    """The unit of an upgraded record can be read back and has the record's id."""
    upgrade(old)
    for path, record in records.read_all(old / "records"):
        assert path.stem == Unit.from_json(record["result"]["unit"]).id


def test_upgraded_records_give_their_rows(old):
    """The rows of the upgraded folder hold the scores of the old records, and count each opening of the test once."""
    upgrade(old)
    track = load_track(str(old))
    found = {
        row.name: row
        for row in rows_of(
            track, [r for _, r in records.read_all(old / "records") if r], openings=records.read_openings(old / "test-openings.jsonl")
        )
    }
    assert {"npair", "raw", "untrained"} == set(found)
    finals = [
        r["result"]["scores"]["map@r"]
        for r in originals().values()
        if r["result"]["unit"]["method"]["loss"] == "npair" and r["result"]["scores"]
    ]
    assert sum(finals) / len(finals) == pytest.approx(found["npair"].scores["map@r"].mean)
    assert len(finals) == found["npair"].opened
    # Their verification pairs were drawn from another seed: the rows say that older code scored them.
    assert "revision-0" in found["npair"].flags


def test_a_second_upgrade_does_nothing(old):
    """Upgrading again finds everything up to date and changes no file."""
    upgrade(old)
    before = {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}
    (found,) = upgrade(old)
    assert (0, len(originals())) == (found.records, found.current)
    assert before == {path: path.read_bytes() for path in old.rglob("*") if path.is_file()}


def test_an_interrupted_upgrade_goes_on(old, monkeypatch):
    """Killed after some records, the next upgrade brings the rest and the log of openings follows all of them."""
    calls = []

    def interrupt(folder, record, write=records.write):
        if len(calls) == 5:
            raise KeyboardInterrupt
        calls.append(record["id"])
        return write(folder, record)

    monkeypatch.setattr(records, "write", interrupt)
    with pytest.raises(KeyboardInterrupt):
        upgrade(old)
    monkeypatch.undo()
    (found,) = upgrade(old)
    assert len(originals()) == found.records + found.current
    ids = {path.stem for path, _ in records.read_all(old / "records")}
    assert {line["unit"] for line in records.read_openings(old / "test-openings.jsonl")} <= ids


def test_a_newer_schema_is_refused(old):
    """A record of a schema that this siambench does not know is an error that says to install a newer one."""
    record = next(iter(originals().values()))
    with pytest.raises(ConfigError, match=r"has schema 99, this siambench reads 1 to 2: install a newer one"):
        records.upgraded({**record, "schema": 99})


def test_a_folder_without_records_is_an_error(tmp_path):
    """Where there are no records the error says where they were expected."""
    with pytest.raises(DataMissingError, match=r"holds no records: expected"):
        upgrade(tmp_path)


def test_the_command_upgrades_and_names_damaged_files(siambench, old):
    """`siambench upgrade` says how many it brought over, passes over garbage with its name, and exits 0."""
    (old / "records" / "garbage.json").write_text("{")
    done = siambench("upgrade", old.parent)
    assert 0 == done.returncode, done.stderr
    assert f"{len(originals())} records upgraded, 0 were up to date" in done.stdout
    assert "garbage.json: no intact record" in done.stderr
    assert 4 == siambench("upgrade", old / "nowhere").returncode


def test_a_leaderboard_says_which_command_upgrades(siambench, old):
    """A leaderboard over older records names the command that brings them over, rather than passing over them in silence."""
    done = siambench("leaderboard", old)
    assert f"siambench upgrade {old}" in done.stderr


def test_a_run_says_which_command_upgrades(siambench, old):
    """A run into a folder with older records says that they are not used as they are, and names the command."""
    done = siambench("run", "--track", old, "--loss", "npair", "--out", old.parent, "--plan")
    assert 0 == done.returncode, done.stderr
    assert f"siambench upgrade {old}" in done.stderr
