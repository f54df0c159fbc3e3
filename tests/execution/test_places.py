"""Which units may share a process: those without foreign code, and those of one method with the same foreign code."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from siambench.components.catalogue import Catalogue
from siambench.execution import worker
from siambench.execution.places import EVERY, foreign, place_of
from siambench.spec import Context, Method, Source
from siambench.studies.request import Request, prepare
from siambench.testing import synthetic_study

HERE = Context()
TIMM = Source("timm", "siambench-timm", "1" * 64)


@pytest.fixture(scope="module")
def unit():
    """A unit of a built-in method, planned as a run plans it."""
    study = prepare(Request(losses=("triplet",), dataset="digits"), Catalogue.load()).studies[0]
    return study.tune_unit(0, 0, study.defaults)


def with_component(unit, role, where):
    """The same unit with a component from elsewhere."""
    return dataclasses.replace(unit, components={**unit.components, role: where})


def test_built_in_methods_share_a_place(unit):
    """Whatever the method: where nothing is foreign there is one place, and its data is read ahead."""
    other = dataclasses.replace(unit, method=Method("contrastive"))
    assert () == foreign(unit, HERE) == place_of(unit, HERE).key
    assert place_of(unit, HERE) == place_of(other, HERE)
    function, arguments = pickle.loads(pickle.dumps(place_of(unit, HERE).ahead))
    worker._data.cache_clear()
    function(*arguments)
    assert 1 == worker._data.cache_info().currsize
    worker.read_ahead(unit.data, "no such data")
    worker._data.cache_clear()


def test_foreign_code_gives_a_method_a_place_of_its_own(unit):
    """Two methods with the same plugin have two places; units of one method share theirs, and another plugin makes another."""
    one = with_component(unit, "backbone", TIMM)
    fold = dataclasses.replace(one, fold=1, trial=3)
    other = dataclasses.replace(one, method=Method("contrastive"))
    more = with_component(one, "metric:odd", Source("odd", "odd-metrics", "2" * 64))
    watched = dataclasses.replace(HERE, distributions=("odd-observers",))
    assert ("siambench-timm",) == foreign(one, HERE)
    assert ("odd-metrics", "siambench-timm") == foreign(more, HERE)
    assert place_of(one, HERE) == place_of(fold, HERE)
    keys = {place_of(which, context).key for which, context in ((one, HERE), (other, HERE), (more, HERE), (one, watched), (unit, HERE))}
    assert 5 == len(keys)


def test_a_file_is_foreign_by_its_content(unit):
    """A loss in a file has a place of its own, another one as soon as the file is another."""
    places = [place_of(with_component(unit, "loss", Source("mine.py", "local", content * 64)), HERE).key for content in "aab"]
    assert places[0] == places[1] != places[2]
    assert () == foreign(with_component(unit, "loss", Source("mine.py", "local", "a" * 64)), HERE)


def test_foreign_data_is_not_read_ahead(unit):
    """What others are forked from reads nothing with a plugin's reader."""
    assert place_of(with_component(unit, "dataset", Source("birds", "siambench-birds", "3" * 64)), HERE).ahead is None


def test_a_unit_that_does_not_name_all_it_needs_may_load_all():
    """Units of older records name fewer components: their place is of all plugins, and of their method alone."""
    unit = synthetic_study(Method("triplet")).final_unit(0, 1, {}, 0)
    assert (EVERY,) == foreign(unit, HERE)
    assert ("triplet", EVERY) == place_of(unit, HERE).key
