"""Who holds a lock is found out without taking it."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import filelock
import pytest

from siambench.records import lock
from siambench.records.lock import Owner, owner_of

HOLD = "import filelock, sys; lock = filelock.FileLock(sys.argv[1]).acquire(); print('held', flush=True); sys.stdin.read()"


@contextlib.contextmanager
def held_elsewhere(path):
    """Another process that holds the lock."""
    other = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert "held\n" == other.stdout.readline()
    try:
        yield other
    finally:
        other.communicate("")


@pytest.mark.skipif(not lock._LOCKS.exists(), reason="asks a system that lists its locks")
def test_the_holder_is_told_with_its_command(tmp_path):
    """Where the system lists locks, the holder's process and command are told; a free lock has none, and is not touched."""
    path = tmp_path / ".lock"
    assert owner_of(path) is None
    with held_elsewhere(path) as other:
        found = owner_of(path)
        assert found is not None
        assert other.pid == found.process
        assert found.command.endswith(str(path))
    assert owner_of(path) is None
    with filelock.FileLock(path).acquire(timeout=0):
        pass


def test_the_lock_is_told_where_the_system_lists_none(tmp_path, monkeypatch):
    """Without a list of locks it is tried: a held one is held by somebody, a free one is free and stays so."""
    path = tmp_path / ".lock"
    monkeypatch.setattr(lock, "_LOCKS", tmp_path / "none")
    assert owner_of(path) is None
    with held_elsewhere(path):
        assert Owner(None, None) == owner_of(path)
    assert owner_of(path) is None
    with filelock.FileLock(path).acquire(timeout=0):
        pass
