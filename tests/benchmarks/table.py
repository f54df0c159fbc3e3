"""The table of README.md from what ``pytest tests/benchmarks --benchmark-json FILE`` left: ``python tests/benchmarks/table.py FILE…``."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path


def rows(paths):
    """The lines of the table, a later file's in the place of an earlier one's."""
    found = {}
    for path in paths:
        for benchmark in json.loads(Path(path).read_text(encoding="utf-8"))["benchmarks"]:
            found[benchmark["name"]] = benchmark["extra_info"]
    return found


def markdown(found):
    """The table."""
    lines = ["| what | beside | aim | measured | spread | rounds |", "|---|---|---|---|---|---|"]
    for name, row in found.items():
        median, low, high = (f"{figure:.3g}" for figure in row["figures"])
        unit = "" if row["unit"] == "×" else f" {row['unit']}"
        seconds = " ({:.3g} s, {:.3g} s)".format(*row["seconds"]) if "seconds" in row else ""
        measured = f"**{median}**{unit}{seconds}" if row["aim"] else f"{median}{unit}{seconds}"
        lines.append(f"| {row['what']} (`{name}`) | {row['beside']} | {row['aim']} | {measured} | {low} … {high} | {row['rounds']} |")
    return "\n".join(lines)


def machine(path):
    """On what it was measured."""
    document = json.loads(Path(path).read_text(encoding="utf-8"))
    cpu = document["machine_info"]["cpu"]
    return f"{cpu.get('brand_raw', platform.machine())}, {cpu.get('count', '?')} cores, {document['datetime'][:10]}"


if __name__ == "__main__":
    print(machine(sys.argv[-1]) + "\n\n" + markdown(rows(sys.argv[1:])))  # noqa: T201  a script
