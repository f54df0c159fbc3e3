"""The data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from siambench.plugin import DatasetEntry, hookimpl

if TYPE_CHECKING:
    from siambench.data.locate import Remote
    from siambench.interfaces import Dataset

_INK = {"rotate": 10.0, "scale": [0.9, 1.1], "translate": 0.08, "shear": 5.0}


# A function called like its module would be replaced by it, as an attribute of this package, when the module is first imported.
def printed_glyphs() -> Dataset:
    """Printed characters of many scripts, 24 × 24, split by script; ships with siambench."""
    from siambench.builtin.datasets.glyphs import glyphs as load

    return load()


def omniglot_minimal(size: int) -> Dataset:
    """Drawn characters: small1 to train, the alphabets of small2 that small1 lacks to test, and the official one-shot runs."""
    from siambench.builtin.datasets.omniglot import omniglot_minimal as load

    return load(size=size)


def digits() -> Dataset:
    """scikit-learn's 8 × 8 digits; a loader, no exam: training on five digits teaches nothing about the others."""
    from siambench.builtin.datasets.small import digits as load

    return load()


def fashion_mnist() -> Dataset:
    """70,000 pictures of clothes, 28 × 28; a loader, no exam, for the same reason as digits."""
    from siambench.builtin.datasets.small import fashion_mnist as load

    return load()


def own_folder(path: str, size: int, mode: str) -> Dataset:
    """Your own images: one folder per class, read at size × size, mode grey or rgb."""
    from siambench.builtin.datasets.folder import folder as load

    return load(path, size=size, mode=mode)


def _installed() -> tuple[Remote, ...]:
    return ()


def _omniglot_files() -> tuple[Remote, ...]:
    from siambench.builtin.datasets.omniglot import MINIMAL

    return MINIMAL


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
        ),
        "omniglot-minimal": DatasetEntry(
            omniglot_minimal,
            defaults={"size": 28},
            augment=_INK,
            files=_omniglot_files,
            source="Lake, Salakhutdinov, Tenenbaum, Human-level concept learning, Science 2015; MIT licence",
        ),
        "digits": DatasetEntry(
            digits,
            augment=_INK,
            files=_installed,
            source="Alpaydin, Kaynak, Optical Recognition of Handwritten Digits, UCI 1998; CC BY 4.0",
        ),
        "fashion-mnist": DatasetEntry(
            fashion_mnist,
            files=_fashion_files,
            augment={"flip": True, "translate": 0.08},
            source="Xiao, Rasul, Vollgraf, Fashion-MNIST, arXiv 1708.07747; MIT licence",
        ),
        "folder": DatasetEntry(
            own_folder,
            defaults={"size": 64, "mode": "rgb"},
            augment={"flip": True, "rotate": 10.0, "scale": [0.8, 1.0], "translate": 0.1, "padding": "reflection"},
            takes_path=True,
            source="your own images, one folder per class",
        ),
    }
