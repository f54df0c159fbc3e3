"""Two encoders from the command line: a tiny run to its table, and every refusal before anything runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from shared import exam_folder
from small_emoji import write_packages

TRACK = """
schema = 1
name = "tiny-names"
version = "1.0"
title = "made for a test"

[dataset]
name = "emoji-names"
[dataset.options]
size = 8
text = "keywords"
[split]
rule = "official"
folds = 2
group = "subgroup"
[model]
backbone = "mlp|bag"
embedding_size = 8
[model.options]
"first.width" = 9
[model.options.first]
layers = 1
[training]
epochs = 2
steps_per_epoch = 3
batch_size = 8
[augment]
rotate = 5.0
drop = 0.2
[budget]
studies = 1
trials = 2
repetitions = 2
[metrics]
primary = "map@r"
report = ["map@r", "recall@1", "roc_auc", "reversed:map@r", "reversed:recall@1"]
"""


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Small packages of emoji, where they are looked for."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    return write_packages(tmp_path)


@pytest.fixture
def track(tmp_path, packages):
    """A track on small packages of emoji."""
    path = tmp_path / "track.toml"
    path.write_text(TRACK)
    return path


def test_two_encoders_are_run_to_their_table(siambench, track, tmp_path):
    """Losses of both sides get rows with both directions beside the untrained network, from cached units the second time; raw is absent."""
    command = ("run", "--track", track, "--loss", "clip", "--loss", "across(triplet)", "--jobs", 1, "--out", tmp_path / "out")
    done = siambench(*command)
    assert done.returncode == 0, done.stderr
    assert "40 items of two sides, picture and name" in done.stderr
    assert "no baseline raw: picture and name have no coordinates in common" in done.stderr

    again = siambench(*command)
    assert "0 to run" in again.stderr or "cached" in again.stderr
    shown = siambench("leaderboard", track, "--from", tmp_path / "out", "--format", "json")
    assert shown.returncode == 0, shown.stderr
    rows = {row["method"]: row for row in json.loads(shown.stdout)["rows"]}
    assert set(rows) == {"clip", "across(triplet)", "untrained"}
    for row in rows.values():
        assert set(row["scores"]) >= {"map@r", "recall@1", "reversed:map@r", "reversed:recall@1"}
        assert all(0 <= score["mean"] <= 1 for score in row["scores"].values())

    record = json.loads(next(path for path in (exam_folder(tmp_path / "out", "tiny-names") / "records").glob("*.json")).read_text())
    assert {"backbone", "backbone:first", "backbone:second"} <= set(record["unit"]["components"])
    assert record["unit"]["model"]["options"]["first.width"] == 9


def test_a_row_of_two_encoders_is_reproduced(siambench, track, tmp_path):
    """Its final models come out bit for bit from their records alone."""
    siambench("run", "--track", track, "--loss", "clip", "--jobs", 1, "--out", tmp_path / "out")
    done = siambench("reproduce", track, "clip", "--from", tmp_path / "out", "--jobs", 1)

    assert done.returncode == 0, done.stderr + done.stdout


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            ["--loss", "triplet"],
            "loss 'triplet' compares items of one side, and those of data set 'emoji-names' have two, picture and name",
        ),
        (["--loss", "arcface"], "take clip, or across(…) around a loss that takes tuples"),
        (["--loss", "across"], "loss 'across' wraps another one"),
        (["--loss", "clip", "--miner", "hard"], "clip forms no tuples that a miner could choose"),
        (["--loss", "clip", "--feed", "pairs"], "clip cannot be fed pairs"),
        (["--loss", "clip", "--backbone", "mlp"], "backbone 'mlp' is one, and the items of data set 'emoji-names' have two sides"),
        (["--loss", "clip", "--backbone", "bag|mlp"], "backbone 'bag' of 'bag|mlp' takes tokens"),
        (["--loss", "clip", "--backbone", "mlp|bag|bag"], "items of two sides take one backbone each"),
        (["--loss", "clip", "--set", "training.rotate_classes=true"], "turns images; the data set's items are of two sides"),
        (
            ["--loss", "clip", "--set", "augment.jitter=0.1"],
            "augment.jitter is for arrays, the items of the data set are images and tokens",
        ),
        (["--loss", "clip", "--set", "metrics.primary=reversed:map@r"], "is the way back, which is reported beside the way that ranks"),
        (["--loss", "clip", "--set", "model.options.first.widht=3"], "no option 'first.widht', did you mean 'first.width'"),
        (["--loss", "clip", "--set", "model.options.third.width=3"], "no option 'third.width'"),
        (["--loss", "gradcache(clip)"], "BatchNorm"),
    ],
)
def test_what_does_not_suit_two_sides_is_refused_before_anything_runs(siambench, track, flags, sentence):
    """One sentence, exit code 4, no traceback."""
    done = siambench("run", "--track", track, *flags, "--plan")

    assert done.returncode in (4, 5), done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (["--loss", "clip"], "loss 'clip' takes both sides of an item, and those of data set 'glyphs' have one"),
        (["--loss", "triplet", "--backbone", "conv4|bag"], "backbone 'conv4|bag' takes sides, the items of data set 'glyphs' are images"),
    ],
)
def test_what_is_for_two_sides_is_refused_elsewhere(siambench, flags, sentence):
    """A loss of both sides, and two backbones, are for items of two sides alone."""
    done = siambench("run", "--track", "glyphs", *flags, "--plan")

    assert (done.returncode, sentence in done.stderr) == (4, True), done.stderr


def test_diagnose_says_that_it_looks_at_one_network(siambench, track):
    """It names the sides and where else to look."""
    done = siambench("diagnose", "--dataset", "emoji-names", "--set", "dataset.options.size=16", "--loss", "clip")

    assert done.returncode == 4
    assert "diagnose looks at one network, and the items of emoji-names have two sides, picture and name" in done.stderr


def test_without_a_track_each_side_gets_a_backbone_that_suits_it(siambench, packages):
    """An ad-hoc track of a data set of two sides names one for each."""
    done = siambench("run", "--dataset", "emoji-names", "--loss", "clip", "--set", "dataset.options.size=16", "--plan")

    assert done.returncode == 0, done.stderr
    assert "emoji-names-conv4-bag" in done.stderr + done.stdout


def test_a_loss_of_both_sides_is_shown_and_checked(siambench):
    """`show` tells what it needs, and `check` holds each contract of it on batches of both sides."""
    shown = siambench("show", "loss", "clip")
    checked = siambench("check", "losses", "clip", "--json")

    assert "items of two sides" in shown.stdout
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert {outcome["state"] for outcome in json.loads(checked.stdout)["outcomes"]} <= {"passed", "skipped"}


def test_own_tables_and_arrays_of_two_sides_are_run_both_ways(siambench, tmp_path, monkeypatch):
    """`--dataset sides:FILE` gets encoders that suit its sides and a table with the way back beside the way there."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    rows = "".join(f"{user},{user % 3},{user * user},thing number {user % 8},{user % 8}\n" for user in range(24))
    (tmp_path / "bought.csv").write_text("user_age,user_visits,user_spent,item,label\n" + rows)
    draw = np.random.default_rng(0)
    np.savez(tmp_path / "seen.npz", first=draw.normal(size=(24, 5)), second=draw.normal(size=(24, 5)), labels=np.arange(24) % 8)
    tiny = ("training.epochs=1", "training.steps_per_epoch=2", "training.batch_size=8", "model.embedding_size=4")
    rules = ["--trials", 1, "--repetitions", 1, "--jobs", 1, *(part for rule in tiny for part in ("--set", rule))]
    chosen = ["--set", "dataset.options.first=numbers:user_*", "--set", "dataset.options.second=text:item"]
    for file, flags, backbone, without in (("bought.csv", chosen, "mlp-bag", {"raw"}), ("seen.npz", [], "mlp-mlp", set())):
        done = siambench("run", "--dataset", f"sides:{tmp_path / file}", "--loss", "clip", *flags, *rules, "--out", tmp_path, "--json")
        assert done.returncode == 0, done.stderr
        assert "24 items of two sides" in done.stderr
        found = json.loads(done.stdout)
        scores = {row["method"]: row["scores"] for row in found["rows"]}
        assert set(scores) == {"clip", "untrained", "raw"} - without
        assert all({"map@r", "reversed:recall@1", "reversed:map@r"} <= set(of_row) for of_row in scores.values())
        assert any(folder.name.startswith(f"{file}-{backbone}") for folder in tmp_path.iterdir())


def test_a_column_that_is_not_there_is_told_before_anything_runs(siambench, tmp_path):
    """One sentence with the nearest column, exit code 4."""
    (tmp_path / "mine.csv").write_text("question,answer\nwho,me\nwhy,because\n")
    chosen = ("--set", "dataset.options.first=text:qestion", "--set", "dataset.options.second=text:answer")
    done = siambench("run", "--dataset", f"sides:{tmp_path / 'mine.csv'}", "--loss", "clip", *chosen, "--plan")

    assert done.returncode == 4
    assert "has no column 'qestion' for its first side, did you mean 'question'?" in done.stderr
