"""`leaderboard` of one track and of several, on folders of records made by hand: nothing is trained."""

from __future__ import annotations

import csv
import io
import json
import sys

import pytest
from made import LOCAL, final, studies, tuned


def test_two_tracks_give_mean_ranks_in_every_format(siambench, both):
    """With two tracks the table, Markdown, CSV and JSON are of mean ranks, and who is left out is said on stderr or in them."""
    done = siambench("leaderboard", *both)
    assert 0 == done.returncode
    assert "Mean rank over one 1.0, two 1.0" in done.stdout
    assert "Left out, no row on two: npair." in done.stderr
    assert siambench("leaderboard", *both, "--format", "md").stdout.startswith("# Mean rank over one 1.0, two 1.0\n")
    assert siambench("leaderboard", *both, "--format", "csv").stdout.startswith("method,mean_rank,")
    document = json.loads(siambench("leaderboard", *both, "--format", "json").stdout)
    assert {"npair": "no row on two"} == document["left_out"]


def test_one_track_is_shown_in_every_format(siambench, both):
    """Of one track the table stands on stdout and what explains it on stderr; the other formats are documents of their own."""
    one, _ = both
    done = siambench("leaderboard", one)
    assert "one 1.0" == done.stdout.splitlines()[0].strip()
    assert "t-interval" in done.stderr
    rows = {
        "md": [
            line.split("`")[1]
            for line in siambench("leaderboard", one, "--format", "md").stdout.splitlines()
            if "| 3 | 2 | 1 | 1 |" in line
        ],
        "csv": [row["method"] for row in csv.DictReader(io.StringIO(siambench("leaderboard", one, "--format", "csv").stdout))],
        "json": [row["method"] for row in json.loads(siambench("leaderboard", one, "--format", "json").stdout)["rows"]],
    }
    assert {name: ["triplet", "npair"] for name in ("md", "csv", "json")} == rows


def test_the_flags_that_occur_are_explained(siambench, folder):
    """Below the table, on stderr, stands a sentence for each flag in it."""
    done = siambench("leaderboard", folder("one", studies("triplet", [0.5], track="one")))
    assert "short-budget: fewer studies, trials or repetitions than the track's budget: not ranked" in done.stderr.splitlines()


def test_folders_join_the_tracks_they_hold(siambench, folder, both, tmp_path):
    """A folder of `--from` need hold records of one of the tracks only; one that holds none is an error."""
    folder("two", studies("npair", [0.1, 0.12, 0.11], track="two"), within="runs", rules=False)
    document = json.loads(siambench("leaderboard", *both, "--from", tmp_path / "runs", "--format", "json").stdout)
    assert ["triplet", "npair"] == [method["method"] for method in document["methods"]]
    done = siambench("leaderboard", *both, "--from", tmp_path / "nowhere")
    assert (4, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert "holds no records of any of one, two" in done.stderr


@pytest.mark.parametrize("option", ["--write", "--check"])
def test_several_tracks_have_no_files(siambench, both, option):
    """`--write` and `--check` with two tracks exit 4 with one sentence, and write nothing."""
    done = siambench("leaderboard", *both, option)
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "take one track, or --all, got 2" in done.stderr
    assert not (both[0] / "README.md").exists()


def test_one_track_twice_is_refused(siambench, both):
    """The same track named twice exits 4 with one sentence."""
    done = siambench("leaderboard", both[0], both[0])
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "track one comes twice" in done.stderr


def test_many_damaged_files_are_counted(siambench, both):
    """Of many files without a record the first are named and the rest counted."""
    one, _ = both
    for number in range(7):
        (one / "records" / f"{number}.json").write_text("{")
    said = siambench("leaderboard", one).stderr.splitlines()
    assert 6 == sum("passed over" in line for line in said)
    assert "passed over 2 more files: no intact records" in said


def test_records_of_an_older_layout_are_told_apart_from_damaged_ones(siambench, both):
    """They are counted, with the command that brings them to today's layout."""
    from siambench.identity import canonical, digest

    one, _ = both
    unit = {"kind": "final", "track": "one"}
    for schema in (1, 2):
        document = {"schema": schema, "id": digest([unit, schema]), "result": {"unit": [unit, schema]}, "telemetry": {}}
        (one / "records" / f"{document['id']}.json").write_text(canonical(document))
    assert f"passed over 2 records of another layout: siambench upgrade {one}" in siambench("leaderboard", one).stderr.splitlines()


def test_a_missing_cell_of_the_terminal_has_its_reason(siambench, folder):
    """Where a shown metric does not apply, its reason stands on stderr, of a row without any score the reason of that."""
    records = [tuned("triplet", trial, fold, [], state="failed", track="one") for trial in range(2) for fold in range(2)]
    records += [final("raw", 0, 0.1, track="one", outcome={"scores": {"map@r": None, "recall@1": 0.3}})]
    done = siambench("leaderboard", folder("one", records))
    assert "—" in done.stdout
    assert "triplet: every trial failed: it diverged" in done.stderr.splitlines()
    assert "raw, no map@r: it does not apply" in done.stderr.splitlines()


def test_a_track_without_a_row_says_how_to_make_one(siambench, folder):
    """Of a folder without records the table is empty, and stderr says so with the command that makes a row."""
    done = siambench("leaderboard", folder("one", []))

    assert 0 == done.returncode
    assert "no row of one is here yet: siambench run --track one --loss LOSS makes one" in done.stderr.splitlines()


def test_the_python_interface_takes_several_tracks(both):
    """`siambench.leaderboard` of one track is its table, of several the mean ranks."""
    import siambench

    one, two = both
    assert ["triplet", "npair"] == list(siambench.leaderboard(str(one))["method"])
    ranks = siambench.leaderboard([str(one), str(two)])
    assert [("triplet", 1.0, 1.0, 1.0)] == list(
        ranks[["method", "mean_rank", "one_rank", "two_rank"]][:1].itertuples(index=False, name=None)
    )
    assert ["triplet", "npair"] == list(ranks["method"])


def test_writing_leaves_local_rows_out_and_checks(siambench, folder):
    """The written page and table are those of the rows that anybody can make again, and `--check` accepts them until a byte differs."""
    local = studies("./mine.py:Loss", [0.7, 0.71, 0.72], track="one", components={"loss": LOCAL})
    one = folder("one", studies("triplet", [0.5, 0.51, 0.52], track="one") + local)
    done = siambench("leaderboard", one, "--write")
    assert 0 == done.returncode
    assert [f"wrote {one / name}" for name in ("README.md", "table.csv", "index.html", "costs.csv")] == done.stderr.splitlines()
    page = (one / "README.md").read_text()
    assert "## Tuning" in page
    assert "mine.py" not in page
    done = siambench("leaderboard", one, "--check")
    assert (0, "") == (done.returncode, done.stdout)
    assert f"{one}: the generated files are what 30 records give" in done.stderr
    (one / "table.csv").write_text("anything\n")
    done = siambench("leaderboard", one, "--check")
    assert (6, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert "table.csv differs from what its records give, first in line 1" in done.stderr


def test_writing_adopts_the_records_of_other_folders(siambench, folder, both, tmp_path):
    """`--write --from` copies what is new into the track's own folder, and says how many records that were."""
    one, _ = both
    folder("one", studies("supcon", [0.3, 0.31, 0.32], track="one"), within="runs", rules=False)
    for adopted in (15, 0):
        done = siambench("leaderboard", one, "--from", tmp_path / "runs", "--write")
        assert f"{adopted} records adopted" == done.stderr.splitlines()[0]
    assert "`supcon`" in (one / "README.md").read_text()


def test_tables_need_neither_torch_nor_optuna(both):
    """Tables of one track, of several, in every shipped format, and tunings are made without torch, pluggy or Optuna."""
    import subprocess

    code = (
        "import sys; from siambench.board import across, files, tuning, view\n"
        "from siambench.board.formats import shipped_formats\n"
        "seen = [view.view(files.leaderboard(sys.argv[1])[0]), across.view(files.leaderboards(sys.argv[1:])[0])]\n"
        "for one in shipped_formats().values(): [one.render(table) for table in seen]\n"
        "tuning.to_json(files.tunings(sys.argv[1], 'triplet')[0])\n"
        "print({'torch', 'pluggy', 'optuna'} & set(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, *map(str, both)], capture_output=True, text=True, check=True)
    assert "set()\n" == done.stdout


def test_the_command_needs_neither_torch_nor_optuna(siambench_process, both):
    """`leaderboard` in a shipped format imports neither torch, nor pluggy, nor Optuna."""
    import re

    done = siambench_process("leaderboard", both[0], "--format", "csv", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert 0 == done.returncode
    assert "siambench.board.formats" in done.stderr
    assert not re.search(r"\| +(torch|pluggy|optuna)\b", done.stderr)


def test_all_pages_are_written_and_compared(siambench, both, tmp_path):
    """`--all` with a folder of tracks writes the pages of each and one of all, and its `--check` finds the first byte that differs."""
    for each in both:
        (each / "records").mkdir(exist_ok=True)
    home = both[0].parent
    done = siambench("leaderboard", "--all", home, "--write")
    assert (0, "") == (done.returncode, done.stdout), done.stderr
    assert f"wrote {home / 'index.html'} and the pages of 2 tracks" == done.stderr.splitlines()[-1]
    page = (home / "index.html").read_text()
    assert 'href="one/index.html"' in page
    assert 'href="two/index.html"' in page
    done = siambench("leaderboard", "--all", home, "--check")
    assert 0 == done.returncode, done.stderr
    assert "the generated files of 2 tracks, and the page of all, are what their records give" in done.stderr
    assert page == siambench("leaderboard", "--all", home, "--format", "html").stdout
    for broken in (both[1] / "index.html", home / "index.html"):
        kept = broken.read_text()
        broken.write_text(kept.replace("<h1>", "<h1> ", 1))
        done = siambench("leaderboard", "--all", home, "--check")
        assert (6, 1) == (done.returncode, len(done.stderr.splitlines()))
        assert f"{broken} differs from what its records give, first in line" in done.stderr
        broken.write_text(kept)


def test_somebody_elses_page_of_all_is_not_overwritten(siambench, both):
    """Where a page above the tracks was not written by siambench, `--all --write` names it, exits 4 and writes nothing at all."""
    page = both[0].parent / "index.html"
    page.write_text("<!DOCTYPE html>\n<p>mine\n")
    done = siambench("leaderboard", "--all", page.parent, "--write")
    assert (4, 1) == (done.returncode, len(done.stderr.splitlines()))
    assert f"{page} was not written by siambench" in done.stderr
    assert not (both[0] / "README.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--all",), "--all goes with --write, --check or --format html, got --format table"),
        (("--all", "--format", "csv"), "--all goes with --write, --check or --format html, got --format csv"),
        (("--all", "a", "b", "--write"), "--all takes one folder of tracks at most, and no --from"),
        (("--all", "nowhere", "--check"), "nowhere cannot be read: No such file or directory"),
    ],
)
def test_what_all_goes_with(siambench, arguments, said):
    """`--all` in another place exits 4 with one sentence."""
    done = siambench("leaderboard", *arguments)
    assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
    assert said in done.stderr


def test_a_page_of_html_is_whole(siambench, both):
    """`--format html` of one track and of two prints one page each, and `--format latex` one table each."""
    for tracks in (both[:1], both):
        page = siambench("leaderboard", *tracks, "--format", "html").stdout
        assert page.startswith("<!DOCTYPE html>")
        assert page.endswith("</html>\n")
        assert "<code>triplet</code>" in page
        assert r"\texttt{triplet}" in siambench("leaderboard", *tracks, "--format", "latex").stdout


def test_pages_of_html_need_what_makes_them_alone(siambench_process, both):
    """`leaderboard` imports jinja2 for a page of HTML, and not for a table; torch, pluggy and Optuna for neither."""
    import re

    for form, expected in (("html", True), ("latex", False), ("table", False)):
        done = siambench_process("leaderboard", both[0], "--format", form, env={"PYTHONPROFILEIMPORTTIME": "1"})
        assert 0 == done.returncode
        assert expected == bool(re.search(r"\| +jinja2\b", done.stderr)), form
        assert not re.search(r"\| +(torch|pluggy|optuna|matplotlib)\b", done.stderr)
