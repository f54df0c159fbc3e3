"""The entries: what a plugin says of each of its components."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from siambench.plugin._factories import Lazy, accepted_by, required_by
from siambench.plugin._fingerprint import Fingerprint, check_fingerprint
from siambench.plugin._harness import check_chunked, check_every, without_every
from siambench.plugin._options import Option, check_options, options_among
from siambench.spaces import Float, Params, Space, Value, check_space, with_space
from siambench.spec import FORMS, Feed, Form

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from siambench.data.locate import Remote

RATE = "lr"
"""The learning rate of a loss's own parameters, which the harness uses; behind it a dot and a group, where they come in groups."""

_OF_HARNESS = ("num_classes", "embedding_size", "lr", "projector")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(@[A-Za-z0-9]+(-[A-Za-z0-9]+)*)?")

WARMUP = Float(0.0, 0.5)
"""The share of the steps during which a miner is left out, where it needs that: the space that it is tuned in."""


def _check(build: Callable[..., Any], space: Space, defaults: Params, source: str, *, given: Sequence[str] | None = None) -> None:
    """See that an entry holds; ``given``: what the harness gives its factory beside its parameters, None where that is not looked at."""
    if not callable(build):
        raise TypeError(f"the factory of an entry must be callable, got {type(build).__name__}")
    if not source.strip():
        raise ValueError("an entry names its source: the paper, or where the component comes from")
    names = sorted({*space, *defaults})
    # Asked only where there is something to compare: the signature of a `Lazy` factory is that of what it imports.
    accepted = accepted_by(build) if names else ()
    for name in names:
        if name not in accepted:
            raise ValueError(f"parameter {name!r} is declared, but the factory's signature names only {sorted(accepted)}")
    asks = required_by(build) if given is not None and (names or not isinstance(build, Lazy)) else ()
    missing = sorted({*asks} - {*names, *(given or ())})
    if missing:
        raise ValueError(f"the factory asks for {missing[0]!r}, which is no parameter of the entry: give it a default there")
    check_space(space, defaults, holds_defaults=True)


def _check_among(what: str, given: Sequence[str], known: Sequence[str]) -> None:
    strange = [name for name in given if name not in known]
    if strange or not given:
        raise ValueError(f"{what} must be of {', '.join(known)}, at least one of them, got {strange or 'none'}")


def _check_groups(defaults: Params, own: object) -> None:
    if isinstance(own, bool):
        return
    if not isinstance(own, tuple) or not own or any(not isinstance(name, str) or not name for name in own) or len({*own}) < len(own):
        raise ValueError(f"own_parameters must be True, False, or the names of groups, each once, got {own!r}")
    if RATE in defaults:
        raise ValueError(f"a loss whose groups of parameters have rates of their own can have no parameter {RATE!r}")


@dataclass(frozen=True)
class DatasetEntry:
    """A data set.

    Args:
        build: called with the track's options for it (``size``, ``path``, …); returns a `siambench.interfaces.Dataset`.
        source: paper or origin, with licence.
        defaults: the options and their values where a track says nothing.
        augment: augmentation that suits its images, as in a track's ``[augment]``.
        takes_path: whether it is named ``name:PATH``; the path arrives as the option ``path``.
        files: gives the published files that it needs, each a `siambench.data.locate.Remote`, none where all is installed, so that
            ``siambench doctor`` can say which are missing; None: that shows when it is loaded.
        licence: of the data, in words.
        holds: how much that is, in words: classes and items.
        split: where its split is from, in words: official, or whose.
        inverted: whether its loader turns the values of its files round, 255 - value, so that dark ink on light paper is bright on black:
            whoever gives a model that was trained on it a file of his own wants the same.
        from_file: how an image of a file that is no item of it becomes one, where that is more than to read it and to bring it to the
            shape of an item: called with ``file`` (a path or an open file), ``name`` (what errors call it) and the options, as far as its
            signature names them; gives uint8 ``[C, H, W]``. None: it is nothing more.
    """

    build: Callable[..., Any]
    source: str
    defaults: Params = field(default_factory=dict)
    augment: Mapping[str, Any] = field(default_factory=dict)
    takes_path: bool = False
    files: Callable[[], Sequence[Remote]] | None = None
    licence: str = ""
    holds: str = ""
    split: str = ""
    inverted: bool = False
    from_file: Callable[..., NDArray[np.uint8]] | None = None

    def __post_init__(self) -> None:
        _check(self.build, {}, self.defaults, self.source)


@dataclass(frozen=True)
class BackboneEntry:
    """A trunk: a module from items to features ``[B, F]``; the harness adds the linear head.

    It is given images as fp32 ``[B, C, H, W]`` in [0, 1], arrays as fp32 ``[B, …]`` as they are, tokens as int64 ``[B, T]``.
    The module may say its stages, from input to output, in an attribute ``stages``: a tuple for each, of prefixes of the names of its
    parameters, of which each is in one. Of one that does not, each child is a stage.

    Args:
        build: called with ``input_shape`` (the shape of an item, such as (C, H, W)), of tokens ``vocabulary`` (ids are below it), and
            its options, as far as its signature names them.
        source: the paper.
        defaults: the options and their values where a track says nothing.
        scratch: for a trunk that can start from pretrained weights, the options under which it does not, e.g.
            ``{"weights": "none"}``. Where a track's options differ from them, its tables carry the baseline ``pretrained``.
        takes: the forms of items that it can be given.
        licence: of the weights that it can start from, in words.
    """

    build: Callable[..., Any]
    source: str
    defaults: Params = field(default_factory=dict)
    scratch: Params = field(default_factory=dict)
    takes: tuple[Form, ...] = ("images",)
    licence: str = ""

    def __post_init__(self) -> None:
        _check(self.build, {}, {**self.defaults, **self.scratch}, self.source, given=("input_shape", "vocabulary"))
        _check_among("takes", self.takes, FORMS)


@dataclass(frozen=True)
class LossEntry:
    """A loss: a module called with ``(embeddings [B, D], labels int64 [B], indices or None)`` that returns a scalar.

    Its ``forward`` may also name ``progress`` (the share of the training that is done, in [0, 1]) and ``groups`` (the group of each
    item's class, int64 [B]; None where classes have none), which are then passed by name. A module with a method ``similarity`` (of
    embeddings fp32 [N, D] and [M, D] as its ``forward`` is given them, to fp [N, M], higher is nearer) is judged by that too, in columns of
    its own (``own:recall@1``): final models alone, by metrics of neighbours and of pairs.

    Args:
        build: called with its parameters, ``num_classes`` and ``embedding_size`` as far as its signature names them.
        source: the paper.
        space: what is tuned.
        defaults: a value for every parameter; trial 0 of every study.
        takes: the form of the indices that a miner or a feed may hand it: ``"triplets"`` and ``"pairs"`` both take
            either form, as pytorch-metric-learning's losses do; ``"none"`` for a loss that forms no tuples.
        images_per_class: images of each class in a batch, where the loss is fed by classes.
        sampler: the sampler that makes its batches, where it is fed by classes.
        own_parameters: whether it has parameters to optimise (proxies, class weights); their learning rate is tuned. Names of groups
            instead, such as ``("proxies", "temperature")``, have a rate each, ``loss.lr.proxies`` and ``loss.lr.temperature``: a group is
            the parameter or submodule of that name, or what the module's method ``parameter_groups()`` gives under it, and every
            parameter is in just one.
        normalise: whether embeddings are L2-normalised before the loss sees them.
        feeds: the ways it can be fed: ``"classes"``, ``"pairs"`` (indices are the labelled pairs), ``"triplets"`` (indices are the
            triplets), ``"views"`` (two views of each item; labels are the item's number in the batch).
        spaces: further spaces by name, as `space`, but that a default may lie outside; see `in_space`.
        space_source: where the spaces and the defaults are from, in words.
        space_version: raised whenever the space or a default changes; part of the identity of every unit.
        equation: the formula, as plain text, with its number in the paper where it has one: ``"eq. 2: -log softmax(s / T)"``.
        needs: what it needs beside embeddings and labels, in words: classes with groups, batches of so many classes, …; empty: nothing.
        distance: what it compares embeddings by, in words.
        reducer: how the values of pairs, triplets or items become one, in words.
        differs: where its form is not that of the paper in ``source``, a sentence each.
        projector: widths of the layers between the embedding and the loss, which sees the last: an MLP (linear, BatchNorm, ReLU, …, linear)
            that is trained with the model and thrown away when it is judged; empty: none. A user may ask for others, or for none:
            ``--set loss.projector=256-256``, ``--set loss.projector=none``.
        wraps: whether it is made of another loss, and used as ``name(other)``. Its factory may also name ``loss``, the other one, called
            as ``loss(embeddings, labels, indices)``; ``make_loss``, which makes one for embeddings of another size; and ``normalised``,
            whether the other wants unit length. Batches, normalisation and what a miner may hand it are the other's; it is fed what
            both can be fed; where ``takes`` is not ``"none"``, the other has to take tuples.
        options: settings by name that are neither tuned nor in a row unless a user sets them: ``--set loss.swap=true``. A factory is given
            those that are set, each by its name, and all of them as a mapping by the name ``options``.
        with_set: where a row with options set is made otherwise: called with the entry and the options that are set, gives the entry of
            that row, which may have another factory, space, defaults or feeds; a `ValueError` says in one sentence what does not go
            together. None: the entry's own factory takes them.
        chunked: whether its batches are embedded in chunks; among losses made of others it is then the outermost. The harness reads its
            parameters ``chunk``, items that are embedded at once, and ``per_chunk_batchnorm``, whether a network with BatchNorm,
            whose statistics are then those of a chunk, may be trained so.
        fingerprint: its margins, scale and value where embeddings are equal, by which a run is judged; None: nothing is told of them.
        sides: whether it compares the two sides of items, such as images and their names: it is then called with the embeddings of the
            first sides of a batch and, behind them, of the second, ``[2 B, D]``, labels and groups likewise, and is for data sets of such
            items alone. It is fed by classes. Of one that ``wraps`` another, it makes the other such a loss, which forms tuples.
    """

    build: Callable[..., Any]
    source: str
    space: Space = field(default_factory=dict)
    defaults: Params = field(default_factory=dict)
    takes: Literal["none", "pairs", "triplets"] = "none"
    images_per_class: int = 4
    sampler: str = "m-per-class"
    own_parameters: bool | tuple[str, ...] = False
    normalise: bool = True
    feeds: tuple[Feed, ...] = ("classes",)
    space_version: int = 1
    spaces: Mapping[str, Space] = field(default_factory=dict)
    space_source: str = ""
    equation: str = ""
    needs: str = ""
    distance: str = ""
    reducer: str = ""
    differs: tuple[str, ...] = ()
    projector: tuple[int, ...] = ()
    wraps: bool = False
    options: Mapping[str, Option] = field(default_factory=dict)
    with_set: Callable[[LossEntry, Params], LossEntry] | None = None
    chunked: bool = False
    fingerprint: Fingerprint | None = None
    sides: bool = False

    def __post_init__(self) -> None:
        given = ("num_classes", "embedding_size", "options", *(("loss", "make_loss", "normalised") if self.wraps else ()))
        _check(self.build, self.space, self.defaults, self.source, given=given)
        check_fingerprint(self.fingerprint, {*self.space, *self.defaults})
        if self.chunked:
            check_chunked(self.space, self.defaults)
        for space in self.spaces.values():
            check_space(space, self.defaults, holds_defaults=False)
        check_options(self.options, {*self.defaults, *_OF_HARNESS})
        _check_groups(self.defaults, self.own_parameters)
        if self.sides and self.feeds != ("classes",):
            raise ValueError(f"a loss of both sides of items is fed by classes alone, got feeds {list(self.feeds)}")
        if self.images_per_class < 1:
            raise ValueError(f"images_per_class must be at least 1, got {self.images_per_class}")
        _check_among("feeds", self.feeds, get_args(Feed))
        if "projector" in self.defaults or any(width < 1 for width in self.projector):
            raise ValueError("a projector is declared by its widths, each at least 1; no parameter can be called that")

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups of own parameters that have a rate each; none where all have one, or there are none."""
        return self.own_parameters if isinstance(self.own_parameters, tuple) else ()

    def options_among(self, given: Params) -> dict[str, Value]:
        """The options that some parameters set; `ValueError` of a value that one cannot have."""
        return options_among(self.options, given)

    def with_options(self, given: Params) -> LossEntry:
        """The entry of a row with these parameters: itself where they set no option; `ValueError` of options that do not go together."""
        chosen = self.options_among(given)
        return self.with_set(self, chosen) if chosen and self.with_set is not None else self

    def in_space(self, name: str) -> LossEntry:
        """The entry with one of its further spaces, defaults moved into it; `UnknownNameError` where it has none of that name."""
        return with_space(self, name)


@dataclass(frozen=True)
class MinerEntry:
    """A miner: called with ``(embeddings [B, D], labels int64 [B])``; returns indices.

    Three index tensors are triplets (anchor, positive, negative); four are pairs (anchor, positive, anchor, negative).

    One whose ``scope`` is ``"training-set"`` is called with the embeddings [N, D] and labels [N] of all items that are trained on, embedded
    without augmentation by the model as it is, every so many epochs; what it returns feeds the epochs that follow. How many that are is
    its parameter ``every``, which the harness reads: 1 unless ``defaults`` says another number, tuned where ``space`` names it. The
    factory need not name it. It ought to take memory in proportion to N.

    Args:
        build: called with its parameters.
        source: the paper.
        space: what is tuned.
        defaults: a value for every parameter.
        gives: ``"triplets"`` or ``"pairs"``.
        warmup: the default share of the steps, in [0, 0.5], during which the harness leaves the miner out, where
            mining from the first step does not train; None for a miner that needs none. The share is tuned.
        spaces: further spaces by name, as `space`, but that a default may lie outside; see `in_space`.
        space_source: where the spaces and the defaults are from, in words.
        space_version: raised whenever the space or a default changes; part of the identity of every unit.
        scope: what it chooses among: ``"batch"``, the tuples of each batch; ``"training-set"``, those of all that is trained on.
    """

    build: Callable[..., Any]
    source: str
    space: Space = field(default_factory=dict)
    defaults: Params = field(default_factory=dict)
    gives: Literal["pairs", "triplets"] = "triplets"
    warmup: float | None = None
    space_version: int = 1
    spaces: Mapping[str, Space] = field(default_factory=dict)
    space_source: str = ""
    scope: Literal["batch", "training-set"] = "batch"

    def __post_init__(self) -> None:
        _check_among("scope", (self.scope,), ("batch", "training-set"))
        named: tuple[Mapping[str, Any], Mapping[str, Any]] = (self.space, self.defaults)
        if self.scope == "training-set":
            check_every((self.space, *self.spaces.values()), self.defaults)
            # Of these two the factory need not know.
            named = without_every(self.space), without_every(self.defaults)
        _check(self.build, *named, self.source, given=("every",) if self.scope == "training-set" else ())
        check_space(self.space, self.defaults, holds_defaults=True)
        for space in self.spaces.values():
            check_space(space, self.defaults, holds_defaults=False)
        if "warmup" in self.defaults:
            raise ValueError("a miner's parameter cannot be called 'warmup': the harness owns the warm-up")
        if self.warmup is not None and not WARMUP.contains(self.warmup):
            raise ValueError(f"warmup must lie in [{WARMUP.low:g}, {WARMUP.high:g}], got {self.warmup}")

    def in_space(self, name: str) -> MinerEntry:
        """The entry with one of its further spaces, defaults moved into it; `UnknownNameError` where it has none of that name."""
        return with_space(self, name)


@dataclass(frozen=True)
class SamplerEntry:
    """A batch sampler: ``build(labels, groups, batch_size, images_per_class, steps, generator)``, as far as its signature names them.

    It returns an iterable of ``steps`` index tensors int64 ``[batch_size]`` into ``labels`` and draws from ``generator`` alone. ``labels``
    are int64 ``[N]``; ``groups``, of the items' classes, int64 ``[N]``, or None where the classes of a track come in none.

    Args:
        build: called as above.
        source: the paper, or where it comes from.
    """

    build: Callable[..., Any]
    source: str

    def __post_init__(self) -> None:
        _check(self.build, {}, {}, self.source)


@dataclass(frozen=True)
class MetricEntry:
    """A metric: a pure function of what the model made of the evaluated items.

    Args:
        compute: called with a `siambench.interfaces.Evaluation` and with the numbers that the name of a member gives: ``k``, a whole
            number, in a family named ``…@k`` or with more words, such as ``…@enrol-k``; ``d``, a number of dimensions, behind the word
            ``dim``, as in ``…@k-dim-d``; ``far``, a rate in (0, 1), in ``…@far``. It returns one score per query as a float64 tensor
            (averaged by the harness, per class too), one float, or None where it does not apply.
        source: the paper or the definition.
        direction: ``"max"`` or ``"min"``: which way is better.
        low: smallest possible value; None where there is none.
        high: largest possible value; None where there is none.
        needs: the name of the evaluation that only some data sets bring (``"one-shot"``), or None.
        over_pairs: whether it is computed from verification pairs, or from items compared with enrolled classes: it has no score per
            query then, and as the primary metric it is scored with each class left out.
        approximate: whether it is an estimate of what it is called, as of neighbours that a fast search may miss: no track may rank by it,
            and tables mark its column.
    """

    compute: Callable[..., Any]
    source: str
    direction: Literal["max", "min"] = "max"
    low: float | None = 0.0
    high: float | None = 1.0
    needs: str | None = None
    over_pairs: bool = False
    approximate: bool = False

    def __post_init__(self) -> None:
        _check(self.compute, {}, {}, self.source)


def valid_name(name: object) -> bool:
    """Whether a component may be called that: letters, digits, ``.``, ``_`` and ``-``; behind an ``@`` a metric's words."""
    return isinstance(name, str) and _NAME.fullmatch(name) is not None
