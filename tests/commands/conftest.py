"""What several tests of commands use: folders of records made by hand, in which nothing has to be trained."""

from __future__ import annotations

import pytest
from made import TRACK, studies

from siambench.records.record import write


@pytest.fixture
def folder(tmp_path):
    """Write a track's folder with these records; gives its path."""

    def make(name, records, within="tracks", *, rules=True):
        path = tmp_path / within / name
        for record in records:
            write(path / "records", record)
        path.mkdir(parents=True, exist_ok=True)
        if rules:
            track = TRACK.model_copy(update={"name": name})
            (path / "track.json").write_text(track.model_dump_json(by_alias=True))
        return path

    return make


@pytest.fixture
def both(folder):
    """The folders of two tracks: ``triplet`` has a row on both, ``npair`` on the first alone."""
    one = folder("one", studies("triplet", [0.5, 0.51, 0.52], track="one") + studies("npair", [0.1, 0.12, 0.11], track="one"))
    two = folder("two", studies("triplet", [0.4, 0.41, 0.42], track="two"))
    return one, two
