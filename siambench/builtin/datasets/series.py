"""The loader of time series as the UCR and UEA archives have them: files ``.ts``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.files import read_regular
from siambench.data.names import as_path, as_text
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

_MOST_BYTES = 1 << 31
_MOST_NUMBERS = 1 << 31
_MARK = b"\xef\xbb\xbf"
_MISSING = "?"
_ENDINGS = (("trainval", "_TRAIN"), ("test", "_TEST"))
MISSING = ("refuse", "interpolate")


@dataclass(frozen=True)
class _Series:
    """One series: its channels, each float64 of a length of its own, NaN where a value is missing; and its class."""

    channels: Sequence[NDArray[np.float64]]
    label: str
    line: int


@dataclass(frozen=True)
class _File:
    called: str
    classes: tuple[str, ...]
    series: tuple[_Series, ...]


def ucr(path: str, *, missing: str) -> Dataset:
    """Time series, float32 [N, C, T]; T is the length of the longest, shorter ones are followed by zeros.

    Args:
        path: of a file ``.ts``, or of a folder that holds ``NAME_TRAIN.ts`` and ``NAME_TEST.ts``, which become the parts of an official
            split. They share their classes, which the split rule closed-set alone allows.
        missing: what is done with values that are missing: ``"refuse"``, or ``"interpolate"``: they lie on a straight line between their
            neighbours, and at an end they are as the nearest.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if a file does not hold, naming the line.
    """
    if missing not in MISSING:
        raise DataError(f"ucr: missing must be one of {', '.join(MISSING)}, got {missing!r}")
    found = {part: _read(file) for part, file in _files(as_path(path), as_text(path)).items()}
    files = list(found.values())
    series = [one for file in files for one in file.series]
    called = as_text(path)
    channels = len(series[0].channels)
    other = next(((file, one) for file in files for one in file.series if len(one.channels) != channels), None)
    if other is not None:
        file, one = other
        raise DataError(f"{file.called}: line {one.line} has {len(one.channels)} channels, the first series has {channels}")
    longest = max(len(channel) for one in series for channel in one.channels)
    if len(series) * channels * longest > _MOST_NUMBERS:
        raise DataError(f"{called}: {len(series)} series of {channels} channels and {longest} values are more than memory holds")
    values = np.zeros((len(series), channels, longest), dtype=np.float32)
    filled, shorter = 0, 0
    place = 0
    for file in files:
        for one in file.series:
            shorter += any(len(channel) < longest for channel in one.channels)
            for number, channel in enumerate(one.channels):
                whole, gaps = _whole(channel, missing, f"{file.called}: line {one.line}, channel {number + 1}")
                filled += gaps
                with np.errstate(over="ignore"):
                    values[place, number, : len(channel)] = whole
            place += 1
    if not np.isfinite(values).all():
        raise DataError(f"{called} holds numbers that are not finite in 32 bits")
    classes = _classes(files)
    label_of = {name: label for label, name in enumerate(classes)}
    sizes = [len(file.series) for file in files]
    edges = np.cumsum([0, *sizes])
    notes = []
    if shorter:
        notes.append(f"{shorter} of {len(series)} series are shorter than {longest} and followed by zeros")
    if filled:
        notes.append(f"{filled} missing values are interpolated")
    return Dataset(
        labels=np.array([label_of[one.label] for one in series], dtype=np.int64),
        read=lambda indices: values[indices],
        shape=(channels, longest),
        class_names=classes,
        form="arrays",
        parts={part: np.arange(edges[i], edges[i + 1]) for i, part in enumerate(found)} if len(found) > 1 else {},
        colour="as in the files",
        notes=notes,
    )


def _files(place: Path, called: str) -> dict[str, Path]:
    """The file of each part; of a single file there is one."""
    if not place.is_dir():
        return {"trainval": place}
    pairs = {}
    for part, ending in _ENDINGS:
        there = sorted(path for path in place.iterdir() if path.name.endswith(f"{ending}.ts"))
        if len(there) > 1:
            raise DataError(
                f"{called} holds {len(there)} files *{ending}.ts, the first {as_text(there[0].name)}: name the folder of one data set"
            )
        if not there:
            raise DataMissingError(f"{called} holds no *{ending}.ts: a folder holds NAME_TRAIN.ts and NAME_TEST.ts, or name a file")
        pairs[part] = there[0]
    stems = {path.name.removesuffix(f"{ending}.ts") for path, (_, ending) in zip(pairs.values(), _ENDINGS, strict=True)}
    if len(stems) > 1:
        raise DataError(f"{called} holds the training series of {min(stems)} and the test of {max(stems)}")
    return pairs


def _classes(files: Sequence[_File]) -> list[str]:
    """In the order of the headings, where there are any that hold; else sorted."""
    there = {one.label for file in files for one in file.series}
    said = list(dict.fromkeys(name for file in files for name in file.classes))
    return [name for name in said if name in there] if there <= set(said) else sorted(there)


def _read(path: Path) -> _File:
    called = as_text(path)
    content = read_regular(path, most=_MOST_BYTES).removeprefix(_MARK)
    lines = iter(enumerate(content.decode("utf-8", "backslashreplace").splitlines(), 1))
    classes = _heading(lines, called)
    series = []
    for number, line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        series.append(_one(text, number, called))
        if classes and series[-1].label not in classes:
            raise DataError(f"{called}: line {number} has the class {series[-1].label[:60]!r}, the heading has {', '.join(classes)[:200]}")
    if not series:
        raise DataError(f"{called} holds no series")
    return _File(called, classes, tuple(series))


def _heading(lines: Iterator[tuple[int, str]], called: str) -> tuple[str, ...]:
    """The classes that the heading names; read up to ``@data``."""
    classes: tuple[str, ...] = ()
    labelled = False
    for number, line in lines:
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        key, given = words[0].lower(), words[1:]
        if key == "@data":
            if not labelled:
                raise DataError(f"{called}: its heading must say @classLabel true and the classes: series without classes are no data set")
            return classes
        if not key.startswith("@"):
            raise DataError(f"{called}: line {number} stands before @data and begins with no @: {line[:60]!r}")
        if key == "@timestamps" and given[:1] != ["false"]:
            raise DataError(f"{called}: line {number}: series with time stamps are not read: save values at equal steps")
        if key == "@targetlabel" and given[:1] == ["true"]:
            raise DataError(f"{called}: line {number}: its targets are numbers to predict, a data set needs classes")
        if key == "@classlabel":
            labelled = given[:1] == ["true"]
            classes = tuple(given[1:])
    raise DataError(f"{called} has no line @data")


def _one(text: str, number: int, called: str) -> _Series:
    *channels, label = text.split(":")
    if not channels or not label.strip():
        raise DataError(f"{called}: line {number} must hold channels and behind the last : a class, got {text[:60]!r}")
    if any("(" in channel for channel in channels):
        raise DataError(f"{called}: line {number} holds values with time stamps, which are not read: save values at equal steps")
    found = []
    for place, channel in enumerate(channels, 1):
        cells = [cell.strip() for cell in channel.split(",")]
        try:
            values = np.array([math.nan if cell == _MISSING or cell.lower() == "nan" else float(cell) for cell in cells])
        except ValueError as error:
            bad = next(cell for cell in cells if not _is_number(cell))
            raise DataError(f"{called}: line {number}, channel {place} holds {bad[:40]!r}, which is no number") from error
        if np.isinf(values).any():
            raise DataError(f"{called}: line {number}, channel {place} holds a number that is not finite")
        found.append(values)
    return _Series(found, label.strip(), number)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return cell == _MISSING
    return True


def _whole(channel: NDArray[np.float64], missing: str, where: str) -> tuple[NDArray[np.float64], int]:
    """The channel without gaps, and how many were filled."""
    gaps = np.isnan(channel)
    if not gaps.any():
        return channel, 0
    if missing == "refuse":
        raise DataError(
            f"{where}: {int(gaps.sum())} of {len(channel)} values are missing: --set dataset.options.missing=interpolate fills them"
        )
    if gaps.all():
        raise DataError(f"{where}: all {len(channel)} values are missing")
    steps = np.arange(len(channel))
    return np.interp(steps, steps[~gaps], channel[~gaps]), int(gaps.sum())
