"""The loader of Labeled Faces in the Wild: people, its official splits and pairs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from siambench.builtin.datasets.listed import Items, Shown, of_images, parts_by
from siambench.data.files import read_regular
from siambench.data.lists import Line, Listing, check_counts, files_in, read_list
from siambench.data.locate import Remote, candidates, check_file
from siambench.data.names import as_text
from siambench.data.published import Published, home_of
from siambench.data.unpack import unpacked
from siambench.errors import DataError, DataMissingError, suggestion
from siambench.interfaces import Dataset, OfficialPairs

_PAGE = "http://vis-www.cs.umass.edu/lfw"
_MOST_BYTES = 1 << 26


def _remote(name: str, md5: str) -> Remote:
    return Remote(name, f"{_PAGE}/{name}", "", "lfw", md5=md5, by_hand=True)


IMAGES = {
    "original": ("lfw", _remote("lfw.tgz", "a17d05bd522c52d84eca14327a23d494")),
    "funneled": ("lfw_funneled", _remote("lfw-funneled.tgz", "1b42dfed7d15c9b2dd63d5e5840c86ad")),
    "deepfunneled": ("lfw-deepfunneled", _remote("lfw-deepfunneled.tgz", "68331da3eb755a505a502b5aacb3c201")),
}
"""By how the faces are aligned: the folder, and the archive that holds it."""

LISTS = {
    "people.txt": _remote("people.txt", "450f0863dd89e85e73936a6d71a3474b"),
    "peopleDevTrain.txt": _remote("peopleDevTrain.txt", "54eaac34beb6d042ed3a7d883e247a21"),
    "peopleDevTest.txt": _remote("peopleDevTest.txt", "e4bf5be0a43b5dcd9dc5ccfcb8fb19c5"),
    "pairs.txt": _remote("pairs.txt", "9f1ba174e4e1c508ff7cdf10ac338a7d"),
    "pairsDevTest.txt": _remote("pairsDevTest.txt", "5132f7440eb68cf58910c8a45a2ac10b"),
}

VIEWS = {"development": ("peopleDevTrain.txt", "peopleDevTest.txt", "pairsDevTest.txt"), "ten-folds": ("people.txt", "pairs.txt")}
"""View 1 and view 2 of the paper, and their lists."""

COUNTS = (5_749, 13_233)
"""People and images, as published."""


@dataclass(frozen=True)
class _Person:
    name: str
    images: int
    line: int


def remotes() -> tuple[Remote, ...]:
    """The lists of the view that is the default, and the archive, where its folder is not there."""
    lists = tuple(LISTS[name] for name in VIEWS["development"])
    folder, archive = IMAGES["original"]
    is_there = any((place / folder).is_dir() for place in Published("lfw", _PAGE, ()).places)
    return lists if is_there else (*lists, archive)


def lfw(*, size: int, resize: int, images: str, view: str) -> Dataset:
    """Labeled Faces in the Wild, uint8 [13233, 3, size, size]; a class is a person.

    Args:
        size: edge in pixels; the files hold 250.
        resize: what the edge is brought to before the middle is cut out; 0: to ``size``, and nothing is cut off.
        images: ``"original"``, ``"funneled"`` or ``"deepfunneled"``.
        view: ``"development"``: the people of peopleDevTrain.txt are trainval, those of peopleDevTest.txt the test, its official pairs
            pairsDevTest.txt. ``"ten-folds"``: whoever is in pairs.txt is the test, all others trainval, the official pairs those of
            the ten folds: the protocol in which the threshold of each fold is that of the nine others, and nobody in it is trained on.

    Raises:
        DataMissingError: if a list or the images are nowhere.
        DataError: if a list does not hold.
    """
    shown = Shown("lfw", size, resize=resize)
    for option, given, known in (("images", images, tuple(IMAGES)), ("view", view, tuple(VIEWS))):
        if given not in known:
            raise DataError(f"lfw: {option} must be one of {', '.join(known)}, got {given!r}{suggestion(given, known)}")
    _, root = home_of(Published("lfw", f"{_PAGE}/", VIEWS[view]))
    for name in VIEWS[view]:
        check_file(root / name, LISTS[name])
    trained = view == "development"
    lists = [root / name for name in VIEWS[view][: 2 if trained else 1]]
    people = [_people(path, folds=not trained) for path in lists]
    everybody = [person for part in people for person in part]
    twice = {person.name for person in everybody}
    if len(twice) < len(everybody):
        raise DataError(f"{as_text(lists[-1])} names {len(everybody) - len(twice)} people who were named before")
    check_counts("lfw", [("people", len(everybody), COUNTS[0]), ("images", sum(one.images for one in everybody), COUNTS[1])])
    class_of = [one.name for one in everybody for _ in range(one.images)]
    names = [f"{one.name}/{one.name}_{number:04d}" for one in everybody for number in range(1, one.images + 1)]
    lines = [Line(one.line, (f"{one.name}/{one.name}_{number:04d}.jpg",)) for one in everybody for number in range(1, one.images + 1)]
    pairs = _pairs(root / VIEWS[view][-1], names)
    if trained:
        tested = {one.name for one in people[1]}
    else:
        tested = {class_of[place] for place in np.unique(np.concatenate([pairs.left, pairs.right]))}
    folder = _folder(root, images)
    found = Items(
        files=files_in(folder, Listing(as_text(lists[0]), tuple(lines), ""), 0),
        names=names,
        class_of=class_of,
        classes=sorted({one.name for one in everybody}),
        parts=parts_by([name in tested for name in class_of]),
    )
    return dataclasses.replace(of_images(found, folder, shown), pairs=pairs)


def _folder(root: Path, images: str) -> Path:
    name, archive = IMAGES[images]
    if (root / name).is_dir():
        return root / name
    if any(path.is_file() for path in candidates(archive)):
        return unpacked((archive,), "lfw") / name
    raise DataMissingError(f"lfw: {as_text(root)} holds neither {name} nor {archive.name}: get that from {archive.url}")


def _people(path: Path, *, folds: bool) -> list[_Person]:
    """Who is named, with the number of images: a line with their number, and before each fold of view 2 one, too."""
    listing = read_list(path, 1)
    lines, found = list(listing.lines), []
    runs = _number(listing, lines.pop(0)) if folds else 1
    for _ in range(runs):
        if not lines:
            raise DataError(f"{listing.called} says that it has {runs} folds, and ends before")
        number = _number(listing, lines.pop(0))
        if number > len(lines):
            raise DataError(f"{listing.called} says that {number} people follow, and {len(lines)} lines do")
        for line in lines[:number]:
            name, _, count = line.fields[0].rpartition("\t") if "\t" in line.fields[0] else line.fields[0].rpartition(" ")
            if not name or not count.isascii() or not count.isdigit() or not 0 < int(count[:6]) < 10_000:
                raise DataError(
                    f"{listing.called}: line {line.number} must be a name and a number of images, got {as_text(line.fields[0][:60])!r}"
                )
            found.append(_Person(name.strip(), int(count), line.number))
        lines = lines[number:]
    if lines:
        raise DataError(f"{listing.called} has {len(lines)} lines more than it says, the first is line {lines[0].number}")
    return found


def _number(listing: Listing, line: Line) -> int:
    return listing.whole(line, 0, "how many follow")


def _pairs(path: Path, names: list[str]) -> OfficialPairs:
    from siambench.errors import MetricError
    from siambench.metrics import parse_pairs

    called = as_text(path)
    try:
        named = parse_pairs(read_regular(path, most=_MOST_BYTES).decode("utf-8-sig", "surrogateescape"))
    except MetricError as error:
        raise DataError(f"{called}: {error}") from error
    place = {name: index for index, name in enumerate(names)}
    unknown = next((name for side in (named.left, named.right) for name in side if name not in place), None)
    if unknown is not None:
        raise DataError(f"{called} names {as_text(unknown)}, which is no image of the people listed")
    return OfficialPairs(
        left=np.array([place[name] for name in named.left]),
        right=np.array([place[name] for name in named.right]),
        same=np.array(named.same),
        fold=np.array(named.fold),
    )
