"""Tracks, configs and shipped leaderboards are found from a wheel, from an editable install and from any folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of this checkout, built without a network."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (found,) = folder.glob("siambench-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """That wheel, unpacked into a folder of its own."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(folder), str(wheel)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def call(*arguments, cwd, path=None):
    surroundings = {**os.environ, **({"PYTHONPATH": str(path)} if path else {})}
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, env=surroundings, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr
    return done.stdout


def test_the_wheel_carries_what_siambench_needs(wheel):
    """The wheel holds data set, tracks, their records, configs, templates of plugins and typing marker, and nothing of the tests."""
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "siambench/py.typed",
        "siambench/builtin/datasets/glyphs.npz",
        "siambench/builtin/datasets/signatures.sha256",
        "siambench/shipped/configs/glyphs.toml",
        "siambench/shipped/leaderboards/glyphs/track.toml",
        "siambench/shipped/leaderboards/omniglot-minimal/track.toml",
    ):
        assert name in names
    templates = {path.relative_to(ROOT).as_posix() for path in (ROOT / "siambench/testing/scaffold").rglob("*.txt")}
    assert templates
    assert templates <= names
    records = list((ROOT / "leaderboards" / "glyphs" / "records").glob("*.json"))
    assert len(records) == sum(name.startswith("siambench/shipped/leaderboards/glyphs/records/") for name in names)
    assert [] == [name for name in names if name.startswith(("tests/", "plugins/"))]


def test_a_wheel_finds_tracks_configs_and_leaderboards(installed, tmp_path):
    """From a wheel, in an unrelated folder: the same tracks, the same table, and the shipped comparison by name."""
    where = call("-c", "import siambench; print(siambench.__file__)", cwd=tmp_path, path=installed).strip()
    assert where.startswith(str(installed))
    names = {track["name"] for track in json.loads(call("-m", "siambench", "tracks", "--json", cwd=tmp_path, path=installed))}
    assert {"glyphs", "glyphs-long", "omniglot-minimal", "omniglot-one-shot", "signatures", "signatures-paper"} <= names
    ours = call("-m", "siambench", "leaderboard", "glyphs", "--format", "csv", cwd=tmp_path)
    assert ours == call("-m", "siambench", "leaderboard", "glyphs", "--format", "csv", cwd=tmp_path, path=installed)
    plan = json.loads(call("-m", "siambench", "run", "glyphs.toml", "--plan", "--json", cwd=tmp_path, path=installed))
    assert len(plan["studies"]) >= 13


@pytest.mark.parametrize("what", [("loss", "triplet"), ("backbone", "conv4"), ("metric", "map@r"), ("dataset", "glyphs")])
def test_a_component_has_one_digest_from_a_wheel_and_from_a_checkout(installed, tmp_path, what):
    """The digest of a component's code is that of its text: a baseline that was run from a checkout is the shipped one."""
    show = ("-m", "siambench", "show", *what, "--json")
    of_wheel, of_checkout = (json.loads(call(*show, cwd=tmp_path, path=path))["digest"] for path in (installed, None))
    assert of_wheel == of_checkout
    assert 64 == len(of_wheel)


def test_an_editable_install_works_from_any_folder(tmp_path):
    """From this checkout, called in an unrelated folder: tracks, table and shipped comparison are found."""
    names = {track["name"] for track in json.loads(call("-m", "siambench", "tracks", "--json", cwd=tmp_path))}
    assert {"glyphs", "glyphs-long", "omniglot-minimal", "omniglot-one-shot", "signatures", "signatures-paper"} <= names
    plan = json.loads(call("-m", "siambench", "run", "glyphs.toml", "--plan", "--json", cwd=tmp_path))
    assert len(plan["studies"]) >= 13


def test_the_shipped_tables_are_what_their_records_give():
    """`leaderboard --all --check` accepts every shipped track, and the page of all."""
    call("-m", "siambench", "leaderboard", "--all", "--check", cwd=ROOT)


def test_all_is_sorted_and_importable():
    """`siambench.__all__` is sorted, and every name in it is there."""
    import siambench

    assert sorted(siambench.__all__) == siambench.__all__
    assert ["__version__", "diagnose", "evaluate", "leaderboard", "load_model", "plot", "run"] == siambench.__all__
    for name in siambench.__all__:
        assert getattr(siambench, name) is not None
    assert siambench.__all__ == dir(siambench)


def test_importing_siambench_imports_nothing_heavy(tmp_path):
    """`import siambench` loads neither torch nor pandas nor numpy."""
    code = "import sys, siambench; print([m for m in ('torch', 'pandas', 'numpy', 'optuna', 'pluggy') if m in sys.modules])"
    assert "[]" == call("-c", code, cwd=tmp_path).strip()
