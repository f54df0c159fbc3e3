"""What is compared: methods, the ways to feed them, and the baselines beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from siambench.errors import suggestion
from siambench.identity import Document

if TYPE_CHECKING:
    from collections.abc import Callable

Baseline = Literal["raw", "untrained", "pretrained"]

BASELINES: Final[tuple[Baseline, ...]] = ("raw", "untrained", "pretrained")
"""Rows of every table: the input itself, the untrained backbone, and the features of pretrained weights where training has them."""

FIXED_BASELINES: Final[tuple[Baseline, ...]] = ("raw", "pretrained")
"""Those in which nothing is drawn: one unit each, whatever the number of repetitions."""

NO_MINER: Final = "none"
RESERVED: Final = (*BASELINES, NO_MINER)
"""Names that mean something to siambench, and that no component may bear, but for the miner of a method without one."""

Feed = Literal["classes", "pairs", "triplets", "views"]
"""How batches are formed: so many items of each class; pairs in two branches; triplets in three; two views of each item, unlabelled."""

FEEDS: Final[tuple[Feed, ...]] = ("classes", "pairs", "triplets", "views")

PAIRS_SAMPLER: Final = "balanced-pairs"
TRIPLETS_SAMPLER: Final = "random-triplets"
VIEWS_SAMPLER: Final = "random"
LIST_SAMPLER: Final = "random"
"""The samplers of those feeds, the last for the rows of a list; what is fed by classes names its own."""

ListFeed = Literal["pairs", "triplets"]

LIST_FEEDS: Final[tuple[ListFeed, ...]] = ("pairs", "triplets")
"""The feeds whose tuples a file may list."""


@dataclass(frozen=True)
class FeedList(Document):
    """A feed whose pairs or triplets a file lists; where that is, is a fact of the machine, and stands in the context by its `place`.

    Args:
        feed: what the rows of the file are.
        digest: SHA-256 of its content.
    """

    feed: ListFeed
    digest: str

    @property
    def place(self) -> str:
        """By what the context, records and ``reproduce --where`` know the file: ``feed.`` and the first eight digits."""
        return f"feed.{self.digest[:8]}"

    def __str__(self) -> str:
        return f"{self.feed}={self.digest[:8]}"


INIT: Final = "init"
"""By what the context, records and ``reproduce --where`` know the file of a model that training starts from."""


@dataclass(frozen=True)
class Method(Document):
    """What is compared: a loss, the way it is fed, a miner and a backbone.

    ``backbone`` is None where the track fixes it. ``init`` is the SHA-256 of the file of a model that training starts from; None: it starts
    as the backbone does. Baselines are methods too: one of `BASELINES` in ``loss``.
    """

    loss: str
    miner: str = NO_MINER
    feed: Feed | FeedList = "classes"
    backbone: str | None = None
    init: str | None = None

    @property
    def name(self) -> str:
        """``loss[:feed][+miner][@backbone]``, the name of its row; of a feed from a list ``loss:triplets=1a2b3c4d``.

        Of one whose training starts from a model ``loss@init=1a2b3c4d``, or ``loss@backbone,init=1a2b3c4d``.
        """
        feed = "" if self.feed == "classes" else f":{self.feed}"
        miner = "" if self.miner == NO_MINER else f"+{self.miner}"
        network = [*([] if self.backbone is None else [self.backbone]), *([] if self.init is None else [f"{INIT}={self.init[:8]}"])]
        return f"{self.loss}{feed}{miner}{'@' if network else ''}{','.join(network)}"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Callable[[Any], Any]) -> Any:
        """As a document it is silent of a start that it has not: units from before there were any have the same identity to this day."""
        schema = handler(source)

        def said(value: Any, inner: Callable[[Any], Any]) -> Any:
            document = inner(value)
            if value.init is None:
                document.pop(INIT, None)
            return document

        schema["serialization"] = {"type": "function-wrap", "function": said}
        return schema

    @property
    def fed(self) -> Feed:
        """How its batches are formed, whether or not a file lists what they hold."""
        return self.feed.feed if isinstance(self.feed, FeedList) else self.feed

    @property
    def listed(self) -> FeedList | None:
        """The list that it is fed from; None where the harness draws its tuples."""
        return self.feed if isinstance(self.feed, FeedList) else None

    @property
    def baseline(self) -> Baseline | None:
        """Which row that nothing is trained for it is; None for a method that is trained."""
        return next((known for known in BASELINES if known == self.loss), None)


def feed_asked(text: str) -> tuple[Feed, str | None]:
    """What is asked for by the name of a feed, or by ``pairs=FILE`` or ``triplets=FILE``: the feed, and the file that lists its rows.

    Raises:
        ValueError: if it is something else.
    """
    feed, listed, path = text.partition("=")
    allowed = "'classes', 'pairs', 'triplets' or 'views'"
    if feed not in FEEDS:
        raise ValueError(f"a feed should be pairs=FILE, triplets=FILE, or one of {allowed}, got {text[:60]!r}{suggestion(feed, FEEDS)}")
    if listed and feed not in LIST_FEEDS:
        raise ValueError(f"a list is of pairs or triplets: pairs=FILE or triplets=FILE, got {text[:60]!r}")
    if listed and not path.strip():
        raise ValueError(f"{feed}= names no file: {feed}=FILE, or {feed} alone, whose tuples are drawn")
    return feed, path if listed else None
