"""Which networks can be trained in chunks, seen before anything runs."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from siambench.components.batch_norm import statistics_of_batches
from siambench.components.two_sided import TwoBackbones
from siambench.errors import CombinationError
from siambench.plugin import (
    CHUNK,
    PER_CHUNK_BATCHNORM,
    PROJECTOR,
    BackboneEntry,
    LossEntry,
    call_factory,
    projector_text,
    projector_widths,
)
from siambench.spaces import Params, Value
from siambench.spec import Recipe

if TYPE_CHECKING:
    from siambench.interfaces import Dataset, Side


NO_RECIPE = Recipe()


def check_chunks(
    loss: LossEntry, backbone: BackboneEntry, options: Params, dataset: Dataset, fixed: Mapping[str, Value], *, recipe: Recipe = NO_RECIPE
) -> None:
    """See that a loss that is trained in chunks meets no BatchNorm, unless the user says that it may, and then not one item alone.

    A backbone that cannot be built here is looked at where it is trained.

    Args:
        loss: its entry.
        backbone: its entry.
        options: of the backbone.
        dataset: whose items it is given.
        fixed: parameters fixed by the user.
        recipe: of the track, which may keep the trunk's BatchNorm as it is.

    Raises:
        CombinationError: if it does.
    """
    told = fixed.get(PER_CHUNK_BATCHNORM) is True
    alone = fixed.get(CHUNK) == 1
    if not loss.chunked or (told and not alone):
        return
    is_kept = recipe.frozen_batchnorm or recipe.trained_stages == 0
    in_trunk = not is_kept and _in_trunk(backbone, options, dataset)
    place = "the projector" if _in_projector(loss, fixed) else "the backbone" if in_trunk else None
    if place is not None and told:
        raise CombinationError(f"{place} has BatchNorm, which has no statistics of one item: {CHUNK} must be at least 2")
    if place is not None:
        raise CombinationError(
            f"{place} has BatchNorm, whose statistics would be those of a chunk and not of the batch: "
            f"take another, or say --set {PER_CHUNK_BATCHNORM}=true"
        )


def _in_projector(loss: LossEntry, fixed: Mapping[str, Value]) -> bool:
    with contextlib.suppress(ValueError):
        # Between two of its layers stands BatchNorm.
        return len(projector_widths(str(fixed.get(PROJECTOR, projector_text(loss.projector))))) > 1
    return False


def _in_trunk(backbone: BackboneEntry, options: Params, dataset: Dataset) -> bool:
    if isinstance(backbone, TwoBackbones):
        sides = enumerate(zip(backbone.sides, dataset.sides, strict=True))
        return any(_in_one(entry, backbone.options_of(place, options), side) for place, (entry, side) in sides)
    return _in_one(backbone, options, dataset)


def _in_one(backbone: BackboneEntry, options: Params, dataset: Dataset | Side) -> bool:
    # Weights are of no interest, and may be a download away.
    available: dict[str, Any] = {**options, **backbone.scratch, "input_shape": dataset.shape}
    if dataset.vocabulary is not None:
        available["vocabulary"] = dataset.vocabulary
    with contextlib.suppress(Exception, SystemExit):
        return bool(statistics_of_batches(call_factory(backbone.build, available).train()))
    return False
