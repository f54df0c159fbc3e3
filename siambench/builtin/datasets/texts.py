"""The loaders of CLINC150 and of the STS benchmark: texts, as tokens."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.pair_lists import folds_in_order, joined
from siambench.builtin.datasets.table import TokenOptions
from siambench.builtin.datasets.tokens import tokens_of
from siambench.data.files import read_regular
from siambench.data.lists import Line, Listing, check_counts, read_list, seen, sha256_of
from siambench.data.names import as_text, reason
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset, OfficialPairs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

_MOST_BYTES = 1 << 28
_FOLDS = 10

CLINC = Published("clinc150", "https://github.com/clinc/oos-eval/tree/master/data", ("data_full.json", "domains.json"))
INTENTS = (150, 10, 22_500)
"""Intents, domains and questions, as published."""

STS = Published(
    "sts", "http://ixa2.si.ehu.eus/stswiki/index.php/STSbenchmark", ("sts-train.csv", "sts-dev.csv", "sts-test.csv"), "stsbenchmark"
)
STS_PAIRS = (5_749, 1_500, 1_379)
"""Pairs to train, to develop, to test, as published."""

HIGHEST_SCORE = 5.0


def clinc150(*, options: TokenOptions) -> Dataset:
    """Questions of 150 intents in 10 domains, int64 [22500, T]; classes carry their ``domain``.

    Its parts, train and val against test, share their intents, which the split rule closed-set alone allows. What is out of all scopes
    is left out.

    Raises:
        DataMissingError: if its two files are nowhere.
        DataError: if they do not hold.
    """
    _, root = home_of(CLINC)
    full, domains = root / "data_full.json", root / "domains.json"
    domain_of = _domains(_json(domains), as_text(domains))
    held = _json(full)
    texts: list[str] = []
    intents: list[str] = []
    sizes: list[int] = []
    for part in ("train", "val", "test"):
        rows = held.get(part)
        called = f"{part} of {as_text(full)}"
        if not isinstance(rows, list) or not rows:
            raise DataError(f"{called} must be a list of questions with their intents")
        for place, row in enumerate(rows, 1):
            if not isinstance(row, list) or len(row) != 2 or not all(isinstance(one, str) and one.strip() for one in row):
                raise DataError(f"{called}: entry {place} must be a question and its intent")
            if row[1] not in domain_of:
                raise DataError(f"{called}: entry {place} has the intent {row[1]!r}, which {as_text(domains)} puts in no domain")
            texts.append(row[0])
            intents.append(row[1])
        sizes.append(len(rows))
    classes = [intent for intent in domain_of if intent in set(intents)]
    check_counts(
        "clinc150",
        list(zip(("intents", "domains", "questions"), (len(classes), len({*domain_of.values()}), len(texts)), INTENTS, strict=True)),
    )
    number = {intent: label for label, intent in enumerate(classes)}
    tokens = tokens_of(texts, options, "clinc150")
    trained = sizes[0] + sizes[1]
    outside = sum(len(rows) for part, rows in held.items() if part.startswith("oos") and isinstance(rows, list))
    return Dataset(
        labels=np.array([number[intent] for intent in intents], dtype=np.int64),
        read=tokens.read,
        shape=(options.length,),
        form="tokens",
        vocabulary=tokens.vocabulary,
        class_names=classes,
        class_attributes={"domain": [domain_of[intent] for intent in classes]},
        parts={"trainval": np.arange(trained), "test": np.arange(trained, len(texts))},
        colour="text",
        notes=(
            f"passed over: {outside} questions of no intent",
            f"no checksum is published; SHA-256 of what was read: data_full.json {sha256_of(full)[:16]}…",
            *tokens.notes,
        ),
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(read_regular(path, most=_MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{as_text(path)} is no JSON: {reason(error)}") from error
    if not isinstance(found, dict):
        raise DataError(f"{as_text(path)} must hold an object, got {type(found).__name__}")
    return found


def _domains(held: Mapping[str, Any], called: str) -> dict[str, str]:
    """The domain of each intent, in the order of the file."""
    found: dict[str, str] = {}
    for domain, intents in held.items():
        if not isinstance(intents, list) or not all(isinstance(intent, str) for intent in intents):
            raise DataError(f"{called}: {domain!r} must be a list of intents")
        for intent in intents:
            if intent in found:
                raise DataError(f"{called} has the intent {intent!r} twice")
            found[intent] = domain
    return found


def sts(*, threshold: float, options: TokenOptions) -> Dataset:
    """The sentences of the STS benchmark, int64 [N, T], each text once, and its pairs with their scores in 0 … 5.

    Pairs that score the threshold or more are the same, and what they join is a class. The test is the sentences of sts-test.csv,
    trainval all others whose class has none of those.

    Args:
        threshold: of the score, in (0, 5]; the benchmark says of 4 that two sentences are mostly equivalent, of 5 completely.
        options: how texts become tokens.

    Raises:
        DataMissingError: if its three files are nowhere.
        DataError: if they do not hold.
    """
    if not 0 < threshold <= HIGHEST_SCORE:
        raise DataError(f"sts: threshold must lie in 0 … {HIGHEST_SCORE:g}, 0 left out, got {threshold:g}")
    layout, root = home_of(STS)
    lists = [read_list(root / mark, 7, separator="\t") for mark in layout.marks]
    sizes = [len(listing.lines) for listing in lists]
    check_counts("sts", list(zip(("pairs to train", "pairs to develop", "pairs to test"), sizes, STS_PAIRS, strict=True)))
    place_of: dict[str, int] = {}
    sides: list[tuple[int, int]] = []
    scores: list[float] = []
    for listing in lists:
        for line in listing.lines:
            # Behind the second sentence some lines name where both are from.
            both = (line.fields[5], line.fields[6].partition("\t")[0].strip())
            if not all(both):
                raise DataError(f"{listing.called}: line {line.number} has an empty sentence")
            scores.append(_score(listing, line))
            first, second = (place_of.setdefault(text, len(place_of)) for text in both)
            sides.append((first, second))
    score = np.array(scores)
    left, right = np.array(sides, dtype=np.int64).T
    given = OfficialPairs(left=left, right=right, same=score >= threshold, fold=folds_in_order(len(sides), _FOLDS), score=score)
    found = joined(given, len(place_of))
    of_test = np.unique(np.concatenate([left[-sizes[2] :], right[-sizes[2] :]]))
    met = np.isin(found.labels, found.labels[of_test])
    is_test = np.isin(np.arange(len(met)), of_test)
    tokens = tokens_of(list(place_of), options, "sts")
    left_out = int((met & ~is_test).sum())
    return Dataset(
        labels=found.labels,
        read=tokens.read,
        shape=(options.length,),
        form="tokens",
        vocabulary=tokens.vocabulary,
        class_names=[f"meaning {label:05d}" for label in range(int(found.labels.max()) + 1)],
        item_names=[f"sentence {place:05d}" for place in range(len(met))],
        parts={"trainval": np.flatnonzero(~met), "test": np.flatnonzero(is_test)},
        pairs=_of_test(found.pairs, is_test),
        colour="text",
        notes=(
            *found.notes,
            *([f"{left_out} sentences to train that mean what one of the test does are left out"] if left_out else []),
            seen(*lists),
            *tokens.notes,
        ),
    )


def _of_test(pairs: OfficialPairs, is_test: NDArray[np.bool_]) -> OfficialPairs:
    """The pairs that are of sentences of the test alone, their folds numbered anew: the benchmark has none."""
    kept = np.flatnonzero(is_test[pairs.left] & is_test[pairs.right])
    return OfficialPairs(
        left=pairs.left[kept],
        right=pairs.right[kept],
        same=pairs.same[kept],
        fold=folds_in_order(len(kept), _FOLDS),
        score=None if pairs.score is None else pairs.score[kept],
    )


def _score(listing: Listing, line: Line) -> float:
    try:
        found = float(line.fields[4])
    except ValueError:
        found = -1.0
    if not 0 <= found <= HIGHEST_SCORE:
        raise DataError(
            f"{listing.called}: line {line.number}: the score must lie in 0 … {HIGHEST_SCORE:g}, got {as_text(line.fields[4][:40])!r}"
        )
    return found
