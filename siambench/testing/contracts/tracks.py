"""What a track promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from pathlib import Path

from siambench.board import files, pages
from siambench.components.catalogue import Catalogue, check_options
from siambench.components.component import Component
from siambench.errors import DataMissingError, PluginError
from siambench.spec import is_two_sided
from siambench.studies.request import Request, prepare
from siambench.testing.contracts.terms import Contract
from siambench.tracks.files import home_of, load_named
from siambench.tracks.rules import Track

_BASELINES = ("raw", "untrained")
"""Those of every table; the third is there where training starts from pretrained weights."""

_LOSS, _ACROSS_SIDES = "contrastive", "clip"
"""What a study is planned of: it can be fed every track's data, or that of items of two sides, and has nothing to install."""


def _rules(component: Component) -> Track:
    return load_named(Path(component.entry.path), component.name)


def _has_sides(component: Component) -> bool:
    return is_two_sided(_rules(component).model.backbone)


def _baselines(component: Component) -> tuple[str, ...]:
    # Two sides are seldom of one form and shape, and have no raw row then; a run says why.
    return ("untrained",) if _has_sides(component) else _BASELINES


def rules(component: Component) -> None:
    """Its ``track.toml`` holds, and bears its name."""
    _rules(component)


def components(component: Component) -> None:
    """All that it names is installed: data set and backbone with the options that it sets, and each metric."""
    track, catalogue = _rules(component), Catalogue.load()
    check_options(catalogue.get("datasets", track.dataset.name), track.dataset.name, track.dataset.options)
    check_options(catalogue.get("backbones", track.model.backbone), track.model.backbone, track.model.options)
    catalogue.metrics(track.metrics.report)


def planned(component: Component) -> str | None:
    """Its data is cut as it says, and a study is planned with each baseline; skipped where the data is not here."""
    loss = _ACROSS_SIDES if _has_sides(component) else _LOSS
    try:
        prepared = prepare(Request(track=str(component.entry.path), losses=(loss,), trials=1, repetitions=1), Catalogue.load())
    except DataMissingError as error:
        return f"its data is not here: {error}"
    known = {unit.method.baseline for unit in prepared.baselines}
    missing = [name for name in _baselines(component) if name not in known]
    if missing:
        raise PluginError(f"no baseline {missing[0]} is planned")
    return None


def records(component: Component) -> str | None:
    """Its records are whole, each baseline is among them, and its pages are what they give; skipped where it has none."""
    folder = Path(component.entry.path)
    if not any((folder / "records").glob("*.json")):
        return "it comes without records: its table begins empty"
    # A page shows the command that writes it: with the name, where that finds this very track.
    table, found = files.leaderboard(component.name if home_of(component.name) == folder else str(folder))
    pages.check_intact(found.damaged)
    if not found.chosen.records:
        raise PluginError("none of its records is of the exam that its rules are: other rules, or another version")
    known = {record.unit.method.baseline for record in found.chosen.records}
    missing = [name for name in _baselines(component) if name not in known]
    if missing:
        raise PluginError(f"its records hold no baseline {missing[0]}: every table carries its baselines")
    if (folder / "README.md").exists():
        pages.check(folder, table)
    return None


CONTRACTS = (
    Contract("rules", "its `track.toml` holds, and bears its name", rules, first=True),
    Contract("components", "all that it names is installed, with the options that it sets", components, first=True),
    Contract("planned", "its data is cut as it says, and a study is planned with each baseline", planned),
    Contract("records", "its records are whole, hold each baseline, and give the page beside them", records),
)
"""What is examined of a track, in this order."""
