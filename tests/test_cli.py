"""The command line as a new user meets it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shared import exam_folder

from siambench.builtin.losses import siambench_losses
from siambench.components.hookspecs import KINDS


def lines(text):
    return [line for line in text.splitlines() if line.strip()]


def test_help_names_every_command_and_exit_code(siambench):
    """`--help` alone tells the commands and what the exit codes mean."""
    done = siambench("--help")
    assert done.returncode == 0
    commands = ("run", "leaderboard", "list", "show", "tracks", "plugins", "evaluate", "reproduce", "check", "upgrade", "status", "doctor")
    for word in (*commands, "new-plugin", "Exit codes", "--version"):
        assert word in done.stdout


def test_version(siambench_process):
    """`python -m siambench --version` prints name and version."""
    assert re.fullmatch(r"siambench \d+\.\d+\.\d+\n", siambench_process("--version").stdout)


def test_a_typo_in_a_process_of_its_own(siambench, siambench_process):
    """A process of its own exits and prints as the command line does inside this one, where most tests call it."""
    inside, alone = (call("run", "--loss", "tripet") for call in (siambench, siambench_process))
    assert (4, "") == (alone.returncode, alone.stdout)
    assert (inside.returncode, inside.stdout, inside.stderr) == (alone.returncode, alone.stdout, alone.stderr)


def test_a_misspelt_loss_gets_a_suggestion(siambench):
    """A typo exits 4 with one sentence: what was asked, the nearest name, and where the installed ones are listed."""
    done = siambench("run", "--loss", "tripet")
    assert done.returncode == 4
    assert len(lines(done.stderr)) == 1
    assert "'tripet'" in done.stderr
    assert "did you mean 'triplet'?" in done.stderr
    assert "`siambench list losses`" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["run"], ["--loss", "siambench list losses"]),
        (["run", "--loss", "triplet", "--set", "loss.margn=0.2"], ["loss.margn", "did you mean 'loss.margin'?"]),
        (["run", "--loss", "triplet", "--set", "loss.margin=7"], ["loss.margin=7", "space"]),
        (["run", "--loss", "triplet", "--set", "training.epoch=7"], ["training.epoch", "training.epochs"]),
        (["run", "--loss", "triplet", "--set", "model.options.widht=7"], ["'widht'", "did you mean 'width'?"]),
        (["run", "--loss", "triplet", "--dataset", "digits", "--set", "dataset.options.size=7"], ["digits", "'size'"]),
        (["run", "--loss", "triplet", "--backbone", "resnet81"], ["did you mean 'resnet18'?"]),
        (["run", "--loss", "triplet", "--set", "margin"], ["key=value", "'margin'"]),
        (["run", "--loss", "triplet", "--track", "glyph"], ["'glyph'", "did you mean 'glyphs'?"]),
        (["run", "--loss", "triplet", "--dataset", "folder:nowhere"], ["nowhere"]),
        (["run", "--loss", "triplet", "--dataset", "fashon-mnist"], ["did you mean 'fashion-mnist'?"]),
        (["run", "--loss", "arcface", "--miner", "hard"], ["arcface", "hard", "no effect"]),
        (["run", "--loss", "triplet", "--feed", "pairs"], ["triplet", "pairs"]),
        (["run", "--loss", "triplet", "--feed", "triples"], ["triples", "pairs"]),
        (["run", "--loss", "triplet", "--jobs", "none"], ["--jobs", "'none'"]),
        (["run", "--loss", "triplet", "--jobs", "0"], ["--jobs", "'0'"]),
        (["run", "--loss", "triplet", "--trials", "0"], ["trials", "0"]),
        (["run", "--loss", "triplet", "--track", "glyphs", "--dataset", "digits"], ["--track", "--dataset"]),
        (["run", "nothing.toml"], ["nothing.toml"]),
        (["run", "--loss", "./nothing.py:Loss"], ["nothing.py"]),
        (["runn"], ["no such command: 'runn', did you mean 'run'?"]),
        (["leaderboard", "glyhps"], ["did you mean 'glyphs'?"]),
        (["run", "--loss", "triplet", "--observe", "jsnol:here"], ["did you mean 'jsonl'?"]),
        (["run", "--loss", "triplet", "--engine-option", "speed=3"], ["local", "speed"]),
        (["leaderboard", "--format", "cvs"], ["did you mean 'csv'?"]),
        (["leaderboard", "--from", "nowhere"], ["nowhere"]),
        (["leaderboard", "--write", "--check"], ["--write", "--check"]),
        (["list", "los"], ["'los'", "losses"]),
        (["show", "loss", "tripplet"], ["did you mean 'triplet'?"]),
    ],
)
def test_usage_errors_are_one_sentence_and_exit_4(siambench, arguments, words):
    """Whatever is wrong with a command, it exits 4 with one line on stderr that names it, and nothing on stdout."""
    done = siambench(*arguments)
    assert done.returncode == 4
    assert len(lines(done.stderr)) == 1
    assert done.stderr.startswith("siambench: ")
    assert done.stdout == ""
    for word in words:
        assert word in done.stderr


def test_an_unknown_key_in_a_comparison_names_the_nearest(siambench, tmp_path):
    """A comparison with a misspelt key exits 4 and names the right one."""
    (tmp_path / "mine.toml").write_text('track = "glyphs"\ntrails = 3\n[[methods]]\nloss = "triplet"\n')
    done = siambench("run", "mine.toml")
    assert done.returncode == 4
    assert "'trails'" in done.stderr
    assert "did you mean 'trials'?" in done.stderr


def test_missing_data_names_file_url_and_folder(siambench, tmp_path):
    """Without the Omniglot files and without a network, one sentence names the file, its URL and where to put it."""
    surroundings = {
        "SIAMBENCH_DATA": str(tmp_path / "data"),
        "SIAMBENCH_CACHE": str(tmp_path / "cache"),
        # A proxy that refuses at once stands for a missing network on machines that have one.
        "https_proxy": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
    }
    done = siambench("run", "--track", "omniglot-minimal", "--loss", "triplet", env=surroundings)
    assert done.returncode == 4
    assert len(lines(done.stderr)) == 1
    for word in ("images_background_small1.zip", "https://", str(tmp_path / "data" / "omniglot")):
        assert word in done.stderr


def test_a_folder_with_one_class_is_no_exam(siambench, tmp_path):
    """A folder with a single class exits 4 and says that two are needed."""
    from PIL import Image

    (tmp_path / "birds" / "wren").mkdir(parents=True)
    Image.new("RGB", (8, 8)).save(tmp_path / "birds" / "wren" / "a.png")
    done = siambench("run", "--loss", "triplet", "--dataset", "folder:birds")
    assert done.returncode == 4
    assert len(lines(done.stderr)) == 1
    assert "two classes" in done.stderr


def test_an_empty_plan_exits_5(siambench, tmp_path):
    """A grid of which every combination is refused exits 5 with the reasons."""
    (tmp_path / "none.toml").write_text('[[methods]]\nloss = ["arcface", "npair"]\nminer = "hard"\n')
    done = siambench("run", "none.toml")
    assert done.returncode == 5
    assert "arcface" in done.stderr
    assert "npair" in done.stderr


def test_a_grid_skips_what_makes_no_sense_and_says_why(siambench, tiny_track):
    """In a grid a senseless combination is skipped with its reason, and the others are planned."""
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", "--loss", "arcface", "--miner", "hard", "--plan")
    assert done.returncode == 0
    assert "skipped arcface+hard: arcface forms no tuples" in done.stderr
    assert "triplet+hard" in done.stdout


def test_plan_runs_nothing(siambench, tiny_track, tmp_path):
    """`--plan` shows units and an estimate, and leaves no record."""
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", "--plan", "--json")
    assert done.returncode == 0
    document = json.loads(done.stdout)
    assert {"planned": (4 + 3 + 2 + 2) + 3 + 1 + 3, "cached": 0} == document["units"]
    assert document["estimated_seconds"] is None
    assert not (tmp_path / "siambench-runs").exists()


def test_plan_tells_what_features_will_take(siambench, tiny_track):
    """Where no stage of the trunk is trained `--plan` says where features are kept and what they take; else it says nothing of them."""
    rules = tiny_track / "track.toml"
    rules.write_text(rules.read_text(encoding="utf-8").partition("[augment]")[0] + "\n[augment]\nrotate = 0.0\n", encoding="utf-8")
    held = ("run", "--track", tiny_track, "--loss", "triplet", "--plan", "--set", "training.trained_stages=0")
    document = json.loads(siambench(*held, "--json").stdout)
    data = document["data"]
    assert document["features"].keys() == {"folder", "items", "bytes_per_number"}
    assert document["features"]["bytes_per_number"] == 4 * data["items"] == 4 * document["features"]["items"]
    assert f"features of {data['items']} items are computed once and kept in {document['features']['folder']}" in siambench(*held).stdout
    assert "features" not in json.loads(siambench(*held, "--json", "--set", "training.trained_stages=1").stdout)


AGAIN = ("run", "--track", "track.toml", "--loss", "triplet", "--miner", "hard", "--out", "out", "--jobs", "1", "--json")
"""What `undisturbed` was made with."""


@pytest.fixture
def ran(undisturbed, tmp_path):
    """A copy of what one method on the tiny track left: the folder of the track's file and of the output, and what was printed."""
    folder = tmp_path / "ran"
    shutil.copytree(undisturbed.out, folder / "out")
    shutil.copy(undisturbed.track, folder)
    return folder, json.loads(undisturbed.stdout)


def test_run_prints_one_json_document(undisturbed):
    """`run --json` prints one document of the documented form."""
    document = json.loads(undisturbed.stdout)
    keys = {"schema", "track", "exam", "other_exams", "data", "primary", "metrics", "rows", "units", "minimum_detectable_difference"}
    keys |= {"spread_over_studies", "unseen"}
    assert keys == set(document)
    assert {"name": "tiny", "version": "1.0"} == document["track"]
    assert ("map@r", "max") == (document["primary"], {m["name"]: m["direction"] for m in document["metrics"]}["map@r"])
    assert {"planned": 18, "done": 18, "cached": 0, "failed": 0, "lost": 0} == document["units"]
    rows = {row["method"]: row for row in document["rows"]}
    assert ["triplet+hard", "raw", "untrained"] == list(rows)
    row = rows["triplet+hard"]
    assert {"loss": "triplet", "miner": "hard", "backbone": "mlp"} == {key: row[key] for key in ("loss", "miner", "backbone")}
    # One full row has nobody to be ranked beside.
    assert row["rank"] is None
    assert (1, 6, 3, 3) == (row["studies"], row["trials"], row["repetitions"], row["seeds"])
    assert {"loss.margin", "miner.warmup", "optimiser.lr", "optimiser.weight_decay"} == set(row["params"])
    assert 0 <= row["params"]["miner.warmup"] <= 0.5
    assert {"mean", "ci95", "n"} <= set(row["scores"]["recall@1"])
    assert 3 == row["scores"]["recall@1"]["n"]
    assert row["scores"]["recall@1"]["ci95"] > 0
    assert rows["raw"]["scores"]["recall@1"]["ci95"] is None
    assert rows["raw"]["rank"] is None
    assert rows["untrained"]["rank"] is None


def test_a_second_run_is_all_cached(ran, siambench):
    """The same command again runs nothing and prints the same rows."""
    folder, first = ran
    done = siambench(*AGAIN, cwd=folder)
    assert done.returncode == 0
    assert "0 done · 18 cached · 0 failed · 0 lost" in done.stderr
    assert first["rows"] == json.loads(done.stdout)["rows"]


def test_the_count_of_units_is_told(ran, siambench):
    """What is missing is run, and how many units were done, cached, failed and lost stands on stderr."""
    folder, first = ran
    victims = sorted((exam_folder(folder / "out") / "records").glob("*.json"))[:2]
    for victim in victims:
        victim.unlink()
    done = siambench(*AGAIN, cwd=folder)
    assert done.returncode == 0, done.stderr
    assert "2 done · 16 cached · 0 failed · 0 lost" in done.stderr
    without = [{**row, "costs": None} for row in first["rows"]]
    assert without == [{**row, "costs": None} for row in json.loads(done.stdout)["rows"]]


def test_a_cached_run_does_not_import_torch(ran):
    """Resuming a finished comparison costs no torch: the coordinator plans, replays the study and draws the table without it."""
    folder, _ = ran
    code = (
        "import sys; from siambench.cli import main\n"
        f"try: main({list(AGAIN)})\n"
        "except SystemExit as e: print(e.code, 'torch' in sys.modules, file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    assert done.stderr.endswith("0 False\n")


def test_the_leaderboard_of_an_output_folder(ran, siambench):
    """A run's folder is a track's folder: `leaderboard` shows it in every format."""
    folder, first = ran
    left = exam_folder(folder / "out")
    as_json = siambench("leaderboard", left, "--format", "json")
    shown = {row["method"]: row["scores"] for row in json.loads(as_json.stdout)["rows"]}
    assert {row["method"]: row["scores"] for row in first["rows"]} == shown
    as_csv = siambench("leaderboard", left, "--format", "csv")
    assert as_csv.stdout.startswith("group,rank_low,rank_high,method,loss,miner,feed,")
    as_markdown = siambench("leaderboard", left, "--format", "md")
    assert "| `triplet+hard` |" in as_markdown.stdout
    as_table = siambench("leaderboard", left)
    assert "triplet+hard" in as_table.stdout
    assert "t-interval" in as_table.stderr


def test_write_then_check_then_a_difference(ran, siambench, tmp_path):
    """`--write --from` adopts records and writes the files, `--check` accepts them, and exits 6 once a byte differs."""
    folder, _ = ran
    track = exam_folder(tmp_path)
    track.mkdir()
    (track / "track.toml").write_bytes((folder / "track.toml").read_bytes())
    written = siambench("leaderboard", track, "--from", folder / "out", "--write")
    assert written.returncode == 0, written.stderr
    assert "18 records adopted" in written.stderr
    assert siambench("leaderboard", track, "--check").returncode == 0
    before = (track / "README.md").read_bytes()
    again = siambench("leaderboard", track, "--from", folder / "out", "--write")
    assert "0 records adopted" in again.stderr
    assert before == (track / "README.md").read_bytes()
    (track / "table.csv").write_text((track / "table.csv").read_text().replace("0.", "0,", 1))
    found = siambench("leaderboard", track, "--check")
    assert found.returncode == 6
    assert len(lines(found.stderr)) == 1
    assert "table.csv" in found.stderr


def test_python_and_command_line_agree(ran):
    """`siambench.leaderboard` returns the rows of the command line as a data frame."""
    import siambench

    folder, first = ran
    frame = siambench.leaderboard(str(exam_folder(folder / "out")))
    rows = first["rows"]
    assert [row["method"] for row in rows] == list(frame["method"])
    assert [row["scores"]["map@r"]["mean"] for row in rows] == list(frame["map@r"])
    # One full row has nobody to be ranked beside.
    assert frame["rank_low"].isna().all()


def test_fixing_a_parameter_marks_the_row(siambench, tiny_track):
    """`--set loss.margin` takes the parameter out of the space and flags the row."""
    done = siambench(
        "run", "--track", tiny_track, "--loss", "triplet", "--trials", "1", "--repetitions", "1", "--set", "loss.margin=0.3", "--json"
    )
    row = json.loads(done.stdout)["rows"][0]
    assert 0.3 == row["params"]["loss.margin"]
    assert ["edited-space", "short-budget"] == row["flags"]
    assert 2 == row["dimension"]


def test_narrowing_a_space_marks_the_row(siambench, tiny_track, tmp_path):
    """`--space loss.margin=a..b` searches there, flags the row in JSON, CSV and `show study`, and `--plan` tells it before."""
    asked = ["--track", tiny_track, "--loss", "triplet", "--trials", "3", "--repetitions", "1", "--space", "loss.margin=0.2..0.5"]
    asked += ["--out", tmp_path / "out"]
    planned = siambench("run", *asked, "--plan")
    assert "loss.margin in 0.2 to 0.5, log" in planned.stdout
    document = json.loads(siambench("run", *asked, "--plan", "--json").stdout)["studies"][0]
    assert (["loss.margin"], 0.2, 0.5) == (document["edited"], *(document["space"]["loss.margin"][end] for end in ("low", "high")))
    row = json.loads(siambench("run", *asked, "--json").stdout)["rows"][0]
    assert "edited-space" in row["flags"]
    assert 0.2 <= row["params"]["loss.margin"] <= 0.5
    assert 3 == row["dimension"]
    board = [exam_folder(tmp_path / "out"), "--format"]
    assert "edited-space" in siambench("leaderboard", *board, "csv").stdout
    assert (
        "`edited-space`: a parameter was fixed by hand instead of tuned, or tuned in a part"
        in siambench("leaderboard", *board, "md").stdout
    )
    shown = siambench("show", "study", exam_folder(tmp_path / "out"), "triplet")
    assert "(loss.margin searched in 0.2 to 0.5, log)" in " ".join(shown.stdout.split())
    found = json.loads(siambench("show", "study", exam_folder(tmp_path / "out"), "triplet", "--json").stdout)
    assert ["loss.margin"] == found["edited"]
    margins = [trial["params"]["loss.margin"] for trial in found["studies"][0]["trials"]]
    assert margins[0] == 0.2, "trial 0 is the default, moved to the nearest value inside"
    assert all(0.2 <= margin <= 0.5 for margin in margins)
    assert len(set(margins)) == 3


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["loss.margin=0.5..0.2"], "has its ends reversed: low..high"),
        (["loss.margin=0.2..3"], "reaches outside its space, 0.02 to 0.7, log"),
        (["loss.margin=0.2"], "--set loss.margin=0.2 fixes a parameter at one value"),
        (["loss.margin=0.2..0.3", "loss.margin=0.2..0.4"], "narrows loss.margin twice"),
        (["loss.margn=0.2..0.3"], "did you mean 'loss.margin'?"),
        (["loss.swap=true|false"], "it has no space, since it is not tuned"),
        (["0.2..0.3"], "a range of no parameter"),
        (["realty-check"], "has no space 'realty-check'"),
    ],
)
def test_a_space_that_cannot_be_meant_exits_4(siambench, tiny_track, tmp_path, asked, words):
    """One sentence on stderr before anything runs, and no folder is left."""
    spaces = [word for one in asked for word in ("--space", one)]
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", *spaces, "--out", tmp_path / "out")
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert words in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_backbone_of_ones_own_choice(siambench, tiny_track):
    """`--backbone` names the method's row on a track, and makes an ad-hoc track without one."""
    on_track = siambench("run", "--track", tiny_track, "--loss", "triplet", "--backbone", "conv4", "--plan", "--json")
    assert on_track.returncode == 0, on_track.stderr
    document = json.loads(on_track.stdout)
    assert ("tiny", "triplet@conv4") == (document["track"]["name"], document["studies"][0]["method"])
    alone = siambench("run", "--loss", "triplet", "--backbone", "mlp", "--plan", "--json")
    document = json.loads(alone.stdout)
    assert ("glyphs-mlp", "triplet") == (document["track"]["name"], document["studies"][0]["method"])


def test_changing_a_rule_makes_another_exam(siambench, tiny_track):
    """`--set training.epochs` renames the track, so its rows stand beside no others."""
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", "--set", "training.epochs=1", "--plan", "--json")
    assert "tiny+edited" == json.loads(done.stdout)["track"]["name"]


def test_list_show_tracks_plugins_as_json(siambench):
    """The documents of `list`, `show`, `tracks` and `plugins` have the documented keys."""
    losses = json.loads(siambench("list", "losses", "--json").stdout)
    assert {"kind", "name", "distribution", "version", "source"} == set(losses[0])
    assert set(siambench_losses()) == {entry["name"] for entry in losses}
    everything = json.loads(siambench("list", "--json").stdout)
    assert set(KINDS) == {entry["kind"] for entry in everything}
    triplet = json.loads(siambench("show", "loss", "triplet", "--json").stdout)
    assert {"margin": {"type": "float", "low": 0.02, "high": 0.7, "log": True}} == triplet["space"]
    assert 4 == triplet["images_per_class"]
    assert "FaceNet" in triplet["source"]
    assert "margin" in siambench("show", "losses", "triplet").stdout
    names = {track["name"] for track in json.loads(siambench("tracks", "--json").stdout)}
    assert {"glyphs", "glyphs-long", "omniglot-minimal", "omniglot-one-shot", "signatures", "signatures-paper"} <= names
    plugins = json.loads(siambench("plugins", "--json").stdout)
    assert {"plugin", "distribution", "version", "status", "error", "components"} == set(plugins[0])
    assert "ok" == plugins[0]["status"]


def test_an_ad_hoc_track_from_a_folder(siambench, tmp_path):
    """`--dataset folder:PATH` tunes and trains on somebody's own images, in an exam of its own."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(0)
    for number in range(8):
        (tmp_path / "birds" / f"kind{number}").mkdir(parents=True)
        base = random.integers(0, 256, (16, 16, 3))
        for item in range(6):
            picture = np.clip(base + random.normal(0, 20, base.shape), 0, 255).astype("uint8")
            Image.fromarray(picture).save(tmp_path / "birds" / f"kind{number}" / f"{item}.png")
    tiny = ["--set", "dataset.size=16"]
    done = siambench("run", "--loss", "contrastive", "--dataset", "folder:birds", "--trials", "1", "--repetitions", "1", *tiny)
    assert done.returncode == 4
    assert "dataset.options" in done.stderr
    small = [f"--set={x}" for x in ("dataset.options.size=16", "training.epochs=1", "training.steps_per_epoch=2", "training.batch_size=16")]
    done = siambench("run", "--loss", "contrastive", "--dataset", "folder:birds", "--trials", "1", "--repetitions", "1", *small, "--json")
    assert done.returncode == 0, done.stderr
    assert "contrastive" == json.loads(done.stdout)["rows"][0]["method"]
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "siambench-runs").rglob("records/*.json"))


def test_an_output_folder_that_cannot_be_written(siambench, tiny_track, tmp_path):
    """Where `--out` cannot be written, the run exits 4 with one sentence before anything is trained."""
    (tmp_path / "taken").write_text("a file")
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", "--out", tmp_path / "taken")
    assert done.returncode == 4
    assert "taken" in done.stderr
    assert "--out" in done.stderr


def test_two_coordinators_on_one_folder(siambench, tiny_track, tmp_path):
    """A second run on a folder that another holds is refused with a sentence."""
    import filelock

    held = exam_folder(tmp_path / "siambench-runs")
    held.mkdir(parents=True)
    with filelock.FileLock(held / ".lock"):
        done = siambench("run", "--track", tiny_track, "--loss", "triplet")
    assert done.returncode == 4
    assert "another siambench run" in done.stderr
    assert "--out" in done.stderr


def test_a_traceback_only_where_asked_for(siambench, tmp_path):
    """An error shows a traceback with `--traceback` alone."""
    assert "Traceback" not in siambench("run", "--loss", "tripet").stderr
    assert "Traceback" in siambench("run", "--loss", "tripet", "--traceback").stderr


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [("leaderboard", LONG), ("leaderboard", "glyphs", "--from", LONG), ("run", f"{LONG}.toml"), ("upgrade", LONG), ("status", LONG)],
    ids=lambda words: " ".join(word[:9] for word in words),
)
def test_a_name_that_is_too_long_is_one_sentence(siambench, words):
    """What the system cannot even look for is named, exit 4."""
    done = siambench(*words)
    assert 4 == done.returncode, done.stderr
    assert 1 == done.stderr.count("\n")
    assert "internal" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="asks for a device that is always full")
def test_a_full_disk_behind_stdout_is_one_sentence():
    """`siambench list > /dev/full` says so, exit 4."""
    command = f"{sys.executable} -m siambench list > /dev/full"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (4, 1) == (done.returncode, done.stderr.count("\n")), done.stderr


def test_a_closed_pipe_is_no_error(tmp_path):
    """`siambench list | head -1` ends quietly."""
    command = f"{sys.executable} -m siambench list | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False, env=dict(os.environ))
    assert (0, "") == (done.returncode, done.stderr)


# ---- data that no exam can be held on


def paint(folder, classes, seed=0, size=8):
    """A folder of classes with so many images each, all of them different."""
    import numpy as np
    from PIL import Image

    generator = np.random.default_rng(seed)
    for name, count in classes.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(generator.integers(0, 256, (size, size), dtype=np.uint8)).save(folder / name / f"{number}.png")
    return folder


def sit(siambench, folder, *arguments):
    """Plan and run one trial and one seed on a folder of images."""
    small = ("--set", "training.epochs=1", "--set", "training.steps_per_epoch=1", "--set", "training.batch_size=4", "--jobs", "1")
    size = ("--set", "dataset.options.size=8", "--set", "model.options.width=4", "--set", "model.options.blocks=1")
    return siambench(
        "run", "--dataset", f"folder:{folder}", "--loss", "contrastive", "--trials", "1", "--repetitions", "1", *size, *small, *arguments
    )


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ({"a": 5}, "holds 1 folders with images; an exam needs at least two classes"),
        ({"a": 5, "b": 5, "c": 5}, "leaves fewer than two on one side"),
        (dict.fromkeys("abcdefgh", 1), "nothing to retrieve"),
    ],
)
def test_data_without_an_exam_is_refused(siambench, tmp_path, classes, sentence):
    """One class, too few classes, or classes of one image: exit 4 and one sentence."""
    done = sit(siambench, paint(tmp_path / "data", classes))
    assert 4 == done.returncode
    assert sentence in done.stderr.splitlines()[-1]
    assert 1 == len(done.stderr.splitlines())


def test_an_image_in_training_and_in_test_is_refused(siambench, tmp_path):
    """A copy of a training image among the test classes is exit 4, with the number to acknowledge; acknowledged, it runs."""
    folder = paint(tmp_path / "data", dict.fromkeys("abcdefgh", 3))
    (folder / "h" / "copy.png").write_bytes((folder / "a" / "0.png").read_bytes())
    done = sit(siambench, folder)
    assert 4 == done.returncode
    assert "1 image occurs both in trainval and in test: a/0.png = h/copy.png" in done.stderr.splitlines()[-1]
    done = sit(siambench, folder, "--set", "split.acknowledged_duplicates=1", "--plan")
    assert 0 == done.returncode, done.stderr


def test_two_images_per_class_and_a_class_of_one_run_with_a_note(siambench, tmp_path):
    """Two images per class are an exam; a test class of one image gives no query, and the record counts it."""
    folder = paint(tmp_path / "data", {**dict.fromkeys("abcdefg", 2), "h": 1})
    done = sit(siambench, folder, "--out", tmp_path / "out")
    assert 0 == done.returncode, done.stderr
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("records/*.json")]
    notes = [record["outcome"]["notes"] for record in records if record["unit"]["kind"] == "final"]
    assert [1] * len(notes) == [note["queries_without_positive"] for note in notes]
    assert len(notes) == 3


def test_a_closed_set_is_named_as_such(siambench, tmp_path):
    """With `split.rule=closed-set` the row is flagged, and stands on a track of its own."""
    done = sit(siambench, paint(tmp_path / "data", dict.fromkeys("abcd", 8)), "--set", "split.rule=closed-set", "--json")
    assert 0 == done.returncode, done.stderr
    rows = {row["method"]: row["flags"] for row in json.loads(done.stdout)["rows"]}
    assert {"contrastive", "raw", "untrained"} == set(rows)
    assert all("closed-set" in flags for flags in rows.values())


def test_a_primary_metric_that_no_fold_can_have_is_refused(siambench):
    """Digits' folds are too small for verification: planning says so at once, rather than tuning for nothing."""
    primary = ("--set", "metrics.primary=verification_accuracy", "--plan")
    done = siambench("run", "--dataset", "digits", "--loss", "contrastive", *primary)
    assert 4 == done.returncode
    assert "the primary metric verification_accuracy has no value on fold 0: verification needs two folds" in done.stderr.splitlines()[-1]


def test_all_pairs_may_be_the_tracks(siambench, tiny_track, tmp_path):
    """With `evaluation.pairs=all` models are scored on every pair, with bounds in the notes; accuracy, of drawn pairs, has a value."""
    done = siambench(
        *("run", "--track", tiny_track, "--loss", "contrastive", "--trials", "1", "--repetitions", "1", "--out", tmp_path / "out"),
        *("--set", "evaluation.pairs=all", "--json"),
    )
    assert 0 == done.returncode, done.stderr
    rows = {row["method"]: row["scores"] for row in json.loads(done.stdout)["rows"]}
    assert 0.4 < rows["contrastive"]["roc_auc"]["mean"] <= 1
    assert 0.4 < rows["contrastive"]["verification_accuracy"]["mean"] <= 1
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").rglob("records/*.json")]
    assert all(0 <= record["outcome"]["notes"]["roc_auc_error"] < 1e-3 for record in records if record["unit"]["kind"] == "final")
