"""What pictures are drawn from that only a model can tell: taken once, when a unit is scored, and kept in a file beside its record."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from siambench.data.files import read_regular
from siambench.errors import RecordError, UsageError
from siambench.identity import Document, canonical, digest, from_json, to_json
from siambench.records.documents import write_document

LARGEST = 1 << 20
"""Bytes that such a file may have at most; siambench writes some 60,000."""


@dataclass(frozen=True)
class ErrorRates(Document):
    """What verification errs at so many thresholds, from one that accepts no pair to one that accepts all; at most 160.

    Args:
        thresholds: distances up to which a pair is accepted, rising; the first lies below all that occur.
        false_accepts: share of the impostors that is accepted, in [0, 1], rising.
        false_rejects: share of the genuine pairs that is rejected, in [0, 1], falling.
    """

    thresholds: tuple[float, ...]
    false_accepts: tuple[float, ...]
    false_rejects: tuple[float, ...]


@dataclass(frozen=True)
class Distances(Document):
    """How far pairs are apart, counted into equal bins.

    Args:
        low: lower edge of the first bin.
        high: upper edge of the last.
        genuine: pairs of one class in each bin.
        impostors: pairs of two classes in each bin.
    """

    low: float
    high: float
    genuine: tuple[int, ...]
    impostors: tuple[int, ...]


@dataclass(frozen=True)
class OfGroup(Document):
    """Verification over the pairs that one of their items is in a group of.

    Args:
        name: of the group, such as a script or a writer.
        genuine: so many pairs of one class.
        impostors: so many of two classes.
        equal_error_rate: in [0, 1], lower is better.
    """

    name: str
    genuine: int
    impostors: int
    equal_error_rate: float


@dataclass(frozen=True)
class Verification(Document):
    """Whether two items are of one class, told by their distance.

    Args:
        pairs: which: ``"drawn"``, ``"listed"`` in a file or by the data set, or ``"every"`` pair.
        genuine: how many are of one class.
        impostors: how many are of two.
        equal_error_rate: where as large a share of impostors is accepted as of genuine pairs is rejected, in [0, 1].
        threshold: the distance at which that is.
        rates: at other thresholds.
        distances: of all pairs.
        groups: one by one, of the attribute of `UnitFigures.attribute`; none without one.
    """

    pairs: Literal["drawn", "listed", "every"]
    genuine: int
    impostors: int
    equal_error_rate: float
    threshold: float
    rates: ErrorRates
    distances: Distances
    groups: tuple[OfGroup, ...]


@dataclass(frozen=True)
class Item(Document):
    """One test item that is shown.

    Args:
        index: in the data set.
        label: number of its class among `UnitFigures.classes`.
        name: of the item; None where items have none.
        role: ``"query"`` asks and ``"gallery"`` is asked, where the test part is cut so; ``"both"`` where all are compared with all. Of
            an item with two sides the first asks.
        picture: a small PNG as base64 text; None where there is none to show.
    """

    index: int
    label: int
    name: str | None
    role: Literal["both", "query", "gallery"]
    picture: str | None = None


@dataclass(frozen=True)
class Class(Document):
    """A class of which items are shown.

    Args:
        number: among the test classes, in whose order a record has its scores.
        name: of the class.
        group: its value of `UnitFigures.attribute`; None without one.
    """

    number: int
    name: str
    group: str | None


@dataclass(frozen=True)
class EmbeddingMap(Document):
    """Embeddings in a plane: their first two principal components.

    The sign of each axis is such that the item farthest from its middle lies on the positive side.

    Args:
        items: those that are shown, by their places in `UnitFigures.items`.
        x: of each, along the component of the largest variance.
        y: along the second.
        share: of the variance of these items that each component holds, in [0, 1].
    """

    items: tuple[int, ...]
    x: tuple[float, ...]
    y: tuple[float, ...]
    share: tuple[float, float]


@dataclass(frozen=True)
class Answer(Document):
    """A query, and what lies nearest to it.

    Args:
        query: its place in `UnitFigures.items`.
        neighbours: places of the nearest, nearest first; one is a hit where its label is that of the query.
        distances: of each from the query.
    """

    query: int
    neighbours: tuple[int, ...]
    distances: tuple[float, ...]


@dataclass(frozen=True)
class UnitFigures(Document):
    """What the pictures of one final unit are drawn from.

    Which items are shown depends on the names of items and classes alone, never on how well they do: see `siambench.evaluation.shown`.

    Args:
        unit: its id.
        outcome: digest of the outcome of the run that this was taken from: that of the record beside it, or one that was found to be
            within tolerance of it.
        dataset: by what name the unit asks for it.
        distance: what near means: ``"cosine"``, 1 less the cosine, in [0, 2], or ``"euclidean"``.
        models: how many models' embeddings stand side by side: of the Reality Check's protocol one for each fold, else 1.
        attribute: what groups the classes (``script``), of several that which has the most groups; None without one.
        classes: those of the items.
        items: that are shown anywhere.
        verification: None where there are no pairs to be had.
        map: None of fewer than three items.
        answers: of queries of different classes; none where no query has an item of its class among what it is compared with.
    """

    unit: str
    outcome: str
    dataset: str
    distance: Literal["cosine", "euclidean"]
    models: int
    attribute: str | None
    classes: tuple[Class, ...]
    items: tuple[Item, ...]
    verification: Verification | None
    map: EmbeddingMap | None
    answers: tuple[Answer, ...]

    def __post_init__(self) -> None:
        shown = [*(self.map.items if self.map else ()), *(p for a in self.answers for p in (a.query, *a.neighbours))]
        lengths = [
            *([(self.map.items, self.map.x, self.map.y)] if self.map else []),
            *((answer.neighbours, answer.distances) for answer in self.answers),
            *([_columns(self.verification)] if self.verification else []),
            *([(self.verification.distances.genuine, self.verification.distances.impostors)] if self.verification else []),
        ]
        if any(not 0 <= place < len(self.items) for place in shown) or any(not 0 <= one.label < len(self.classes) for one in self.items):
            raise ValueError("an item or a class is pointed to that is not there")
        if any(len({len(column) for column in columns}) > 1 for columns in lengths):
            raise ValueError("columns that belong together are of different lengths")


def _columns(verification: Verification) -> tuple[tuple[float, ...], ...]:
    return verification.rates.thresholds, verification.rates.false_accepts, verification.rates.false_rejects


@dataclass(frozen=True)
class _File(Document):
    schema: Literal[1]
    id: str
    figures: UnitFigures
    digest: str


def write(folder: Path, figures: UnitFigures) -> Path:
    """Write them under the id of their unit: all of the file or nothing."""
    document = to_json(figures)
    return write_document(folder, figures.unit, {"schema": 1, "id": figures.unit, "figures": document, "digest": digest(document)})


def load(path: Path) -> UnitFigures:
    """Read back what `write` wrote.

    Raises:
        RecordError: in one sentence, for a file that is truncated, foreign or damaged, or is of another unit than it is called by.
    """
    try:
        content = read_regular(path, most=LARGEST)
    except UsageError as error:
        raise RecordError(f"{path.name}: {error}") from error
    file = from_json(_File, content, where=path.name)
    found = digest(to_json(file.figures))
    if file.digest != found:
        raise RecordError(f"{path.name}: its figures have the digest {found[:16]}…, it was written with {file.digest[:16]}…")
    if not path.stem == file.id == file.figures.unit:
        raise RecordError(f"{path.name}: it holds the figures of {file.figures.unit[:16]}…")
    return file.figures


def size(figures: UnitFigures) -> int:
    """Bytes that they take in a file."""
    return len(canonical(to_json(figures)).encode())
