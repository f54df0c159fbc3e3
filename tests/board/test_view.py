"""What a format sees of a table: columns with values and texts, sections, flat rows, and one JSON document."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import pytest
from made import BY_SCRIPT, LOCAL, PER_MODEL, QUERIES, SCORING, TRACK, final, several, studies, study, table_of, trials, tuned, with_classes

from siambench.board.captions import proven
from siambench.board.columns import columns_of
from siambench.board.view import flat_rows, places_text, steps, to_json, view
from siambench.interfaces import RowView
from siambench.spec import Source

TIMM = Source("timm", "siambench-timm", "7" * 64)


def section_of(table, title):
    """The section of that title, or None."""
    return next((section for section in view(table).sections if section.title == title), None)


def column_of(table, name):
    return next(column for column in view(table).columns if column.name == name)


def test_every_column_has_a_value_and_a_text_for_every_row():
    """The view has the table's rows in their order, and each column a value and a text for each of them."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    seen = view(table)
    assert ["supcon", "triplet", "npair", "arcface", "raw"] == [row.name for row in seen.rows]
    assert RowView("raw", baseline=True, fresh=True, group=None) == seen.rows[-1]
    assert RowView("supcon", baseline=False, fresh=True, group=1) == seen.rows[0]
    assert {5} == {len(cells) for column in seen.columns for cells in (column.values, column.texts)}
    assert ("made", "made", "1.0", "siambench leaderboard made --write") == (seen.title, seen.track, seen.version, seen.command)


def test_shipped_rows_are_not_fresh():
    """A row that came with siambench is told apart from one that did not."""
    assert [False] == [row.fresh for row in view(table_of(studies("triplet", [0.3]), shipped=True)).rows]


def test_values_are_what_json_can_hold():
    """Every value of every column passes through JSON unchanged, and so do the flat rows and the document."""
    seen = view(table_of([*with_classes("triplet", PER_MODEL, QUERIES), *studies("npair", [0.1]), final("raw", 0, 0.1)]))
    for held in ([list(column.values) for column in seen.columns], list(seen.flat), seen.document):
        assert held == json.loads(json.dumps(held, allow_nan=False))


def test_the_interval_over_classes_is_everywhere():
    """Columns, flat rows, JSON and the data frame have the same ends, in a column that is labelled apart from the t-interval."""
    from siambench.api import frame

    table = table_of([*with_classes("triplet", PER_MODEL, QUERIES), final("raw", 0, 0.1)])
    low, high = table.lines[0].row.scores["map@r"].classes95
    column = column_of(table, "map@r_classes")
    assert "map@r, 95 % over classes" == column.title
    assert ([low, high], None) == column.values
    assert (f"[{low:.3f}, {high:.3f}]", "—") == column.texts
    assert [low, high] == [flat_rows(table)[0][f"map@r_classes_{end}"] for end in ("low", "high")]
    assert [None, None] == [flat_rows(table)[1][f"map@r_classes_{end}"] for end in ("low", "high")]
    assert [low, high] == to_json(table)["rows"][0]["scores"]["map@r"]["classes95"]
    assert to_json(table)["rows"][0]["scores"]["recall@1"]["classes95"] is None
    rows = frame(table)
    assert [low, high] == [rows[f"map@r_classes_{end}"][0] for end in ("low", "high")]
    assert rows["map@r_classes_low"].isna()[1]


def test_the_captions_follow_the_columns():
    """The interval over classes is explained where it is shown, and only there."""
    assert "over classes" in view(table_of(with_classes("triplet", PER_MODEL, QUERIES))).captions[1]
    assert "over classes" not in " ".join(view(table_of(studies("triplet", [0.3, 0.31]))).captions)


def test_a_track_without_records_has_an_empty_view():
    """No records give a table without lines, of which every part of the view is there and empty."""
    from siambench.api import frame

    table = table_of([])
    assert () == table.lines
    seen = view(table)
    assert ((), ()) == (seen.rows, seen.flat)
    assert [] == [row for section in seen.sections for row in (*section.rows, *section.lines)]
    assert {()} == {cells for column in seen.columns for cells in (column.values, column.texts)}
    assert [] == seen.document["rows"]
    assert 0 == len(frame(table))


def test_json_has_the_documented_form():
    """The document has the documented keys, the direction of each metric, and finite numbers only."""
    document = to_json(table_of([*studies("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)]))
    keys = {"schema", "track", "exam", "other_exams", "primary", "metrics", "rows", "units"}
    assert keys | {"minimum_detectable_difference", "spread_over_studies", "unseen"} == set(document)
    assert ({"name": "made", "version": "1.0"}, "map@r") == (document["track"], document["primary"])
    directions = {"map@r": "max", "recall@1": "max", "eer": "min"}
    assert [{"name": name, "direction": direction} for name, direction in directions.items()] == document["metrics"]
    expected = {
        *(
            "method",
            "loss",
            "miner",
            "feed",
            "backbone",
            "distribution",
            "rank",
            "group",
            "better_than",
            "difference",
            "difference_to_baseline",
        ),
        *(
            "scores",
            "params",
            "studies",
            "trials",
            "repetitions",
            "seeds",
            "sd_over_studies",
            "dimension",
            "test_opened",
            "flags",
            "also_made_with",
            "shipped",
            "reason",
            "costs",
        ),
    }
    assert expected == set(document["rows"][0])
    assert document["rows"][0]["rank"] is None
    assert [1, 1] == to_json(table_of(several()[:15] + several()[15:30]))["rows"][0]["rank"]
    assert {"mean": 0.1, "ci95": None, "n": 1, "over": "repetitions", "classes95": None, "groups95": None} == document["rows"][1]["scores"][
        "map@r"
    ]
    assert json.dumps(document, allow_nan=False)


def test_the_documented_example_is_a_row():
    """The example of leaderboards/README.md has the keys of the document, of a row, of a score and of the detectable difference."""
    page = Path(__file__).parents[2] / "leaderboards" / "README.md"
    example = json.loads(re.search(r"```json\n(.*?)```", page.read_text(), re.DOTALL).group(1))
    records = [*with_classes("triplet", PER_MODEL, QUERIES, attributes={"script": tuple("aabbccdd")}), *studies("npair", [0.1, 0.12, 0.11])]
    document = to_json(table_of([*records, *studies("lifted", [0.05])], track=BY_SCRIPT))
    partial = next(row for row in document["rows"] if row["method"] == "lifted")
    assert set(partial["difference"]) == set(example["rows"][1]["difference"])
    groups = example["rows"][0]["scores"]["map@r"]["groups95"]
    assert set(document["rows"][0]["scores"]["map@r"]["groups95"]) == set(groups)
    assert set(document) == set(example)
    assert set(document["rows"][0]) == set(example["rows"][0])
    assert set(document["rows"][0]["scores"]["map@r"]) == set(example["rows"][0]["scores"]["map@r"])
    for key in ("minimum_detectable_difference", "spread_over_studies"):
        assert set(document[key]) == set(example[key])


def test_the_primary_metric_goes_by_the_tables_direction():
    """Where the table was ordered upwards, the document says so of its primary metric, whatever a record says."""
    document = to_json(table_of(studies("triplet", [0.3, 0.31]), direction="min"))
    assert {"name": "map@r", "direction": "min"} == document["metrics"][0]


def test_baselines_have_a_budget_for_machines_alone():
    """People are not shown studies, trials and repetitions of a baseline, for which nothing is tuned; machines are."""
    table = table_of([*studies("triplet", [0.3, 0.31, 0.32]), final("raw", 0, 0.1)])
    for name, values in (("studies", (3, 1)), ("trials", (2, 0)), ("repetitions", (1, 1)), ("dimension", (1, 0))):
        column = column_of(table, name)
        assert values == column.values
        assert (str(values[0]), "") == column.texts
    assert [(2, 3, 1), (0, 1, 0)] == [(row["trials"], row["seeds"], row["dimension"]) for row in to_json(table)["rows"]]
    assert [2, 0] == [row["trials"] for row in flat_rows(table)]


def test_the_distribution_of_every_component_is_named():
    """Machines are told of each component what it comes from, by its role; a file is local."""
    table = table_of(studies("triplet", [0.3, 0.31, 0.32], components={"backbone": TIMM, "loss": LOCAL}))
    expected = {"backbone": "siambench-timm 0.3", "loss": "local 0"}
    assert expected == to_json(table)["rows"][0]["distribution"] == flat_rows(table)[0]["distribution"]
    assert "machines" == column_of(table, "distribution").audience


def test_tie_groups_are_numbers():
    """Columns, flat rows and JSON have the number of each row's group, and none of a row that is not ranked."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    groups = (1, 1, 2, 2, None)
    assert groups == column_of(table, "group").values
    assert ("1", "1", "2", "2", "") == column_of(table, "group").texts
    assert list(groups) == [row["group"] for row in to_json(table)["rows"]] == [row["group"] for row in flat_rows(table)]


def test_what_is_proven_is_listed():
    """The section names, for each ranked row, whom it is better than and whom it is not told apart from."""
    section = section_of(table_of([*several(), final("raw", 0, 0.01)]), "What is proven")
    assert ("group", "method", "significantly better than", "not told apart from") == section.head
    assert (
        ("1", "supcon", "npair, arcface", "triplet"),
        ("1", "triplet", "all below", "supcon"),
        ("2", "npair", "—", "arcface"),
        ("2", "arcface", "—", "npair"),
    ) == section.rows
    assert proven(table_of(several())) == section.text
    assert "over 3 independent studies, on these test classes: " in section.text
    assert "these test classes and groups of them (by script)" in section_of(table_of(several(), track=BY_SCRIPT), "What is proven").text
    assert section_of(table_of(studies("triplet", [0.3, 0.31, 0.32])), "What is proven") is None


@pytest.mark.parametrize(
    ("place", "chosen", "expected"),
    [
        (0, set(), "—"),
        (0, {1, 2, 3, 4, 5, 6}, "all others"),
        (2, {3, 4, 5, 6}, "all below"),
        (5, {6}, "m6"),
        (0, {2, 3, 4, 5, 6}, "m2 and all below"),
        (0, {1, 3, 4, 5, 6}, "m1, m3 and all below"),
        (0, {1, 5, 6}, "m1, m5, m6"),
        (3, {1, 2, 4}, "m1 … m4"),
        (3, {2, 4}, "m2, m4"),
        (3, {0, 2, 4, 6}, "m0, m2, m4, m6"),
        (6, {0, 1, 2, 4}, "m0 … m2, m4"),
    ],
)
def test_places_are_named_in_few_words(place, chosen, expected):
    """Runs of neighbours in the order of the table are written as such, single rows by their names."""
    records = [record for i in range(7) for record in studies(f"m{i}", [0.9 - i / 10, 0.91 - i / 10, 0.93 - i / 10])]
    assert expected == places_text(table_of(records), place, chosen)


def test_concatenated_scores_stand_with_the_other_metrics():
    """Under the Reality Check's protocol columns, sections, flat rows and data frame have the concatenated scores, else none has."""
    from siambench.api import frame

    rules = {"scoring": dataclasses.replace(SCORING, protocol="reality-check")}
    records = []
    for i in range(3):
        scores = {"map@r": 0.3 + i / 100, "recall@1": 0.5, "concatenated:map@r": 0.4 + i / 100, "concatenated:recall@1": 0.6}
        records += study("triplet", [0], {"scores": scores}, study=i, **rules)
    table = table_of([*records, final("raw", 0, 0.1)])
    section = section_of(table, "Other metrics")
    assert ("method", "eer", "concatenated:map@r", "concatenated:recall@1") == section.head
    assert (("triplet", "—", "0.410 ± 0.025", "0.600 ± 0.000"), ("raw", "—", "—", "—")) == section.rows
    assert "concatenated:map@r_ci95" in flat_rows(table)[0]
    assert 0.41 == pytest.approx(frame(table)["concatenated:map@r"][0])
    assert 0.41 == pytest.approx(to_json(table)["rows"][0]["scores"]["concatenated:map@r"]["mean"])
    assert {"name": "concatenated:map@r", "direction": "max"} in to_json(table)["metrics"]
    plain = table_of(studies("triplet", [0.3, 0.31, 0.32]))
    assert not [column.name for column in columns_of(plain) if column.name.startswith("concatenated:")]
    assert ("method", "eer") == section_of(plain, "Other metrics").head


def test_concatenated_scores_go_the_way_of_their_metric():
    """The direction of a concatenated score is that of the metric it is of."""
    scores = {"map@r": 0.3, "eer": 0.2, "concatenated:eer": 0.1}
    metrics = to_json(table_of(studies("triplet", [0.3], outcome={"scores": scores})))["metrics"]
    assert {"name": "concatenated:eer", "direction": "min"} in metrics


def test_without_other_metrics_there_is_no_section_of_them():
    """A track that reports what the main table shows has no further section."""
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"report": ("map@r", "recall@1")})})
    assert section_of(table_of(studies("triplet", [0.3, 0.31]), track=track), "Other metrics") is None


def test_a_missing_cell_has_its_reason():
    """Below the table stands each reason once, with the rows that it is the reason of, and that of a row without any score."""
    notes = {"eer": "too few classes"}
    failed = [tuned("arcface", t, f, [], state="failed") for t in range(2) for f in range(2)]
    records = studies("triplet", [0.3, 0.31, 0.32], outcome={"notes": notes}) + studies("npair", [0.1, 0.12, 0.11]) + failed
    section = section_of(table_of([*records, final("raw", 0, 0.1)]), "Missing cells")
    assert (
        "triplet: eer: too few classes",
        "npair, raw: eer: it does not apply",
        "arcface: every trial failed: it diverged",
    ) == section.lines
    assert ((), ()) == (section.head, section.rows)


def test_nothing_is_missing_in_a_column_that_is_not_there():
    """Where no row has an interval over classes the column is not shown, and its absence has no reason; where one has, it has."""
    older = with_classes("triplet", PER_MODEL, None)
    alone = table_of(older)
    assert "over classes" not in " ".join(section_of(alone, "Missing cells").lines)
    assert "machines" == column_of(alone, "map@r_classes").audience
    both = table_of(older + with_classes("npair", PER_MODEL, QUERIES))
    assert "triplet: map@r over classes: its records do not say how many queries a class has" in section_of(both, "Missing cells").lines
    assert "all" == column_of(both, "map@r_classes").audience


def test_the_best_by_trial_is_listed():
    """A line per study: the best after 1, 2, 4 … trials, a dash where so many are not counted, and of the selected trial both scores."""
    chosen = [final("triplet", i, 0.3 + i / 10, trial=6) for i in range(3)]
    other = trials([0, 1], method="npair") + [final("npair", i, 0.1, trial=0) for i in range(3)]
    second = trials([0, 1], method="npair", study=1)
    section = section_of(table_of([*trials(), *chosen, *second, *other]), "Tuning")
    marks = ("after 1", "after 2", "after 4", "after 7")
    assert ("method", "study", *marks, "validation", "test", "trial", "epoch", "selected parameters") == section.head
    assert (
        ("npair", "0", "0.250", "0.250", "—", "—", "0.250", "0.100", "0", "2", "loss.margin = 0.3"),
        ("npair", "1", "0.250", "0.250", "—", "—", "0.250", "—", "0", "2", "loss.margin = 0.3"),
        ("triplet", "0", "0.250", "0.250", "0.450", "0.550", "0.550", "0.400", "6", "2", "loss.margin = 0.9"),
    ) == section.rows
    assert "siambench show study made METHOD" in section.text


def test_a_tuning_that_selected_nothing_is_listed_with_dashes():
    """Where each trial failed there is neither a best, nor a trial, nor parameters; baselines are not listed."""
    failed = [tuned("triplet", t, f, [], state="failed") for t in range(2) for f in range(2)]
    section = section_of(table_of([*failed, final("raw", 0, 0.1)]), "Tuning")
    assert (("triplet", "0", *("—",) * 6, ""),) == section.rows
    assert section_of(table_of([final("raw", 0, 0.1)]), "Tuning") is None


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1, [1]),
        (2, [1, 2]),
        (4, [1, 2, 4]),
        (6, [1, 2, 4, 6]),
        (8, [1, 2, 4, 8]),
        (12, [1, 2, 4, 8, 12]),
        (13, [1, 2, 4, 8, 12, 13]),
        (50, [1, 2, 4, 8, 12, 16, 24, 32, 48, 50]),
    ],
)
def test_the_steps_of_the_curve_are_few(number, expected):
    """Columns come closer where the curve is steep, and the last one is the whole budget."""
    assert expected == steps(number)


def test_estimates_are_marked():
    """A metric that records call an estimate bears a mark for people and a key in JSON; without one nothing is said."""
    notes = {"notes": {"approximate": "recall@1, recall@10-quick"}}
    plain, marked = table_of(several()), table_of([*studies("triplet", [0.3, 0.2], outcome=notes), *studies("npair", [0.1])])

    assert ["map@r", "≈ recall@1", "eer"] == [column_of(marked, name).title for name in ("map@r", "recall@1", "eer")]
    assert [{"name": "map@r", "direction": "max"}, {"name": "recall@1", "direction": "max", "approximate": True}] == to_json(marked)[
        "metrics"
    ][:2]
    assert any(text.startswith("≈ marks estimates") for text in view(marked).captions)
    assert "recall@1" == column_of(plain, "recall@1").title
    assert not any("approximate" in metric for metric in to_json(plain)["metrics"])
    assert not any("≈" in text for text in view(plain).captions)
