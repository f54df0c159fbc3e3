"""Files that several people read, and files of strangers. Free of heavy imports: leaderboards use it too."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from siambench.data.names import as_text
from siambench.errors import DataError, DataMissingError

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def share(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of a new file: a folder may be shared."""
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


def open_regular(path: Path, *, most: int | None = None) -> BinaryIO:
    """Open a file that somebody names to read it: never a pipe or a device, which may have no end.

    Args:
        path: of the file; a link to a file is followed.
        most: bytes that it may hold; None: as many as it likes.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no file, too large, or may not be read.
    """
    called = as_text(path)
    try:
        # A pipe that nobody writes to would hold up the opening itself.
        number = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0))
    except (FileNotFoundError, NotADirectoryError) as error:
        raise DataMissingError(f"no such file: {called}") from error
    except (OSError, ValueError) as error:
        raise DataError(f"{called} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    try:
        found = os.fstat(number)
        if not stat.S_ISREG(found.st_mode):
            raise DataError(f"{called} is {_KINDS.get(stat.S_IFMT(found.st_mode), 'something else')}, expected a file")  # noqa: TRY301
        if most is not None and found.st_size > most:
            raise DataError(f"{called} holds {found.st_size:,} bytes, more than the {most:,} that are read")  # noqa: TRY301
        return os.fdopen(number, "rb")
    except BaseException:
        os.close(number)
        raise


def read_regular(path: Path, *, most: int) -> bytes:
    """The content of a file that somebody names; see `open_regular`.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no file, too large, or cannot be read.
    """
    with open_regular(path, most=most) as file:
        try:
            return file.read()
        except OSError as error:
            raise DataError(f"{as_text(path)} cannot be read: {error.strerror or error}") from error
