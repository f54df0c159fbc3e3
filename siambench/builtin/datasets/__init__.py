"""The data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from siambench.builtin.datasets.entries_of_images import ENTRIES as OF_IMAGES
from siambench.builtin.datasets.entries_of_images import PHOTOS as _PHOTOS
from siambench.builtin.datasets.entries_of_others import ENTRIES as OF_OTHERS
from siambench.builtin.datasets.entries_of_others import INK as _INK
from siambench.builtin.datasets.entries_of_sides import ENTRIES as OF_SIDES
from siambench.plugin import DatasetEntry, hookimpl

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from siambench.data.locate import Remote
    from siambench.interfaces import Dataset

# Slant and size are part of a hand's character: it is changed by less than its own writings differ.
_HAND = {"rotate": 5.0, "scale": [0.9, 1.1], "translate": 0.05, "shear": 8.0}


# A function called like its module would be replaced by it, as an attribute of this package, when the module is first imported.
def printed_glyphs() -> Dataset:
    """Printed characters of many scripts, 24 × 24, split by script; ships with siambench."""
    from siambench.builtin.datasets.glyphs import glyphs as load

    return load()


def omniglot_minimal(size: int) -> Dataset:
    """Drawn characters: small1 to train, the alphabets of small2 that small1 lacks to test, and the official one-shot runs."""
    from siambench.builtin.datasets.omniglot import omniglot_minimal as load

    return load(size=size)


def written_names(height: int, width: int, stroke: float, media: str, classes: str) -> Dataset:
    """Ten names, each written once by 93 people on paper, a tablet, and a phone in the hand and on a table; 53 writers train, 40 test.

    What was written is cut out and shown at height × width, strokes thinner than ``stroke`` pixels of the file widened to it.
    ``media`` is ``all`` (queries from screens, the gallery on paper), ``paper``, ``tablet``, ``phone-hand`` or ``phone-table``;
    ``classes`` is ``writer``, or ``signature``: one name by one writer.
    """
    from siambench.builtin.datasets.signatures import Look
    from siambench.builtin.datasets.signatures import signatures as load

    return load(look=Look(height, width, stroke), media=media, classes=classes)


def digits() -> Dataset:
    """scikit-learn's 8 × 8 digits; a loader, no exam: training on five digits teaches nothing about the others."""
    from siambench.builtin.datasets.small import digits as load

    return load()


def fashion_mnist() -> Dataset:
    """70,000 pictures of clothes, 28 × 28; a loader, no exam, for the same reason as digits."""
    from siambench.builtin.datasets.small import fashion_mnist as load

    return load()


def own_folder(  # factories are called by name
    path: str,
    size: int,
    resize: int,
    mode: str,
    level: int,
    parts: bool,  # noqa: FBT001
    group: str,
) -> Dataset:
    """Your own images: one folder per class, read at size × size, mode auto, grey or rgb.

    With ``resize`` the shorter edge of each becomes that and the middle is cut out; else images are squeezed to a square.
    ``level`` says how deep the folders of the classes lie (0: the first, or the second where ``group = "parent"``), ``parts`` whether
    folders train, val and test at the top are an official split, ``group`` which classes belong together: ``"parent"``, those in one
    folder, or a regular expression with one group in parentheses, those in whose names it finds the same.
    """
    from siambench.builtin.datasets.folder import folder as load

    return load(path, size=size, resize=resize, mode=mode, level=level, parts=parts, group=group)


def own_table(path: str, size: int, mode: str, tokens: str, vocabulary: int, length: int, encoding: str) -> Dataset:
    """Your own images or texts, listed in a table with the columns ``path`` or ``text``, ``label``, and ``group``, ``split``, ``fold``.

    Images are read at size × size, mode auto, grey or rgb; texts become tokens, ``words`` by their hash or ``bytes``.
    """
    from siambench.builtin.datasets.table import TokenOptions
    from siambench.builtin.datasets.table import table as load

    return load(path, size=size, mode=mode, tokens=TokenOptions(tokens, vocabulary, length), encoding=encoding)


def own_npz(path: str) -> Dataset:
    """Your own features in a .npz file: the arrays ``features`` and ``labels``, and ``groups``, ``split``, ``names``."""
    from siambench.builtin.datasets.features import features as load

    return load(path, kind="npz")


def own_safetensors(path: str) -> Dataset:
    """Your own features in a .safetensors file: the arrays ``features`` and ``labels``, and ``groups``."""
    from siambench.builtin.datasets.features import features as load

    return load(path, kind="safetensors")


def _glyph(file: Any, name: str) -> NDArray[np.uint8]:
    """Of one character, dark ink on light paper, the ink is cut out, brought to 18 pixels and put in the middle, bright on black."""
    from siambench.builtin.datasets.from_files import glyph

    return glyph(file, name)


def _written_name(file: Any, name: str, height: int, width: int, stroke: float) -> NDArray[np.uint8]:
    """Of dark ink on light paper what is written is cut out and brought to the largest size that fits, bright on black."""
    from siambench.builtin.datasets.from_files import signature

    return signature(file, name, (height, width, stroke))


def _installed() -> tuple[Remote, ...]:
    return ()


def _omniglot_files() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.omniglot import MINIMAL

    return MINIMAL


def _signature_files() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.signatures import remotes

    return remotes()


def _fashion_files() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.small import FASHION

    return FASHION


@hookimpl
def siambench_datasets() -> dict[str, DatasetEntry]:
    """What can be examined on."""
    return {
        "glyphs": DatasetEntry(
            printed_glyphs,
            augment=_INK,
            files=_installed,
            source="siambench's own, rendered from freely licensed fonts; see docs/drawing_glyphs",
            licence="that of siambench, MIT",
            holds="915 classes, 17,938 images",
            split="siambench's own, by script",
            from_file=_glyph,
        ),
        "omniglot-minimal": DatasetEntry(
            omniglot_minimal,
            defaults={"size": 28},
            augment=_INK,
            files=_omniglot_files,
            source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015; MIT licence",
            licence="MIT",
            holds="242 classes, 4,840 images, 20 one-shot runs",
            split="siambench's own: small1 trains, what small2 has beyond it tests",
            inverted=True,
        ),
        "signatures": DatasetEntry(
            written_names,
            defaults={"height": 32, "width": 64, "stroke": 0.0, "media": "all", "classes": "writer"},
            augment=_HAND,
            files=_signature_files,
            source="Luo et al., Is There a Difference between Paper and Electronic Chinese Signatures?, AISY 2023; MIT licence",
            licence="MIT",
            holds="93 writers, 3,720 images",
            split="siambench's own: writers 1 to 53 train, 54 to 93 test",
            from_file=_written_name,
        ),
        "digits": DatasetEntry(
            digits,
            augment=_INK,
            files=_installed,
            source="Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI 1998; CC BY 4.0",
            licence="CC BY 4.0",
            holds="10 classes, 1,797 images",
            split="none",
        ),
        "fashion-mnist": DatasetEntry(
            fashion_mnist,
            files=_fashion_files,
            augment={"flip": True, "translate": 0.08},
            source="Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv 1708.07747; MIT licence",
            licence="MIT",
            holds="10 classes, 70,000 images",
            split="none: its own is of the same classes",
        ),
        "folder": DatasetEntry(
            own_folder,
            defaults={"size": 64, "resize": 0, "mode": "auto", "level": 0, "parts": True, "group": ""},
            augment=_PHOTOS,
            takes_path=True,
            source="your own images, one folder per class",
        ),
        "csv": DatasetEntry(
            own_table,
            defaults={"size": 64, "mode": "auto", "tokens": "words", "vocabulary": 8192, "length": 64, "encoding": ""},
            augment=_PHOTOS,
            takes_path=True,
            source="your own images or texts, listed in a table",
        ),
        "npz": DatasetEntry(own_npz, takes_path=True, source="your own features with labels, in a file of numpy's"),
        "safetensors": DatasetEntry(own_safetensors, takes_path=True, source="your own features with labels, in a safetensors file"),
        **OF_IMAGES,
        **OF_OTHERS,
        **OF_SIDES,
    }
