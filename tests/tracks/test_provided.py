"""Tracks and comparisons that plugins ship: found by name wherever a shipped one is, and a broken one takes nothing down but itself."""

from __future__ import annotations

import itertools
import json
import os
import shutil

import pytest
from shared import TINY_TRACK, exam_folder, plugin_folder

import siambench as package
from siambench.components.catalogue import Catalogue
from siambench.errors import ConfigError, DuplicateNameError, UnknownNameError
from siambench.testing.contracts import check
from siambench.tracks import provided
from siambench.tracks.files import home_of, known_tracks, load_comparison, load_track, track_folder, track_names

TRACK = TINY_TRACK.replace('name = "tiny"', 'name = "bottles"')
CONFIG = '# Two losses on bottles.\nschema = 1\ntrack = "bottles"\n[[methods]]\nloss = ["contrastive", "supcon"]\n'
HOOKS = """return {"bottles": TrackEntry("rules/bottles", source="made for a test")}


@hookimpl
def siambench_configs():
    return {"two": ConfigEntry("rules/two.toml", source="made for a test")}


@hookimpl
def siambench_losses():
    return {"still-there": LossEntry(lambda: None, source="made for a test")}
"""


NUMBER = itertools.count()


def installed():
    """The name of the plugin that the fixture made."""
    return os.environ["SIAMBENCH_PLUGINS"]


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    """A plugin with a track, a comparison and a loss, on the path and let in; the folder of its files."""
    site = tmp_path / "site"
    rules = site / "rules"
    (rules / "bottles").mkdir(parents=True)
    (rules / "bottles" / "track.toml").write_text(TRACK)
    (rules / "two.toml").write_text(CONFIG)
    # A module stays imported: each test has one of another name.
    name = f"bottled{next(NUMBER)}"
    monkeypatch.syspath_prepend(plugin_folder(site, name, "", HOOKS, hook="tracks"))
    monkeypatch.setenv("SIAMBENCH_PLUGINS", name)
    return rules


def test_a_track_of_a_plugin_is_found_by_its_name(plugin):
    """Its folder is that of the package, its rules are read, and it is at home there; names that nobody bears tell of it."""
    assert plugin / "bottles" == track_folder("bottles") == home_of("bottles")
    assert "bottles" == load_track("bottles").name
    assert ["bottles"] == [name for name in known_tracks() if name not in track_names()]
    with pytest.raises(UnknownNameError, match=r"unknown track 'botles', did you mean 'bottles'\?"):
        load_track("botles")


def test_a_comparison_of_a_plugin_is_found_with_and_without_its_ending(plugin):
    """`run two` and `run two.toml` mean the plugin's; a path with a folder does not, and `glyphs` is the one that ships."""
    assert "bottles" == load_comparison("two").track == load_comparison("two.toml").track
    assert "glyphs" == load_comparison("glyphs").track == load_comparison("glyphs.toml").track
    with pytest.raises(ConfigError, match="no such file"):
        load_comparison("elsewhere/two.toml")


def test_plugins_are_looked_at_only_for_a_name_that_nothing_else_bears(plugin, tmp_path, monkeypatch):
    """A shipped track and a path are found without any plugin being loaded; a folder here comes before a plugin's track of its name."""

    def never(*_):
        raise AssertionError("plugins were loaded")

    folder = tmp_path / "bottles"
    folder.mkdir()
    (folder / "track.toml").write_text(TINY_TRACK)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(provided, "_catalogue", never)
    assert "glyphs" == load_track("glyphs").name
    assert "tiny" == load_track(str(folder)).name == load_track("bottles").name
    assert None is home_of(str(folder))
    assert "bottles" == load_comparison(str(plugin / "two.toml")).track
    with pytest.raises(AssertionError, match="plugins were loaded"):
        load_track("jars")


def test_the_tracks_of_plugins_are_listed_with_whose_they_are(plugin, siambench):
    """`tracks` has a line with the distribution, and `--json` a document; `show` tells title, path and digest."""
    line = f"bottles 1.0  tiny: digits, for tests: 1 study of 6 trials and 3 repetitions, by map@r  [{installed()} 1.0]"
    assert line in siambench("tracks").stdout.splitlines()
    found = {track["name"]: track for track in json.loads(siambench("tracks", "--json").stdout)}
    assert (installed(), "siambench") == (found["bottles"]["distribution"], found["glyphs"]["distribution"])
    shown = json.loads(siambench("show", "track", "bottles", "--json").stdout)
    assert ("tiny: digits, for tests", str(plugin / "bottles")) == (shown["about"], shown["path"])
    assert 64 == len(shown["digest"])


def test_a_run_of_a_plugins_track_is_that_of_its_path_by_another_name(plugin, siambench, tmp_path):
    """By name or by path a plan is of the same exam; with the comparison's name both of its losses are planned."""
    common = ("--loss", "contrastive", "--plan", "--json")
    named = json.loads(siambench("run", "--track", "bottles", *common).stdout)
    pathed = json.loads(siambench("run", "--track", plugin / "bottles", *common).stdout)
    compared = json.loads(siambench("run", "two", "--plan", "--json").stdout)

    assert named == pathed
    assert named["exam"] == compared["exam"]
    assert ["contrastive", "supcon"] == [study["method"] for study in compared["studies"]]


def test_records_of_a_plugins_track_are_shipped_ones(plugin, siambench, tmp_path, undisturbed):
    """Rows in its folder are shown by its name as shipped, `--write` and `--check` agree, and a run beside them shows them too."""
    (plugin / "bottles" / "track.toml").write_text(TINY_TRACK.replace('name = "tiny"', 'name = "bottles"'))
    home = plugin / "bottles"
    shutil.copytree(exam_folder(undisturbed.out) / "records", home / "records")
    written = siambench("leaderboard", "bottles", "--write")
    assert 0 == written.returncode, written.stderr
    assert "siambench leaderboard bottles --write" in (home / "README.md").read_text()
    assert 0 == siambench("leaderboard", "bottles", "--check").returncode
    rows = json.loads(siambench("leaderboard", "bottles", "--format", "json").stdout)["rows"]
    assert {"triplet+hard", "raw", "untrained"} == {row["method"] for row in rows}
    assert all(row["shipped"] for row in rows)
    assert 3 == len(package.leaderboard("bottles"))
    assert [] == [outcome for outcome in check("bottles", kind="track") if outcome.state != "passed"]


def test_a_row_of_a_plugins_track_is_reproduced_by_its_name(plugin, siambench, tmp_path):
    """A row that was run by the track's name, and adopted into the plugin's folder, comes out bit for bit by `reproduce`."""
    home = plugin / "bottles"
    short = ("--trials", "1", "--repetitions", "1", "--jobs", "1")
    done = siambench("run", "--track", "bottles", "--loss", "contrastive", *short, "--out", tmp_path / "out")
    assert 0 == done.returncode, done.stderr
    added = siambench("leaderboard", "bottles", "--from", tmp_path / "out", "--write")
    assert 0 == added.returncode, added.stderr
    assert (home / "records").is_dir()
    again = siambench("reproduce", "bottles", "contrastive", "--json")
    assert 0 == again.returncode, again.stderr
    units = json.loads(again.stdout)["units"]
    assert units
    assert {"identical"} == {unit["state"] for unit in units}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (TRACK.replace("batch_size", "batchsize"), "unknown key 'training.batchsize', did you mean 'training.batch_size'?"),
        (TRACK.replace('"bottles"', '"jars"'), "its name is 'jars', and its plugin calls it 'bottles': they must be the same"),
        ("\xff\x00[", "cannot be read as TOML"),
        ("", "the key 'name' is missing"),
    ],
)
def test_a_track_that_does_not_hold_takes_nothing_down_but_itself(plugin, siambench, text, reason):
    """`plugins` shows it with its reason, using it exits 4 with that, and the plugin's loss, other tracks and commands work on."""
    (plugin / "bottles" / "track.toml").write_text(text, encoding="utf-8")
    (status,) = [one for one in json.loads(siambench("plugins", "--json").stdout) if one["plugin"] == installed()]
    assert "failed" == status["status"]
    assert reason in status["error"]
    assert ["losses:still-there"] == [name for name in status["components"] if not name.startswith("configs:")]
    assert reason in siambench("plugins", "--errors").stdout
    for words in (("leaderboard", "bottles"), ("run", "--track", "bottles", "--loss", "contrastive", "--plan")):
        done = siambench(*words)
        assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines())), done.stderr
        assert reason in done.stderr
    listed = siambench("tracks")
    assert 0 == listed.returncode
    assert "the track bottles cannot be used: " in listed.stderr
    assert len(track_names()) == len(listed.stdout.splitlines())
    assert "still-there" in siambench("list", "losses").stdout


def test_a_comparison_that_does_not_hold_is_told(plugin, siambench):
    """A key that there is not makes `plugins` show the plugin as failed; running it exits 4 with the nearest key."""
    (plugin / "two.toml").write_text(CONFIG.replace("methods", "method"))
    assert "did you mean 'methods'?" in siambench("plugins", "--errors").stdout
    done = siambench("run", "two", "--plan")
    assert (4, "") == (done.returncode, done.stdout)
    assert "did you mean 'methods'?" in done.stderr


@pytest.mark.parametrize(
    ("kind", "body", "reason"),
    [
        ("tracks", '{"glyphs": TrackEntry("rules/bottles", source="ours")}', "'glyphs' is a track that ships with siambench"),
        ("configs", '{"glyphs": ConfigEntry("rules/two.toml", source="ours")}', "'glyphs' is a config that ships with siambench"),
        ("tracks", '{"jars": TrackEntry("rules/jars", source="ours")}', "it has to be installed with the plugin"),
        ("tracks", '{"jars": TrackEntry(3, source="ours")}', "path must be the text of a path, or a pathlib.Path, got int"),
        ("tracks", '{"jars": TrackEntry("rules/bottles", source=" ")}', "an entry names its source"),
        ("configs", '{"jars": TrackEntry("rules/bottles", source="ours")}', "must map 'jars' to a ConfigEntry, got TrackEntry"),
    ],
)
def test_what_cannot_be_a_track_is_refused_when_the_plugin_is_loaded(plugin, monkeypatch, kind, body, reason):
    """A name that a shipped one bears, a folder that is not there, a path that is none: the plugin failed, with that reason."""
    name = f"odd{abs(hash((kind, body))) % 10**8}"
    plugin_folder(plugin.parent, name, "", f"return {body}", hook=kind)
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": name})
    (status,) = [one for one in catalogue.plugins if one.plugin == name]

    assert () == status.components
    assert reason in status.error
    assert set(track_names()) == set(catalogue.names("tracks"))


def test_a_name_that_two_plugins_bear_is_an_error_that_names_both(plugin, monkeypatch):
    """As for every kind: none overrides the other, and using the name says who provides it."""
    plugin_folder(plugin.parent, "corked", "", 'return {"bottles": TrackEntry("rules/bottles", source="made for a test")}', hook="tracks")
    monkeypatch.setenv("SIAMBENCH_PLUGINS", f"{installed()},corked")
    with pytest.raises(DuplicateNameError, match=r"track 'bottles' is provided twice, by bottled.* and corked"):
        load_track("bottles")
    assert None is home_of("bottles")


def test_the_kit_finds_what_a_track_lacks(plugin):
    """Each contract of tracks can fail: rules, what they name, a split that its data has no classes for, records without baselines."""

    def failed(text):
        (plugin / "bottles" / "track.toml").write_text(text)
        return {one.contract: one.reason for one in check("bottles", kind="track") if one.state == "failed"}

    assert {} == failed(TRACK)
    assert ["rules"] == list(failed(TRACK.replace("epochs = 2", "epoch = 2")))
    found = failed(TRACK.replace('"mlp"', '"mlpp"'))
    assert ["components"] == list(found)
    assert "unknown backbone 'mlpp', did you mean 'mlp'?" in found["components"]
    found = failed(TRACK.replace("[model]", '[split]\nrule = "class-fraction"\ntest_fraction = 0.95\n[model]', 1))
    assert ["planned"] == list(found)
    assert "leaves fewer than two on one side" in found["planned"]
    (plugin / "bottles" / "records").mkdir()
    (plugin / "bottles" / "records" / f"{'0' * 64}.json").write_text("{}")
    assert ["records"] == list(failed(TRACK))


def test_the_kit_finds_what_a_comparison_lacks(plugin):
    """Each contract of comparisons can fail: no opening comment, a loss that there is not, a combination that makes no sense."""

    def failed(text):
        (plugin / "two.toml").write_text(text)
        return {one.contract: one.reason for one in check("two", kind="config") if one.state == "failed"}

    assert {} == failed(CONFIG)
    assert ["rules"] == list(failed(CONFIG.partition("\n")[2]))
    assert ["components"] == list(failed(CONFIG.replace("supcon", "supconn")))
    assert ["components"] == list(failed(CONFIG.replace('"bottles"', '"jars"')))
    found = failed(f'{CONFIG}miner = "hard"\n'.replace('"contrastive", "supcon"', '"triplet", "arcface"'))
    assert ["planned"] == list(found)
    assert "arcface+hard makes no sense" in found["planned"]


def test_a_track_whose_data_is_not_here_is_skipped_with_the_reason(plugin, tmp_path, monkeypatch):
    """Without the files of its data set the split is not cut, and the outcome says which file is missing."""
    head, _, rest = TRACK.replace('"digits"', '"omniglot-minimal"').replace('"mlp"', '"conv4"').partition("[model.options]")
    (plugin / "bottles" / "track.toml").write_text(head + rest[rest.index("[training]") :])
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "nothing"))
    monkeypatch.setattr("urllib.request.urlopen", lambda *_, **__: (_ for _ in ()).throw(OSError("no network in tests")))
    outcomes = {one.contract: one for one in check("bottles", kind="track")}

    assert "passed" == outcomes["components"].state
    assert "skipped" == outcomes["planned"].state
    assert outcomes["planned"].reason.startswith("its data is not here: ")
