"""Names of files as text and back: a file system's names are bytes, records and pages are UTF-8. And what libraries say of files."""

from __future__ import annotations

import os
import re
from pathlib import Path

_MOST_SHOWN = 200
_BYTE = re.compile(r"\\x([89a-f][0-9a-f])")


def as_text(path: str | os.PathLike[str]) -> str:
    r"""A name that any document can hold: bytes that are not UTF-8 are spelt out, ``M\xfcller``; others stay as they are."""
    try:
        return os.fsencode(path).decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # half a pair of surrogates, which no file system has given
        return os.fspath(path).encode("utf-8", "backslashreplace").decode()


def as_path(text: str) -> Path:
    r"""The path that `as_text` spelt: bytes spelt out become bytes again, unless there is a file that is called as the text says."""
    restored = _BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)
    if restored != text and not os.path.lexists(text):
        return Path(restored).expanduser()
    return Path(text).expanduser()


def dataset_name(name: str) -> tuple[str, dict[str, str]]:
    """A data set as units know it, and where it is: a path is a fact of this machine, its last name is not."""
    kind, found, path = name.partition(":")
    if not found:
        return name, {}
    place = as_path(path).resolve()
    short = f"{kind}:{as_text(place.name)}"
    return short, {short: f"{kind}:{as_text(place)}"}


def reason(error: BaseException) -> str:
    """What a library says of a file that it cannot read, in one short line: it may quote the whole of it."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
