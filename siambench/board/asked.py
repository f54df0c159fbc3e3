"""Which rows somebody means: those of a name, or the one of a key."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siambench.errors import UnknownNameError
from siambench.records.record import Record, row_key

_LEAST = 4
_MARK = "row:"


def rows_asked(rows: Mapping[str, Sequence[list[Record]]], asked: str, *, what: str = "row") -> list[list[Record]]:
    """The records of each row that is meant, by key.

    Args:
        rows: by the names of their methods.
        asked: a name, or the first four digits of a key or more, as the flag ``row:KEY`` tells them of rows that share their name.
        what: is looked for, for the error.

    Raises:
        UnknownNameError: if there is none, or several keys begin so.
    """
    if asked in rows:
        return list(rows[asked])
    digits = asked.removeprefix(_MARK)
    found = [members for of_name in rows.values() for members in of_name if row_key(members[0].unit).startswith(digits)]
    if len(digits) < _LEAST or len(found) != 1:
        raise UnknownNameError(what, asked, rows)
    return found
