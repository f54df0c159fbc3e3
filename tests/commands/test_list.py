"""`list`: what is installed, kind by kind, and from whom."""

from __future__ import annotations

import json
import re

import pytest
from shared import plugin_folder

from siambench.builtin.losses import siambench_losses
from siambench.components.hookspecs import KINDS

LOSS = 'return {"odd": LossEntry(lambda: None, source="made up\\x1b[2J")}'


def test_everything_is_listed_kind_by_kind(siambench):
    """Without a kind all of them are listed, each below its heading, every component with its source."""
    done = siambench("list")
    assert (0, "") == (done.returncode, done.stderr)
    lines = done.stdout.splitlines()
    assert list(KINDS) == [line for line in lines if not line.startswith(" ")]
    for line in lines:
        assert line in KINDS or re.fullmatch(r"  \S+ {2,}\S.*", line), line


def test_a_kind_alone_is_listed(siambench):
    """With a kind only its components are listed, by the plural or the singular."""
    done = siambench("list", "losses")
    names = [line.split()[0] for line in done.stdout.splitlines()[1:]]
    assert set(siambench_losses()) == set(names)
    assert sorted(names) == names
    assert done.stdout == siambench("list", "loss").stdout
    assert siambench("list", "miners").stdout == siambench("list", "miner").stdout


def test_the_document_has_the_documented_keys(siambench):
    """`--json` gives one document with kind, name, distribution, version and source of everything, in the order of the text."""
    everything = json.loads(siambench("list", "--json").stdout)
    keys = {"kind", "name", "distribution", "version", "source"}
    assert keys == {key for entry in everything if entry["kind"] != "datasets" for key in entry}
    assert all(keys | {"licence", "holds", "split"} == set(entry) for entry in everything if entry["kind"] == "datasets")
    assert list(KINDS) == list(dict.fromkeys(entry["kind"] for entry in everything))
    assert {"siambench"} == {entry["distribution"] for entry in everything}
    shown = [line.split()[0] for line in siambench("list").stdout.splitlines() if line.startswith(" ")]
    assert shown == [entry["name"] for entry in everything]
    formats = json.loads(siambench("list", "formats", "--json").stdout)
    assert {"table", "md", "csv", "json", "html", "latex"} == {entry["name"] for entry in formats}


def test_data_sets_say_their_licence_and_what_is_missing(siambench, tmp_path):
    """Where data sets alone are asked for, each says which of its files are not on this machine; one whose file is there says nothing."""
    (tmp_path / "agedb-30").mkdir()
    (tmp_path / "agedb-30/agedb_30.bin").write_bytes(b"")
    place = {"SIAMBENCH_DATA": str(tmp_path), "SIAMBENCH_CACHE": str(tmp_path / "cache")}
    lines = {line.split()[0]: line for line in siambench("list", "datasets", env=place).stdout.splitlines()[1:]}
    told = {entry["name"]: entry for entry in json.loads(siambench("list", "datasets", "--json", env=place).stdout)}

    assert lines["clinc150"].endswith("; licence: CC BY 3.0  [2 files missing: siambench show dataset clinc150]")
    assert "licence: MIT" in lines["omniglot"]
    assert "missing" not in lines["agedb-30"]
    assert told["agedb-30"]["missing"] == []
    assert told["folder"]["missing"] is None
    assert told["cfp-fp"]["missing"] == ["cfp_fp.bin"]
    assert told["cub-200"]["holds"] == "200 classes, 11,788 images"


@pytest.mark.parametrize(("kind", "nearest"), [("los", "losses"), ("enginess", "engines"), ("samplerz", "samplers")])
def test_an_unknown_kind_names_the_nearest(siambench, kind, nearest):
    """A kind that there is not exits 4 with one sentence: the nearest one, and all there are."""
    done = siambench("list", kind)
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert f"unknown kind {kind!r}, did you mean {nearest!r}?" in done.stderr
    assert ", ".join(KINDS) in done.stderr


def test_whose_a_component_is_stands_beside_it(siambench, tmp_path):
    """A plugin's component has its distribution beside it, its source cannot move the cursor, and one that failed to load is named."""
    place = plugin_folder(tmp_path, "odd-losses", "", LOSS)
    plugin_folder(tmp_path, "broken", "", "return nothing")
    env = {"PYTHONPATH": str(place), "SIAMBENCH_PLUGINS": "odd-losses,broken"}
    done = siambench("list", "losses", env=env)
    (line,) = [line for line in done.stdout.splitlines() if line.startswith("  odd ")]
    assert re.fullmatch(r"  odd +made up\\x1b\[2J  \[odd-losses 1\.0\]", line)
    assert "[siambench" not in done.stdout
    assert ["plugin broken failed to load; see siambench plugins --errors"] == done.stderr.splitlines()


def test_a_list_imports_no_torch(siambench_process):
    """What is installed is told without torch and without numpy."""
    done = siambench_process("list", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert 0 == done.returncode
    assert "siambench.components.catalogue" in done.stderr
    assert not re.search(r"\| +(torch|numpy)\b", done.stderr)
