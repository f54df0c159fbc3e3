"""`siambench new-plugin`: what it writes can be installed, keeps its contracts and runs; what it cannot write it says in a sentence."""

from __future__ import annotations

import errno
import os
import re
import shlex
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import siambench as package
from siambench.commands.new_plugin import package as files_of
from siambench.components.catalogue import Catalogue, singular
from siambench.components.hookspecs import KINDS
from siambench.plugin import API

SCAFFOLD = Path(package.__file__).parent / "testing" / "scaffold"
WORDS = {kind: singular(kind).replace(" ", "") for kind in KINDS}
TEXTS = {"entry.py.txt", "test.py.txt", "readme.md.txt", "try.txt"}
FILES = ("tracks", "configs")
"""The kinds that are files and no code."""


def without_plugins_environ(**more):
    """The surroundings of a process that finds what is on its path, and none of what a test's process leaves out."""
    kept = {name: value for name, value in os.environ.items() if name not in ("SIAMBENCH_PLUGINS", "PYTHONPATH")}
    return {**kept, **more}


def write(folder: Path, name: str, *kinds: str) -> Path:
    """A package, and beside it what makes it an installed distribution: both on one path, which is returned last."""
    root = folder / name
    for path, text in files_of(name, kinds).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (entry_point,) = project["entry-points"]["siambench"].items()
    info = root / "src" / f"{entry_point[1]}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[siambench]\n{entry_point[0]} = {entry_point[1]}\n", encoding="utf-8")
    return root


def test_each_kind_has_its_templates():
    """There is a folder of templates for each kind and one for the package; each kind has five texts, one its module or file."""
    assert sorted([*KINDS, "package"]) == sorted(path.name for path in SCAFFOLD.iterdir())
    for kind in KINDS:
        module = "module.toml.txt" if kind in FILES else "module.py.txt"
        assert {*TEXTS, module} == {path.name for path in (SCAFFOLD / kind).iterdir()}, kind


def test_what_is_written_is_told_with_three_commands(siambench, tmp_path):
    """Each file is named, then come pip, check and a run with the component; files lie in ./NAME, and nothing else is written."""
    done = siambench("new-plugin", "soft", "--kind", "loss", "--kind", "miners")
    told, _, commands = done.stdout.partition("\n\ngo on with\n")
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}

    assert (0, "") == (done.returncode, done.stderr)
    assert found == set(told.splitlines())
    assert {
        "soft/pyproject.toml",
        "soft/README.md",
        "soft/.gitignore",
        "soft/src/siambench_soft/__init__.py",
        "soft/src/siambench_soft/loss.py",
        "soft/src/siambench_soft/miner.py",
        "soft/tests/test_plugin.py",
        "soft/tests/test_loss.py",
        "soft/tests/test_miner.py",
    } == found
    assert commands.splitlines() == [
        "  pip install -e './soft[test]'",
        "  siambench check soft",
        "  siambench run --loss soft --dataset digits --miner soft --trials 1 --repetitions 1 --set training.epochs=1",
        "without a network, where hatchling is installed, the first is",
        "  pip install --no-deps --no-build-isolation -e ./soft",
    ]


def test_a_kind_may_be_said_in_the_singular_or_the_plural_and_twice(siambench, tmp_path):
    """`--kind loss`, `--kind losses` and both give the same files."""
    given = {"one": ["loss"], "many": ["losses"], "both": ["losses", "loss"]}
    found = {}
    for out, kinds in given.items():
        options = [word for kind in kinds for word in ("--kind", kind)]
        assert 0 == siambench("new-plugin", "soft", *options, "--out", out).returncode
        found[out] = {str(p.relative_to(tmp_path / out)): p.read_bytes() for p in (tmp_path / out).rglob("*") if p.is_file()}

    assert found["one"] == found["many"] == found["both"]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_catalogued(tmp_path, monkeypatch, kind):
    """The package of one kind provides one component of that kind, by its own name and from its own distribution, and nothing else."""
    name = f"made-{WORDS[kind]}"
    monkeypatch.syspath_prepend(write(tmp_path, name, kind) / "src")
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": name})
    (status,) = [plugin for plugin in catalogue.plugins if plugin.plugin == name]

    assert status.error is None
    assert (f"{kind}:{name}",) == status.components
    assert f"siambench-{name}" == catalogue.get(kind, name).provenance.distribution


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory):
    """A package of each kind, and what each of its own tests comes to: (kind, test) → passed or not. In one process, with one torch."""
    folder = tmp_path_factory.mktemp("kinds")
    roots = [write(folder, f"made-{word}", kind) for kind, word in WORDS.items()]
    paths = [str(Path(package.__file__).parents[1]), *(str(root / "src") for root in roots)]
    report = folder / "report.xml"
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--import-mode=importlib", f"--junitxml={report}", "--rootdir", folder)
    subprocess.run(
        [sys.executable, "-m", "pytest", *map(str, options), *(str(root / "tests") for root in roots)],
        env=without_plugins_environ(PYTHONPATH=os.pathsep.join(paths)),
        cwd=folder,
        check=False,
        capture_output=True,
        timeout=1800,
    )
    found = {}
    for case in ET.parse(report).iter("testcase"):
        kind = next(kind for kind, word in WORDS.items() if f"made-{word}." in case.get("classname", ""))
        found[kind, f"{case.get('classname', '').rpartition('.')[2]}::{case.get('name')}"] = [part.tag for part in case]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_keeps_its_contracts(outcomes, kind):
    """The tests of a package pass: every contract of its kind and of plugins, and one or more of its own; none is skipped."""
    mine = {test: parts for (of, test), parts in outcomes.items() if of == kind}
    contracts = [test for test in mine if f"[{kind}:made-{WORDS[kind]}-" in test]
    own = [test for test in mine if "test_contract" not in test]

    assert {} == {test: parts for test, parts in mine.items() if parts}
    assert len(contracts) > 2
    assert any("light-import" in test for test in mine)
    assert own


def test_a_package_of_all_kinds_is_one_plugin(tmp_path, monkeypatch):
    """All kinds in one package share its name; the loss asks for the sampler that is there, which a loss alone does not."""
    monkeypatch.syspath_prepend(write(tmp_path, "whole", *KINDS) / "src")
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": "whole"})
    (status,) = [plugin for plugin in catalogue.plugins if plugin.plugin == "whole"]

    assert {f"{kind}:whole" for kind in KINDS} == set(status.components)
    assert "whole" == catalogue.get("losses", "whole").entry.sampler
    assert "sampler=" not in files_of("soft", ["losses"])["src/siambench_soft/__init__.py"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_page_and_the_project_file_are_whole(kind):
    """The project asks for siambench and what it imports alone, its page names the API, and no place of a template is left open."""
    found = files_of("soft-edges", [kind])
    project = tomllib.loads(found["pyproject.toml"])["project"]
    code = "".join(text for path, text in found.items() if path.startswith("src/"))
    libraries = ("numpy", "torch", "pytorch_metric_learning")
    imported = {library for library in libraries if re.search(rf"^(import|from) {library}\b", code, re.MULTILINE)}

    assert "siambench-soft-edges" == project["name"]
    assert {"soft-edges": "siambench_soft_edges"} == project["entry-points"]["siambench"]
    assert imported == {word for word in project["dependencies"] if not word.startswith("siambench")}
    assert f"siambench>={'.'.join(package.__version__.split('.')[:2])}" in project["dependencies"]
    assert f"API {API} of" in found["README.md"]
    assert [] == [path for path, text in found.items() if re.search(r"\$(?! )", text)]
    for path, text in found.items():
        if path.endswith(".py"):
            compile(text, path, "exec")


@pytest.mark.parametrize("kind", KINDS)
def test_each_command_of_a_page_works(tmp_path, monkeypatch, siambench, kind):
    """Every command that a package's page shows, but for pip and pytest, is one that siambench takes; of a run the plan is made."""
    name = f"made-{WORDS[kind]}"
    root = write(tmp_path, name, kind)
    monkeypatch.syspath_prepend(root / "src")
    page = (root / "README.md").read_text(encoding="utf-8")
    lines = [line.removeprefix("$ ") for line in page.splitlines() if line.startswith("$ siambench ")]
    for line in lines:
        words = shlex.split(line)[1:]
        if words[0] == "check":
            continue
        done = siambench(*words, *(["--plan"] if words[0] == "run" else []), env={"SIAMBENCH_PLUGINS": name})
        assert 0 == done.returncode, (line, done.stderr)
    assert len(lines) >= 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("soft", "--kind", "lose"), ["unknown kind 'lose', did you mean 'losses'?", "kinds: dataset, backbone, loss"]),
        (("soft", "--kind", "minor"), ["unknown kind 'minor', did you mean 'miner'?"]),
        (("soft", "--kind", "x\x1b[2J"), [r"unknown kind 'x\x1b[2J'"]),
        (("soft",), ["at least one --kind; kinds: dataset, backbone, loss, miner, sampler, metric, engine, observer, format, track"]),
        (("Soft Edges", "--kind", "loss"), ["'Soft Edges' is no name for a package", "such as 'soft-edges'"]),
        (("3d", "--kind", "loss"), ["'3d' is no name for a package", "such as 'd'"]),
        (("../soft", "--kind", "loss"), ["'../soft' is no name for a package", "where it is written says --out"]),
        (("soft--edges", "--kind", "loss"), ["'soft--edges' is no name for a package"]),
        (("größe", "--kind", "loss"), ["'größe' is no name for a package"]),
        (("", "--kind", "loss"), ["'' is no name for a package"]),
        (("siambench-", "--kind", "loss"), ["'siambench-' is no name for a package"]),
        (("a" * 5000, "--kind", "loss"), ["is no name for a package"]),
        (("raw", "--kind", "loss"), ["'raw' means something to siambench"]),
        (("siambench-none", "--kind", "loss"), ["'none' means something to siambench"]),
        (("pretrained", "--kind", "backbone"), ["'pretrained' means something to siambench"]),
        (("untrained", "--kind", "backbone"), ["'untrained' means something to siambench"]),
        (("siambench", "--kind", "loss"), ["'siambench' means something to siambench"]),
        (("triplet", "--kind", "loss"), ["'triplet' is a loss that ships with siambench"]),
        (("folder", "--kind", "loss"), ["'folder' is a data set that ships with siambench"]),
        (("local", "--kind", "loss"), ["'local' is an engine that ships with siambench"]),
        ((), ["Missing argument 'NAME'"]),
    ],
    ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
)
def test_what_cannot_be_written_exits_4(siambench, tmp_path, arguments, words):
    """An unknown kind, a name that is none, that means something or that is taken: one short sentence, exit 4, and nothing is written."""
    done = siambench("new-plugin", *arguments)

    assert (4, "") == (done.returncode, done.stdout)
    assert 1 == len(done.stderr.splitlines())
    assert len(done.stderr) < 400
    assert all(word in done.stderr for word in words), done.stderr
    assert [] == list(tmp_path.iterdir())


def test_nothing_is_overwritten(siambench, tmp_path):
    """A folder that holds anything, be it a hidden file, and a file of that name are left as they are; an empty folder is filled."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / ".kept").write_text("mine")
    (tmp_path / "file").write_text("mine")
    (tmp_path / "empty").mkdir()
    codes = {out: siambench("new-plugin", "soft", "--kind", "loss", "--out", out) for out in ("full", "file", "empty")}

    assert {"full": 4, "file": 4, "empty": 0} == {out: done.returncode for out, done in codes.items()}
    assert "siambench: full is not empty: nothing is overwritten" in codes["full"].stderr
    assert "siambench: file is a file: nothing is overwritten" in codes["file"].stderr
    assert [".kept"] == [path.name for path in (tmp_path / "full").iterdir()]
    assert "mine" == (tmp_path / "file").read_text()
    assert (tmp_path / "empty" / "pyproject.toml").exists()


def test_a_place_that_cannot_be_written_is_named(siambench, tmp_path):
    """A folder below a file cannot be made: one sentence, exit 4."""
    (tmp_path / "file").write_text("mine")
    done = siambench("new-plugin", "soft", "--kind", "loss", "--out", "file/soft")

    assert (4, "") == (done.returncode, done.stdout)
    assert "file/soft cannot be used: Not a directory" in done.stderr


def test_what_was_begun_is_taken_back_where_a_disk_fails(siambench, tmp_path, monkeypatch):
    """Where a file cannot be written those before it are removed, so that the same command can be called again."""
    opened, number = Path.open, []

    def failing(path, *arguments, **options):
        if "soft" in path.parts:
            number.append(path)
            if len(number) > 4:
                raise OSError(errno.EIO, "Input/output error", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(Path, "open", failing)
    done = siambench("new-plugin", "soft", "--kind", "loss")
    monkeypatch.undo()

    assert 4 == done.returncode
    assert "Input/output error" in done.stderr
    assert [] == list((tmp_path / "soft").rglob("*"))
    assert 0 == siambench("new-plugin", "soft", "--kind", "loss").returncode


def test_a_package_may_bear_its_whole_name(siambench, tmp_path):
    """`new-plugin siambench-soft` writes ./siambench-soft, whose plugin and components are called soft; underscores are kept in names."""
    assert 0 == siambench("new-plugin", "siambench-soft", "--kind", "loss").returncode
    assert 0 == siambench("new-plugin", "two_words", "--kind", "loss").returncode

    assert '"soft": LossEntry(' in (tmp_path / "siambench-soft" / "src" / "siambench_soft" / "__init__.py").read_text()
    assert 'name = "siambench-two_words"' in (tmp_path / "two_words" / "pyproject.toml").read_text()
    assert "class TwoWordsLoss" in (tmp_path / "two_words" / "src" / "siambench_two_words" / "loss.py").read_text()


def test_it_imports_nothing_heavy(tmp_path):
    """A package is written without torch, numpy or Optuna being imported."""
    code = (
        "import sys\nfrom siambench.cli import main\ntry:\n    main(['new-plugin', 'soft', '--kind', 'loss', '--kind', 'dataset'])\n"
        "finally:\n    print([m for m in ('torch', 'numpy', 'optuna', 'pytorch_metric_learning') if m in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120)

    assert "[]\n" == done.stderr


@pytest.mark.parametrize(
    "kind", [*(pytest.param(kind, marks=pytest.mark.long) for kind in KINDS), pytest.param("all", marks=pytest.mark.slow)]
)
def test_a_package_is_installed_changed_tested_and_run(tmp_path, kind):
    """In a fresh environment, without a network: the package is installed, edited by one line, its tests pass, check passes, it runs."""
    environment, kinds = tmp_path / "venv", KINDS if kind == "all" else [kind]
    name = "made" if kind == "all" else f"made-{WORDS[kind]}"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(environment)], check=True, timeout=120)
    python = str(environment / "bin" / "python")
    site = next(environment.glob("lib/python*/site-packages"))
    theirs = next(path for path in sys.path if path.endswith("site-packages"))
    (site / "theirs.pth").write_text(f"import site; site.addsitedir({theirs!r})\n")
    environ = without_plugins_environ(PYTHONPATH=str(Path(package.__file__).parents[1]), SIAMBENCH_CACHE=str(tmp_path / "cache"))

    def call(*words):
        done = subprocess.run([python, *words], cwd=tmp_path, env=environ, capture_output=True, text=True, check=False, timeout=1800)
        assert 0 == done.returncode, (words, done.stdout[-2000:], done.stderr[-2000:])
        return done.stdout

    told = call("-m", "siambench", "new-plugin", name, *(word for one in kinds for word in ("--kind", WORDS[one])))
    _, check, run, _, install = (shlex.split(line) for line in told.splitlines()[-5:])
    call("-m", *install, "--no-index", "--quiet", "--disable-pip-version-check")
    entries = next((tmp_path / name / "src").glob("*/__init__.py"))
    entries.write_text(entries.read_text().replace("this package", "edited by hand").replace("drawn by edited", "edited"))

    assert "edited by hand" in call("-m", "siambench", "show", WORDS[kinds[0]], name)
    assert " passed" in call("-m", "pytest", "-q", "-p", "no:cacheprovider", f"{name}/tests", f"--rootdir={name}")
    call("-m", *check)
    call("-m", *run)
