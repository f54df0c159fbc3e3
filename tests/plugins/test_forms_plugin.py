"""A plugin with data sets of arrays and of tokens, observers and formats: listed, checked, run, and shown in every format."""

from __future__ import annotations

import csv
import json
import re

import pytest
from plugin_packages import TINY
from shared import exam_folder

from siambench.records.record import read_all

OURS = ["datasets:notes", "datasets:waves", "formats:breaks", "formats:number", "formats:tsv", "observers:grumbles", "observers:tally"]
DATASETS = {"waves": "cnn1d", "notes": "bag"}
"""The data sets, and the backbone that siambench takes for their items where nobody names one."""

WHERE = "exam-forms 2.0.1"


def track_of(dataset):
    """The track that is made for a data set; `TINY` changes its rules."""
    return f"{dataset}-{DATASETS[dataset]}+edited"


@pytest.fixture(scope="session")
def sat(command_line, forms):
    """For each data set: a run of a loss on it, with the observers told of it."""
    observers = ("--observe", "tally:a note", "--observe", "grumbles")
    return {
        name: command_line("run", "--loss", "triplet", "--dataset", name, *TINY, *observers, "--json", "--out", "forms", plugins=(forms,))
        for name in DATASETS
    }


def test_the_plugin_is_listed_with_what_it_provides(command_line, forms):
    """`plugins --json` names its data sets, its observers and its formats."""
    found = {plugin["plugin"]: plugin for plugin in json.loads(command_line("plugins", "--json", plugins=(forms,)).stdout)}

    assert sorted(found["forms"].pop("components")) == OURS
    assert found["forms"] == {"plugin": "forms", "distribution": "exam-forms", "version": "2.0.1", "status": "ok", "error": None}


def test_each_component_is_listed_with_its_distribution_and_version(command_line, forms):
    """`list --json` shows each of them beside the built-in ones, and where it comes from."""
    found = json.loads(command_line("list", "--json", plugins=(forms,)).stdout)

    assert sorted(f"{one['kind']}:{one['name']}" for one in found if one["distribution"] == "exam-forms") == OURS
    assert {one["version"] for one in found if one["distribution"] == "exam-forms"} == {"2.0.1"}
    for kind in ("datasets", "observers", "formats"):
        assert "siambench" in {one["distribution"] for one in found if one["kind"] == kind}


def test_each_kind_of_component_is_described(command_line, forms):
    """`show` tells of a data set, an observer and a format what its entry says and where it comes from."""
    shown = [
        json.loads(command_line("show", *what, "--json", plugins=(forms,)).stdout)
        for what in (("dataset", "waves"), ("observer", "tally"), ("format", "tsv"))
    ]

    assert {(facts["plugin"], facts["distribution"], facts["version"]) for facts in shown} == {("forms", "exam-forms", "2.0.1")}
    assert all(re.fullmatch("[0-9a-f]{64}", facts["digest"]) for facts in shown)
    assert (shown[0]["defaults"], shown[0]["augment"]) == ({"length": 24}, {"jitter": 0.01})
    assert [facts["source"] for facts in shown] == ["drawn by a loop", "ours", "values between tabs"]


@pytest.mark.parametrize("name", ["forms", "exam-forms"])
def test_each_of_its_components_is_checked(command_line, forms, name):
    """`check` examines all that it provides, by the name of the plugin or of its distribution: the sound ones pass, the others say why."""
    result = command_line("check", name, "--json", plugins=(forms,))
    outcomes = json.loads(result.stdout)["outcomes"]
    failed = {f"{one['component']} {one['contract']}" for one in outcomes if one["state"] == "failed"}

    assert result.returncode == 6, result.stderr
    assert ["plugin:forms", *OURS] == sorted({one["component"] for one in outcomes}, key=["plugin:forms", *OURS].index)
    assert {"observers:grumbles listens", "formats:breaks text", "formats:number text", "formats:tsv quiet"} <= failed
    assert not [one for one in failed if one.startswith(("plugin:", "datasets:", "observers:tally"))]


@pytest.mark.parametrize("dataset", DATASETS)
def test_arrays_and_tokens_of_a_plugin_are_an_exam(sat, dataset):
    """A loss is tuned, trained and scored on them, beside the items themselves and an untrained network."""
    result = sat[dataset]

    assert result.returncode == 0, result.stderr
    document = json.loads(result.stdout)
    assert document["track"]["name"] == track_of(dataset)
    rows = {row["method"]: row for row in document["rows"]}
    assert sorted(rows) == ["raw", "triplet", "untrained"]
    assert {name: row["scores"]["map@r"]["n"] for name, row in rows.items()} == {"raw": 1, "triplet": 1, "untrained": 1}
    assert all(0 < row["scores"]["map@r"]["mean"] <= 1 for row in rows.values())
    assert (rows["triplet"]["reason"], rows["triplet"]["backbone"]) == (None, DATASETS[dataset])
    assert "5 done · 0 cached · 0 failed · 0 lost" in result.stderr


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_record_names_the_distribution_of_the_data(sat, command_line, dataset):
    """The units of a trained method and of the baselines say which distribution their items came from."""
    assert sat[dataset].returncode == 0, sat[dataset].stderr
    records = [record for _, record in read_all(exam_folder(command_line.folder / "forms", track_of(dataset)) / "records")]

    assert {record.distributions["dataset"] for record in records} == {WHERE}
    assert len(records) == 5


def test_an_observer_is_told_of_everything_in_the_workers(sat, command_line):
    """What an observer heard of a unit is kept in its record beside the outcome: its argument, the start, each epoch and the end."""
    assert sat["waves"].returncode == 0, sat["waves"].stderr
    records = [record for _, record in read_all(exam_folder(command_line.folder / "forms", track_of("waves")) / "records")]
    heard = {record.unit.label: record.observers["tally:a note"]["gathered"]["heard"] for record in records}

    assert heard == {
        record.unit.label: ["a note", record.unit.label, *(e.epoch for e in record.outcome.curve), "done"] for record in records
    }
    assert [1] in [[epoch.epoch for epoch in record.outcome.curve] for record in records]
    assert "the observer tally:a note took " in sat["waves"].stderr


def test_an_observer_that_raises_is_named_once_and_changes_nothing(sat, command_line, forms):
    """The run exits 0, says which observer was dropped and why, and without observers every outcome is the same, bit for bit."""
    result = sat["waves"]
    alone = command_line("run", "--loss", "triplet", "--dataset", "waves", *TINY, "--json", "--out", "alone", plugins=(forms,))
    watched, unwatched = (
        {record.id: record.outcome for _, record in read_all(exam_folder(command_line.folder / out, track_of("waves")) / "records")}
        for out in ("forms", "alone")
    )

    assert (result.returncode, alone.returncode) == (0, 0), alone.stderr
    assert result.stderr.count("the observer grumbles was dropped: RuntimeError: not another epoch (first in triplet trial 0 fold ") == 1
    assert len(watched) == 5
    assert watched == unwatched


@pytest.mark.parametrize("dataset", DATASETS)
@pytest.mark.parametrize("form", ["json", "csv", "tsv", "md", "table"])
def test_the_row_stands_in_every_format(sat, command_line, forms, dataset, form):
    """`leaderboard --format` shows the row in what ships and in the plugin's own format; each names the distribution."""
    assert sat[dataset].returncode == 0, sat[dataset].stderr
    folder = exam_folder(command_line.folder / "forms", track_of(dataset))
    result = command_line("leaderboard", str(folder), "--format", form, plugins=(forms,))
    score = next(row for row in json.loads(sat[dataset].stdout)["rows"] if row["method"] == "triplet")["scores"]["map@r"]["mean"]

    assert result.returncode == 0, result.stderr
    if form == "json":
        row = next(row for row in json.loads(result.stdout)["rows"] if row["method"] == "triplet")
        assert (row["distribution"]["dataset"], row["scores"]["map@r"]["mean"]) == (WHERE, score)
    elif form == "csv":
        row = next(row for row in csv.DictReader(result.stdout.splitlines()) if row["method"] == "triplet")
        assert (json.loads(row["distribution"])["dataset"], row["map@r"]) == (WHERE, f"{score:.12g}")
    elif form == "tsv":
        row = next(
            row for row in csv.DictReader(result.stdout.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE) if row["method"] == "triplet"
        )
        assert WHERE in row["distribution"]
        assert row["map@r"] == str(score)
        assert "a format that talks" in result.stderr
    else:
        # The head names it too, for the column of differences.
        line = next(line for line in result.stdout.splitlines() if "triplet" in line and "Δ" not in line)
        assert f"{score:.3f}" in line
        assert WHERE in line


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ("tvs", "unknown format 'tvs', did you mean 'tsv'?"),
        ("breaks", f"the format 'breaks' of {WHERE} breaks: AttributeError: 'TableView' object has no attribute 'no_such_thing'"),
        ("number", f"the format 'number' of {WHERE} must give text, got int"),
    ],
)
def test_a_format_that_breaks_is_blamed_by_name(command_line, forms, form, sentence):
    """A format that nothing provides, that raises, or that gives no text exits 4 with one sentence, and prints nothing."""
    result = command_line("leaderboard", "--format", form, plugins=(forms,))

    assert (result.returncode, result.stdout) == (4, "")
    assert result.stderr.startswith(f"siambench: {sentence}")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--dataset", "waves", "--backbone", "conv4"), "conv4"),
        (("--dataset", "notes", "--backbone", "cnn1d"), "cnn1d"),
        (("--dataset", "waves", "--observe", "taly:x"), "unknown observer 'taly', did you mean 'tally'?"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_runs(command_line, forms, arguments, sentence):
    """A backbone that does not take such items, and an observer that nothing provides, exit 4 with one sentence and no record."""
    result = command_line("run", "--loss", "triplet", *arguments, *TINY, "--out", "unfit", plugins=(forms,))

    assert (result.returncode, result.stdout) == (4, "")
    assert sentence in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (command_line.folder / "unfit").exists()
