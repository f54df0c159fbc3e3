"""``schema``: the documents that there are keep the schemas that it prints, and what siambench refuses the schemas refuse."""

from __future__ import annotations

import copy
import json
import tomllib
from pathlib import Path

import pytest

from siambench.board.document import RowDocument, TableDocument
from siambench.commands.schema import FORMS, INSTALLED, places, schema_of
from siambench.tracks.rule_texts import COMPARISON, TRACK
from siambench.tracks.rules import Comparison, Track

jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed: pip install -e '.[test]'")

ROOT = Path(__file__).parents[2]
RULES = {path.parent.name: tomllib.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("leaderboards/*/track.toml")}
SCHEMAS = {form: schema_of(form) for form in FORMS}


def reasons(form, document):
    """Where and why a document does not keep its schema."""
    plain = json.loads(json.dumps(document, allow_nan=False))
    return [f"{'.'.join(map(str, error.path))}: {error.message}"[:200] for error in validator(form).iter_errors(plain)]


def validator(form):
    return jsonschema.Draft202012Validator(SCHEMAS[form])


@pytest.mark.parametrize("form", FORMS)
def test_each_is_a_schema(form):
    """What is printed is a JSON schema of the dialect that it names, and says what it is of."""
    jsonschema.Draft202012Validator.check_schema(SCHEMAS[form])
    assert f"siambench {form}" == SCHEMAS[form]["title"]
    assert SCHEMAS[form]["$schema"] == jsonschema.Draft202012Validator.META_SCHEMA["$id"]


@pytest.mark.parametrize("name", RULES)
def test_every_shipped_track_keeps_it(name):
    """Each track that ships validates, with and without the names of what is installed."""
    assert [] == reasons("track", RULES[name])


def test_every_shipped_comparison_keeps_it():
    """Each comparison that ships validates."""
    found = {path.name: reasons("comparison", tomllib.loads(path.read_text(encoding="utf-8"))) for path in ROOT.glob("configs/*.toml")}
    assert len(found) > 10
    assert {name: [] for name in found} == found


@pytest.mark.parametrize("name", ["glyphs", "signatures-paper"])
def test_shipped_records_keep_it(name):
    """Records of tune units, final units and baselines that ship validate, among them those of whole studies."""
    paths = sorted((ROOT / "leaderboards" / name / "records").glob("*.json"))[::40]
    assert len(paths) >= 5
    assert {path.name: [] for path in paths} == {path.name: reasons("record", json.loads(path.read_text())) for path in paths}


def test_tables_keep_it(siambench):
    """The table of glyphs, one of a track without records, and the mean ranks over two tracks validate, as they are printed."""
    for track in ("glyphs", "texts"):
        table = json.loads(siambench("leaderboard", track, "--format", "json").stdout)
        assert [] == reasons("table", table)
    across = json.loads(siambench("leaderboard", "glyphs", "signatures-paper", "--format", "json").stdout)
    assert across["methods"]
    assert [] == reasons("across", across)


def test_a_run_keeps_it(siambench, tiny_track, tmp_path):
    """What `run --json` prints validates as a table, its record as a record with its measures, and its diagnosis as a diagnosis."""
    done = siambench("run", "--track", tiny_track, "--loss", "triplet", "--trials", "1", "--repetitions", "1", "--json")
    assert 0 == done.returncode, done.stderr
    table = json.loads(done.stdout)
    assert table["data"]
    assert [] == reasons("table", table)
    paths = list(tmp_path.rglob("siambench-runs/*/records/*.json"))
    assert paths
    measured = 0
    for path in paths:
        record = json.loads(path.read_text())
        assert [] == reasons("record", record)
        for row in record["telemetry"].get("measures", []):
            measured += 1
            assert [] == reasons("measures", row)
        if record["telemetry"].get("diagnosis"):
            assert [] == reasons("diagnosis", {"schema": 1, **record["telemetry"]["diagnosis"]})
    assert measured


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("colour",), "red"),
        (("name",), "Glyphs!"),
        (("version",), "two"),
        (("schema",), 2),
        (("training", "epochs"), 0),
        (("training", "epochs"), "8"),
        (("training", "epoch"), 8),
        (("training", "precision"), "fp8"),
        (("split", "folds"), 1),
        (("split", "test_fraction"), 1.0),
        (("evaluation",), {"distance": "manhattan"}),
        (("space",), {"lr": {"low": 1e-3, "high": 1e-1}}),
        (("budget", "trials"), 0),
        (("augment",), {"rotate": 200.0}),
        (("metrics", "report"), "map@r"),
    ],
)
def test_what_a_track_may_not_say_the_schema_refuses(place, value):
    """Each change of a track that siambench refuses does not validate either."""
    rules = copy.deepcopy(RULES["glyphs"])
    inner = rules
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value

    with pytest.raises(ValueError, match=place[-1]):
        Track.model_validate(rules)
    assert reasons("track", rules)


@pytest.mark.parametrize(
    "rules",
    [
        {"methods": [{"loss": ["triplet", "./mine.py:MyLoss"], "miner": "hard"}]},
        {"methods": [{"loss": "triplet", "feed": "triplets=mined.csv"}], "studies": "all", "set": {"loss.margin": 0.2}},
        {"methods": [{"loss": "a"}], "space": ["loss.margin=0.1..0.2", "reality-check"], "seeds": 3, "schema": 1, "track": "./mine.toml"},
    ],
)
def test_what_a_comparison_may_say_the_schema_admits(rules):
    """Files of losses, lists, spaces, older words: what siambench reads validates."""
    Comparison.model_validate(rules)
    assert [] == reasons("comparison", rules)


@pytest.mark.parametrize("rules", [{}, {"methods": []}, {"methods": [{"miner": "hard"}]}, {"methods": [{"loss": "a", "feed": "pear"}]}])
def test_what_a_comparison_may_not_say_the_schema_refuses(rules):
    """No methods, a method without a loss, an unknown feed."""
    with pytest.raises(ValueError, match="methods"):
        Comparison.model_validate(rules)
    assert reasons("comparison", rules)


def test_further_augmentations_and_backbones_of_two_sides_are_admitted():
    """A table of a further augmentation, options of two backbones in tables, and a number in the place of a range validate."""
    rules = copy.deepcopy(RULES["glyphs"])
    rules["augment"]["cutout"] = {"size": 8}
    rules["space"] = {"lr": 1e-3}
    rules["model"] = {"backbone": "conv4|bag", "options": {"first": {"width": 16}, "second.width": 8}}

    Track.model_validate(rules)
    assert [] == reasons("track", rules)


@pytest.mark.parametrize(("form", "texts", "more"), [("track", TRACK, {"augment.NAME"}), ("comparison", COMPARISON, set())])
def test_every_key_has_its_words(form, texts, more):
    """Each key of a track and of a comparison has a text, each text a key, and the schema says it."""
    tables = {"dataset", "split", "model", "training", "augment", "space", "budget", "evaluation", "metrics"} if form == "track" else set()
    keys = {key: place for key, place in places(SCHEMAS[form]) if not place.get("deprecated") and key not in tables}
    told = {key for key in keys if key.count(".") < 2 and not key.startswith("space.lr.")}

    assert set(texts) - more == told
    for key in told:
        assert texts[key] == keys[key]["description"]


def test_values_of_records_and_tables_say_what_they_are():
    """Each key of a table and of its rows, and each of a unit, has a description from its docstring."""
    for part in (SCHEMAS["table"], SCHEMAS["table"]["$defs"]["RowDocument"], SCHEMAS["record"], SCHEMAS["record"]["$defs"]["Unit"]):
        assert [] == [key for key, place in part["properties"].items() if not place.get("description")]
    assert RowDocument.__doc__
    assert TableDocument.__doc__


@pytest.mark.parametrize("form", INSTALLED)
def test_names_of_what_is_installed_are_offered_and_others_admitted(siambench, form):
    """The command offers names of components where one is asked for, no stand-in for a path or a number; other text validates."""
    printed = json.loads(siambench("schema", form).stdout)
    offered = {
        key: {name for one in place["anyOf"] for name in one.get("enum", one.get("items", {}).get("anyOf", [{}])[0].get("enum", ()))}
        for key, place in places(printed)
        if key in INSTALLED[form]
    }
    assert INSTALLED[form].keys() == offered.keys()
    some = {
        "track": ("metrics.primary", "recall@1", "recall@k", "dataset.name", "glyphs", "folder"),
        "comparison": ("methods.loss", "triplet", "sum"),
    }
    for place in range(0, len(some[form]), 3):
        key, there, missing = some[form][place : place + 3]
        assert there in offered[key]
        assert missing not in offered[key]
    assert SCHEMAS[form] == json.loads(siambench("schema", form, "--not-installed").stdout)
    rules = RULES["glyphs"] | {"model": {"backbone": "of-a-plugin"}} if form == "track" else {"methods": [{"loss": "of-a-plugin"}]}
    assert [] == [error.message for error in jsonschema.Draft202012Validator(printed).iter_errors(rules)]


def test_without_a_word_it_says_what_there_is(siambench):
    """Without a form each is named with what it is; an unknown one is one sentence with the nearest, exit 4."""
    done = siambench("schema")
    assert list(FORMS) == [line.split()[0] for line in done.stdout.splitlines()]
    wrong = siambench("schema", "trakc")
    assert (4, "") == (wrong.returncode, wrong.stdout)
    assert "no such form of document: 'trakc', did you mean 'track'?" in wrong.stderr
