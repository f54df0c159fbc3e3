"""What a unit's pictures are drawn from, taken in its worker when it has been scored: it stands outside its result, and cannot cost it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.clock import Clock
from siambench.errors import named
from siambench.evaluation.figures import Seen, figures_of
from siambench.identity import digest, to_json
from siambench.interfaces import Done, Outcome
from siambench.records.folder import Folder
from siambench.training.state import generators_kept
from siambench.wording import without_paths

if TYPE_CHECKING:
    from torch import Tensor

    from siambench.evaluation.view import Evaluated
    from siambench.records.unit_figures import UnitFigures
    from siambench.spec import Context, Unit
    from siambench.tracks.parts import Items


@dataclass
class Drawing:
    """Takes what pictures of one unit are drawn from.

    Args:
        unit: that is scored.
        clock: counts its time as the phase ``figures``.
        found: what was taken; None before, and where it could not be.
        error: why it could not be.
    """

    unit: Unit
    clock: Clock
    found: UnitFigures | None = field(default=None, init=False)
    error: str | None = field(default=None, init=False)

    def of(self, items: Items, models: int = 1) -> Callable[[Evaluated, Tensor], None]:
        """What looks at a scored part; see `siambench.evaluation.scoring.evaluate_items`.

        Args:
            items: the part.
            models: how many models' embeddings stand side by side.
        """

        def look(evaluated: Evaluated, places: Tensor) -> None:
            with self.clock.phase("figures"), generators_kept():
                try:
                    seen = Seen(evaluated, items, places)
                    self.found = figures_of(seen, unit=self.unit.id, dataset=self.unit.data.dataset, models=models)
                except BaseException as error:  # noqa: BLE001  nothing that is only shown of a unit may cost it, whatever a data set raises
                    self.error = without_paths(named(error))

        return look

    def told(self) -> dict[str, Any]:
        """For the record's telemetry: why there are no figures, where they could not be taken."""
        return {} if self.error is None else {"figures_error": self.error}

    def ended(self, outcome: Outcome) -> UnitFigures | None:
        """What was taken, with the outcome that it belongs to; None of a unit that failed after all."""
        if self.found is None or not isinstance(outcome, Done):
            return None
        return dataclasses.replace(self.found, outcome=digest(to_json(outcome)))


def written(figures: UnitFigures | None, context: Context) -> bool:
    """Whether they could be written where the coordinator's folder is shared; if not they are handed back with the record."""
    if figures is None or context.figures is None or not Path(context.figures).parent.is_dir():
        return False
    try:
        Folder(Path(context.figures).parent).keep_figures(figures)
    except OSError:
        return False
    return True
