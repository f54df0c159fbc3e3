import dataclasses
import json
import threading

import pytest

from siambench.builtin.observers import JsonLines, siambench_observers
from siambench.errors import UsageError
from siambench.identity import from_json
from siambench.interfaces import Done, Epoch, EpochEnded, Failed, Measures, PartMeasures, Quantiles, UnitEnded, UnitStarted
from siambench.plugin import call_factory

STARTED = UnitStarted(
    unit="0" * 64,
    label="triplet+hard trial 3 fold 1",
    track="tiny",
    method="triplet+hard",
    kind="tune",
    trial=3,
    fold=1,
    repetition=0,
    params={"loss.margin": 0.2, "miner.kind": "häufig"},
    epochs=2,
)
FIGURES = Epoch(1, 0.5, None, 8.0, {"map@r": 0.25, "eer": None})
EPOCH = EpochEnded(unit="0" * 64, label="triplet+hard trial 3 fold 1", epoch=1, epochs=2, figures=FIGURES, seconds=1.5)
DONE = Done(
    scores={"map@r": 0.25, "eer": None},
    per_class={"map@r": (0.5, None)},
    class_queries=(3, 0),
    curve=(FIGURES,),
    notes={},
    repeat_rate=0.0,
    directions={"map@r": "max", "eer": "min"},
    ranges={"map@r": (0.0, 1.0), "eer": (0.0, 1.0)},
    over_pairs=("eer",),
)


def ended(outcome):
    """The event of a unit's end."""
    return UnitEnded(unit="0" * 64, label="triplet+hard trial 3 fold 1", outcome=outcome, seconds=2.5)


def lines_of(path):
    """The documents of a file, one per line."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture
def jsonl(tmp_path):
    """The observer as its entry builds it, and its file."""
    path = tmp_path / "events.jsonl"
    return call_factory(siambench_observers()["jsonl"].build, {"argument": str(path)}), path


def test_each_event_is_one_line(jsonl):
    """A unit's start, epoch and end are three lines, in their order, each saying which event it is and of which unit."""
    observer, path = jsonl
    observer.unit_started(STARTED)
    observer.epoch_ended(EPOCH)
    observer.unit_ended(ended(DONE))
    found = lines_of(path)

    assert [line["event"] for line in found] == ["unit_started", "epoch_ended", "unit_ended"]
    assert {(line["unit"], line["label"]) for line in found} == {("0" * 64, "triplet+hard trial 3 fold 1")}


def test_a_start_says_what_begins(jsonl):
    """The line of a start has every fact of the event, parameters included, letters as they are."""
    observer, path = jsonl
    observer.unit_started(STARTED)

    assert lines_of(path) == [{"event": "unit_started", **vars(STARTED), "params": dict(STARTED.params)}]
    assert "häufig" in path.read_text(encoding="utf-8")


def test_an_epoch_has_its_figures(jsonl):
    """The line of an epoch has its figures, what is missing as null."""
    observer, path = jsonl
    observer.epoch_ended(EPOCH)

    [line] = lines_of(path)
    assert line["figures"] == {"epoch": 1, "loss": 0.5, "gradient_norm": None, "tuples": 8.0, "validation": {"map@r": 0.25, "eer": None}}
    assert (line["epoch"], line["epochs"], line["seconds"], line["measures"]) == (1, 2, 1.5, None)


def test_an_epoch_has_what_was_measured(jsonl):
    """The line of an epoch has the row of its measures, which reads back as the same row."""
    observer, path = jsonl
    part = PartMeasures(parameters=2, unreached=0, unlisted=0, gradient_norm=0.5, update_ratio=None, rate=0.001)
    row = Measures(
        epoch=1, steps=3, loss=None, parts={"trunk": part}, branches=(0.5, None), positive=Quantiles(mean=1.0, low=0.5, high=2.0)
    )
    observer.epoch_ended(dataclasses.replace(EPOCH, measures=row))

    [line] = lines_of(path)
    assert row == from_json(Measures, json.dumps(line["measures"]), where="a line")


def test_an_end_has_scores_or_a_reason(jsonl):
    """The line of an end says how the unit ended: with its scores, or why it failed; and gathers nothing for the record."""
    observer, path = jsonl

    assert observer.unit_ended(ended(DONE)) is None
    assert observer.unit_ended(ended(Failed(error="the loss became nan", ended="diverged"))) is None

    done, failed = lines_of(path)
    assert (done["state"], done["error"], done["scores"], done["seconds"]) == ("done", None, {"map@r": 0.25, "eer": None}, 2.5)
    assert (failed["state"], failed["error"], failed["scores"]) == ("failed", "the loss became nan", {})


def test_a_file_is_continued(jsonl):
    """Another observer of the same path, as the next unit has, appends to what is there."""
    observer, path = jsonl
    observer.unit_started(STARTED)
    JsonLines(str(path)).unit_started(STARTED)

    assert len(lines_of(path)) == 2


def test_lines_of_units_at_once_do_not_mix(tmp_path):
    """Many that append at once leave whole lines, as many as there were events."""
    path = tmp_path / "events.jsonl"

    def run():
        observer = JsonLines(str(path))
        for _ in range(100):
            observer.epoch_ended(EPOCH)

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(lines_of(path)) == 800


def test_a_home_folder_may_be_written_short(tmp_path, monkeypatch):
    """A path that begins with a tilde is one below the user's home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    JsonLines("~/events.jsonl").unit_started(STARTED)

    assert len(lines_of(tmp_path / "events.jsonl")) == 1


def test_it_needs_a_path():
    """Without the path of a file it says how one is given."""
    with pytest.raises(UsageError, match="the observer jsonl needs the path of a file: --observe jsonl:PATH"):
        JsonLines(None)


def test_what_cannot_be_written_is_said_before_anything_runs(tmp_path):
    """No path, a folder, and a file in a folder that is not there are a sentence each; a file in a folder that is there is none."""
    ready = siambench_observers()["jsonl"].unready

    assert ready(None) == "it needs the path of a file: --observe jsonl:PATH"
    assert ready(str(tmp_path)) == f"{tmp_path} is a folder: name a file in it"
    assert ready(str(tmp_path / "no" / "events")) == f"there is no folder {tmp_path / 'no'} for its file"
    assert ready(str(tmp_path / "events")) is None
    assert list(tmp_path.iterdir()) == []
