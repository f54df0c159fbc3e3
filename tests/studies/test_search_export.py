"""Studies in an Optuna storage: what `show study --to` writes, Optuna reads back."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from datetime import datetime

import optuna
import pytest
from made import SCORING, final, study, trials, tuned

from siambench.board.tuning import tuning_of, tunings_of
from siambench.errors import UsageError
from siambench.studies.search import export

SPACE = {
    "loss.margin": {"type": "float", "low": 1e-3, "high": 1.0, "log": True},
    "loss.bins": {"type": "int", "low": 2, "high": 64, "log": False},
    "loss.mode": {"type": "choice", "options": ["all", "hard"]},
    "loss.swap": {"type": "choice", "options": [True, False]},
}
PARAMS = {"loss.margin": 0.25, "loss.bins": 8, "loss.mode": "hard", "loss.swap": False, "loss.fixed": 3.0}


def read(path):
    """The studies of a file by their names, as Optuna gives them."""
    storage = f"sqlite:///{path}"
    return {name: optuna.load_study(study_name=name, storage=storage) for name in optuna.get_all_study_names(storage)}


def exported(tunings, path):
    """What a file holds after these studies were written into it."""
    export(tunings, f"sqlite:///{path}")
    return read(path)


def test_every_trial_is_read_back_as_it_was(tmp_path):
    """State, value, parameters, intermediate values and what else is known of each trial, and the best are those of the tuning."""
    tuning = tuning_of(trials(telemetry={"started": 1.7e9, "total_seconds": 2.5}), budget=7)
    (found,) = exported([tuning], tmp_path / "s.db").values()
    assert ["COMPLETE", "COMPLETE", "FAIL", *["COMPLETE"] * 4] == [trial.state.name for trial in found.trials]
    assert [trial.value for trial in tuning.trials] == [trial.value for trial in found.trials]
    assert [dict(trial.params) for trial in tuning.trials] == [trial.params for trial in found.trials]
    assert {1: pytest.approx(0.15), 2: pytest.approx(0.25)} == found.trials[0].intermediate_values
    assert {} == found.trials[2].intermediate_values, "its second fold diverged before it had a score"
    assert (found.best_trial.number, found.best_value) == (tuning.selected.number, tuning.selected.value)
    assert (["map@r"], "MAXIMIZE") == (found.metric_names, found.direction.name)
    for mine, theirs in zip(tuning.trials, found.trials, strict=True):
        assert theirs.user_attrs["units"] == list(mine.units)
        assert 2 == len(set(mine.units))
        assert (mine.kind, mine.epoch, mine.error) == tuple(theirs.user_attrs[name] for name in ("kind", "epoch", "error"))
        assert theirs.user_attrs["folds"] == [list(fold) for fold in mine.folds]
        assert theirs.datetime_start == datetime.fromtimestamp(1.7e9)  # noqa: DTZ006  Optuna's times are local
        assert 5.0 == theirs.duration.total_seconds() == theirs.user_attrs["seconds"]


def test_the_study_says_what_it_is_of(tmp_path):
    """Track, method, row, number, what was edited and selected, and the units of its final models stand in its user attributes."""
    records = study("triplet", [0.4, 0.5], edited=("loss.margin",), space_name="wide")
    tuning = tuning_of(records, budget=3)
    (name,) = export([tuning], f"sqlite:///{tmp_path / 's.db'}")
    assert "made-1.0/triplet/row-trip/study-0" == name
    told = read(tmp_path / "s.db")[name].user_attrs
    assert ("made", "1.0", "triplet", "row-triplet", 0) == tuple(told[key] for key in ("track", "track_version", "method", "row", "study"))
    assert (["loss.margin"], "wide", 3, 2) == tuple(told[key] for key in ("edited", "space_name", "budget", "counted"))
    assert {"trial": 1, "epoch": 2, "value": tuning.selected.value} == told["selected"]
    assert [record.id for record in records if record.unit.kind == "final"] == told["final_units"]


def test_each_dimension_is_the_distribution_that_was_searched(tmp_path):
    """Numbers, whole numbers, and choices of text or switches keep ends, scale and options; what was not searched is an attribute."""
    record = tuned("triplet", 0, 0, [0.3], space=SPACE, params=PARAMS)
    tuning = tuning_of([record, tuned("triplet", 0, 1, [0.5], space=SPACE, params=PARAMS)], budget=1)
    (found,) = exported([tuning], tmp_path / "s.db").values()
    (trial,) = found.trials
    assert {
        "loss.margin": optuna.distributions.FloatDistribution(1e-3, 1.0, log=True),
        "loss.bins": optuna.distributions.IntDistribution(2, 64),
        "loss.mode": optuna.distributions.CategoricalDistribution(["all", "hard"]),
        "loss.swap": optuna.distributions.CategoricalDistribution([True, False]),
    } == trial.distributions
    assert ({name: PARAMS[name] for name in SPACE}, {"loss.fixed": 3.0}) == (trial.params, trial.user_attrs["fixed"])
    assert [bool, int] == [type(trial.params[name]) for name in ("loss.swap", "loss.bins")]


def test_a_trial_that_lost_its_race_is_pruned(tmp_path):
    """Its value and its curve are those of fold 0, though another fold was run when the budget was extended."""
    records = [tuned("triplet", number, 0, [0.1, value]) for number, value in enumerate([0.1, 0.5, 0.2, 0.3])]
    records += [tuned("triplet", number, 1, [0.2, 0.4]) for number in (0, 1, 2, 3)]
    racing = dataclasses.replace(records[0].exam, training={**records[0].exam.training, "racing": True})
    records = [dataclasses.replace(one, exam=racing) for one in records]
    (found,) = exported([tuning_of(records, budget=4)], tmp_path / "s.db").values()
    assert ["COMPLETE", "COMPLETE", "PRUNED", "COMPLETE"] == [trial.state.name for trial in found.trials]
    assert (0.2, {1: 0.1, 2: 0.2}) == (found.trials[2].value, found.trials[2].intermediate_values)
    assert {1: pytest.approx(0.15), 2: pytest.approx(0.35)} == found.trials[3].intermediate_values


def test_less_is_better_where_the_metric_says_so(tmp_path):
    """A study of an error minimises, and its best trial is the smallest."""
    tuning = tuning_of(trials(scoring=dataclasses.replace(SCORING, maximise=False)), budget=7)
    (found,) = exported([tuning], tmp_path / "s.db").values()
    assert ("MINIMIZE", tuning.selected.number) == (found.direction.name, found.best_trial.number)


def test_a_verdict_and_its_findings_stand_beside_a_trial(tmp_path):
    """What is said of a trial is told by name."""
    finding = {"name": "plateau", "severity": "likely", "evidence": "e", "remedy": "r", "attempt": ""}
    said = {"diagnosis": {"verdict": "collapsed", "findings": [finding]}}
    tuning = tuning_of([tuned("triplet", 0, fold, [0.3], telemetry=said) for fold in range(2)], budget=1)
    (found,) = exported([tuning], tmp_path / "s.db").values()
    assert ("collapsed", ["plateau"]) == tuple(found.trials[0].user_attrs[name] for name in ("verdict", "findings"))


def test_several_studies_and_rows_share_a_file(tmp_path):
    """Studies of one row, and of another later, stand beside each other and beside somebody's own study."""
    optuna.create_study(storage=f"sqlite:///{tmp_path / 's.db'}", study_name="mine").add_trial(optuna.trial.create_trial(value=1.0))
    first = tunings_of([*trials([0, 1]), *trials([0, 1, 2], study=1)], budget=2)
    second = tunings_of(trials([0, 1], row="another"), budget=2)
    export(first, f"sqlite:///{tmp_path / 's.db'}")
    found = exported(second, tmp_path / "s.db")
    row = "made-1.0/triplet/row-trip"
    names = {f"{row}/study-0": 2, f"{row}/study-1": 3, "made-1.0/triplet/another/study-0": 2, "mine": 1}
    assert names == {name: len(one.trials) for name, one in found.items()}


def test_a_name_that_is_taken_changes_nothing(tmp_path):
    """Where one of several studies is there already nothing is written, and the sentence names it."""
    one, other = tunings_of([*trials([0, 1]), *trials([0, 1, 2], study=1)], budget=2)
    before = {name: len(found.trials) for name, found in exported([other], tmp_path / "s.db").items()}
    with pytest.raises(UsageError, match=r"s\.db has a study made-1\.0/triplet/row-trip/study-1 already: give another file"):
        export([one, other], f"sqlite:///{tmp_path / 's.db'}")
    assert before == {name: len(found.trials) for name, found in read(tmp_path / "s.db").items()}


def test_what_breaks_in_the_middle_leaves_nothing(tmp_path):
    """Where a study cannot be written those before it are taken out again, and a file that was not there is not left."""
    one, other = tunings_of([*trials([0, 1]), *trials([0, 1, 2], study=1)], budget=2)
    broken = dataclasses.replace(other, trials=(dataclasses.replace(other.trials[0], params={"loss.margin": 7.0}),))
    for path, names in ((tmp_path / "new.db", None), (tmp_path / "old.db", set())):
        if names is not None:
            optuna.storages.RDBStorage(f"sqlite:///{path}").engine.dispose()
        with pytest.raises(UsageError, match=r"cannot be written as an Optuna storage: ValueError: The value 7\.0"):
            export([one, broken], f"sqlite:///{path}")
        assert (names is not None) == path.exists()
        assert names is None or names == set(read(path))


@pytest.mark.parametrize(
    ("storage", "sentence"),
    [
        ("studies.db", r"^a storage of studies is sqlite:///FILE, such as sqlite:///studies\.db, got 'studies\.db'$"),
        ("postgresql://me:secret@host/db", r"^a storage of studies is sqlite:///FILE"),
        ("sqlite:///", r"^a storage of studies is sqlite:///FILE"),
        ("sqlite:///:memory:", r"^a storage of studies is sqlite:///FILE"),
        ("sqlite:///HERE/none/s.db", r"s\.db cannot be written: there is no folder .*none$"),
        ("sqlite:///HERE", r"cannot be written: it is no file$"),
        ("sqlite:///HERE/pipe", r"pipe cannot be written: it is no file$"),
        ("sqlite:///HERE/notes.txt", r"notes\.txt is there and no SQLite file: give another name$"),
        ("sqlite:///HERE/cut.db", r"cut\.db cannot be written as an Optuna storage: "),
    ],
)
def test_what_is_no_storage_is_one_sentence(tmp_path, storage, sentence):
    """Another kind of storage, a folder, a pipe, somebody's text or a damaged file is named, and stays as it was."""
    (tmp_path / "notes.txt").write_text("mine\n")
    (tmp_path / "cut.db").write_bytes(b"SQLite format 3\0" + b"\xff" * 2000)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match=sentence) as caught:
        export([tuning_of(trials([0]), budget=1)], storage.replace("HERE", str(tmp_path)))
    assert "\n" not in str(caught.value)
    assert ("mine\n", 2016) == ((tmp_path / "notes.txt").read_text(), (tmp_path / "cut.db").stat().st_size)
    assert {"notes.txt", "cut.db", "pipe"} == {path.name for path in tmp_path.iterdir()}


def test_a_study_without_trials_is_an_empty_one(tmp_path):
    """Final units alone, as of a method with nothing to tune that was copied by half, make a study without trials."""
    (found,) = exported([tuning_of([final("triplet", 0, 0.3)], budget=1)], tmp_path / "s.db").values()
    assert [] == found.trials


def test_writing_imports_no_torch(tmp_path):
    """`show study --to` of a shipped row costs no torch."""
    code = (
        "import sys; from siambench.cli import main\n"
        f"try: main(['show', 'study', 'glyphs', 'triplet', '--study', '0', '--to', 'sqlite:///{tmp_path / 's.db'}'])\n"
        "except SystemExit as e: print(e.code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ["glyphs-2.0/triplet/c28d6415/study-0: 12 trials", "0 False"] == done.stdout.splitlines(), done.stderr
