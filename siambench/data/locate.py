"""Find a published file on this machine, or download it with its checksum."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
import zlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from siambench.data.files import meant_by, share
from siambench.errors import DataMissingError

_TIMEOUT_SECONDS = 30
_LOOKS = ContextVar("looks", default=True)


class NotLookedForError(DataMissingError):
    """A published file that is asked for where nothing is looked for; see `nothing_looked_for`."""


@contextlib.contextmanager
def nothing_looked_for() -> Iterator[None]:
    """Within it `locate` raises `NotLookedForError` at once: what a caller would refuse of itself is found out, and nothing is fetched."""
    before = _LOOKS.set(False)
    try:
        yield
    finally:
        _LOOKS.reset(before)


@dataclass(frozen=True)
class Remote:
    """A file as its authors publish it.

    Args:
        name: its published file name.
        url: where it is published.
        sha256_prefix: its SHA-256, or as many leading digits of it as are known.
        folder: the folder it is kept in below `SIAMBENCH_DATA` or the cache.
        unpacked: whether the checksum is that of the gunzipped content: distributions pack such files anew.
        also: further folders in which a system may keep it.
        md5: its MD5, where that is what is published; the SHA-256 is then empty.
        by_hand: whether nothing downloads it, for its licence, its size, or since no address serves it any more: ``url`` is then the
            page that tells where it is.
    """

    name: str
    url: str
    sha256_prefix: str
    folder: str
    unpacked: bool = False
    also: tuple[Path, ...] = ()
    md5: str = ""
    by_hand: bool = False


def cache_folder() -> Path:
    """Where downloads and decoded images are kept: `SIAMBENCH_CACHE`, or the user's cache folder."""
    chosen = os.environ.get("SIAMBENCH_CACHE")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_cache_dir("siambench", appauthor=False))


def candidates(remote: Remote) -> list[Path]:
    """The places where the file is looked for, in order."""
    places = []
    chosen = os.environ.get("SIAMBENCH_DATA")
    if chosen:
        root = Path(chosen).expanduser()
        places += [root / remote.folder / remote.name, root / remote.name]
    places += [folder / remote.name for folder in remote.also]
    places.append(cache_folder() / remote.folder / remote.name)
    return places


def find(name: str, *, beside: Path | None) -> Path:
    """The path of a user's own file: as it is given, beside the track that names it, or below `SIAMBENCH_DATA`.

    Raises:
        DataMissingError: naming the places where it is not.
    """
    given = Path(name).expanduser()
    chosen = os.environ.get("SIAMBENCH_DATA")
    places = [given, *([] if beside is None else [beside / given]), *([Path(chosen).expanduser() / given] if chosen else [])]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataMissingError(f"no such file: {name}{meant_by(given)}; looked for {', '.join(str(place) for place in places)}")
    return found.resolve()


def missing(remotes: Sequence[Remote]) -> list[Remote]:
    """Those that are nowhere on this machine; checksums are not looked at."""
    return [remote for remote in remotes if not any(path.is_file() for path in candidates(remote))]


def belongs(remote: Remote) -> Path:
    """The folder that somebody is told to put a file into: below `SIAMBENCH_DATA`, or the cache."""
    chosen = os.environ.get("SIAMBENCH_DATA")
    return Path(chosen) / remote.folder if chosen else cache_folder() / remote.folder


def locate(remote: Remote) -> Path:
    """The path of the file, downloaded into the cache if it is nowhere else.

    Args:
        remote: which file.

    Raises:
        DataMissingError: if it is not here and cannot be fetched, or what is here has another checksum.
        NotLookedForError: within `nothing_looked_for`.
    """
    if not _LOOKS.get():
        raise NotLookedForError(f"{remote.name} is not looked for here")
    places = candidates(remote)
    for path in places:
        if path.is_file():
            check_file(path, remote)
            return path
    target = places[-1]
    if remote.by_hand:
        raise DataMissingError(f"{remote.name} is missing: get it from {remote.url} and put it into {belongs(remote)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(f"{target}.lock"):
            if not target.is_file():
                _download(remote, target)
    except (OSError, http.client.HTTPException) as error:
        if isinstance(error, urllib.error.HTTPError):
            error.close()  # it holds the connection
        reason = str(getattr(error, "reason", None) or error).strip() or type(error).__name__
        raise DataMissingError(
            f"{remote.name} is missing and {remote.url} could not be downloaded ({reason}): put the file into {belongs(remote)}"
        ) from error
    return target


def _download(remote: Remote, target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{remote.name}.", delete=False) as part:
        temporary = Path(part.name)
        try:
            with urllib.request.urlopen(remote.url, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  the URLs are constants of loaders
                while block := answer.read(1 << 20):
                    part.write(block)
            part.close()
            check_file(temporary, remote, f"what {remote.url} gave")
            share(temporary)
            temporary.replace(target)
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def check_file(path: Path, remote: Remote, called: str = "") -> None:
    """Compare a file with its published checksum.

    Args:
        path: of the file.
        remote: what is published of it.
        called: what errors call it; empty: by its path.

    Raises:
        DataMissingError: if it has another, or is damaged.
    """
    called = called or str(path)
    try:
        with gzip.open(path) if remote.unpacked else path.open("rb") as file:
            found = hashlib.file_digest(file, "md5" if remote.md5 else "sha256").hexdigest()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataMissingError(f"{called} is damaged ({error}): replace it by {remote.name} from {remote.url}") from error
    wanted, kind = (remote.md5, "MD5") if remote.md5 else (remote.sha256_prefix, "SHA-256")
    if not found.startswith(wanted):
        raise DataMissingError(f"{called} has {kind} {found[:16]}…, expected {wanted[:16]}…: replace it by {remote.name} from {remote.url}")
