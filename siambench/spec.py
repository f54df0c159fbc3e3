"""Frozen values that pass between the stages of a comparison; no files, no clock, no registry."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

TRAINING_REVISION = 1
"""Raised by any change that can move a score: every unit of an older revision is then run anew."""

SCHEMA: Final = 1
"""The layout of TOML files and of the JSON documents that commands print."""

RECORD_SCHEMA: Final = 2
"""The layout of records; `siambench.records.record.upgraded` reads what older ones hold."""

KINDS = ("datasets", "backbones", "losses", "miners", "samplers", "metrics", "engines")
"""What a plugin can provide."""

ANCHORS = ("raw", "untrained", "pretrained")
"""Rows every table carries: the pixels themselves, the backbone before any training, and where training starts from
pretrained weights, the features of those."""

EVERY_PAIR = "all"
"""In the place of a list of verification pairs: every pair there is."""

FIXED_ANCHORS = ("raw", "pretrained")
"""Those in which nothing is drawn: one unit each, whatever the number of seeds."""

Value = float | int | str | bool
Params = Mapping[str, Value]


@dataclass(frozen=True)
class Float:
    """A real hyperparameter.

    Args:
        low: smallest value, included.
        high: largest value, included; ``low < high``.
        log: whether it is searched on a logarithmic scale, which needs ``low > 0``.

    Raises:
        ValueError: if the bounds do not hold.
    """

    low: float
    high: float
    log: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Float needs finite low < high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"Float on a log scale needs low > 0, got low={self.low}")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a number inside the bounds."""
        return isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high

    def on_bound(self, value: Value) -> bool:
        """Whether ``value`` lies within 1 % of a bound, on the scale of the space."""
        return _near_bound(self.low, self.high, value, log=self.log)


@dataclass(frozen=True)
class Int:
    """A whole-number hyperparameter; bounds included, ``log`` as in `Float`.

    Raises:
        ValueError: if the bounds do not hold.
    """

    low: int
    high: int
    log: bool = False

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"Int needs low < high, got low={self.low}, high={self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"Int on a log scale needs low > 0, got low={self.low}")

    def contains(self, value: object) -> bool:
        """Whether ``value`` is a whole number inside the bounds."""
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    def on_bound(self, value: Value) -> bool:
        """Whether ``value`` lies within 1 % of a bound, on the scale of the space."""
        return _near_bound(self.low, self.high, value, log=self.log)


@dataclass(frozen=True)
class Choice:
    """A hyperparameter that takes one of a few named values.

    Raises:
        ValueError: if there are fewer than two options.
    """

    options: tuple[Value, ...]

    def __init__(self, *options: Value) -> None:
        if len(options) < 2:
            raise ValueError(f"Choice needs at least two options, got {options}")
        object.__setattr__(self, "options", options)

    def contains(self, value: object) -> bool:
        """Whether ``value`` is one of the options."""
        return value in self.options

    def on_bound(self, value: Value) -> bool:  # noqa: ARG002  a choice has no bounds; the signature is shared
        """Never: a choice has no bounds."""
        return False


def _near_bound(low: float, high: float, value: Value, *, log: bool) -> bool:
    assert isinstance(value, int | float)
    start, end, at = (math.log(x) if log else float(x) for x in (low, high, value))
    return min(at - start, end - at) <= 0.01 * (end - start)


Dimension = Float | Int | Choice
Space = Mapping[str, Dimension]


def dimension_to_json(dimension: Dimension) -> dict[str, Any]:
    """A JSON form of one dimension, e.g. ``{"type": "float", "low": 0.0, "high": 1.0, "log": false}``."""
    if isinstance(dimension, Choice):
        return {"type": "choice", "options": list(dimension.options)}
    kind = "float" if isinstance(dimension, Float) else "int"
    return {"type": kind, "low": dimension.low, "high": dimension.high, "log": dimension.log}


def dimension_from_json(value: Mapping[str, Any]) -> Dimension:
    """The inverse of `dimension_to_json`."""
    if value["type"] == "choice":
        return Choice(*value["options"])
    if value["type"] == "float":
        return Float(value["low"], value["high"], log=value["log"])
    return Int(value["low"], value["high"], log=value["log"])


Feed = Literal["classes", "pairs"]


@dataclass(frozen=True)
class Method:
    """What is compared: a loss, the way it is fed, a miner and a backbone.

    ``backbone`` is None where the track fixes it. Anchors are methods too: `ANCHORS` in ``loss``.
    """

    loss: str
    miner: str = "none"
    feed: Feed = "classes"
    backbone: str | None = None

    @property
    def name(self) -> str:
        """``loss[:pairs][+miner][@backbone]``, the name of its row."""
        feed = "" if self.feed == "classes" else f":{self.feed}"
        miner = "" if self.miner == "none" else f"+{self.miner}"
        backbone = "" if self.backbone is None else f"@{self.backbone}"
        return f"{self.loss}{feed}{miner}{backbone}"

    @property
    def is_anchor(self) -> bool:
        """Whether it is a row that nothing is trained for."""
        return self.loss in ANCHORS


@dataclass(frozen=True, kw_only=True)
class Unit:
    """One training run, resolved so far that any machine with the data and the plugins can do it.

    Every field counts for the identity: two units with one ``id`` give one result.
    ``trial`` and ``fold`` are None for final units, ``stop_epoch`` is None for tune units.
    """

    kind: Literal["tune", "final"]
    track: str
    track_version: str
    method: Method
    study: str
    trial: int | None
    fold: int | None
    repetition: int
    stop_epoch: int | None
    data: Mapping[str, Any]
    model: Mapping[str, Any]
    training: Mapping[str, Any]
    augment: Mapping[str, Any]
    params: Params
    space: Mapping[str, Mapping[str, Any]]
    space_versions: Mapping[str, int]
    edited: tuple[str, ...]
    components: Mapping[str, str]
    evaluation: Mapping[str, Any]
    metrics: tuple[str, ...]
    primary: str
    seeds: Mapping[str, int]
    api: int = 1
    revision: int = field(default=TRAINING_REVISION)

    def to_json(self) -> dict[str, Any]:
        """A JSON document that `from_json` reads back."""
        # Not `asdict`, which copies every value of every mapping: a hundred thousand units are planned in seconds.
        document = {name: dict(value) if isinstance(value, Mapping) else value for name, value in vars(self).items()}
        return {**document, "method": dict(vars(self.method)), "edited": list(self.edited), "metrics": list(self.metrics)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Unit:
        """Read back what `to_json` wrote."""
        fields = dict(document)
        fields["method"] = Method(**fields["method"])
        fields["edited"] = tuple(fields["edited"])
        fields["metrics"] = tuple(fields["metrics"])
        return cls(**fields)

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON form, 64 hexadecimal digits."""
        return digest(self.to_json())

    @property
    def label(self) -> str:
        """For people: ``triplet+hard trial 3 fold 1`` or ``triplet+hard seed 2``."""
        if self.kind == "tune":
            return f"{self.method.name} trial {self.trial} fold {self.fold}"
        return f"{self.method.name} seed {self.repetition}"


@dataclass(frozen=True)
class Context:
    """What a unit needs to know of where it runs; none of it may change its result.

    Args:
        records: the folder for its record, or None: it is only handed back.
        openings: the log of test openings, or None.
        running: the folder in which a unit says how far it is, or None.
        local: paths behind names that stand for files and folders (``mine.py:MyLoss``, ``folder:birds``).
        search: with what the coordinator searches, for the record.
        exact: whether components must be the very ones that the unit was planned with; otherwise the record says which were.
    """

    records: str | None = None
    openings: str | None = None
    running: str | None = None
    local: Mapping[str, str] = field(default_factory=dict)
    search: Mapping[str, Any] = field(default_factory=dict)
    exact: bool = True


def canonical(document: object) -> str:
    """JSON with sorted keys and no spaces: equal values give equal text."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def digest(document: object) -> str:
    """SHA-256 of `canonical`, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(document).encode()).hexdigest()


def seed_of(*names: object) -> int:
    """A seed in [0, 2^63) that depends on the names and their order alone."""
    text = "\x1f".join(str(name) for name in names)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1
