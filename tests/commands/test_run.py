"""`siambench run` on files as people have them: what it says before anything runs, and that whatever comes in ends in a documented code."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
from PIL import Image
from shared import TINY_TRACK, exam_folder

from siambench.records.record import read

TINY = (
    *("--loss", "triplet", "--backbone", "mlp", "--trials", "1", "--repetitions", "1", "--jobs", "1", "--set", "dataset.options.size=8"),
    *("--set", "training.epochs=1", "--set", "training.steps_per_epoch=2", "--set", "training.batch_size=8"),
)


def faces(root, *, name=lambda c: f"s{c + 1}"):
    """Eight classes of four images each; names of folders may be bytes."""
    random = np.random.default_rng(3)
    for c in range(8):
        folder = os.path.join(os.fsencode(root), os.fsencode(name(c)))  # noqa: PTH118  bytes
        os.makedirs(folder)  # noqa: PTH103  the same
        base = random.integers(40, 200, (8, 8))
        for k in range(4):
            with open(folder + b"/%d.png" % k, "wb") as file:  # noqa: PTH123  the same
                Image.fromarray((base + random.integers(-9, 10, (8, 8))).astype(np.uint8)).save(file, format="PNG")
    return root


def test_what_a_data_set_holds_is_said_before_anything_runs(siambench, tmp_path):
    """`--plan` says classes, images and what was passed over on stderr, and with `--json` as data."""
    (faces(tmp_path / "faces") / "README").write_text("about")
    said = "8 classes, 32 images, 4 to 4 a class, first class s1; passed over: 1 file (README)"

    done = siambench("run", "--dataset", f"folder:{tmp_path / 'faces'}", "--loss", "triplet", "--plan", "--json")

    assert (0, f"data folder:faces: {said}\n") == (done.returncode, done.stderr)
    assert json.loads(done.stdout)["data"] == {
        "form": "images",
        "classes": 8,
        "items": 32,
        "least": 4,
        "most": 4,
        "first_classes": ["s1", "s2", "s3"],
        "notes": ["passed over: 1 file (README)"],
    }


def test_groups_of_a_folder_make_its_split(siambench, tmp_path):
    """With groups said on the command line an ad-hoc track cuts by them."""
    faces(tmp_path / "faces", name=lambda c: f"{'abcd'[c // 2]}{c}")

    done = siambench(
        "run", "--dataset", f"folder:{tmp_path / 'faces'}", "--loss", "triplet", "--set", "dataset.options.group=^([a-z])", "--plan"
    )

    assert 0 == done.returncode, done.stderr
    assert "edited" not in done.stdout


def test_a_plan_begins_with_the_data(siambench, tmp_path):
    """Without `--json` what the data set holds is the first line of the plan, on stdout."""
    faces(tmp_path / "faces")

    done = siambench("run", "--dataset", f"folder:{tmp_path / 'faces'}", "--loss", "triplet", "--plan")

    assert (0, "") == (done.returncode, done.stderr)
    assert done.stdout.startswith("data folder:faces: 8 classes, 32 images, 4 to 4 a class, first class s1\ntrack ")


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("size='64'", "the option size must be a whole number, as its default 64 is, got text: '64'"),
        ("size=true", "the option size must be a whole number, as its default 64 is, got true or false: 'True'"),
        ("size=64.0", "the option size must be a whole number"),
        ("parts=1", "the option parts must be true or false"),
        ("mode=1", "the option mode must be text"),
        ("size=99999999999999999999", "numbers up to"),
        ("size=9007199254740991", "size must be a number of pixels from 1 to 4096"),
        ("sise=3", "no option 'sise', did you mean 'size'?"),
    ],
)
def test_options_are_of_the_kind_of_their_defaults(siambench, tmp_path, option, message):
    """An option of another kind than its default is refused in one sentence."""
    faces(tmp_path / "faces")

    done = siambench(
        "run", "--dataset", f"folder:{tmp_path / 'faces'}", "--loss", "triplet", "--set", f"dataset.options.{option}", "--plan"
    )

    assert (4, "") == (done.returncode, done.stdout)
    assert message in done.stderr
    assert 1 == len(done.stderr.splitlines())


def test_names_that_are_not_utf8_run_from_the_image_to_the_record(siambench, tmp_path):
    """A folder whose own name and whose classes' names are Latin-1 is planned, run, logged and shown, and its records are UTF-8."""
    root = os.fsdecode(os.fsencode(tmp_path) + b"/f\xe4ces")
    faces(root, name=lambda c: b"M\xfcller%d" % c)

    done = siambench("run", "--dataset", f"folder:{root}", *TINY, "--json")

    assert 0 == done.returncode, done.stderr
    assert r"M\xfcller0" in json.loads(done.stdout)["data"]["first_classes"]
    records = list((tmp_path / "siambench-runs").rglob("records/*.json"))
    assert records
    assert all(r"folder:f\\xe4ces" in path.read_text(encoding="utf-8") for path in records)
    for path in (tmp_path / "siambench-runs").rglob("*"):
        if path.is_file():
            path.read_bytes().decode("utf-8")
    again = siambench("run", "--dataset", f"folder:{root}", *TINY)
    assert "0 done" in again.stderr


def test_features_run(siambench, tmp_path):
    """Features with labels are a data set: tuned, trained and scored."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(8), 4)
    np.savez(tmp_path / "mine.npz", features=random.normal(size=(8, 6))[labels] + random.normal(0, 0.1, (32, 6)), labels=labels)
    tiny = [value for value in TINY if not value.startswith("dataset.options")]
    place = next(i for i in range(len(tiny)) if tiny[i] == "--set" and tiny[i + 1] == "--set")

    done = siambench("run", "--dataset", "npz:mine.npz", *tiny[:place], *tiny[place + 1 :], "--json")

    assert 0 == done.returncode, done.stderr
    document = json.loads(done.stdout)
    assert "arrays" == document["data"]["form"]
    assert [row["method"] for row in document["rows"]][-2:] != []


@pytest.mark.parametrize(
    "text", ["nothing = [", "x = " + "[" * 5000, "x = " + "9" * 10_000, "trials = true", f"trials = {2**63}", "\udcff"]
)
def test_an_odd_comparison_is_one_sentence(siambench, tmp_path, text):
    """Whatever stands in a comparison ends with 4 and one line that names the file."""
    method = '\n[[methods]]\nloss = "triplet"\n'
    (tmp_path / "odd.toml").write_bytes(os.fsencode(text) + method.encode())

    done = siambench("run", "odd.toml", "--plan")

    assert (4, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert "odd.toml" in done.stderr
    assert len(done.stderr) < 600


@pytest.mark.parametrize("name", ["folder", "folder:", "csv:", "npz: "])
def test_a_data_set_of_ones_own_needs_a_path(siambench, name):
    """A kind of data set without a path is refused, and does not mean this folder."""
    done = siambench("run", "--dataset", name, "--loss", "triplet", "--plan")

    assert (4, True) == (done.returncode, f"data set {name!r} needs a path: {name.partition(':')[0]}:PATH" in done.stderr)


def test_a_table_with_folds_is_cut_by_them(siambench, tmp_path):
    """Texts with an official split and folds make an ad-hoc track that follows both."""
    lines = [
        f"word{c} and word{c * 7 + k},{c},{'train' if c < 6 else 'test'},{c % 3 if c < 6 else ''}" for c in range(9) for k in range(1, 5)
    ]
    (tmp_path / "mine.csv").write_text("\n".join(["text,label,split,fold", *lines]))

    done = siambench("run", "--dataset", "csv:mine.csv", "--loss", "triplet", "--plan")

    assert 0 == done.returncode, done.stderr
    assert "data csv:mine.csv: 9 classes, 36 texts, 4 to 4 a class, first class 0; parts train, test: the official split" in done.stdout
    assert "trials × 3 folds" in done.stdout


@pytest.mark.parametrize("command", [("run", "--loss", "triplet", "--plan"), ("run", "--loss", "triplet"), ("reproduce", "glyphs", "raw")])
@pytest.mark.parametrize(("said", "got"), [("of", "'of', did you mean 'off'?"), ("0", "'0'"), ("1.5", "'1.5'"), ("é", "'é'")])
def test_how_often_training_is_measured_is_told_before_anything_runs(siambench, monkeypatch, tmp_path, command, said, got):
    """An environment that names neither `off` nor a number ends in one sentence and exit 4, and leaves no folder."""
    monkeypatch.setenv("SIAMBENCH_MEASURES", said)
    out = ("--out", str(tmp_path / "out")) if command[0] == "run" else ()
    done = siambench(*command, *out)

    assert (4, "") == (done.returncode, done.stdout)
    assert f"the environment variable SIAMBENCH_MEASURES must be off or a whole number from 1, got {got}\n" in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_was_found_is_said_before_what_runs(siambench, tmp_path):
    """A run that goes on says at once how many units were found, and counts on from there; a fresh one says nothing of it."""
    text = TINY_TRACK.replace("trials = 6", "trials = 1").replace("repetitions = 3", "repetitions = 1")
    (tmp_path / "track.toml").write_text(text, encoding="utf-8")
    arguments = ("run", "--track", tmp_path / "track.toml", "--loss", "triplet", "--out", tmp_path / "out", "--jobs", "1")
    first = siambench(*arguments)
    assert 0 == first.returncode, first.stderr
    assert "were found" not in first.stderr
    records = [path for path in exam_folder(tmp_path / "out").glob("records/*.json") if read(path).unit.method.name == "triplet"]
    (final,) = (path for path in records if read(path).unit.kind == "final")
    final.unlink()
    again = siambench(*arguments)
    lines = again.stderr.splitlines()
    total = len(list(exam_folder(tmp_path / "out").glob("records/*.json")))
    place = lines.index(f"{total - 1} of {total} units were found, and are not run again")
    assert lines[place + 1].startswith(f"· {total}/{total} triplet repetition 0 done")
