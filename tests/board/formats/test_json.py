"""One JSON document, the view's own: whatever a name holds, it is one."""

from __future__ import annotations

import dataclasses
import json

import pytest
from made import LOCAL, final, several, studies, table_of

from siambench.board.formats import json as as_json
from siambench.board.view import to_json, view


def test_the_text_is_the_tables_document():
    """What is printed reads back as the document of the table, ends its line, and keeps other alphabets as they are."""
    table = table_of([*several(), *studies("größer", [0.2, 0.21]), final("raw", 0, 0.01)])
    text = as_json.render(view(table))
    assert to_json(table) == json.loads(text)
    assert text.endswith("}\n")
    assert '"größer"' in text


@pytest.mark.parametrize("name", ["a|b", 'a "b"', "two\nlines", "\x1b[2Jgone", "back\\slash"])
def test_any_name_comes_back(name):
    """Bars, quotes, line breaks and control characters are escaped, and read back as they were."""
    text = as_json.render(view(table_of(studies(name, [0.3, 0.31]))))
    assert name == json.loads(text)["rows"][0]["method"]
    assert "\x1b" not in text


def test_figures_that_are_not_finite_are_refused():
    """NaN is no JSON: a document that would hold one is not written."""
    seen = dataclasses.replace(view(table_of([])), document={"figure": float("nan")})
    with pytest.raises(ValueError, match="not JSON compliant"):
        as_json.render(seen)


def test_the_distribution_of_components_is_named():
    """Each component of a row is named with what it comes from."""
    (row,) = json.loads(as_json.render(view(table_of(studies("triplet", [0.3], components={"loss": LOCAL})))))["rows"]
    assert {"loss": "local 0"} == row["distribution"]


def test_a_baselines_budget_is_there_for_machines():
    """Trials and parameters of a baseline are nought, and its seeds its units."""
    (row,) = json.loads(as_json.render(view(table_of([final("raw", 0, 0.1)]))))["rows"]
    assert (0, 1, 0, {}) == (row["trials"], row["seeds"], row["dimension"], row["params"])
