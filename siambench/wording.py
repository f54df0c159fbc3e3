"""How commands say things: text that is safe to print, and times as people read them. Free of heavy imports: every command uses it."""

from __future__ import annotations

import re
import shlex


def printable(text: str) -> str:
    """Text from a plugin or a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def quoted(word: str) -> str:
    """A word as it stands in a command, so that the command runs as it is printed."""
    return shlex.quote(word)


_PATH = re.compile(r"""(?<![\w./~\\])(?:[A-Za-z]:)?(?:[\\/][^\\/\s:"'<>|,;()\[\]]+){2,}""")
_PACKAGES = re.compile(r"(?:site|dist)-packages[\\/]")


def without_paths(text: str) -> str:
    """A text in which files are named without where they lie on this machine: records are read by others.

    Of a file of an installed package the path within it is left, of any other the name.
    """

    def name(found: re.Match[str]) -> str:
        path = found[0]
        inside = _PACKAGES.split(path)
        return inside[-1].replace("\\", "/") if len(inside) > 1 else re.split(r"[\\/]", path)[-1]

    return _PATH.sub(name, text)


def duration(seconds: float) -> str:
    """``48 s``, ``3 min``, ``2.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
