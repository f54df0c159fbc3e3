"""Whatever lies where records are: nothing is read that has no end, nothing is taken for a result, and each is named."""

from __future__ import annotations

import dataclasses
import json
import os

import pytest
from made import TRACK, done, final, studies, study, with_classes

from siambench.errors import RecordError
from siambench.identity import canonical, digest
from siambench.records.folder import Folder
from siambench.records.record import Record, load, write


def a_folder(path):
    path.mkdir()


def a_pipe(path):
    os.mkfifo(path)


def a_dangling_link(path):
    path.symlink_to("/nowhere/at/all")


def a_link_to_a_device(path):
    path.symlink_to("/dev/zero")


def a_link_to_itself(path):
    path.symlink_to(path)


def content(text):
    def write_it(path):
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return write_it


ODD = {
    "folder": (a_folder, "is a folder, expected a file"),
    "pipe": (a_pipe, "is a pipe, expected a file"),
    "dangling": (a_dangling_link, "no such file"),
    "zero": (a_link_to_a_device, "is a device, expected a file"),
    "circle": (a_link_to_itself, "cannot be read"),
    "empty": (content(""), "invalid JSON"),
    "list": (content("[1, 2]"), "input should be an object"),
    "shape": (content('{"schema": 5, "id": "x", "unit": 3}'), "the key"),
    "deep": (content("[" * 100_000), "recursion limit"),
    "bytes": (content(b'{"schema": 5, "x": "\xff\xfe"}'), "invalid JSON"),
    "number": (content('{"schema": ' + "9" * 10_000 + "}"), "invalid JSON"),
    "binary": (content(bytes(range(256)) * 20), "invalid JSON"),
}


@pytest.fixture
def folder(tmp_path):
    """A track's folder with a row, and beside its records everything that is none."""
    path = tmp_path / "made"
    for record in study("triplet", [0.5, 0.51, 0.52]):
        write(path / "records", record)
    (path / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    for name, (make, _) in ODD.items():
        make(path / "records" / f"{name}.json")
    return path


def test_each_is_passed_over_and_named_with_its_reason(folder):
    """A folder, a pipe, links to nothing, to a device and to itself, and JSON of any other shape are no records, each with why."""
    found = Folder(folder).read()
    assert 7 == len(found.records)
    assert set(ODD) == {path.stem for path in found.damaged}
    for path, reason in found.damaged.items():
        assert ODD[path.stem][1] in reason


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("leaderboard", "made"), 0),
        (("leaderboard", "made", "--check"), 6),
        (("leaderboard", "made", "--write"), 6),
        (("leaderboard", "made", "--from", "made", "--format", "json"), 0),
        (("show", "study", "made", "triplet"), 0),
        (("status", "made"), 0),
        (("upgrade", "made"), 0),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_names_them_and_ends(folder, siambench, command, code):
    """Each command that reads records ends, with its own exit code, and says that there is damage; `--write` leaves nothing behind."""
    ended = siambench(*command, cwd=folder.parent)
    assert code == ended.returncode, ended.stderr
    assert "records/bytes.json" in ended.stdout + ended.stderr
    assert not (folder / "README.md").exists()


LINES = ['3\n"x"\nnull\n', "{\n", "[]\n" * 3, '{"unit": 5}\n{"unit": null, "method": ["x"]}\n', "[" * 100_000 + "\n"]


@pytest.mark.parametrize("lines", LINES, ids=range(len(LINES)))
def test_a_log_of_openings_may_hold_anything(folder, siambench, lines):
    """Lines that are no objects, or objects of another shape, are passed over."""
    (folder / "test-openings.jsonl").write_text(lines)
    ended = siambench("leaderboard", "made", "--format", "csv", cwd=folder.parent)
    assert 0 == ended.returncode, ended.stderr
    assert "triplet" in ended.stdout


@pytest.mark.parametrize("name", ["budgets.json", "test-openings.jsonl", ".held-by.json", "track.json"])
@pytest.mark.parametrize("make", [a_folder, a_pipe, a_dangling_link, a_link_to_a_device], ids=lambda make: make.__name__)
def test_odd_files_beside_the_records_hold_nobody_up(folder, siambench, name, make):
    """Whatever bears the name of the budgets, the log, the note of a run or the rules, `status` ends in words."""
    (folder / name).unlink(missing_ok=True)
    make(folder / name)
    ended = siambench("status", "made", cwd=folder.parent)
    assert 0 == ended.returncode, ended.stderr
    assert "7 records" in ended.stdout


# ---- results that were edited, or decayed


def edited(record, sealed, **changes):
    """The text of a record with another outcome; sealed: with the digest of that one, as a forger would."""
    document = {**record.to_json()}
    document["outcome"] = {**document["outcome"], **changes}
    document["outcome_digest"] = digest(document["outcome"]) if sealed else document["outcome_digest"]
    return canonical(document)


RECORD = with_classes("triplet", [[0.1, 0.9, 0.4], [0.2, 0.8, 0.4], [0.3, 0.7, 0.4]], [5, 20, 3])[-1]
SCORES = {**RECORD.outcome.scores}


@pytest.mark.parametrize(
    ("changes", "sealed", "words"),
    [
        ({"scores": {**SCORES, "map@r": SCORES["map@r"] + 0.01}}, False, "its outcome has the digest"),
        ({"scores": {**SCORES, "map@r": SCORES["map@r"] + 0.01}}, True, "the mean of its classes"),
        ({"scores": {**SCORES, "map@r": SCORES["map@r"] + 3e-6}}, True, "the mean of its classes"),
        ({"scores": {**SCORES, "recall@1": 1.01}}, True, r"its recall@1 is 1\.01, outside \[0, 1\]"),
        ({"scores": {**SCORES, "recall@1": -0.1}}, True, r"outside \[0, 1\]"),
        ({"scores": {**SCORES, "concatenated:recall@1": 7.0}}, True, r"its concatenated:recall@1 is 7\.0"),
        ({"class_queries": [5, 20]}, True, "is of 3 classes, its queries of 2"),
        ({"class_queries": [5, 20, 300]}, True, "the mean of its classes"),
    ],
)
def test_a_result_that_cannot_be_is_damage(changes, sealed, words):
    """A changed digit breaks the digest; where that was made to fit, the score leaves its range, or the mean of its classes."""
    with pytest.raises(RecordError, match=words):
        Record.from_json(edited(RECORD, sealed, **changes))


def test_a_score_agrees_with_its_classes_up_to_their_digits():
    """Class means have six decimals: what lies within 2e-6 of their mean, and a score without classes, is intact."""
    for scores in ({**SCORES, "map@r": SCORES["map@r"] + 1.5e-6}, {**SCORES, "eer": 0.25}):
        assert scores == Record.from_json(edited(RECORD, sealed=True, scores=scores)).outcome.scores


def test_an_epoch_beyond_the_range_is_damage():
    """Validation scores lie in their metric's range too."""
    curve = [{"epoch": 1, "loss": 1.0, "gradient_norm": None, "tuples": None, "validation": {"map@r": 1.5}}]
    with pytest.raises(RecordError, match=r"its map@r of epoch 1 is 1\.5, outside \[0, 1\]"):
        Record.from_json(edited(RECORD, sealed=True, curve=curve))


@pytest.mark.parametrize("part", ["version", "data", "groups"])
def test_a_record_of_another_exam_than_its_units_is_damage(part):
    """An exam that is not the unit's own, though well-formed, is told."""
    document = RECORD.to_json()
    document["exam"] = {**document["exam"], part: "another"}
    with pytest.raises(RecordError, match=f"its exam says {part} 'another'"):
        Record.from_json(canonical(document))


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("training", "epochs", 9),
        ("training", "precision", "bf16"),
        ("model", "backbone", "mlp"),
        ("model", "embedding_size", 9),
        ("evaluation", "protocol", "reality-check"),
        ("evaluation", "pairs", {"kind": "every"}),
        ("metrics", "direction", "min"),
    ],
)
def test_a_record_of_an_exam_under_other_rules_than_its_units_is_damage(part, key, value):
    """A unit that was trained cannot be moved to another exam's table: what both say of the rules has to be the same."""
    document = RECORD.to_json()
    document["exam"] = {**document["exam"], part: {**document["exam"][part], key: value}}
    with pytest.raises(RecordError, match=f"its exam says {part}.{key}"):
        Record.from_json(canonical(document))


@pytest.mark.parametrize("place", ["outcome_digest", "telemetry", "id"])
def test_a_key_that_comes_twice_hides_nothing(place):
    """A second outcome in the text, wherever it stands, is read by neither the parser nor the digest alone."""
    text = canonical(RECORD.to_json())
    edited_outcome = canonical({**RECORD.to_json()["outcome"], "scores": {**SCORES, "recall@1": 0.999}})
    at = text.index(f',"{place}":') if place != "id" else text.index(',"outcome":')
    forged = f'{text[:at]},"outcome" :{edited_outcome}{text[at:]}\n'
    try:
        found = Record.from_json(forged)
    except RecordError:
        return
    assert RECORD.outcome == found.outcome


@pytest.mark.parametrize("schema", [1, 2, 3, 4, 6])
def test_another_number_of_the_schema_is_not_passed_over_in_silence(folder, siambench, schema):
    """One digit, and a row would lose its score: `--check` exits 6, `--write` refuses, and what is advised is true."""
    for name in ODD:
        path = folder / "records" / f"{name}.json"
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    victim = folder / "records" / f"{final('triplet', 2, 0.52, trial=1).id}.json"
    victim.write_text(victim.read_text().replace('"schema":5', f'"schema":{schema}'))
    for what in ("--check", "--write"):
        assert 6 == siambench("leaderboard", "made", what, cwd=folder.parent).returncode
    shown = siambench("leaderboard", "made", cwd=folder.parent)
    assert ("a newer layout: install" if schema > 5 else "holds no intact record") in shown.stderr
    upgraded = siambench("upgrade", "made", cwd=folder.parent)
    assert (4 if schema > 5 else 0) == upgraded.returncode, upgraded.stderr


def test_write_goes_through_no_link(folder, siambench, tmp_path):
    """What lies under the name of a temporary file is not written through."""
    for name in ODD:
        path = folder / "records" / f"{name}.json"
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    (tmp_path / "mine").write_text("mine")
    for name in ("README.md", "table.csv", "index.html", "costs.csv"):
        (folder / f".{name}.part").symlink_to(tmp_path / "mine")
    assert 0 == siambench("leaderboard", "made", "--write", cwd=folder.parent).returncode
    assert "mine" == (tmp_path / "mine").read_text()
    assert not (folder / "README.md").is_symlink()
    (folder / "README.md").write_bytes(b"\xfc\xfc\n")
    assert 6 == siambench("leaderboard", "made", "--check", cwd=folder.parent).returncode


def test_damage_makes_check_fail_and_write_refuse(folder, siambench):
    """One digit of a score: the row loses its unit, `--check` exits 6 where the page was right before, and `--write` refuses."""
    for name in ODD:
        path = folder / "records" / f"{name}.json"
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    for what in ("--write", "--check"):
        assert 0 == siambench("leaderboard", "made", what, cwd=folder.parent).returncode
    victim = final("triplet", 2, 0.52, trial=1)
    path = folder / "records" / f"{victim.id}.json"
    path.write_text(path.read_text().replace("0.52", "0.53"))
    for what in ("--check", "--write"):
        ended = siambench("leaderboard", "made", what, cwd=folder.parent)
        assert 6 == ended.returncode
        assert f"{path.name} holds no intact record: its outcome has the digest" in ended.stderr
    with pytest.raises(RecordError):
        load(path)


def test_a_record_without_a_digest_is_marked(tmp_path):
    """A row with such a record is flagged `unverified`; what can be checked of it is."""
    records = [dataclasses.replace(record, verified=False) for record in studies("triplet", [0.5, 0.51, 0.52])]
    path = tmp_path / "made"
    for record in records:
        write(path / "records", record)
    (path / "track.json").write_text(TRACK.model_dump_json(by_alias=True))
    from siambench.board.files import leaderboard

    (line,) = leaderboard(str(path))[0].lines
    assert ("unverified",) == line.row.flags
    assert {None} == {json.loads(file.read_text())["outcome_digest"] for file in (path / "records").iterdir()}
    assert done().state == records[0].outcome.state
