"""Which combinations a comparison names, what makes their batches, and which of them make no sense."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from siambench.plugin import LossEntry, MinerEntry
from siambench.spec import LIST_SAMPLER, NO_MINER, PAIRS_SAMPLER, TRIPLETS_SAMPLER, VIEWS_SAMPLER, Feed, FeedList, Method, feed_asked
from siambench.tracks.rules import MethodRules, Track

SAMPLER = "training.sampler"
"""What a user sets to have the batches of a method made by another sampler than its own; no rule of the track, but a part of the row."""

_SAMPLERS: Mapping[Feed, str] = {"pairs": PAIRS_SAMPLER, "triplets": TRIPLETS_SAMPLER, "views": VIEWS_SAMPLER}


@dataclass(frozen=True)
class Refused:
    """A combination that makes no sense, and why."""

    method: Method
    reason: str


def methods_of(
    rules: Iterable[MethodRules],
    lists: Mapping[str, FeedList] = MappingProxyType({}),
    starts: Mapping[str, str] = MappingProxyType({}),
) -> list[Method]:
    """Every combination that a comparison names, in its order, each once.

    Args:
        rules: of the comparison.
        lists: that methods are fed from, by what they are asked for as.
        starts: the SHA-256 of the models that training starts from, likewise.
    """
    found: dict[Method, None] = {}
    for rule in rules:
        losses = [rule.loss] if isinstance(rule.loss, str) else rule.loss
        miners = [rule.miner] if isinstance(rule.miner, str) else rule.miner
        for loss in losses:
            for miner in miners:
                feed = lists.get(rule.feed) or feed_asked(rule.feed)[0]
                found[Method(loss, miner, feed, rule.backbone, None if rule.init is None else starts[rule.init])] = None
    return list(found)


def sampler_of(method: Method, loss: LossEntry) -> str:
    """The name of the sampler that makes a method's batches where no other is asked for."""
    return _SAMPLERS.get(method.fed, loss.sampler) if method.listed is None else LIST_SAMPLER


def not_admitted(method: Method, track: Track) -> str | None:
    """Why a method may not sit a track's exam for the way that it is fed, or None."""
    feeds = track.training.feeds
    if not feeds or method.fed in feeds:
        return None
    return f"{method.name} is fed {method.fed}, and the track {track.name} admits {' and '.join(feeds)} alone (training.feeds)"


def refusal(method: Method, loss: LossEntry, miner: MinerEntry, sampler: str | None = None) -> str | None:
    """Why a method makes no sense, or None.

    Args:
        method: what is compared.
        loss: its entry.
        miner: its entry.
        sampler: that is asked for, or None.
    """
    if method.miner != NO_MINER and loss.takes == "none":
        return f"{method.loss} forms no tuples that a miner could choose, so {method.miner} would have no effect"
    if method.fed not in loss.feeds:
        return f"{method.loss} cannot be fed {method.fed}: it takes {' or '.join(loss.feeds)}"
    if method.fed in ("pairs", "triplets") and method.miner != NO_MINER:
        return f"fed {method.fed}, {method.loss} gets its tuples from the feed, so {method.miner} would have no effect"
    if method.fed != "classes" and miner.scope == "training-set":
        return f"{method.miner} chooses among the classes of the whole training set, so with it {method.loss} is fed classes alone"
    if sampler not in (None, sampler_of(method, loss)) and method.listed is None and method.fed != "classes":
        return f"fed {method.fed}, {method.loss} gets its batches from the feed, so {SAMPLER}={sampler} would have no effect"
    return None
