"""What pictures of rows' models are drawn from: found beside their records when it is asked for, and brought into a track's own folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.interfaces import Done
from siambench.records.folder import Folder
from siambench.records.record import Record
from siambench.records.unit_figures import UnitFigures
from siambench.tracks.exam import base_name
from siambench.tracks.files import home_of

if TYPE_CHECKING:
    from siambench.tracks.rules import Track

SHOWN_TO_ALL = ("glyphs",)
"""Data sets whose items come with siambench: thumbnails of no other may lie in what others download."""


@dataclass
class FiguresIn:
    """Those that lie in some folders, each read once and when it is first asked for.

    Args:
        folders: of a track; what a later one holds goes before.
        damaged: why a file that was asked for holds none.
    """

    folders: Sequence[Folder] = ()
    damaged: dict[Path, str] = field(default_factory=dict)
    _read: dict[str, UnitFigures | None] = field(default_factory=dict, init=False, repr=False)

    def of(self, unit_id: str | None) -> UnitFigures | None:
        """Those of a unit; None where there are none, or none that can be read."""
        if unit_id is None:
            return None
        if unit_id not in self._read:
            found = (folder.figures_of(unit_id, self.damaged) for folder in reversed(self.folders))
            self._read[unit_id] = next((one for one in found if one is not None), None)
        return self._read[unit_id]


def pictured(finals: Iterable[Record]) -> Record | None:
    """Of a row's final units the one that stands for it in pictures: the first that ended well, by study and repetition."""
    done = (record for record in finals if isinstance(record.outcome, Done))
    return min(done, key=lambda record: (record.unit.study, record.unit.repetition), default=None)


def is_published(folder: Path, track: Track) -> bool:
    """Whether a track's folder comes with siambench, or with a plugin."""
    home = home_of(base_name(track.name))
    return home is not None and home.resolve() == folder.resolve()


def as_kept(figures: UnitFigures, folder: Path, track: Track) -> UnitFigures:
    """Figures as they may lie in a track's folder: without thumbnails where others get the folder, but for data that they have anyway."""
    if figures.dataset in SHOWN_TO_ALL or not is_published(folder, track):
        return figures
    return dataclasses.replace(figures, items=tuple(dataclasses.replace(item, picture=None) for item in figures.items))


def adopt(folder: Path, track: Track, units: Iterable[str | None], others: Sequence[Folder]) -> int:
    """Copy what stands for rows in pictures into their track's own folder, and drop what stands for none any more; how many came.

    Args:
        folder: the track's own.
        track: its rules.
        units: ids of the units that stand for its rows.
        others: folders of which records were adopted.
    """
    own, wanted = Folder(folder), {unit for unit in units if unit is not None}
    elsewhere = FiguresIn([other for other in others if other.path.resolve() != folder.resolve()])
    came = 0
    for unit in sorted(wanted):
        found = elsewhere.of(unit) if own.holds(unit) else None
        if found is not None:
            own.keep_figures(as_kept(found, folder, track))
            came += 1
    for unit in own.figured - wanted:
        # Of a row that has been replaced; what is no file of siambench's stays.
        if own.figures_of(unit) is not None:
            own.drop_figures(unit)
    return came
