"""What the features of a trunk that stays as it is will take on a disk, told before anything runs."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from siambench.data.features import bytes_of, features_folder
from siambench.training.features import draws_nothing

if TYPE_CHECKING:
    from siambench.spec import Form
    from siambench.studies.request import Prepared

_SHAPES: dict[Form, tuple[int, ...]] = {"images": (1, 8, 8), "arrays": (1, 8), "tokens": (8,)}
"""An item of each form: whether anything is drawn for it depends on no size."""


@dataclass(frozen=True)
class FeaturesKept:
    """Features that are computed once for all units.

    Args:
        folder: where they are kept.
        items: of the data set; those of the test part are computed when a final unit opens it.
        bytes_per_number: what each number that the trunk gives of an item takes, for all items.
    """

    folder: str
    items: int
    bytes_per_number: int

    def to_json(self) -> dict[str, Any]:
        """As a JSON document has it."""
        return asdict(self)


def features_kept(prepared: Prepared) -> FeaturesKept | None:
    """What is kept of a request; None where a trunk is trained, or items are changed at random."""
    training, data = prepared.studies[0].template.training, prepared.data
    if training is None or data is None or data.sides or not draws_nothing(training, data.form, _SHAPES[data.form]):
        return None
    return FeaturesKept(str(features_folder()), data.items, bytes_of(data.items, 1))
