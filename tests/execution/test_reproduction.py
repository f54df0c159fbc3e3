"""A row's final units are run again from their records alone, and what comes out is compared honestly."""

from __future__ import annotations

import json
import shutil

import pytest
from shared import TINY_TRACK

from siambench.execution.reproduction import compared, spread

LOSS = """
import torch

class Mine(torch.nn.Module):
    def forward(self, embeddings, labels):
        same = labels[:, None] == labels[None]
        distances = torch.cdist(embeddings, embeddings)
        return distances[same].mean() + (1 - distances[~same]).relu().mean()
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """An output folder with a row of three seeds and the anchors, and the track it was made on."""
    import os
    import subprocess
    import sys

    root = tmp_path_factory.mktemp("made")
    (root / "track.toml").write_text(TINY_TRACK)
    command = [
        sys.executable,
        "-m",
        "siambench",
        "run",
        "--track",
        str(root),
        "--loss",
        "contrastive",
        "--trials",
        "2",
        "--out",
        str(root / "out"),
    ]
    done = subprocess.run(command, cwd=root, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=300)
    assert 0 == done.returncode, done.stderr
    return root


@pytest.fixture
def copy(made, tmp_path):
    """A copy of that folder, to be tampered with."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def finals(root, loss="contrastive"):
    """The final records of a row, by seed."""
    found = {}
    for path in (root / "out" / "tiny" / "records").glob("*.json"):
        record = json.loads(path.read_text())
        unit = record["result"]["unit"]
        if unit["kind"] == "final" and unit["method"]["loss"] == loss:
            found[unit["repetition"]] = (path, record)
    return found


def tamper(root, seed, edit):
    """Change the record of a seed in place; its id, which is the unit's, stays."""
    path, record = finals(root)[seed]
    edit(record)
    path.write_text(json.dumps(record))


def reproduce(siambench, root, *arguments, row="contrastive", **options):
    return siambench("reproduce", root, row, "--from", root / "out", *arguments, **options)


def test_a_row_is_reproduced_bit_for_bit(siambench, made, tmp_path):
    """On the same machine with the same versions every result is identical, the exit code 0, and the row's folder is left alone."""
    before = {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}
    done = reproduce(siambench, made, "--json")
    assert 0 == done.returncode, done.stderr
    document = json.loads(done.stdout)
    assert [0, 1, 2] == [unit["seed"] for unit in document["units"]]
    assert {"identical"} == {unit["state"] for unit in document["units"]}
    assert "all 3 results identical" in done.stderr
    assert before == {path: path.read_bytes() for path in made.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_anchors_are_rows_too(siambench, made):
    """The anchors can be reproduced as any row."""
    done = reproduce(siambench, made, row="untrained")
    assert 0 == done.returncode, done.stderr
    assert "all 3 results identical" in done.stderr


@pytest.mark.slow
def test_one_seed_can_be_chosen_and_its_opening_is_logged(siambench, made, tmp_path):
    """With `--seed` only that unit runs; the opening of the test part is logged where caches are kept."""
    done = reproduce(siambench, made, "--seed", "1", "--json", env={"SIAMBENCH_CACHE": str(tmp_path / "cache")})
    assert 0 == done.returncode, done.stderr
    assert [1] == [unit["seed"] for unit in json.loads(done.stdout)["units"]]
    (line,) = (tmp_path / "cache" / "reproduced" / "tiny.jsonl").read_text().split()
    assert finals(made)[1][1]["id"] == json.loads(line)["unit"]


def test_another_score_with_the_same_versions_is_a_difference(siambench, copy):
    """A recorded score that the same versions do not give, however near, is exit code 6 with both scores."""
    tamper(copy, 2, lambda record: record["result"]["scores"].update({"map@r": record["result"]["scores"]["map@r"] + 1e-9}))
    done = reproduce(siambench, copy)
    assert 6 == done.returncode
    assert "1 results differ with the same versions on the same machine; seed 2: map@r" in done.stderr


@pytest.mark.slow
def test_another_curve_is_a_difference(siambench, copy):
    """The whole result is compared, not the scores alone."""
    tamper(copy, 0, lambda record: record["result"]["curve"][0].update({"loss": 7.0}))
    done = reproduce(siambench, copy, "--seed", "0")
    assert 6 == done.returncode
    assert "seed 0: its curve" in done.stderr


def near(record):
    record["result"]["scores"]["map@r"] += 1e-4
    record["telemetry"]["versions"]["torch"] = "2.0.0"


@pytest.mark.slow
def test_with_other_versions_a_near_score_is_within_the_tolerance(siambench, copy):
    """Made with other versions, a score within the tolerance is accepted, and the versions are named."""
    tamper(copy, 0, near)
    done = reproduce(siambench, copy, "--seed", "0")
    assert 0 == done.returncode, done.stderr
    assert "within tolerance" in done.stderr
    assert "torch: 2.0.0 recorded" in done.stderr


@pytest.mark.slow
def test_with_other_versions_a_far_score_names_them(siambench, copy):
    """Beyond the tolerance the exit code is 6, with the differing scores and the differing versions."""
    tamper(copy, 0, near)
    done = reproduce(siambench, copy, "--seed", "0", "--tolerance", "0.00001")
    assert 6 == done.returncode
    assert "map@r" in done.stderr.splitlines()[-1]
    assert "versions: torch 2.0.0 →" in done.stderr.splitlines()[-1]


def test_unknown_rows_and_seeds_are_usage_errors(siambench, made):
    """A typo in the row gets the nearest name; a seed that the row lacks is answered with those it has."""
    done = reproduce(siambench, made, row="contrastiv")
    assert (4, True) == (done.returncode, "did you mean 'contrastive'" in done.stderr)
    done = reproduce(siambench, made, "--seed", "9")
    assert (4, True) == (done.returncode, "contrastive has no seed 9; its seeds: 0, 1, 2" in done.stderr)


@pytest.mark.slow
def test_a_row_without_final_units_cannot_be_reproduced(siambench, copy):
    """A row that is still being tuned is an error that says so."""
    for path, _ in finals(copy).values():
        path.unlink()
    done = reproduce(siambench, copy)
    assert (4, True) == (done.returncode, "has no final units yet" in done.stderr)


@pytest.mark.slow
def test_a_unit_that_is_lost_is_no_difference(siambench, copy):
    """A unit that cannot be run here, for want of its loss, ends with exit code 1 and the reason."""

    def forget(record):
        record["result"]["unit"]["components"]["miner"] = "gone 1.0"
        record["result"]["unit"]["method"]["miner"] = "gone"

    path, record = finals(copy)[0]
    forget(record)
    from siambench.spec import Unit

    record["id"] = Unit.from_json(record["result"]["unit"]).id
    (path.parent / f"{record['id']}.json").write_text(json.dumps(record))
    done = reproduce(siambench, copy, row="contrastive+gone")
    assert done.returncode in (1, 4)
    assert "gone" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_loss_in_a_file_must_be_said_where(siambench, tmp_path):
    """A row made with a file names it; with `--where` it is reproduced."""
    (tmp_path / "track.toml").write_text(TINY_TRACK)
    (tmp_path / "mine.py").write_text(LOSS)
    done = siambench("run", "--track", tmp_path, "--loss", "./mine.py:Mine", "--trials", "1", "--seeds", "1", "--out", tmp_path / "out")
    assert 0 == done.returncode, done.stderr
    done = reproduce(siambench, tmp_path, row="mine.py:Mine")
    assert 4 == done.returncode
    assert "--where mine.py:Mine=PATH" in done.stderr
    done = reproduce(siambench, tmp_path, "--where", f"mine.py:Mine={tmp_path / 'mine.py'}", row="mine.py:Mine")
    assert 0 == done.returncode, done.stderr
    assert "all 1 results identical" in done.stderr
    done = reproduce(siambench, tmp_path, "--where", "mine.py", row="mine.py:Mine")
    assert (4, True) == (done.returncode, "--where takes NAME=PATH" in done.stderr)


def test_a_failed_unit_that_fails_again_is_identical():
    """A recorded failure is a result too: the same error again is identical, a success is a difference."""
    unit = {"repetition": 4}
    failed = {"result": {"unit": unit, "state": "failed", "error": "boom", "scores": {}}, "telemetry": {"versions": {"torch": "1"}}}
    done = {"result": {"unit": unit, "state": "done", "error": None, "scores": {"map@r": 0.5}}, "telemetry": {"versions": {"torch": "2"}}}
    assert "identical" == compared(failed, failed, "map@r", allowed={}).state
    assert "different" == compared(failed, done, "map@r", allowed={"map@r": 1.0}).state
    assert {"torch": ("1", "2")} == compared(failed, done, "map@r", allowed={"map@r": 1.0}).surroundings


def test_another_failure_is_a_difference():
    """A unit that failed by divergence and fails by a bug elsewhere has not been reproduced, whatever the versions."""
    unit = {"repetition": 0}
    first = {"result": {"unit": unit, "state": "failed", "error": "nan", "scores": {}}, "telemetry": {"versions": {"torch": "1"}}}
    other = {"result": {"unit": unit, "state": "failed", "error": "TypeError", "scores": {}}, "telemetry": {"versions": {"torch": "2"}}}
    assert "different" == compared(first, other, "map@r", allowed={}).state


def test_the_tolerance_is_half_the_deviation_over_seeds():
    """Without `--tolerance` a score may lie half its standard deviation over the recorded seeds away, and no further."""
    records = [{"result": {"scores": {"map@r": value, "eer": None}}} for value in (0.1, 0.2, 0.3)]
    assert {"map@r": pytest.approx(0.05)} == spread(records)


@pytest.mark.slow
def test_a_shipped_row_is_reproduced(siambench):
    """One seed of a shipped row of glyphs, made elsewhere and perhaps with other versions, comes out again."""
    done = siambench("reproduce", "glyphs", "supcon", "--seed", "0")
    assert 0 == done.returncode, done.stderr
