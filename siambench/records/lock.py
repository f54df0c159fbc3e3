"""Who holds a lock, found out without taking it."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

import filelock

_LOCKS = Path("/proc/locks")


@dataclass(frozen=True)
class Owner:
    """A process that holds a lock.

    Args:
        process: its number; None where the system does not tell.
        command: what it was started with; None where the system does not tell.
    """

    process: int | None
    command: str | None


def owner_of(lock: Path) -> Owner | None:
    """The process of this machine that holds a file lock; None where there is none.

    Linux lists all locks, so that nothing has to be touched. Elsewhere the lock is tried, and let go at once if it was free.
    """
    try:
        status = lock.stat()
    except OSError:
        return None
    try:
        lines = _LOCKS.read_text(encoding="utf-8").splitlines()
    except OSError:
        return _tried(lock)
    for line in lines:
        # 1: FLOCK  ADVISORY  WRITE 6615 fe:00:2163903 0 EOF; one that waits has an arrow behind its number.
        fields = line.split()
        if len(fields) < 6 or fields[1] != "FLOCK":
            continue
        process, (*device, inode) = int(fields[4]), fields[5].split(":")
        if int(inode) == status.st_ino and (_same_device(device, status.st_dev) or _has_open(process, status)):
            return Owner(process, _command(process))
    return None


def _same_device(device: list[str], number: int) -> bool:
    major, minor = (int(part, 16) for part in device)
    return (major, minor) == (os.major(number), os.minor(number))


def _has_open(process: int, status: os.stat_result) -> bool:
    """Whether a process has the file open: layered file systems list a lock under another device than the file's."""
    found = False
    with contextlib.suppress(OSError):
        for path in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                found = found or os.path.samestat(path.stat(), status)
    return found


def _command(process: int) -> str | None:
    with contextlib.suppress(OSError):
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return " ".join(words).strip() or None
    return None


def _tried(lock: Path) -> Owner | None:
    try:
        with filelock.FileLock(lock).acquire(timeout=0):
            return None
    except filelock.Timeout:
        return Owner(None, None)
    except OSError:
        return None
