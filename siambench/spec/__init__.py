"""Frozen values that pass between the stages of a comparison; no files, no clock, no registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from siambench.identity import Document, digest, from_json, to_json
from siambench.spaces import Params, Space, Value, dimension_from_json

# What is handed on bears its own name twice; sorted, each would be an import of its own.
# isort: off
from siambench.spec._method import (
    BASELINES as BASELINES,
    FEEDS as FEEDS,
    FIXED_BASELINES as FIXED_BASELINES,
    INIT as INIT,
    LIST_FEEDS as LIST_FEEDS,
    LIST_SAMPLER as LIST_SAMPLER,
    NO_MINER as NO_MINER,
    PAIRS_SAMPLER as PAIRS_SAMPLER,
    RESERVED as RESERVED,
    TRIPLETS_SAMPLER as TRIPLETS_SAMPLER,
    VIEWS_SAMPLER as VIEWS_SAMPLER,
    Baseline as Baseline,
    Feed as Feed,
    FeedList as FeedList,
    ListFeed as ListFeed,
    Method as Method,
    feed_asked as feed_asked,
)
from siambench.spec._recipe import (
    RECIPE as RECIPE,
    Recipe as Recipe,
    _without_idle,
)
from siambench.spec._scores import (
    CONCATENATED as CONCATENATED,
    OWN_SIMILARITY as OWN_SIMILARITY,
    REVERSED as REVERSED,
    forward_of as forward_of,
    metric_of as metric_of,
)
from siambench.spec._sides import (
    BETWEEN as BETWEEN,
    SIDES as SIDES,
    is_two_sided as is_two_sided,
)
# isort: on

TRAINING_REVISION = 2
"""Raised by any change that can move a score: every unit of an older revision is then run anew."""

SCHEMA: Final = 1
"""The layout of TOML files and of the JSON documents that commands print."""

RECORD_SCHEMA: Final = 5
"""The layout of records; `siambench.records.upgrade` reads what older ones hold."""

API: Final = 2
"""The version of the contract with plugins; every record carries it."""

Form = Literal["images", "arrays", "tokens", "sides"]
"""What the items of a data set are: uint8 [B, C, H, W]; float32 [B, …]; int64 [B, T], padded with 0; two of these, a side each."""

FORMS: Final[tuple[Form, ...]] = ("images", "arrays", "tokens")
"""Those of what has one side."""

ANNEALING: Final = ("cosine", "one-cycle")
"""The schedules under which the learning rate has run out after the last epoch."""

MOST_TRIALS: Final = 100_000
MOST_REPETITIONS: Final = 10_000
MOST_STUDIES: Final = 1_000
"""Of one method; what is larger is a slip, not a plan."""

APPROXIMATE: Final = "approximate"
"""The note of an outcome that names those of its metrics which are estimates, separated by a comma and a space."""

CONTENT: Final = "sha256:"
"""Before the digest of a file's content, where an option names a file: its path is a fact of the machine."""


@dataclass(frozen=True)
class Source(Document):
    """The code of a component, as a unit's identity knows it: the same from a wheel, a checkout and an editable install.

    Args:
        plugin: that provides it.
        distribution: that the plugin came in; ``"local"`` for a component in a file.
        digest: of its source and of what that imports of the same distribution; see `siambench.components.source`. Of a record of an
            older layout None, or what that kept of it.
    """

    plugin: str
    distribution: str
    digest: str | None

    @property
    def is_local(self) -> bool:
        """Whether it is a file that nobody else has."""
        return self.distribution == "local"


@dataclass(frozen=True, kw_only=True)
class Exam(Document):
    """What rows must have in common to share a table: the rules of a track that move a score, resolved with the data they meet.

    Neither budget, title, notes nor what is reported beside the primary metric are part of it, and it is no part of a unit.

    Args:
        version: of the track.
        data: fingerprint of the split.
        groups: digest of the groups of its classes; None where folds follow none, or a record of an older layout does not tell.
        model: ``backbone``, ``options`` (of files the content), ``embedding_size``: the track's.
        training: the track's rules of training.
        augment: of the items, the track's or the data set's own.
        space: what every method tunes beside its own parameters: ``lr``, ``weight_decay``, ``loss_lr``.
        evaluation: ``distance``, ``protocol``, ``pairs``.
        metrics: ``primary`` and its ``direction``.
    """

    version: str
    data: str
    groups: str | None
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    augment: Mapping[str, Any]
    space: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    metrics: Mapping[str, Any]

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON form, 64 hexadecimal digits."""
        return digest(to_json(self))

    @property
    def short(self) -> str:
        """The first eight digits of its id, which name folders."""
        return self.id[:8]


@dataclass(frozen=True, kw_only=True)
class SplitSpec(Document):
    """How a data set is cut; see `siambench.tracks.split.cut` for what each means."""

    rule: str
    folds: int
    group: str | None
    test_fraction: float
    acknowledged_duplicates: int


@dataclass(frozen=True, kw_only=True)
class DataSpec(Document):
    """The data of a unit.

    Args:
        dataset: its name; ``folder:birds`` for a folder, whose path is a fact of the machine and stands in the context.
        options: of its loader, resolved.
        split: how it is cut, and ``fingerprint``: of that, 64 hexadecimal digits.
        groups: digest of the groups of its classes; None where folds follow none.
    """

    dataset: str
    options: Params
    split: SplitSpec
    fingerprint: str
    groups: str | None


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Document):
    """The backbone of a unit, its options resolved, and D, the size of the embedding.

    An option that names a file holds the file's content instead, `CONTENT` and its SHA-256; the context says where that file is.
    """

    backbone: str
    options: Params
    embedding_size: int


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Document):
    """One training run, resolved: the rules of `siambench.tracks.rules.TrainingRules`, the loss's layout of batches, augmentation."""

    epochs: int
    steps_per_epoch: int
    batch_size: int
    optimiser: str
    schedule: str
    precision: str
    validate_every: int
    early_stopping: int
    rotate_classes: bool
    sampler: str
    images_per_class: int
    normalise: bool
    augment: Mapping[str, Any]
    recipe: Recipe = field(default_factory=Recipe)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        """As a document it is silent of a recipe that does nothing."""
        return _without_idle(source, handler)

    @property
    def steps(self) -> int:
        """Of all epochs."""
        return self.epochs * self.steps_per_epoch


@dataclass(frozen=True)
class Drawn(Document):
    """Verification pairs are drawn by the fingerprint of the split."""

    kind: Literal["drawn"] = "drawn"


@dataclass(frozen=True)
class Every(Document):
    """Every pair of items counts."""

    kind: Literal["every"] = "every"


@dataclass(frozen=True)
class Listed(Document):
    """The pairs of a file; what it is called and where it is are facts of the machine, and stand in the context as ``pairs``.

    Args:
        digest: SHA-256 of its content.
    """

    digest: str
    kind: Literal["listed"] = "listed"


VerificationPairs = Drawn | Every | Listed


@dataclass(frozen=True, kw_only=True)
class ScoringSpec(Document):
    """How models are scored.

    Args:
        primary: the metric that tuning watches and rows are ordered by.
        maximise: whether more of it is better.
        metrics: that are computed.
        distance: ``"cosine"`` or ``"euclidean"``: what near means.
        protocol: ``"retrain"`` or ``"reality-check"``: how final models are made.
        pairs: the verification pairs of the test part.
    """

    primary: str
    maximise: bool
    metrics: tuple[str, ...]
    distance: Literal["cosine", "euclidean"]
    protocol: Literal["retrain", "reality-check"]
    pairs: VerificationPairs


@dataclass(frozen=True, kw_only=True)
class Unit(Document):
    """One training run, resolved so far that any machine with the data and the plugins can do it.

    Every field counts for the identity: two units with one ``id`` give one result.

    Args:
        kind: ``"tune"``: one fold of a trial; ``"final"``: a final model, or a baseline.
        track: name of the track.
        track_version: its version.
        method: what is compared.
        row: what the units of one row share, 32 hexadecimal digits: rules, method, space, components and data, without the
            budget, the study and the versions of libraries. Of a baseline ``baseline-`` and its name.
        study: number of the independent tuning it belongs to.
        trial: number of the trial; None for a final unit of a method that has nothing to tune, and for a baseline.
        fold: of a tune unit; None for a final one.
        repetition: number of the final model.
        stop_epoch: how many epochs a final unit trains; None for a tune unit.
        data: what it is trained and tested on.
        model: what is trained; None for the baseline ``raw``, which has none.
        training: how; None for a baseline.
        scoring: how it is scored.
        params: all hyperparameters by flat names such as ``loss.margin``.
        space: what is searched, in the form of `siambench.spaces.dimension_to_json`.
        space_name: what the space is called; ``""`` for that of the entries themselves.
        space_versions: of the loss and the miner.
        edited: parameters that the user fixed, or whose space the user narrowed.
        components: the code of each, by its role.
        libraries: minor versions of those that compute, such as ``{"torch": "2.9"}``.
        seeds: by their streams.
        api: of the plugins' contract.
        revision: of the code for training and scoring.
    """

    kind: Literal["tune", "final"]
    track: str
    track_version: str
    method: Method
    row: str
    study: int
    trial: int | None
    fold: int | None
    repetition: int
    stop_epoch: int | None
    data: DataSpec
    model: ModelSpec | None
    training: TrainingSpec | None
    scoring: ScoringSpec
    params: Params
    space: Mapping[str, Mapping[str, Any]]
    space_name: str
    space_versions: Mapping[str, int]
    edited: tuple[str, ...]
    components: Mapping[str, Source]
    libraries: Mapping[str, str]
    seeds: Mapping[str, int]
    api: int
    revision: int

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `from_json` reads back."""
        document: dict[str, Any] = to_json(self)
        return document

    @classmethod
    def from_json(cls, text: bytes | str, *, where: str = "unit") -> Unit:
        """Read back what `to_json` gave.

        Raises:
            RecordError: for a key that is unknown or missing, or a value of another type.
        """
        return from_json(cls, text, where=where)

    @cached_property
    def id(self) -> str:
        """SHA-256 of the canonical JSON form, 64 hexadecimal digits."""
        return digest(self.to_json())

    @property
    def label(self) -> str:
        """For people: ``triplet+hard trial 3 fold 1`` or ``triplet+hard repetition 2``."""
        study = f" study {self.study}" if self.study else ""
        if self.kind == "tune":
            return f"{self.method.name}{study} trial {self.trial} fold {self.fold}"
        return f"{self.method.name}{study} repetition {self.repetition}"

    @property
    def dimensions(self) -> Space:
        """The space as dimensions."""
        return {name: dimension_from_json(form) for name, form in self.space.items()}

    @property
    def is_local(self) -> bool:
        """Whether a component of it is a file that nobody else has."""
        return any(where.is_local for where in self.components.values())

    def own(self, part: str) -> dict[str, Value]:
        """The hyperparameters of one part, such as ``loss``, without its name."""
        return {name.removeprefix(f"{part}."): value for name, value in self.params.items() if name.startswith(f"{part}.")}


@dataclass(frozen=True)
class Context:
    """What a unit needs to know of where it runs; none of it may change its result.

    Args:
        records: the folder for its record, or None: it is only handed back.
        openings: the log of test openings, or None.
        running: the folder in which a unit says how far it is, or None.
        local: paths behind what stands for files and folders (``mine.py:MyLoss``, ``folder:birds``, ``pairs``, ``feed.1a2b3c4d``,
            ``model.options.weights``).
        exam: what the unit is run for, for the record; None: it is only handed back.
        search: with what the coordinator searches, for the record.
        exact: whether components must be the very ones that the unit was planned with; otherwise the record says which were.
        observers: ``NAME`` or ``NAME:argument`` of each observer that is told of what happens.
        distributions: that the observers come from, but for siambench itself.
        observed: the folder in which each observer has one of its own, by its name, or None: they are offered none.
        figures: the folder for what its pictures are drawn from, or None: it is handed back with the record.
        models: the folder in which final units keep their models, or None: they keep none.
    """

    records: str | None = None
    openings: str | None = None
    running: str | None = None
    local: Mapping[str, str] = field(default_factory=dict)
    exam: Exam | None = None
    search: Mapping[str, Any] = field(default_factory=dict)
    exact: bool = True
    observers: tuple[str, ...] = ()
    distributions: tuple[str, ...] = ()
    observed: str | None = None
    figures: str | None = None
    models: str | None = None
