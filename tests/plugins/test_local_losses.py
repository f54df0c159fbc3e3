from __future__ import annotations

import json
import re

import pytest
from plugin_packages import TINY, write

from siambench.cli import main
from siambench.components.catalogue import Catalogue
from siambench.components.local_file import component_in_file
from siambench.errors import PluginError, UsageError
from siambench.execution.coordinator import cached_units
from siambench.execution.worker import LostError, execute
from siambench.spec import Context
from siambench.studies.request import Request, prepare

HEAD = "import torch\nfrom torch import nn\nfrom siambench.plugin import Choice, Float, Int\n\n\n"

SPREAD = """
class Spread(nn.Module):
    SPACE = {"margin": Float(0.0, 1.0)}

    def __init__(self, margin=0.5):
        super().__init__()
        self.margin = margin

    def forward(self, embeddings, labels, indices=None):
        same = labels[:, None] == labels[None]
        distances = torch.cdist(embeddings, embeddings)
        return distances[same].mean() + (self.margin - distances[~same]).relu().mean()
"""

FAILURES = {
    "Shape": ("return embeddings.sum(dim=1)", "loss 'losses.py:Shape' must return a scalar tensor, got shape ("),
    "Number": ("return 0.5", "loss 'losses.py:Number' must return a scalar tensor, got float"),
    "Cut": ("return embeddings.detach().sum()", "loss 'losses.py:Cut' returned a value without a gradient"),
    "Raises": ('raise KeyError("anchor")', "KeyError: 'anchor'"),
    "Leaves": ("raise SystemExit(3)", "SystemExit"),
    "NotANumber": ("return (embeddings * float('nan')).sum()", "the loss became nan"),
    "Paints": ('raise ValueError("\\x1b[2J\\x1b]0;owned\\x07red")', "owned"),
}
"""What the forward of a loss does, and what the reason of its row must say."""


@pytest.fixture(scope="session")
def grid(command_line):
    """A run of a grid of losses in one file, of which only the first is sound."""
    text = HEAD + SPREAD
    for name, (line, _) in FAILURES.items():
        text += f"\n\nclass {name}(nn.Module):\n    def forward(self, embeddings, labels, indices=None):\n        {line}\n"
    (command_line.folder / "losses.py").write_text(text)
    chosen = [part for name in ("Spread", *FAILURES) for part in ("--loss", f"./losses.py:{name}")]
    return command_line("run", *chosen, "--dataset", "digits", *TINY, "--json", "--out", "grid")


@pytest.fixture(scope="session")
def printed(grid, command_line):
    """The same run once more, from its records, as a table for people."""
    chosen = [part for name in ("Spread", *FAILURES) for part in ("--loss", f"./losses.py:{name}")]
    return command_line("run", *chosen, "--dataset", "digits", *TINY, "--out", "grid")


def rows_of(result):
    return {row["method"]: row for row in json.loads(result.stdout)["rows"]}


def test_a_sound_loss_in_a_file_gets_a_row_flagged_local(grid):
    """A loss in a file is tuned, trained and scored like any other; its row says that it is local."""
    row = rows_of(grid)["losses.py:Spread"]

    assert row["reason"] is None
    assert row["flags"].count("local") == 1
    assert row["scores"]["map@r"]["n"] == 1


def test_failed_units_are_results_and_the_run_exits_0(grid):
    """Losses whose every unit fails make the run neither stop nor exit with an error: each has a row without scores."""
    rows = rows_of(grid)

    assert grid.returncode == 0, grid.stderr
    assert sorted(rows) == sorted(["raw", "untrained", "losses.py:Spread", *(f"losses.py:{name}" for name in FAILURES)])
    assert "7 failed · 0 lost" in grid.stderr
    (told,) = (line for line in grid.stderr.splitlines() if line.startswith("what failed, and how: siambench show study "))
    assert any(told.endswith(f" --from grid; why: siambench diagnose --loss ./losses.py:{name}") for name in FAILURES)
    assert {rows[f"losses.py:{name}"]["scores"].get("map@r", {"mean": None})["mean"] for name in FAILURES} == {None}


@pytest.mark.parametrize("name", sorted(FAILURES))
def test_a_loss_that_breaks_while_it_trains_has_a_row_with_its_reason(grid, printed, name):
    """A wrong shape, a plain number, no gradient, an exception, SystemExit and NaN are each told where they happen and in the row."""
    told = [line for line in grid.stderr.splitlines() if f" losses.py:{name} trial " in line]
    below = [line for line in printed.stderr.splitlines() if line.startswith(f"losses.py:{name}: ")]

    # What fails on the fold that trials race on runs no other.
    assert [FAILURES[name][1] in line for line in told] == [True]
    assert FAILURES[name][1] in rows_of(grid)[f"losses.py:{name}"]["reason"]
    assert [FAILURES[name][1] in line for line in below] == [True]


def test_control_codes_of_a_loss_do_not_reach_the_terminal(grid, printed):
    """The text of an exception in a loss is shown with its escape sequences spelt out, while it runs and below the table."""
    shown = grid.stderr + grid.stdout + printed.stderr + printed.stdout

    assert [code for code in ("\x1b", "\x07") if code in shown] == []


REFUSED = {
    "nowhere.py:Loss": (None, "no such file: ./nowhere.py"),
    "broken.py:Loss": ("class Loss(:\n", "./broken.py cannot be imported: SyntaxError: "),
    "raising.py:Loss": ('raise RuntimeError("not today")\n', "./raising.py cannot be imported: RuntimeError: not today"),
    "leaving.py:Loss": ("raise SystemExit(0)\n", "./leaving.py cannot be imported: SystemExit: 0"),
    "named.py:Spraed": (HEAD + SPREAD, "./named.py has no 'Spraed', did you mean 'Spread'?; it defines Spread"),
    "empty.py:Loss": ("", "./empty.py has no 'Loss'; it defines no class"),
    "plain.py:Loss": ("class Loss:\n    pass\n", "./plain.py:Loss must be a class derived from torch.nn.Module"),
    "function.py:loss": ("def loss(embeddings, labels):\n    pass\n", "./function.py:loss must be a class derived from torch.nn.Module"),
    "needy.py:Loss": (
        HEAD + SPREAD.replace("Spread", "Loss").replace("margin=0.5", "margin"),
        "./needy.py:Loss: the constructor's argument 'margin' needs a default",
    ),
    "narrow.py:Loss": (
        HEAD + "class Loss(nn.Module):\n    def forward(self, embeddings):\n        pass\n",
        "./narrow.py:Loss.forward must take (embeddings, labels, indices=None), got (self, embeddings)",
    ),
    "space.py:Loss": (
        HEAD + SPREAD.replace("Spread", "Loss").replace("Float(0.0, 1.0)", "(0.0, 1.0)"),
        "./space.py:Loss: SPACE['margin'] must be a Float, Int or Choice, got tuple",
    ),
    "outside.py:Loss": (
        HEAD + SPREAD.replace("Spread", "Loss").replace("margin=0.5", "margin=1.5"),
        "./outside.py:Loss: default 1.5 of 'margin' lies outside its space",
    ),
    "undefaulted.py:Loss": (
        HEAD + SPREAD.replace("Spread", "Loss").replace('{"margin"', '{"scale": Int(1, 4), "margin"'),
        "./undefaulted.py:Loss: parameter 'scale' ",
    ),
    "built.py:Loss": (
        HEAD + "class Loss(nn.Module):\n    def __init__(self):\n        raise ZeroDivisionError('one by none')\n"
        "    def forward(self, embeddings, labels):\n        pass\n",
        "./built.py:Loss cannot be built with its defaults: ZeroDivisionError: one by none",
    ),
}
"""Files that break the contract before anything is trained, and what the error says."""


@pytest.mark.parametrize("spec", sorted(REFUSED))
def test_a_file_that_breaks_the_contract_is_refused_before_anything_runs(spec, tmp_path, monkeypatch, capsys):
    """A missing file, a syntax error, an unknown class, an argument without default … exit 4 with one sentence and no record."""
    text, expected = REFUSED[spec]
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / spec.partition(":")[0]).write_text(text)
    with pytest.raises(SystemExit) as left:
        main(["run", "--loss", f"./{spec}", "--dataset", "digits", *TINY, "--out", "out"])
    captured = capsys.readouterr()

    assert left.value.code == 4
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert captured.err.startswith(f"siambench: {expected}")
    assert not (tmp_path / "out").exists()


def test_what_a_file_prints_does_not_spoil_a_document(tmp_path, monkeypatch, capsys):
    """Text that a loss file prints, on import or when the loss is built, goes to stderr; stdout is one JSON document."""
    monkeypatch.chdir(tmp_path)
    talking = SPREAD.replace("super().__init__()", 'super().__init__()\n        print("a loss is built")')
    (tmp_path / "talks.py").write_text(f'{HEAD}print("a file is read")\n{talking}')
    with pytest.raises(SystemExit) as left:
        main(["run", "--loss", "talks.py:Spread", "--dataset", "digits", *TINY, "--plan", "--json"])
    captured = capsys.readouterr()

    assert left.value.code == 0
    assert json.loads(captured.out)["schema"] == 1
    assert "a file is read\n" in captured.err
    assert "a loss is built\n" in captured.err


def planned(spec):
    changes = {"training.epochs": 1, "training.steps_per_epoch": 2}
    return prepare(Request(losses=(str(spec),), dataset="digits", trials=1, repetitions=1, changes=changes), Catalogue.load())


def test_an_unchanged_file_is_served_from_its_records(grid, command_line):
    """The same text meets its records again, in whichever folder it is: all five units, the two baselines included, are there."""
    assert grid.returncode == 0, grid.stderr
    moved = write(command_line.folder / "moved", {"losses.py": (command_line.folder / "losses.py").read_text()})

    for folder in (command_line.folder, moved):
        prepared = planned(folder / "losses.py:Spread")
        assert (prepared.planned, cached_units(prepared, command_line.folder / "grid")) == (5, 5)


def test_an_edited_file_is_not_served_from_the_records_of_what_it_was(grid, command_line):
    """After any change of the file's text only the baselines are there: it may be another loss now."""
    assert grid.returncode == 0, grid.stderr
    text = (command_line.folder / "losses.py").read_text()
    edited = write(command_line.folder / "edited", {"losses.py": text + "\n# another thought\n"})

    assert cached_units(planned(edited / "losses.py:Spread"), command_line.folder / "grid") == 2


@pytest.mark.slow
def test_an_edited_loss_is_run_anew_and_its_row_is_the_new_one(command_line):
    """Between two runs a loss is edited: its units run again, and the row shows the scores of what it is now."""
    file = command_line.folder / "changing.py"
    arguments = ("run", "--loss", "changing.py:Spread", "--dataset", "digits", *TINY, "--json", "--out", "changing")
    file.write_text(HEAD + SPREAD)
    first = command_line(*arguments)
    again = command_line(*arguments)
    file.write_text(HEAD + SPREAD.replace("distances[same].mean() +", "10 * distances[same].mean() +"))
    edited = command_line(*arguments)
    scores = [rows_of(result)["changing.py:Spread"]["scores"]["map@r"]["mean"] for result in (first, again, edited)]

    assert re.findall(r"(\d+) done · (\d+) cached", first.stderr + again.stderr + edited.stderr) == [("5", "0"), ("0", "5"), ("3", "2")]
    assert scores[0] == scores[1]
    assert scores[0] != scores[2]


def test_two_files_of_one_name_are_not_taken_for_each_other(tmp_path):
    """Losses of one class name from two files of one name, in two folders, are an error that names both."""
    losses = []
    for folder in ("one", "two"):
        write(tmp_path / folder, {"same.py": HEAD + SPREAD + f"\n# {folder}\n"})
        losses.append(f"{tmp_path / folder / 'same.py'}:Spread")

    with pytest.raises(UsageError) as caught:
        prepare(Request(losses=tuple(losses), dataset="digits"), Catalogue.load())
    assert all(loss in str(caught.value) for loss in losses)


def test_a_file_edited_while_a_run_is_under_way_is_not_recorded_as_what_it_was(tmp_path):
    """A unit whose loss file was edited after the plan is lost, not scored: its record would bear the name of the old text."""
    file = tmp_path / "mine.py"
    file.write_text(HEAD + SPREAD)
    prepared = planned(f"{file}:Spread")
    study = prepared.studies[0]
    unit = study.tune_unit(0, 0, study.defaults)
    file.write_text(f"{HEAD}{SPREAD}\n# another thought\n")

    with pytest.raises(LostError, match="the unit was planned for"):
        execute(unit, Context(local=prepared.local))


def test_a_loss_in_a_file_may_bring_a_fingerprint(tmp_path):
    """Its class's `FINGERPRINT` is the entry's; one that is none, or names what the loss has not, is refused in one sentence."""
    text = """
from torch import nn
from siambench.plugin import Fingerprint, Margin

class Told(nn.Module):
    FINGERPRINT = {told}
    def __init__(self, margin=0.2):
        super().__init__()
        self.margin = margin
    def forward(self, embeddings, labels):
        return embeddings.sum() * self.margin
"""
    good = 'Fingerprint(forms_tuples=True, margins=(Margin("margin", "triplet"),))'
    for name, told in (("good", good), ("strange", "3"), ("wrong", good.replace('"margin"', '"mrgin"'))):
        (tmp_path / f"{name}.py").write_text(text.format(told=told))

    assert [one.parameter for one in component_in_file(f"{tmp_path}/good.py:Told").entry.fingerprint.margins] == ["margin"]
    with pytest.raises(PluginError, match="must be a Fingerprint, got int"):
        component_in_file(f"{tmp_path}/strange.py:Told")
    with pytest.raises(PluginError, match="names the parameter 'mrgin'"):
        component_in_file(f"{tmp_path}/wrong.py:Told")
