from __future__ import annotations

import json

import pytest
from plugin_packages import ROGUES
from shared import plugin_folder

from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import ENTRY_OF, KINDS
from siambench.spec import NO_MINER, RESERVED

REASONS = {
    "raises": "RuntimeError: no such luck",
    "needs": "No module named 'a_module_that_is_not_there'",
    "leaves": "SystemExit: 5",
    "misspells": "unknown hook 'siambench_loses', did you mean 'siambench_losses'?",
    "lists": "siambench_losses must return a mapping from names to entries, got list",
    "mixes": "siambench_miners must map 'mixed' to a MinerEntry, got LossEntry",
    "strays": "default 1.5 of 'margin' lies outside its space",
    "misnames": "'two words' is no name for a component",
    "poses": "'untrained' means something to siambench: loss 'untrained' needs another name",
    "exposes": "'raw' means something to siambench: data set 'raw' needs another name",
    "asks": "catalogue",
    "paints": "owned",
}


@pytest.fixture(scope="session")
def listed(command_line, rogues):
    return command_line("plugins", "--json", plugins=(rogues,))


@pytest.mark.parametrize("plugin", sorted(REASONS))
def test_a_broken_plugin_is_listed_as_failed_with_its_reason(listed, plugin):
    """Each plugin that cannot be loaded is there with its distribution, the status failed, its reason and no components."""
    found = {entry["plugin"]: entry for entry in json.loads(listed.stdout)}[plugin]

    assert (found["distribution"], found["version"], found["status"]) == ("rogue-extras", "0.9", "failed")
    assert REASONS[plugin] in found["error"]
    assert found["components"] == []


@pytest.mark.parametrize("name", RESERVED)
@pytest.mark.parametrize("kind", KINDS)
def test_a_name_that_means_something_to_siambench_is_refused_when_a_plugin_is_loaded(tmp_path, monkeypatch, kind, name):
    """No component of any kind may be called raw, untrained, pretrained or none: its plugin fails to load, and the sentence names it."""
    plugin = f"takes-{kind}-{name}"
    body = f'return {{"{name}": {ENTRY_OF[kind].__name__}(lambda: 3, source="ours")}}'
    monkeypatch.syspath_prepend(plugin_folder(tmp_path, plugin, "", body, hook=kind))
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": plugin})
    found = {status.plugin: status for status in catalogue.plugins}[plugin]

    assert found.components == ()
    assert f"PluginError: {name!r} means something to siambench: " in found.error
    assert found.error.endswith(f" {name!r} needs another name")
    assert {component.provenance.plugin for component in catalogue.components()} == {"siambench"}


def test_the_miner_that_stands_for_none_is_siambenchs_own():
    """Among what ships, the one reserved name that is a component is the miner none."""
    found = [(c.kind, c.name) for c in Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components() if c.name in RESERVED]

    assert found == [("miners", NO_MINER)]


def test_every_way_to_break_a_plugin_has_its_reason():
    """The plugin that prints, and the one whose loaders fail, are the only ones of the distribution that can be loaded."""
    assert sorted(ROGUES) == sorted([*REASONS, "prints", "drops"])


def test_what_a_plugin_prints_while_it_is_loaded_does_not_spoil_a_document(listed):
    """Text that a plugin prints on import or in a hook goes to stderr; stdout is one JSON document, and the plugin is fine."""
    found = {entry["plugin"]: entry for entry in json.loads(listed.stdout)}

    assert listed.returncode == 0
    assert "hello from a plugin\nand again\n" in listed.stderr
    assert found["prints"]["components"] == ["losses:chatty"]


def test_what_a_loader_prints_does_not_spoil_a_document(command_line, extras):
    """Text that a data set's loader prints while a plan is made goes to stderr; stdout is one JSON document."""
    result = command_line("run", "--loss", "triplet", "--dataset", "stripes", "--plan", "--json", plugins=(extras,))

    assert json.loads(result.stdout)["schema"] == 1
    assert "a loader that talks" in result.stderr


@pytest.mark.parametrize(("name", "reason"), [("missing", "KeyError: 'labels'"), ("leaving", "SystemExit: 0")])
def test_a_loader_that_fails_is_blamed_by_name(command_line, rogues, name, reason):
    """A data set whose loader raises, or ends the program, exits 4 with one sentence that names it and its distribution."""
    result = command_line("run", "--loss", "triplet", "--dataset", name, plugins=(rogues,))

    assert (result.returncode, result.stdout) == (4, "")
    assert f"siambench: data set '{name}' of rogue-extras 0.9 cannot be loaded: {reason}\n" in result.stderr


def test_errors_shows_the_failed_plugins_alone(command_line, extras, rogues):
    """`plugins --errors` lists those that failed, each on one line with its reason."""
    result = command_line("plugins", "--errors", plugins=(extras, rogues))

    assert result.returncode == 0
    assert sorted(line.split()[0] for line in result.stdout.splitlines()) == sorted(REASONS)
    assert "raises  rogue-extras 0.9  failed: RuntimeError: no such luck\n" in result.stdout


def test_errors_says_so_where_no_plugin_failed(command_line, extras):
    """`plugins --errors` prints nothing on stdout and one sentence on stderr when all plugins are well."""
    result = command_line("plugins", "--errors", plugins=(extras,), allowed="extras")

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "no plugin failed\n")


@pytest.mark.parametrize(
    "arguments", [("--help",), ("run", "--help"), ("list",), ("tracks",), ("show", "loss", "triplet"), ("leaderboard",)]
)
def test_broken_plugins_stop_no_command(command_line, rogues, arguments):
    """Help, lists, tracks, components and tables come out with exit code 0 while broken plugins are installed."""
    result = command_line(*arguments, plugins=(rogues,))

    assert result.returncode == 0, result.stderr
    assert result.stdout


def test_list_says_which_plugins_failed(command_line, rogues):
    """`list` names each failed plugin on stderr and tells where its reason is to be read."""
    result = command_line("list", "losses", plugins=(rogues,))

    assert "plugin raises failed to load; see siambench plugins --errors" in result.stderr
    assert "stray" not in result.stdout


def test_an_unknown_name_tells_of_the_plugins_that_failed(command_line, rogues):
    """A loss that nothing provides exits 4 and names the failed plugins, one of which may have provided it."""
    result = command_line("run", "--loss", "stray", "--plan", plugins=(rogues,))

    assert result.returncode == 4
    assert "unknown loss 'stray'" in result.stderr
    assert all(plugin in result.stderr for plugin in REASONS)


@pytest.mark.parametrize("arguments", [("plugins",), ("plugins", "--errors"), ("list",), ("run", "--loss", "nothing", "--plan")])
def test_control_codes_of_a_plugins_error_do_not_reach_the_terminal(command_line, rogues, arguments):
    """An error text with escape sequences is shown with them spelt out: no ESC, BEL or CSI is printed."""
    result = command_line(*arguments, plugins=(rogues,))
    shown = result.stdout + result.stderr

    assert [code for code in ("\x1b", "\x07", "\x9b") if code in shown] == []
