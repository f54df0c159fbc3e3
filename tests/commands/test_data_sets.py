"""Published data sets on the command line: what is absent, damaged or harmful is one sentence and exit code 4, before anything runs."""

from __future__ import annotations

import os
import pickle

import dataset_layouts as layouts
import pytest

from siambench.builtin.datasets import birds_and_cars


class Harmful:
    """Whoever unpickles it runs a command."""

    def __reduce__(self):
        return os.system, ("touch pwned",)


@pytest.fixture
def plan(siambench, tmp_path):
    """Plan a run on a data set, with data below the test's folder."""

    def call(name, *more):
        place = {"SIAMBENCH_DATA": str(tmp_path / "data"), "SIAMBENCH_CACHE": str(tmp_path / "cache")}
        return siambench("run", "--loss", "contrastive", "--dataset", name, "--plan", *more, env=place)

    return call


def one_sentence(done):
    assert (done.returncode, done.stdout) == (4, "")
    lines = done.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]


def test_a_data_set_that_is_absent_is_one_sentence(plan):
    """What is missing, from where it is, and where it goes."""
    told = one_sentence(plan("cub-200"))

    assert "data set cub-200 is missing: get CUB_200_2011.tgz from https://data.caltech.edu/records/65de6-vp158" in told
    assert "data/cub-200/CUB_200_2011/images.txt is there" in told


def test_a_pickle_that_runs_something_is_one_sentence(plan, tmp_path):
    """It is refused by name, and what it asks for does not happen."""
    path = tmp_path / "data/cfp-fp/cfp_fp.bin"
    path.parent.mkdir(parents=True)
    path.write_bytes(pickle.dumps(([b"x"], [Harmful()])))

    assert "cfp_fp.bin is a pickle that asks for posix.system" in one_sentence(plan("cfp-fp"))
    assert not list(tmp_path.rglob("pwned"))


def test_an_archive_with_another_checksum_is_one_sentence(plan, tmp_path):
    """The published checksum is demanded."""
    layouts.tar_of(tmp_path / "data/cub-200/CUB_200_2011.tgz", {"CUB_200_2011/images.txt": b"1 a.png\n"})

    assert "CUB_200_2011.tgz has MD5 " in one_sentence(plan("cub-200"))


def test_an_option_that_there_is_not_is_one_sentence(plan):
    """The nearest one is named."""
    assert "has no option 'sise', did you mean 'size'?" in one_sentence(plan("lfw", "--set", "dataset.options.sise=3"))


def test_a_made_cub_can_be_planned(plan, tmp_path, monkeypatch):
    """Eight classes in CUB's layout: the plan says what it holds, and splits it as the field does."""
    monkeypatch.setattr(birds_and_cars, "BIRDS", (8, 28))
    layouts.cub(tmp_path / "data", classes=8)
    done = plan("cub-200", "--set", "dataset.options.size=16")

    assert done.returncode == 0, done.stderr
    assert "8 classes, 28 images, 3 to 4 a class, first class 001.Bird_1" in done.stdout + done.stderr
