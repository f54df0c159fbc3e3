"""An engine of a plugin, chosen by name: units run where it says, and what its workers cannot write is kept all the same."""

from __future__ import annotations

import pytest
from plugin_packages import install, pyproject, write
from shared import records_of

from siambench.records.openings import read_openings

FILES = {
    "pyproject.toml": pyproject("exam-engines", "0.3", {"engines": "exam_engines"}),
    "src/exam_engines.py": """
from siambench.plugin import EngineEntry, hookimpl


class Here:
    def __init__(self, function, address, loses, speed):
        self.function, self.address, self.loses, self.speed, self.waiting = function, address, loses, speed, []

    def submit(self, key, unit, context):
        self.waiting.append((key, unit, context))

    def wait(self, seconds):
        import dataclasses

        from siambench.interfaces import Finished, Lost

        found, self.waiting = self.waiting, []
        if self.loses:
            return [Lost(key, "it was thrown away") for key, *_ in found]
        away = {"records": "/no/such/records", "openings": "/no/such/log"} if self.address == "far" else {}
        return [Finished(key, self.function(unit, dataclasses.replace(context, **away))) for key, unit, context in found]

    def cancel(self):
        dropped, self.waiting = [key for key, *_ in self.waiting], []
        return dropped

    def close(self, *, now):
        pass

    def describe(self):
        return f"here, at speed {self.speed!r}"


def here(function, address="near", loses=False, speed=1.5):
    return Here(function, address, loses, speed)


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
BUDGET = ("--trials", "1", "--repetitions", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2")
RUN = ("run", "--loss", "contrastive", "--dataset", "digits", *BUDGET, "--json")


@pytest.fixture(scope="session")
def engines(tmp_path_factory):
    """A plugin package that brings engines, installed from its wheel."""
    folder = tmp_path_factory.mktemp("engines")
    return install(write(folder / "source", FILES), folder / "site")


def left_by(folder):
    (records,) = folder.rglob("records")
    openings = read_openings(records.parent / "test-openings.jsonl")
    return records_of(records), sorted(line["unit"] for line in openings)


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
        (("--engine", "here", "--engine-option", "speed"), "--engine-option takes KEY=VALUE, got 'speed'"),
        (
            ("--engine", "here", "--engine-option", "sped=3"),
            "the engine 'here' has no option 'sped', did you mean 'speed'?; options of its own: loses, speed",
        ),
        (("--engine", "here", "--engine-option", "speed=fast"), "--engine-option speed of 'here' is a number, got 'fast'"),
        (("--engine", "here", "--engine-option", "speed=nan"), "--engine-option speed of 'here' must be finite, got 'nan'"),
        (("--engine", "here", "--engine-option", "loses=3"), "--engine-option loses of 'here' is true or false, got '3'"),
        (("--engine", "here", "--engine-option", "address=far"), "the engine 'here' has no option 'address'"),
        (("--engine", "dask", "--address", "here"), "is tcp://host:port of a scheduler, or local, got 'here'"),
    ],
)
def test_what_cannot_be_had_exits_4_with_a_sentence(command_line, engines, arguments, sentence):
    """An unknown engine, an option that it does not take, and an engine that does not start: exit 4, before anything has run."""
    result = command_line(*RUN, "--out", "refused", *arguments, plugins=(engines,))

    assert (result.returncode, result.stdout) == (4, "")
    # What the data set holds is said before an engine is started.
    said = [line for line in result.stderr.splitlines() if not line.startswith("data ")]
    assert len(said) == 1
    assert sentence in said[0]


def test_an_engine_is_given_its_own_options(command_line, engines):
    """`--engine-option` reaches the factory as a value of its default's type; units that the engine loses are lost, and the run exits 1."""
    options = ("--engine", "here", "--engine-option", "speed=3", "--engine-option", "loses=true")
    result = command_line(*RUN, "--out", "options", *options, plugins=(engines,))

    assert result.returncode == 1, result.stderr
    assert "0 done · 0 cached · 0 failed · " in result.stderr
    assert "it was thrown away" in result.stderr
    assert "engine: here, at speed 3.0" in (command_line.folder / "options" / "siambench.log").read_text()
