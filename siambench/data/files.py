"""Files that several people read, and files of other people. Free of heavy imports: leaderboards use it too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

LARGEST = 64 << 20
"""Bytes that a file of somebody else's may have at most where siambench reads it whole."""


def share(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of a new file: a folder may be shared."""
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


def read_regular(path: Path, *, largest: int = LARGEST) -> bytes:
    """The content of a plain file: whatever else bears its name (a folder, a pipe, a device) is neither waited for nor read.

    Raises:
        OSError: if it cannot be read, is no plain file, or is larger than that many bytes.
    """
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise OSError(0, "it is no plain file", str(path))
        if status.st_size > largest:
            raise OSError(0, f"it is larger than {largest >> 20} MB", str(path))
        return file.read(largest + 1)
