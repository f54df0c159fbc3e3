"""What all tests share: no third-party plugins, a cache of their own, one thread, a tiny track, and the command line."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

# A unit computes with one thread, and so do tests, and processes that they start: on tensors of a test's size several threads mostly wait
# for each other, twelvefold where two workers share two cores. The libraries read this when they are first imported, so it comes before
# all else. Benchmarks, which run where their folder is named, say themselves how many they use.
if not any("benchmarks" in word for word in sys.argv):
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))

from shared import TINY_TRACK, exam_folder, records_of, told_of_torch

from siambench.machine import remember_surroundings


def pytest_xdist_auto_num_workers(config):
    """How many workers ``-n auto`` starts: one more than cores, for tests wait too; at most four, for they start processes themselves."""
    return min(4, (os.cpu_count() or 1) + 1)


@pytest.fixture(autouse=True, scope="session")
def _own_surroundings(tmp_path_factory):
    before = dict(os.environ)
    cache = tmp_path_factory.mktemp("cache")
    os.environ["SIAMBENCH_CACHE"] = str(cache)
    told_of_torch(cache)
    os.environ.setdefault("SIAMBENCH_PLUGINS", "")
    os.environ["COLUMNS"] = "200"
    # What is imported to collect tests may have asked for plugins, and kept what the surroundings were then: workers are given these.
    remember_surroundings()
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def tiny_track(tmp_path):
    """The folder of a track that a method sits in a second."""
    folder = tmp_path / "tracks" / "tiny"
    folder.mkdir(parents=True)
    (folder / "track.toml").write_text(TINY_TRACK)
    return folder


def in_process(*arguments, cwd, env=None):
    """Run the command line in this process, as a subprocess would: what it printed, and its exit code."""
    from siambench import cli

    before, folder = dict(os.environ), Path.cwd()
    out, err = io.StringIO(), io.StringIO()
    os.environ.update(env or {})
    os.chdir(cwd)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as end:
            cli.main([str(argument) for argument in arguments])
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)
    code = end.value.code or 0
    return subprocess.CompletedProcess(["siambench", *map(str, arguments)], code, out.getvalue(), err.getvalue())


@pytest.fixture
def siambench(tmp_path):
    """Run the command line in this process, in an empty folder: a tenth of the time that a process of its own takes.

    Where the path of modules is another (``PYTHONPATH``), or standard input is given, it runs in a process of its own after all.
    """

    def call(*arguments, cwd=None, env=None, **options):
        if options or "PYTHONPATH" in (env or {}):
            return _process(tmp_path, arguments, cwd, env, options)
        return in_process(*arguments, cwd=cwd or tmp_path, env=env)

    return call


@pytest.fixture
def siambench_process(tmp_path):
    """Run the command line in a process of its own, as users do."""

    def call(*arguments, cwd=None, env=None, **options):
        return _process(tmp_path, arguments, cwd, env, options)

    return call


def _process(folder, arguments, cwd, env, options):
    return subprocess.run(
        [sys.executable, "-m", "siambench", *map(str, arguments)],
        cwd=cwd or folder,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        **options,
    )


class Undisturbed:
    """One run of the tiny track that nothing disturbed: the track's file, its output folder, and the records by id."""

    def __init__(self, folder: Path) -> None:
        self.track = folder / "track.toml"
        self.track.write_text(TINY_TRACK)
        self.out = folder / "out"
        done = in_process(
            "run", "--track", self.track, "--loss", "triplet", "--miner", "hard", "--out", self.out, "--jobs", 1, "--json", cwd=folder
        )
        assert done.returncode == 0, done.stderr
        self.stdout = done.stdout
        self.folder = exam_folder(self.out)

    @property
    def outcomes(self) -> dict[str, object]:
        """The outcome of every record, by id."""
        return records_of(self.folder / "records")


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """One undisturbed run for the whole session; nobody may change what it left."""
    return Undisturbed(tmp_path_factory.mktemp("undisturbed"))
