"""An unknown item compared with references of a class: how far, whether it is the same, and how often such a decision is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from siambench.data.images import is_image
from siambench.data.names import as_text
from siambench.errors import DataError, UsageError, suggestion
from siambench.metrics.checks import unit_length
from siambench.models.cautions import cautions
from siambench.models.document import ByDataSet, ModelDocument, OfImages, OfTexts, OperatingPoint
from siambench.models.operating import EER, point_for

if TYPE_CHECKING:
    from siambench.models.loaded import LoadedModel

_SHOWN = 60


@dataclass(frozen=True)
class Comparison:
    """What came of it.

    Args:
        same: whether the item is taken for one of the references' class: same = 1.
        nearest: distance to the nearest reference, by which it is decided.
        name: what that is called.
        mean: distance to the mean of the references, under the cosine of those at unit length.
        references: how many.
        threshold: up to which distance it is the same.
        point: where the threshold is from; None: it was given.
        notes: for people.
    """

    same: bool
    nearest: float
    name: str
    mean: float
    references: int
    threshold: float
    point: OperatingPoint | None
    notes: tuple[str, ...]

    @property
    def accuracy(self) -> float | None:
        """The share of right decisions to expect where half of the items are genuine; None where nothing tells."""
        point = self.point
        if point is None or point.false_accepts is None or point.false_rejects is None:
            return None
        return 1 - (point.false_accepts + point.false_rejects) / 2


def compare(model: LoadedModel, item: Any, references: Sequence[Any], *, threshold: str | float = EER) -> Comparison:
    """Compare an item with references of one class.

    Args:
        model: from `siambench.load_model`.
        item: a file, an image, or of a model of texts a text.
        references: of the class; a folder stands for the images in it.
        threshold: ``"eer"``, ``"far=1e-2"`` and the like of those that the model holds, or a distance.

    Raises:
        UsageError: for a threshold that the model does not hold.
        DataError: if something cannot be read, or there is no reference.
    """
    document = model.document
    given = _files(references, document)
    if not given:
        raise DataError("there is no reference to compare with")
    value, point = _threshold(document, threshold, len(given))
    embeddings = model.embed([item, *given])
    distances = model.distances(embeddings[:1], embeddings[1:])[0]
    place = int(distances.argmin())
    known = embeddings[1:].double()
    centre = (unit_length(known) if document.distance == "cosine" else known).mean(dim=0, keepdim=True)
    nearest = float(distances[place])
    return Comparison(
        same=nearest <= value,
        nearest=nearest,
        name=_called(given[place], place),
        mean=float(model.distances(embeddings[:1], centre)[0, 0]),
        references=len(given),
        threshold=value,
        point=point,
        notes=(*_notes(item, given, point), *(cautions(document) if point is not None else ())),
    )


def _files(references: Sequence[Any], document: ModelDocument) -> list[Any]:
    """The references, folders replaced by the images in them."""
    if not isinstance(document.given.preprocessing, OfImages | ByDataSet):
        return list(references)
    found: list[Any] = []
    for one in references:
        path = Path(one).expanduser() if isinstance(one, str | Path) else None
        if path is None or not path.is_dir():
            found.append(one)
            continue
        inside = sorted(each for each in path.iterdir() if each.is_file() and not each.name.startswith(".") and is_image(each))
        if not inside:
            below = sorted(each for each in path.iterdir() if each.is_dir() and not each.name.startswith("."))
            hint = f"; references are of one class, such as {as_text(below[0])}" if below else ""
            raise DataError(f"the folder {as_text(path)} holds no image to compare with{hint}")
        found += inside
    return found


def _threshold(document: ModelDocument, asked: str | float, references: int) -> tuple[float, OperatingPoint | None]:
    number = _number(asked)
    if number is not None:
        if not math.isfinite(number) or number < 0:
            raise UsageError(f"a threshold is a distance of at least 0, got {asked}")
        return number, None
    text = str(asked).strip()
    kind, _, rate = text.partition("=")
    if kind == "far" and (far := _number(rate)) is not None:
        text = f"far={far:g}"
    point = point_for(document.operating_points, text, references)
    if point is None:
        known = list(dict.fromkeys(one.at for one in document.operating_points))
        if not known:
            raise UsageError(f"the model holds no thresholds ({document.unpointed or 'they were not looked for'}): give a distance")
        raise UsageError(
            f"the model holds no threshold at {str(asked)[:_SHOWN]!r}{suggestion(text, known)}: {', '.join(known)}, or a distance"
        )
    return point.threshold, point


def _number(text: str | float) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _called(thing: Any, place: int) -> str:
    if isinstance(thing, str | Path):
        return as_text(thing) if isinstance(thing, Path) or len(thing) <= _SHOWN else f"{thing[:_SHOWN]}…"
    return f"reference {place + 1}"


def _notes(item: Any, given: Sequence[Any], point: OperatingPoint | None) -> list[str]:
    notes = []
    if isinstance(item, str | Path) and any(isinstance(one, str | Path) and _is_same(item, one) for one in given):
        notes.append("the item is one of the references, which says nothing of others")
    if point is None:
        notes.append("of a threshold of your own no error is known")
    elif point.references > len(given):
        notes.append(f"the threshold is that for {point.references} references, the next number that was tried")
    elif point.references < len(given):
        notes.append(
            f"the threshold is that for {point.references} references, the most that were tried: of {len(given)} more impostors are near"
        )
    return notes + ([point.note] if point is not None and point.note else [])


def _is_same(one: str | Path, other: str | Path) -> bool:
    if str(one) == str(other):
        return True
    try:
        return Path(one).expanduser().samefile(Path(other).expanduser())
    except OSError:
        return False


def takes_texts(document: ModelDocument) -> bool:
    """Whether what a command is given is a text itself, and no file."""
    return isinstance(document.given.preprocessing, OfTexts)
