"""A track's rules, resolved with the data they meet: what two rows must have in common to share a table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.identity import digest, to_json
from siambench.spec import CONTENT, Drawn, Every, Exam, VerificationPairs
from siambench.tracks.rules import Track

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.spaces import Params
    from siambench.tracks.split import Split

EDITED = "+edited"
"""Ends the name of a track whose rules were changed from the command line."""


def exam_of(track: Track, *, data: tuple[str, str | None], augment: Mapping[str, Any], direction: str, pairs: VerificationPairs) -> Exam:
    """The exam that a track is, with its data.

    Args:
        track: the rules; options that name files hold their content.
        data: fingerprint of the split, and digest of the classes' groups.
        augment: of the items, the track's or the data set's own.
        direction: of the primary metric.
        pairs: the verification pairs of the test part.
    """
    evaluation = track.evaluation
    return Exam(
        version=track.version,
        data=data[0],
        groups=data[1],
        model=track.model.model_dump(mode="json"),
        training=track.training.model_dump(mode="json"),
        augment=dict(augment),
        space=track.space.model_dump(mode="json"),
        evaluation={"distance": evaluation.distance, "protocol": evaluation.protocol, "pairs": to_json(pairs)},
        metrics={"primary": track.metrics.primary, "direction": direction},
    )


def groups_digest(dataset: Dataset, split: Split, attribute: str | None) -> str | None:
    """A digest of the group of each class of a split, 64 hexadecimal digits; None where folds follow no groups."""
    if attribute is None or attribute not in dataset.class_attributes:
        return None
    groups = dataset.class_attributes[attribute]
    classes = np.unique(dataset.labels[np.concatenate([split.trainval, split.test])])
    return digest(sorted([str(dataset.class_names[number]), str(groups[number])] for number in classes))


def base_name(track: str) -> str:
    """The name of a track without the mark of changed rules."""
    return track.removesuffix(EDITED)


def flat(exam: Exam) -> dict[str, Any]:
    """What an exam holds, by dotted keys such as ``training.epochs``."""
    found: dict[str, Any] = {}
    waiting: list[tuple[str, Any]] = list(to_json(exam).items())
    while waiting:
        key, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += [(f"{key}.{name}", inner) for name, inner in value.items()]
        else:
            found[key] = value
    return found


def differences(one: Exam, other: Exam) -> list[str]:
    """The dotted keys in which two exams differ, sorted; ``data`` is the fingerprint of the split."""
    left, right = flat(one), flat(other)
    return sorted(key for key in {*left, *right} if left.get(key) != right.get(key) or (key in left) != (key in right))


def departures(track: Track, exam: Exam) -> list[str]:
    """The dotted keys in which an exam does not follow a track, as far as its rules say without the data; sorted."""
    augment = exam.augment if track.augment is None else _of_items(track.augment.model_dump(mode="json"), exam.augment)
    pairs = exam.evaluation.get("pairs")
    asked = track.evaluation.pairs
    if (asked in ("", "all")) or not isinstance(pairs, Mapping) or pairs.get("kind") != "listed":
        pairs = to_json(Drawn() if not asked else Every()) if asked in ("", "all") else {"kind": "listed"}
    options = {key: _content_or(value, exam.model.get("options", {}).get(key)) for key, value in track.model.options.items()}
    followed = Exam(
        version=track.version,
        data=exam.data,
        groups=exam.groups,
        model={**track.model.model_dump(mode="json"), "options": options},
        training=_with_options(track.training.model_dump(mode="json"), exam.training),
        augment=augment,
        space=track.space.model_dump(mode="json"),
        evaluation={"distance": track.evaluation.distance, "protocol": track.evaluation.protocol, "pairs": pairs},
        metrics={"primary": track.metrics.primary, "direction": exam.metrics.get("direction")},
    )
    return differences(followed, exam)


def _of_items(rules: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, Any]:
    """A track's rules of augmentation for the form of the items that the resolved ones are for."""
    # Crops are said of those tracks alone that ask for them.
    found = {key: rules[key] for key in (*resolved, "crop", "crop_ratio") if key in rules}
    return _with_options(found | {key: value for key, value in rules.items() if isinstance(value, Mapping)}, resolved)


def _with_options(rules: Mapping[str, Any], resolved: Mapping[str, Any]) -> dict[str, Any]:
    """Rules in which the options of a component that they do not give are those of the exam: what its entry says is not known here."""
    found = dict(rules)
    for key, value in resolved.items():
        if isinstance(value, Mapping) and (key in rules or key.endswith("_options")):
            given = rules.get(key, {})
            found[key] = {**value, **given} if isinstance(given, Mapping) else given
    return found


def _content_or(option: object, resolved: object) -> object:
    # What a file holds is not known here; that the option names one is.
    is_file = isinstance(resolved, str) and resolved.startswith(CONTENT) and isinstance(option, str) and not option.startswith(CONTENT)
    return resolved if is_file else option


def with_content(options: Params, digests: Mapping[str, str]) -> dict[str, Any]:
    """Options in which the content of files stands in place of their paths."""
    return {name: f"{CONTENT}{digests[name]}" if name in digests else value for name, value in options.items()}
