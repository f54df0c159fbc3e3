"""Who provides components, or why not: ``plugins``."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json
from siambench.wording import printable, several

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue
    from siambench.components.component import PluginStatus


@click.command()
@click.option("--errors", is_flag=True, help="Only those that failed, with their reasons.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def plugins(errors: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the plugins, and what each provides or why it failed."""
    from siambench.components.catalogue import Catalogue, provided_twice

    catalogue = Catalogue.load()
    for components in catalogue.twice.values():
        click.echo(printable(f"{provided_twice(components)}: by that name neither can be used"), err=True)
    found = [p for p in _examined(catalogue) if not errors or p.error is not None]
    if as_json:
        print_json(
            [
                {
                    "plugin": p.plugin,
                    "distribution": p.distribution,
                    "version": p.version,
                    "status": p.status,
                    "error": p.error,
                    "components": list(p.components),
                }
                for p in found
            ]
        )
        return
    for plugin in found:
        text = f"{plugin.plugin}  {plugin.distribution} {plugin.version}  {plugin.status}"
        click.echo(
            printable(text + (f": {plugin.error}" if plugin.error else f", {several(len(plugin.components), 'component', 'components')}"))
        )
    if errors and not found:
        click.echo("no plugin failed", err=True)


def _examined(catalogue: Catalogue) -> list[PluginStatus]:
    """How each plugin fared, those with a track or a comparison that does not hold too: what else they provide can be used."""
    from siambench.errors import SiambenchError

    faults: dict[str, str] = {}
    lost: set[str] = set()
    for component in (*catalogue.components("tracks"), *catalogue.components("configs")):
        plugin = component.provenance.plugin
        if plugin == "siambench":
            continue
        from siambench.tracks.files import load_comparison, load_named

        try:
            if component.kind == "tracks":
                load_named(component.entry.path, component.name)
            else:
                load_comparison(component.entry.path)
        except SiambenchError as error:
            faults.setdefault(plugin, str(error))
            lost.add(f"{component.kind}:{component.name}")
    return [
        dataclasses.replace(status, error=faults[status.plugin], components=tuple(one for one in status.components if one not in lost))
        if status.plugin in faults
        else status
        for status in catalogue.plugins
    ]
