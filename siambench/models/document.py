"""What the file of a model says of it, for machines: the one door between that and its JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from siambench.identity import Document
from siambench.spaces import Params
from siambench.spec import DataSpec, ModelSpec, Source

SCHEMA = 1
"""The layout of what a model's file says of it."""

Distance = Literal["cosine", "euclidean"]


@dataclass(frozen=True, kw_only=True)
class OfImages(Document):
    """How an image of any file becomes an item; see `siambench.data.images` for what is done to each file first.

    Args:
        mode: ``"grey"`` or ``"rgb"``.
        height: of an item, in pixels.
        width: of an item.
        resize: what the shorter edge is brought to, its proportions kept, before the middle is cut out; 0: it is squeezed.
        white: of greys deeper than 8 bits, the value that is shown white.
        inverted: whether 255 - value is taken of each: of dark ink on light paper, bright ink on black.
    """

    mode: Literal["grey", "rgb"]
    height: int
    width: int
    resize: int
    white: int
    inverted: bool
    kind: Literal["images"] = "images"


@dataclass(frozen=True, kw_only=True)
class OfTexts(Document):
    """How a text becomes an item; see `siambench.data.tokens`.

    Args:
        tokens: ``"words"``: by their hash; ``"bytes"``.
        vocabulary: one more than the largest id.
        length: tokens of an item; what is longer is cut.
    """

    tokens: Literal["words", "bytes"]
    vocabulary: int
    length: int
    kind: Literal["texts"] = "texts"


@dataclass(frozen=True, kw_only=True)
class ByDataSet(Document):
    """How a file becomes an item only the plugin of a data set knows: ``from_file`` of its entry.

    Args:
        dataset: its name.
        options: of its loader.
        about: what is done to a file, in the plugin's words; empty where it has none.
    """

    dataset: str
    options: Params
    about: str = ""
    kind: Literal["data-set"] = "data-set"


@dataclass(frozen=True)
class AsTheyAre(Document):
    """Items are arrays or tokens, and used as they are."""

    kind: Literal["as-they-are"] = "as-they-are"


Preprocessing = OfImages | OfTexts | ByDataSet | AsTheyAre


@dataclass(frozen=True, kw_only=True)
class Given(Document):
    """What a model is given.

    Args:
        form: ``"images"``, ``"arrays"`` or ``"tokens"``.
        shape: of an item: (C, H, W), the shape of an array, (T,).
        vocabulary: of tokens.
        colour: what the values mean, for people: ``"white ink on black"``.
        preprocessing: how what is in a file becomes an item.
    """

    form: Literal["images", "arrays", "tokens"]
    shape: tuple[int, ...]
    vocabulary: int | None
    colour: str
    preprocessing: Preprocessing


@dataclass(frozen=True, kw_only=True)
class Network(Document):
    """How the network is built that the weights are of.

    Args:
        model: name of the backbone, its options as it was trained with (of a file its content), and the size of a head's output.
        scratch: options of the backbone under which it starts from random weights, so that none need be had to read the file.
        head: whether a linear head stands behind the trunk; the features of the baseline ``pretrained`` have none.
        side_by_side: so many networks whose embeddings, each at unit length, stand beside each other; 1: one alone.
        dimensions: numbers of an embedding.
    """

    model: ModelSpec
    scratch: Params
    head: bool
    side_by_side: int
    dimensions: int


@dataclass(frozen=True, kw_only=True)
class Used(Document):
    """A component that the model was made with.

    Args:
        source: its plugin, its distribution and the digest of its code.
        told: distribution, version and the first digits of the digest.
    """

    source: Source
    told: str


@dataclass(frozen=True, kw_only=True)
class Rights(Document):
    """Where something is from, and under which licence, in words; empty where nobody says."""

    source: str
    licence: str


@dataclass(frozen=True, kw_only=True)
class Interval(Document):
    """Ends of a 95 % interval over test classes, and by what: ``"bootstrap"`` or ``"jackknife"``."""

    low: float
    high: float
    by: str


@dataclass(frozen=True, kw_only=True)
class OperatingPoint(Document):
    """A threshold, and what errors to expect at it.

    Two items are taken for the same where their distance is at most the threshold; of several references, where that to the nearest is.

    Args:
        at: ``"eer"``, or ``"far=0.01"`` and the like.
        references: items that an unknown one is compared with.
        threshold: a distance.
        low: end of the 95 % interval of the threshold over test classes; None where these are too few.
        high: its other end.
        false_accepts: share of impostors accepted to expect: over folds of classes, each at the threshold of the others.
        false_rejects: share of genuine comparisons rejected, likewise.
        impostors: comparisons of the test part.
        genuine: likewise.
        classes: of the test part.
        note: what a reader must know; empty: nothing.
    """

    at: str
    references: int
    threshold: float
    low: float | None
    high: float | None
    false_accepts: float | None
    false_rejects: float | None
    impostors: int
    genuine: int
    classes: int
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Difference(Document):
    """A score that is another than the record's, where a model was trained again."""

    recorded: float | None
    here: float | None


@dataclass(frozen=True, kw_only=True)
class Again(Document):
    """How a model that was trained again compares with its record.

    Args:
        scores: by metric, those that differ.
        surroundings: library, component or fact of the machine → (recorded, here), of those that differ.
    """

    scores: Mapping[str, Difference]
    surroundings: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class ModelDocument(Document):
    """What the file of a model says of it.

    Args:
        schema: of this layout.
        siambench: version that made it.
        unit: id of the training run.
        exam: id of the exam.
        track: name, and ``track_version``.
        row: name of the method.
        study: number of the tuning.
        repetition: number of the final model.
        epochs: that it trained; None of a baseline.
        params: hyperparameters.
        network: how it is built.
        given: what it is given.
        distance: what near means.
        components: by role.
        libraries: minor versions of those that compute.
        machine: processor, device and system that it was trained on.
        data: what it was trained and tested on, and how that was cut.
        rights: of the data, of ``weights`` where it did not start from random ones.
        scores: on the test part, by metric; None where one does not apply.
        intervals: of some scores, over test classes.
        directions: which way each metric is better.
        seed: of the pairs and all else that metrics drew.
        operating_points: thresholds.
        unpointed: why there are none; empty where there are some.
        again: where it was trained again and is another; None: it is the one of the record.
        started_from: SHA-256 of the file of the model that training started from; None: it started as the backbone does.
    """

    schema: Literal[1]
    siambench: str
    unit: str
    exam: str
    track: str
    track_version: str
    row: str
    study: int
    repetition: int
    epochs: int | None
    params: Params
    network: Network
    given: Given
    distance: Distance
    components: Mapping[str, Used]
    libraries: Mapping[str, str]
    machine: Mapping[str, str]
    data: DataSpec
    rights: Mapping[str, Rights]
    scores: Mapping[str, float | None]
    intervals: Mapping[str, Interval]
    directions: Mapping[str, str]
    seed: int
    operating_points: tuple[OperatingPoint, ...]
    unpointed: str
    again: Again | None = None
    started_from: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Its JSON document."""
        from siambench.identity import to_json

        document: dict[str, Any] = to_json(self)
        return document
