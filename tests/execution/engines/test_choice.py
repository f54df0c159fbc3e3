"""Which engine a run asks for: options are checked before anything is loaded or trained, and types follow the defaults."""

from __future__ import annotations

import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import PluginError, UnknownNameError, UsageError
from siambench.execution.engines.choice import GENERAL, choose
from siambench.interfaces import Engine
from siambench.plugin import EngineEntry


class Nowhere:
    """An engine that runs nothing, and keeps what it was made with."""

    def __init__(self, **made):
        self.made = made

    def submit(self, key, *arguments):
        """Queue nothing."""

    def wait(self, seconds):
        """Nothing ended."""
        return []

    def cancel(self):
        """Nothing to drop."""
        return []

    def close(self, *, now):
        """Nothing to end."""

    def describe(self):
        """Say so."""
        return "nowhere"


def nowhere(function, fits=None, jobs=None, *, partition="cpu", nodes=2, hours=1.5, exclusive=False, account=None):
    """Takes of what the harness offers `function` and `fits`, of the general options `jobs`, and five of its own."""
    own = {"partition": partition, "nodes": nodes, "hours": hours, "exclusive": exclusive, "account": account}
    return Nowhere(function=function, fits=fits, jobs=jobs, **own)


def raising(function):
    """An engine that cannot be had here."""
    raise UsageError("no cluster in reach")


def breaking(function, queue):
    """An engine that needs an option, and breaks."""
    raise RuntimeError(f"no queue {queue}")


def open_ended(function, *more, **options):
    """Takes anything, but names nothing."""
    return Nowhere(function=function, more=more, options=options)


@pytest.fixture(scope="module")
def catalogue():
    """The engines that ship, and made-up ones."""
    made = {"nowhere": nowhere, "raising": raising, "breaking": breaking, "open": open_ended, "three": lambda: 3}
    where = Provenance("tests", "tests", "0.1")
    engines = [Component("engines", name, EngineEntry(build, source="made up"), where) for name, build in made.items()]
    return Catalogue((*Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components(), *engines), ())


def started(catalogue, name="nowhere", options=None, own=()):
    """What the engine was made with."""
    engine = choose(catalogue, name, options or {}, own).start(function=print, preload=("torch",), fits=None)
    assert isinstance(engine, Engine)
    return engine.made


def refused(catalogue, *own, name="nowhere", **options):
    """The sentence of a refusal."""
    with pytest.raises(UsageError) as error:
        choose(catalogue, name, options, own)
    return str(error.value)


def test_an_engine_is_passed_what_its_signature_names(catalogue):
    """What the harness offers, and options that were given, as far as the factory names them; what is not given keeps its default."""
    assert {
        "function": print,
        "fits": None,
        "jobs": 3,
        "partition": "cpu",
        "nodes": 2,
        "hours": 1.5,
        "exclusive": False,
        "account": None,
    } == started(catalogue, options={"jobs": 3, "address": None, "time_limit": None, "memory_limit": None})
    assert started(catalogue)["jobs"] is None


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("partition=gpu", "partition", "gpu"),
        # Text stays text, whatever it looks like; spaces around it do not count, an equals sign in it does.
        ("partition=3", "partition", "3"),
        (" partition = a=b ", "partition", "a=b"),
        ("partition=", "partition", ""),
        ("nodes=16", "nodes", 16),
        ("nodes=-1", "nodes", -1),
        ("hours=3", "hours", 3.0),
        ("hours=2.5e-1", "hours", 0.25),
        ("exclusive=true", "exclusive", True),
        ("exclusive=false", "exclusive", False),
        # Nothing to tell the type by: it is text.
        ("account=7", "account", "7"),
    ],
)
def test_an_option_has_the_type_of_its_default(catalogue, text, name, value):
    """`KEY=VALUE` becomes text, a whole number, a number, or true or false, as the default in the factory's signature is one."""
    found = started(catalogue, own=(text,))[name]
    assert (value, type(value)) == (found, type(found))


def test_of_an_option_given_twice_the_last_counts(catalogue):
    """Options of one name replace each other, those of other names stand beside it."""
    found = started(catalogue, own=("nodes=3", "partition=gpu", "nodes=4"))
    assert (4, "gpu") == (found["nodes"], found["partition"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("nodes=two", "--engine-option nodes of 'nowhere' is a whole number, got 'two'"),
        ("nodes=2.5", "--engine-option nodes of 'nowhere' is a whole number, got '2.5'"),
        ("nodes=", "--engine-option nodes of 'nowhere' is a whole number, got ''"),
        ("hours=long", "--engine-option hours of 'nowhere' is a number, got 'long'"),
        ("hours=nan", "--engine-option hours of 'nowhere' must be finite, got 'nan'"),
        ("hours=-inf", "--engine-option hours of 'nowhere' must be finite, got '-inf'"),
        ("exclusive=yes", "--engine-option exclusive of 'nowhere' is true or false, got 'yes'"),
        ("exclusive=True", "--engine-option exclusive of 'nowhere' is true or false, got 'True'"),
        ("nodes", "--engine-option takes KEY=VALUE, got 'nodes'"),
        ("=3", "--engine-option takes KEY=VALUE, got '=3'"),
    ],
)
def test_a_value_of_another_type_is_one_sentence(catalogue, text, sentence):
    """It says which option of which engine, what it takes, and what it got."""
    assert sentence == refused(catalogue, text)


def test_a_typo_gets_the_nearest_name(catalogue):
    """An option that the engine does not have is answered with the nearest, and with those it has."""
    known = "options of its own: account, exclusive, hours, nodes, partition"
    assert f"the engine 'nowhere' has no option 'partion', did you mean 'partition'?; {known}" == refused(catalogue, "partion=gpu")
    assert f"the engine 'nowhere' has no option 'xyz'; {known}" == refused(catalogue, "xyz=1")
    assert "the engine 'local' has no option 'partition'; options of its own: none" == refused(catalogue, "partition=gpu", name="local")


@pytest.mark.parametrize("key", [*GENERAL, "function", "preload", "fits"])
def test_what_has_a_flag_of_its_own_is_no_option(catalogue, key):
    """Neither what a flag says nor what the harness passes can be said with `--engine-option`."""
    assert f"the engine 'nowhere' has no option '{key}'" in refused(catalogue, f"{key}=1")


@pytest.mark.parametrize("key", ["more", "options"])
def test_what_a_factory_does_not_name_is_no_option(catalogue, key):
    """A factory that takes anything names nothing: its `*more` and `**options` are no options."""
    assert f"the engine 'open' has no option '{key}'; options of its own: none" == refused(catalogue, f"{key}=1", name="open")


def test_a_general_option_that_it_does_not_take_is_one_sentence(catalogue):
    """It names the flag, and those that the engine does take."""
    sentence = "the engine 'nowhere' does not take --time-limit; of the options for engines it takes: --jobs"
    assert sentence == refused(catalogue, time_limit=5.0)
    assert refused(catalogue, name="three", jobs=2).endswith("of the options for engines it takes: none of them")
    assert "does not take --address" in refused(catalogue, name="local", address="tcp://a:1")


def test_an_unknown_engine_gets_the_nearest_name(catalogue):
    """So is an engine that nothing provides."""
    with pytest.raises(UnknownNameError, match=r"unknown engine 'locl', did you mean 'local'\?"):
        choose(catalogue, "locl", {})


def test_an_engine_that_does_not_start_is_named(catalogue):
    """An engine that breaks, that lacks an option, or that is no engine, is named with its plugin; what it says on purpose stands alone."""
    with pytest.raises(UsageError, match=r"^no cluster in reach$"):
        started(catalogue, "raising")
    where = r"^the engine '{}' of tests 0\.1 "
    with pytest.raises(PluginError, match=where.format("breaking") + "cannot be started: RuntimeError: no queue long$"):
        started(catalogue, "breaking", own=("queue=long",))
    with pytest.raises(PluginError, match=where.format("breaking") + "cannot be started: TypeError: .*queue"):
        started(catalogue, "breaking")
    with pytest.raises(PluginError, match=where.format("three") + r"must give a siambench\.interfaces\.Engine, got int$"):
        started(catalogue, "three")
