"""Older records: ``upgrade``."""

from __future__ import annotations

from pathlib import Path

import click

from siambench.commands.terminal import stdout_for_documents
from siambench.commands.waiting import Waiting


@click.command()
@click.argument("directory", type=click.Path(path_type=Path))
def upgrade(directory: Path) -> None:
    """Bring the records in DIRECTORY, which an older siambench wrote, to today's layout.

    DIRECTORY is an output folder of run, a folder of such folders, or a track's folder. The old files are kept beside the new ones.
    """
    from siambench.records.upgrade import upgrade as bring
    from siambench.studies.contents import groups_of

    with Waiting(f"bringing the records in {directory} to today's layout"), stdout_for_documents():
        found_folders = bring(directory, groups_of())
    for found in found_folders:
        for path in found.damaged:
            click.echo(f"passed over {path}: no intact record", err=True)
        click.echo(f"{found.folder}: {found.records} records upgraded, {found.current} were up to date")
