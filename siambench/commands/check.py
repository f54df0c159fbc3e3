"""Whether a plugin, a component, or a loss in a file keeps its contracts: ``check``."""

from __future__ import annotations

import contextlib
import os
import re
import textwrap
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import click

from siambench.commands.terminal import print_json, stdout_for_documents
from siambench.commands.waiting import Steps
from siambench.errors import ContractError, UsageError
from siambench.wording import printable, quoted

if TYPE_CHECKING:
    from siambench.testing.contracts import Outcome

_WIDTH = 100
_STATES = ("passed", "failed", "skipped")
_OF_NUMBERS = re.compile(r"\b(nan|inf|not finite|no gradient)\b")
"""What is said of a loss that gives no number, or no gradient: what `diagnose` finds reasons of."""


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="[KIND] NAME|./FILE.py:NAME")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def check(names: tuple[str, ...], as_json: bool) -> None:  # noqa: FBT001
    """Examine a plugin, a component, or a loss in a file, against the contracts of its kind.

    NAME is that of a plugin as `siambench plugins` shows it, of its distribution, or of a component as `siambench list` shows it, with
    its KIND where two kinds share the name; siambench stands for what ships with it. Exits 6 where a contract is broken.
    """
    if len(names) > 2:
        raise UsageError(f"check takes a name, or a kind and a name, got {len(names)} words: {' '.join(names)}")
    from siambench.components.catalogue import Catalogue
    from siambench.testing.contracts import check as examine

    kind, name = (names[0], names[1]) if len(names) == 2 else (None, names[0])
    # Components and libraries print what they like; on stdout it would spoil the document.
    with Steps("examining", silent=as_json) as steps, stdout_for_documents(), _no_way_out():
        outcomes = examine(name, Catalogue.load(), kind=kind, begins=steps.step)
    target = " ".join(names)
    counts = {state: sum(outcome.state == state for outcome in outcomes) for state in _STATES}
    if as_json:
        found = [
            {"component": o.component, "contract": o.contract, "state": o.state, "reason": printable(o.reason) or None}
            | ({"place": printable(o.place)} if o.place else {})
            for o in outcomes
        ]
        print_json({"schema": 1, "target": target, "outcomes": found, "counts": counts})
    else:
        _show(outcomes)
    if not outcomes:
        click.echo(printable(f"{target} provides nothing"), err=True)
    click.echo(", ".join(f"{number} {state}" for state, number in counts.items()), err=True)
    if counts["failed"]:
        raise _broken(target, name, [outcome for outcome in outcomes if outcome.state == "failed"])


def _broken(target: str, name: str, failed: Sequence[Outcome]) -> ContractError:
    traces = list(dict.fromkeys(outcome.trace for outcome in failed if outcome.trace))
    hint = "; --traceback shows what was raised" if traces else ""
    ill = next((one for one in failed if one.component.startswith("losses:") and _OF_NUMBERS.search(one.reason)), None)
    if ill is not None:
        # A file is given by its path, an installed loss by its name.
        loss = name if ".py:" in name else ill.component.removeprefix("losses:")
        hint += f"; siambench diagnose --loss {quoted(loss)} looks for the reason"
    error = ContractError(f"{target} breaks its contracts: {', '.join(f'{one.component} {one.contract}' for one in failed)}{hint}")
    for trace in traces:
        error.add_note(f"\n{printable(trace)}")
    return error


@contextlib.contextmanager
def _no_way_out() -> Iterator[None]:
    """While components are examined, what ends a process at once is an error that can be told: it would be silence, and success."""
    leave, examiner = os._exit, os.getpid()

    def refuse(code: int) -> None:
        # A process that a component has started ends as it likes.
        if os.getpid() != examiner:
            leave(code)
        raise SystemExit(f"os._exit({code}) was called")

    os._exit = refuse  # type: ignore[assignment]
    try:
        yield
    finally:
        os._exit = leave


def _show(outcomes: Sequence[Outcome]) -> None:
    width = max((len(outcome.contract) for outcome in outcomes), default=0)
    for component, found in groupby(outcomes, key=lambda outcome: outcome.component):
        click.echo(printable(component))
        for (_, reason), alike in groupby(
            found, key=lambda outcome: (outcome.contract if outcome.state != "skipped" else "", outcome.reason)
        ):
            outcome, *others = alike
            # What is skipped for one reason is one line.
            called = f"{len(others) + 1} contracts" if others else outcome.contract
            head = f"  {called:<{width}}  {outcome.state:<7}  "
            text = head + printable(f"{outcome.place}: {reason}" if outcome.place else reason)
            lines = textwrap.wrap(text, _WIDTH, subsequent_indent=" " * len(head), drop_whitespace=True)
            click.echo("\n".join(lines))
