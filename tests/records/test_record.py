import json
import os
import signal
import stat
import subprocess
import sys
import threading

import pytest

from siambench.records import record as records
from siambench.records.record import append_opening, best_epoch, make, read, read_all, read_openings, write
from siambench.spec import RECORD_SCHEMA, Method
from siambench.testing import synthetic_catalogue, synthetic_study


@pytest.fixture(scope="module")
def unit():
    """A unit."""
    study = synthetic_study(Method("contrastive"), catalogue=synthetic_catalogue())
    return study.tune_unit(0, 0, study.defaults)


@pytest.fixture
def record(unit):
    """Its record."""
    return make(unit, state="done", outcome={"scores": {"map@r": 0.25, "eer": None}, "curve": []}, telemetry={"host": "here"})


def test_a_record_parts_what_may_differ_from_what_may_not(unit, record):
    """A record has a schema, the unit's id, the result with the unit in it, and the telemetry apart."""
    assert {"schema", "id", "result", "telemetry"} == set(record)
    assert record["schema"] == RECORD_SCHEMA
    assert record["id"] == unit.id
    assert record["result"]["unit"] == unit.to_json()
    assert record["result"]["state"] == "done"
    assert "host" not in json.dumps(record["result"])


def test_what_was_written_is_read(tmp_path, unit, record):
    """A record is read back as it was written, from one file under its id."""
    path = write(tmp_path / "records", record)

    assert tmp_path / "records" / f"{unit.id}.json" == path
    assert record == read(path)
    assert [path] == list((tmp_path / "records").iterdir())


def test_writing_again_replaces(tmp_path, record):
    """A second record of one unit takes the place of the first."""
    write(tmp_path, record)
    path = write(tmp_path, {**record, "telemetry": {"host": "there"}})

    assert read(path)["telemetry"] == {"host": "there"}
    assert len(list(tmp_path.iterdir())) == 1


def test_every_digit_survives(tmp_path, unit):
    """Floats are read back to the last bit."""
    values = [0.1, 1 / 3, 1e-300, -0.0, 123456789.123456789]
    path = write(tmp_path, make(unit, state="done", outcome={"curve": values}, telemetry={}))

    assert [value.hex() for value in values] == [value.hex() for value in read(path)["result"]["curve"]]


def test_a_record_can_be_read_by_others(tmp_path, record):
    """A record has the permissions that the user's mask gives, and the mask itself stays."""
    mask = os.umask(0o027)
    try:
        path = write(tmp_path, record)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path, record):
    """A score that JSON cannot say is an error that leaves neither a record nor a part of one."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path, {**record, "result": {**record["result"], "scores": {"map@r": float("nan")}}})

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_record_is_none(tmp_path, record, share):
    """A file that ends anywhere before its last bracket holds no record."""
    path = write(tmp_path, record)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * (len(content) - 2))])

    assert read(path) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00garbage",
        b"null",
        b"[]",
        b"3",
        b'"text"',
        b"{}",
        b'{"schema": 1}',
        b'{"schema": 1, "id": "x", "result": []}',
        b'{"schema": 1, "id": "x", "result": {"unit": NaN}}',
        b"[" * 100_000,
    ],
)
def test_garbage_is_none(tmp_path, content):
    """Whatever else a file holds, reading it gives None and never raises."""
    path = tmp_path / "x.json"
    path.write_bytes(content)

    assert read(path) is None


def test_a_record_under_another_name_is_none(tmp_path, record):
    """A renamed record, or one whose id is that of its name but not of its unit, is none."""
    path = write(tmp_path, record)
    renamed = tmp_path / f"{'0' * 64}.json"
    renamed.write_bytes(path.read_bytes())
    assert read(renamed) is None

    renamed.write_text(json.dumps({**record, "id": "0" * 64}))
    assert read(renamed) is None


def test_a_changed_unit_is_none(tmp_path, record):
    """A record whose unit was edited does not have the id of what it says was run."""
    path = write(tmp_path, record)
    document = json.loads(path.read_text())
    document["result"]["unit"]["params"]["optimiser.lr"] = 1.0
    path.write_text(json.dumps(document))

    assert read(path) is None


def test_another_schema_is_none(tmp_path, record):
    """A record of another layout is not read as one of this."""
    path = write(tmp_path, record)
    path.write_text(json.dumps({**record, "schema": RECORD_SCHEMA + 1}))

    assert read(path) is None
    assert read(tmp_path / "missing.json") is None


def test_all_records_of_a_folder(tmp_path, record):
    """Every JSON file is given in order of name, the broken ones as None; other files and missing folders give nothing."""
    path = write(tmp_path, record)
    (tmp_path / "0.json").write_text("broken")
    (tmp_path / "notes.txt").write_text("a note")
    (tmp_path / ".hidden.part").write_text("part")

    assert [("0.json", None), (path.name, record)] == [(file.name, found) for file, found in read_all(tmp_path)]
    assert list(read_all(tmp_path / "nowhere")) == []


def test_a_killed_writer_leaves_no_half_record(tmp_path, record):
    """Killed between writing and renaming, a writer leaves no file that reading or listing takes for a record."""
    code = (
        "import json, os, sys, time\n"
        "from pathlib import Path\n"
        "from siambench import record as records\n"
        "os.fsync = lambda handle: (print('written', flush=True), time.sleep(60))\n"
        "records.write(Path(sys.argv[1]), json.load(sys.stdin))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(record))
    process.stdin.close()
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert list(read_all(tmp_path)) == []
    assert record == read(write(tmp_path, record))


# ---- the log of test openings


def test_openings_are_appended(tmp_path):
    """Each opening is one line; the log and its folder are made when the first comes."""
    log = tmp_path / "deep" / "openings.jsonl"
    assert read_openings(log) == []
    for number in range(3):
        append_opening(log, {"unit": str(number)})

    assert read_openings(log) == [{"unit": "0"}, {"unit": "1"}, {"unit": "2"}]
    assert len(log.read_text().split()) == 3


def test_openings_of_many_writers_do_not_mix(tmp_path):
    """Lines of eight threads stand whole beside each other."""
    log = tmp_path / "openings.jsonl"

    def work(thread):
        for number in range(25):
            append_opening(log, {"unit": f"{thread}-{number}", "padding": "x" * 500})

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {f"{thread}-{number}" for thread in range(8) for number in range(25)} == {line["unit"] for line in read_openings(log)}


def test_a_torn_line_is_passed_over(tmp_path):
    """A line that a crash cut, inside a character too, is left out, and those before it are read."""
    log = tmp_path / "openings.jsonl"
    append_opening(log, {"unit": "whole"})
    whole = log.read_bytes()
    for torn in (b'{"unit": "to', '{"method": "é'.encode()[:-1]):
        log.write_bytes(whole + torn)
        assert read_openings(log) == [{"unit": "whole"}]


def test_an_opening_after_a_torn_line_is_kept(tmp_path):
    """What is logged after a crash cut a line is not lost with it: an opening that happened counts."""
    log = tmp_path / "openings.jsonl"
    log.write_bytes(b'{"unit": "to')
    append_opening(log, {"unit": "later"})

    assert {"unit": "later"} in read_openings(log)


# ---- the best epoch


def curve(values, state="done"):
    """A record with these validation scores."""
    return {"result": {"state": state, "curve": [{"validation": {"map@r": value}} for value in values]}}


@pytest.mark.parametrize(
    ("folds", "maximise", "expected"),
    [
        # The best mean, not the mean of the bests: 0.9 and 0.8 are reached in different epochs.
        ([[0.1, 0.9, 0.5], [0.8, 0.1, 0.6]], True, (3, 0.55)),
        ([[0.1, 0.9, 0.5], [0.8, 0.1, 0.6]], False, (1, 0.45)),
        # The earliest of equals.
        ([[0.5, 0.5, 0.5]], True, (1, 0.5)),
        ([[0.25, 0.5, 0.75], [0.5, 0.75, 0.5]], True, (2, 0.625)),
        # A fold that stopped early counts up to where it stopped.
        ([[0.1, 0.2, 0.9], [0.1, 0.2]], True, (2, 0.2)),
        # One fold without a score, failed or not, and there is no value.
        ([[0.1, None], [0.1, 0.2]], True, None),
        ([[0.1], []], True, None),
    ],
)
def test_the_best_epoch_is_that_of_the_mean_over_folds(folds, maximise, expected):
    """The best epoch has the best fold-mean, the earliest of equals; without a score in every fold there is none."""
    found = best_epoch([curve(values) for values in folds], "map@r", maximise=maximise)

    assert expected == (None if found is None else (found[0], pytest.approx(found[1])))


def test_a_failed_fold_has_no_best_epoch():
    """A fold that failed after some epochs gives no value, though its curve has scores."""
    assert best_epoch([curve([0.5, 0.6]), curve([0.9], state="failed")], "map@r", maximise=True) is None


def test_records_are_written_by_one_module_only():
    """Nothing else in the package offers to write a record."""
    assert records.write.__module__ == "siambench.records.record"
