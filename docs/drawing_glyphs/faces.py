"""Reads `faces.toml`: which font files draw which scripts, and where they come from."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

FONT_ROOT = Path("/usr/share/fonts")
TABLE = Path(__file__).with_name("faces.toml")


@dataclass(frozen=True)
class FaceFamily:
    """Styles of one design.

    Attributes:
        name: the family; at most eight images of a class come from one.
        packages: the Debian packages that hold the files.
        licence: short name of the licence.
        folder: where the files lie.
        files: one font file per style, most wanted first.
        scripts: the scripts that are drawn from it.
        exclude: code points that it draws as another letter.
    """

    name: str
    packages: tuple[str, ...]
    licence: str
    folder: Path
    files: tuple[str, ...]
    scripts: frozenset[str]
    exclude: frozenset[int]


def read_families(table: Path = TABLE) -> tuple[FaceFamily, ...]:
    """All families, in the order of the table."""
    content = tomllib.loads(table.read_text(encoding="utf-8"))
    families = []
    for group in content["group"]:
        for entry in group["families"]:
            if "styles" in entry:
                files = [f"{entry['design']}-{style}.ttf" for style in content["styles"][entry["styles"]]]
            else:
                files = entry["files"]
            families.append(
                FaceFamily(
                    name=entry["name"],
                    packages=tuple(group["packages"]),
                    licence=group["licence"],
                    folder=FONT_ROOT / group["folder"],
                    files=tuple(files),
                    scripts=frozenset(entry["scripts"]),
                    exclude=frozenset(code for first, last in entry.get("not", ()) for code in range(first, last + 1)),
                )
            )
    return tuple(families)
