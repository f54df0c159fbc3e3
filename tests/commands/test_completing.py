"""What a shell offers at the tabulator: names of what is installed, rows, keys, paths; quickly, without torch, and never an error."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import FishComplete, ShellComplete, ZshComplete, get_completion_class, split_arg_string
from shared import plugin_folder

from siambench.cli import COMMANDS, COMPLETE, cli
from siambench.commands import completing

BREAKS = " \t\n\"'@><=;|&(:"
"""What parts words in bash, unless somebody has changed it."""


def offered(line):
    """What is offered where the cursor stands at the end of a line, in any shell."""
    words = split_arg_string(line)
    last = words.pop() if not line.endswith(" ") else ""
    return [item.value for item in ShellComplete(completing.Offering(cli), {}, "siambench", COMPLETE).get_completions(words[1:], last)]


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    """Somewhere of its own, with what logs nothing left as it was."""
    import logging

    monkeypatch.chdir(tmp_path)
    yield
    logging.disable(logging.NOTSET)


@pytest.mark.parametrize(
    ("line", "there", "missing"),
    [
        ("siambench r", ["reproduce", "run"], ["show"]),
        ("siambench run --loss tri", ["triplet"], ["npair"]),
        ("siambench run --loss 'sum(contrastive,0.1*np", ["sum(contrastive,0.1*npair"], ["npair"]),
        ("siambench run --miner semi", ["semihard", "semihard-nearest"], ["hard"]),
        ("siambench run --backbone conv", ["conv4", "convnext_tiny"], ["mlp"]),
        ("siambench run --backbone 'resnet18|gru", ["resnet18|gru", "resnet18|gru-text"], ["gru"]),
        ("siambench run --dataset ", ["glyphs", "digits", "folder:", "csv:"], ["folder"]),
        ("siambench run --track gl", ["glyphs", "glyphs-long"], ["views"]),
        ("siambench run --feed ", ["classes", "views", "pairs="], ["views="]),
        ("siambench run --engine ", ["dask", "local"], []),
        ("siambench run --observe j", ["jsonl"], []),
        ("siambench run --set training.epo", ["training.epochs="], []),
        (
            "siambench run --loss triplet --miner hard --set ",
            ["loss.margin=", "loss.swap=", "miner.warmup=", "optimiser.lr="],
            ["loss.gamma="],
        ),
        ("siambench run --loss triplet --space ", ["reality-check", "loss.margin="], ["training.epochs="]),
        ("siambench run gly", ["glyphs", "glyphs-long"], ["views"]),
        ("siambench leaderboard glyphs si", ["signatures", "signatures-paper"], ["glyphs"]),
        ("siambench leaderboard --format ", ["csv", "json", "md", "table"], []),
        ("siambench list l", ["losses"], ["study"]),
        ("siambench show stu", ["study"], []),
        ("siambench show loss tri", ["triplet"], ["triplet-margin"]),
        ("siambench show miner tri", ["triplet-margin"], ["triplet"]),
        ("siambench show study gly", ["glyphs"], []),
        ("siambench show study glyphs triplet", ["triplet", "triplet+hard", "triplet+semihard"], ["raw"]),
        ("siambench reproduce glyphs supc", ["supcon"], []),
        ("siambench diagnose glyphs an", ["angular"], []),
        ("siambench evaluate x.npz --metrics recall@1,ma", ["recall@1,map", "recall@1,map@r"], ["map@r"]),
        ("siambench evaluate x.npz --metrics kn", ["knn@"], ["knn@k"]),
        ("siambench new-plugin tidy --kind ", ["dataset", "loss", "split-rule"], ["losses"]),
        ("siambench check tri", ["triplet"], []),
        ("siambench check miner ha", ["hard"], []),
        ("siambench schema tra", ["track"], []),
        ("siambench model glyphs supc", ["supcon"], []),
        ("siambench embed mine.safetensors fold", ["folder:"], []),
        ("siambench plot scores glyphs --rows supcon,ntx", ["supcon,ntxent"], ["ntxent"]),
        ("siambench plot s", ["scores", "seconds", "separation"], ["cost"]),
        ("siambench plot scores gly", ["glyphs"], []),
        ("siambench plot scores glyphs --rows tri", ["triplet", "triplet+hard"], ["raw"]),
    ],
)
def test_names_are_offered(line, there, missing):
    """Names that begin with the letters that are there are offered, and none of another kind."""
    found = offered(line)
    assert set(there) <= set(found)
    assert not set(missing) & set(found)
    assert found == list(dict.fromkeys(found))


def test_a_loss_in_a_file_is_offered_without_running_the_file(tmp_path):
    """Classes with a forward are offered behind the colon of a file, which is not run; before it the shell completes the path."""
    (tmp_path / "mine.py").write_text("raise SystemExit('run')\nclass Helper: ...\nclass MyLoss:\n    def forward(self, e, l): ...\n")
    assert ["./mine.py:MyLoss"] == offered("siambench run --loss ./mine.py:")
    (item,) = ShellComplete(completing.Offering(cli), {}, "siambench", COMPLETE).get_completions(["run", "--loss"], "./mi")
    assert "file" == item.type


def test_paths_are_offered_behind_the_name_of_a_data_set(tmp_path):
    """Behind `folder:` folders alone, behind `csv:` files too; hidden ones not."""
    for name in ("faces/s1", ".hidden"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "faces.csv").write_text("path,label\n")

    assert ["folder:faces/"] == offered("siambench run --dataset folder:")
    assert ["csv:faces/", "csv:faces.csv"] == offered("siambench run --dataset csv:fa")
    assert ["folder:faces/s1/"] == offered("siambench run --dataset folder:faces/")
    assert ["triplets=faces.csv"] == [one for one in offered("siambench run --feed triplets=f") if one.endswith(".csv")]


def test_rows_and_tracks_of_an_output_folder_are_offered(tmp_path):
    """With `--from` the rows of that folder are offered beside the shipped ones, by a look at its records, and its own track."""
    source = Path(__file__).parents[2] / "leaderboards" / "glyphs" / "records"
    folder = tmp_path / "out" / "mine-0123abcd"
    (folder / "records").mkdir(parents=True)
    (folder / "track.json").write_text(json.dumps({"name": "mine"}))
    record = next(path for path in sorted(source.glob("*.json")) if '"loss":"npair"' in path.read_text())
    shutil.copy(record, folder / "records")
    (folder / "records" / "broken.json").write_text("{")

    assert "mine" in offered("siambench leaderboard --from out mi")
    assert ["npair"] == offered("siambench show study --from out mine np")


def test_a_plugins_components_are_offered(tmp_path, monkeypatch):
    """What a plugin brings is offered as what ships is."""
    site = plugin_folder(tmp_path, "stranger", "", 'return {"strange": LossEntry(lambda: 3, source="made for a test")}')
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), str(Path(completing.__file__).parents[2])])}
    environment |= {"SIAMBENCH_PLUGINS": "stranger", COMPLETE: "zsh_complete", "COMP_WORDS": "siambench run --loss str", "COMP_CWORD": "3"}
    done = subprocess.run([sys.executable, "-m", "siambench"], env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert (0, "") == (done.returncode, done.stderr)
    assert ["plain", "strange", "made for a test"] == done.stdout.splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "siambench run --loss ./missing.py:",
        "siambench run --loss 'sum(",
        "siambench show nothing ",
        "siambench show study nothing ",
        "siambench show study ./none/there ",
        "siambench leaderboard --from /nonexistent ",
        "siambench run --dataset folder:/nonexistent/",
        "siambench run --set nothing.at.all=",
        "siambench check nothing ",
        "siambench diagnose ",
    ],
)
def test_what_cannot_be_completed_is_silent(line, capfd):
    """Missing files, unknown kinds and tracks: nothing is raised and nothing printed."""
    offered(line)
    assert ("", "") == capfd.readouterr()


def test_an_unknown_command_offers_nothing(capfd):
    """A command that there is not, and a shell's nonsense, give nothing and no traceback, in a shell's own way of asking."""
    environment = {"COMP_LINE": "siambench rum --loss tri", "COMP_POINT": "24", "COMP_BREAKS": BREAKS}
    assert "" == asked("bash", environment)


def asked(shell, environment):
    """What the command prints where a shell asks it."""
    done = subprocess.run(
        [sys.executable, "-m", "siambench"],
        env={**os.environ, **environment, COMPLETE: f"{shell}_complete", "PYTHONPATH": str(Path(completing.__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert "" == done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("siambench run --loss tri", "triplet"),
        ("siambench run --dataset fold", "folder:"),
        ("siambench run --dataset folder:fa", "faces/"),
        ("siambench run --loss triplet --set loss.mar", "loss.margin="),
        ("siambench evaluate x.npz --metrics recall@1,ma", "1,map@r"),
        ("siambench run --loss 'sum(contrastive,tri", "sum(contrastive,triplet"),
        ("siambench run --loss=tri", "triplet"),
    ],
)
def test_bash_is_told_the_last_of_its_own_words(line, value, tmp_path, monkeypatch):
    """Bash parts words at `:`, `=` and `@` unless they are quoted, and replaces the last: so much is printed."""
    (tmp_path / "faces").mkdir()
    for name, text in {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_BREAKS": BREAKS}.items():
        monkeypatch.setenv(name, text)
    bash = completing.Bash(completing.Offering(cli), {}, "siambench", COMPLETE)
    assert f"plain,{value}" in bash.complete().splitlines()


def test_bash_itself_completes(tmp_path):
    """The function that is printed for bash, run by bash, fills COMPREPLY; where an equals sign ends the word no space follows."""
    if shutil.which("bash") is None:
        pytest.skip("there is no bash")
    command = tmp_path / "siambench"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m siambench "$@"\n')
    command.chmod(0o755)
    script = """
        eval "$(_SIAMBENCH_COMPLETE=bash_source siambench)"
        compopt() { echo "compopt ${1} ${2}"; }
        COMP_LINE="siambench run --loss triplet --set loss.mar"; COMP_POINT=${#COMP_LINE}
        COMP_WORDS=(siambench run --loss triplet --set loss.mar); COMP_CWORD=5
        _siambench_completion siambench
        printf '%s\\n' "${COMPREPLY[@]}"
        complete -p siambench
    """
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": str(Path(completing.__file__).parents[2])}
    done = subprocess.run(["bash", "--norc", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert ["compopt -o nospace", "loss.margin="] == done.stdout.splitlines()[:2], done.stderr
    assert "_siambench_completion siambench" in done.stdout


@pytest.mark.parametrize(("shell", "kind"), [("zsh", ZshComplete), ("fish", FishComplete)])
def test_other_shells_are_answered_by_clicks_own_classes(shell, kind, monkeypatch):
    """Zsh and fish are told names with where they are from, and print the function that asks."""
    monkeypatch.setenv("COMP_WORDS", "siambench run --loss supc")
    monkeypatch.setenv("COMP_CWORD", "3" if shell == "zsh" else "supc")
    found = get_completion_class(shell)(completing.Offering(cli), {}, "siambench", COMPLETE)
    assert isinstance(found, kind)
    assert "supcon" in found.complete()
    assert "Khosla" in found.complete()
    assert COMPLETE in found.source()


@pytest.mark.parametrize("line", ["siambench run --loss tri", "siambench show study glyphs tri", "siambench run --set loss."])
def test_torch_is_not_imported(line, tmp_path):
    """Neither torch nor Optuna nor numpy's friends are imported for an answer."""
    code = (
        "import sys\nfrom siambench.cli import main\ntry:\n    main([])\nexcept SystemExit:\n    pass\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'torch', 'torchvision', 'optuna', 'pandas', 'scipy', 'sklearn'}))"
    )
    environment = {**os.environ, COMPLETE: "bash_complete", "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_BREAKS": BREAKS}
    environment["PYTHONPATH"] = str(Path(completing.__file__).parents[2])
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=300)

    assert "[]" == done.stdout.splitlines()[-1], done.stdout
    assert len(done.stdout.splitlines()) > 1


def test_every_parameter_that_names_something_is_completed():
    """Each completer is of a parameter that some command has, and each parameter of a known name has one."""
    context = click.Context(cli)
    offering = completing.Offering(cli)
    names = {(name, parameter.name) for name in COMMANDS for parameter in offering.get_command(context, name).params}
    assert set(completing.BY_NAME) <= {parameter for _, parameter in names}
    assert set(completing.BY_COMMAND) <= names
    assert completing.VARIABLE == COMPLETE
