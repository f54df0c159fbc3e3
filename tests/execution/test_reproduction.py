"""A row's final units are run again from their records alone, and what comes out is compared honestly."""

from __future__ import annotations

import dataclasses
import json
import math
import shutil

import pytest
from made import done, final
from shared import TINY_TRACK, curve, exam_folder, record_of

from siambench.execution.reproduction import ANOTHER_PROCESSOR, TOLERANCE, compared, nearer, spread
from siambench.identity import digest, to_json
from siambench.interfaces import Failed
from siambench.records.folder import Folder
from siambench.records.record import read, write
from siambench.spec import Method

LOSS = """
import torch

class Mine(torch.nn.Module):
    def forward(self, embeddings, labels):
        same = labels[:, None] == labels[None]
        distances = torch.cdist(embeddings, embeddings)
        return distances[same].mean() + (1 - distances[~same]).relu().mean()
"""
ROW = "triplet+hard"


@pytest.fixture
def made(undisturbed):
    """A folder with a track and a run of it: a row of three repetitions and the baselines."""
    return undisturbed.track.parent


@pytest.fixture
def copy(made, tmp_path):
    """A copy of that folder, to be tampered with."""
    shutil.copytree(made, tmp_path / "copy")
    return tmp_path / "copy"


def row_of(root, kind=None, loss="triplet"):
    """The records of a row."""
    found = [read(path) for path in sorted((exam_folder(root / "out") / "records").glob("*.json"))]
    return [record for record in found if record.unit.method.loss == loss and kind in (None, record.unit.kind)]


def finals(root):
    """The final records of the row, by repetition."""
    return {record.unit.repetition: record for record in row_of(root, "final")}


def tamper(root, repetition, telemetry=None, **outcome):
    """Change what a record says of its outcome and telemetry, as if it had been written so; its unit stays."""
    record = finals(root)[repetition]
    versions = {**record.telemetry["versions"], **(telemetry or {})}
    changed = dataclasses.replace(record.outcome, **outcome)
    telemetry = {**record.telemetry, "versions": versions}
    write(exam_folder(root / "out") / "records", dataclasses.replace(record, outcome=changed, telemetry=telemetry))


def further(root, repetition, by):
    """The scores of a record with another MAP@R, in total and by class."""
    outcome = finals(root)[repetition].outcome
    # The classes move with their mean: it is no damage that is to be found, but another result.
    moved = tuple(mean if mean is None else round(mean + by, 6) for mean in outcome.per_class["map@r"])
    return {"scores": {**outcome.scores, "map@r": outcome.scores["map@r"] + by}, "per_class": {**outcome.per_class, "map@r": moved}}


def reproduce(siambench, root, *arguments, row=ROW, **options):
    return siambench("reproduce", root, row, "--from", root / "out", "--jobs", "1", *arguments, **options)


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


def test_baselines_are_rows_too(siambench, made):
    """The baselines can be reproduced as any row."""
    done = reproduce(siambench, made, row="untrained")
    assert 0 == done.returncode, done.stderr
    assert "all 3 results identical" in done.stderr


def test_figures_of_the_row_are_kept_beside_its_record(siambench, copy):
    """`--figures` runs one unit, that of repetition 0, and writes what its pictures need where its record lies."""
    folder = Folder(exam_folder(copy / "out"))
    unit = finals(copy)[0].id
    kept = folder.figures_of(unit)
    folder.drop_figures(unit)
    done = reproduce(siambench, copy, "--figures")
    assert 0 == done.returncode, done.stderr
    assert f"wrote {folder.figures / unit}.json" in done.stderr
    assert "all 1 results identical" in done.stderr
    assert kept == folder.figures_of(unit)
    assert kept.outcome == digest(to_json(finals(copy)[0].outcome))


def test_figures_of_another_result_are_not_kept(siambench, copy):
    """Where the unit gives something else than its record says, the exit code is 6 and no file is written; other options are refused."""
    tamper(copy, 0, **further(copy, 0, 0.05))
    folder = Folder(exam_folder(copy / "out"))
    unit = finals(copy)[0].id
    folder.drop_figures(unit)
    done = reproduce(siambench, copy, "--figures")
    assert 6 == done.returncode
    assert folder.figures_of(unit) is None
    done = reproduce(siambench, copy, "--figures", "--repetition", "1")
    assert 4 == done.returncode
    assert "--figures runs the one unit that stands for the row" in done.stderr


def test_one_seed_can_be_chosen_and_its_opening_is_logged(siambench, made, tmp_path):
    """With `--seed` only that unit runs; the opening of the test part is logged where caches are kept."""
    done = reproduce(siambench, made, "--seed", "1", "--json", env={"SIAMBENCH_CACHE": str(tmp_path / "cache")})
    assert 0 == done.returncode, done.stderr
    assert [1] == [unit["seed"] for unit in json.loads(done.stdout)["units"]]
    (line,) = (tmp_path / "cache" / "reproduced" / "tiny.jsonl").read_text().split()
    assert finals(made)[1].id == json.loads(line)["unit"]


def test_another_score_with_the_same_versions_is_a_difference(siambench, copy):
    """A recorded score that the same versions do not give, however near, is exit code 6 with both scores."""
    tamper(copy, 2, **further(copy, 2, 1e-9))
    done = reproduce(siambench, copy)
    assert 6 == done.returncode
    assert "1 results differ with the same versions on the same machine; study 0 repetition 2: map@r" in done.stderr


def test_another_curve_is_a_difference(siambench, copy):
    """The whole outcome is compared, not the scores alone."""
    first, *others = finals(copy)[0].outcome.curve
    tamper(copy, 0, curve=(dataclasses.replace(first, loss=7.0), *others))
    done = reproduce(siambench, copy, "--repetition", "0")
    assert 6 == done.returncode
    assert "study 0 repetition 0: its curve" in done.stderr


def test_with_other_versions_a_near_score_is_within_the_tolerance(siambench, copy):
    """Made with other versions, a score within the tolerance is accepted, and the versions are named."""
    tamper(copy, 0, {"torch": "2.0.0"}, **further(copy, 0, 1e-4))
    done = reproduce(siambench, copy, "--seed", "0")
    assert 0 == done.returncode, done.stderr
    assert "within tolerance" in done.stderr
    assert "torch: 2.0.0 recorded" in done.stderr


def test_with_other_versions_a_far_score_names_them(siambench, copy):
    """Beyond the tolerance the exit code is 6, with the differing scores and the differing versions."""
    tamper(copy, 0, {"torch": "2.0.0"}, **further(copy, 0, 1e-4))
    done = reproduce(siambench, copy, "--seed", "0", "--tolerance", "0.00001")
    assert 6 == done.returncode
    assert "map@r" in done.stderr.splitlines()[-1]
    assert "versions: torch 2.0.0 →" in done.stderr.splitlines()[-1]


def test_unknown_rows_and_seeds_are_usage_errors(siambench, made):
    """A typo in the row gets the nearest name; a repetition or a study that the row lacks is answered with those it has."""
    done = reproduce(siambench, made, row="triplet+har")
    assert (4, True) == (done.returncode, "did you mean 'triplet+hard'" in done.stderr)
    done = reproduce(siambench, made, "--repetition", "9")
    assert (4, True) == (done.returncode, "triplet+hard has no repetition 9; its repetitions: 0, 1, 2" in done.stderr)
    done = reproduce(siambench, made, "--study", "1")
    assert (4, True) == (done.returncode, "triplet+hard has no study 1; its studies: 0" in done.stderr)


def test_the_older_word_is_understood_for_one_more_version(siambench, made):
    """`--seed` is read as `--repetition`, with a word on stderr; both at once are a usage error."""
    done = reproduce(siambench, made, "--seed", "9")
    assert (4, True) == (done.returncode, "--seed is read as --repetition" in done.stderr)
    done = reproduce(siambench, made, "--seed", "1", "--repetition", "1")
    assert (4, True) == (done.returncode, "give one of the two" in done.stderr)


def test_a_row_without_final_units_cannot_be_reproduced(siambench, copy):
    """A row that is still being tuned is an error that says so."""
    for record in finals(copy).values():
        (exam_folder(copy / "out") / "records" / f"{record.id}.json").unlink()
    done = reproduce(siambench, copy)
    assert (4, True) == (done.returncode, "has no final units yet" in done.stderr)


def test_a_unit_that_is_lost_is_no_difference(siambench, copy):
    """A unit that cannot be run here, for want of its miner, ends with exit code 1 and the reason."""
    for record in row_of(copy):
        unit = dataclasses.replace(record.unit, method=Method("triplet", "gone"), row="f" * 32)
        write(exam_folder(copy / "out") / "records", dataclasses.replace(record, unit=unit))
    done = reproduce(siambench, copy, row="triplet+gone")
    assert 1 == done.returncode
    assert "was lost: unknown miner 'gone'" in done.stderr.splitlines()[-1]


@pytest.mark.slow
def test_a_loss_in_a_file_must_be_said_where(siambench, tmp_path):
    """A row made with a file names it; with `--where` it is reproduced."""
    (tmp_path / "track.toml").write_text(TINY_TRACK)
    (tmp_path / "mine.py").write_text(LOSS)
    done = siambench(
        "run", "--track", tmp_path, "--loss", "./mine.py:Mine", "--trials", "1", "--repetitions", "1", "--out", tmp_path / "out"
    )
    assert 0 == done.returncode, done.stderr
    done = reproduce(siambench, tmp_path, row="mine.py:Mine")
    assert 4 == done.returncode
    assert "--where mine.py:Mine=PATH" in done.stderr
    done = reproduce(siambench, tmp_path, "--where", f"mine.py:Mine={tmp_path / 'mine.py'}", row="mine.py:Mine")
    assert 0 == done.returncode, done.stderr
    assert "all 1 results identical" in done.stderr
    done = reproduce(siambench, tmp_path, "--where", "mine.py", row="mine.py:Mine")
    assert (4, True) == (done.returncode, "--where takes NAME=PATH" in done.stderr)


def told(score, versions="1", cpu="one", repetition=0, **outcome):
    """A final record with this score, made with a version of torch on a processor."""
    return final("triplet", repetition, score, outcome=outcome, telemetry={"versions": {"torch": versions}, "cpu": cpu})


@pytest.mark.parametrize(
    ("recorded", "here", "told"),
    [
        ("A, AVX2", "B, AVX512", True),
        ("A, AVX2", "A, AVX512", True),
        ("A, AVX2", "B, AVX512, oneDNN up to AVX2", False),
        ("A, AVX2", "B, AVX2", False),
        ("A, AVX512", "B, AVX2", False),
        ("A, AVX512", "B, AVX512", False),
    ],
)
def test_what_comes_nearer_to_another_processor_is_said(recorded, here, told):
    """Where a record was made without AVX-512 and training here uses it, the variable that holds oneDNN back is named; else nothing is."""
    hint = nearer({"cpu": (recorded, here)})

    assert told == (hint is not None)
    assert hint is None or "ONEDNN_MAX_CPU_ISA=AVX2" in hint
    assert nearer({"torch": ("2.9", "2.10")}) is None


def failed(error, versions="1", ended="raised"):
    """The same unit, failed."""
    return dataclasses.replace(told(0.0, versions), outcome=Failed(error=error, ended=ended))


def test_a_failed_unit_that_fails_again_is_identical():
    """A recorded failure is a result too: the same error again is identical, a success is a difference."""
    assert "identical" == compared(failed("boom"), failed("boom"), "map@r", allowed={}).state
    found = compared(failed("boom"), told(0.5, "2"), "map@r", allowed={"map@r": 1.0})
    assert "different" == found.state
    assert {"torch": ("1", "2")} == found.surroundings
    assert (None, 0.5) == found.primary


def test_another_failure_is_a_difference():
    """A unit that failed by divergence and fails by a bug elsewhere has not been reproduced, whatever the versions."""
    found = compared(failed("nan", ended="diverged"), failed("TypeError", "2"), "map@r", allowed={})
    assert "different" == found.state
    assert ("ended", "error") == found.elsewhere


def test_the_tolerance_is_half_the_deviation_over_seeds():
    """Without `--tolerance` a score may lie half its standard deviation over the recorded seeds away, and no further."""
    records = [told(value, repetition=number) for number, value in enumerate((0.1, 0.2, 0.3))]
    assert {"map@r": pytest.approx(0.05), "recall@1": pytest.approx(0.025)} == spread(records)
    assert {} == spread(records[:1])


@pytest.mark.parametrize(("by", "state"), [(0.0, "within tolerance"), (0.019, "within tolerance"), (0.021, "different")])
def test_a_near_score_is_within_the_tolerance_with_other_versions_only(by, state):
    """With the same versions on the same machine nothing but the very outcome will do; with others what is allowed of each score counts."""
    before, allowed = told(0.5), {"map@r": 0.02, "recall@1": 0.02}
    assert state == compared(before, told(0.5 + by, "2", notes={"n": 1}), "map@r", allowed=allowed).state
    assert "different" == compared(before, told(0.5 + by, notes={"n": 1}), "map@r", allowed=allowed).state


def test_without_repetitions_to_tell_a_fixed_tolerance_counts():
    """A metric of which nothing is known may lie `TOLERANCE` away."""
    assert "within tolerance" == compared(told(0.5), told(0.5 + 0.99 * TOLERANCE, "2"), "map@r", allowed={}).state
    assert "different" == compared(told(0.5), told(0.5 + 1.01 * TOLERANCE, "2"), "map@r", allowed={}).state


def test_another_kind_of_processor_may_be_further_away():
    """Where the processor is another, scores may lie 6 √2 times as far away, unless the user said how far; other versions widen nothing."""
    allowed = {"map@r": 0.01, "recall@1": 0.01}
    assert math.isclose(ANOTHER_PROCESSOR, 6 * math.sqrt(2))
    for by, state in ((0.99, "within tolerance"), (1.01, "different")):
        away = told(0.3 + by * ANOTHER_PROCESSOR * 0.01, cpu="another")
        assert state == compared(told(0.3), away, "map@r", allowed=allowed).state
        assert "different" == compared(told(0.3), away, "map@r", allowed=allowed, widened=False).state
        same = dataclasses.replace(away, telemetry={"versions": {"torch": "2"}, "cpu": "one"})
        assert "different" == compared(told(0.3), same, "map@r", allowed=allowed).state


def test_what_an_older_siambench_did_not_write_is_no_difference():
    """Of an upgraded record ranges, directions and counts of queries are unknown: they are not compared, all else is."""
    now = told(0.5, ranges={"map@r": (0.0, 1.0)}, class_queries=(3, 3), over_pairs=("eer",), curve=curve(0.1))
    old = dataclasses.replace(now.outcome, ranges={}, directions={}, over_pairs=(), class_queries=None)
    older = {**now.telemetry, "upgraded_from": [{"schema": 2, "id": "a" * 64}]}
    before = record_of(now.unit, old, older, verified=False)
    assert "identical" == compared(before, now, "map@r", allowed={}).state
    assert ("class_queries", "directions", "over_pairs", "ranges") == compared(
        dataclasses.replace(before, telemetry=now.telemetry), now, "map@r", allowed={}
    ).elsewhere
    other = record_of(now.unit, dataclasses.replace(old, curve=curve(0.2)), older, verified=False)
    assert ("curve",) == compared(other, now, "map@r", allowed={}).elsewhere
    more = dataclasses.replace(now, outcome=dataclasses.replace(now.outcome, scores={**now.outcome.scores, "tar@1e-3": 0.1}))
    lacking = dataclasses.replace(before, outcome=dataclasses.replace(old, scores={**old.scores, "tar@1e-3": None}))
    assert {} == compared(lacking, more, "map@r", allowed={}).scores
    assert {"tar@1e-3": (None, 0.1)} == compared(dataclasses.replace(lacking, telemetry=now.telemetry), more, "map@r", allowed={}).scores
    counted = record_of(now.unit, dataclasses.replace(old, class_queries=(3, 4)), older, verified=False)
    assert ("class_queries",) == compared(counted, now, "map@r", allowed={}).elsewhere


def test_what_was_not_recorded_of_a_machine_is_said():
    """A record that does not say on which processor it was made is told so, and so is what is recorded and not to be found here."""
    before = record_of(told(0.5).unit, told(0.5).outcome, {"versions": {"faiss": "1"}})
    assert {"cpu": ("not recorded", "one")} == compared(before, told(0.5), "map@r", allowed={}).surroundings
    assert {"cpu": ("one", "none")} == compared(told(0.5), record_of(before.unit, done(), {}), "map@r", allowed={}).surroundings


@pytest.mark.slow
def test_a_shipped_row_is_reproduced(siambench):
    """One final model of a shipped row of glyphs, made elsewhere and perhaps with other versions, comes out again."""
    done = siambench("reproduce", "glyphs", "contrastive", "--study", "0", "--repetition", "0")
    assert 0 == done.returncode, done.stderr
