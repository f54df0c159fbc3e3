"""Files that several people read, and files of strangers. Free of heavy imports: leaderboards use it too."""

from __future__ import annotations

import itertools
import os
import stat
import tempfile
from pathlib import Path
from typing import BinaryIO

from siambench.data.names import as_text
from siambench.errors import DataError, DataMissingError, nearest

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}
_MOST_LOOKED_AT = 2_000
"""Names of a folder that are compared with a missing one: more would take longer than a reader of the sentence."""


def share(temporary: Path) -> None:
    """Give a temporary file, which only its owner may read, the permissions of a new file: a folder may be shared."""
    mask = os.umask(0)
    os.umask(mask)
    temporary.chmod(0o666 & ~mask)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that whoever reads it meanwhile finds the old one or the new one, and a killed writer leaves no half.

    It has the permissions of the file in whose place it comes, else those of a new file.

    Args:
        path: of the file, in a folder that is there.
        content: all of it.

    Raises:
        OSError: if it cannot be written.
    """
    # A name of its own: one that could be guessed may be a link to somebody's file.
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        share(temporary)
        if path.exists():
            temporary.chmod(path.stat().st_mode & 0o777)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def meant_by(path: Path) -> str:
    """``", did you mean 'people'?"``: the nearest path that there is in the place of one that is missing; nothing where none is near.

    Args:
        path: that is missing; of its parts the first that is not there is looked for among what lies beside it.
    """
    parts = path.parts
    try:
        for number in range(len(parts)):
            whole = Path(*parts[: number + 1])
            if whole.exists():
                continue
            with os.scandir(whole.parent) as found:
                beside = [one.name for one in itertools.islice(found, _MOST_LOOKED_AT) if not one.name.startswith(".")]
            near = nearest(whole.name, sorted(beside))
            guess = None if near is None else whole.parent.joinpath(near, *parts[number + 1 :])
            # A guess that is not there either is of no use.
            return f", did you mean {as_text(guess)!r}?" if guess is not None and guess.exists() else ""
    except (OSError, ValueError):
        # A folder that may not be read, or a path that no file system takes.
        return ""
    return ""


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
        raise DataMissingError(f"no such file: {called}{meant_by(path)}") from error
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
