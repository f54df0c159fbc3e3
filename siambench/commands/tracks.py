"""The exams that came with siambench and with plugins: ``tracks``."""

from __future__ import annotations

from pathlib import Path

import click

from siambench.commands.terminal import print_json
from siambench.wording import printable, several


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def tracks(as_json: bool) -> None:  # noqa: FBT001
    """List the tracks that ship with siambench, and those of plugins."""
    from siambench.errors import SiambenchError
    from siambench.tracks.files import load_named, load_track, track_names
    from siambench.tracks.provided import provided

    found = [(load_track(name), "siambench", "") for name in track_names()]
    broken = {}
    for component in provided("tracks"):
        try:
            found.append(
                (load_named(Path(component.entry.path), component.name), component.provenance.distribution, f"  [{component.provenance}]")
            )
        except SiambenchError as error:
            broken[component.name] = str(error)
    found.sort(key=lambda one: one[0].name)
    if as_json:
        print_json(
            [
                {"name": t.name, "version": t.version, "title": t.title, "dataset": t.dataset.name, "distribution": distribution}
                for t, distribution, _ in found
            ]
        )
    else:
        for track, _, where in found:
            studies = several(track.budget.studies, "study", "studies")
            trials = several(track.budget.trials, "trial", "trials")
            repetitions = several(track.budget.repetitions, "repetition", "repetitions")
            budget = f"{studies} of {trials} and {repetitions}, by {track.metrics.primary}"
            click.echo(printable(f"{track.name} {track.version}  {track.title or track.dataset.name}: {budget}{where}"))
    for name, reason in broken.items():
        click.echo(printable(f"the track {name} cannot be used: {reason}"), err=True)
