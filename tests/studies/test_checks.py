from __future__ import annotations

import dataclasses

import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import ConfigError, UnknownNameError, UsageError
from siambench.plugin import MetricEntry, ObserverEntry
from siambench.studies.checks import check_observers, check_primary
from siambench.tracks.rules import Track

TRACK = {
    "name": "made",
    "version": "1.0",
    "dataset": {"name": "digits"},
    "model": {"backbone": "conv4", "embedding_size": 8},
    "training": {"epochs": 1, "steps_per_epoch": 1, "batch_size": 8},
}
HERE = Provenance("watchers", "siambench-watchers", "1")


def named(name, ready):
    return Component("observers", name, ObserverEntry(object, source="made up", ready=ready), HERE)


def unready():
    raise OSError("no room")


@pytest.fixture
def catalogue():
    """Observers that can be used, cannot, and cannot say."""
    made = {
        "quiet": None,
        "ready": lambda argument: None if argument == "there" else f"{argument} is not there",
        "raises": unready,
    }
    found = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    return Catalogue((*found.components(), *(named(*one) for one in made.items())), found.plugins)


def test_observers_that_can_be_used_say_where_they_are_from(catalogue):
    """One that says nothing, and one whose argument holds, pass; each tells the plugin that it comes from, in the order asked."""
    assert [HERE, HERE] == check_observers(("ready:there", "quiet:x"), catalogue)
    assert [] == check_observers((), catalogue)


@pytest.mark.parametrize(
    ("observer", "sentence"),
    [
        ("ready:here:too", "the observer ready cannot be used here: here:too is not there"),
        ("ready", "the observer ready cannot be used here: None is not there"),
        ("raises", "the observer raises cannot be used here: asked whether it can be used it raises OSError: no room"),
    ],
)
def test_one_that_cannot_says_so(catalogue, observer, sentence):
    """Its own sentence is told with its name, also where asking it raises; the argument is all that stands behind the first colon."""
    with pytest.raises(UsageError) as refused:
        check_observers(("quiet", observer), catalogue)
    assert sentence == str(refused.value)


def test_names_come_first(catalogue):
    """A name that no observer bears is answered with the nearest."""
    with pytest.raises(UnknownNameError, match="did you mean 'ready'"):
        check_observers(("redy:there",), catalogue)


def test_ready_has_to_be_a_function():
    """An entry whose `ready` is none is refused when it is made."""
    with pytest.raises(TypeError, match="ready must be a function of argument, got str"):
        dataclasses.replace(ObserverEntry(object, source="made up"), ready="yes")


def test_no_track_ranks_by_an_estimate():
    """A primary metric that is an estimate is refused in one sentence, before anything of the data is looked at."""
    entry = MetricEntry(len, source="made up", approximate=True)
    track = Track.model_validate({**TRACK, "metrics": {"primary": "map@r", "report": ["map@r"]}})
    with pytest.raises(
        ConfigError, match="the metric map@r is an estimate, by which no track can rank: make an exact one the primary metric, and"
    ):
        check_primary(track, entry, None, None)
