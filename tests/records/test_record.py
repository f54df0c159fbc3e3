"""Records: what is written is read, bit for bit, and what is no record is never taken for one."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import signal
import stat
import subprocess
import sys
from collections import Counter

import pytest
from made import done
from shared import curve, record_of

from siambench.data.shipped import shipped
from siambench.errors import RecordError
from siambench.identity import canonical, digest, to_json
from siambench.interfaces import Done, Epoch, Failed, Measures, PartMeasures, Quantiles
from siambench.records import record as records
from siambench.records.record import Record, older, read, read_all, row_key, schema_of, write
from siambench.spec import RECORD_SCHEMA, Every, Listed, Method
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_catalogue, synthetic_study

PART = PartMeasures(parameters=2, unreached=0, unlisted=0, gradient_norm=None, update_ratio=0.5, rate=0.001)
ROW = Measures(epoch=1, steps=3, loss=0.5, parts={"trunk": PART}, branches=(0.25,), positive=Quantiles(mean=1.0, low=0.5, high=None))


@pytest.fixture(scope="module")
def study():
    """A study of the tiny exam."""
    return synthetic_study(Method("contrastive"), catalogue=synthetic_catalogue())


@pytest.fixture(scope="module")
def unit(study):
    """A unit."""
    return study.tune_unit(0, 0, study.defaults)


@pytest.fixture
def record(unit):
    """Its record."""
    return record_of(unit, done(curve=curve(0.25, None), scores={"map@r": 0.25, "eer": None}), {"host": "here"})


@pytest.fixture
def document(record):
    """What stands in its file."""
    return json.loads(canonical(record.to_json()))


# ---- there and back


def test_a_record_parts_what_may_differ_from_what_may_not(unit, record, document):
    """A record has a schema, the unit's id, the exam, the unit, its outcome with a digest of it, and the telemetry apart."""
    assert {"schema", "id", "exam", "unit", "outcome", "outcome_digest", "telemetry"} == set(document)
    assert RECORD_SCHEMA == document["schema"]
    assert unit.id == document["id"] == record.id
    assert unit.to_json() == document["unit"]
    assert "done" == document["outcome"]["state"]
    assert digest(document["outcome"]) == document["outcome_digest"]
    assert "host" not in json.dumps([document["unit"], document["outcome"]])


def test_what_was_written_is_read(tmp_path, unit, record):
    """A record is read back as it was written, from one file under its id."""
    path = write(tmp_path / "records", record)

    assert tmp_path / "records" / f"{unit.id}.json" == path
    assert record == read(path)
    assert [path] == list((tmp_path / "records").iterdir())


def outcomes():
    """One of every sort, none of whose fields is empty in all of them."""
    whole = done(
        scores={"map@r": 1 / 3, "eer": None},
        per_class={"map@r": (0.333333, None)},
        class_queries=(3, 0),
        notes={"why": "too few", "n": 3, "se": 0.1},
        curve=(Epoch(1, 0.1, None, 12.5, {"map@r": None}), Epoch(2, 1e-300, 2.0, None, None)),
        repeat_rate=0.0,
        directions={"map@r": "max", "eer": "min"},
        ranges={"map@r": (0.0, 1.0), "eer": (0.0, None)},
        over_pairs=("eer",),
    )
    return [whole, done(), Failed(error="it raised", ended="raised"), Failed(error="nan", ended="diverged", curve=whole.curve)]


@pytest.mark.parametrize("outcome", outcomes(), ids=lambda outcome: outcome.ended)
@pytest.mark.parametrize("verified", [True, False])
def test_a_record_makes_the_round_trip_bit_for_bit(unit, outcome, verified):
    """Whatever a unit gave, the record that is read back is equal, and written again it is the same text."""
    record = record_of(unit, outcome, {"seconds": {"train": 0.1}, "traceback": None, "host": "Ü"}, verified=verified)
    text = canonical(record.to_json())
    again = Record.from_json(text)
    assert record == again
    assert type(outcome) is type(again.outcome)
    assert text == canonical(again.to_json())
    assert verified == (json.loads(text)["outcome_digest"] is not None)


def test_units_of_every_kind_make_the_round_trip(study, unit):
    """Tune and final units, baselines without a model, and each sort of verification pairs are read back with their identity."""
    pairs = [Every(), Listed("0" * 64)]
    scored = [dataclasses.replace(unit, scoring=dataclasses.replace(unit.scoring, pairs=one)) for one in pairs]
    baselines = baselines_of([study])
    assert baselines[0].model is None
    for one in (unit, study.final_unit(0, 1, study.defaults, 3), *scored, *baselines):
        again = Record.from_json(canonical(record_of(one, done(), {}).to_json())).unit
        assert (one, one.id) == (again, again.id)


def test_writing_again_replaces(tmp_path, record):
    """A second record of one unit takes the place of the first."""
    write(tmp_path, record)
    path = write(tmp_path, dataclasses.replace(record, telemetry={"host": "there"}))

    assert read(path).telemetry == {"host": "there"}
    assert len(list(tmp_path.iterdir())) == 1


def test_every_digit_survives(tmp_path, unit):
    """Floats are read back to the last bit."""
    values = [0.1, 1 / 3, 1e-300, -0.0, 0.123456789123456789]
    path = write(tmp_path, record_of(unit, done(curve=curve(*values)), {}))

    assert [value.hex() for value in values] == [epoch.validation["map@r"].hex() for epoch in read(path).outcome.curve]


def test_a_record_can_be_read_by_others(tmp_path, record):
    """A record has the permissions that the user's mask gives, and the mask itself stays."""
    mask = os.umask(0o027)
    try:
        path = write(tmp_path, record)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)

    assert stat.S_IMODE(path.stat().st_mode) == 0o640


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_record_that_cannot_be_written_leaves_nothing(tmp_path, record, value):
    """A score that JSON cannot say is an error that leaves neither a record nor a part of one."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        write(tmp_path, dataclasses.replace(record, outcome=done(scores={"map@r": value})))

    assert list(tmp_path.iterdir()) == []


# ---- what is no record


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_truncated_record_is_none(tmp_path, record, share):
    """A file that ends anywhere before its last bracket holds no record."""
    path = write(tmp_path, record)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * (len(content) - 2))])

    assert read(path) is None
    assert schema_of(path) is None


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
        b'{"schema": 3, "id": "x", "unit": {}, "outcome": {}, "outcome_digest": null, "telemetry": {}}',
        b"[" * 100_000,
    ],
)
def test_garbage_is_none(tmp_path, content):
    """Whatever else a file holds, reading it gives None and never raises."""
    path = tmp_path / "x.json"
    path.write_bytes(content)

    assert read(path) is None
    assert schema_of(path) is None


def put(document, place, value):
    """A copy of the document with another value at a place."""
    found = json.loads(json.dumps(document))
    *path, last = place.split(".")
    inner = found
    for part in path:
        inner = inner[int(part) if isinstance(inner, list) else part]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return found


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        # A key too many.
        ("hosts", 1, "unknown key 'hosts'"),
        ("unit.paramss", {}, "unknown key 'unit.paramss'"),
        ("unit.scoring.metric", [], "unknown key 'unit.scoring.metric'"),
        ("outcome.score", {}, "unknown key 'outcome.score'"),
        ("outcome.curve.0.los", 1.0, "unknown key 'outcome.curve.0.los'"),
        # A key too few.
        ("telemetry", ..., "the key 'telemetry' is missing"),
        ("unit.seeds", ..., "the key 'unit.seeds' is missing"),
        ("unit.training.augment", ..., "the key 'unit.training.augment' is missing"),
        ("outcome.curve.0.loss", ..., "the key 'outcome.curve.0.loss' is missing"),
        # A value of another type, which nothing makes into one of the right type.
        ("schema", 6, "schema: "),
        ("schema", "3", "schema: "),
        ("unit.trial", "0", "unit.trial: input should be a valid integer"),
        ("unit.trial", 0.5, "unit.trial: "),
        ("unit.kind", "tuned", "unit.kind: input should be 'tune' or 'final'"),
        ("unit.scoring.maximise", 1, "unit.scoring.maximise: input should be a valid boolean"),
        ("unit.method", "contrastive", "unit.method: input should be an object"),
        ("outcome.curve.0.loss", "low", "outcome.curve.0.loss: input should be a valid number"),
        ("outcome.curve.0.loss", float("nan"), "outcome.curve.0.loss: input should be a finite number"),
        ("outcome.repeat_rate", "often", "outcome.repeat_rate: input should be a valid number"),
        ("telemetry", [], "telemetry: "),
    ],
)
def test_what_does_not_hold_is_refused_in_one_sentence(document, place, value, sentence):
    """A key too many, a key too few and a value of another type are each one sentence that names the place; nothing is coerced."""
    with pytest.raises(RecordError) as refused:
        Record.from_json(json.dumps(put(document, place, value)), where="x.json")
    assert str(refused.value).startswith(f"x.json: {sentence}")
    assert "\n" not in str(refused.value)


def test_a_misspelt_key_gets_the_one_that_is_missing(document):
    """Of an unknown key where another one is missing, the sentence says which was meant."""
    seeds = document["unit"].pop("seeds")
    with pytest.raises(RecordError, match=r"^record: unknown key 'unit\.seed', did you mean 'seeds'\?$"):
        Record.from_json(json.dumps(put(document, "unit.seed", seeds)))


def test_a_wrong_id_is_refused(document):
    """An id that is not that of the unit is one sentence with both."""
    other, own = "0" * 64, document["id"]
    with pytest.raises(RecordError, match=rf"^record: its id is {other[:16]}…, its unit has {own[:16]}…$"):
        Record.from_json(json.dumps(put(document, "id", other)))


def test_a_changed_outcome_is_refused(document):
    """A score edited by hand is not what the digest vouches for: one sentence with both digests."""
    kept = document["outcome_digest"]
    edited = put(document, "outcome.scores", {"map@r": 0.99, "eer": None})
    found = digest(edited["outcome"])
    pattern = rf"^record: its outcome has the digest {found[:16]}…, it was written with {kept[:16]}…$"
    with pytest.raises(RecordError, match=pattern):
        Record.from_json(json.dumps(edited))
    # Without a digest nothing vouches for it, and the record says so.
    assert not Record.from_json(json.dumps({**edited, "outcome_digest": None})).verified


def test_a_failure_is_no_success(document):
    """An outcome that says it failed must have an error, one that is done must not."""
    for change in ({"state": "failed", "ended": "raised"}, {"error": "yet there is one"}, {"ended": "raised"}):
        with pytest.raises(RecordError, match=r"^record: .*outcome"):
            Record.from_json(json.dumps({**document, "outcome": {**document["outcome"], **change}}))


def test_a_record_under_another_name_is_none(tmp_path, record, document):
    """A renamed record, or one whose id is that of its name but not of its unit, is none."""
    path = write(tmp_path, record)
    renamed = tmp_path / f"{'0' * 64}.json"
    renamed.write_bytes(path.read_bytes())
    assert read(renamed) is None

    renamed.write_text(json.dumps({**document, "id": "0" * 64}))
    assert read(renamed) is None


def test_a_changed_unit_is_none(tmp_path, record, document):
    """A record whose unit was edited does not have the id of what it says was run."""
    path = write(tmp_path, record)
    path.write_text(json.dumps(put(document, "unit.params", {**document["unit"]["params"], "optimiser.lr": 1.0})))

    assert read(path) is None


def test_another_schema_is_none(tmp_path, record, document):
    """A record of another layout is not read as one of this, and its schema is told."""
    path = write(tmp_path, record)
    assert RECORD_SCHEMA == schema_of(path)
    path.write_text(json.dumps({**document, "schema": RECORD_SCHEMA + 1}))

    assert read(path) is None
    assert RECORD_SCHEMA + 1 == schema_of(path)
    assert read(tmp_path / "missing.json") is None


def test_all_records_of_a_folder(tmp_path, record):
    """Every JSON file is given in order of name, the broken ones as why they hold none; other files and missing folders give nothing."""
    path = write(tmp_path, record)
    (tmp_path / "0.json").write_text("broken")
    (tmp_path / "notes.txt").write_text("a note")
    (tmp_path / ".hidden.part").write_text("part")

    assert [("0.json", RecordError), (path.name, Record)] == [(file.name, type(found)) for file, found in read_all(tmp_path)]
    assert record == dict(read_all(tmp_path))[path]
    assert list(read_all(tmp_path / "nowhere")) == []


def test_a_killed_writer_leaves_no_half_record(tmp_path, record, document):
    """Killed between writing and renaming, a writer leaves no file that reading or listing takes for a record."""
    code = (
        "import os, sys, time\n"
        "from pathlib import Path\n"
        "from siambench.records.record import Record, write\n"
        "os.fsync = lambda handle: (print('written', flush=True), time.sleep(60))\n"
        "write(Path(sys.argv[1]), Record.from_json(sys.stdin.read()))\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    process.stdin.write(json.dumps(document))
    process.stdin.close()
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()

    assert list(read_all(tmp_path)) == []
    assert record == read(write(tmp_path, record))


def test_records_are_written_by_one_module_only():
    """Nothing else in the package offers to write a record."""
    assert records.write.__module__ == "siambench.records.record"


# ---- what a record tells


def test_telemetry_is_read_as_far_as_it_holds(unit):
    """What the telemetry says is told; what it lacks, or says as something else, is not, and raises nothing."""
    told = {
        "started": 12.5,
        "total_seconds": 3,
        "seconds": {"train": 2.5, "odd": "long"},
        "peak_memory_mb": 300.5,
        "device": "cpu",
        "traceback": "Traceback …",
        "search": {"optuna": "4"},
        "observers": {"jsonl": {"seconds": 0.1}},
        "measures": [to_json(ROW)],
        "upgraded_from": [{"schema": 1, "id": "a"}, {"schema": 2, "id": "b"}],
    }
    whole = record_of(unit, done(), told)
    assert (12.5, 3.0, {"train": 2.5}, 300.5, "cpu") == (whole.started, whole.seconds, whole.phases, whole.peak_memory_mb, whole.device)
    assert ("Traceback …", {"optuna": "4"}, {"jsonl": {"seconds": 0.1}}) == (whole.traceback, whole.search, whole.observers)
    assert ("a", "b") == whole.former_ids
    assert (ROW,) == whole.measures
    for telemetry in ({}, dict.fromkeys(told, float("nan")), dict.fromkeys(told, True), {key: [3] for key in told}):
        bare = record_of(unit, done(), telemetry)
        assert (0.0, None, {}, None, None) == (bare.started, bare.seconds, bare.phases, bare.peak_memory_mb, bare.device)
        assert (None, {}, {}, (), ()) == (bare.traceback, bare.search, bare.observers, bare.former_ids, bare.measures)


@pytest.mark.parametrize("change", [{"epoch": "1"}, {"loss": float("nan")}, {"strange": 1}, {"parts": {"trunk": {}}}])
def test_rows_that_are_none_are_not_told(unit, change):
    """Of a list in which one row is not what rows are, nothing is told, and nothing is raised: no digest vouches for telemetry."""
    rows = [to_json(ROW), {**to_json(ROW), **change}]

    assert () == record_of(unit, done(), {"measures": rows}).measures


def test_surroundings_are_what_can_make_two_runs_differ(unit):
    """Versions, machine and the components that ran, as far as they are told."""
    found = record_of(unit, done(), {"versions": {"torch": "2"}, "cpu": "fast", "host": "here", "components": {"loss": "other 1"}})
    assert {"torch": "2", "cpu": "fast", "loss": "other 1"} == found.surroundings
    assert {"torch": "2"} == record_of(unit, done(), {"versions": {"torch": "2"}}).surroundings


def test_baselines_of_another_backbone_are_other_rows(study):
    """A method's records share its row; a baseline's also its backbone, which its row does not name: of an exam the rest is the same."""
    final = study.final_unit(0, 1, study.defaults, 0)
    assert study.row == row_key(final) == row_key(study.tune_unit(1, 1, study.defaults))
    raw, first, second = baselines_of([study])
    assert row_key(first) == row_key(second)
    other = dataclasses.replace(first, method=dataclasses.replace(first.method, backbone="mlp"))
    assert 3 == len({row_key(one) for one in (raw, first, other)})


def test_older_records_are_counted_by_a_look(tmp_path, record, document):
    """Of a folder the intact records of an older schema are counted; today's, newer ones and garbage are not."""
    assert 0 == older(tmp_path / "nowhere")
    write(tmp_path, record)
    (tmp_path / "garbage.json").write_text("{")
    unit = {"any": "unit"}
    old = {"schema": 2, "id": digest(unit), "result": {"unit": unit}, "telemetry": {}}
    (tmp_path / f"{old['id']}.json").write_text(canonical(old))
    assert 1 == older(tmp_path)
    (tmp_path / f"{record.id}.json").write_text(json.dumps({**document, "schema": 6}))
    assert 1 == older(tmp_path)


@pytest.mark.parametrize("track", [path.parent.name for path in sorted(shipped("leaderboards").glob("*/records"))])
def test_every_shipped_record_loads(track):
    """Each record that ships is of today's schema, read without a fault, and written again it is the same file."""
    folder = shipped("leaderboards") / track / "records"
    paths = sorted(folder.glob("*.json"))
    assert paths
    for path in paths:
        text = path.read_bytes()
        record = Record.from_json(text, where=path.name)
        assert path.stem == record.id
        assert track == record.unit.track
        assert re.sub(rb"\s+$", b"", text).decode() == canonical(record.to_json())
    states = Counter(type(read(path).outcome) for path in paths[:50])
    assert {Done, Failed} >= set(states)
