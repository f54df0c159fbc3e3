"""The loader of emoji and their names: items of two sides, from the two npm packages that ``emoji`` reads."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from siambench.builtin.datasets.emoji import drawn_by_both
from siambench.builtin.datasets.listed import Shown, of_images, parts_by
from siambench.builtin.datasets.tokens import tokens_of
from siambench.data.files import read_regular
from siambench.data.locate import Remote
from siambench.data.names import as_text, reason
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset, Side

if TYPE_CHECKING:
    from siambench.builtin.datasets.table import TokenOptions

STYLES = ("google", "twitter")
SAID = ("name", "keywords")
KEYWORDS = Published(
    "emoji",
    "https://www.npmjs.com/package/emojilib",
    ("dist/emoji-en-US.json",),
    "emojilib",
    (
        Remote(
            "emojilib-4.0.3.tgz",
            "https://registry.npmjs.org/emojilib/-/emojilib-4.0.3.tgz",
            "7f9a6b43cff31d18985b7d65d11faba5bd971cbcc60020cf6d09322fbaaaf303",
            "emoji",
        ),
    ),
    inside="package",
)
_MOST_BYTES = 1 << 24
_VARIATION = "\ufe0f"
_BETWEEN = re.compile(r"[\s_:-]+")


def emoji_names(*, size: int, styles: str, text: str, flags: bool, options: TokenOptions) -> Dataset:
    """Emoji and what they are called: ``picture`` uint8 [3, size, size] and ``name``, tokens [T].

    A class is an emoji, and holds one item for each style. Its name is that of Unicode, in lower case, and behind it those words of its
    short name that are no part of it; then those of its keywords. Of the subgroups in order of their names every fifth is the test: the
    split is siambench's own.

    Args:
        size: edge of the pictures in pixels.
        styles: ``"google"``, ``"twitter"``, or ``"both"``.
        text: ``"name"``, or ``"keywords"``: these behind it, from the package emojilib.
        flags: whether flags are in it.
        options: how names become tokens.

    Raises:
        DataMissingError: if a package is not here and cannot be fetched.
        DataError: if one does not hold, or there is no such style or text.
    """
    if text not in SAID:
        raise DataError(f"emoji-names: text must be name or keywords, got {text!r}")
    if styles not in (*STYLES, "both"):
        raise DataError(f"emoji-names: styles must be google, twitter or both, got {styles!r}")
    drawn = drawn_by_both(flags=flags)
    pictures = of_images(drawn.items, drawn.root, Shown("emoji-names", size))
    number = len(drawn.names)
    chosen = np.concatenate([np.arange(number) + place * number for place, style in enumerate(STYLES) if styles in (style, "both")])
    keywords = _keywords() if text == "keywords" else {}
    names = tokens_of([_said(facts, keywords) for facts in drawn.facts], options, "emoji-names")
    notes = (*pictures.notes, *names.notes)
    if keywords:
        without = sum(_character(facts) not in keywords for facts in drawn.facts)
        notes += (f"emoji without keywords: {without}",) if without else ()
    labels = pictures.labels[chosen]
    sides = (
        Side(name="picture", form="images", shape=pictures.shape, read=lambda indices: pictures.read(chosen[indices])),
        Side(
            name="name",
            form="tokens",
            shape=names.read(np.zeros(1, dtype=np.int64)).shape[1:],
            read=lambda indices: names.read(labels[indices]),
            vocabulary=names.vocabulary,
        ),
    )
    item_names = pictures.item_names or ()
    return Dataset.of_sides(
        sides,
        labels=labels,
        class_names=pictures.class_names,
        class_attributes=pictures.class_attributes,
        parts=parts_by([drawn.of_test[label] for label in labels]),
        item_names=[item_names[index] for index in chosen],
        colour=pictures.colour,
        notes=notes,
    )


def _said(facts: Mapping[str, Any], keywords: Mapping[str, str]) -> str:
    """What an emoji is called, each word once: ``grinning face with smiling eyes smile``."""
    said = " ".join([*(str(facts[key] or "") for key in ("name", "short_name")), keywords.get(_character(facts), "")])
    return " ".join(dict.fromkeys(_BETWEEN.sub(" ", said.lower()).split()))


def _character(facts: Mapping[str, Any]) -> str:
    """The emoji itself, without marks that only say how it is drawn; its image is called by its code points."""
    try:
        found = "".join(chr(int(code, 16)) for code in str(facts["image"]).partition(".")[0].split("-"))
    except ValueError:
        return ""
    return found.replace(_VARIATION, "")


def _keywords() -> dict[str, str]:
    """Of each emoji its keywords, in one text."""
    path = home_of(KEYWORDS, fetch=True)[1] / KEYWORDS.marks[0]
    called = as_text(path)
    try:
        held = json.loads(read_regular(path, most=_MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{called} is no JSON: {reason(error)}") from error
    if not isinstance(held, dict) or not all(
        isinstance(words, list) and all(isinstance(one, str) for one in words) for words in held.values()
    ):
        raise DataError(f"{called} must hold a list of keywords for each emoji")
    return {emoji.replace(_VARIATION, ""): " ".join(words) for emoji, words in held.items()}
