"""What is installed: ``list``."""

from __future__ import annotations

import click

from siambench.commands.terminal import print_json
from siambench.wording import printable


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
    if as_json:
        print_json(
            [
                {
                    "kind": c.kind,
                    "name": c.name,
                    "distribution": c.provenance.distribution,
                    "version": c.provenance.version,
                    "source": c.entry.source,
                }
                for c in found
            ]
        )
        return
    width = max((len(c.name) for c in found), default=0)
    last = None
    for component in found:
        if component.kind != last:
            click.echo(component.kind)
            last = component.kind
        where = "" if component.provenance.distribution == "siambench" else f"  [{component.provenance}]"
        click.echo(printable(f"  {component.name:<{width}}  {component.entry.source}{where}"))
    for name in catalogue.failed:
        click.echo(printable(f"plugin {name} failed to load; see siambench plugins --errors"), err=True)
