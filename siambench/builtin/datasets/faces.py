"""The loader of faces in the layout of the Olivetti Research Laboratory: a folder for each person, ``s1/1.pgm``."""

from __future__ import annotations

import itertools
import re

from siambench.builtin.datasets.listed import Items, Shown, of_images
from siambench.data.lists import check_counts
from siambench.data.locate import Remote
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset

_PAGE = "https://cam-orl.co.uk/facedatabase.html"
_PERSON = re.compile(r"s([1-9][0-9]{0,3})")
_IMAGE = re.compile(r"([1-9][0-9]{0,3})\.(pgm|png|bmp|jpg)", re.IGNORECASE)

LAYOUTS = tuple(Published("faces", _PAGE, ("s1", "s2"), folder) for folder in ("orl_faces", "att_faces", "ORL", ""))
ARCHIVE = Published("faces", _PAGE, ("s1", "s2"), "", (Remote("att_faces.zip", _PAGE, "", "faces", by_hand=True),), inside="att_faces")
COUNTS = (40, 400)
"""People and images, as published."""


def remotes() -> tuple[Remote, ...]:
    """The archive, or where the folders are there the first image: they have no list."""
    home = next((layout.home for layout in LAYOUTS if layout.home is not None), None)
    if home is None:
        return ARCHIVE.archives
    return (Remote("1.pgm", _PAGE, "", "faces/s1", also=(home / "s1",), by_hand=True),)


def faces(*, size: int) -> Dataset:
    """Ten pictures of each of 40 people, uint8 [400, 1, size, size]; they bring no official split.

    Raises:
        DataMissingError: if the folders are nowhere.
        DataError: if they hold another number of people or pictures.
    """
    shown = Shown("faces", size, "grey")
    _, root = home_of(*LAYOUTS, ARCHIVE)
    found: list[tuple[int, int, str]] = []
    for folder in root.iterdir():
        person = _PERSON.fullmatch(folder.name)
        if person is not None and folder.is_dir():
            pictures = [(_IMAGE.fullmatch(file.name), file.name) for file in folder.iterdir()]
            found += [(int(person[1]), int(match[1]), f"{folder.name}/{name}") for match, name in pictures if match is not None]
    found.sort()
    twice = next((one for one, other in itertools.pairwise(found) if one[:2] == other[:2]), None)
    if twice is not None:
        raise DataError(f"faces: s{twice[0]} holds picture {twice[1]} twice, in files of two kinds")
    people = sorted({person for person, _, _ in found})
    check_counts("faces", [("people", len(people), COUNTS[0]), ("pictures", len(found), COUNTS[1])])
    items = Items(
        files=[root / name for _, _, name in found],
        names=[name for _, _, name in found],
        class_of=[f"s{person}" for person, _, _ in found],
        classes=[f"s{person}" for person in people],
        notes=["no checksum is published: people and pictures are counted"],
    )
    return of_images(items, root, shown)
