"""Who provides components, or why not: ``plugins``."""

from __future__ import annotations

import click

from siambench.commands.terminal import print_json
from siambench.wording import printable


@click.command()
@click.option("--errors", is_flag=True, help="Only those that failed, with their reasons.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def plugins(errors: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the plugins, and what each provides or why it failed."""
    from siambench.components.catalogue import Catalogue

    found = [p for p in Catalogue.load().plugins if not errors or p.error is not None]
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
        click.echo(printable(text + (f": {plugin.error}" if plugin.error else f", {len(plugin.components)} components")))
    if errors and not found:
        click.echo("no plugin failed", err=True)
