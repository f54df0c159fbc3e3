from __future__ import annotations

import json

import pytest
from plugin_packages import TINY

from siambench.records.record import read

BY_NAME = ("run", "--loss", "plain-hinge", "--miner", "first-triplets", "--dataset", "stripes", "--backbone", "flat", *TINY)
OURS = ["backbones:flat", "datasets:stripes", "losses:plain-hinge", "miners:first-triplets"]


def test_an_installed_plugin_is_listed_with_what_it_provides(command_line, extras):
    """`plugins --json` names the plugin, its distribution, its version and its components."""
    result = command_line("plugins", "--json", plugins=(extras,))
    found = {plugin["plugin"]: plugin for plugin in json.loads(result.stdout)}

    assert sorted(found["extras"].pop("components")) == OURS
    assert found["extras"] == {"plugin": "extras", "distribution": "exam-extras", "version": "1.2.3", "status": "ok", "error": None}
    assert found["siambench"]["status"] == "ok"


@pytest.mark.parametrize("component", OURS)
def test_each_component_is_listed_with_its_distribution_and_version(command_line, extras, component):
    """`list KIND --json` shows a plugin's component beside the built-in ones, and where each comes from."""
    kind, _, name = component.partition(":")
    result = command_line("list", kind, "--json", plugins=(extras,))
    found = {entry["name"]: (entry["distribution"], entry["version"]) for entry in json.loads(result.stdout)}

    assert found[name] == ("exam-extras", "1.2.3")
    assert "siambench" in {distribution for distribution, _ in found.values()}


def test_list_for_people_marks_what_does_not_come_with_siambench(command_line, extras):
    """`list losses` puts the distribution behind a plugin's loss and nothing behind a built-in one."""
    result = command_line("list", "losses", plugins=(extras,))
    lines = {line.split()[0]: line for line in result.stdout.splitlines()}

    assert lines["plain-hinge"].endswith("[exam-extras 1.2.3]")
    assert "[" not in lines["triplet"]


def test_show_describes_a_plugins_component(command_line, extras):
    """`show miner first-triplets --json` tells the plugin, its space and its defaults."""
    result = command_line("show", "miner", "first-triplets", "--json", plugins=(extras,))
    facts = json.loads(result.stdout)

    assert facts["space"] == {"most": {"type": "int", "low": 1, "high": 64, "log": False}}
    assert facts["defaults"] == {"most": 32}
    assert (facts["plugin"], facts["distribution"], len(facts["digest"])) == ("extras", "exam-extras", 64)


@pytest.fixture(scope="session")
def sat(command_line, extras, rogues):
    """An exam of a plugin's loss, miner, data set and backbone, while broken plugins are installed beside it."""
    return command_line(*BY_NAME, "--json", "--out", "sat", plugins=(extras, rogues))


def test_a_plugins_components_sit_an_exam_by_name(sat):
    """`run` with a loss, a miner, a data set and a backbone of a plugin exits 0 with their row, broken plugins beside it or not."""
    assert sat.returncode == 0, sat.stderr
    row = next(row for row in json.loads(sat.stdout)["rows"] if row["method"] == "plain-hinge+first-triplets")
    assert row["reason"] is None
    assert row["scores"]["map@r"]["n"] == 1
    assert "0 failed · 0 lost" in sat.stderr


def test_a_record_says_which_distribution_each_component_came_from(sat, command_line):
    """Every record of the trained method carries distribution and version of the plugin's components."""
    assert sat.returncode == 0, sat.stderr
    paths = list((command_line.folder / "sat").rglob("records/*.json"))
    trained = [record for record in map(read, paths) if record.unit.method.loss == "plain-hinge"]
    components = [record.unit.components for record in trained]
    parts = ("loss", "miner", "dataset", "backbone")

    assert len(trained) == 3
    assert {record.distributions[part] for record in trained for part in parts} == {"exam-extras 1.2.3"}
    assert {(found[part].plugin, found[part].distribution) for found in components for part in parts} == {("extras", "exam-extras")}
    assert {(found["sampler"].plugin, found["sampler"].distribution) for found in components} == {("siambench", "siambench")}


def test_the_same_command_runs_nothing_twice(sat, command_line, extras):
    """Repeated, the command answers every unit from its records, whatever other plugins come and go."""
    assert sat.returncode == 0, sat.stderr
    again = command_line(*BY_NAME, "--json", "--out", "sat", plugins=(extras,))

    assert "0 done · 5 cached · 0 failed · 0 lost" in again.stderr
    assert json.loads(sat.stdout)["rows"] == json.loads(again.stdout)["rows"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--backbone", "flat", "--set", "model.options.wdith=8"), "backbone 'flat' has no option 'wdith', did you mean 'width'?"),
        (("--dataset", "stripes", "--set", "dataset.options.image=8"), "data set 'stripes' has no option 'image', did you mean 'images'?"),
        (("--track", "glyphs", "--backbone", "flat", "--set", "model.options.width=8"), "--set model.options.width"),
    ],
)
def test_an_option_that_would_have_no_effect_is_an_error(command_line, extras, arguments, sentence):
    """An option that a component does not have, or that no backbone of the comparison would be given, exits 4 and is named."""
    result = command_line("run", "--loss", "triplet", *arguments, "--plan", plugins=(extras,))

    assert (result.returncode, result.stdout) == (4, "")
    assert sentence in result.stderr


def test_one_name_of_two_plugins_is_an_error_that_names_both(command_line, extras, twin):
    """A loss that two distributions provide exits 4 and names both, in `run` and in `show`."""
    for arguments in (BY_NAME, ("show", "loss", "plain-hinge")):
        result = command_line(*arguments, plugins=(extras, twin))

        assert result.returncode == 4
        assert result.stdout == ""
        assert "extras (exam-extras 1.2.3) and twin (twin-extras 7.0)" in result.stderr
        assert "SIAMBENCH_PLUGINS" in result.stderr


def test_two_providers_of_one_name_stand_in_the_way_of_nothing_else(command_line, extras, twin):
    """`list` shows both providers, and the other components of both plugins can be used."""
    listed = command_line("list", "losses", "--json", plugins=(extras, twin))
    shown = command_line("show", "miner", "first-triplets", plugins=(extras, twin))

    providers = [entry["distribution"] for entry in json.loads(listed.stdout) if entry["name"] == "plain-hinge"]
    assert providers == ["exam-extras", "twin-extras"]
    assert shown.returncode == 0


def test_siambench_plugins_chooses_between_two_providers(command_line, extras, twin):
    """SIAMBENCH_PLUGINS=extras loads that plugin alone, so the name is provided once and the plan is made."""
    plan = command_line(*BY_NAME, "--plan", "--json", plugins=(extras, twin), allowed="extras")
    shown = command_line("show", "loss", "plain-hinge", "--json", plugins=(extras, twin), allowed="twin")

    assert plan.returncode == 0, plan.stderr
    assert [study["method"] for study in json.loads(plan.stdout)["studies"]] == ["plain-hinge+first-triplets"]
    assert json.loads(shown.stdout)["distribution"] == "twin-extras"


@pytest.mark.parametrize("allowed", ["", " , "])
def test_an_empty_siambench_plugins_leaves_the_built_ins(command_line, extras, rogues, allowed):
    """SIAMBENCH_PLUGINS="" loads no plugin, broken ones included, and keeps what ships with siambench."""
    listed = command_line("plugins", "--json", plugins=(extras, rogues), allowed=allowed)
    losses = command_line("list", "losses", "--json", plugins=(extras, rogues), allowed=allowed)

    assert [plugin["plugin"] for plugin in json.loads(listed.stdout)] == ["siambench"]
    assert {entry["distribution"] for entry in json.loads(losses.stdout)} == {"siambench"}


def test_siambench_plugins_takes_several_names(command_line, extras, rogues, twin):
    """SIAMBENCH_PLUGINS=extras,twin loads both and nothing else; spaces around names do not count."""
    listed = command_line("plugins", "--json", plugins=(extras, rogues, twin), allowed="extras, twin")

    assert [plugin["plugin"] for plugin in json.loads(listed.stdout)] == ["siambench", "extras", "twin"]
