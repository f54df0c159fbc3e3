"""What a sentence says of names: all of a few, of many the nearest and where all are listed."""

from __future__ import annotations

import pytest

from siambench.components.catalogue import Catalogue
from siambench.errors import MOST_NAMES, UnknownNameError, some
from siambench.tracks.files import load_track


def test_few_names_are_listed_and_many_are_counted():
    """Up to twelve stand there in order; of more the three nearest, nearest first, with their number and the command that lists all."""
    few = [f"loss-{place:02}" for place in range(MOST_NAMES)]
    assert ", ".join(few) == some("loss-3", reversed(few), lists="siambench list losses")
    many = [*few, "triplet", "triplet-soft", "tuplet"]
    assert "triplet, tuplet, triplet-soft, … (`siambench list losses` lists all 15)" == some(
        "tripplet", many, lists="siambench list losses"
    )
    assert "triplet, tuplet, triplet-soft, … (the nearest of 15)" == some("tripplet", many)
    assert "none" == some("tripplet", [])


def test_names_that_are_like_none_still_have_a_nearest():
    """A name without a letter in common with any leaves a sentence that holds, and is as short."""
    told = some("€", [f"loss-{place}" for place in range(20)])
    assert told.endswith("(the nearest of 20)")
    assert 3 == told.count("loss-")


@pytest.mark.parametrize("name", ["tripple", "é" * 400, ""])
def test_an_unknown_loss_does_not_list_all_losses(name):
    """Three names and where the rest stands, whatever was asked for."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    with pytest.raises(UnknownNameError) as refused:
        catalogue.get("losses", name)
    number = len(catalogue.names("losses"))
    assert str(refused.value).endswith(f", … (`siambench list losses` lists all {number})")
    assert sum(f" {known}," in str(refused.value) for known in catalogue.names("losses")) == 3


def test_an_unknown_track_says_where_tracks_are_listed():
    """Where they are more than a sentence holds."""
    with pytest.raises(UnknownNameError) as refused:
        load_track("glyph")
    assert "did you mean 'glyphs'" in str(refused.value)
    assert "`siambench tracks` lists all" in str(refused.value) or str(refused.value).count(", ") <= MOST_NAMES
