"""What several tests of boards use: the folder of a track with records made by hand."""

from __future__ import annotations

import pytest
from made import final, leave, local, studies, timed


@pytest.fixture
def folder(tmp_path):
    """The folder of a track with two rows, one of them local, and a baseline."""
    return leave(tmp_path / "made", timed([*studies("triplet", [0.5, 0.51, 0.52]), *local(), final("raw", 0, 0.1)]))
