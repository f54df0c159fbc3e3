"""`plugins`: who provides components, or why not."""

from __future__ import annotations

import json
import re

import pytest
from shared import plugin_folder

LOSS = 'return {"odd": LossEntry(lambda: None, source="made up")}'
RAISES = 'raise RuntimeError("no\\n\\x1b[2Jluck")'


@pytest.fixture
def env(tmp_path):
    """Surroundings with a plugin that loads and one that does not."""
    place = plugin_folder(tmp_path, "odd-losses", "", LOSS)
    plugin_folder(tmp_path, "broken", "", RAISES)
    return {"PYTHONPATH": str(place), "SIAMBENCH_PLUGINS": "odd-losses,broken"}


def test_siambench_itself_is_a_plugin(siambench):
    """What ships is listed as any plugin is: name, distribution, version, how it fared and how many components it has."""
    done = siambench("plugins")
    assert (0, "") == (done.returncode, done.stderr)
    assert re.fullmatch(r"siambench  siambench \d+\.\d+\.\d+\S*  ok, [1-9]\d* components\n", done.stdout)


def test_the_document_has_the_documented_keys(siambench):
    """`--json` gives one document with each plugin's components by kind and name."""
    (own,) = json.loads(siambench("plugins", "--json").stdout)
    assert {"plugin", "distribution", "version", "status", "error", "components"} == set(own)
    assert ("siambench", "siambench", "ok", None) == tuple(own[key] for key in ("plugin", "distribution", "status", "error"))
    assert {"losses:triplet", "formats:csv", "datasets:glyphs"} <= set(own["components"])
    assert len(own["components"]) == len(json.loads(siambench("list", "--json").stdout))


def test_a_plugin_that_failed_says_why(siambench, env):
    """One that loaded shows its components, one that did not its reason in one line that no terminal obeys; the command exits 0."""
    done = siambench("plugins", env=env)
    lines = done.stdout.splitlines()
    assert (0, "", 3) == (done.returncode, done.stderr, len(lines))
    assert "odd-losses  odd-losses 1.0  ok, 1 component" in lines
    assert r"broken  broken 1.0  failed: RuntimeError: no \x1b[2Jluck" in lines


def test_a_name_that_two_plugins_bear_is_told(siambench, env, tmp_path):
    """Both loaded, and what neither can be asked for is said beside them, in one sentence with both distributions."""
    plugin_folder(tmp_path, "twin", "", LOSS)
    done = siambench("plugins", env={**env, "SIAMBENCH_PLUGINS": "odd-losses,twin"})
    assert (0, 3) == (done.returncode, len(done.stdout.splitlines()))
    told = "loss 'odd' is provided twice, by odd-losses (odd-losses 1.0) and twin (twin 1.0): by that name neither can be used\n"
    assert told == done.stderr


def test_errors_alone_are_shown_where_asked_for(siambench, env):
    """`--errors` lists those that failed; where none did, stdout is empty and stderr says so."""
    (failed,) = json.loads(siambench("plugins", "--errors", "--json", env=env).stdout)
    assert ("broken", "failed", []) == (failed["plugin"], failed["status"], failed["components"])
    assert failed["error"].startswith("RuntimeError: no")
    done = siambench("plugins", "--errors")
    assert (0, "", "no plugin failed\n") == (done.returncode, done.stdout, done.stderr)
    assert [] == json.loads(siambench("plugins", "--errors", "--json").stdout)
