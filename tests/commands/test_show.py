"""`show`: how a row was tuned, on folders of records made by hand, and what a component says of itself."""

from __future__ import annotations

import dataclasses
import io
import json
import re

import optuna
import pytest
from made import CURVES, final, studies, trials, tuned

from siambench.board.tuning import tuning_of
from siambench.commands.show import describe, moved_summary, tuning_summary, tuning_table
from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import KINDS
from siambench.spec import Method


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load({"SIAMBENCH_PLUGINS": ""})


# ---- a row


def printed(tuning):
    """The table of a tuning as a wide terminal shows it: its text, and the cells of its lines."""
    from rich.console import Console

    console = Console(width=200, file=io.StringIO())
    console.print(tuning_table(tuning))
    text = console.file.getvalue()
    return text, [line.split("│")[1:-1] for line in text.splitlines() if line.startswith("│")]


def test_show_study_prints_the_tuning(siambench, both):
    """The table of trials and what they come to stand on stdout; with `--json` one document does."""
    one, _ = both
    done = siambench("show", "study", one, "triplet")
    assert (0, "") == (done.returncode, done.stderr)
    for words in ("triplet on one 1.0, row row-triplet", "default", "random"):
        assert words in done.stdout
    assert "2 of 2 trials counted, 0 failed" in done.stdout
    assert "default 0.200, tuned 0.300, +0.100" in done.stdout
    document = json.loads(siambench("show", "study", one, "triplet", "--json").stdout)
    assert ("row-triplet", 1, [0, 1, 2]) == (document["row"], document["rows"], [one["study"] for one in document["studies"]])
    for one in document["studies"]:
        assert (2, 0.2) == (len(one["trials"]), one["default"])
        assert {"trial": 1, "epoch": 2, "value": pytest.approx(0.3)} == one["selected"]


def test_one_study_is_asked_for_by_its_number(siambench, both):
    """`--study N` shows that one alone; a number that is not there exits 4 with those that are."""
    one, _ = both
    every, second = (siambench("show", "study", one, "triplet", *asked) for asked in ([], ["--study", "1"]))
    assert [3, 1] == [done.stdout.count("trials counted") for done in (every, second)]
    assert "row row-triplet, study 1" in second.stdout
    assert "study 0" not in second.stdout
    document = json.loads(siambench("show", "study", one, "triplet", "--study", "1", "--json").stdout)
    assert [1] == [found["study"] for found in document["studies"]]
    done = siambench("show", "study", one, "triplet", "--study", "3")
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "unknown study of triplet '3'" in done.stderr
    assert "0, 1, 2" in done.stderr


def test_studies_are_written_for_optuna(siambench, both, tmp_path):
    """`--to` writes each study, says their names on stdout and how to load one on stderr, with `--json` as a document, and not twice."""
    one, _ = both
    storage = f"sqlite:///{tmp_path / 's.db'}"
    done = siambench("show", "study", one, "triplet", "--to", storage)
    names = [f"one-1.0/triplet/row-trip/study-{number}" for number in range(3)]
    assert (0, [f"{name}: 2 trials" for name in names]) == (done.returncode, done.stdout.splitlines())
    assert f"optuna.load_study(study_name='{names[0]}', storage='{storage}')" == done.stderr.strip()
    assert names == optuna.get_all_study_names(storage)
    again = siambench("show", "study", one, "triplet", "--study", "1", "--to", storage)
    assert (4, "", 1) == (again.returncode, again.stdout, len(again.stderr.splitlines()))
    assert f"has a study {names[1]} already" in again.stderr
    other = siambench("show", "study", one, "triplet", "--study", "1", "--to", f"{storage}2", "--json")
    assert {"schema": 1, "storage": f"{storage}2", "studies": [{"study": 1, "name": names[1], "trials": 2}]} == json.loads(other.stdout)


def test_of_several_rows_the_longest_tuning_is_shown(siambench, folder, both, tmp_path):
    """Where a name has two rows, the one with most trials is shown, and how many there are."""
    one, _ = both
    newer = [tuned("triplet", trial, fold, [0.4], track="one", row="newer") for trial in range(7) for fold in range(2)]
    folder("one", newer, within="runs", rules=False)
    done = siambench("show", "study", one, "triplet", "--from", tmp_path / "runs")
    assert 0 == done.returncode
    assert "row newer" in done.stdout
    assert "2 rows bear this name" in done.stdout
    document = json.loads(siambench("show", "study", one, "triplet", "--from", tmp_path / "runs", "--json").stdout)
    assert ("newer", 2) == (document["row"], document["rows"])
    assert "rows bear" not in siambench("show", "study", one, "triplet").stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "one", "tripet"], ["unknown row 'tripet'", "did you mean 'triplet'?"]),
        (["study", "one", "raw"], ["raw is a baseline of one"]),
        (["study", "one"], ["siambench show study TRACK ROW"]),
        (["loss", "triplet", "hard"], ["hard goes with a study alone", "siambench show study TRACK ROW"]),
        (["loss", "triplet", "--from", "runs"], ["--from goes with a study alone"]),
        (["loss", "triplet", "--study", "0"], ["--study goes with a study alone"]),
        (["loss", "triplet", "--to", "sqlite:///s.db"], ["--to goes with a study alone"]),
        (["study", "one", "triplet", "--to", "s.db"], ["a storage of studies is sqlite:///FILE", "got 's.db'"]),
        (["study", "glyhps", "triplet"], ["did you mean 'glyphs'?"]),
        (["loss", "tripplet"], ["unknown loss 'tripplet'", "did you mean 'triplet'?"]),
        (["los", "triplet"], ["'los", "losses"]),
        (["engine", "locl"], ["did you mean 'local'?"]),
    ],
)
def test_show_says_what_is_wrong(siambench, folder, arguments, words):
    """An unknown row, a baseline, an unknown component, and arguments that do not fit exit 4 with one sentence."""
    one = folder("one", [*studies("triplet", [0.5, 0.51, 0.52], track="one"), final("raw", 0, 0.1, track="one")])
    done = siambench("show", *[one if argument == "one" else argument for argument in arguments])
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    for word in words:
        assert word in done.stderr


def test_the_terminal_shows_the_curve():
    """Each trial has a mark at its value and one at the best so far; the worst is at the left end, the best at the right."""
    _, lines = printed(tuning_of(trials(), budget=7))
    strips = [cells[6][1:-1] for cells in lines]
    assert ["failed" in cells[4] for cells in lines] == [False, False, True, False, False, False, False]
    assert (0, 23) == (strips[1].index("●"), strips[6].index("●"))
    assert [strip.index("┃") for strip in strips if "┃" in strip] == sorted(strip.index("┃") for strip in strips if "┃" in strip)
    assert "●" not in strips[2]


def test_a_line_has_what_its_trial_scored():
    """Number, kind, value, epoch, fold scores, best so far and parameters stand in the line of a trial, dashes in that of a failed one."""
    _, lines = printed(tuning_of(trials(), budget=7))
    assert ["3", "random", "0.450", "1", "0.400 0.500", "0.450"] == [cell.strip() for cell in lines[3][:6]]
    assert "loss.margin=0.6" == lines[3][7].strip()
    assert ["2", "random", "—", "—", "failed", "0.250"] == [cell.strip() for cell in lines[2][:6]]
    assert len(CURVES) == len(lines)


def test_what_comes_from_records_is_shown_as_it_is():
    """Markup and control codes in a name or a parameter neither colour the table nor break it."""
    made = trials([0], method="[red]\x1b[2J", params={"loss.margin": 0.3, "loss.kind": "[/bold]"})
    text, _ = printed(tuning_of(made, budget=1))
    assert "\x1b" not in text
    assert r"[red]\x1b[2J on made 1.0" in text
    assert "loss.kind=[/bold]" in text


def test_the_summary_says_what_trials_come_to():
    """How many count, what tuning gained, each flag with its meaning and each failure with its reason, a sentence each."""
    found = tuning_summary(tuning_of(trials(), budget=7), rows=1)
    assert "7 of 7 trials counted, 1 failed, 1 parameters" == found[0]
    assert "map@r on validation classes: default 0.250, tuned 0.550, +0.300 (trial 6, epoch 2)" == found[1]
    assert "failed-trials:1: so many trials raised or diverged; they spent budget" in found
    assert "trial 2 failed: it diverged" in found
    assert "2 rows bear this name" in tuning_summary(tuning_of(trials(), budget=7), rows=2)[-1]


def test_what_moved_the_score_is_said_once_below_all_studies(siambench):
    """Of a shipped row the parameters with share, p and place, then those of which it cannot be told; of one study alone by that one."""
    done = siambench("show", "study", "glyphs", "triplet+hard")
    told = [line for line in done.stdout.splitlines() if "moved" in line]
    assert 2 == len(told)
    assert told[0].startswith(
        "what moved map@r on validation classes, by 55 drawn trials of 5 studies, on their first fold: miner.warmup 0.4"
    )
    assert "whether it was moved by these cannot be told: loss.margin, optimiser.weight_decay" == told[1]
    document = json.loads(siambench("show", "study", "glyphs", "triplet+hard", "--study", "1", "--json").stdout)
    assert (11, 1, "first") == tuple(document["importances"][key] for key in ("trials", "studies", "folds"))
    assert [] == moved_summary([tuning_of(trials([0]), budget=1)])
    assert "nothing that can be told" in moved_summary([tuning_of(trials(), budget=7)])[0]


def test_a_pruned_trial_has_its_score_on_the_first_fold():
    """A trial that lost its race has no value and no best of its own: its line shows what it scored on fold 0, the summary how many did."""
    firsts = [0.1, 0.5, 0.2, 0.3]
    records = [tuned("triplet", number, 0, [value]) for number, value in enumerate(firsts)]
    records += [tuned("triplet", number, 1, [0.4]) for number in (0, 1, 3)]
    rules = [dataclasses.replace(one.exam, training={**one.exam.training, "racing": True}) for one in records]
    tuning = tuning_of([dataclasses.replace(one, exam=exam) for one, exam in zip(records, rules, strict=True)], budget=4)
    _, lines = printed(tuning)
    assert ["2", "random", "—", "—", "0.200, pruned", "0.450"] == [cell.strip() for cell in lines[2][:6]]
    assert "4 of 4 trials counted, 0 failed, 1 pruned after their first fold, 1 parameters" == tuning_summary(tuning, rows=1)[0]


def test_incomplete_trials_are_counted():
    """Trials that lack a fold or come after a gap are named as incomplete."""
    tuning = tuning_of([*trials([0, 1, 3, 4]), tuned("triplet", 2, 0, [0.9])], budget=8)
    assert "3 trials incomplete" in tuning_summary(tuning, rows=1)[0]


def test_a_study_of_failures_selects_nothing():
    """Where each trial failed no trial is selected, each failure has its reason, and the table has a line for each."""
    tuning = tuning_of([tuned("triplet", trial, fold, [], state="failed") for trial in range(2) for fold in range(2)], budget=2)
    found = tuning_summary(tuning, rows=1)
    assert ["2 of 2 trials counted, 2 failed, 1 parameters", "no trial is selected"] == found[:2]
    assert "trial 1 failed: it diverged" in found
    assert 2 == tuning_table(tuning).row_count


# ---- a component


def test_a_component_says_everything_of_itself(siambench):
    """`show loss triplet` has space, defaults, batch layout, source and provenance; with `--json` as one document."""
    document = json.loads(siambench("show", "loss", "triplet", "--json").stdout)
    assert {"margin": {"type": "float", "low": 0.02, "high": 0.7, "log": True}} == document["space"]
    assert {"reality-check": {"margin": {"type": "float", "low": -0.2, "high": 2.0, "log": False}}} == document["spaces"]
    assert ("losses", "triplet", "siambench", "siambench") == tuple(document[key] for key in ("kind", "name", "distribution", "plugin"))
    assert re.fullmatch("[0-9a-f]{64}", document["digest"])
    assert 4 == document["images_per_class"]
    assert "FaceNet" in document["source"]
    done = siambench("show", "losses", "triplet")
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert "  margin: type=float  low=0.02  high=0.7  log=true" in lines
    assert "normalise: true" in lines
    assert "feeds: classes, triplets, views" in lines
    assert "  margin: type=float  low=-0.2  high=2.0  log=false" == lines[lines.index("space reality-check:") + 1]
    assert any(line.startswith("space_source: default: FaceNet's 0.2") for line in lines)
    assert "images_per_class: 4" in done.stdout.splitlines()


@pytest.mark.parametrize("kind", KINDS)
def test_every_component_of_a_kind_can_be_shown(catalogue, kind):
    """What each built-in says of itself is one JSON document with its source, and all that its entry has a field for."""
    components = catalogue.components(kind)
    assert components
    for component in components:
        facts = json.loads(json.dumps(describe(component), allow_nan=False))
        assert {"kind", "name", "distribution", "version", "plugin", "digest", "source", "about"} <= set(facts)
        assert facts["about"], component.name
    if kind == "datasets":
        told = {component.name: describe(component)["from_file"] for component in components}
        assert told["glyphs"].startswith("Of one character")
        assert told["omniglot"] is None


def test_a_component_without_parameters_says_none(siambench):
    """A mapping without entries is said to be none, rather than left open."""
    assert "space: none" in siambench("show", "loss", "npair").stdout.splitlines() + siambench("show", "miner", "none").stdout.splitlines()


def test_singular_and_plural_name_the_same_kind(siambench):
    """`show loss` and `show losses` are the same."""
    assert siambench("show", "loss", "triplet", "--json").stdout == siambench("show", "losses", "triplet", "--json").stdout


def test_a_loss_in_a_file_is_shown_with_its_digest(siambench, tmp_path):
    """A class in a file is local, and the digest of its source tells it from another version of it."""
    (tmp_path / "mine.py").write_text(
        'import torch\n\n\nclass Mine(torch.nn.Module):\n    """Mine."""\n\n    def forward(self, embeddings, labels):\n'
        "        return embeddings.sum()\n"
    )
    document = json.loads(siambench("show", "loss", "./mine.py:Mine", "--json").stdout)
    assert ("mine.py:Mine", "local") == (document["name"], document["distribution"])
    assert document["digest"]
    assert Method(document["name"]).baseline is None
