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
    Fingerprint,
    Float,
    FormatEntry,
    Int,
    Lazy,
    LossEntry,
    Margin,
    MetricEntry,
    MinerEntry,
    Option,
    about,
    factory_of,
)


def build(margin: float = 0.1, *, other: int = 2) -> dict[str, object]:
    """A factory for these tests."""
    return {"margin": margin, "other": other}


def rated(lr):
    """A factory with a parameter of that name."""


SWAP = Option(neutral=False, allowed=Choice(False, True), about="the anchor is swapped")  # noqa: FBT003  what can be chosen
TRIPLETS = Fingerprint(forms_tuples=True, margins=(Margin("mrgin", "triplet"),))


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
        (lambda: LossEntry(build, source="these tests", options={"swap": True}), ["swap", "must be an Option", "bool"]),
        (lambda: LossEntry(build, source="these tests", defaults={"margin": 0.1}, options={"margin": SWAP}), ["margin", "means something"]),
        (lambda: LossEntry(build, source="these tests", options={"projector": SWAP}), ["projector", "means something"]),
        (lambda: LossEntry(build, source="these tests", options={"options": SWAP}), ["options", "means something"]),
        (lambda: LossEntry(build, source="these tests", fingerprint={"forms_tuples": True}), ["must be a Fingerprint", "dict"]),
        (
            lambda: LossEntry(build, source="these tests", defaults={"margin": 0.1}, fingerprint=TRIPLETS),
            ["fingerprint", "'mrgin'", "margin"],
        ),
        (lambda: Margin("margin", "tripel"), ["kind", "triplet", "tripel"]),
        (lambda: Margin("margin", "triplet", "manhattan"), ["distance", "euclidean", "manhattan"]),
        (lambda: Fingerprint(forms_tuples=True, plateau=True), ["plateau", "at_equality"]),
        (lambda: LossEntry(build, source="these tests", own_parameters=()), ["own_parameters", "names of groups"]),
        (lambda: LossEntry(build, source="these tests", own_parameters=("proxies", "proxies")), ["own_parameters", "each once"]),
        (lambda: LossEntry(build, source="these tests", own_parameters="proxies"), ["own_parameters", "'proxies'"]),
        (lambda: LossEntry(rated, source="these tests", defaults={"lr": 0.1}, own_parameters=("proxies",)), ["rates", "'lr'"]),
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


def test_options_are_what_is_set_to_something_else():
    """Neutral values and other parameters are passed over, numbers are kept as numbers, and true is not 1."""
    options = {"swap": SWAP, "p": Option(2.0, Float(1.0, 10.0)), "low": Option("none", Float(0.0, 1.0)), "count": Option(1, Int(1, 4))}
    entry = LossEntry(build, source="these tests", options=options)
    assert {"swap": True, "p": 3.0, "low": 0.5, "count": 2} == entry.options_among(
        {"swap": True, "p": 3, "low": 0.5, "count": 2, "margin": 9}
    )
    assert isinstance(entry.options_among({"p": 3})["p"], float)
    assert {} == entry.options_among({"swap": False, "p": 2, "low": "none", "count": 1})
    assert entry is entry.with_options({"swap": True})


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"swap": 1}, "swap must be false or true, got '1'"),
        ({"swap": 0}, "swap must be false or true, got '0'"),
        ({"swap": "true"}, "swap must be false or true, got 'true'"),
        ({"p": 0.5}, "p must be a number from 1 to 10, got '0.5'"),
        ({"p": float("nan")}, "p must be a number from 1 to 10, got 'nan'"),
        ({"p": True}, "p must be a number from 1 to 10, got 'true'"),
        ({"low": 2}, "low must be none or a number from 0 to 1, got '2'"),
        ({"count": 2.0}, "count must be a whole number from 1 to 4, got '2.0'"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_one_sentence(given, sentence):
    """It names the option, what it can be, and what was given."""
    options = {"swap": SWAP, "p": Option(2.0, Float(1.0, 10.0)), "low": Option("none", Float(0.0, 1.0)), "count": Option(1, Int(1, 4))}
    with pytest.raises(ValueError, match=r".") as refused:
        LossEntry(build, source="these tests", options=options).with_options(given)
    assert sentence == str(refused.value)


def test_an_entry_says_how_its_rows_with_options_are_made():
    """What ``with_set`` gives is the entry of the row; it is asked only where an option is set."""
    asked = []

    def with_set(entry, chosen):
        asked.append(chosen)
        return LossEntry(kinds, source=entry.source)

    entry = LossEntry(build, source="these tests", options={"swap": SWAP}, with_set=with_set)
    assert entry is entry.with_options({"swap": False, "margin": 1})
    assert [] == asked
    assert kinds is entry.with_options({"swap": True, "margin": 1}).build
    assert [{"swap": True}] == asked
