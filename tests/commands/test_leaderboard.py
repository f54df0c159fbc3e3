"""`leaderboard` of several tracks and `show study`, on folders of records made by hand; in one process, since nothing is trained."""

from __future__ import annotations

import json
import sys

import pytest
from made import TRACK, final, study, tuned

from siambench.records.record import write


@pytest.fixture
def folder(tmp_path):
    """Write a track's folder with these records; gives its path."""

    def make(name, records, within="tracks", *, rules=True):
        path = tmp_path / within / name
        for record in records:
            write(path / "records", record)
        path.mkdir(parents=True, exist_ok=True)
        if rules:
            track = TRACK.model_copy(update={"name": name})
            (path / "track.json").write_text(track.model_dump_json(by_alias=True))
        return path

    return make


def both(folder, **options):
    one = folder("one", study("triplet", [0.5, 0.51, 0.52], track="one") + study("npair", [0.1, 0.12, 0.11], track="one"))
    two = folder("two", study("triplet", [0.4, 0.41, 0.42], track="two"))
    return one, two


def test_two_tracks_give_mean_ranks_in_every_format(call, folder):
    """With two tracks the table, Markdown, CSV and JSON are of mean ranks, and who is left out is said on stderr or in them."""
    one, two = both(folder)
    code, out, err = call("leaderboard", one, two)
    assert 0 == code
    assert "Mean rank over one 1.0, two 1.0" in out
    assert "Left out, no row on two: npair." in err
    assert call("leaderboard", one, two, "--format", "md")[1].startswith("# Mean rank over one 1.0, two 1.0\n")
    assert call("leaderboard", one, two, "--format", "csv")[1].startswith("method,mean_rank,")
    document = json.loads(call("leaderboard", one, two, "--format", "json")[1])
    assert {"npair": "no row on two"} == document["left_out"]


def test_folders_join_the_tracks_they_hold(call, folder, tmp_path):
    """A folder of `--from` need hold records of one of the tracks only; one that holds none is an error."""
    one, two = both(folder)
    folder("two", study("npair", [0.1, 0.12, 0.11], track="two"), within="runs", rules=False)
    document = json.loads(call("leaderboard", one, two, "--from", tmp_path / "runs", "--format", "json")[1])
    assert ["triplet", "npair"] == [method["method"] for method in document["methods"]]
    code, _, err = call("leaderboard", one, two, "--from", tmp_path / "nowhere")
    assert (4, 1) == (code, len(err.splitlines()))
    assert "holds no records of any of one, two" in err


@pytest.mark.parametrize("option", ["--write", "--check"])
def test_several_tracks_have_no_files(call, folder, option):
    """`--write` and `--check` with two tracks exit 4 with one sentence, and write nothing."""
    one, two = both(folder)
    code, out, err = call("leaderboard", one, two, option)
    assert (4, "", 1) == (code, out, len(err.splitlines()))
    assert "take one track, got 2" in err
    assert not (one / "README.md").exists()


def test_one_track_twice_is_refused(call, folder):
    """The same track named twice exits 4 with one sentence."""
    one, _ = both(folder)
    code, out, err = call("leaderboard", one, one)
    assert (4, "", 1) == (code, out, len(err.splitlines()))
    assert "track one comes twice" in err


def test_many_damaged_files_are_counted(call, folder):
    """Of many files without a record the first are named and the rest counted."""
    one, _ = both(folder)
    for number in range(7):
        (one / "records" / f"{number}.json").write_text("{")
    _, _, err = call("leaderboard", one)
    assert 6 == sum("passed over" in line for line in err.splitlines())
    assert "passed over 2 more files" in err


def test_a_missing_cell_of_the_terminal_has_its_reason(call, folder):
    """Where a shown metric does not apply, its reason stands on stderr, of a row without any score the reason of that."""
    records = [tuned("triplet", trial, fold, [], state="failed", track="one") for trial in range(2) for fold in range(2)]
    records += [final("raw", 0, 0.1, track="one", result={"scores": {"map@r": None, "recall@1": 0.3}})]
    _, out, err = call("leaderboard", folder("one", records))
    assert "—" in out
    assert "triplet: every trial failed: it diverged" in err.splitlines()
    assert "raw, no map@r: it does not apply" in err.splitlines()


def test_show_study_prints_the_ledger(call, folder):
    """The table of trials and what they come to stand on stdout; with `--json` one document does."""
    one, _ = both(folder)
    code, out, err = call("show", "study", one, "triplet")
    assert (0, "") == (code, err)
    for words in ("triplet on one 1.0", "default", "random", "2 of 2 trials counted, 0 failed", "default 0.200, tuned 0.300, +0.100"):
        assert words in out
    document = json.loads(call("show", "study", one, "triplet", "--json")[1])
    assert (1, 2, 0.2) == (document["studies"], len(document["trials"]), document["default"])
    assert {"trial": 1, "epoch": 2, "value": pytest.approx(0.3)} == document["selected"]


def test_of_several_studies_the_longest_is_shown(call, folder, tmp_path):
    """Where a name has two studies, the one with most trials is shown, and how many there are."""
    one, _ = both(folder)
    newer = [tuned("triplet", trial, fold, [0.4], track="one", study="newer") for trial in range(3) for fold in range(2)]
    folder("one", newer, within="runs", rules=False)
    code, out, _ = call("show", "study", one, "triplet", "--from", tmp_path / "runs")
    assert 0 == code
    assert "study newer" in out
    assert "2 studies bear this name" in out
    document = json.loads(call("show", "study", one, "triplet", "--from", tmp_path / "runs", "--json")[1])
    assert ("newer", 2) == (document["study"], document["studies"])
    assert "studies bear" not in call("show", "study", one, "triplet")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["study", "one", "tripet"], ["unknown row 'tripet'", "did you mean 'triplet'?"]),
        (["study", "one", "raw"], ["raw is an anchor of one"]),
        (["study", "one"], ["siambench show study TRACK ROW"]),
        (["loss", "triplet", "hard"], ["hard goes with a study alone", "siambench show study TRACK ROW"]),
        (["loss", "triplet", "--from", "runs"], ["--from goes with a study alone"]),
        (["study", "glyhps", "triplet"], ["did you mean 'glyphs'?"]),
    ],
)
def test_show_study_says_what_is_wrong(call, folder, arguments, words):
    """An unknown row, an anchor, and arguments that do not fit exit 4 with one sentence."""
    one = folder("one", [*study("triplet", [0.5, 0.51, 0.52], track="one"), final("raw", 0, 0.1, track="one")])
    code, out, err = call("show", *[one if argument == "one" else argument for argument in arguments])
    assert (4, "", 1) == (code, out, len(err.splitlines()))
    for word in words:
        assert word in err


def test_the_python_interface_takes_several_tracks(folder):
    """`siambench.leaderboard` of one track is its table, of several the mean ranks."""
    import siambench

    one, two = both(folder)
    assert ["triplet", "npair"] == list(siambench.leaderboard(str(one))["method"])
    ranks = siambench.leaderboard([str(one), str(two)])
    assert [("triplet", 1.0, 1.0, 1.0)] == list(
        ranks[["method", "mean_rank", "one_rank", "two_rank"]][:1].itertuples(index=False, name=None)
    )
    assert ["triplet", "npair"] == list(ranks["method"])


def test_writing_leaves_local_rows_out_and_checks(call, folder):
    """The written page and table are those of the rows that anybody can make again, and `--check` accepts them."""
    local = study("./mine.py:Loss", [0.7, 0.71, 0.72], track="one", components={"loss": "local 0+abc"})
    one = folder("one", study("triplet", [0.5, 0.51, 0.52], track="one") + local)
    assert 0 == call("leaderboard", one, "--write")[0]
    page = (one / "README.md").read_text()
    assert "## Tuning" in page
    assert "mine.py" not in page
    assert 0 == call("leaderboard", one, "--check")[0]


def test_a_ledger_needs_neither_torch_nor_optuna(folder):
    """Tables of one track, of several, and ledgers are made without torch, pluggy or Optuna."""
    import subprocess

    one, two = both(folder)
    code = (
        "import sys; from siambench.board import ledger, page, shelf, show, across, text\n"
        "table, _ = shelf.leaderboard(sys.argv[1]); page.markdown(table, title='', command='')\n"
        "across.markdown(shelf.leaderboards(sys.argv[1:])[0])\n"
        "ledger.to_json(shelf.study(sys.argv[1], 'triplet')[0])\n"
        "print({'torch', 'pluggy', 'optuna'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(one), str(two)], capture_output=True, text=True, check=True)
    assert "set()\n" == done.stdout
