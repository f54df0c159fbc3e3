"""Records that an older siambench wrote are brought to today's layout, and say so where they are met."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import filelock
import pytest

from siambench.board.rows import rows_of
from siambench.errors import ConfigError, DataMissingError, RecordError, UsageError
from siambench.identity import canonical, digest, to_json
from siambench.interfaces import Failed
from siambench.records import upgrade as upgrading
from siambench.records.folder import BUDGETS, LOCK, OPENINGS, Budget, Folder
from siambench.records.openings import read_openings
from siambench.records.record import read, read_all, schema_of
from siambench.records.upgrade import upgrade, upgraded
from siambench.spec import RECORD_SCHEMA, Drawn, Every, Listed, Source, Unit
from siambench.tracks.exam import departures
from siambench.tracks.files import load_track

ASSETS = Path(__file__).parent.parent / "assets"

OLDER = (1, 2)
"""The schemas of which a folder is committed, as its siambench left it."""


def originals(schema):
    """The committed records of a schema by id."""
    return {path.stem: json.loads(path.read_text()) for path in sorted((ASSETS / f"schema-{schema}" / "records").glob("*.json"))}


@pytest.fixture(params=OLDER)
def schema(request):
    """One after the other."""
    return request.param


@pytest.fixture
def old(tmp_path, schema):
    """A copy of the committed folder of that schema, as `run` left it."""
    folder = tmp_path / "out" / "glyphs"
    shutil.copytree(ASSETS / f"schema-{schema}", folder)
    return folder


def renamed(folder):
    """Old id → new record, of a folder that was upgraded."""
    return {record.former_ids[0]: record for _, record in read_all(folder / "records")}


def content(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def rows(folder):
    """The rows of a folder by name."""
    found = Folder(folder).read()
    return {row.name: row for row in rows_of(load_track(str(folder)), found.records, openings=found.openings)}


def test_the_assets_are_of_their_schema(schema):
    """The committed files are intact records of an older schema, which today's reader does not take for its own."""
    assert len(originals(schema)) > 20
    for path in (ASSETS / f"schema-{schema}" / "records").glob("*.json"):
        assert schema == schema_of(path)
        assert read(path) is None


# ---- records


def test_every_record_is_upgraded_and_kept(old, schema):
    """Each old record is there anew under an id of its own, with what it gave; the old file stands beside it, byte for byte."""
    before = originals(schema)
    (found,) = upgrade(old.parent)
    assert (old, len(before), 0, ()) == (found.folder, found.records, found.current, found.damaged)
    new = renamed(old)
    assert set(before) == set(new)
    for name, document in before.items():
        result, record = document["result"], new[name]
        outcome = to_json(record.outcome)
        for key in ("state", "scores", "per_class", "error", "notes"):
            assert result[key] == outcome[key]
        assert result["verdict"] == outcome["ended"]
        assert [{**epoch, "validation": epoch.get("validation")} for epoch in result["curve"]] == outcome["curve"]
        assert result.get("class_queries") == outcome["class_queries"]
        added = {key: record.telemetry[key] for key in ("upgraded_from", "components")}
        assert {**document["telemetry"], **added} == dict(record.telemetry)
        kept = ASSETS / f"schema-{schema}" / "records" / f"{name}.json"
        assert kept.read_bytes() == (old / f"records-schema-{schema}" / f"{name}.json").read_bytes()
    assert len(before) == len(list((old / "records").iterdir()))


def test_an_upgraded_unit_is_a_unit_of_today(old, schema):
    """The unit of an upgraded record can be read back, has the record's id, and is what was run before."""
    upgrade(old)
    for name, record in renamed(old).items():
        unit, before = record.unit, originals(schema)[name]["result"]["unit"]
        assert unit == Unit.from_json(canonical(unit.to_json()))
        assert unit.id == record.id
        for key in ("kind", "track", "track_version", "trial", "fold", "repetition", "stop_epoch", "params", "seeds", "space"):
            assert before[key] == unit.to_json()[key]
        assert before["data"]["fingerprint"] == unit.data.fingerprint
        assert (before["primary"], tuple(before["metrics"])) == (unit.scoring.primary, unit.scoring.metrics)
        assert (0, Drawn()) == (unit.study, unit.scoring.pairs)
        if unit.method.baseline is None:
            assert before["study"] == unit.row
            assert before["augment"] == unit.to_json()["training"]["augment"]
        else:
            assert (f"baseline-{unit.method.baseline}", None) == (unit.row, unit.training)
        told = {role.partition(":")[0] if role == "metrics:siambench" else role: text for role, text in record.distributions.items()}
        assert {role: text.partition("+")[0] for role, text in before["components"].items() if role != "harness"} == told


def test_where_each_record_comes_from_is_told(tmp_path):
    """Every step of its way stands in the telemetry: of schema 1 four, and under the id that it had under each."""
    document = next(iter(originals(1).values()))
    record = upgraded(document)
    steps = record.telemetry["upgraded_from"]
    assert {"schema": 1, "id": document["id"]} == steps[0]
    assert [1, 2, 3, 4] == [step["schema"] for step in steps]
    assert tuple(step["id"] for step in steps) == record.former_ids
    assert 5 == len({record.id, *record.former_ids})


def test_a_step_that_the_first_edition_made_is_not_forgotten():
    """The first edition's upgrade left one step, not a list of them: it comes before today's."""
    document = next(iter(originals(2).values()))
    before = {"schema": 1, "id": "a" * 64}
    record = upgraded({**document, "telemetry": {**document["telemetry"], "upgraded_from": before}})
    assert [before, {"schema": 2, "id": document["id"]}] == record.telemetry["upgraded_from"][:2]
    assert ("a" * 64, document["id"]) == record.former_ids[:2]


def test_upgraded_outcomes_are_not_verified(old):
    """No digest was kept of what an older siambench wrote: an upgraded record does not claim to have one, also when read again."""
    upgrade(old)
    for path, record in read_all(old / "records"):
        assert record.verified is False
        assert json.loads(path.read_text())["outcome_digest"] is None


# ---- rows, openings and budgets


def test_upgraded_records_give_their_rows(old, schema):
    """The rows of the upgraded folder hold the scores of the old records."""
    upgrade(old)
    found = rows(old)
    trained = {1: "npair", 2: "triplet+hard"}[schema]
    assert {trained, "raw", "untrained"} == set(found)
    finals = [
        document["result"]["scores"]["map@r"]
        for document in originals(schema).values()
        if document["result"]["unit"]["method"]["loss"] not in ("raw", "untrained") and document["result"]["scores"]
    ]
    assert len(finals) == found[trained].seeds
    assert sum(finals) / len(finals) == pytest.approx(found[trained].scores["map@r"].mean)
    # The first one's verification pairs were drawn from another seed: the row says that older code scored it.
    assert (schema == 1) == ("revision-0" in found[trained].flags)
    # The first did not say how many queries a test class has, without which there is no interval over them.
    assert (schema == 1) == (found[trained].scores["map@r"].classes95 is None)


def test_a_shipped_row_is_what_it_was(tmp_path):
    """The row that the records of schema 2 gave in the table of its day, to its last digit: interval, order of trials too."""
    shutil.copytree(ASSETS / "schema-2", tmp_path / "glyphs")
    upgrade(tmp_path)
    row = rows(tmp_path / "glyphs")["triplet+hard"]
    # From leaderboards/glyphs/table.csv of the commit that the records were taken from.
    assert "0.136178221091" == f"{row.scores['map@r'].mean:.12g}"
    assert "0.0105661041895" == f"{row.scores['map@r'].ci95:.12g}"
    assert ("0.129322717939", "0.143641263337") == tuple(f"{end:.12g}" for end in row.scores["map@r"].classes95)
    assert "0.164966666667" == f"{row.scores['eer'].mean:.12g}"
    # One study of an older revision, which is no full row of today's rules.
    expected = (12, 10, 4, ("revision-1", "short-budget", "unverified"))
    assert expected == (row.trials, row.seeds, row.dimension, row.flags)


def test_test_opened_is_what_it_was(old, schema):
    """Each row counts as many openings as distinct units of its method stood in the old log, and each only once."""
    lines = [json.loads(line) for line in (ASSETS / f"schema-{schema}" / OPENINGS).read_text().splitlines() if line.strip()]
    expected: dict[str, set[str]] = {}
    for line in lines:
        expected.setdefault(line["method"], set()).add(line["unit"])
    finals = {document["id"] for document in originals(schema).values() if document["result"]["unit"]["kind"] == "final"}
    assert finals <= {unit for units in expected.values() for unit in units}
    assert {1: {"npair": 5, "raw": 1, "untrained": 2}, 2: {"triplet+hard": 15, "raw": 2, "untrained": 20}}[schema] == {
        method: len(units) for method, units in expected.items()
    }
    upgrade(old)
    assert {method: len(units) for method, units in expected.items()} == {name: row.opened for name, row in rows(old).items()}


def test_the_log_of_openings_follows(old, schema):
    """Its lines are as many and as they were, but for the unit's new id, and what was called a study is a row."""
    before = read_openings(ASSETS / f"schema-{schema}" / OPENINGS)
    upgrade(old)
    new = renamed(old)
    after = read_openings(old / OPENINGS)
    assert len(before) == len(after)
    for line, now in zip(before, after, strict=True):
        assert (line["time"], line["track"], line["method"]) == (now["time"], now["track"], now["method"])
        # Units of an earlier version of the track have no record here: their lines stay theirs.
        assert (new[line["unit"]].id if line["unit"] in new else line["unit"]) == now["unit"]
        assert (line["study"].replace("anchor-", "baseline-"), 0) == (now["row"], now["study"])
    assert {record.id for record in new.values() if record.unit.kind == "final"} <= {line["unit"] for line in after}


def test_budgets_follow(tmp_path):
    """What runs asked of their rows is told of them under today's keys, so that `status` plans what they planned."""
    shutil.copytree(ASSETS / "schema-2", tmp_path / "glyphs")
    before = json.loads((ASSETS / "schema-2" / BUDGETS).read_text())
    upgrade(tmp_path)
    folder = Folder(tmp_path / "glyphs")
    assert {"baseline-raw": Budget(1, 0, 1), "baseline-untrained": Budget(1, 0, 10)} == {
        row: asked for row, asked in folder.budgets.items() if row.startswith("baseline-")
    }
    expected = {name.replace("anchor-", "baseline-"): Budget(1, tune // 2, final) for name, (tune, final) in before.items()}
    assert expected == folder.budgets
    assert {record.unit.row for record in folder.read().records} == set(folder.budgets)


@pytest.mark.parametrize("text", ["", "[]", "3"])
def test_a_budget_that_cannot_be_read_is_left(tmp_path, text):
    """A file of budgets that is none stays as it is, and is in nobody's way."""
    shutil.copytree(ASSETS / "schema-1", tmp_path / "glyphs")
    (tmp_path / "glyphs" / BUDGETS).write_text(text)
    (found,) = upgrade(tmp_path)
    assert len(originals(1)) == found.records
    assert text == (tmp_path / "glyphs" / BUDGETS).read_text()


# ---- again, and interrupted


def test_a_second_upgrade_does_nothing(old, schema):
    """Upgrading again finds everything up to date and changes no file."""
    upgrade(old)
    before = content(old)
    (found,) = upgrade(old)
    assert (0, len(originals(schema))) == (found.records, found.current)
    assert before == content(old)


@pytest.mark.parametrize("step", ["write", "move", "log", "budgets"])
def test_an_interrupted_upgrade_goes_on(old, schema, tmp_path, monkeypatch, step):
    """Killed before or after a new record is written, or before log or budgets follow: the next upgrade ends as an undisturbed one."""
    shutil.copytree(ASSETS / f"schema-{schema}", tmp_path / "calm")
    upgrade(tmp_path / "calm")
    expected = {path.relative_to(tmp_path / "calm"): text for path, text in content(tmp_path / "calm").items()}

    def interrupted(*arguments):
        raise KeyboardInterrupt

    if step in ("write", "move"):
        calls = []

        def write(folder, record, write=upgrading.write):
            if len(calls) == 5 and step == "write":
                raise KeyboardInterrupt
            calls.append(write(folder, record))
            if len(calls) == 5 and step == "move":
                raise KeyboardInterrupt

        monkeypatch.setattr(upgrading, "write", write)
    else:
        monkeypatch.setattr(upgrading, {"log": "_rename_openings", "budgets": "_rename_budgets"}[step], interrupted)
    with pytest.raises(KeyboardInterrupt):
        upgrade(old)
    monkeypatch.undo()
    upgrade(old)
    assert expected == {path.relative_to(old): text for path, text in content(old).items()}


def test_new_records_in_the_folder_are_left_alone(old, schema):
    """Where a run has gone on with today's layout beside older records, those are counted and stay as they are."""
    upgrade(old)
    one, other, *_ = sorted((ASSETS / f"schema-{schema}" / "records").glob("*.json"))
    shutil.copyfile(other, old / "records" / "again.json")
    shutil.copyfile(one, old / "records" / one.name)
    before = content(old)
    (found,) = upgrade(old)
    assert (1, len(originals(schema))) == (found.records, found.current)
    assert [old / "records" / "again.json"] == list(found.damaged)
    del before[old / "records" / one.name]
    assert before == content(old)


# ---- what else an older record may hold


def older_record(name="final", **changes):
    """A record of schema 2: the first of a kind, with other fields in its unit."""
    documents = [one for one in originals(2).values() if one["result"]["unit"]["method"]["loss"] == "triplet"]
    document = next(one for one in documents if one["result"]["unit"]["kind"] == name)
    result = document["result"]
    return {**document, "result": {**result, "unit": {**result["unit"], **changes}}}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"pairs": ""}, Drawn()),
        ({"pairs": "all"}, Every()),
        ({"pairs": "pairs.txt", "pairs_digest": "0" * 64}, Listed("0" * 64)),
    ],
)
def test_verification_pairs_are_brought_over(rules, expected):
    """Drawn pairs, every pair, and a list with its digest are what they were."""
    record = upgraded(older_record(evaluation={"distance": "euclidean", "protocol": "reality-check", **rules}))
    scoring = record.unit.scoring
    assert (expected, "euclidean", "reality-check") == (scoring.pairs, scoring.distance, scoring.protocol)


def test_components_are_brought_over():
    """Their text becomes facts: distribution, version and digest; metrics of several distributions stand apart; a file stays local."""
    texts = {
        "loss": "local 0+0123456789abcdef",
        "backbone": "my package 1.0+cu128",
        "dataset": "siambench 0.1.0+0123456789abcdef",
        "metrics": "siambench 0.1.0; other-metrics 2.0",
        "sampler": "odd",
    }
    record = upgraded(older_record(components=texts))
    assert {
        "loss": Source("local", "local", "0123456789abcdef"),
        "backbone": Source("my package", "my package", None),
        "dataset": Source("siambench", "siambench", "0123456789abcdef"),
        "metrics:siambench": Source("siambench", "siambench", None),
        "metrics:other-metrics": Source("other-metrics", "other-metrics", None),
        "sampler": Source("odd", "odd", None),
    } == dict(record.unit.components)
    assert record.unit.is_local
    assert not upgraded(older_record()).unit.is_local


def test_which_way_a_metric_is_better_is_brought_over():
    """A unit that was trained says it itself; a baseline's record says it in its directions."""
    unit = older_record()["result"]["unit"]
    assert not upgraded(older_record(training={**unit["training"], "maximise": False})).unit.scoring.maximise
    raw = next(one for one in originals(2).values() if one["result"]["unit"]["method"]["loss"] == "raw")
    assert upgraded(raw).unit.scoring.maximise
    result = raw["result"]
    lower = {**raw, "result": {**result, "unit": {**result["unit"], "primary": "eer"}}}
    assert not upgraded(lower).unit.scoring.maximise


def test_a_failed_unit_is_brought_over():
    """It stays failed with its reason and how it ended, and has no scores."""
    document = older_record("tune")
    failed = {"state": "failed", "error": "the loss became nan", "verdict": "diverged", "curve": [], "scores": {}, "per_class": {}}
    bare = {key: document["result"][key] for key in ("unit", "notes")}
    record = upgraded({**document, "result": {**bare, **failed}})
    assert Failed(error="the loss became nan", ended="diverged") == record.outcome


def test_metrics_over_pairs_are_known_by_their_names():
    """Older records do not say which metrics are computed from verification pairs: those of the first edition are known."""
    outcome = upgraded(older_record()).outcome
    assert {"verification_accuracy", "roc_auc", "eer", "tar@1e-1", "tar@1e-2", "tar@1e-3"} == set(outcome.over_pairs)
    assert {} == dict(outcome.ranges)


# ---- folders


def test_a_folder_of_output_folders_is_upgraded(tmp_path):
    """Where several runs left their output folders, every track's folder in every one of them is brought over."""
    for place in ("first/glyphs", "second/glyphs", "second/other"):
        shutil.copytree(ASSETS / "schema-1", tmp_path / place)
    (tmp_path / "notes").mkdir()
    (tmp_path / ".hidden" / "glyphs" / "records").mkdir(parents=True)
    found = upgrade(tmp_path)
    assert [tmp_path / place for place in ("first/glyphs", "second/glyphs", "second/other")] == [one.folder for one in found]
    assert {len(originals(1))} == {one.records for one in found}


@pytest.mark.parametrize("number", [0, 99])
def test_an_unknown_schema_is_refused(number):
    """A record of a schema that this siambench does not know is one sentence that says which it reads, and what to install."""
    document = next(iter(originals(1).values()))
    expected = f"record {document['id'][:16]}… has schema {number}, this siambench reads 1 to {RECORD_SCHEMA}: install a newer one"
    with pytest.raises(ConfigError) as refused:
        upgraded({**document, "schema": number})
    assert expected == str(refused.value)


def test_a_newer_record_in_a_folder_is_refused(old, schema):
    """An upgrade of a folder with a record of the future stops with that sentence and leaves that record."""
    unit = {"of": "the future"}
    newer = {"schema": RECORD_SCHEMA + 1, "id": digest(unit), "unit": unit}
    path = old / "records" / f"{newer['id']}.json"
    path.write_text(json.dumps(newer))
    with pytest.raises(ConfigError, match=rf"has schema {RECORD_SCHEMA + 1}, this siambench reads"):
        upgrade(old)
    assert newer == json.loads(path.read_text())


def test_a_record_that_does_not_hold_is_one_sentence():
    """An older record whose unit lacks what a unit has is refused with the place."""
    document = older_record()
    del document["result"]["unit"]["data"]["dataset"]
    with pytest.raises(RecordError, match=r"^record [0-9a-f]{16}…: the key 'unit\.data\.dataset' is missing$"):
        upgraded(document)


def test_a_folder_without_records_is_an_error(tmp_path):
    """Where there are no records the error says where they were expected."""
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DataMissingError, match=r"holds no records: expected"):
            upgrade(folder)


def test_a_folder_that_a_run_holds_is_not_upgraded(old):
    """While a run works on the folder the upgrade is refused, and nothing is changed."""
    with filelock.FileLock(old / LOCK):
        before = content(old)
        with pytest.raises(UsageError, match=r"a run works on .*glyphs: upgrade it when the run has ended"):
            upgrade(old.parent)
        assert before == content(old)


# ---- where older records are met


def test_the_command_upgrades_and_names_damaged_files(siambench, old, schema):
    """`siambench upgrade` says how many it brought over, passes over garbage with its name, and exits 0."""
    (old / "records" / "garbage.json").write_text("{")
    done = siambench("upgrade", old.parent)
    assert 0 == done.returncode, done.stderr
    assert f"{len(originals(schema))} records upgraded, 0 were up to date" in done.stdout
    assert "garbage.json: no intact record" in done.stderr
    assert 4 == siambench("upgrade", old / "nowhere").returncode


def test_the_table_of_an_upgraded_folder_is_written(siambench, old, schema):
    """After `siambench upgrade` the table of its exam stands, with the openings that the old log counted."""
    assert 0 == siambench("upgrade", old).returncode
    # The rules that lie beside them say nothing of races, which are on today: what was run without is another exam, and is said to be.
    (other,) = json.loads(siambench("leaderboard", old, "--format", "json").stdout)["other_exams"]
    assert ["training.racing", "training.validate_every"] == other["differs"]
    exam = next(record.exam.short for record in Folder(old).read().records)
    done = siambench("leaderboard", old, "--exam", exam, "--format", "csv")
    assert 0 == done.returncode, done.stderr
    opened = {line["method"]: line["test_opened"] for line in csv.DictReader(done.stdout.splitlines())}
    assert {1: {"npair": "5", "raw": "1", "untrained": "2"}, 2: {"triplet+hard": "15", "raw": "2", "untrained": "20"}}[schema] == opened


def test_a_leaderboard_says_which_command_upgrades(siambench, old):
    """A leaderboard over older records names the command that brings them over, rather than passing over them in silence."""
    done = siambench("leaderboard", old)
    assert f"siambench upgrade {old}" in done.stderr


def test_a_run_says_which_command_upgrades(siambench, old, schema):
    """A run into a folder with older records says that they are not used as they are, and names the command."""
    loss = {1: ["npair"], 2: ["triplet", "--miner", "hard"]}[schema]
    done = siambench("run", "--track", old, "--loss", *loss, "--out", old.parent, "--plan")
    assert 0 == done.returncode, done.stderr
    assert f"siambench upgrade {old}" in done.stderr


def test_the_rules_that_a_run_left_are_completed(tmp_path):
    """`track.json` of an older run gets the keys that its units followed without one; its table stands as it did, and stays so."""
    folder = tmp_path / "glyphs"
    shutil.copytree(ASSETS / "schema-2", folder)
    rules = load_track(str(folder / "track.toml")).model_dump(by_alias=True, mode="json")
    for key in ("validate_every", "racing"):
        del rules["training"][key]
    (folder / "track.toml").unlink()
    (folder / "track.json").write_text(json.dumps(rules))
    upgrade(tmp_path)
    track, before = load_track(str(folder)), content(folder)
    assert (1, False) == (track.training.validate_every, track.training.racing)
    assert {True} == {departures(track, record.exam) == [] for record in Folder(folder).read().records}
    upgrade(tmp_path)
    assert before == content(folder)
