"""What a final unit leaves beside its record: the log of what it opened, and, where wanted, its models, at no record's cost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.clock import Clock
from siambench.components.catalogue import Catalogue
from siambench.errors import LostError, SiambenchError, named, text_of
from siambench.execution.roles import METRIC, roles_of
from siambench.interfaces import Done, Outcome
from siambench.records.folder import model_path
from siambench.records.openings import append_opening, opening
from siambench.spec import Context, Unit
from siambench.training.state import device
from siambench.wording import without_paths

if TYPE_CHECKING:
    from torch import nn

    from siambench.tracks.parts import Items


@dataclass
class Final:
    """What a final unit has trained and was scored on, filled in while it runs; of any other unit nothing.

    Args:
        models: one, or one per fold.
        test: the part that they were scored on.
    """

    models: list[nn.Module] = field(default_factory=list)
    test: Items | None = None


def kept(unit: Unit, context: Context, catalogue: Catalogue, found: tuple[Final, Outcome], clock: Clock) -> dict[str, Any]:
    """Keep the models of a final unit where the context says; what the record's telemetry says of that.

    Args:
        unit: as it was planned.
        context: where they are kept, if they are, and the exam that it was run for.
        catalogue: the unit's components.
        found: what it trained, and its outcome.
        clock: takes the time.
    """
    final, outcome = found
    if context.models is None or context.exam is None or final.test is None or not isinstance(outcome, Done) or unit.model is None:
        return {}
    folder = Path(context.models)
    # As with records: where its folder is not to be found, it is not shared, and a model is too large to be handed back.
    if not folder.parent.is_dir():
        return {"model": {"not_kept": "the folder of the run is not to be seen from where the unit ran"}}
    path = model_path(folder, unit.id)
    try:
        with clock.phase("keep"):
            from siambench.models.made import Trained, write_trained

            folder.mkdir(exist_ok=True)
            # Records of older layouts do not name the data set among their components.
            roles = {"dataset": ("datasets", context.local.get(unit.data.dataset, unit.data.dataset)), **roles_of(unit, context)}
            components = {role: catalogue.get(kind, name) for role, (kind, name) in roles.items() if not role.startswith(METRIC)}
            components |= {"loss": components["loss"].with_options(unit.own("loss"))} if "loss" in components else {}
            digest = write_trained(Trained(unit, context.exam, final.models, final.test, outcome, components, device()), path)
    except BaseException as error:  # noqa: BLE001  a full disk, a network that cannot be read back: nothing of it may cost the record
        reason = text_of(error) if isinstance(error, SiambenchError) else named(error)
        return {"model": {"not_kept": without_paths(reason)}}
    return {"model": {"sha256": digest}}


def opened_by(unit: Unit, context: Context) -> Callable[[], None]:
    """What logs that a unit opens the test part."""

    def opened() -> None:
        # Where its folder is not shared, the coordinator logs the opening when the record is handed back.
        if context.openings is not None and Path(context.openings).parent.is_dir():
            try:
                append_opening(Path(context.openings), opening(unit, time.time()))
            except OSError as error:
                raise LostError(f"the log of test openings cannot be written: {error}") from error

    return opened
