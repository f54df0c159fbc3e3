"""The formats, which `siambench.board.formats` finds without plugins; here they are registered as anybody's are."""

from __future__ import annotations

from siambench.board.formats import shipped_formats
from siambench.plugin import FormatEntry, hookimpl


@hookimpl
def siambench_formats() -> dict[str, FormatEntry]:
    """Ways to write a table down."""
    return {name: FormatEntry(shipped.render, source=shipped.source) for name, shipped in shipped_formats().items()}
