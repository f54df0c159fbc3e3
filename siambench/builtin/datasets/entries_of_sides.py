"""The entries of data sets whose items have two sides. Light: loaders are imported when they are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import DatasetEntry

if TYPE_CHECKING:
    from siambench.data.locate import Remote
    from siambench.interfaces import Dataset


def emoji_and_names(size: int, styles: str, text: str, *, flags: bool, tokens: str, vocabulary: int, length: int) -> Dataset:
    """Emoji and what they are called, two sides of each: a picture in colour, read at size × size, and its name, as tokens.

    ``styles`` is ``google``, ``twitter``, or ``both``, who have drawn each once; ``text`` is ``name``, or ``keywords``, by which these
    stand behind it, of the npm package emojilib 4.0.3. Without ``flags`` those of countries and all others are left out.
    """
    from siambench.builtin.datasets.emoji_names import emoji_names
    from siambench.builtin.datasets.table import TokenOptions

    return emoji_names(size=size, styles=styles, text=text, flags=flags, options=TokenOptions(tokens, vocabulary, length))


def own_sides(
    path: str, first: str, second: str, size: int, mode: str, tokens: str, vocabulary: int, length: int, encoding: str
) -> Dataset:
    """Your own items of two sides: of a table ``image:COLUMN``, ``text:COLUMN`` or ``numbers:COLUMN,…`` each, or two arrays of a file.

    ``first`` and ``second`` say what is which side; empty: of a table the image in ``path`` and the ``text``, of a .npz or .safetensors
    file the arrays ``first`` and ``second``. Beside them stand ``label``, ``group``, ``split``, ``fold`` of a table, and ``labels``,
    ``groups``, ``split``, ``names`` of arrays; without labels each item is a class of its own.
    """
    from siambench.builtin.datasets.table import TokenOptions
    from siambench.builtin.datasets.two_sided import Seen
    from siambench.builtin.datasets.two_sided import two_sided as load

    return load(path, Seen(first, second, size, mode, TokenOptions(tokens, vocabulary, length), encoding))


def _of_emoji() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.emoji import remotes

    return remotes()


ENTRIES = {
    "emoji-names": DatasetEntry(
        emoji_and_names,
        defaults={"size": 32, "styles": "both", "text": "name", "flags": True, "tokens": "words", "vocabulary": 4096, "length": 32},
        augment={"rotate": 10.0, "scale": [0.9, 1.1], "translate": 0.05, "padding": "border"},
        files=_of_emoji,
        source="npm packages emoji-datasource-google and emoji-datasource-twitter 16.0.0",
        licence="MIT; drawings by Google Apache 2.0, by Twitter CC BY 4.0",
        holds="1,876 classes, 3,752 pictures with a name each",
        split="siambench's own: every fifth subgroup tests",
    ),
    "sides": DatasetEntry(
        own_sides,
        defaults={
            "first": "",
            "second": "",
            "size": 64,
            "mode": "auto",
            "tokens": "words",
            "vocabulary": 8192,
            "length": 64,
            "encoding": "",
        },
        augment={"rotate": 10.0, "scale": [0.9, 1.1], "translate": 0.05, "padding": "border"},
        takes_path=True,
        source="your own items of two sides, in a table or a file of arrays",
    ),
}
"""By name."""
