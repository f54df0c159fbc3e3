"""What commands print: documents and tables on stdout, all that explains them on stderr; and tables in the formats of plugins."""

from __future__ import annotations

import sys

import click
import pytest
from made import final, studies, table_of, tuned
from shared import plugin_folder

from siambench.board.formats import shipped_formats
from siambench.board.view import view
from siambench.commands.terminal import DEFAULT_FORMAT, formatted, jobs_of, print_json, say_older, show_table, stdout_for_documents
from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import DuplicateNameError, PluginError, UnknownNameError, UsageError
from siambench.plugin import FormatEntry

TEX = "return {'tex': FormatEntry(lambda table: ' & '.join(row.name for row in table.rows) + '\\n', source='LaTeX')}"


@pytest.fixture
def seen():
    """A table as formats see it."""
    return view(table_of([*studies("triplet", [0.3, 0.31]), final("raw", 0, 0.1)]))


@pytest.fixture
def installed(monkeypatch):
    """Install formats of a plugin: ``installed(odd=render)``."""

    def install(*, twice=False, **renders):
        own = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
        where = Provenance("odd", "odd-formats", "1.0")
        components = [Component("formats", name, FormatEntry(render, source="made up"), where) for name, render in renders.items()]
        catalogue = Catalogue((*own.components(), *components, *(components if twice else ())), own.plugins)
        monkeypatch.setattr(Catalogue, "load", classmethod(lambda cls, environ=None: catalogue))

    return install


def test_a_shipped_format_needs_no_plugins(seen, monkeypatch):
    """What ships is found without loading any plugin, whatever one of them provides under the same name."""
    monkeypatch.setattr(Catalogue, "load", None)
    for name, shipped in shipped_formats().items():
        assert shipped.render(seen) == formatted(seen, name)
    assert DEFAULT_FORMAT in shipped_formats()


@pytest.mark.parametrize(("name", "nearest"), [("mdd", "md"), ("cvs", "csv"), ("tabel", "table")])
def test_an_unknown_format_names_the_nearest(seen, name, nearest):
    """A format that nothing provides is an error that names the nearest, and all there are."""
    every = ", ".join(sorted(shipped_formats()))
    with pytest.raises(UnknownNameError, match=f"unknown format '{name}', did you mean '{nearest}'\\?; installed: {every}"):
        formatted(seen, name)


def test_an_unknown_format_exits_4(siambench, both):
    """On the command line that is one sentence on stderr, nothing on stdout, and the exit code 4: of one track and of several."""
    for tracks in (both[:1], both):
        done = siambench("leaderboard", *tracks, "--format", "jsn")
        assert (4, "", 1) == (done.returncode, done.stdout, len(done.stderr.splitlines()))
        assert "unknown format 'jsn', did you mean 'json'?" in done.stderr


def test_a_plugins_format_is_given_the_table(seen, installed):
    """It is called with the view that the shipped ones see, as ``table``, and what it gives is printed as it is."""
    installed(odd=lambda table: table.title.upper())
    assert "MADE" == formatted(seen, "odd")


def test_an_installed_plugins_format_is_used(siambench, both, tmp_path):
    """A format of an installed plugin is chosen by its name on the command line, of one track and of several."""
    env = {"PYTHONPATH": str(plugin_folder(tmp_path, "tex", "", TEX, hook="formats")), "SIAMBENCH_PLUGINS": "tex"}
    assert "triplet & npair\n" == siambench("leaderboard", both[0], "--format", "tex", env=env).stdout
    assert "triplet\n" == siambench("leaderboard", *both, "--format", "tex", env=env).stdout


def breaks(table):
    raise KeyError("nothing")


def leaves(table):
    sys.exit(7)


def asks(table, colour):
    return colour


def refuses(table):
    raise UsageError("not this table")


@pytest.mark.parametrize(
    ("render", "error", "words"),
    [
        (breaks, PluginError, "the format 'odd' of odd-formats 1.0 breaks: KeyError: 'nothing'"),
        (leaves, PluginError, "the format 'odd' of odd-formats 1.0 breaks: SystemExit: 7"),
        (asks, PluginError, "the format 'odd' of odd-formats 1.0 breaks: TypeError: "),
        (lambda table: 3, PluginError, "the format 'odd' of odd-formats 1.0 must give text, got int"),
        (lambda table: None, PluginError, "the format 'odd' of odd-formats 1.0 must give text, got NoneType"),
        (refuses, UsageError, "not this table"),
    ],
)
def test_a_format_that_breaks_is_named(seen, installed, render, error, words):
    """Whatever a plugin's format raises or gives, the error names it and whose it is; siambench's own errors are passed on."""
    installed(odd=render)
    with pytest.raises(error) as found:
        formatted(seen, "odd")
    assert str(found.value).startswith(words)


def test_a_format_that_two_provide_is_refused(seen, installed):
    """Neither of two plugins is preferred."""
    installed(twice=True, odd=lambda table: "")
    with pytest.raises(DuplicateNameError, match="format 'odd' is provided twice"):
        formatted(seen, "odd")


def test_what_a_format_prints_does_not_spoil_the_document(seen, installed, capsys):
    """What it prints goes to stderr: on stdout there is what it gives, and nothing else."""

    def talks(table):
        print("a format that talks")  # noqa: T201  that is what is tested
        return "text"

    installed(odd=talks)
    assert "text" == formatted(seen, "odd")
    assert ("", "a format that talks\n") == capsys.readouterr()


def test_a_document_is_one_on_stdout(capsys):
    """It is indented, keeps other alphabets, and refuses numbers that JSON has not."""
    print_json({"name": "größer"})
    assert ('{\n  "name": "größer"\n}\n', "") == capsys.readouterr()
    with pytest.raises(ValueError, match="not JSON compliant"):
        print_json({"score": float("nan")})
    assert "" == capsys.readouterr().out


def test_stdout_is_kept_for_documents(capsys):
    """What is printed meanwhile goes to stderr."""
    with stdout_for_documents():
        print("noise")  # noqa: T201  that is what is tested
    assert ("", "noise\n") == capsys.readouterr()


def test_records_of_another_layout_are_told_with_the_remedy(capsys, tmp_path):
    """How many there are, and the command that upgrades them; nothing where there are none."""
    say_older(tmp_path, 3)
    assert ("", f"passed over 3 records of another layout: siambench upgrade {tmp_path}\n") == capsys.readouterr()
    say_older(tmp_path, 0)
    assert ("", "") == capsys.readouterr()


def test_a_table_stands_on_stdout_and_its_meaning_on_stderr(capsys):
    """Captions, flags and reasons stand on stderr, a missing score's only where its column is shown, and no name is obeyed."""
    records = [tuned("odd\x1b[2J", t, f, [], state="failed") for t in range(2) for f in range(2)]
    table = table_of([*records, final("raw", 0, 0.1, outcome={"scores": {"map@r": 0.1, "recall@1": None, "eer": None}})])
    show_table(table)
    out, err = capsys.readouterr()
    assert formatted(view(table), DEFAULT_FORMAT) == out
    lines = err.splitlines()
    assert lines[0].startswith("Mean ± half-width of the 95 % t-interval")
    assert "failed-trials: so many trials raised or diverged; they spent budget" in lines
    assert r"odd\x1b[2J: every trial failed: it diverged" in lines
    assert "raw, no recall@1: it does not apply" in lines
    assert not [line for line in lines if line.startswith("raw, no eer")]
    assert "\x1b" not in out + err


@pytest.mark.parametrize(("text", "jobs"), [("auto", None), ("1", 1), ("16", 16)])
def test_jobs_are_a_number_or_automatic(text, jobs):
    """``--jobs`` takes a number of workers, or auto."""
    assert jobs == jobs_of(text)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "many", ""])
def test_other_jobs_are_refused(text):
    """Anything else is an error that says what is taken, and what was got."""
    with pytest.raises(click.BadParameter, match=f"takes a number of at least 1, or auto, got '{text}'"):
        jobs_of(text)
