"""One JSON document; its keys stand in leaderboards/README.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from siambench.wording import in_json

if TYPE_CHECKING:
    from siambench.interfaces import TableView

NAME = "json"
SOURCE = "RFC 8259, JSON"


def render(table: TableView) -> str:
    """The document."""
    return in_json(json.dumps(table.document, indent=2, ensure_ascii=False, allow_nan=False)) + "\n"
