"""Pictures of rows' models: error rates, distances, maps and neighbours, each of the one final model that stands for its row."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from siambench.board.pictures.common import names, number
from siambench.board.rows import Row
from siambench.board.table import Table
from siambench.errors import NothingToDrawError
from siambench.figures import Axis, Cell, Cells, Line, Mark, Panel, Picture, Points, Reference, Thumbnail, Thumbnails, Tone
from siambench.records.unit_figures import Answer, Item, UnitFigures, Verification
from siambench.wording import quoted, several

MOST_MAPS = 6
"""So many rows have a map in one picture: each is some hundreds of points."""

MOST_NEIGHBOURS = 3
"""So many rows have their neighbours in one picture."""

MOST_COLOURS = 12
"""Classes that are told apart by colour and marker; of more, and of more groups, a map has one colour."""

MOST_GROUPS = 40
"""So many groups have a column, those with the most errors first."""

GENUINE, IMPOSTORS = "of one class", "of two classes"
_ONE_MODEL = "It is of one final model of each row: how far another one lies from that, it does not say."
_LEAST_RATE = 1e-4
_AS_RECORDED = 0.005
"""Equal error rates that differ by more are told."""

_LONGEST_QUERY = 24


@dataclass(frozen=True)
class Shown:
    """A row with what its model's pictures are drawn from."""

    name: str
    row: Row
    figures: UnitFigures


def shown(table: Table) -> list[Shown]:
    """The rows that have any, in the order of the table.

    Raises:
        NothingToDrawError: where none has.
    """
    rows = [line.row for line in table.lines]
    found = [Shown(name, row, kept) for name, row in zip(names(rows), rows, strict=True) if (kept := table.figures.of(row.pictured))]
    if not found:
        raise NothingToDrawError(
            f"nothing is kept of the models of {table.track.name} to draw pictures from: "
            f"`siambench reproduce {quoted(table.reference)} ROW --figures` runs one again and keeps it"
        )
    return found


def some(every: Sequence[Shown], most: int) -> tuple[list[Shown], str]:
    """Of many rows the first methods and up to two baselines; and a sentence that says so, or nothing."""
    if len(every) <= most:
        return list(every), ""
    baselines = [one for one in every if one.row.method.baseline is not None][: 2 if most > 3 else 1]
    methods = [one for one in every if one.row.method.baseline is None][: most - len(baselines)]
    chosen = [one for one in every if one in methods or one in baselines]
    left = several(len(every) - len(chosen), "further row is", "further rows are")
    return chosen, f" {left} not shown: name those to see by --rows."


def again(every: Sequence[Shown | tuple[Shown, Verification]]) -> str:
    """A sentence on the rows whose model was run again for its pictures and errs otherwise than the recorded one; or nothing."""
    told = []
    for given in every:
        one = given if isinstance(given, Shown) else given[0]
        studies, found = one.row.by_repetition.get("eer", {}), one.figures.verification
        if not studies or found is None or min(studies[min(studies)]) != 0:
            continue
        recorded = studies[min(studies)][0]
        if abs(found.equal_error_rate - recorded) > _AS_RECORDED:
            told.append(f"{one.name} {number(found.equal_error_rate)}, recorded {number(recorded)}")
    return "" if not told else f" Trained again on another processor, in equal error rate: {'; '.join(told)}."


def _verified(table: Table) -> list[tuple[Shown, Verification]]:
    found = [(one, one.figures.verification) for one in shown(table)]
    verified = [(one, verification) for one, verification in found if verification is not None]
    if not verified:
        raise NothingToDrawError(f"the test part of {table.track.name} has no verification pairs")
    return verified


def _over(verified: Sequence[tuple[Shown, Verification]]) -> str:
    one = verified[0][1]
    kind = {"drawn": "drawn pairs", "listed": "listed pairs", "every": "all pairs"}[one.pairs]
    return f"Over {kind} of test items, {one.genuine:,} of one class and {one.impostors:,} of two."


def roc(table: Table) -> Picture:
    """The share of genuine pairs that is accepted, against the share of impostors that is, on a logarithmic axis."""
    verified = _verified(table)
    lowest = min(1 / one.impostors for _, one in verified)
    marks: list[Mark] = []
    for one, found in verified:
        rates = zip(found.rates.false_accepts, found.rates.false_rejects, strict=True)
        at = tuple((accepted, 1 - rejected) for accepted, rejected in rates if accepted > 0)
        marks.append(Line(at=at, tip=f"{one.name}: equal error rate {number(found.equal_error_rate)}", group=one.name))
    return Picture(
        name="roc",
        title=f"{table.track.name}: who is let in",
        caption=f"{_over(verified)} To the left at most one of so many impostors passes; higher is better. {_ONE_MODEL}{again(verified)}",
        x=Axis(title="impostors accepted", scale="log", low=max(lowest, 1e-5), high=1.0),
        y=Axis(title="genuine pairs accepted", low=0.0, high=1.0, percent=True),
        marks=tuple(marks),
        groups=tuple(one.name for one, _ in verified),
    )


def det(table: Table) -> Picture:
    """Both errors against each other on probit axes, on which normal distributions give straight lines, with the point of equal error."""
    verified = _verified(table)
    marks: list[Mark] = [Line(at=tuple((rate, rate) for rate in (0.001, 0.01, 0.1, 0.5, 0.9)), dashed=True, width=1.0, tone="muted")]
    for one, found in verified:
        tip = f"{one.name}: equal error rate {number(found.equal_error_rate)}"
        rates = zip(found.rates.false_accepts, found.rates.false_rejects, strict=True)
        # On these axes 0 and 1 are infinitely far away.
        at = tuple(pair for pair in rates if 0 < pair[0] < 1 and 0 < pair[1] < 1)
        if at:
            marks.append(Line(at=at, tip=tip, group=one.name))
        if 0 < found.equal_error_rate < 1:
            marks.append(Points(at=((found.equal_error_rate, found.equal_error_rate),), tips=(tip,), size=3.5, group=one.name))
    every = [value for _, one in verified for value in (*one.rates.false_accepts, *one.rates.false_rejects) if 0 < value < 1]
    ends = {"low": max(_LEAST_RATE, min(every, default=0.001)), "high": 0.95}
    return Picture(
        name="det",
        title=f"{table.track.name}: both errors of verification",
        caption=f"{_over(verified)} Nearer to the lower left is better; where a line meets the dashed one both errors are equally "
        f"frequent. {_ONE_MODEL}{again(verified)}",
        x=Axis(title="impostors accepted", scale="probit", percent=True, **ends),  # type: ignore[arg-type]
        y=Axis(title="genuine pairs rejected", scale="probit", percent=True, **ends),  # type: ignore[arg-type]
        marks=tuple(marks),
        groups=tuple(one.name for one, _ in verified),
        aspect=0.9,
    )


def distances(table: Table) -> Picture:
    """How far pairs of one class and of two are apart, and the distance at which both errors are equally frequent."""
    verified = _verified(table)
    panels = []
    for one, found in verified:
        kept = found.distances
        width = (kept.high - kept.low) / len(kept.genuine)
        marks: list[Mark] = []
        for group, counts in ((GENUINE, kept.genuine), (IMPOSTORS, kept.impostors)):
            total = sum(counts) or 1
            corners = [(kept.low + place * width, count / total) for place, count in enumerate(counts)]
            marks.append(Line(at=((kept.low, 0.0), *corners, (kept.high, 0.0)), steps=True, group=group))
        marks.append(Reference(at=found.threshold, label=number(found.threshold)))
        # Each has an axis of its own: a collapsed model keeps all pairs within a thousandth of what another has.
        panels.append(Panel(title=one.name, marks=tuple(marks), x=Axis(low=kept.low, high=kept.high)))
    unit = "1 less the cosine" if verified[0][0].figures.distance == "cosine" else "euclidean"
    return Picture(
        name="distances",
        title=f"{table.track.name}: how far pairs are apart",
        caption=f"{_over(verified)} Share of the pairs of each kind by distance; dashed: where a pair is as likely to be wrongly accepted "
        f"as wrongly rejected. {_ONE_MODEL}{again(verified)}",
        x=Axis(title=f"distance, {unit}"),
        y=Axis(title="share of pairs", low=0.0, percent=True),
        panels=tuple(panels),
        groups=(GENUINE, IMPOSTORS),
    )


def maps(table: Table) -> Picture:
    """A fixed sample of test items in the plane of its first two principal components."""
    every = [one for one in shown(table) if one.figures.map is not None]
    if not every:
        raise NothingToDrawError(f"the test part of {table.track.name} has fewer than three items to lay flat")
    chosen, left = some(every, MOST_MAPS)
    colours = Colours.of([one.figures for one in chosen])
    panels, shares = [], []
    for one in chosen:
        kept = one.figures.map
        if kept is None:
            continue
        by_group: dict[str, list[int]] = {}
        for number_of, place in enumerate(kept.items):
            by_group.setdefault(colours.group(one.figures, place), []).append(number_of)
        marks = tuple(
            Points(
                at=tuple((kept.x[place], kept.y[place]) for place in places),
                tips=tuple(_told(one.figures, one.figures.items[kept.items[place]]) for place in places),
                size=2.6,
                opacity=0.85,
                group=group,
            )
            for group, places in sorted(by_group.items())
        )
        ends = _square(kept.x, kept.y)
        shares.append(f"{100 * sum(kept.share):.0f} % for {one.name}")
        panels.append(Panel(title=one.name, marks=marks, x=Axis(low=ends[0], high=ends[1]), y=Axis(low=ends[2], high=ends[3])))
    names_of = sorted({mark.group for panel in panels for mark in panel.marks if isinstance(mark, Points) and mark.group})
    items = len(chosen[0].figures.map.items) if chosen[0].figures.map else 0
    by = "" if not names_of else f" Colours: {chosen[0].figures.attribute if colours.by_group else 'class'}."
    return Picture(
        name="map",
        title=f"{table.track.name}: test items as the models see them",
        caption=f"The same {items} test items for each row, chosen by their names alone, in the plane that holds most of their variance: "
        f"{', '.join(shares)}. What lies apart here is apart; what lies together may be apart in other directions."
        f"{by} {_ONE_MODEL}{again(chosen)}{left}",
        x=Axis(),
        y=Axis(),
        panels=tuple(panels),
        groups=tuple(names_of),
        aspect=1.0,
    )


@dataclass(frozen=True)
class Colours:
    """Which colour items have: that of their class's group where these are few, else of their class where those are; else none.

    Args:
        by_group: whether by group.
        by_class: whether by class.
    """

    by_group: bool
    by_class: bool

    @classmethod
    def of(cls, every: Sequence[UnitFigures]) -> Colours:
        """Those for the maps of several rows."""
        classes = {one.classes[one.items[place].label] for one in every for place in (one.map.items if one.map else ())}
        groups, named = {found.group for found in classes}, {found.name for found in classes}
        by_group = None not in groups and 1 < len(groups) <= MOST_COLOURS
        return cls(by_group, not by_group and 1 < len(named) <= MOST_COLOURS)

    def group(self, figures: UnitFigures, place: int) -> str:
        """That of an item; empty: none."""
        found = figures.classes[figures.items[place].label]
        return (found.group or "") if self.by_group else found.name if self.by_class else ""


def _square(x: Sequence[float], y: Sequence[float]) -> tuple[float, float, float, float]:
    """Ends of both axes so that one unit is as long on either: around the middle of what is there."""
    half = max(max(x) - min(x), max(y) - min(y)) * 0.54 or 1.0
    across, down = (max(x) + min(x)) / 2, (max(y) + min(y)) / 2
    return across - half, across + half, down - half, down + half


def _told(figures: UnitFigures, item: Item) -> str:
    found = figures.classes[item.label]
    group = "" if found.group is None or found.group == found.name else f", {found.group}"
    name = f"item {item.index}" if item.name is None else item.name
    role = "" if item.role == "both" else f", {item.role}"
    return f"{found.name}{group}: {name}{role}"


def neighbours(table: Table) -> Picture:
    """Some queries, chosen by their names alone, and what lies nearest to each: hits and misses."""
    every = [one for one in shown(table) if one.figures.answers]
    if not every:
        raise NothingToDrawError(f"no query of {table.track.name} has an item of its class among what it is compared with")
    chosen, left = some(every, MOST_NEIGHBOURS)
    most = max(len(answer.neighbours) for one in chosen for answer in one.figures.answers)
    columns = ("query", *(str(place + 1) for place in range(most)))
    panels = tuple(_answers(one, len(columns)) for one in chosen)
    pictured = any(isinstance(mark, Thumbnails) for panel in panels for mark in panel.marks)
    kinds = "a full frame is a hit, a dashed one a miss" if pictured else "a filled cell is a hit, a pale one a miss"
    return Picture(
        name="neighbours",
        title=f"{table.track.name}: what lies nearest",
        caption=f"{len(chosen[0].figures.answers)} queries, chosen by their names alone and the same for each row, and their nearest test "
        f"items, nearest first; {kinds}. {_ONE_MODEL}{again(chosen)}{left}",
        x=Axis(names=columns),
        y=Axis(names=_queries(chosen)),
        panels=panels,
    )


def _queries(chosen: Sequence[Shown]) -> tuple[str, ...]:
    """What the queries are called: by their classes, and where rows asked others by numbers."""
    asked = {tuple(_called(one.figures, answer.query) for answer in one.figures.answers) for one in chosen}
    most = max(len(one.figures.answers) for one in chosen)
    return asked.pop() if len(asked) == 1 else tuple(str(place + 1) for place in range(most))


def _called(figures: UnitFigures, place: int) -> str:
    """The class of an item without the group that its name begins with, cut to what stands beside a row."""
    found = figures.classes[figures.items[place].label]
    name = found.name.removeprefix(f"{found.group}/")
    return name if len(name) <= _LONGEST_QUERY else "…" + name[1 - _LONGEST_QUERY :]


def _answers(one: Shown, columns: int) -> Panel:
    figures = one.figures
    hits = sum(_is_hit(figures, answer, place) for answer in figures.answers for place in answer.neighbours)
    total = sum(len(answer.neighbours) for answer in figures.answers)
    title = f"{one.name}: {hits} of {total} hit"
    pictures = [_thumbnails(figures, answer, row) for row, answer in enumerate(figures.answers)]
    if all(pictures):
        marks: tuple[Mark, ...] = (Thumbnails(items=tuple(item for row in pictures for item in row), size=26.0),)
        return Panel(title=title, marks=marks)
    return Panel(title=title, marks=(Cells(rows=tuple(_cells(figures, answer, columns) for answer in figures.answers)),))


def _is_hit(figures: UnitFigures, answer: Answer, place: int) -> bool:
    return figures.items[place].label == figures.items[answer.query].label


def _thumbnails(figures: UnitFigures, answer: Answer, row: int) -> list[Thumbnail]:
    """Of a query and its neighbours; none where one of them has no picture that can be read."""
    found = []
    for column, place in enumerate((answer.query, *answer.neighbours)):
        item = figures.items[place]
        try:
            png = base64.b64decode(item.picture or "", validate=True)
        except (binascii.Error, ValueError):
            return []
        if not png.startswith(b"\x89PNG\r\n\x1a\n"):
            return []
        tone: Tone | None = None if column == 0 else "good" if _is_hit(figures, answer, place) else "bad"
        found.append(Thumbnail(x=float(column), y=float(row), png=png, tip=_at(figures, answer, column), tone=tone))
    return found


def _cells(figures: UnitFigures, answer: Answer, columns: int) -> tuple[Cell | None, ...]:
    found: list[Cell | None] = [Cell(value="plain", text="", tip=_at(figures, answer, 0))]
    for column, place in enumerate(answer.neighbours, 1):
        hit = _is_hit(figures, answer, place)
        text = _called(figures, place)
        found.append(Cell(value="good" if hit else "open", text=text, tip=_at(figures, answer, column)))
    return tuple(found + [None] * (columns - len(found)))


def _at(figures: UnitFigures, answer: Answer, column: int) -> str:
    if column == 0:
        return f"query {_told(figures, figures.items[answer.query])}"
    place = answer.neighbours[column - 1]
    said = "hit" if _is_hit(figures, answer, place) else "miss"
    return f"{said}: {_told(figures, figures.items[place])}, distance {answer.distances[column - 1]:.3g}"


def group_errors(table: Table) -> Picture:
    """The equal error rate over the pairs of each group, such as a script or a writer, group by group; the hardest first."""
    verified = [(one, found) for one, found in _verified(table) if found.groups]
    if not verified:
        raise NothingToDrawError(f"the test classes of {table.track.name} come in no groups that have pairs of both kinds")
    rates = [{group.name: group for group in found.groups} for _, found in verified]
    common = sorted(set.intersection(*(set(one) for one in rates)))
    if not common:
        raise NothingToDrawError(f"no group of {table.track.name} has an error rate in every row")
    mean = {name: sum(one[name].equal_error_rate for one in rates) / len(rates) for name in common}
    order = sorted(common, key=lambda name: (-mean[name], name))
    kept = order[:MOST_GROUPS]
    highest = max((one[name].equal_error_rate for one in rates for name in kept), default=0.0) or 1.0
    cells = tuple(
        tuple(
            Cell(
                value=one[name].equal_error_rate / highest,
                text=f"{100 * one[name].equal_error_rate:.1f}",
                tip=f"{shown_one.name}, {name}: {100 * one[name].equal_error_rate:.1f} % over {one[name].genuine:,} genuine pairs and "
                f"{one[name].impostors:,} impostors",
            )
            for (shown_one, _), one in zip(verified, rates, strict=True)
        )
        for name in kept
    )
    attribute = verified[0][0].figures.attribute or "group"
    more = f" The {len(order) - len(kept)} groups with fewer errors are left out." if len(order) > len(kept) else ""
    return Picture(
        name="group-errors",
        title=f"{table.track.name}: equal error rate by {attribute}",
        caption=f"Equal error rate in percent over the pairs one of whose items is of a {attribute}; darker is worse.{more} {_ONE_MODEL}"
        f"{again(verified)}",
        x=Axis(names=tuple(one.name for one, _ in verified)),
        y=Axis(names=tuple(kept)),
        marks=(Cells(rows=cells),),
    )
