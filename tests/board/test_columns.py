"""Each column is said once: every format and the data frame show the columns of `columns_of`, and no others."""

from __future__ import annotations

import csv
import io
import json

import pytest
from made import BY_SCRIPT, NO_UNITS, PER_MODEL, QUERIES, SHIPPED, TRACK, final, several, studies, study, table_of, untrained, with_classes
from scipy import stats

from siambench.board.columns import LEADING, TRAILING, Column, columns_of, has_classes, main_metrics
from siambench.board.differences import Difference
from siambench.board.formats import csv as as_csv
from siambench.board.formats import markdown, terminal
from siambench.board.rows import rows_of
from siambench.board.scores import Grouped, Score
from siambench.board.table import build
from siambench.board.values import Ends, Names, Ranks, flat
from siambench.board.view import flat_rows, view


@pytest.fixture
def table():
    """A table in which every column occurs: one fresh row beside shipped ones, intervals over classes, concatenated scores."""
    shipped = rows_of(TRACK, [*with_classes("npair", PER_MODEL, QUERIES), final("raw", 0, 0.05)], shipped=True)
    scores = {"map@r": 0.3, "recall@1": 0.5, "concatenated:map@r": 0.4}
    fresh = rows_of(TRACK, finals(scores))
    return build(TRACK, [*shipped, *fresh], units=NO_UNITS)


def finals(scores):
    """Three studies with a final model each."""
    given = [{**scores, "map@r": 0.3 + number / 100} for number in range(3)]
    own = {"components": {"loss": SHIPPED}}
    return [record for number, one in enumerate(given) for record in study("triplet", [0], {"scores": one}, study=number, **own)]


def titles(text):
    """The titles of the first table of a page."""
    head = next(line for line in text.splitlines() if line.startswith("| "))
    return [cell.strip() for cell in head.strip("|").split("|")]


def test_names_and_titles_are_unique(table):
    """No two columns share a name, none of those shown to one audience share a title, and no two flat columns a name."""
    columns = columns_of(table)
    assert len(columns) == len({column.name for column in columns})
    for audience in ("people", "machines"):
        shown = [column.title for column in columns if column.audience in (audience, "all")]
        assert len(shown) == len(set(shown))
    names = [name for column in columns for name in flat(column.name, None, column.kind)]
    assert len(names) == len(set(names))


def test_the_columns_are_these(table):
    """The columns of a table with everything, in their order, and for whom each is shown."""
    assert [
        ("group", "all"),
        ("rank", "all"),
        ("method", "all"),
        ("loss", "machines"),
        ("miner", "machines"),
        ("feed", "machines"),
        ("backbone", "machines"),
        ("distribution", "machines"),
        ("better_than", "machines"),
        ("map@r", "all"),
        ("map@r_classes", "all"),
        ("map@r_groups", "machines"),
        ("sd_over_studies", "all"),
        ("difference", "all"),
        ("difference_to_baseline", "machines"),
        ("recall@1", "all"),
        ("eer", "machines"),
        ("concatenated:map@r", "machines"),
        ("params", "machines"),
        ("studies", "all"),
        ("trials", "all"),
        ("repetitions", "all"),
        ("seeds", "machines"),
        ("dimension", "all"),
        ("test_opened", "all"),
        ("flags", "all"),
        ("also_made_with", "machines"),
        ("shipped", "machines"),
        ("reason", "machines"),
    ] == [(column.name, column.audience) for column in columns_of(table)]


def test_columns_that_are_always_there_frame_those_of_the_metrics(table):
    """Whatever the table, its columns begin and end with the same ones; without rows there are those of the metrics reported."""
    for one in (table, table_of([])):
        columns = columns_of(one)
        assert LEADING == columns[: len(LEADING)]
        assert TRAILING == columns[-len(TRAILING) :]
    beside = ["map@r", "map@r_classes", "map@r_groups", "sd_over_studies", "difference", "difference_to_baseline"]
    assert [*beside, "recall@1", "eer"] == [c.name for c in columns_of(table_of([]))[len(LEADING) : -len(TRAILING)]]


def test_a_column_without_a_word_on_its_audience_is_everybodys():
    """A column is for people and machines alike where nothing else is said, and its values are plain."""
    column = Column("one", "one", lambda _, line: 1)
    assert ("all", None) == (column.audience, column.kind)


def test_people_see_the_columns_for_people(table):
    """The page has exactly those columns by their titles, and a terminal has them but for what is too wide for it."""
    shown = [column for column in columns_of(table) if column.audience in ("people", "all")]
    assert [column.title for column in shown] == titles(markdown.render(view(table)))
    head = next(line for line in terminal.render(view(table)).splitlines() if line.startswith("┃"))
    left_out = ("group", "sd_over_studies", "repetitions", "dimension", "test_opened", "map@r_classes", "map@r_groups")
    narrow = [c.title for c in shown if c.name not in left_out]
    assert narrow == [cell.strip() for cell in head.strip("┃").split("┃")]


def test_machines_see_the_columns_for_machines(table):
    """CSV, the data frame and the flat rows have exactly the flat names of those columns; JSON has them, scores apart."""
    from siambench.api import frame

    shown = [column for column in columns_of(table) if column.audience in ("machines", "all")]
    names = [name for column in shown for name in flat(column.name, None, column.kind)]
    assert names == next(csv.reader(io.StringIO(as_csv.render(view(table)))))
    assert names == list(frame(table).columns)
    assert {tuple(names)} == {tuple(row) for row in flat_rows(table)}
    document = json.loads(json.dumps(view(table).document))
    plain = {column.name for column in shown if column.kind not in (Score, Ends, Grouped)}
    scores = {column.name for column in shown if column.kind is Score}
    for row in document["rows"]:
        assert plain | {"scores", "costs"} == set(row)
        assert set(row["scores"]) <= scores
    assert scores == {metric["name"] for metric in document["metrics"]}


def test_every_view_column_is_a_column(table):
    """The view has the columns of `columns_of` by name, title and audience."""
    expected = [(column.name, column.title, column.audience) for column in columns_of(table)]
    assert expected == [(column.name, column.title, column.audience) for column in view(table).columns]


def test_flat_columns_are_named_after_their_column():
    """A rank has a low and a high one, a score its interval and number, an interval two ends, a difference its width and what it is to."""
    expected = {
        Ranks: ["rank_low", "rank_high"],
        Score: ["rank", "rank_ci95", "rank_n"],
        Ends: ["rank_low", "rank_high"],
        Difference: ["rank", "rank_half_width", "rank_to", "rank_over"],
        Grouped: ["rank", "rank_half_width", "rank_n", "rank_over"],
        Names: ["rank"],
        None: ["rank"],
    }
    assert expected == {kind: list(flat("rank", None, kind)) for kind in expected}


def test_a_value_is_of_its_columns_kind(table):
    """What a column gives of a line is of the kind that it declares, or nothing."""
    for column in columns_of(table):
        if column.kind is not None:
            found = {type(column.value(table, line)) for line in table.lines}
            assert found <= {column.kind, type(None)}, column.name


def test_the_primary_metric_stands_first():
    """People see the primary metric, then the usual others as far as the track reports them; the rest are for machines."""
    report = ("eer", "recall@1", "nmi", "map@r")
    rules = TRACK.metrics.model_copy(update={"primary": "nmi", "report": report})
    table = table_of([], track=TRACK.model_copy(update={"metrics": rules}))
    assert ["nmi", "map@r", "recall@1"] == main_metrics(table)
    metrics = [(c.name, c.audience) for c in columns_of(table) if c.kind is Score]
    assert [("nmi", "all"), ("map@r", "all"), ("recall@1", "all"), ("eer", "machines")] == metrics


def test_the_interval_over_classes_is_shown_where_a_row_has_one():
    """Without one its column is for machines, which find it always there."""
    without, with_one = table_of(studies("triplet", [0.3, 0.31])), table_of(with_classes("triplet", PER_MODEL, QUERIES))
    assert (False, True) == (has_classes(without), has_classes(with_one))
    for one, audience in ((without, "machines"), (with_one, "all")):
        assert [audience] == [column.audience for column in columns_of(one) if column.name == "map@r_classes"]


def test_the_difference_is_there_where_one_fresh_row_stands_beside_others(table):
    """Several full rows are compared by the tests alone: machines find a column without differences, and people none."""
    assert [("Δ map@r to triplet", "all")] == [(c.title, c.audience) for c in columns_of(table) if c.name == "difference"]
    assert ["machines"] == [column.audience for column in columns_of(table_of(several())) if column.name == "difference"]


def test_the_interval_over_groups_takes_the_place_of_that_over_classes():
    """Where classes come in three groups or more people see the mean over groups, and machines both."""
    records = with_classes("triplet", PER_MODEL, QUERIES, attributes={"script": tuple("aabbccdd")})
    table = table_of(records, track=BY_SCRIPT)
    columns = {column.name: column for column in columns_of(table)}
    assert ("machines", "all") == (columns["map@r_classes"].audience, columns["map@r_groups"].audience)
    assert "map@r, mean over each script" == columns["map@r_groups"].title
    assert columns["map@r_classes"].value(table, table.lines[0]) is not None


def test_the_spread_over_studies_is_that_of_their_means(table):
    """Of a method with two studies or more it is the standard deviation of the studies' means; of one, and of a baseline, nothing."""
    found = table_of([*studies("triplet", [0.30, 0.34, 0.38]), *study("npair", [0.1, 0.2]), *untrained([0.04, 0.05, 0.06])])
    column = next(column for column in columns_of(found) if column.name == "sd_over_studies")
    assert [pytest.approx(0.04), None, None] == [column.value(found, line) for line in found.lines]


def test_the_backbone_is_the_tracks_where_the_method_names_none(table):
    """Machines are told the backbone of every row, and whom a row is better than by name."""
    by_name = {column.name: column for column in columns_of(table)}
    assert ["conv4"] * 3 == [by_name["backbone"].value(table, line) for line in table.lines]
    all_of_them = table_of(several())
    assert ("npair", "arcface") == by_name["better_than"].value(all_of_them, all_of_them.lines[0])


def test_components_of_others_are_named_for_people():
    """Where a row has a component of another distribution, people are shown which; where all come with siambench, no column is."""
    from siambench.spec import Source

    own = table_of(studies("triplet", [0.4, 0.5]))
    assert "from" not in [column.name for column in columns_of(own)]
    foreign = {"loss": Source("soft", "siambench-soft", "1" * 64), "sampler": Source("siambench", "siambench", "2" * 64)}
    mixed = table_of([*studies("triplet", [0.4, 0.5]), *studies("soft", [0.3, 0.2], components=foreign)])
    column = next(column for column in columns_of(mixed) if column.name == "from")
    assert [("siambench-soft 0.1.0",) if line.row.name == "soft" else () for line in mixed.lines] == [
        column.value(mixed, line) for line in mixed.lines
    ]


def without(scores):
    """What a final model of a metric without a score per query leaves: its mean, and the scores with each class left out."""
    return {"scores": {"map@r": sum(scores) / len(scores)}, "jackknife": {"map@r": scores}}


def test_a_metric_without_a_score_per_query_shows_the_difference_to_the_best_baseline():
    """Its interval is the jackknife of the difference: what both rows owe to a class counts once; the best baseline has none to itself."""
    triplet, raw, poorest = (0.30, 0.34, 0.31, 0.37), (0.20, 0.23, 0.22, 0.27), (0.1, 0.1, 0.12, 0.1)
    records = [final("raw", 0, 0.23, outcome=without(raw)), *studies("triplet", [0.3], outcome=without(triplet))]
    table = table_of([*records, final("untrained", 0, 0.1, outcome=without(poorest))])

    differences = [one - other for one, other in zip(triplet, raw, strict=True)]
    mean = sum(differences) / 4
    half = stats.t.ppf(0.975, 3) * (3 / 4 * sum((one - mean) ** 2 for one in differences)) ** 0.5
    found = {line.row.name: line.to_baseline for line in table.lines}
    assert Difference("raw", pytest.approx(mean), pytest.approx(half), "classes") == found["triplet"]
    assert found["raw"] is None
    assert found["untrained"].mean < 0
    title = ("Δ map@r to raw, over classes", "all")
    assert [title] == [(c.title, c.audience) for c in columns_of(table) if c.name == "difference_to_baseline"]
    assert any("jackknife of that difference" in caption for caption in view(table).captions)


def test_other_test_classes_have_no_difference_over_classes():
    """Scores with each of three classes left out say nothing beside those of four."""
    records = [final("raw", 0, 0.2, outcome=without((0.2, 0.2, 0.3))), *studies("triplet", [0.3], outcome=without((0.3, 0.3, 0.4, 0.3)))]
    assert [None, None] == [line.to_baseline for line in table_of(records).lines]
