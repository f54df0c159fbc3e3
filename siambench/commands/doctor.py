"""Whether siambench is well on this machine: ``doctor``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json
from siambench.errors import UsageError
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.doctor import Finding, State

_RUNS = Path("siambench-runs")
_STATES: tuple[State, ...] = ("ok", "note", "problem")


@click.command()
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def doctor(as_json: bool) -> None:  # noqa: FBT001
    """Look at the installation, the machine, data, plugins and ./siambench-runs, and say what to do about what is wrong.

    Nothing is downloaded. Exits 0, or 4 where no unit could be run here.
    """
    from siambench.doctor import examine

    found: list[Finding] = []
    for finding in examine(_RUNS):
        if not as_json:
            _show(finding, first=not found or found[-1].section != finding.section)
        found.append(finding)
    counts = Counter(finding.state for finding in found)
    fatal = [finding for finding in found if finding.fatal]
    if as_json:
        findings = [
            {
                "section": finding.section,
                "name": printable(finding.name),
                "state": finding.state,
                "text": printable(finding.text),
                "advice": None if finding.advice is None else printable(finding.advice),
            }
            for finding in found
        ]
        print_json({"schema": 1, "usable": not fatal, "findings": findings, "counts": {state: counts[state] for state in _STATES}})
    else:
        click.echo(", ".join(f"{counts[state]} {state}" for state in _STATES), err=True)
    if fatal:
        raise UsageError(f"siambench cannot run here: {fatal[0].name}: {fatal[0].text}; {fatal[0].advice}")


def _show(finding: Finding, *, first: bool) -> None:
    if first:
        click.echo(finding.section)
    click.echo(printable(f"  {finding.state:<7}  {finding.name}: {finding.text}"))
    if finding.advice is not None:
        click.echo(printable(f"           → {finding.advice}"))
