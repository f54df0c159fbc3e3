"""What people see of commands that take longer than two seconds: a line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import click
import numpy as np
import pytest

from siambench.commands import waiting
from siambench.commands.waiting import Steps, Waiting


class Terminal(io.StringIO):
    """Standard error as it would be on a terminal."""

    def isatty(self):
        """It is one."""
        return True


@pytest.fixture
def on_terminal(monkeypatch):
    """Put a terminal in the place of stderr, on which the line appears at once; to be called in the test, whose streams pytest sets."""

    def put():
        stream = Terminal()
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setattr(waiting, "AFTER", 0.0)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "80")
        return stream

    return put


def until(condition, seconds=20.0):
    """Wait for what another thread does."""
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.01)
    return condition()


def test_the_line_appears_and_goes(on_terminal):
    """After a while the line says what is done and how far it is; when that is over it is wiped, and stderr is what it was."""
    terminal = on_terminal()
    with Waiting("scoring mine.npz", total=4) as one:
        assert until(lambda: "scoring mine.npz: 0 of 4" in terminal.getvalue())
        one.step()
        one.step()
        assert until(lambda: "scoring mine.npz: 2 of 4" in terminal.getvalue())
        click.echo("a sentence", err=True)
    assert "a sentence\n" in terminal.getvalue()
    assert "\x1b[2K" in terminal.getvalue().rpartition("2 of 4")[2]
    assert sys.stderr is terminal


def test_what_goes_to_stdout_stays_there(on_terminal, capsys):
    """While the line is there a document goes to stdout, and none of it to the line."""
    terminal = on_terminal()
    with Waiting("scoring"):
        assert until(lambda: "scoring" in terminal.getvalue())
        click.echo("{}")
    assert "{}\n" == capsys.readouterr().out
    assert "{}" not in terminal.getvalue()


def test_what_ends_soon_shows_nothing(on_terminal, monkeypatch):
    """Within the first two seconds nothing is drawn, and no thread is left that would draw it later."""
    terminal = on_terminal()
    monkeypatch.setattr(waiting, "AFTER", 30.0)
    with Waiting("scoring") as one:
        pass
    assert "" == terminal.getvalue()
    one._timer.join(5)  # it must not stand and wait
    assert not one._timer.is_alive()


def test_without_a_terminal_or_for_a_document_nothing_is_shown(on_terminal, monkeypatch):
    """A pipe, a closed stream, no stream at all and `--json` see nothing, whatever is waited for."""
    terminal = on_terminal()
    closed = io.StringIO()
    closed.close()
    for stream, silent in ((io.StringIO(), False), (terminal, True), (closed, False), (None, False)):
        monkeypatch.setattr(sys, "stderr", stream)
        with Waiting("scoring", silent=silent) as one, Steps("examining", silent=silent) as steps:
            assert one._timer is None
            steps.step("losses:triplet", 1, 2)
        assert stream in (None, closed) or "" == stream.getvalue()


def test_a_pipe_sees_one_line_of_those_that_say_so(monkeypatch):
    """Where stderr is no terminal `elsewhere` writes one line after a while; none where it ends sooner, is silent, or lost its stream."""
    pipe = io.StringIO()
    monkeypatch.setattr(sys, "stderr", pipe)
    monkeypatch.setattr(waiting, "AFTER_ELSEWHERE", 0.0)
    with Waiting("embedding \x1b[31m.npz", elsewhere=True):
        assert until(pipe.getvalue)
        time.sleep(0.1)
    assert re.fullmatch(r"embedding \\x1b\[31m\.npz, \S+ s so far\n", pipe.getvalue())
    with Waiting("embedding", elsewhere=True, silent=True) as silent:
        assert silent._timer is None
    monkeypatch.setattr(sys, "stderr", None)
    with Waiting("embedding", elsewhere=True) as lost:
        lost._timer.join(5)
    monkeypatch.setattr(sys, "stderr", pipe)
    monkeypatch.setattr(waiting, "AFTER_ELSEWHERE", 30.0)
    with Waiting("embedding", elsewhere=True) as soon:
        pass
    soon._timer.join(5)
    assert not soon._timer.is_alive()
    assert 1 == pipe.getvalue().count("\n")


@pytest.mark.parametrize("command", [["embed", "MODEL", "folder:F", "--out", "e.npz"], ["compare", "MODEL", "a.png", "b.png"]])
def test_imports_of_models_are_waited_for(command, tmp_path):
    """While `embed` and `compare` import torch they are waited for already; and neither imports scipy, pandas, scikit-learn or Optuna."""
    code = (
        "import sys; from siambench.commands import waiting; waiting.AFTER_ELSEWHERE = 0.0\n"
        "from siambench import cli\n"
        "class Seen:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'torch': print('torch', flush=True, file=sys.stderr); sys.meta_path.remove(self); __import__('time').sleep(1)\n"
        "sys.meta_path.insert(0, Seen())\n"
        "try:\n    cli.main(sys.argv[1:])\n"
        "except SystemExit as end:\n"
        "    print(end.code, [name for name in ('scipy', 'pandas', 'sklearn', 'optuna') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *command], cwd=tmp_path, capture_output=True, text=True, check=True)
    lines = done.stderr.splitlines()
    assert any(re.fullmatch(r"(embedding|comparing) \S+, \S+ s so far", line) for line in lines), lines
    assert "no such file: MODEL" in lines[-1]
    assert "4 []" == done.stdout.strip()


def test_an_error_wipes_the_line_too(on_terminal):
    """What is raised comes through, behind a line that is gone."""
    terminal = on_terminal()
    with pytest.raises(ValueError, match="no"), Waiting("scoring"):  # noqa: PT012  it is raised while the line is there
        assert until(lambda: "scoring" in terminal.getvalue())
        raise ValueError("no")
    assert sys.stderr is terminal


def test_how_long_it_takes_is_told(monkeypatch):
    """Seconds so far, and from the second step on what is left at that pace; without a number of steps the seconds alone."""
    now = [100.0]
    monkeypatch.setattr(waiting.time, "monotonic", lambda: now[0])
    with Waiting("scoring") as plain, Waiting("again", total=5) as one:
        now[0] = 130.0
        assert "scoring, 30 s" == plain.line()
        one.step()
        assert "again: 1 of 5, 30 s" == one.line()
        one.step()
        assert "again: 2 of 5, 30 s, about 45 s left" == one.line()
        for _ in range(3):
            one.step()
        assert "again: 5 of 5, 30 s" == one.line()


def test_names_cannot_draw(on_terminal):
    """Control codes in a name are shown as they are written, in either line."""
    terminal = on_terminal()
    with Waiting("scoring \x1b[31m.npz"):
        assert until(lambda: r"scoring \x1b[31m.npz" in terminal.getvalue())
    with Steps("examining") as steps:
        steps.step("losses:\x1b[31m", 1, 2)
    assert r"examining losses:\x1b[31m: 1 of 2" in terminal.getvalue()
    assert "\x1b[31m" not in terminal.getvalue()


def test_steps_are_drawn_by_no_thread(on_terminal):
    """Each step wipes the one before, cut to the terminal's width, and the end wipes the last."""
    terminal = on_terminal()
    with Steps("examining") as steps:
        steps.step("losses:triplet", 1, 2)
        steps.step("losses:" + "x" * 200, 2, 2)
    one, two, last = terminal.getvalue().split("\r\x1b[2K")[1:]
    assert ("examining losses:triplet: 1 of 2", 79, "") == (one, len(two), last)


def test_a_command_on_a_terminal(tmp_path):
    """`siambench evaluate` in a process of its own: on a terminal the line comes and goes, with `--json` stderr stays empty."""
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "mine.npz", embeddings=generator.normal(size=(40, 4)), labels=np.arange(40) % 8)
    code = (
        "import sys, time; from siambench.commands import waiting; waiting.AFTER = 0.0\n"
        "import siambench.evaluation.arrays as arrays; real = arrays.evaluate_arrays\n"
        "def slow(*given, **named):\n    time.sleep(1); return real(*given, **named)\n"
        "arrays.evaluate_arrays = slow\n"
        "from siambench.cli import main; main(sys.argv[1:])\n"
    )
    for more, shown in ([], True), (["--json"], False):
        ours, theirs = pty.openpty()
        command = [sys.executable, "-c", code, "evaluate", "mine.npz", "--metrics", "recall@1", *more]
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=theirs)
        os.close(theirs)
        stdout, _ = process.communicate(timeout=120)
        said = b""
        while select.select([ours], [], [], 0.2)[0]:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            said += part
        os.close(ours)
        assert 0 == process.returncode, said
        assert shown == bool(re.search(rb"scoring mine\.npz, \d", said)), said
        assert b"recall@1" in stdout
        if more:
            assert "recall@1" in json.loads(stdout)["scores"]
