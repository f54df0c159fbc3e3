"""The exams that ship: ``tracks``."""

from __future__ import annotations

import click

from siambench.commands.terminal import print_json


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def tracks(as_json: bool) -> None:  # noqa: FBT001
    """List the tracks that ship with siambench."""
    from siambench.tracks.files import load_track, track_names

    found = [load_track(name) for name in track_names()]
    if as_json:
        print_json([{"name": t.name, "version": t.version, "title": t.title, "dataset": t.dataset.name} for t in found])
        return
    for track in found:
        budget = f"{track.budget.trials} trials, {track.budget.repetitions} seeds, by {track.metrics.primary}"
        click.echo(f"{track.name} {track.version}  {track.title or track.dataset.name}: {budget}")
