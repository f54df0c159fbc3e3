"""Archives that are unpacked once, into the cache: nothing in them is written outside of its folder."""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path

import filelock

from siambench.data.locate import Remote, cache_folder, candidates, locate
from siambench.data.names import as_text, reason
from siambench.errors import DataError
from siambench.machine import FULL, UNWRITABLE


def unpacked(archives: Sequence[Remote], name: str) -> Path:
    """The folder that archives are unpacked to, all into one; checksums are looked at when they are.

    Args:
        archives: tar or zip files, which are there.
        name: of the data set, for the folder's name.

    Raises:
        DataMissingError: if one is missing, or has another checksum.
        DataError: if one is damaged, holds a name that leads out of the folder, or the cache has no room.
    """
    target = cache_folder() / "unpacked" / f"{name}-{_key(archives)}"
    if target.is_dir():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{target}.lock"):
            if not target.is_dir():
                _unpack(archives, target)
    except OSError as error:
        if error.errno in FULL | UNWRITABLE:
            called = ", ".join(remote.name for remote in archives)
            into = as_text(target.parent)
            raise DataError(
                f"{called} cannot be unpacked into {into}: {error.strerror or error}; name another folder in SIAMBENCH_CACHE"
            ) from error
        raise
    return target


def _key(archives: Sequence[Remote]) -> str:
    total = hashlib.sha256()
    for remote in archives:
        path = _there(remote)
        status = path.stat()
        total.update(f"{remote.name}\0{status.st_size}\0{status.st_mtime_ns}\0{status.st_ctime_ns}\n".encode())
    return total.hexdigest()[:16]


def _there(remote: Remote) -> Path:
    """Where the file is, its checksum not looked at; downloaded, with its checksum, where it is nowhere."""
    return next((path for path in candidates(remote) if path.is_file()), None) or locate(remote)


def _unpack(archives: Sequence[Remote], target: Path) -> None:
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        for remote in archives:
            path = locate(remote)
            try:
                _extract(path, temporary)
            except (tarfile.TarError, zipfile.BadZipFile, EOFError, zlib.error, NotImplementedError, RuntimeError, ValueError) as error:
                raise DataError(f"{as_text(path)} is damaged ({reason(error)}): replace it by {remote.name} from {remote.url}") from error
        temporary.replace(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _extract(path: Path, folder: Path) -> None:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            for member in file.infolist():
                if Path(member.filename).is_absolute() or ".." in Path(member.filename).parts:
                    raise ValueError(f"it holds {as_text(member.filename)!r}, which leads out of its folder")
            file.extractall(folder)  # noqa: S202  every name was looked at
        return
    with tarfile.open(path) as file:
        # Links out of the folder, devices and absolute names are refused by the filter.
        file.extractall(folder, filter="data")
