from __future__ import annotations

import json
import subprocess
import sys

from siambench.testing.contracts import check


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "siambench", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=300, **options
    )


def test_contracts():
    """The plugin is light to import, and its backbone keeps what siambench expects of any."""
    assert [outcome for outcome in check("text") if outcome.state == "failed"] == []


def texts(folder):
    """A table of twelve classes of six short texts."""
    lines = ["text,label"]
    lines += [f"say {word} {number},{word}" for word in ("ab", "cd", "ef", "gh", "ij", "kl", "mn", "op") for number in range(6)]
    (folder / "texts.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "texts.csv"


ASKED = ("run", "--loss", "contrastive", "--backbone", "minilm", "--jobs", 1)
TINY = [
    part
    for rule in ("training.epochs=1", "training.steps_per_epoch=2", "training.batch_size=8", 'metrics.report=["map@r"]')
    for part in ("--set", rule)
]


def test_an_encoder_sits_an_exam_of_ones_own_texts(tmp_path, weights):
    """`siambench run` on a table of texts trains from a file of weights; the record knows that by its content, and tells no path."""
    done = run(
        *ASKED,
        *("--dataset", f"csv:{texts(tmp_path)}", "--trials", 1, "--repetitions", 1),
        *(
            "--set",
            "dataset.options.tokens=bytes",
            "--set",
            f"model.options.weights={weights}",
            "--jobs",
            1,
            "--out",
            tmp_path / "out",
            *TINY,
        ),
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("*/records/*.json")]

    assert {record["outcome"]["state"] for record in records} == {"done"}
    assert "pretrained" in {record["unit"]["method"]["loss"] for record in records}
    assert str(tmp_path) not in json.dumps([record["unit"] for record in records])


def test_words_are_refused(tmp_path):
    """Of tokens that are hashed words every unit says what to set, and none has a score."""
    done = run(
        "run", "--loss", "contrastive", "--dataset", f"csv:{texts(tmp_path)}", "--backbone", "minilm", "--jobs", 1, *TINY, cwd=tmp_path
    )

    records = [json.loads(path.read_text()) for path in (tmp_path / "siambench-runs").glob("*/records/*.json")]
    trained = [record for record in records if record["unit"]["method"]["loss"] == "contrastive"]

    assert {record["outcome"]["state"] for record in trained} == {"failed"}
    assert all("set dataset.options.tokens = 'bytes'" in record["outcome"]["error"] for record in trained)
    assert "set dataset.options.tokens = 'bytes'" in done.stdout + done.stderr
