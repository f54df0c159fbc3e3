"""Words by which tracks say what becomes of items: keys of augmentation by the form that they are for, and split rules of single items."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from siambench.spec import Form

AUGMENT_OF_FORM: Final[Mapping[Form, tuple[str, ...]]] = {
    "images": ("rotate", "scale", "translate", "shear", "flip", "padding", "crop", "crop_ratio"),
    "arrays": ("jitter", "scaling", "time_warp"),
    "tokens": ("drop", "swap"),
}
"""Which of a track's own rules of augmentation suit which items. Each further one is a component, and has a table of its own."""

UNCLASSED_RULES: Final = ("official", "closed-set")
"""The split rules that say of each item where it belongs; of others a component says which classes are tested."""
