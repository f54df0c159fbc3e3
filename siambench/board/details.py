"""What stands behind each row of a table: its commands, studies, components, flags in plain words, and final units."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.board.captions import flag_text, stem
from siambench.board.rows import Row
from siambench.board.table import Line, Table
from siambench.board.tuning import Tuning
from siambench.board.values import MISSING, number, parameter
from siambench.board.verdicts import verdicts_text
from siambench.interfaces import CommandView, DetailView, SectionView
from siambench.spaces import Choice, Dimension, told
from siambench.spec import INIT, NO_MINER
from siambench.wording import enumerated, quoted, several

_RECORDED = 6
"""Decimals of the score of a unit: those that a record is compared by."""

_ANEW = "again"
"""The folder that a row of somebody's own is run into anew."""


def details_of(table: Table) -> tuple[DetailView, ...]:
    """What stands behind each row, in the order of the table."""
    return tuple(_detail(table, line) for line in table.lines)


def asked(table: Table, row: Row) -> str | None:
    """The command that runs a row's units from the beginning, at its own budget; None where what it was asked for is not known.

    That is so of a baseline, which every run has beside its methods, and of a sampler that was chosen by hand.
    """
    method = row.method
    if method.baseline is not None:
        return None
    places = dict(row.finals[0].places) if row.finals else {}
    words = ["--track", table.reference, "--loss", loss_word(method.loss)]
    words += ["--miner", method.miner] if method.miner != NO_MINER else []
    if method.listed is not None:
        words += ["--feed", f"{method.listed.feed}={places.get(method.listed.place, 'FILE')}"]
    else:
        words += ["--feed", str(method.feed)] if method.feed != "classes" else []
    words += ["--backbone", method.backbone] if method.backbone is not None else []
    words += ["--init", places.get(INIT, "FILE")] if method.init is not None else []
    space = next((unit.space for unit in row.finals if unit.space), "")
    words += ["--space", space] if space else []
    searched = {name: tuning.space[name] for tuning in row.tunings for name in tuning.edited if name in tuning.space}
    edited = {name for tuning in row.tunings for name in tuning.edited}
    if any(name not in searched and name not in row.params for name in edited):
        return None
    for name in sorted(edited):
        words += ["--space", f"{name}={_range(searched[name])}"] if name in searched else ["--set", f"{name}={row.params[name]}"]
    # The folder of the run that made it holds its records, and nothing would be run there.
    out = [] if row.shipped else ["--out", _ANEW]
    return " ".join(["siambench run", *map(quoted, words), *_budget(table, row), *out])


def _budget(table: Table, row: Row) -> list[str]:
    """What a row had where it is not what its track gives."""
    budget, studies = table.track.budget, max((tuning.study for tuning in row.tunings), default=0) + 1
    trials = next((tuning.counted for tuning in row.tunings if tuning.counted not in (0, tuning.budget)), None)
    repetitions = row.repetitions if row.repetitions not in (0, budget.repetitions) else None
    return [
        f"--studies {'all' if studies == budget.studies else studies}",
        *([f"--trials {trials}"] if trials is not None else []),
        *([f"--repetitions {repetitions}"] if repetitions is not None else []),
    ]


def _range(dimension: Dimension) -> str:
    """A part of a space as ``--space`` takes it: ``0.1..0.5``, ``a|b``."""
    if isinstance(dimension, Choice):
        return "|".join(map(told, dimension.options))
    return f"{dimension.low!r}..{dimension.high!r}"


def loss_word(loss: str) -> str:
    """A loss as `--loss` takes it: an installed one by its name, one of a file by a path."""
    return _here(loss) if ".py:" in loss else loss


def _here(name: str) -> str:
    """A file by a path that a shell and `run` cannot take for a name."""
    return name if name.startswith((".", "/", "~")) else f"./{name}"


def _detail(table: Table, line: Line) -> DetailView:
    row = line.row
    sections = (*_studies(table, row), *_scores(table, line), *_flags(line), *_components(table, row), *_units(table, row), *_notes(row))
    return DetailView(tuple(_commands(table, row)), sections)


def _commands(table: Table, row: Row) -> list[CommandView]:
    track, own = quoted(table.reference), not row.shipped
    # Of rows that share their name the key tells which is meant.
    name = quoted(next((flag for flag in row.flags if flag.startswith("row:")), row.name))
    sources = table.sources if own else ()
    places = row.finals[0].places if row.finals else ()
    more = "".join(f" --from {quoted(source)}" for source in sources)
    where = "".join(f" --where {quoted(f'{place}={_here(called)}')}" for place, called in places)
    files = [called for _, called in places]
    packages = sorted({where for where in row.distributions.values() if where.partition(" ")[0] not in ("siambench", "local")})
    found = []
    if row.finals:
        title = f"Run its final units again and compare{_taking([*sources, *files], packages)}"
        found.append(CommandView(title, f"siambench reproduce {track} {name}{more}{where}"))
    anew = asked(table, row)
    if anew is not None:
        found.append(CommandView(f"Tune and train it from the beginning{_taking(files, packages)}", anew))
        if own:
            found.append(CommandView("See what that gave beside the others", f"siambench leaderboard {track} --from {_ANEW}"))
    if row.tunings:
        found.append(CommandView("See every trial", f"siambench show study {track} {name}{more}"))
    return found


def _taking(files: Sequence[str], packages: Sequence[str]) -> str:
    """What somebody else needs for a command, behind what it does."""
    at_hand = f"; it takes {enumerated(files)}" if files else ""
    installed = f"{', and' if files else '; it takes'} {enumerated(packages)} installed" if packages else ""
    return f"{at_hand}{installed}"


def _studies(table: Table, row: Row) -> list[SectionView]:
    """What each study selected, a column for each parameter."""
    if not row.tunings:
        return []
    names = sorted({name for tuning in row.tunings if tuning.selected is not None for name in tuning.selected.params})
    rows = []
    for tuning in row.tunings:
        chosen = tuning.selected
        params = [parameter(chosen.params[name]) if chosen is not None and name in chosen.params else MISSING for name in names]
        tested = None if chosen is None else row.by_study.get(table.track.metrics.primary, {}).get(tuning.study)
        cells = (
            *(str(tuning.study), _trials(tuning), number(tuning.default), number(None if chosen is None else chosen.value), number(tested)),
            *(MISSING if chosen is None else str(chosen.number), MISSING if chosen is None or chosen.epoch is None else str(chosen.epoch)),
        )
        rows.append((*cells, *params))
    text = (
        f"Each study is an independent tuning. In {table.track.metrics.primary}: default and selected on validation classes, test on test "
        "classes."
    )
    head = ("study", "trials", "default", "selected", "test", "trial", "epoch", *names)
    return [SectionView("Studies and their parameters", text, head, tuple(rows))]


def _trials(tuning: Tuning) -> str:
    """``12, 4 pruned, 1 failed``."""
    more = [f"{count} {what}" for count, what in ((tuning.pruned, "pruned"), (tuning.failed, "failed")) if count]
    return ", ".join([str(tuning.counted), *more])


def _scores(table: Table, line: Line) -> list[SectionView]:
    """Who the row is proven better than, and what its verdicts are."""
    row, lines = line.row, []
    if line.rank is not None:
        names = ", ".join(table.lines[place].row.name for place in line.beats)
        lines.append(f"Proven better than {names}." if names else "Not proven better than any other ranked method.")
    if table.closed_set:
        lines.append("Tested on the classes that it was trained on.")
    trials = verdicts_text(row.verdicts, "trials", of=sum(tuning.counted for tuning in row.tunings))
    models = verdicts_text(row.judged, "final models", of=sum(row.judged.values()))
    lines += [f"Verdicts: {text}." for text in (trials, models) if text]
    return [SectionView("In words", "", (), (), tuple(lines))] if lines else []


def _flags(line: Line) -> list[SectionView]:
    rows = tuple((flag, flag_text(stem(flag), ranked=line.rank is not None)) for flag in line.row.flags)
    return [SectionView("Flags", "", ("flag", "what it means"), rows)] if rows else []


def _components(table: Table, row: Row) -> list[SectionView]:
    """What each component comes from, and the libraries that computed."""
    method, track = row.method, table.track
    named = {
        "loss": method.loss,
        "miner": method.miner,
        "backbone": method.backbone or track.model.backbone,
        "dataset": track.dataset.name,
        "primary": track.metrics.primary,
    }
    rows = [(role.partition(":")[0], named.get(role, role.partition(":")[2]), where) for role, where in sorted(row.distributions.items())]
    rows += [("library", name, version) for name, version in sorted(row.libraries.items())]
    return [SectionView("Components and their packages", "", ("role", "name", "package"), tuple(rows))] if rows else []


def _units(table: Table, row: Row) -> list[SectionView]:
    """Its final units: a long number of a seed is one of 63 bits."""
    if not row.finals:
        return []
    streams = sorted({name for unit in row.finals for name in unit.seeds})
    rows = tuple(
        (
            *(str(unit.study), str(unit.repetition)),
            MISSING if unit.trial is None else str(unit.trial),
            number(unit.score, _RECORDED) if unit.error is None else f"failed: {unit.error}",
            *(str(unit.seeds.get(name, MISSING)) for name in streams),
            unit.id,
        )
        for unit in row.finals
    )
    head = ("study", "repetition", "trial", table.track.metrics.primary, *(f"seed of {name}" for name in streams), "unit")
    text = f"{several(len(rows), 'final unit', 'final units')}; each is one training run, and its record is `records/UNIT.json`."
    return [SectionView("Units", text, head, rows)]


def _notes(row: Row) -> list[SectionView]:
    lines = [*([f"No score: {row.reason}."] if row.reason else []), *(f"No {what}: {reason}." for what, reason in row.missing.items())]
    lines += [f"Not shown as made with {versions}." for versions in row.also_made_with]
    return [SectionView("What is missing", "", (), (), tuple(lines))] if lines else []
