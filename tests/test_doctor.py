"""`siambench doctor`: what is wrong with an installation, its surroundings and its records, and what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from shared import plugin_folder

from siambench import doctor as health
from siambench.builtin import datasets
from siambench.builtin.datasets import omniglot

OLD = Path(__file__).parent / "assets" / "schema-1"

OFFLINE = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
"""A proxy that refuses at once: what would be downloaded is missed, not waited for."""

REMOTE = """
from siambench.data.locate import Remote

def files():
    return (Remote("own.bin", "https://example.org/own.bin", "0" * 64, "own"),)
"""
OWN_DATA = """return {
        "own": DatasetEntry(lambda: 1 / 0, source="ours", files=files), "untold": DatasetEntry(lambda: 1 / 0, source="ours")}"""
"""A plugin with a data set that says which file it needs, and one that does not say; loading either would be an error."""

BROKEN_TORCH = {"torch.py": 'print("hello")\nraise ImportError("libgone.so: \\x1b[2Jcannot open")\n'}


def doctor(folder, *arguments, path=(), **surroundings):
    """Run `doctor` in a folder, with further folders on Python's path."""
    ambient = {name: value for name, value in os.environ.items() if not name.startswith("SIAMBENCH_")}
    paths = os.pathsep.join([*map(str, path), *filter(None, [ambient.get("PYTHONPATH")])])
    surroundings = {"SIAMBENCH_CACHE": str(folder / "cache"), "SIAMBENCH_PLUGINS": "", **surroundings}
    return subprocess.run(
        [sys.executable, "-m", "siambench", "doctor", *arguments],
        cwd=folder,
        env={**ambient, **OFFLINE, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **surroundings},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def findings(done, section, name):
    """The findings of that name in a document."""
    return [found for found in json.loads(done.stdout)["findings"] if (found["section"], found["name"]) == (section, name)]


def finding(done, section, name):
    (found,) = findings(done, section, name)
    return found


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def well(tmp_path_factory):
    """The report of a machine where nothing is wrong but that data is missing, as people and as programs read it."""
    folder = tmp_path_factory.mktemp("well")
    return folder, doctor(folder, "--json", SIAMBENCH_DATA=str(write(folder / "data", {})))


@pytest.fixture(scope="module")
def ill(tmp_path_factory):
    """A document of a machine where much is wrong, none of which keeps siambench from running; torch is left out for haste."""
    folder = tmp_path_factory.mktemp("ill")
    site = plugin_folder(write(folder / "site", BROKEN_TORCH), "files", REMOTE, OWN_DATA, hook="datasets")
    plugin_folder(site, "rogue", 'raise ValueError("\\x1b[2Jred")', "return {}")
    info = site / "optuna-0.1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: optuna\nVersion: 0.1\n")
    write(folder, {"cache": "a file in the folder's place"})
    write(folder / "data" / "omniglot", {"all_runs.zip": "not what was published"})
    records = folder / "siambench-runs" / "glyphs" / "records"
    shutil.copytree(OLD, records.parent)
    victim = min(records.glob("*.json"))
    victim.write_bytes(victim.read_bytes()[:200])
    data = str(folder / "data")
    return folder, victim, doctor(folder, "--json", path=[site], SIAMBENCH_PLUGINS="files,rogue,absent", SIAMBENCH_DATA=data)


def test_a_healthy_machine_has_no_problem(well):
    """Where only data is missing there is no problem, and the exit code is 0."""
    _, done = well
    assert 0 == done.returncode, done.stderr
    document = json.loads(done.stdout)
    assert {"schema", "usable", "findings", "counts"} == set(document)
    assert (True, 0) == (document["usable"], document["counts"]["problem"])
    assert [] == [found for found in document["findings"] if found["state"] == "problem"]
    assert len(document["findings"]) == sum(document["counts"].values())


def test_versions_devices_and_cores_are_told(well):
    """Python's version and those of the libraries, the processor, the cores and the workers stand in the report."""
    from importlib.metadata import version

    _, done = well
    assert f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}" == finding(done, "versions", "python")["text"]
    for library in ("siambench", "torch", "torchvision", "pytorch-metric-learning", "optuna"):
        assert version(library) == finding(done, "versions", library)["text"]
    assert f"{len(os.sched_getaffinity(0))} of {os.cpu_count()} may be used" in finding(done, "machine", "cores")["text"]
    assert "threads" in finding(done, "devices", "cpu")["text"]
    assert finding(done, "devices", "workers")["text"].startswith("--jobs auto starts ")


def test_missing_data_is_noted_with_file_url_and_folder(well):
    """A data set whose files are not here is a note: which file from where to put into which folder; nothing is downloaded."""
    folder, done = well
    found = finding(done, "data", "omniglot-minimal")
    assert "note" == found["state"]
    assert len(omniglot.MINIMAL) == 3
    for remote in omniglot.MINIMAL:
        assert remote.name in found["text"]
        assert f"{remote.name} ({remote.url})" in found["advice"]
    assert str(folder / "data" / "omniglot") in found["advice"]
    many = finding(done, "data", "signatures")
    assert many["text"] == "3720 of 3720 files missing: 1.png, 2.png, 3.png, 4.png, 5.png, 6.png and 3714 more"
    assert many["advice"].count("https://") == 6
    assert "ok" == finding(done, "data", "glyphs")["state"]
    assert "ok" == finding(done, "data", "digits")["state"]
    assert [] == list((folder / "data").iterdir())
    assert not (folder / "cache").exists()


def test_folders_that_will_be_made_are_writable(well):
    """A cache and an output folder that are not there yet are well, and are not made; no run is no trouble."""
    folder, done = well
    for name in ("cache", "runs"):
        found = finding(done, "folders", name)
        assert ("ok", True) == (found["state"], " free" in found["text"])
    assert {"state": "ok", "text": "no run yet"}.items() <= finding(done, "records", "siambench-runs").items()
    assert ["data"] == [path.name for path in folder.iterdir()]


def test_what_the_cache_takes_is_told(tmp_path, monkeypatch):
    """Of decoded images and of features doctor says how many files there are, how large, and where; locks and notes do not count."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path))
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "one.npy").write_bytes(bytes(3_000_000))
    (tmp_path / "features" / "one.npy.lock").write_bytes(b"")
    found = {finding.name: finding.text for finding in health._folders(tmp_path / "runs")}

    assert found["features"] == f"1 file, 3 MB in {tmp_path / 'features'}, which may be deleted"
    assert found["decoded images"] == "none are kept"


def test_a_broken_plugin_is_a_problem(ill):
    """A plugin that does not load is named with distribution and reason, control characters spelt out, and with what to do."""
    _, _, done = ill
    found = finding(done, "plugins", "rogue")
    assert ("problem", "rogue 1.0: ValueError: \\x1b[2Jred") == (found["state"], found["text"])
    assert "SIAMBENCH_PLUGINS" in found["advice"]
    assert "\x1b" not in done.stdout + done.stderr


def test_a_plugin_that_is_not_installed_is_a_problem(ill):
    """A name in SIAMBENCH_PLUGINS that nothing installed bears is told."""
    _, _, done = ill
    assert "absent" in finding(done, "plugins", "not installed")["text"]


def test_an_unwritable_cache_is_a_problem(ill):
    """A file where the cache folder should be is a problem, and SIAMBENCH_CACHE is what helps."""
    folder, _, done = ill
    found = finding(done, "folders", "cache")
    assert ("problem", True) == (found["state"], f"{folder / 'cache'} cannot be written" in found["text"])
    assert "SIAMBENCH_CACHE" in found["advice"]
    assert "a file in the folder's place" == (folder / "cache").read_text()


def test_a_damaged_file_of_data_is_a_problem(ill):
    """A file with another checksum than the published one is a problem that names it."""
    folder, _, done = ill
    found = finding(done, "data", "omniglot-minimal")
    assert "problem" == found["state"]
    assert str(folder / "data" / "omniglot" / "all_runs.zip") in found["text"]
    assert "replace" in found["advice"]


def test_what_a_plugins_data_set_needs_is_told_without_loading_it(ill):
    """A plugin's data set that names its files is looked after like siambench's own; of one that names none that is noted."""
    folder, _, done = ill
    own, untold = finding(done, "data", "own"), finding(done, "data", "untold")
    assert ("note", "1 of 1 files missing: own.bin") == (own["state"], own["text"])
    assert f"own.bin (https://example.org/own.bin) into {folder / 'data' / 'own'}" in own["advice"]
    assert ("note", "which files it needs shows when it is loaded") == (untold["state"], untold["text"])


def test_damaged_and_older_records_are_problems(ill):
    """Records in ./siambench-runs that are damaged, or of an older layout, are counted with what to do."""
    _, victim, done = ill
    intact, damaged, older = findings(done, "records", "siambench-runs/glyphs")
    assert ("ok", "0 intact") == (intact["state"], intact["text"])
    assert ("problem", f"1 damaged, the first {victim.name}") == (damaged["state"], damaged["text"])
    assert f"{len(list(victim.parent.glob('*.json'))) - 1} of an older layout" in older["text"]
    assert "siambench upgrade siambench-runs/glyphs" == older["advice"]


def test_an_old_library_is_a_problem(ill):
    """A library older than what siambench needs is a problem, with the command that brings a newer one."""
    _, _, done = ill
    found = finding(done, "versions", "optuna")
    assert ("problem", True) == (found["state"], found["text"].startswith("0.1, "))
    assert found["advice"].startswith("pip install 'optuna>=")


def test_every_problem_has_its_advice(ill):
    """No problem is told without what to do about it."""
    _, _, done = ill
    problems = [found for found in json.loads(done.stdout)["findings"] if found["state"] == "problem"]
    assert [] == [found["name"] for found in problems if not found["advice"]]
    assert len(problems) == json.loads(done.stdout)["counts"]["problem"]


def test_what_keeps_siambench_from_running_exits_4(ill):
    """Without a torch that can be imported the exit code is 4, with one sentence on stderr after what the library printed."""
    _, _, done = ill
    assert (4, False) == (done.returncode, json.loads(done.stdout)["usable"])
    found = finding(done, "devices", "torch")
    assert "libgone.so: \\x1b[2Jcannot open" in found["text"]
    *_, last = done.stderr.splitlines()
    assert last.startswith("siambench: siambench cannot run here: torch: torch cannot be imported")
    assert 1 == sum(line.startswith("siambench:") for line in done.stderr.splitlines())


def test_people_are_shown_sections_states_and_advice(tmp_path):
    """Without `--json` each finding is a line under its section, with its state; advice follows behind an arrow."""
    site = write(tmp_path / "site", BROKEN_TORCH)
    done = doctor(tmp_path, path=[site], SIAMBENCH_DATA=str(tmp_path / "nowhere"))
    lines = done.stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert ["versions", "machine", "folders", "data", "plugins", "records", "devices"] == heads
    place = next(index for index, line in enumerate(lines) if "which is no folder" in line)
    assert lines[place].startswith("  problem  data: SIAMBENCH_DATA is ")
    assert lines[place + 1].strip().startswith("→ ")
    assert "2 problem" in done.stderr


def test_a_section_that_breaks_is_told_as_a_problem(monkeypatch, tmp_path):
    """Whatever an installation does to one section, the report goes on with the others."""

    def breaks():
        raise RuntimeError("no such luck")
        yield

    monkeypatch.setattr(health, "_plugins", breaks)
    monkeypatch.setattr(health, "_devices", lambda: iter(()))
    found = {(one.section, one.name): one for one in health.examine(tmp_path / "runs")}
    broken = found["plugins", "plugins"]
    assert ("problem", "RuntimeError: no such luck", True) == (broken.state, broken.text, broken.fatal)
    assert "ok" == found["records", str(tmp_path / "runs")].state


def test_little_room_is_noted_and_none_is_a_problem(monkeypatch, tmp_path):
    """Below a gigabyte a disk is noted, below a tenth of that it is a problem."""
    from collections import namedtuple

    usage = namedtuple("usage", "free")  # noqa: PYI024  as that of shutil
    states = {}
    for free in (health.LITTLE, health.LITTLE - 1, health.LITTLE // 20):
        monkeypatch.setattr(health.shutil, "disk_usage", lambda _, free=free: usage(free))
        states[free] = health._place("cache", tmp_path / "not" / "yet", "elsewhere").state
    assert ["ok", "note", "problem"] == list(states.values())


@pytest.mark.parametrize(
    ("version", "least", "enough"),
    [("2.9.1", "2.9", True), ("2.9", "2.9.0", True), ("2.10.0+cpu", "2.9", True), ("2.8.9", "2.9", False), ("3", "2.9", True)],
)
def test_versions_are_compared_as_numbers(version, least, enough):
    """2.10 is newer than 2.9, and 2.9 is 2.9.0."""
    assert enough == (health._numbers(version) >= health._numbers(least))


def test_the_files_of_every_built_in_data_set_are_known():
    """Each built-in data set but a folder of one's own says which files it needs, so that none has to be loaded to tell."""
    entries = datasets.siambench_datasets()
    told = {name: len(entry.files()) for name, entry in entries.items() if entry.files is not None}

    assert set(told) == {name for name, entry in entries.items() if not entry.takes_path}
    assert {name: told[name] for name in ("glyphs", "omniglot-minimal", "signatures", "digits", "fashion-mnist")} == {
        "glyphs": 0,
        "omniglot-minimal": 3,
        "signatures": 3720,
        "digits": 0,
        "fashion-mnist": 4,
    }
    assert all(number for name, number in told.items() if name not in ("glyphs", "digits"))
