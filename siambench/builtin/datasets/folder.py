"""The loader of a folder of images."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np

from siambench.builtin.datasets.parts import PART_OF_NAME, parts_of
from siambench.data.collection import check_image_options, read_images
from siambench.data.images import is_image, look
from siambench.data.names import as_path, as_text
from siambench.data.walk import Found, Names, walk
from siambench.errors import DataError, DataMissingError
from siambench.interfaces import Dataset

_LOOKED_AT = 1000
_PARENT = "parent"


def folder(path: str, *, size: int, mode: str, level: int = 0, parts: bool = True, group: str = "", resize: int = 0) -> Dataset:
    """A folder of images per class, uint8 [N, 1 or 3, size, size]; hidden files and files that are no images are passed over.

    Args:
        path: of the folder.
        size: edge in pixels.
        mode: ``"auto"`` (grey where every image is), ``"grey"`` or ``"rgb"``.
        level: of the folders that are the classes; 0: the first, or the second where their groups are the folders above them.
        parts: whether folders ``train``, ``val`` and ``test`` at the top, if there are no others, are the parts of an official split.
        group: ``"parent"``: the classes of one folder are a group; a regular expression with one group in parentheses: classes whose
            names give the same are; empty: there are no groups.
        resize: what the shorter edge is brought to before the middle is cut out; 0: images are squeezed to a square of ``size``.

    Raises:
        DataMissingError: if there is no such folder.
        DataError: if there are fewer than two classes, or a file cannot be read.
    """
    root = as_path(path)
    called = as_text(path)
    check_image_options(size, mode, called="folder", resize=resize)
    if level < 0:
        raise DataError(f"folder: level must be a whole number from 0, got {level}")
    if group == _PARENT and level == 1:
        raise DataError("folder: group = 'parent' needs classes that lie below another folder: level = 2, got 1")
    if not root.is_dir():
        raise DataMissingError(f"no such folder: {called}")
    if root.samefile(root.anchor or root.absolute().anchor):
        raise DataError(f"folder: {called} is the root of the whole file system: name the folder whose images are wanted")
    found = walk(root, is_image)
    names = _part_names(found.names) if parts else {}
    depth = level or (2 if group == _PARENT else 1)
    offset = 1 if names else 0
    kept = [place for place in found.names if len(place) > depth + offset]
    class_of = {place: "/".join(as_text(part) for part in place[offset : offset + depth]) for place in kept}
    classes = sorted(set(class_of.values()))
    notes = _notes(found, kept, (depth, offset), classes)
    if len(classes) < 2:
        for place in kept[:_LOOKED_AT]:
            # A file that cannot be read is the nearer reason.
            look(root.joinpath(*place), colours=False)
        raise DataError(_too_few(called, classes, notes, names))
    collection = read_images([root.joinpath(*place) for place in kept], size=size, mode=mode, root=root, resize=resize)
    number = {name: index for index, name in enumerate(classes)}
    official, told = parts_of([names[place[0]] for place in kept] if names else [], [class_of[place] for place in kept])
    return Dataset(
        labels=np.array([number[class_of[place]] for place in kept], dtype=np.int64),
        read=lambda indices: np.asarray(collection.images[indices]),
        shape=cast("tuple[int, int, int]", collection.images.shape[1:]),
        digests=collection.digests,
        class_names=classes,
        class_attributes={} if not group else {"group": groups_of(classes, group)},
        item_names=["/".join(as_text(part) for part in place) for place in kept],
        parts=official,
        colour="as in the files",
        notes=(*notes, *told, *collection.notes),
        whole=collection.whole,
    )


def groups_of(classes: Sequence[str], group: str) -> list[str]:
    """The group of each class: the folder that it lies in, or what a pattern finds in its name.

    Raises:
        DataError: if the pattern is none, or a class does not match it.
    """
    if group == _PARENT:
        return [name.rpartition("/")[0] for name in classes]
    try:
        pattern = re.compile(group)
    except (re.error, RecursionError, OverflowError) as error:
        raise DataError(f"group must be 'parent' or a regular expression with one group in parentheses, got {group!r}: {error}") from error
    if pattern.groups != 1:
        raise DataError(f"group must be 'parent' or a regular expression with one group in parentheses, {group!r} has {pattern.groups}")
    matches = [pattern.search(name) for name in classes]
    without = [name for name, match in zip(classes, matches, strict=True) if match is None or match[1] is None]
    if without:
        raise DataError(f"the pattern {group!r} finds no group in {len(without)} of {len(classes)} classes, the first: {without[0]!r}")
    return [match[1] for match in matches if match is not None]


def _part_names(places: Sequence[Names]) -> dict[str, str]:
    """The part that each folder at the top is, where all of them are parts and one of those is to train; else nothing."""
    tops = {place[0] for place in places if len(place) > 1}
    known = {top: PART_OF_NAME[top.lower()] for top in tops if top.lower() in PART_OF_NAME}
    return known if len(known) == len(tops) > 1 and "train" in known.values() else {}


def _notes(found: Found, kept: Sequence[Names], levels: tuple[int, int], classes: Sequence[str]) -> list[str]:
    """What was passed over, and where images lie deeper than the folders of their classes; levels are those of classes and parts."""
    notes, above = [], sum(levels)
    passed = list(found.passed_over)
    outside = [place for place in found.names if len(place) <= above]
    if outside:
        passed.append(f"{_count(len(outside), 'image')} above the folders of classes ({_text(outside[0])})")
    if passed:
        notes.append(f"passed over: {', '.join(passed)}")
    deeper = [place for place in kept if len(place) > above + 1]
    if deeper and len(deeper) == len(kept):
        more = min(len(place) for place in kept) - above - 1
        notes.append(
            f"the classes are {', '.join(classes[:3])}{', …' if len(classes) > 3 else ''}, but images lie "
            f"{'one level' if more == 1 else f'{more} levels'} deeper ({_text(deeper[0])}): where the folders there are the classes, "
            f"--set dataset.options.level={levels[0] + more} takes them, and with --set dataset.options.group=parent those above are groups"
        )
    elif deeper:
        notes.append(f"{_count(len(deeper), 'image')} in folders below that of their class ({_text(deeper[0])})")
    return notes


def _too_few(called: str, classes: Sequence[str], notes: Sequence[str], names: Mapping[str, str]) -> str:
    text = f"{called} holds {len(classes)} folders with images; an exam needs at least two classes, one folder each"
    if classes:
        text += f"; the class is {classes[0]}"
    if names:
        text += (
            f"; {', '.join(sorted(map(as_text, names)))} are taken for the parts of a split, in which each class has a folder: "
            f"--set dataset.options.parts=false takes them for classes"
        )
    return "; ".join([text, *notes])


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _text(place: Names) -> str:
    return "/".join(as_text(part) for part in place)
