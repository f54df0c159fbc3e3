"""Whether a plugin, or a loss in a file, keeps its contracts: ``check``."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, stdout_for_documents
from siambench.errors import ContractError
from siambench.wording import printable

if TYPE_CHECKING:
    from siambench.testing.contracts import Outcome

_WIDTH = 100
_STATES = ("passed", "failed", "skipped")


@click.command()
@click.argument("plugin", metavar="PLUGIN|./FILE.py:NAME")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(plugin: str, as_json: bool) -> None:  # noqa: FBT001
    """Examine the losses and miners of a plugin, or a loss in a file, against their contracts.

    PLUGIN is a name as `siambench plugins` shows it; siambench stands for what ships with it. Exits 6 where a contract is broken.
    """
    from siambench.components.catalogue import Catalogue
    from siambench.testing.contracts import check as examine
    from siambench.testing.contracts import subjects

    # Losses, miners and libraries print what they like; on stdout it would spoil the document.
    with stdout_for_documents():
        catalogue = Catalogue.load()
        chosen = subjects(plugin, catalogue)
        outcomes = examine(plugin, catalogue)
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in _STATES}
    if as_json:
        found = [
            {"component": o.component, "contract": o.contract, "state": o.state, "reason": printable(o.reason) or None} for o in outcomes
        ]
        print_json({"schema": 1, "target": plugin, "outcomes": found, "counts": counts})
    else:
        _show(outcomes)
    if not chosen.examined:
        click.echo(printable(f"{plugin} has neither losses nor miners"), err=True)
    if chosen.left_out:
        others = Counter(component.kind for component in chosen.left_out)
        kinds = ", ".join(f"{kind} ({number})" for kind, number in others.items())
        click.echo(f"not examined, because their kinds have no contracts yet: {kinds}", err=True)
    click.echo(", ".join(f"{number} {state}" for state, number in counts.items()), err=True)
    broken = [f"{outcome.component} {outcome.contract}" for outcome in outcomes if outcome.state == "failed"]
    if broken:
        raise ContractError(f"{plugin} breaks its contracts: {', '.join(broken)}")


def _show(outcomes: Sequence[Outcome]) -> None:
    width = max((len(outcome.contract) for outcome in outcomes), default=0)
    for component, found in groupby(outcomes, key=lambda outcome: outcome.component):
        click.echo(printable(component))
        for outcome in found:
            head = f"  {outcome.contract:<{width}}  {outcome.state:<7}  "
            text = head + printable(outcome.reason)
            lines = textwrap.wrap(text, _WIDTH, subsequent_indent=" " * len(head), drop_whitespace=True)
            click.echo("\n".join(lines))
