"""What is installed and what ships: ``list``, ``show``, ``tracks``, ``plugins``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_grid, print_json
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.components.catalogue import Catalogue


def _catalogue() -> Catalogue:
    from siambench.components.catalogue import Catalogue

    return Catalogue.load()


@click.command(name="list")
@click.argument("kind", required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def list_components(kind: str | None, as_json: bool) -> None:  # noqa: FBT001
    """List what is installed: KIND is datasets, backbones, losses, miners, samplers, metrics or engines."""
    from siambench.components.catalogue import check_kind

    catalogue = _catalogue()
    if kind is not None:
        check_kind(kind)
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


@click.command()
@click.argument("kind")
@click.argument("name", metavar="NAME|TRACK")
@click.argument("row", required=False)
@click.option(
    "--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose records join a study's."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def show(kind: str, name: str, row: str | None, more: tuple[Path, ...], as_json: bool) -> None:  # noqa: FBT001
    """Show one component, or how a row of a leaderboard was tuned.

    \b
    siambench show loss triplet             its space, defaults, batch layout, source and provenance
    siambench show study glyphs triplet     every trial, the curve of the best so far, and what was selected
    """  # noqa: D301  the \b is click's mark of lines that stay as they are
    if kind == "study":
        if row is None:
            raise click.UsageError("a study is named by its track and its row: siambench show study TRACK ROW")
        _show_study(name, row, more, as_json=as_json)
        return
    if row is not None or more:
        extra = row if row is not None else "--from"
        raise click.UsageError(f"{extra} goes with a study alone: siambench show study TRACK ROW")
    _show_component(kind, name, as_json=as_json)


def _show_study(track: str, row: str, more: tuple[Path, ...], *, as_json: bool) -> None:
    from siambench.board import files as shelf
    from siambench.board import tuning as ledger
    from siambench.board.show import ledger_summary, ledger_table

    found, studies = shelf.study(track, row, more)
    if as_json:
        print_json(ledger.to_json(found, studies=studies))
        return
    print_grid(ledger_table(found))
    for sentence in ledger_summary(found, studies=studies):
        click.echo(printable(sentence))


def _show_component(kind: str, name: str, *, as_json: bool) -> None:
    from siambench.board.show import describe
    from siambench.components.catalogue import plural

    facts = describe(_catalogue().get(plural(kind), name))
    if as_json:
        print_json(facts)
        return
    for key, value in facts.items():
        if isinstance(value, dict):
            click.echo(f"{key}:" + ("" if value else " none"))
            for inner, content in value.items():
                shown = content if not isinstance(content, dict) else "  ".join(f"{k}={v}" for k, v in content.items())
                click.echo(printable(f"  {inner}: {shown}"))
        else:
            click.echo(printable(f"{key}: {value}"))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def tracks(as_json: bool) -> None:  # noqa: FBT001
    """List the tracks that ship with siambench."""
    from siambench.tracks.rules import load_track, track_names

    found = [load_track(name) for name in track_names()]
    if as_json:
        print_json([{"name": t.name, "version": t.version, "title": t.title, "dataset": t.dataset.name} for t in found])
        return
    for track in found:
        budget = f"{track.budget.trials} trials, {track.budget.seeds} seeds, by {track.metrics.primary}"
        click.echo(f"{track.name} {track.version}  {track.title or track.dataset.name}: {budget}")


@click.command()
@click.option("--errors", is_flag=True, help="Only those that failed, with their reasons.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def plugins(errors: bool, as_json: bool) -> None:  # noqa: FBT001
    """List the plugins, and what each provides or why it failed."""
    found = [p for p in _catalogue().plugins if not errors or p.error is not None]
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
