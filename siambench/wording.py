"""How commands say things: text that is safe to print, and times as people read them. Free of heavy imports: every command uses it."""

from __future__ import annotations

import shlex


def printable(text: str) -> str:
    """Text from a plugin or a file without control characters, which a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in text)


def quoted(word: str) -> str:
    """A word as it stands in a command, so that the command runs as it is printed."""
    return shlex.quote(word)


def duration(seconds: float) -> str:
    """``48 s``, ``3 min``, ``2.1 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
