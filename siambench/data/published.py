"""A published data set that lies in a folder: where that is, and what is said where it is not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from siambench.data.locate import Remote, cache_folder, candidates
from siambench.data.names import as_text
from siambench.data.unpack import unpacked
from siambench.errors import DataMissingError


@dataclass(frozen=True)
class Published:
    """A data set as its archives unpack it.

    Args:
        name: of the data set, and of its folder below `SIAMBENCH_DATA`.
        page: where it is published.
        marks: files and folders that it has, by their place in it, with ``/``; the first is its list of items.
        folder: that its archive unpacks to, such as ``"CUB_200_2011"``; empty: there is none around it.
        archives: that hold it. Where the folder is nowhere and they are all there, they are unpacked into the cache.
        inside: the folder in its archive, where that is called otherwise.
    """

    name: str
    page: str
    marks: tuple[str, ...]
    folder: str = ""
    archives: tuple[Remote, ...] = ()
    inside: str = ""

    @property
    def places(self) -> list[Path]:
        """The folders that it is looked for in, in order."""
        found: list[Path] = []
        chosen = os.environ.get("SIAMBENCH_DATA")
        for root in [*([Path(chosen).expanduser()] if chosen else []), cache_folder()]:
            inside = [root / self.name / self.folder, root / self.name]
            found += [*inside, root / self.folder] if self.folder else inside
        return list(dict.fromkeys(found))

    @property
    def files(self) -> tuple[Remote, ...]:
        """What `siambench doctor` looks for: its archives, where they are what is there, else the files that it is known by."""
        if self.home is None and self.packed:
            return self.archives
        also = tuple(self.places)
        return tuple(
            Remote(mark, self.page, "", "/".join(part for part in (self.name, self.folder) if part), also=also, by_hand=True)
            for mark in self.marks
            if "." in mark.rpartition("/")[2]
        )

    @property
    def home(self) -> Path | None:
        """The first place that has all of the marks."""
        return next((place for place in self.places if all((place / mark).exists() for mark in self.marks)), None)

    @property
    def packed(self) -> bool:
        """Whether all of its archives are there."""
        return bool(self.archives) and all(any(path.is_file() for path in candidates(remote)) for remote in self.archives)


def home_of(*layouts: Published, fetch: bool = False) -> tuple[Published, Path]:
    """The first of the layouts of a data set that is there, and where; its archives are unpacked where those alone are.

    Args:
        layouts: of one data set.
        fetch: whether archives that are nowhere are downloaded.

    Raises:
        DataMissingError: if none is, saying what belongs where.
        DataError: if an archive is damaged.
    """
    for layout in layouts:
        if layout.home is not None:
            return layout, layout.home
    for layout in layouts:
        if layout.packed or (fetch and layout.archives):
            inside = unpacked(layout.archives, layout.name)
            places = [inside / folder for folder in (layout.inside, layout.folder, "") if folder or not (layout.inside or layout.folder)]
            whole = next((place for place in places if all((place / mark).exists() for mark in layout.marks)), None)
            if whole is None:
                lacking = next(mark for mark in layout.marks if not (places[0] / mark).exists())
                raise DataMissingError(f"{layout.archives[0].name} of {layout.name} holds no {lacking}")
            return layout, whole
    raise DataMissingError(_absent(layouts))


def _absent(layouts: tuple[Published, ...]) -> str:
    first = layouts[0]
    for layout in layouts:
        for place in layout.places:
            there = [mark for mark in layout.marks if (place / mark).exists()]
            if there:
                lacking = next(mark for mark in layout.marks if mark not in there)
                return f"data set {first.name} is not whole: {as_text(place)} has {there[0]} and lacks {lacking}; {layout.page} has it"
    so_that = f"so that {as_text(first.places[0] / first.marks[0])} is there"
    where = as_text(_base(first))
    if not first.archives:
        return f"data set {first.name} is missing: get it from {first.page} and put it into {where}, {so_that}"
    archives = " and ".join(remote.name for remote in first.archives)
    return f"data set {first.name} is missing: get {archives} from {first.page} and put it into {where}, or unpack it there, {so_that}"


def _base(layout: Published) -> Path:
    chosen = os.environ.get("SIAMBENCH_DATA")
    return (Path(chosen).expanduser() if chosen else cache_folder()) / layout.name
