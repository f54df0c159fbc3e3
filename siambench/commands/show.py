"""One component, or how a row was tuned: ``show``."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from siambench.commands.terminal import print_grid, print_json, say_damaged
from siambench.commands.waiting import Waiting
from siambench.errors import UnknownNameError
from siambench.wording import printable, several

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from siambench.board.tuning import Trial, Tuning
    from siambench.components.component import Component
    from siambench.data.locate import Remote

_CURVE = 24


@click.command()
@click.argument("kind")
@click.argument("name", metavar="NAME|TRACK")
@click.argument("row", required=False)
@click.option(
    "--from", "more", multiple=True, type=click.Path(path_type=Path), help="An output folder of run whose records join a study's."
)
@click.option("--study", "number", type=int, metavar="N", help="Of a row the study of that number, from 0.  [default: all]")
@click.option("--exam", metavar="ID", help="Of a study: another exam whose records are there.  [default: the track's]")
@click.option("--to", "storage", metavar="sqlite:///FILE", help="Of a study: write it into an Optuna storage instead of showing it.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def show(
    kind: str,
    name: str,
    row: str | None,
    more: tuple[Path, ...],
    number: int | None,
    exam: str | None,
    storage: str | None,
    as_json: bool,  # noqa: FBT001
) -> None:
    """Show one component, or how a row of a leaderboard was tuned.

    \b
    siambench show loss triplet             its space, defaults, batch layout, source and provenance
    siambench show study glyphs triplet     every trial, the curve of the best so far, and what was selected
    siambench show study glyphs triplet --to sqlite:///studies.db       the same for Optuna's dashboard
    """  # noqa: D301  the \b is click's mark of lines that stay as they are
    if kind == "study":
        if row is None:
            raise click.UsageError("a study is named by its track and its row: siambench show study TRACK ROW")
        _show_study(_Asked(name, row, more, exam, number), storage, as_json=as_json)
        return
    given = {row: row, "--from": more, "--exam": exam, "--study": None if number is None else [number], "--to": storage}
    extra = next((option for option, value in given.items() if value), None)
    if extra is not None:
        raise click.UsageError(f"{extra} goes with a study alone: siambench show study TRACK ROW")
    _show_component(kind, name, as_json=as_json)


@dataclasses.dataclass(frozen=True)
class _Asked:
    """Whose tuning: a row of a track, the folders and the exam that it is looked for in, and one of its studies or all."""

    track: str
    row: str
    more: tuple[Path, ...]
    exam: str | None
    number: int | None


def _show_study(asked: _Asked, storage: str | None, *, as_json: bool) -> None:
    from siambench.board import files, tuning

    with Waiting(f"reading the records of {asked.track}", silent=as_json):
        studies, rows, source = files.tunings(asked.track, asked.row, asked.more, exam=asked.exam)
    say_damaged(source.damaged)
    shown = [study for study in studies if asked.number in (None, study.study)]
    if not shown:
        raise UnknownNameError(f"study of {asked.row}", str(asked.number), [str(study.study) for study in studies])
    if storage is not None:
        _export(shown, storage, as_json=as_json)
        return
    if as_json:
        print_json(tuning.to_json(shown, rows=rows))
        return
    for place, study in enumerate(shown):
        print_grid(tuning_table(study))
        # What holds for the row is said once, below the last of its studies.
        for sentence in tuning_summary(study, rows=rows if place + 1 == len(shown) else 1):
            click.echo(printable(sentence))
    for sentence in moved_summary(shown):
        click.echo(printable(sentence))


def _export(studies: Sequence[Tuning], storage: str, *, as_json: bool) -> None:
    """Write studies into a storage, and say by which names."""
    from siambench.studies.search import export

    names = export(studies, storage)
    if as_json:
        written = [{"study": study.study, "name": name, "trials": len(study.trials)} for name, study in zip(names, studies, strict=True)]
        print_json({"schema": 1, "storage": storage, "studies": written})
        return
    for name, study in zip(names, studies, strict=True):
        click.echo(printable(f"{name}: {several(len(study.trials), 'trial', 'trials')}"))
    click.echo(printable(f"optuna.load_study(study_name={names[0]!r}, storage={storage!r})"), err=True)


def tuning_table(tuning: Tuning) -> RichTable:
    """The trials of a study, for a terminal: what each scored, and beside it the curve of the best so far."""
    from rich.table import Table as RichTable
    from rich.text import Text

    from siambench.board.values import MISSING, number, parameter

    title = f"{tuning.method.name} on {tuning.track} {tuning.version}, row {tuning.row}, study {tuning.study}"
    shown = RichTable(title=Text(printable(title)), title_justify="left")
    for name in ("trial", "kind", tuning.primary, "epoch", "folds", "best"):
        shown.add_column(Text(printable(name)), justify="left" if name == "kind" else "right", no_wrap=True)
    # Records of before anything was judged have no such column.
    judged = any(trial.diagnosis is not None for trial in tuning.trials)
    if judged:
        shown.add_column("verdict", overflow="fold")
    shown.add_column("● trial  ┃ best", no_wrap=True)
    shown.add_column("parameters", overflow="fold")
    for trial in tuning.trials:
        at = None if trial.epoch is None else trial.epoch - 1
        folds = trial.state if at is None else " ".join(number(fold[at]) for fold in trial.folds)
        if trial.state == "pruned":
            # It ran more folds where the budget was extended afterwards; the race was decided by the first.
            folds = f"{number(trial.first)}, pruned"
        epoch = MISSING if trial.epoch is None else str(trial.epoch)
        params = " ".join(f"{name}={parameter(value)}" for name, value in sorted(trial.params.items()))
        chosen = tuning.selected is not None and trial.number == tuning.selected.number
        style = "bold" if chosen else (None if trial.number < tuning.counted else "dim")
        shown.add_row(
            *(str(trial.number), trial.kind, number(trial.value), epoch, folds, number(trial.best)),
            *([Text(printable(_said(trial)))] if judged else []),
            *(_curve(tuning, trial.value, trial.best), Text(printable(params))),
            style=style,
        )
    return shown


def _said(trial: Trial) -> str:
    """``collapsed: plateau, dead-units``: the verdict of a trial, and its findings beside that."""
    if trial.diagnosis is None:
        return ""
    names = [finding.name for finding in trial.diagnosis.findings if finding.name != trial.diagnosis.verdict]
    return trial.diagnosis.verdict + (f": {', '.join(names)}" if names else "")


def _curve(tuning: Tuning, value: float | None, best: float | None) -> str:
    known = [trial.value for trial in tuning.trials if trial.value is not None]
    cells = [" "] * _CURVE
    for mark, at in (("┃", best), ("●", value)):
        if at is not None:
            share = (at - min(known)) / (max(known) - min(known)) if max(known) > min(known) else 1.0
            cells[round(share * (_CURVE - 1))] = mark
    return "".join(cells)


def tuning_summary(tuning: Tuning, *, rows: int) -> list[str]:
    """What the trials come to, a sentence each.

    Args:
        tuning: of the row shown.
        rows: how many rows bear its name.
    """
    from siambench.board.captions import FLAGS, stem
    from siambench.board.values import number
    from siambench.board.verdicts import verdicts_text

    chosen = tuning.selected
    pruned = f", {tuning.pruned} pruned after their first fold" if tuning.pruned else ""
    counted = f"{tuning.counted} of {tuning.budget} trials counted, {tuning.failed} failed{pruned}, {len(tuning.space)} parameters"
    found = [counted + (f", {tuning.pending} trials incomplete" if tuning.pending else "")]
    if chosen is None:
        found.append("no trial is selected")
    else:
        gain = "" if tuning.default is None or chosen.value is None else f", {chosen.value - tuning.default:+.3f}"
        found.append(
            f"{tuning.primary} on validation classes: default {number(tuning.default)}, tuned {number(chosen.value)}{gain} "
            f"(trial {chosen.number}, epoch {chosen.epoch})"
        )
    bounds = {f"on-bound:{name}" for name in tuning.space for finding in tuning.findings if finding.evidence.startswith(f"{name} =")}
    edits = f" ({'; '.join(tuning.edits)})"
    found += [f"{flag}: {FLAGS[stem(flag)]}{edits if flag == 'edited-space' else ''}" for flag in tuning.flags if flag not in bounds]
    found += [f"{finding.name}: {finding.evidence}; {finding.remedy}" for finding in tuning.findings]
    judged = verdicts_text(tuning.verdicts, "trials", of=tuning.counted)
    found += [judged] if judged else []
    for trial in tuning.trials:
        worst = next((one for one in trial.diagnosis.findings if one.name == trial.diagnosis.verdict), None) if trial.diagnosis else None
        found += [f"trial {trial.number} {worst.name}: {worst.evidence}"] if worst is not None else []
    found += [f"trial {trial.number} failed: {trial.error}" for trial in tuning.trials if trial.error is not None]
    if rows > 1:
        found.append(
            f"{rows} rows bear this name (other versions, spaces or data): this is the one with most trials; in the place of its name "
            "the digits of a flag row:KEY show another"
        )
    return found


def moved_summary(tunings: Sequence[Tuning]) -> list[str]:
    """What moved the validation score of a row's trials, and what cannot be told; nothing where no trial was drawn."""
    from siambench.board.importances import importances_of, importances_text

    found = importances_of(tunings)
    if found is None:
        return []
    moved, open_ones = importances_text(found)
    trials = f"{several(found.trials, 'drawn trial', 'drawn trials')} of {several(found.studies, 'study', 'studies')}"
    by = f"by {trials}{', on their first fold' if found.folds == 'first' else ''}"
    told = [f"what moved {tunings[0].primary} on validation classes, {by}: {moved or 'nothing that can be told'}"]
    return told + ([f"whether it was moved by these cannot be told: {open_ones}"] if open_ones else [])


def _show_component(kind: str, name: str, *, as_json: bool) -> None:
    from siambench.components.catalogue import Catalogue, plural

    component = Catalogue.load().get(plural(kind), name)
    facts = describe(component)
    if as_json:
        print_json(facts)
        return
    # What an entry leaves empty is no fact of it.
    told = {key: value for key, value in facts.items() if value is not False and value != "" and (key, value) != ("fingerprint", None)}
    for key, value in told.items():
        if key == "spaces":
            _say_spaces(value)
        elif key == "options" and component.kind == "losses":
            _say_options(component)
        elif isinstance(value, dict):
            click.echo(f"{key}:" + ("" if value else " none"))
            for inner, content in value.items():
                click.echo(printable(f"  {inner}: {_as_text(content)}"))
        elif key == "differs" and isinstance(value, list):
            click.echo("differs from the paper:" + ("" if value else " nothing is told"))
            for sentence in value:
                click.echo(printable(f"  {sentence}"))
        else:
            click.echo(printable(f"{key}: {_as_text(value)}"))


def _as_text(value: object) -> str:
    """What an entry holds, for people: as they would set it, not as Python writes it."""
    if isinstance(value, Mapping):
        return "  ".join(f"{key}={_as_text(one)}" for key, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_as_text, value)) or "none"
    if value is None or isinstance(value, bool):
        return "none" if value is None else str(value).lower()
    return str(value).replace("``", "`")


def _say_spaces(spaces: Mapping[str, Mapping[str, Mapping[str, object]]]) -> None:
    for named, space in spaces.items():
        click.echo(printable(f"space {named}:"))
        for parameter, form in space.items():
            click.echo(printable(f"  {parameter}: {_as_text(form)}"))


def _say_options(component: Component) -> None:
    """Options, one a line: what each can be set to, its neutral value first, and what it does."""
    options = component.entry.options
    if options:
        click.echo("options (neither tuned nor in a row unless set):")
    for name, option in options.items():
        click.echo(printable(f"  {name}: {option.values}" + (f"; {option.about}" if option.about else "")))


def describe(component: Component) -> dict[str, Any]:
    """Everything an entry says of itself, as JSON: what its dataclass has a field for."""
    from siambench.plugin import FileEntry, about, factory_of

    entry, where = component.entry, component.provenance
    facts: dict[str, Any] = {
        "kind": component.kind,
        "name": component.name,
        "distribution": where.distribution,
        "version": where.version,
        "plugin": where.plugin,
        "digest": component.source.digest,
        "source": entry.source,
        "about": about(entry),
    }
    fields = {field.name: getattr(entry, field.name) for field in dataclasses.fields(entry)}
    factory = None if isinstance(entry, FileEntry) else factory_of(entry)
    hidden = {name for name, value in fields.items() if name in ("source", "with_set") or (factory is not None and value is factory)}
    facts |= {name: _plain(name, value) for name, value in fields.items() if name not in hidden}
    if component.kind == "datasets" and entry.files is not None:
        facts["missing"] = _missing(entry.files())
    return facts


def _missing(needed: Sequence[Remote]) -> list[str]:
    """Each file that is not on this machine, from where it is, and where it goes."""
    from siambench.data.locate import belongs, missing

    return [f"{remote.name} ({remote.url}) into {belongs(remote)}" for remote in missing(needed)]


def _plain(name: str, value: object) -> object:
    """What a field of an entry holds, as JSON."""
    if isinstance(value, Mapping):
        return _plain_mapping(name, value)
    if name == "files" and callable(value):
        return [remote.name for remote in value()]
    if name == "ready":
        return value is not None
    if callable(value):
        # What a function does is what can be told of it.
        return (inspect.getdoc(value) or "").partition("\n")[0]
    if name == "fingerprint" and value is not None:
        told = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}  # type: ignore[arg-type]
        margins = [dataclasses.asdict(margin) for margin in told["margins"]]
        # What the value is hangs on parameters and batch; that it is known does not.
        return told | {"margins": margins, "at_equality": told["at_equality"] is not None}
    if isinstance(value, Path):
        value = str(value)
    return list(value) if isinstance(value, tuple) else value


def _plain_mapping(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    from siambench.spaces import dimension_to_json

    if name == "space":
        return {parameter: dimension_to_json(dimension) for parameter, dimension in value.items()}
    if name == "spaces":
        return {named: _plain_mapping("space", space) for named, space in value.items()}
    if name == "options":
        return {
            option: {"neutral": one.neutral, "allowed": dimension_to_json(one.allowed), "about": one.about} for option, one in value.items()
        }
    return dict(value)
