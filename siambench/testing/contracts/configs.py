"""What a comparison promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.errors import DataMissingError, PluginError
from siambench.spec import NO_MINER
from siambench.studies.methods import methods_of
from siambench.studies.request import Request, prepare
from siambench.testing.contracts.terms import Contract
from siambench.tracks.files import load_comparison, load_track


def rules(component: Component) -> None:
    """Its file holds, and says of itself what it is for."""
    load_comparison(component.entry.path)
    if not component.entry.about:
        raise PluginError("it opens without a comment: say what it compares, how long that takes and what to expect")


def components(component: Component) -> None:
    """The track that it names is there, and each loss, miner and backbone."""
    comparison, catalogue = load_comparison(component.entry.path), Catalogue.load()
    load_track(comparison.track)
    for method in methods_of(comparison.methods):
        catalogue.get("losses", method.loss)
        if method.miner != NO_MINER:
            catalogue.get("miners", method.miner)
        if method.backbone is not None:
            catalogue.get("backbones", method.backbone)


def planned(component: Component) -> str | None:
    """Its studies are planned, and no combination is refused; skipped where the data is not here."""
    try:
        prepared = prepare(Request(comparison=str(component.entry.path)), Catalogue.load())
    except DataMissingError as error:
        return f"its data is not here: {error}"
    if prepared.refused:
        refused = prepared.refused[0]
        raise PluginError(f"{refused.method.name} makes no sense: {refused.reason}")
    return None


CONTRACTS = (
    Contract("rules", "its file holds, and opens with a comment that says what it is for", rules, first=True),
    Contract("components", "its track is there, and each loss, miner and backbone is installed", components, first=True),
    Contract("planned", "its studies are planned, and no combination is refused", planned),
)
"""What is examined of a comparison, in this order."""
