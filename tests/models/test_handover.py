"""A row's model is handed over: the one that was kept, or trained again from its record, with a card beside it."""

from __future__ import annotations

import dataclasses
import json
import shutil

import pytest

from siambench.models.file import read_document
from siambench.records.record import read, write


def model(siambench, kept, *arguments, row="triplet", out="m.safetensors", **options):
    return siambench("model", kept.track, row, "--from", kept.out, "--out", out, *arguments, **options)


def test_what_was_kept_is_handed_over_with_a_card(siambench, kept, tmp_path):
    """The file is byte for byte the one that the unit kept; the card says how to load it, its scores, thresholds and licences."""
    done = model(siambench, kept, "--json")
    assert 0 == done.returncode, done.stderr
    assert kept.model().read_bytes() == (tmp_path / "m.safetensors").read_bytes()
    card = (tmp_path / "m.md").read_text()
    record = kept.finals["triplet", 0]
    for words in ("siambench.load_model('m.safetensors')", "CC BY 4.0", record.id, record.exam.id, "| far=0.01 | 1 |", "(2 repetitions)"):
        assert words in card, words
    assert f"| map@r | {record.outcome.scores['map@r']:.4f} |" in card
    document = json.loads(done.stdout)
    assert dict(record.outcome.scores) == document["scores"]
    assert "as it was kept" in done.stderr


def test_a_kept_model_is_outside_the_outcome(kept):
    """Of a model the record's telemetry alone speaks, by its digest; the unit and its outcome are what they are without it."""
    record = kept.finals["triplet", 0]
    assert {"sha256"} == set(record.telemetry["model"])
    assert "model" not in record.to_json()["outcome"]
    assert read_document(kept.model()).unit == record.id


def test_a_model_trained_again_is_the_kept_one_bit_for_bit(siambench, kept, tmp_path):
    """Where none was kept, training again from the record gives the same file, and the row's folder is left alone."""
    copy = kept.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / "models")
    before = {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}
    done = model(siambench, copy, "--repetition", "1")
    assert 0 == done.returncode, done.stderr
    assert "trained again from its record" in done.stderr
    assert kept.model(repetition=1).read_bytes() == (tmp_path / "m.safetensors").read_bytes()
    assert before == {path: path.read_bytes() for path in copy.root.rglob("*") if path.is_file()}


def test_another_processor_hands_over_with_the_differences_stated(siambench, kept, tmp_path):
    """A record of another processor with other scores gives a model all the same; both scores stand in its file, its card and on stderr."""
    copy = kept.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / "models")
    record = copy.finals["untrained", 0]
    scores = {**record.outcome.scores, "recall@1": record.outcome.scores["recall@1"] - 0.01}
    per_class = {name: values for name, values in record.outcome.per_class.items() if name != "recall@1"}
    outcome = dataclasses.replace(record.outcome, scores=scores, per_class=per_class)
    telemetry = {**record.telemetry, "cpu": "Another Processor, AVX2"}
    write(copy.folder / "records", dataclasses.replace(record, outcome=outcome, telemetry=telemetry))
    done = model(siambench, copy, row="untrained")
    assert 0 == done.returncode, done.stderr
    assert "is not the recorded model bit for bit" in done.stderr
    again = read_document(tmp_path / "m.safetensors").again
    assert scores["recall@1"] == again.scores["recall@1"].recorded
    assert record.outcome.scores["recall@1"] == again.scores["recall@1"].here
    card = (tmp_path / "m.md").read_text()
    assert "Another Processor, AVX2 recorded" in card
    assert f"| recall@1 | {scores['recall@1']:.10g} | {record.outcome.scores['recall@1']:.10g} |" in card


def test_another_model_on_the_same_machine_is_not_handed_over(siambench, kept, tmp_path):
    """Where the same versions on the same machine give other scores than recorded, the exit code is 6 and there is no file."""
    copy = kept.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / "models")
    record = copy.finals["untrained", 0]
    outcome = dataclasses.replace(record.outcome, scores={**record.outcome.scores, "eer": record.outcome.scores["eer"] / 2})
    write(copy.folder / "records", dataclasses.replace(record, outcome=outcome))
    done = model(siambench, copy, row="untrained")
    assert 6 == done.returncode
    assert "is another model: eer" in done.stderr
    assert not (tmp_path / "m.safetensors").exists()
    assert not list(tmp_path.glob(".siambench-*"))


def test_a_damaged_kept_model_is_passed_over(siambench, kept, tmp_path):
    """A kept file with another byte is named, and the model trained again."""
    copy = kept.copy(tmp_path / "copy")
    content = bytearray(copy.model("untrained").read_bytes())
    content[-1] ^= 1
    copy.model("untrained").write_bytes(content)
    done = model(siambench, copy, row="untrained")
    assert 0 == done.returncode, done.stderr
    assert "is not the file that the record speaks of" in done.stderr
    assert kept.model("untrained").read_bytes() == (tmp_path / "m.safetensors").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"row": "raw"}, "raw is the input itself"),
        ({"row": "tripet"}, "did you mean 'triplet'"),
        ({"arguments": ("--repetition", "7")}, "triplet has no repetition 7; it has 0, 1"),
        ({"arguments": ("--study", "3")}, "triplet has no study 3; it has 0"),
        ({"out": "m.pth"}, "--out must end in .safetensors"),
        ({"out": "nowhere/m.safetensors"}, "there is no folder"),
    ],
)
def test_what_cannot_be_had_is_said_in_a_sentence(siambench, kept, arguments, said):
    """A row without a model, a typo, a repetition that is not there and a file that cannot be written are one sentence each, exit 4."""
    given = dict(arguments)
    done = model(siambench, kept, *given.pop("arguments", ()), **given)
    assert 4 == done.returncode
    assert said in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


def test_files_of_others_are_left_alone(siambench, kept, tmp_path):
    """A file or a card that siambench did not write is not replaced; its own are."""
    (tmp_path / "m.safetensors").write_text("mine")
    assert 4 == model(siambench, kept).returncode
    assert "mine" == (tmp_path / "m.safetensors").read_text()
    (tmp_path / "m.safetensors").unlink()
    (tmp_path / "m.md").write_text("my notes")
    done = model(siambench, kept)
    assert 4 == done.returncode
    assert "no card of siambench's" in done.stderr
    assert "my notes" == (tmp_path / "m.md").read_text()
    (tmp_path / "m.md").unlink()
    assert 0 == model(siambench, kept).returncode
    assert 0 == model(siambench, kept).returncode


def test_a_place_that_cannot_be_written_costs_no_record(siambench, kept, tmp_path):
    """Where models cannot be kept, the units are recorded all the same, and why there is no model is said and recorded."""
    from shared import exam_folder

    folder = exam_folder(tmp_path / "out")
    folder.mkdir(parents=True)
    (folder / "models").write_text("in the way")
    done = siambench(
        "run", "--track", kept.track, "--loss", "triplet", "--keep-models", "--out", tmp_path / "out", "--jobs", 1, "--repetitions", 1
    )
    assert 0 == done.returncode, done.stderr
    assert "final models not kept" in done.stderr
    finals = [read(path) for path in (folder / "records").glob("*.json")]
    reasons = [one.telemetry["model"]["not_kept"] for one in finals if one.unit.kind == "final" and one.unit.model is not None]
    assert reasons
    assert all("models" in reason for reason in reasons)


def test_units_that_were_run_before_keep_nothing_and_it_is_said(siambench, kept, tmp_path):
    """A run with `--keep-models` over records that are there says that their models were not kept."""
    copy = kept.copy(tmp_path / "copy")
    shutil.rmtree(copy.folder / "models")
    done = siambench("run", "--track", copy.track, "--loss", "triplet", "--keep-models", "--out", copy.out, "--jobs", 1)
    assert 0 == done.returncode, done.stderr
    assert "4 final models not kept: the unit was run before, without --keep-models" in done.stderr
