"""`board.pictures.counted`: verdicts, and scores by groups."""

from __future__ import annotations

import dataclasses

import pytest
from made import BY_SCRIPT, PER_MODEL, QUERIES, several, studies, table_of, with_classes

from siambench.board.pictures.counted import MOST_GROUPS, groups, verdicts
from siambench.errors import NothingToDrawError


def judged(record, verdict):
    return dataclasses.replace(record, telemetry={**record.telemetry, "diagnosis": {"verdict": verdict, "findings": []}})


def test_bars_are_as_long_as_the_counts():
    """Of each method the bars of its verdicts stand end to end, `ok` first, and together are as long as what was judged."""
    records = [
        judged(record, "collapsed" if record.unit.trial == 0 and record.unit.method.name == "npair" else "ok") for record in several()
    ]
    table = table_of(records)
    picture = verdicts(table)
    assert picture.groups == ("ok", "collapsed")
    ok, collapsed = picture.marks
    for place, line in enumerate(table.lines):
        row = line.row
        number = sum(row.verdicts.values()) + sum(row.judged.values())
        ends = sorted((x0, x1) for x0, x1, y0, _ in (*ok.boxes, *collapsed.boxes) if round(y0 + 0.32) == place)
        assert ends[0][0] == 0
        assert ends[-1][1] == number
        assert [one[1] for one in ends[:-1]] == [one[0] for one in ends[1:]]
    (box,) = collapsed.boxes
    assert table.lines[round(box[2] + 0.32)].row.name == "npair"
    assert box[1] - box[0] == 3


def test_groups_are_rows_by_groups_the_hardest_first():
    """Columns go from the lowest mean over rows to the highest, cells say the mean over final models, colours follow the value."""
    scripts = ("Lao", "Thai", "Khmer", "Thai", "Lao", "Thai", "Khmer", "Thai")
    table = table_of(with_classes("triplet", PER_MODEL, QUERIES, {"script": scripts}), BY_SCRIPT)
    picture = groups(table)
    (cells,) = picture.marks
    found = {name: sum(v) / 3 for name, v in table.lines[0].row.material.groups.scores.items()}
    assert tuple(sorted(found, key=found.get)) == picture.x.names
    assert [f"{found[name]:.2f}"[1:] for name in picture.x.names] == [cell.text for cell in cells.rows[0]]
    assert [0.0, 1.0] == [cells.rows[0][0].value, cells.rows[0][-1].value]


def test_of_many_groups_the_hardest_are_shown():
    """Beyond forty groups the rest is left out, and the caption says so."""
    number = MOST_GROUPS + 5
    scores = [[0.01 * place for place in range(number)]] * 2
    names = {"script": tuple(f"script {place:02}" for place in range(number))}
    picture = groups(table_of(with_classes("triplet", scores, [2] * number, names), BY_SCRIPT))
    assert picture.x.names == names["script"][:MOST_GROUPS]
    assert f"The {MOST_GROUPS} hardest of {number} are shown." in picture.caption


def test_without_data_a_sentence_says_so():
    """Records that were never judged, and classes without groups, have no such figure."""
    with pytest.raises(NothingToDrawError, match="no unit of made was judged"):
        verdicts(table_of(several()))
    with pytest.raises(NothingToDrawError, match="come in no groups"):
        groups(table_of(studies("triplet", [0.5, 0.51, 0.52])))
