"""`siambench status`: what another terminal can tell of a run, from its output folder alone."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from made import ONE_STUDY as TRACK
from made import final, study, tuned
from shared import TINY_TRACK, exam_folder

from siambench.interfaces import Failed
from siambench.records.folder import BUDGETS, Budget, Folder
from siambench.records.record import write
from siambench.records.status import RECENT, folders, status_of
from siambench.spec import RECORD_SCHEMA

OLD = Path(__file__).parent.parent / "assets" / "schema-1"

WAITS = """
import os
import time
from pathlib import Path

import torch


class Waits(torch.nn.Module):
    def forward(self, embeddings, labels):
        while len(list(Path(os.environ["EXAM_RECORDS"]).glob("*.json"))) >= 7 and not Path(os.environ["EXAM_GO"]).exists():
            time.sleep(0.02)
        return embeddings.square().mean()
"""


def document(done):
    assert 0 == done.returncode, done.stderr
    (track,) = json.loads(done.stdout)["tracks"]
    return track


# ---- a run that is watched


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """What `status` said of one run: while it went on, after it was killed, and with a record damaged; and how to run it again."""
    folder = tmp_path_factory.mktemp("watched")
    (folder / "track.toml").write_text(TINY_TRACK)
    (folder / "waits.py").write_text(WAITS)
    records = exam_folder(folder / "out") / "records"
    surroundings = {**os.environ, "EXAM_RECORDS": str(records), "EXAM_GO": str(folder / "go"), "OMP_NUM_THREADS": "1"}
    base = [sys.executable, "-m", "siambench"]
    command = [*base, "run", "--track", "track.toml", "--loss", "./waits.py:Waits", "--jobs", "1", "--out", "out"]

    def status(*arguments):
        return subprocess.run([*base, "status", *arguments], cwd=folder, capture_output=True, text=True, check=False, timeout=60)

    run = subprocess.Popen(command, cwd=folder, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    found = {"process": run.pid}
    try:
        # One worker: after seven records the eighth unit waits, whatever the machine's pace.
        deadline = time.monotonic() + 120
        while len(list(records.glob("*.json")) if records.is_dir() else []) < 7:
            assert time.monotonic() < deadline
            assert run.poll() is None
            time.sleep(0.02)
        found["running"], found["shown"], found["inner"] = (
            status("out", "--json"),
            status("out"),
            status(str(exam_folder(folder / "out").relative_to(folder)), "--json"),
        )
        found["alive"] = run.poll() is None
    finally:
        workers = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGKILL)
        run.wait()
        # The unit would wait on for what nobody will do.
        for worker in workers:
            with contextlib.suppress(psutil.NoSuchProcess):
                worker.kill()
    found["killed"] = status("out", "--json")
    victim = next(path for path in sorted(records.glob("*.json")) if json.loads(path.read_text())["unit"]["kind"] == "tune")
    victim.write_bytes(victim.read_bytes()[:300])
    found["victim"], found["damaged"], found["said"] = str(victim.relative_to(folder)), status("out", "--json"), status("out")

    def again():
        (folder / "go").touch()
        done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
        return done, status("out", "--json")

    found["again"] = again
    return found


def test_a_running_run_is_told_with_its_holder(watched):
    """While a run goes on: its process and command, the rows that have begun with units of how many, and the age of the last."""
    found = document(watched["running"])
    assert watched["process"] == found["owner"]["process"]
    assert "siambench run --track track.toml" in found["owner"]["command"]
    assert ("tiny", "1.0", 7) == (found["track"], found["version"], found["records"])
    rows = {row["method"]: row for row in found["rows"]}
    assert ["raw", "untrained", "waits.py:Waits"] == list(rows)
    assert ["baseline-raw", "baseline-untrained"] == [rows[name]["row"] for name in ("raw", "untrained")]
    assert [(1, 1), (3, 3)] == [(rows[name]["final"]["ended"], rows[name]["final"]["planned"]) for name in ("raw", "untrained")]
    assert {"ended": 3, "failed": 0, "planned": 4 + 3 + 2 + 2} == rows["waits.py:Waits"]["tune"]
    assert {"ended": 0, "failed": 0, "planned": 3} == rows["waits.py:Waits"]["final"]
    assert ["done", "done", "tuning"] == [row["state"] for row in rows.values()]
    assert 0 < found["last_record_seconds"] < 60
    assert ([], [], 0) == (found["failed"], found["damaged"], found["older"])


def test_the_time_left_follows_from_pace_and_budget(watched):
    """With a pace known, the estimate is what is left of the begun rows at that pace."""
    found = document(watched["running"])
    assert found["units_per_minute"] > 0
    assert 60 * (4 + 3 + 2 + 2 + 3 - 3) / found["units_per_minute"] == pytest.approx(found["seconds_left"])


def test_a_run_is_not_disturbed_by_being_watched(watched):
    """The run went on while `status` was asked three times, and its folder can be named itself."""
    assert watched["alive"]
    assert document(watched["running"])["rows"] == document(watched["inner"])["rows"]


def test_people_are_shown_the_same(watched):
    """Without `--json` the lines name the process, the counts, the pace and what is left; a 7-record run has no trouble to tell."""
    done = watched["shown"]
    assert (0, "") == (done.returncode, done.stderr)
    first, *rest = done.stdout.splitlines()
    assert f"tiny 1.0 in {exam_folder(Path('out'))}: process {watched['process']} works on it" in first
    text = "\n".join(rest)
    for words in ("tuning 3/11, final 0/3", "7 records, the last", "units per minute, about", "left for what has begun"):
        assert words in text
    assert "damaged" not in text


def test_the_running_unit_is_told_with_its_epochs(watched):
    """The one worker's unit stands there with its process and the epoch that it is in, for programs and for people."""
    (unit,) = document(watched["running"])["running"]
    assert ("waits.py:Waits trial 3 fold 0", 0, 2) == (unit["label"], unit["epoch"], unit["epochs"])
    assert unit["process"] != watched["process"]
    assert unit["seconds"] >= 0
    assert "running: waits.py:Waits trial 3 fold 0: epoch 1 of 2, " in watched["shown"].stdout


def test_a_killed_run_has_no_holder(watched):
    """After `kill -9` no process works on it, nothing is estimated, and the counts are what they were."""
    before, found = document(watched["running"]), document(watched["killed"])
    assert (None, None) == (found["owner"], found["seconds_left"])
    assert before["rows"] == found["rows"]


def test_a_damaged_record_is_told(watched):
    """A record cut short is named, with what helps, and not counted."""
    found = document(watched["damaged"])
    assert ([watched["victim"]], 6) == (found["damaged"], found["records"])
    assert f"damaged: {watched['victim']} holds no intact record; the run that made it makes it anew" in watched["said"].stdout


@pytest.mark.slow
def test_the_same_command_makes_a_damaged_record_anew(watched):
    """After the run is given again nothing is damaged, and every row is done."""
    done, found = watched["again"]()
    assert 0 == done.returncode, done.stderr
    ended = document(found)
    assert ([], None, 18) == (ended["damaged"], ended["owner"], ended["records"])
    assert {"done"} == {row["state"] for row in ended["rows"]}
    assert {"ended": 11, "failed": 0, "planned": 11} == ended["rows"][-1]["tune"]


# ---- folders made by hand


def fill(folder, records, track=TRACK, start=1_000.0, step=2.0):
    """A track's folder with these records, each ending `step` seconds after the one before."""
    for number, one in enumerate(records):
        times = {"started": start + step * number - 0.5, "total_seconds": 0.5}
        write(folder / "records", dataclasses.replace(one, telemetry={**one.telemetry, **times}))
    if track is not None:
        (folder / "track.json").write_text(track.model_dump_json(by_alias=True))
        os.utime(folder / "track.json", (start - 1, start - 1))
    return folder


def states(folder):
    return {one.method: (one.state, one.tune.ended, one.tune.planned, one.final.ended, one.final.planned) for one in look(folder).begun}


def look(folder, now=2_000.0):
    return status_of(folder, now=now)


@pytest.mark.parametrize("content", ["nothing", "file", "empty", "foreign"])
def test_where_there_is_nothing_one_sentence_says_so(siambench, tmp_path, content):
    """No folder, a file, an empty folder, and a folder of other things: exit 4 with one sentence, and nothing on stdout."""
    if content == "file":
        (tmp_path / "out").write_text("a file")
    elif content != "nothing":
        (tmp_path / "out" / ("" if content == "empty" else "notes")).mkdir(parents=True)
    done = siambench("status", "out")
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert done.stderr.startswith("siambench: ")
    assert "out" in done.stderr


def test_failures_are_shown_with_their_reasons(siambench, tmp_path):
    """Failed units stand there with their reason, the latest first, control characters spelt out."""
    records = [tuned("triplet", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)]
    records[-1] = dataclasses.replace(records[-1], outcome=Failed(error="ValueError: \x1b[2Jred\x9b", ended="raised"))
    fill(tmp_path / "out" / "made", records)
    shown, documented = siambench("status", "out").stdout, siambench("status", "out", "--json").stdout
    assert "failed: triplet trial 1 fold 1: ValueError: \\x1b[2Jred\\x9b" in shown
    assert [] == [code for code in "\x1b\x9b" if code in shown + documented]
    (track,) = json.loads(documented)["tracks"]
    assert ["triplet trial 1 fold 1", "triplet trial 1 fold 0"] == [failure["unit"] for failure in track["failed"]][:2]
    assert "it diverged" == track["failed"][1]["error"]
    assert ("failed", {"ended": 0, "failed": 0, "planned": 0}) == (track["rows"][0]["state"], track["rows"][0]["final"])


def test_older_records_are_told_with_the_command(siambench, tmp_path):
    """Records of an older layout are counted, and `siambench upgrade` is named with the folder."""
    shutil.copytree(OLD, tmp_path / "out" / "glyphs")
    number = len(list((OLD / "records").glob("*.json")))
    assert f"{number} records of an older layout: siambench upgrade out/glyphs" in siambench("status", "out").stdout
    found = document(siambench("status", "out", "--json"))
    assert (number, 0, []) == (found["older"], found["records"], found["damaged"])


def test_several_tracks_stand_below_one_another(tmp_path):
    """An output folder has one folder per track, in order of name; what holds no records is passed over."""
    for name in ("two", "one"):
        fill(tmp_path / name, study("triplet", [0.5, 0.6, 0.7]))
    (tmp_path / "notes").mkdir()
    assert [tmp_path / "one", tmp_path / "two"] == folders(tmp_path)
    assert [tmp_path / "one"] == folders(tmp_path / "one")


def test_a_row_goes_from_tuning_over_final_to_done(tmp_path):
    """Its state follows its records: trials missing, final models missing, nothing missing."""
    records = study("triplet", [0.5, 0.51, 0.52])
    assert {"triplet": ("tuning", 3, 4, 0, 3)} == states(fill(tmp_path / "a", records[:3]))
    assert {"triplet": ("final", 4, 4, 0, 3)} == states(fill(tmp_path / "b", records[:4]))
    assert {"triplet": ("final", 4, 4, 2, 3)} == states(fill(tmp_path / "c", records[:6]))
    assert {"triplet": ("done", 4, 4, 3, 3)} == states(fill(tmp_path / "d", records))


def test_final_models_say_that_a_smaller_budget_was_enough(tmp_path):
    """With `--trials 1` no more tune units are to come once a final model is there."""
    records = [*(tuned("triplet", 0, fold, [0.1, 0.2]) for fold in range(2)), final("triplet", 0, 0.5)]
    assert {"triplet": ("final", 2, 2, 1, 3)} == states(fill(tmp_path, records))


def test_a_budget_that_is_being_extended_is_tuned_again(tmp_path):
    """Tune units after final models are of a larger budget; final models of a trial selected before are not counted."""
    before = [*(tuned("triplet", 0, fold, [0.1, 0.2]) for fold in range(2)), *(final("triplet", i, 0.5) for i in range(3))]
    more = [tuned("triplet", 1, fold, [0.3, 0.4]) for fold in range(2)]
    assert {"triplet": ("tuning", 3, 4, 3, 3)} == states(fill(tmp_path / "a", [*before, more[0]]))
    newer = [*before, *more, final("triplet", 0, 0.6, trial=1)]
    assert {"triplet": ("final", 4, 4, 1, 3)} == states(fill(tmp_path / "b", newer))


def leave_budgets(folder, asked):
    """What a run asks of its rows, left by taking the folder."""
    with Folder(folder).held(TRACK, asked):
        pass


def test_what_a_run_asked_for_is_planned(tmp_path):
    """Where a run left its budget, that of the track does not count; of rows that it did not ask for, it does."""
    records = [tuned("triplet", 0, 0, [0.1, 0.2]), tuned("npair", 0, 0, [0.1, 0.2]), final("untrained", 0, 0.1)]
    folder = fill(tmp_path, records)
    leave_budgets(folder, {"row-triplet": Budget(1, 10, 7), "baseline-untrained": Budget(1, 0, 7)})
    expected = {"untrained": ("final", 0, 0, 1, 7), "npair": ("tuning", 1, 4, 0, 3), "triplet": ("tuning", 1, 20, 0, 7)}
    assert expected == states(folder)
    leave_budgets(folder, {"row-npair": Budget(1, 1, 1)})
    assert expected | {"npair": ("tuning", 1, 2, 0, 1)} == states(folder)


@pytest.mark.parametrize("text", ["", "[]", "[1]", '{"row-triplet": 3}', '{"row-triplet": ["x", 1]}'])
def test_a_budget_that_cannot_be_read_is_passed_over(tmp_path, text):
    """Then the track's budget counts, and the next run writes it anew."""
    folder = fill(tmp_path, [tuned("triplet", 0, 0, [0.1, 0.2])])
    (folder / BUDGETS).write_text(text)
    assert {"triplet": ("tuning", 1, 4, 0, 3)} == states(folder)
    leave_budgets(folder, {"row-triplet": Budget(1, 10, 7)})
    assert {"triplet": ("tuning", 1, 20, 0, 7)} == states(folder)


def test_a_row_with_nothing_to_search_has_one_trial(tmp_path):
    """Where every trial would be the same, one is planned."""
    assert {"triplet": ("final", 2, 2, 0, 3)} == states(fill(tmp_path, [tuned("triplet", 0, fold, [0.1], space={}) for fold in range(2)]))


def test_baselines_have_no_tuning(tmp_path):
    """Of the raw input one unit is planned, of the untrained network one per seed."""
    assert {"raw": ("done", 0, 0, 1, 1), "untrained": ("final", 0, 0, 1, 3)} == states(
        fill(tmp_path, [final("untrained", 0, 0.1), final("raw", 0, 0.2)])
    )


@pytest.mark.parametrize("rules", [None, "{", '{"name": "made"}'])
def test_without_rules_the_plan_is_unknown(siambench, tmp_path, rules):
    """Without `track.json`, or with one that does not hold, records are counted, what is planned is `?`, and the reason is told."""
    fill(tmp_path / "made", study("triplet", [0.5]), track=None)
    if rules is not None:
        (tmp_path / "made" / "track.json").write_text(rules)
    found = document(siambench("status", "made", "--json"))
    assert ("made", None, 5) == (found["track"], found["version"], found["records"])
    assert "track.json" in found["trouble"]
    assert [None, None] == [found["rows"][0][kind]["planned"] for kind in ("tune", "final")]
    assert "tuning 4/?, final 1/?" in siambench("status", "made").stdout


def test_records_of_another_version_are_set_apart(tmp_path):
    """Records of another version of the track join no row, and are counted by themselves."""
    found = look(fill(tmp_path, [*study("triplet", [0.5]), *study("npair", [0.5], track_version="0.9")]))
    assert (["triplet"], 5, 5) == ([one.method for one in found.begun], found.records, found.others[0].units)


def test_records_of_a_newer_layout_are_not_damaged(tmp_path):
    """A record with a higher schema is counted as newer."""
    fill(tmp_path, study("triplet", [0.5]))
    one = final("triplet", 7, 0.5)
    (tmp_path / "records" / f"{one.id}.json").write_text(json.dumps({**one.to_json(), "schema": RECORD_SCHEMA + 1}))
    assert (1, 0, {}) == (look(tmp_path).newer, look(tmp_path).older, look(tmp_path).damaged)


def test_the_pace_is_that_of_the_last_records_of_the_last_run(tmp_path):
    """Units per minute come from the last records that ended since the rules were written; with too few there is none."""
    records = [final("raw", number, 0.1) for number in range(RECENT + 10)]
    fill(tmp_path, records, step=3.0)
    found = look(tmp_path, now=5_000.0)
    assert 60 / 3.0 == pytest.approx(found.pace)
    assert 5_000.0 - (1_000.0 + 3.0 * (len(records) - 1)) == pytest.approx(found.age)
    last = 1_000.0 + 3.0 * (len(records) - 2) - 1
    os.utime(tmp_path / "track.json", (last, last))
    assert look(tmp_path).pace is None


def test_status_imports_nothing_heavy(tmp_path):
    """A run's standing is told without torch, Optuna, pandas, scipy or the plugins."""
    fill(tmp_path / "made", study("triplet", [0.5]))
    code = (
        "import sys; from siambench.cli import main\n"
        "try: main(['status', sys.argv[1], '--json'])\n"
        "except SystemExit as e: print(e.code, {'torch', 'optuna', 'pandas', 'scipy', 'pluggy'} & set(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "0 set()\n" == done.stderr


def test_status_counts_verdicts(siambench, tmp_path):
    """Units with a verdict other than `ok` are counted beside their row, in the document all; of what was not judged nothing is said."""
    folder = Folder(tmp_path / "made")
    said = [{"diagnosis": {"verdict": verdict, "findings": []}} for verdict in ("collapsed", "ok", "collapsed")] + [None]
    for fold, telemetry in enumerate(said):
        write(folder.records, tuned("triplet", fold // 2, fold % 2, [0.1], telemetry=telemetry))
    write(folder.records, tuned("npair", 0, 0, [0.1]))
    shown = siambench("status", folder.path)
    rows = {row["method"]: row["verdicts"] for row in document(siambench("status", folder.path, "--json"))["rows"]}

    assert rows == {"triplet": {"collapsed": 2, "ok": 1}, "npair": {}}
    line = {name: next(text for text in shown.stdout.splitlines() if text.strip().startswith(name)) for name in ("triplet", "npair")}
    assert line["triplet"].endswith(", 2 collapsed")
    assert "collapsed" not in line["npair"]
    assert "ok" not in line["triplet"]
