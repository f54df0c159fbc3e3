"""The forms of documents as JSON schemas, for editors and for whoever reads them with other tools: ``schema``."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import click

from siambench.commands.terminal import print_json
from siambench.errors import UsageError, suggestion
from siambench.identity import form_of

DIALECT = "https://json-schema.org/draft/2020-12/schema"

FORMS = {
    "track": "the rules of an exam, `track.toml`",
    "comparison": "a track and the methods that sit it, a TOML file for `siambench run`",
    "record": "what a unit leaves, one JSON file in `records/`",
    "table": "a leaderboard: `leaderboard TRACK --format json`, `run --json`",
    "across": "mean ranks over tracks: `leaderboard TRACK TRACK… --format json`",
    "diagnosis": "what is said of a training run: `diagnose --json`, and `diagnosis` in a record's telemetry",
    "measures": "what is measured of an epoch: the rows of `measures` in a record's telemetry",
}
"""What there is a schema of, and what it is."""

INSTALLED = {
    "track": {
        "dataset.name": "datasets",
        "split.rule": "split_rules",
        "model.backbone": "backbones",
        "training.optimiser": "optimisers",
        "training.schedule": "schedules",
        "metrics.primary": "metrics",
    },
    "comparison": {
        "track": "tracks",
        "methods.loss": "losses",
        "methods.miner": "miners",
        "methods.backbone": "backbones",
    },
}
"""The keys whose values are names of components, of which kind: editors offer what is installed, and others are allowed."""


@click.command()
@click.argument("form", required=False)
@click.option("--installed/--not-installed", default=True, help="Offer the names of what is installed here.  [default: installed]")
def schema(form: str | None, installed: bool) -> None:  # noqa: FBT001
    """Print the JSON schema of a form of document, or without FORM what there is.

    \b
    siambench schema track > track.schema.json     and in a track's first line: #:schema ./track.schema.json
    """  # noqa: D301  the \b is click's mark of lines that stay as they are
    if form is None:
        width = max(map(len, FORMS))
        for name, about in FORMS.items():
            click.echo(f"{name:<{width}}  {about.replace('`', '')}")
        return
    if form not in FORMS:
        raise UsageError(f"no such form of document: {form!r}{suggestion(form, FORMS)}; forms: {', '.join(FORMS)}")
    print_json(schema_of(form, names=_installed(form) if installed else {}))


def _installed(form: str) -> dict[str, list[str]]:
    """The names of what is installed, by the keys whose values they may be."""
    if form not in INSTALLED:
        return {}
    from siambench.components.catalogue import Catalogue
    from siambench.tracks.rules import DEFAULT_METRICS

    catalogue = Catalogue.load()
    found = {key: catalogue.names(kind) for key, kind in INSTALLED[form].items()}
    # What is called by a path, or with a number, has no name to offer.
    paths = {one.name for one in catalogue.components("datasets") if one.entry.takes_path}
    known = {"datasets": (paths, ()), "metrics": ({name for name in catalogue.names("metrics") if "@" in name}, DEFAULT_METRICS)}
    for key, kind in INSTALLED[form].items():
        if kind in known:
            without, more = known[kind]
            found[key] = sorted({*found[key], *more} - {*without} | {*more})
    return found


def schema_of(form: str, *, names: Mapping[str, list[str]] | None = None) -> dict[str, Any]:
    """The JSON schema of a form of document.

    Args:
        form: one of `FORMS`.
        names: that are offered, by the dotted key whose values they may be; others stay allowed.
    """
    made = {"track": _track, "comparison": _comparison}.get(form) or (lambda _: form_of(_types()[form]))
    found = made(names or {})
    return {"$schema": DIALECT, **found, "title": f"siambench {form}", "description": FORMS[form]}


def _types() -> dict[str, Any]:
    """What the documents are that are made of frozen dataclasses."""
    from siambench.board.document import AcrossDocument, TableDocument
    from siambench.interfaces import Measures
    from siambench.records.record import File

    return {"record": File, "table": TableDocument, "across": AcrossDocument, "diagnosis": _diagnosis(), "measures": Measures}


def _diagnosis() -> Any:
    """`siambench.interfaces.Diagnosis` as ``diagnose --json`` prints it, with the number of its layout."""
    from siambench.interfaces import Diagnosis

    return dataclasses.make_dataclass(
        "DiagnosisDocument", [("schema", int, dataclasses.field(default=1))], bases=(Diagnosis,), frozen=True, kw_only=True
    )


def _track(names: Mapping[str, list[str]]) -> dict[str, Any]:
    from siambench.tracks.rule_texts import RANGE, TRACK
    from siambench.tracks.rules import Track

    made = form_of(Track)
    parts = made["$defs"]
    for key, place in places(made):
        place["description"] = TRACK.get(key, place.get("description", ""))
    for key, text in RANGE.items():
        parts["RangeRules"]["properties"][key]["description"] = text
    parts["RangeRules"] = {"anyOf": [{"type": "number"}, parts["RangeRules"]]}
    parts["BudgetRules"]["properties"]["seeds"] = {"type": "integer", "deprecated": True, "description": "the older word for repetitions"}
    # Of two backbones each may have a table of its own.
    options = parts["ModelRules"]["properties"]["options"]
    options["additionalProperties"]["anyOf"].append({"type": "object"})
    _offer(made, names)
    report = parts["MetricRules"]["properties"]["report"]
    if "metrics.primary" in names:
        report["items"] = _offered({"type": "string"}, names["metrics.primary"])
    return made


def _comparison(names: Mapping[str, list[str]]) -> dict[str, Any]:
    from siambench.spec import FEEDS, LIST_FEEDS
    from siambench.tracks.rule_texts import COMPARISON
    from siambench.tracks.rules import Comparison

    made = form_of(Comparison)
    for key, place in places(made):
        place["description"] = COMPARISON.get(key, place.get("description", ""))
    made["properties"]["seeds"] = {"type": "integer", "deprecated": True, "description": "the older word for repetitions"}
    feed = made["$defs"]["MethodRules"]["properties"]["feed"]
    del feed["type"]
    feed["anyOf"] = [{"enum": list(FEEDS)}, {"type": "string", "pattern": f"^({'|'.join(LIST_FEEDS)})=."}]
    _offer(made, names)
    return made


def places(made: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each key of a document, dotted, and where its schema stands: those of the document itself, and of the tables in it."""
    for name, place in made["properties"].items():
        yield name, place
        for inner in _tables(place):
            for own, below in made["$defs"][inner].get("properties", {}).items():
                yield f"{name}.{own}", below


def _tables(place: Mapping[str, Any]) -> Iterator[str]:
    """The names of the definitions that a key's schema refers to."""
    for one in (place, place.get("items", {}), *place.get("anyOf", ()), *place.get("allOf", ())):
        if "$ref" in one:
            yield one["$ref"].rpartition("/")[2]


def _offer(made: dict[str, Any], names: Mapping[str, list[str]]) -> None:
    """Offer names where a key's value is one, or a list of them."""
    for key, place in places(made):
        if key in names and "anyOf" in place:
            place["anyOf"] = [_within(one, names[key]) for one in place["anyOf"]]
        elif key in names:
            kept: dict[str, Any] = {word: place.pop(word) for word in ("type", "pattern", "maxLength") if word in place}
            place.update(_offered(kept, names[key]))


def _within(one: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """A schema of text, or of a list of texts, with the names offered."""
    if one.get("type") == "array":
        return {**one, "items": _offered(one["items"], names)}
    return _offered(one, names) if one.get("type") == "string" else one


def _offered(text: dict[str, Any], names: list[str]) -> dict[str, Any]:
    return {"anyOf": [{"enum": names}, text]} if names else text
