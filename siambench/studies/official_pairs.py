"""The verification pairs that a data set brings, written out as a list: units read lists, and name them by their content."""

from __future__ import annotations

import csv
import hashlib
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from siambench.data.files import write_whole
from siambench.data.locate import cache_folder, find
from siambench.errors import ConfigError, DataError
from siambench.spec import Drawn, Every, Listed, VerificationPairs
from siambench.studies.checks import EVERY_PAIR
from siambench.tracks.files import track_folder
from siambench.tracks.parts import Parts

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.tracks.parts import Items
    from siambench.tracks.rules import Track
    from siambench.tracks.split import Split

OFFICIAL = "official"
"""What a track's ``evaluation.pairs`` says where the pairs are those of the data set."""


def pairs_of_track(track: Track, dataset: Dataset, split: Split, *, named: str, is_own: bool) -> tuple[VerificationPairs, dict[str, str]]:
    """The verification pairs of a track, and where a list of them is: a path is a fact of this machine, its content is not.

    Args:
        track: the rules.
        dataset: loaded.
        split: how it is cut.
        named: what the track was asked for as, beside whose file a list may lie.
        is_own: whether the rules were made for a data set that was named, and have no file.

    Raises:
        DataMissingError: if the list is nowhere.
        DataError: if it does not hold.
    """
    asked = track.evaluation.pairs
    if not asked:
        return Drawn(), {}
    if asked == EVERY_PAIR:
        if track.evaluation.distance != "cosine":
            raise ConfigError(f"evaluation.pairs = {EVERY_PAIR!r} counts cosines: it needs evaluation.distance = 'cosine'")
        return Every(), {}
    from siambench.evaluation.scoring import pairs_of

    test = Parts(dataset, split, kind="final", fold=None, opened=lambda: None).test()
    path = official_list(test) if asked == OFFICIAL else find(asked, beside=None if is_own else track_folder(named))
    pairs_of(path, test)
    return Listed(hashlib.sha256(path.read_bytes()).hexdigest()), {"pairs": str(path)}


def official_list(items: Items) -> Path:
    """A table of the official pairs of a part, in the cache; its name is the digest of its content.

    Args:
        items: of the test part.

    Raises:
        DataError: if the data set brings no pairs, none of both of whose items are in the part, or the cache cannot be written.
    """
    pairs = items.dataset.pairs
    if pairs is None:
        raise DataError(f"evaluation.pairs = {OFFICIAL!r}: the data set brings no verification pairs of its own; name a list, or all")
    place = {int(index): position for position, index in enumerate(items.indices)}
    inside = np.isin(pairs.left, items.indices) & np.isin(pairs.right, items.indices)
    if not inside.any():
        raise DataError(f"evaluation.pairs = {OFFICIAL!r}: of the data set's {len(pairs.left)} pairs none is of two items of the test part")
    names = items.dataset.item_names

    def called(index: int) -> str:
        return str(place[index]) if names is None else names[index]

    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["left", "right", "same", "fold", *([] if pairs.score is None else ["score"])])
    for at in np.flatnonzero(inside):
        score = [] if pairs.score is None else [repr(float(pairs.score[at]))]
        rows.writerow([called(int(pairs.left[at])), called(int(pairs.right[at])), int(pairs.same[at]), int(pairs.fold[at]), *score])
    return _kept(text.getvalue().encode())


def _kept(content: bytes) -> Path:
    path = cache_folder() / "pairs" / f"{hashlib.sha256(content).hexdigest()}.csv"
    try:
        if path.is_file() and path.read_bytes() == content:
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, content)
    except OSError as error:
        raise DataError(
            f"the official pairs cannot be kept in {path.parent}: {error.strerror or error}; name another folder in SIAMBENCH_CACHE"
        ) from error
    return path
