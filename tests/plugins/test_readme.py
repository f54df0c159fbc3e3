"""The page on writing plugins, taken at its word: its files are built, installed and run, its tables compared with the code."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from plugin_packages import TINY, CommandLine, install, pip, write

import siambench as siambench_itself
from siambench.commands.new_plugin import package as written_by
from siambench.components import hookspecs
from siambench.components.hookspecs import ENTRY_OF
from siambench.interfaces import Dataset, Evaluation

PAGE = (Path(__file__).parents[2] / "plugins" / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*) ?(\S*)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
FILES = {name: text for _, name, text in BLOCKS if name and not name.startswith("tidy/")}
WRITTEN = {name.removeprefix("tidy/"): text for _, name, text in BLOCKS if name.startswith("tidy/")}
"""What `new-plugin tidy` writes, as far as the page shows it."""
COMMANDS = [line.removeprefix("$ ") for language, _, text in BLOCKS if language == "console" for line in text.splitlines()]


@pytest.fixture(scope="session")
def package(tmp_path_factory):
    """The package of the page, written from its blocks and nothing else, and installed from its wheel."""
    source = write(tmp_path_factory.mktemp("page") / "siambench-soft", {n: t for n, t in FILES.items() if n != "mine.py"})
    return source, install(source, source.parent / "site")


@pytest.fixture(scope="session")
def page_line(tmp_path_factory):
    """A command line in a folder that holds nothing but the page's `mine.py`."""
    return CommandLine(write(tmp_path_factory.mktemp("page_work"), {"mine.py": FILES["mine.py"]}))


def test_every_block_is_a_file_or_commands():
    """Each block is a named file that a test writes, commands that a test runs, or what one of them prints: none is mere prose."""
    assert [language for language, name, _ in BLOCKS if not name and language != "console"] == ["text"]
    assert sorted(FILES) == [
        "mine.py",
        "pyproject.toml",
        "src/siambench_soft/__init__.py",
        "src/siambench_soft/parts.py",
        "tests/test_soft.py",
    ]
    assert [line for line in COMMANDS if not re.match(r"(SIAMBENCH_PLUGINS=\S* )?(pip install|pytest$|siambench )", line)] == []


def test_the_page_shows_what_new_plugin_prints(siambench):
    """The one block of output is what the first command of the page prints."""
    (shown,) = [text for language, name, text in BLOCKS if language == "text"]
    done = siambench(*shlex.split(COMMANDS[0])[1:])

    assert COMMANDS[0].startswith("siambench new-plugin tidy ")
    assert done.stdout == shown


def test_the_worked_examples_are_what_new_plugin_writes():
    """Of every kind but the loss and the miner, which the package by hand has, the page shows the module that `new-plugin` writes."""
    kinds = [kind for kind in ENTRY_OF if kind not in ("losses", "miners")]
    found = written_by("tidy", kinds)

    assert sorted(WRITTEN) == sorted(path for path in found if re.fullmatch(r"src/siambench_tidy/([a-z]+\.py|\S+\.toml)", path))
    assert {path: found[path] for path in WRITTEN} == WRITTEN


@pytest.mark.slow
def test_the_packages_own_tests_pass(package):
    """The tests that the page shows pass against the package that the page shows."""
    source, site = package
    line = CommandLine(source)
    result = line.python("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests", plugins=(site,))

    assert result.returncode == 0, result.stdout
    assert "4 passed" in result.stdout


def test_the_package_is_listed(package, page_line):
    """The plugin of the page is found with its loss and its miner, and none of its entries is refused."""
    result = page_line("plugins", "--json", plugins=(package[1],))
    found = {plugin["plugin"]: plugin for plugin in json.loads(result.stdout)}["soft"]

    assert (found["distribution"], found["version"], found["status"]) == ("siambench-soft", "0.1.0", "ok")
    assert sorted(found["components"]) == ["losses:soft-triplet", "miners:nearest"]


QUICK = [line for line in COMMANDS if "siambench " in line and " run " not in line]
RUNS = [line for line in COMMANDS if line.startswith("siambench run")]


def call(page_line, site, line, *more):
    words = shlex.split(line)
    allowed = words.pop(0).partition("=")[2] if words[0].startswith("SIAMBENCH_PLUGINS=") else None
    return page_line(*words[1:], *more, plugins=(site,), allowed=allowed)


@pytest.mark.parametrize("line", QUICK)
def test_each_command_of_the_page_works(package, page_line, line):
    """Every command that only shows something exits 0 with the plugin of the page installed."""
    result = call(page_line, package[1], line)

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("line", RUNS)
def test_each_run_of_the_page_can_be_planned(package, page_line, line):
    """Every `run` of the page makes a plan, with the options as the page has them."""
    result = call(page_line, package[1], line.removesuffix(" --plan"), "--plan")

    assert result.returncode == 0, result.stderr


def test_the_pages_loss_and_miner_sit_an_exam(package, page_line):
    """The page's loss without a miner and with its miner, and its loss in a file, all get rows in one run."""
    losses = ("--loss", "soft-triplet", "--miner", "nearest")
    run = page_line("run", *losses, "--dataset", "digits", *TINY, "--json", "--out", "exam", plugins=(package[1],))
    rows = {row["method"]: row for row in json.loads(run.stdout)["rows"]}

    assert run.returncode == 0, run.stderr
    assert rows["soft-triplet+nearest"]["reason"] is None


@pytest.mark.slow
@pytest.mark.parametrize("line", RUNS)
def test_each_run_of_the_page_runs(package, page_line, line):
    """Every `run` of the page, on its own track with a tiny budget, exits 0 with a row of its own and no failed unit."""
    result = call(page_line, package[1], line.removesuffix(" --plan"), *TINY, "--json", "--out", "page")

    assert result.returncode == 0, result.stderr
    assert "0 failed · 0 lost" in result.stderr
    fresh = [row["method"] for row in json.loads(result.stdout)["rows"] if not row["shipped"]]
    assert [method for method in fresh if method.startswith(("soft-triplet", "mine.py:Spread"))]


def test_an_edit_of_an_editable_install_gives_new_units(package, tmp_path):
    """Installed with `-e`, the plugin's digest counts: after an edit its loss is another component, siambench's are the same."""
    source = write(tmp_path / "soft", {name: text for name, text in FILES.items() if name != "mine.py"})
    # A path file instead of an import hook: the hook would need a package that nothing else here does.
    (source / "pyproject.toml").write_text(f'{FILES["pyproject.toml"]}\n[tool.hatch.build]\ndev-mode-dirs = ["src"]\n')
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    python = environment / "bin" / "python"
    site = next(environment.glob("lib/python*/site-packages"))
    ours = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    pip_there = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    subprocess.run([*pip_there, "--no-build-isolation", "-e", str(source)], check=True, timeout=120)
    environ = CommandLine(tmp_path).environment(())

    def shown(kind, name):
        command = [str(python), "-m", "siambench", "show", kind, name, "--json"]
        result = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environ, cwd=tmp_path)
        return json.loads(result.stdout)

    before = shown("loss", "soft-triplet")
    (source / "src/siambench_soft/parts.py").write_text(FILES["src/siambench_soft/parts.py"] + "\n# another thought\n")
    after = shown("loss", "soft-triplet")

    assert len(before["digest"]) == 64
    assert before["digest"] != after["digest"]
    assert {**before, "digest": None} == {**after, "digest": None}


def test_an_install_from_a_folder_has_the_digest_of_the_wheel(package, page_line, tmp_path):
    """The code of a component is the same however it was installed, and so is its digest."""
    pip("install", "--no-build-isolation", "--target", tmp_path / "site", package[0])
    shown = [page_line("show", "miner", "nearest", "--json", plugins=(site,)) for site in (tmp_path / "site", package[1])]
    folder, wheel = (json.loads(result.stdout)["digest"] for result in shown)

    assert len(folder) == 64
    assert wheel == folder


def test_every_hook_is_in_the_table():
    """The table of hooks names each hook of the contract with its entry, and no other."""
    rows = dict(re.findall(r"^\| `(siambench_\w+)` \| `(\w+)` \|", PAGE, flags=re.MULTILINE))
    hooks = [name for name in vars(hookspecs) if name.startswith("siambench_")]

    assert rows == {f"siambench_{kind}": entry.__name__ for kind, entry in ENTRY_OF.items()}
    assert sorted(hooks) == sorted(rows)


def table_of(name):
    """The fields and defaults of the table below a heading."""
    section = re.split(r"^#+ ", PAGE.partition(f"# `{name}`\n")[2], flags=re.MULTILINE)[0]
    return re.findall(r"^\| `(\w+)` \| (?:`(.*?)`)? ?\|", section, flags=re.MULTILINE)


def fields_of(kind):
    """The fields of a dataclass and their defaults, as a table has them."""

    def default(field):
        if field.default_factory is not dataclasses.MISSING:
            return repr(field.default_factory())
        return "" if field.default is dataclasses.MISSING else repr(field.default).replace("'", '"')

    return [(field.name, default(field)) for field in dataclasses.fields(kind)]


@pytest.mark.parametrize("entry", ENTRY_OF.values(), ids=lambda entry: entry.__name__)
def test_every_field_of_an_entry_is_in_its_table(entry):
    """The table of each entry names its fields in their order, with their defaults."""
    assert table_of(entry.__name__) == fields_of(entry)


def test_every_field_of_a_data_set_is_in_its_table():
    """The table of `Dataset` names its fields in their order, with their defaults."""
    assert table_of("Dataset") == fields_of(Dataset)


def test_all_that_a_metric_may_ask_is_in_its_table():
    """The table of `Evaluation` names its properties and methods in their order."""
    section = re.split(r"^#+ ", PAGE.partition("#### `Evaluation`\n")[2], flags=re.MULTILINE)[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \|$", section, flags=re.MULTILINE)

    assert rows == [name for name in vars(Evaluation) if not name.startswith("_")]


def test_the_table_of_troubles_quotes_what_siambench_says():
    """Each message in the table of troubles is to be found in siambench's source, but for the names in it."""
    section = PAGE.partition("## When it does not work\n")[2]
    quoted = [text for text in re.findall(r"^\| `(.*?)` \|", section, flags=re.MULTILINE) if not text.endswith("Error")]
    source = " ".join(path.read_text(encoding="utf-8") for path in Path(siambench_itself.__file__).parent.rglob("*.py"))

    assert len(quoted) == 8
    assert [text for text in quoted if re.sub(r" '.*'$", "", text).replace("unknown loss", "unknown ") not in source] == []
