from __future__ import annotations

import json
import subprocess
import sys

import pytest
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


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ((), "minilm reads texts as bytes, and gets tokens below 8192: set dataset.options.tokens = 'bytes'"),
        (("--set", "dataset.options.tokens=bytes", "--set", "model.options.weights=publshed"), "got 'publshed', did you mean 'published'?"),
        (("--set", "dataset.options.tokens=bytes", "--set", "model.options.head=eye"), "head must be identity or drawn, got 'eye'"),
    ],
)
def test_what_it_cannot_read_is_refused_before_anything_runs(tmp_path, flags, told):
    """Hashed words, a name that no weights have, and a wrong option: one sentence, exit code 4, no record."""
    done = run(
        *("run", "--loss", "contrastive", "--dataset", f"csv:{texts(tmp_path)}", "--backbone", "minilm", "--jobs", 1),
        *(*TINY, *flags),
        cwd=tmp_path,
    )

    assert done.returncode == 4, done.stderr
    assert told in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("siambench-runs/**/*.json"))
