"""What scripts that write a page share: text for a table, and writing or comparing the page."""

from __future__ import annotations

import sys
from pathlib import Path

DIFFERENT = 6
"""The exit code of `--check` where a page is another."""


def cell(text: str) -> str:
    """Text as it may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")


def write_or_check(page: Path, text: str, arguments: list[str], *, source: str) -> int:
    """Write a page, or with `--check` compare it; the exit code.

    Args:
        page: its file.
        text: as it should be.
        arguments: of the command line.
        source: what gives the text, for people.
    """
    if "--check" not in arguments:
        page.write_text(text, encoding="utf-8")
        return 0
    same = page.exists() and page.read_text(encoding="utf-8") == text
    if not same:
        sys.stderr.write(f"docs/{page.name} is not what {source} give: python docs/{page.stem}.py writes it\n")
    return 0 if same else DIFFERENT
