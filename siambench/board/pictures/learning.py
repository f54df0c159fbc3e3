"""Pictures of training: how the loss fell, how classes came apart, and how the score on validation classes rose."""

from __future__ import annotations

from collections.abc import Sequence

from siambench.board.pictures.common import mean_and_band, methods, metric_axis, names
from siambench.board.rows import Row
from siambench.board.table import Table
from siambench.errors import NothingToDrawError
from siambench.figures import Axis, Line, Panel, Picture

_EPOCHS = Axis(title="epoch", whole=True)


def losses(table: Table) -> Picture:
    """The training loss of final models, epoch by epoch, each method on an axis of its own."""
    found = [(row, line) for row in methods(table) if (line := mean_and_band([dict(curve) for curve in row.material.losses])) is not None]
    if not found:
        raise NothingToDrawError(f"no final model of {table.track.name} was trained for two epochs or more")
    called = names([row for row, _ in found])
    return Picture(
        name="losses",
        title=f"{table.track.name}: the training loss of final models",
        caption=(
            "Mean training loss of each epoch: mean over all final models of a row, and the band from the lowest to the highest of them. "
            "Losses of different methods are different things, so each has an axis of its own."
        ),
        x=_EPOCHS,
        y=Axis(title="training loss"),
        panels=tuple(Panel(title=name, marks=(line,), y=Axis()) for (_, line), name in zip(found, called, strict=True)),
    )


def separation(table: Table) -> Picture:
    """How well training items of one class were told from others, epoch by epoch."""
    found = [(row, line) for row in methods(table) if (line := mean_and_band([dict(one) for one in row.material.separations])) is not None]
    if not found:
        raise NothingToDrawError(f"no record of a final model of {table.track.name} says how well its classes came apart while it trained")
    return _beside(
        found,
        name="separation",
        title=f"{table.track.name}: how classes came apart in training",
        caption=(
            "Probability that two training items of one class are nearer to each other than two of different classes (area under the ROC "
            "curve), of the same few items before training and after each epoch: mean over all final models of a row, and the band from "
            "the lowest to the highest of them; grey are the means of the other methods. It is of classes that were trained on."
        ),
        y=Axis(title="AUC of distances, training items", high=1.0),
    )


def epochs(table: Table) -> Picture:
    """The score on validation classes of the selected trials, epoch by epoch."""
    found = [(row, line) for row in methods(table) if (line := mean_and_band(_validated(row))) is not None]
    if not found:
        raise NothingToDrawError(f"the trials of {table.track.name} are scored after their last epoch alone, as its rules have it")
    return _beside(
        found,
        name="epochs",
        title=f"{table.track.name}: validation, epoch by epoch",
        caption=(
            f"{table.track.metrics.primary} on validation classes of the selected trials after each epoch: mean over studies and folds, "
            "and the band from the lowest to the highest of them; grey are the means of the other methods."
        ),
        y=metric_axis(table, "validation classes"),
    )


def _validated(row: Row) -> list[dict[float, float]]:
    folds = [fold for tuning in row.tunings if tuning.selected is not None for fold in tuning.selected.folds]
    curves = [{float(epoch): value for epoch, value in enumerate(fold, 1) if value is not None} for fold in folds]
    return [curve for curve in curves if len(curve) > 1]


def _beside(found: Sequence[tuple[Row, Line]], *, name: str, title: str, caption: str, y: Axis) -> Picture:
    behind = tuple(Line(at=line.at, width=0.7, tone="muted") for _, line in found) if len(found) > 1 else ()
    called = names([row for row, _ in found])
    panels = tuple(Panel(title=one, marks=(line,)) for (_, line), one in zip(found, called, strict=True))
    return Picture(name=name, title=title, caption=caption, x=_EPOCHS, y=y, marks=behind, panels=panels)
