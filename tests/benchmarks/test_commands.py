"""How long commands take before they do anything, and over many records and units."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest

from siambench.identity import canonical, digest
from siambench.records.record import Record, read_all
from siambench.tracks.files import track_folder

BARE = [sys.executable, "-c", "import click, rich"]


def run(command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("words", [["--help"], ["list"]], ids=lambda words: words[0])
def test_start_up(row, words):
    """A command that trains nothing imports little more than what it is written with."""
    shown, _ = row(31).pair(
        f"`siambench {' '.join(words)}`",
        '`python -c "import click, rich"`',
        aim="≤ 3",
        work=lambda: run([sys.executable, "-m", "siambench", *words]),
        reference=lambda: run(BARE),
    )
    assert "triplet" in shown


@pytest.fixture(scope="module")
def many(tmp_path_factory, request):
    """A track of records as a lab would have: 48 methods of 50 trials on 4 folds and 10 repetitions, made from the shipped ones."""
    root = tmp_path_factory.mktemp("many")
    folder = root / "glyphs"
    (folder / "records").mkdir(parents=True)
    shipped = [record for _, record in read_all(track_folder("glyphs") / "records") if isinstance(record, Record)]
    final = next(r for r in shipped if r.unit.kind == "final" and r.unit.method.baseline is None)
    tune = next(r for r in shipped if r.unit.kind == "tune" and r.unit.method == final.unit.method)
    methods, trials = (2, 2) if request.config.getoption("--small") else (48, 50)

    def leave(record, method, value, **changes):
        data = dataclasses.replace(record.unit.data, split=dataclasses.replace(record.unit.data.split, folds=4))
        unit = dataclasses.replace(
            record.unit, row=digest(method)[:32], method=dataclasses.replace(record.unit.method, loss=method), data=data, **changes
        )
        scores = {**record.outcome.scores, "map@r": value} if record.outcome.scores else {}
        curve = tuple(dataclasses.replace(epoch, validation=epoch.validation and {"map@r": value}) for epoch in record.outcome.curve)
        means = record.outcome.per_class.get("map@r")
        # The classes move with their mean, of which they are to stay the parts.
        moved = () if means is None else tuple(round(mean + value - record.outcome.scores["map@r"], 6) for mean in means)
        per_class = {**record.outcome.per_class, "map@r": moved} if moved else record.outcome.per_class
        outcome = dataclasses.replace(record.outcome, scores=scores, per_class=per_class, curve=curve)
        made = dataclasses.replace(record, unit=unit, outcome=outcome)
        (folder / "records" / f"{made.id}.json").write_text(canonical(made.to_json()) + "\n")

    for number in range(methods):
        method = f"loss-{number:02d}"
        for trial in range(trials):
            for fold in range(4):
                leave(tune, method, 0.2 + 0.001 * trial + 0.001 * number, trial=trial, fold=fold, study=0)
        for repetition in range(10):
            # The last trial scores best, and its last epoch counts.
            changes = {"trial": trials - 1, "stop_epoch": final.unit.training.epochs, "repetition": repetition, "study": 0}
            leave(final, method, 0.2 + 0.005 * number + 0.001 * repetition, **changes)
    text = (track_folder("glyphs") / "track.toml").read_text(encoding="utf-8")
    budget = {"studies = 5": "studies = 1", "trials = 12": f"trials = {trials}", "repetitions = 2": "repetitions = 10"}
    for before, after in {"folds = 2": "folds = 4", **budget}.items():
        text = text.replace(before, after)
    (folder / "track.toml").write_text(text, encoding="utf-8")
    return folder


def test_a_leaderboard_of_ten_thousand_records(many, row):
    """The whole command, all pairs of 48 methods compared and every class interval drawn."""
    command = [sys.executable, "-m", "siambench", "leaderboard", str(many), "--format", "json"]
    number = len(list((many / "records").iterdir()))
    shown = row(5).single(f"`siambench leaderboard` over {number:,} records", "", aim="≤ 3 s", work=lambda: run(command))
    rows = json.loads(shown)["rows"]
    assert len(rows) >= 2
    assert all(line["rank"] and line["scores"]["map@r"]["classes95"] and line["scores"]["map@r"]["n"] >= 2 for line in rows)


def test_the_status_of_ten_thousand_records(many, row):
    """The whole command."""
    command = [sys.executable, "-m", "siambench", "status", str(many), "--json"]
    number = len(list((many / "records").iterdir()))
    shown = row(5).single(f"`siambench status` over {number:,} records", "", aim="", work=lambda: run(command))
    assert number == json.loads(shown)["tracks"][0]["records"]


def test_planning_a_hundred_thousand_units(row, small):
    """Every unit of a comparison: its document, its seeds and its identity."""
    from siambench.components.catalogue import Catalogue
    from siambench.studies.request import Request, prepare

    trials = 10 if small else 4_000
    losses = ("contrastive", "triplet", "supcon", "multi-similarity", "ntxent")
    catalogue = Catalogue.load()

    def plan():
        prepared = prepare(Request(losses=losses, trials=trials, repetitions=trials), catalogue)
        found = set()
        for study in prepared.studies:
            for trial in range(trials):
                params = {**study.defaults, "optimiser.lr": 1e-4 * (1 + trial)}
                found |= {study.tune_unit(trial, fold, params).id for fold in range(4)}
            found |= {study.final_unit(0, 3, study.defaults, repetition).id for repetition in range(trials)}
        return found

    found = row(3).single(f"planning {5 * 5 * trials:,} units, each with its identity", "", aim="≤ 5 s", work=plan)
    assert 5 * 5 * trials == len(found)
