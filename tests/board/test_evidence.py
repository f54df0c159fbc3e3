"""What a table says of its own evidence: intervals over classes, what could have been seen, and who is better than whom."""

from __future__ import annotations

import io
import itertools
import statistics

import pytest
from made import TRACK, final, study, table_of

from siambench.board import captions as text
from siambench.board.formats import markdown as page
from siambench.board.rows import DRAWS, rows_of
from siambench.board.table import build, to_json
from siambench.spec import seed_of
from siambench.stats import class_bootstrap, minimum_detectable_difference

NO_UNITS = {"planned": 0, "done": 0, "cached": 0, "failed": 0, "lost": 0}


def with_classes(method, per_seed, queries, **changes):
    """A study whose final models have these per-class scores of the primary metric."""
    records = study(method, [], **changes)
    for repetition, scores in enumerate(per_seed):
        known = [(s, q) for s, q in zip(scores, queries or [1] * len(scores), strict=True) if s is not None]
        mean = sum(s * q for s, q in known) / sum(q for _, q in known)
        result = {"per_class": {"map@r": scores}, "class_queries": queries}
        records.append(final(method, repetition, mean, trial=1, result=result, **changes))
    return records


PER_SEED = [
    [0.1, 0.9, 0.4, 0.3, 0.55, 0.61, 0.05, 0.33],
    [0.2, 0.7, 0.5, 0.3, 0.57, 0.62, 0.07, 0.33],
    [0.3, 0.8, 0.6, 0.0, 0.53, 0.66, 0.09, 0.36],
]
QUERIES = [5, 20, 3, 8, 11, 1, 9, 2]


def test_the_interval_over_classes_is_a_direct_bootstrap():
    """Its ends are those of a bootstrap of the classes' means over seeds, weighted by queries, seeded by track and method."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_SEED, QUERIES))
    means = [0.2, 0.8, 0.5, 0.2, 0.55, 0.63, 0.07, 0.34]
    expected = class_bootstrap(means, QUERIES, seed=seed_of("classes", "made", "1.0", "triplet"), draws=DRAWS)
    assert (expected.low, expected.high) == pytest.approx(row.scores["map@r"].classes95, abs=1e-12)
    assert expected.mean == pytest.approx(row.scores["map@r"].mean, abs=1e-12)
    assert row.scores["recall@1"].classes95 is None
    (other,) = rows_of(TRACK, with_classes("npair", PER_SEED, QUERIES))
    assert other.scores["map@r"].classes95 != row.scores["map@r"].classes95


def test_classes_without_a_query_weigh_nothing():
    """A class in which no query has a positive has no score and changes nothing."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_SEED, QUERIES))
    (more,) = rows_of(TRACK, with_classes("triplet", [[None, *scores] for scores in PER_SEED], [0, *QUERIES]))
    assert row.scores["map@r"].classes95 == more.scores["map@r"].classes95


def test_older_records_have_no_interval_over_classes():
    """Without the number of queries per class there is none, and where the column is shown the row says why."""
    (row,) = rows_of(TRACK, with_classes("triplet", PER_SEED, None))
    assert row.scores["map@r"].classes95 is None
    records = with_classes("triplet", PER_SEED, None) + with_classes("npair", PER_SEED, QUERIES)
    shown = page.markdown(table_of(records), title="made", command="x")
    assert "- `triplet`: map@r over classes: its records do not say how many queries a class has" in shown.splitlines()
    alone = page.markdown(table_of(with_classes("triplet", PER_SEED, None)), title="made", command="x")
    assert "over classes" not in alone


@pytest.mark.parametrize(
    ("per_class", "queries"),
    [({"map@r": [0.1]}, [3]), ({"map@r": [0.1, None]}, [3, 0]), ({"map@r": [0.1, 0.2]}, [3, 3, 3]), ({}, [3, 3]), (None, None)],
)
def test_what_cannot_be_resampled_has_no_interval_over_classes(per_class, queries):
    """One class, one class with a score, counts that do not fit and metrics without scores per class give none."""
    (row,) = rows_of(TRACK, study("triplet", [0.3, 0.31, 0.32], result={"per_class": per_class, "class_queries": queries}))
    assert row.scores["map@r"].classes95 is None


def test_the_interval_over_classes_is_everywhere():
    """Markdown, CSV, JSON and the data frame show the same ends, in a column that is labelled apart from the t-interval."""
    from siambench.api import frame

    table = table_of([*with_classes("triplet", PER_SEED, QUERIES), final("raw", 0, 0.1)])
    low, high = table.lines[0].row.scores["map@r"].classes95
    shown = page.markdown(table, title="made", command="x").splitlines()
    head = next(line for line in shown if line.startswith("| group |")).split(" | ")
    cells = next(line for line in shown if "`triplet`" in line).split(" | ")
    assert f"[{low:.3f}, {high:.3f}]" == cells[head.index("map@r, 95 % over classes")]
    names, first, second = (line.split(",") for line in text.csv_text(table).splitlines())
    assert [f"{low:.12g}", f"{high:.12g}"] == [first[names.index(f"map@r_classes_{end}")] for end in ("low", "high")]
    assert ["", ""] == [second[names.index(f"map@r_classes_{end}")] for end in ("low", "high")]
    assert [low, high] == to_json(table)["rows"][0]["scores"]["map@r"]["classes95"]
    assert to_json(table)["rows"][0]["scores"]["recall@1"]["classes95"] is None
    rows = frame(table)
    assert [low, high] == [rows[f"map@r_classes_{end}"][0] for end in ("low", "high")]
    assert rows["map@r_classes_low"].isna()[1]


def test_the_caption_tells_the_intervals_apart():
    """The caption says what each interval is about, and that neither is about tuning; without classes it says what is missing."""
    both = " ".join(text.captions(table_of(with_classes("triplet", PER_SEED, QUERIES)), classes=True))
    for words in ("randomness of training", "choice of test classes", "gallery as it was", "Neither is about tuning", f"{DRAWS:,} draws"):
        assert words in both
    one = " ".join(text.captions(table_of(study("triplet", [0.3, 0.31, 0.32])), classes=False))
    assert "not about tuning, and not about the choice of test classes" in one


SCORES = {
    "triplet": [0.500, 0.510, 0.520, 0.490],
    "npair": [0.100, 0.119, 0.111, 0.104],
    "supcon": [0.512, 0.501, 0.522, 0.495],
    "arcface": [0.110, 0.112, 0.101, 0.099],
}


def several():
    return [record for method, scores in SCORES.items() for record in study(method, scores)]


def test_the_detectable_difference_is_that_of_a_typical_pair():
    """It is `minimum_detectable_difference` at the median over pairs of the spread of paired differences."""
    spreads = [statistics.stdev(a - b for a, b in zip(x, y, strict=True)) for x, y in itertools.combinations(SCORES.values(), 2)]
    expected = minimum_detectable_difference(statistics.median(spreads), 4, 6)
    table = table_of(several())
    assert expected == pytest.approx(table.detectable.difference, rel=1e-9)
    assert (4, 6, 0.8) == (table.detectable.seeds, table.detectable.pairs, table.detectable.power)
    document = to_json(table)["minimum_detectable_difference"]
    assert {"difference": table.detectable.difference, "seeds": 4, "pairs": 6, "power": 0.8} == document
    text = page.markdown(table, title="made", command="x")
    assert "With 4 seeds and 6 pairs, between two methods whose differences spread over seeds as those of the median pair do" in text
    assert f"a true difference of {expected:.3f} in map@r is found with probability 80 %" in text


@pytest.mark.parametrize(
    "records",
    [
        study("triplet", [0.3, 0.31, 0.32]),
        study("triplet", [0.3]) + study("npair", [0.1]),
        study("triplet", [0.25, 0.5, 0.75]) + study("npair", [0.5, 0.75, 1.0]),
        [final("raw", 0, 0.1), *(final("untrained", i, 0.04 + i / 100) for i in range(3))],
    ],
)
def test_without_pairs_seeds_or_spread_nothing_is_said_to_be_detectable(records):
    """One ranked row, one seed, equal differences at all seeds, and anchors alone leave the line out."""
    table = table_of(records)
    assert table.detectable is None
    assert "true difference" not in page.markdown(table, title="made", command="x")
    assert to_json(table)["minimum_detectable_difference"] is None


def test_seeds_that_a_row_lacks_do_not_count():
    """The number of seeds is that which the typical pair has in common."""
    records = study("triplet", [0.50, 0.51, 0.53, 0.49]) + study("npair", [0.10, 0.12, 0.11])
    assert 3 == table_of(records).detectable.seeds


def test_better_than_is_what_the_tests_show():
    """A row names the rows it is significantly better than; rows that are not told apart, and anchors, name nobody."""
    table = table_of([*several(), final("raw", 0, 0.01)])
    better = {row["method"]: row["better_than"] for row in to_json(table)["rows"]}
    assert {"supcon": ["npair", "arcface"], "triplet": ["npair", "arcface"], "npair": [], "arcface": [], "raw": []} == better
    for line in table.ranked:
        low, high = line.rank
        beaten_by = sum(table.lines.index(line) in rival.beats for rival in table.ranked)
        assert (low, high) == (1 + beaten_by, len(table.ranked) - len(line.beats))


def test_better_follows_the_direction():
    """With an error as the primary metric the smaller one is better."""
    rows = rows_of(TRACK, several())
    table = build(TRACK, rows, units=NO_UNITS, direction="min")
    better = {row["method"]: set(row["better_than"]) for row in to_json(table)["rows"]}
    assert {"arcface": {"supcon", "triplet"}, "npair": {"supcon", "triplet"}, "supcon": set(), "triplet": set()} == better


def test_the_page_lists_what_is_proven():
    """The section names, for each ranked row, whom it is better than and whom it is not told apart from."""
    shown = page.markdown(table_of([*several(), final("raw", 0, 0.01)]), title="made", command="x")
    section = shown.split("## What is proven")[1].split("##")[0]
    assert [
        "| 1 | `supcon` | `npair`, `arcface` | `triplet` |",
        "| 1 | `triplet` | all below | `supcon` |",
        "| 2 | `npair` | — | `arcface` |",
        "| 2 | `arcface` | — | `npair` |",
    ] == [line for line in section.splitlines() if line.startswith("| ") and "`" in line]
    assert "What is proven" not in page.markdown(table_of(study("triplet", [0.3, 0.31, 0.32])), title="made", command="x")


@pytest.mark.parametrize(
    ("place", "chosen", "expected"),
    [
        (0, set(), "—"),
        (0, {1, 2, 3, 4, 5, 6}, "all others"),
        (2, {3, 4, 5, 6}, "all below"),
        (5, {6}, "`m6`"),
        (0, {2, 3, 4, 5, 6}, "`m2` and all below"),
        (0, {1, 3, 4, 5, 6}, "`m1`, `m3` and all below"),
        (0, {1, 5, 6}, "`m1`, `m5`, `m6`"),
        (3, {1, 2, 4}, "`m1` … `m4`"),
        (3, {2, 4}, "`m2`, `m4`"),
        (3, {0, 2, 4, 6}, "`m0`, `m2`, `m4`, `m6`"),
        (6, {0, 1, 2, 4}, "`m0` … `m2`, `m4`"),
    ],
)
def test_places_are_named_in_few_words(place, chosen, expected):
    """Runs of neighbours in the order of the table are written as such, single rows by their names."""
    records = [record for i in range(7) for record in study(f"m{i}", [0.9 - i / 10, 0.91 - i / 10, 0.93 - i / 10])]
    assert expected == text.places_cell(table_of(records), place, chosen)


def test_tie_groups_are_visible():
    """The page has a column of groups, the terminal a rule between them, and CSV and JSON their numbers."""
    from rich.console import Console

    from siambench.board.show import console_table

    table = table_of([*several(), final("raw", 0, 0.01)])
    assert [1, 1, 2, 2, None] == [row["group"] for row in to_json(table)["rows"]]
    shown = page.markdown(table, title="made", command="x").splitlines()
    start = next(i for i, line in enumerate(shown) if line.startswith("| group | rank |"))
    assert ["1", "1", "2", "2", ""] == [line.split("|")[1].strip() for line in shown[start + 2 : start + 7]]
    console = Console(width=160, file=io.StringIO())
    console.print(console_table(table))
    lines = console.file.getvalue().splitlines()
    rules = [i for i, line in enumerate(lines) if line.startswith("├")]
    assert 2 == len(rules)
    assert ["triplet", "arcface"] == [lines[i - 1].split("│")[2].strip() for i in rules]


def test_concatenated_scores_stand_with_the_other_metrics():
    """Under the Reality Check's protocol the page, CSV and data frame show the concatenated scores, and the caption the protocol."""
    from siambench.api import frame

    rules = {"evaluation": {"distance": "euclidean", "protocol": "reality-check", "pairs": "official"}}
    records = study("triplet", [], **rules)
    for i in range(3):
        scores = {"map@r": 0.3 + i / 100, "recall@1": 0.5, "concatenated:map@r": 0.4 + i / 100, "concatenated:recall@1": 0.6}
        records.append(final("triplet", i, 0, trial=1, result={"scores": scores}, **rules))
    table = table_of([*records, final("raw", 0, 0.1)])
    shown = page.markdown(table, title="made", command="x")
    head = next(line for line in shown.split("## Other metrics")[1].splitlines() if line.startswith("| method"))
    assert "| method | eer | concatenated:map@r | concatenated:recall@1 |" == head
    assert "| `triplet` | — | 0.410 ± 0.025 | 0.600 ± 0.000 |" in shown
    assert "| `raw` | — | — | — |" in shown
    assert "protocol `reality-check`" in shown
    assert "Distance: euclidean." in shown
    assert "Verification pairs: `official`." in shown
    assert "concatenated:map@r_ci95" in text.csv_text(table).splitlines()[0].split(",")
    assert 0.41 == pytest.approx(frame(table)["concatenated:map@r"][0])
    assert 0.41 == pytest.approx(to_json(table)["rows"][0]["scores"]["concatenated:map@r"]["mean"])
    plain = page.markdown(table_of(study("triplet", [0.3, 0.31, 0.32])), title="made", command="x")
    assert "concatenated" not in plain
    assert "protocol `retrain`" in plain
    assert "Distance" not in plain


def test_the_legend_explains_the_anchors_that_occur():
    """Each anchor that siambench knows has words, and only those in the table are explained, in their order."""
    from siambench.spec import ANCHORS

    assert set(ANCHORS) <= set(text.ANCHOR_TEXTS)
    records = [final("pretrained", 0, 0.2), *(final("untrained", i, 0.04 + i / 100) for i in range(3)), final("raw", 0, 0.1)]
    table = table_of(study("triplet", [0.3, 0.31, 0.32]) + records)
    assert ["triplet", "raw", "untrained", "pretrained"] == [line.row.name for line in table.lines]
    legend = text.legend(table)
    assert legend.index("`raw`:") < legend.index("`untrained`:") < legend.index("`pretrained`:")
    without = text.legend(table_of(study("triplet", [0.3, 0.31, 0.32]) + records[1:]))
    assert "`untrained`:" in without
    assert "`pretrained`:" not in without


def test_a_missing_cell_has_its_reason():
    """A metric without a value shows a dash, and below the table its own note, that on pairs where it needs them, or the fact."""
    report = ("map@r", "eer", "tar@1e-3", "one_shot_error", "one_shot@20")
    track = TRACK.model_copy(update={"metrics": TRACK.metrics.model_copy(update={"report": report})})
    notes = {
        "verification": "too few classes",
        "tar@0.001": "needs 1000 impostor pairs, there are 30",
        "one_shot@20": "there are 12 classes",
        "precision": "similarities in fp32",
        "queries_without_positive": 3,
    }
    table = table_of(study("triplet", [0.3, 0.31, 0.32], result={"notes": notes}) + study("npair", [0.1, 0.12, 0.11]), track=track)
    shown = page.markdown(table, title="made", command="x").splitlines()
    for reason in (
        "- `triplet`: eer: too few classes",
        "- `triplet`: tar@1e-3: needs 1000 impostor pairs, there are 30",
        "- `triplet`, `npair`: one_shot_error: it does not apply",
        "- `triplet`: one_shot@20: there are 12 classes",
        "- `npair`: tar@1e-3: it does not apply",
    ):
        assert reason in shown
