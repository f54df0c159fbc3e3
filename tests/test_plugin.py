"""The door for plugin authors: what entries refuse, and factories that are imported when they are called."""

from __future__ import annotations

import inspect
import subprocess
import sys

import pytest

from siambench import plugin
from siambench.errors import UnknownNameError
from siambench.plugin import (
    BackboneEntry,
    Choice,
    EngineEntry,
    Float,
    FormatEntry,
    Int,
    Lazy,
    LossEntry,
    MetricEntry,
    MinerEntry,
    about,
    factory_of,
)


def build(margin: float = 0.1, *, other: int = 2) -> dict[str, object]:
    """A factory for these tests."""
    return {"margin": margin, "other": other}


def test_every_name_of_the_door_is_there():
    """Each name in ``__all__`` can be imported, once."""
    assert len(set(plugin.__all__)) == len(plugin.__all__)
    for name in plugin.__all__:
        assert getattr(plugin, name) is not None


def test_a_lazy_factory_is_what_it_stands_for():
    """A lazy factory has the signature, the description and the result of what it names."""
    lazy = Lazy("fractions:Fraction")
    from fractions import Fraction

    assert inspect.signature(Fraction) == inspect.signature(lazy)
    assert Fraction(1, 3) == lazy(1, 3)
    assert Fraction.__doc__ == about(EngineEntry(lazy, source="Python's own fractions"))


def test_an_entry_with_a_lazy_factory_imports_nothing():
    """The entry of an engine is made, and listed, without what it names; a misspelt module shows when it is called."""
    code = (
        "import sys\n"
        "from siambench.plugin import EngineEntry, Lazy\n"
        "entry = EngineEntry(Lazy('wave:open'), source='Python')\n"
        "print('wave' in sys.modules, callable(entry.build))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "False True" == done.stdout.strip()
    with pytest.raises(ModuleNotFoundError, match="nowhere"):
        EngineEntry(Lazy("nowhere.at:all"), source="nobody").build()


def test_factory_of_is_what_an_entry_calls():
    """Whatever the field is called, the factory is found."""
    assert build is factory_of(LossEntry(build, source="these tests"))
    assert build is factory_of(MetricEntry(build, source="these tests"))
    assert build is factory_of(FormatEntry(build, source="these tests"))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LossEntry(build, source="these tests", feeds=("classes", "triples")), ["feeds", "triples", "triplets"]),
        (lambda: LossEntry(build, source="these tests", feeds=()), ["feeds", "at least one"]),
        (lambda: BackboneEntry(build, source="these tests", takes=("pictures",)), ["takes", "pictures", "images"]),
        (lambda: LossEntry(build, source=" "), ["source"]),
        (lambda: LossEntry(build, source="these tests", defaults={"mrgin": 1}), ["mrgin", "margin"]),
        (lambda: LossEntry(build, source="these tests", spaces={"wide": {"margin": Float(0, 1)}}), ["margin", "no default"]),
        (lambda: LossEntry(build, source="these tests", defaults={"margin": 1.0}, spaces={"wide": {"margin": 3}}), ["margin", "int"]),
        (lambda: MinerEntry(build, source="these tests", spaces={"wide": {"other": Float(0, 1)}}), ["other", "no default"]),
        (lambda: MinerEntry(build, source="these tests", scope="trainingset"), ["scope", "batch, training-set", "trainingset"]),
        (lambda: MinerEntry(build, source="these tests", defaults={"every": 2}), ["every", "margin"]),
        (lambda: MinerEntry(build, source="these tests", scope="training-set", defaults={"every": 0}), ["every", "at least 1", "0"]),
        (lambda: MinerEntry(build, source="these tests", scope="training-set", defaults={"every": True}), ["every", "True"]),
        (
            lambda: MinerEntry(
                build, source="these tests", scope="training-set", defaults={"every": 2}, spaces={"wide": {"every": Int(0, 3)}}
            ),
            ["every", "at least 1", "low=0"],
        ),
        (
            lambda: MinerEntry(build, source="these tests", scope="training-set", defaults={"every": 2}, space={"every": Float(1.0, 3.0)}),
            ["every", "Int", "Float"],
        ),
        (lambda: LossEntry(build, source="these tests", wraps=True, chunked=True), ["chunk", "per_chunk_batchnorm", "at least 1"]),
        (lambda: LossEntry(in_chunks, source="these tests", defaults={"chunk": 0, "per_chunk_batchnorm": False}, chunked=True), ["chunk"]),
        (
            lambda: LossEntry(
                in_chunks,
                source="these tests",
                space={"chunk": Int(1, 9)},
                defaults={"chunk": 4, "per_chunk_batchnorm": False},
                chunked=True,
            ),
            ["chunk", "not tuned"],
        ),
    ],
)
def test_an_entry_that_does_not_hold_is_refused(make, words):
    """A feed or a form that does not exist, no source, a parameter that the factory lacks: each is an error that names it."""
    with pytest.raises((ValueError, TypeError)) as error:
        make()
    for word in words:
        assert word in str(error.value)


def in_chunks(chunk, per_chunk_batchnorm):
    """A factory of what is trained in chunks."""


def kinds(margin, other, kind):
    """A factory with a parameter of each sort."""


@pytest.mark.parametrize("make", [LossEntry, MinerEntry])
def test_an_entry_in_another_space_has_fitting_defaults(make):
    """A default outside a named space is moved to its nearest end, a stranger to a choice to the first option; the rest stays."""
    entry = make(
        kinds,
        source="these tests",
        space={"margin": Float(0.0, 1.0)},
        defaults={"margin": 0.9, "other": 7, "kind": "a"},
        spaces={
            "narrow": {"margin": Float(0.1, 0.5), "other": Int(9, 20), "kind": Choice("b", "c")},
            "wide": {"margin": Float(-1.0, 2.0)},
        },
    )
    narrow, wide = entry.in_space("narrow"), entry.in_space("wide")

    assert {"margin": 0.5, "other": 9, "kind": "b"} == narrow.defaults
    assert entry.spaces["narrow"] == narrow.space
    assert entry.defaults == wide.defaults
    assert {"margin": Float(-1.0, 2.0)} == wide.space
    assert {"margin": Float(0.0, 1.0)} == entry.space


def test_an_unknown_space_is_named():
    """A space that an entry does not have is one sentence with the nearest that it has."""
    entry = LossEntry(build, source="these tests", defaults={"margin": 0.1}, spaces={"reality-check": {"margin": Float(0, 1)}})
    with pytest.raises(UnknownNameError, match=r"unknown space 'realty-check'.*did you mean 'reality-check'"):
        entry.in_space("realty-check")
