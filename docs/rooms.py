"""Writes the table of rooms into CONTRIBUTING.md: `python docs/rooms.py`. A test compares it with the modules that there are."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
HEAD = "| room | what it is | modules |\n|---|---|---|\n"


def about(path: Path) -> str:
    """The first sentence or two of a module's docstring, up to its first empty line."""
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return " ".join(text.partition("\n\n")[0].split()).rstrip(".").replace("|", "\\|")


def order() -> list[str]:
    """The rooms from the top to the ground, as the import contract has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [room for layer in layers for room in re.split(r"\s*[|:]\s*", layer)]


def table() -> str:
    """The table."""
    package, lines = ROOT / "siambench", []
    for room in order():
        module = package / f"{room}.py"
        if module.exists():
            lines.append(f"| `{room}` | {about(module)} | |")
            continue
        folder = package / room
        names = sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob("*.py") if path.name != "__init__.py")
        lines.append(f"| `{room}/` | {about(folder / '__init__.py')} | {' '.join(f'`{name}`' for name in names)} |")
    return HEAD + "\n".join(lines) + "\n"


def replaced(page: str) -> str:
    """The page with the table as it should be."""
    start = page.index(HEAD)
    end = page.index("\n\n", start) + 1
    return page[:start] + table() + page[end:]


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    page.write_text(replaced(page.read_text(encoding="utf-8")), encoding="utf-8")
