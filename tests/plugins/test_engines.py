"""An engine of a plugin, chosen by name: units run where it says, and what its workers cannot write is kept all the same."""

from __future__ import annotations

import json

import pytest
from plugin_packages import install, pyproject, write

FILES = {
    "pyproject.toml": pyproject("exam-engines", "0.3", {"engines": "exam_engines"}),
    "src/exam_engines.py": """
from siambench.plugin import EngineEntry, hookimpl


class Here:
    def __init__(self, function, address):
        self.function, self.address, self.waiting = function, address, []

    def submit(self, key, unit, context):
        self.waiting.append((key, unit, context))

    def wait(self, seconds):
        import dataclasses

        from siambench.interfaces import Finished

        found, self.waiting = self.waiting, []
        away = {"records": "/no/such/records", "openings": "/no/such/log"} if self.address == "far" else {}
        return [Finished(key, self.function(unit, dataclasses.replace(context, **away)), None) for key, unit, context in found]

    def cancel(self):
        dropped, self.waiting = [key for key, *_ in self.waiting], []
        return dropped

    def close(self, *, now):
        pass

    def describe(self):
        return "here"


def here(function, address="near"):
    return Here(function, address)


def breaks(function):
    raise RuntimeError("no such luck")


@hookimpl
def siambench_engines():
    return {
        "here": EngineEntry(here, source="ours"),
        "breaks": EngineEntry(breaks, source="ours"),
        "nothing": EngineEntry(lambda: 3, source="ours"),
    }
""",
}
BUDGET = ("--trials", "1", "--seeds", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2")
RUN = ("run", "--loss", "contrastive", "--dataset", "digits", *BUDGET, "--json")


@pytest.fixture(scope="session")
def engines(tmp_path_factory):
    """A plugin package that brings engines, installed from its wheel."""
    folder = tmp_path_factory.mktemp("engines")
    return install(write(folder / "source", FILES), folder / "site")


def left_by(folder):
    found = {path.name: json.loads(path.read_text())["result"] for path in sorted(folder.rglob("records/*.json"))}
    (log,) = folder.rglob("test-openings.jsonl")
    return found, sorted(json.loads(line)["unit"] for line in log.read_text().split())


@pytest.mark.slow
def test_a_plugins_engine_runs_the_units(command_line, engines):
    """`--engine here` leaves the records and the log of the local engine, whether its workers share the folder or not."""
    expected = command_line(*RUN, "--out", "local", "--jobs", "1", plugins=(engines,))
    near = command_line(*RUN, "--out", "near", "--engine", "here", plugins=(engines,))
    far = command_line(*RUN, "--out", "far", "--engine", "here", "--address", "far", plugins=(engines,))

    assert [expected.returncode, near.returncode, far.returncode] == [0, 0, 0], near.stderr + far.stderr
    assert len(left_by(command_line.folder / "local")[0]) == 5
    assert left_by(command_line.folder / "local") == left_by(command_line.folder / "near") == left_by(command_line.folder / "far")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--engine", "her"), "unknown engine 'her', did you mean 'here'?"),
        (
            ("--address", "tcp://a:1"),
            "the engine 'local' does not take --address; of the options for engines it takes: --jobs, --time-limit",
        ),
        (("--engine", "here", "--memory-limit", "900"), "does not take --memory-limit; of the options for engines it takes: --address"),
        (("--engine", "breaks"), "the engine 'breaks' of exam-engines 0.3 cannot be started: RuntimeError: no such luck"),
        (("--engine", "nothing"), "the engine 'nothing' of exam-engines 0.3 must give a siambench.interfaces.Engine, got int"),
        (("--engine", "dask", "--address", "here"), "is tcp://host:port of a scheduler, or local, got 'here'"),
    ],
)
def test_what_cannot_be_had_exits_4_with_a_sentence(command_line, engines, arguments, sentence):
    """An unknown engine, an option that it does not take, and an engine that does not start: exit 4, before anything has run."""
    result = command_line(*RUN, "--out", "refused", *arguments, plugins=(engines,))

    assert (result.returncode, result.stdout) == (4, "")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
