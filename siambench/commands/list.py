"""What is installed: ``list``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from siambench.commands.terminal import print_json
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.components.component import Component


@click.command(name="list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_components(kind: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List what is installed.

    KIND is datasets, backbones, losses, miners, samplers, metrics, engines, observers, formats, tracks, configs, augmentations, optimisers,
    schedules or split-rules; without it, all of them.
    """
    from siambench.components.catalogue import Catalogue, check_kind, plural

    if kind is not None:
        kind = plural(kind)
        check_kind(kind)
    catalogue = Catalogue.load()
    found = catalogue.components(kind)
    # Which files are missing takes numpy to tell: it is told where data sets alone are asked for.
    lacking = {c.name: _missing(c) for c in found} if kind == "datasets" else {}
    if as_json:
        print_json([_as_document(c) | ({"missing": lacking[c.name]} if lacking else {}) for c in found])
        return
    width = max((len(c.name) for c in found), default=0)
    last = None
    for component in found:
        if component.kind != last:
            click.echo(component.kind)
            last = component.kind
        where = "" if component.provenance.distribution == "siambench" else f"  [{component.provenance}]"
        said = getattr(component.entry, "licence", "")
        licence = f"; licence: {said}" if said and said not in component.entry.source else ""
        gone = lacking.get(component.name)
        needed = f"  [{len(gone)} {'file' if len(gone) == 1 else 'files'} missing: siambench show dataset {component.name}]" if gone else ""
        click.echo(printable(f"  {component.name:<{width}}  {component.entry.source}{licence}{where}{needed}"))
    for name in catalogue.failed:
        click.echo(printable(f"plugin {name} failed to load; see siambench plugins --errors"), err=True)


def _as_document(component: Component) -> dict[str, Any]:
    entry, where = component.entry, component.provenance
    of_data = {key: getattr(entry, key) for key in ("licence", "holds", "split")} if component.kind == "datasets" else {}
    return {
        "kind": component.kind,
        "name": component.name,
        "distribution": where.distribution,
        "version": where.version,
        "source": entry.source,
        **of_data,
    }


def _missing(component: Component) -> list[str] | None:
    """Names of files of a data set that are not on this machine; None where that shows when it is loaded."""
    from siambench.data.locate import missing

    files = component.entry.files
    return None if files is None else [remote.name for remote in missing(files())]
