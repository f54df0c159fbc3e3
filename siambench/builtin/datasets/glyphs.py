"""The loader of glyphs, the embedded data set."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from siambench.errors import DataMissingError
from siambench.interfaces import Dataset

SHA256 = "773cb921916cf6d4e423ffdb834ce651404cfdfa7ac9aaa511c9ab673fba478c"


def glyphs() -> Dataset:
    """White ink on black, uint8 [N, 1, 24, 24]; classes carry their ``script`` and its ``family`` of related scripts.

    Raises:
        DataMissingError: if the package's file is damaged.
    """
    path = Path(__file__).parent / "glyphs.npz"
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise DataMissingError(f"{path} is damaged (SHA-256 {found[:16]}…, expected {SHA256[:16]}…): install siambench again")
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    images = arrays["images"][:, None]
    labels = arrays["labels"].astype(np.int64)
    scripts = [str(script) for script in arrays["class_scripts"]]
    names = [str(name) for name in arrays["script_names"]]
    family = dict(zip(names, map(str, arrays["script_families"]), strict=True))
    part = dict(zip(names, map(str, arrays["script_parts"]), strict=True))
    part_of_item = np.array([part[script] for script in scripts])[labels]
    return Dataset(
        labels=labels,
        read=lambda indices: images[indices],
        shape=(1, *images.shape[2:]),
        class_names=[str(name) for name in arrays["class_names"]],
        class_attributes={"script": scripts, "family": [family[script] for script in scripts]},
        parts={name: np.flatnonzero(part_of_item == name) for name in ("trainval", "test")},
        colour="white ink on black",
    )
