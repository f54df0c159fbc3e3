"""What exists is documented: every command, option, key, hook, flag and exit code stands in the pages, and the pages' code runs."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
from pathlib import Path

import click
import pytest
import reference
from pydantic import BaseModel

from siambench import errors
from siambench.board import captions
from siambench.cli import cli
from siambench.components import hookspecs
from siambench.components.catalogue import Catalogue
from siambench.components.hookspecs import KINDS
from siambench.interfaces import Measures, PartMeasures, Quantiles
from siambench.machine import VARIABLES
from siambench.plugin import about
from siambench.tracks.rules import Comparison, MethodRules, RangeRules, Track

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
CONFIGS = (ROOT / "configs" / "README.md").read_text()
BOARDS = (ROOT / "leaderboards" / "README.md").read_text()
PLUGINS = (ROOT / "plugins" / "README.md").read_text()
REFERENCE = ROOT / "docs" / "reference"
COMMANDS = (REFERENCE / "commands.md").read_text()
CODES = (REFERENCE / "codes_and_environment.md").read_text()
KEYS = (REFERENCE / "keys.md").read_text()
HOOKS = (REFERENCE / "hooks.md").read_text()


def page(name):
    """A page of docs/."""
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def test_the_reference_is_fresh():
    """Each page of docs/reference/ is what `python docs/reference.py` writes of the code as it is."""
    assert reference.PAGES
    for name, page in reference.PAGES.items():
        assert page() == (REFERENCE / name).read_text(encoding="utf-8"), f"python docs/reference.py writes docs/reference/{name}"
    assert sorted(reference.PAGES) == sorted(path.name for path in REFERENCE.iterdir())


def test_every_command_and_option_is_in_the_reference():
    """Each command has a heading in the reference, and below it each of its options with what it means."""
    context = click.Context(cli)
    assert len(cli.list_commands(context)) >= 12
    for name in cli.list_commands(context):
        section = COMMANDS.partition(f"\n## siambench {name}\n")[2].partition("\n## ")[0]
        for parameter in cli.get_command(context, name).params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert re.search(rf"^\| `[^`]*{parameter.opts[-1]}\b[^`]*` \| \w", section, re.MULTILINE), f"{name} {parameter.opts}"


def test_every_exit_code_is_in_the_reference():
    """Each exit code that an error carries stands in the table of the reference."""
    codes = {error.exit_code for error in vars(errors).values() if isinstance(error, type) and issubclass(error, errors.SiambenchError)}
    assert {0, 1, 2, 3, 4, 5, 6} == codes
    for code in codes:
        assert f"| {code} |" in CODES


def keys(model: type[BaseModel], prefix: str = ""):
    for name, field in model.model_fields.items():
        inner = [
            t for t in (field.annotation, *getattr(field.annotation, "__args__", ())) if isinstance(t, type) and issubclass(t, BaseModel)
        ]
        if inner and inner[0] not in (RangeRules, MethodRules):
            yield from keys(inner[0], f"{prefix}{name}.")
        else:
            yield f"{prefix}{field.alias or name}"


@pytest.mark.parametrize(("model", "prefix"), [(Track, ""), (Comparison, ""), (MethodRules, "methods.")])
def test_every_config_key_is_documented(model, prefix):
    """Each key of a track and of a comparison stands in the reference, with what it means and may be."""
    for key in keys(model):
        assert re.search(rf"^\| `{prefix}{key}` \| \S", KEYS, re.MULTILINE), key


def test_every_hook_is_documented():
    """Each hook and each kind stands in plugins/README.md."""
    for kind in KINDS:
        assert f"siambench_{kind}" in PLUGINS
        assert hasattr(hookspecs, f"siambench_{kind}")
        assert getattr(hookspecs, f"siambench_{kind}").__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_every_field_of_an_entry_is_told(kind):
    """Each field of the entry of each hook stands in the reference with what it means."""
    section = HOOKS.partition(f"\n## siambench_{kind}\n")[2].partition("\n## ")[0]
    for field in dataclasses.fields(hookspecs.ENTRY_OF[kind]):
        if field.init:
            assert re.search(rf"^\| `{field.name}` \| [^|]*\| \S", section, re.MULTILINE), field.name


def test_every_flag_is_documented():
    """Each flag of a row stands in leaderboards/README.md."""
    for flag in captions.FLAGS:
        assert f"`{flag}" in BOARDS


def test_every_environment_variable_is_documented():
    """Each SIAMBENCH_ variable that the code reads stands in the reference."""
    found = set()
    for path in (ROOT / "siambench").rglob("*.py"):
        found |= set(re.findall(r"_?SIAMBENCH_[A-Z0-9_]*[A-Z0-9]", path.read_text()))
    assert set(VARIABLES) == found
    for name in found:
        assert f"| `{name}` |" in CODES


@pytest.mark.parametrize("form", [Measures, PartMeasures, Quantiles])
def test_everything_that_is_measured_is_documented(form):
    """Each field of what observers and records hold of an epoch stands in plugins/README.md."""
    for field in dataclasses.fields(form):
        assert f"`{field.name}`" in PLUGINS, field.name


def test_the_readme_is_a_front_page():
    """It has at most 150 lines and a picture, begins with the two commands, and leads to each page of the tutorials."""
    assert len(README.splitlines()) <= 150
    assert re.search(r"^!\[[^]]{20,}\]\(docs/assets/\w+\.png\)$", README, re.MULTILINE)
    commands = re.findall(r"^```sh\n(.*?)```$", README, re.DOTALL | re.MULTILINE)
    assert commands == [
        "python -m venv .venv && .venv/bin/pip install . && .venv/bin/siambench run --loss triplet --miner hard\n",
        "python -m venv .venv && .venv/bin/pip install -e '.[test]' && .venv/bin/pytest\n",
        (
            "siambench run --dataset folder:photos --set dataset.options.group=parent --loss triplet\n"
            "siambench run --dataset csv:photos.csv --set dataset.options.size=32 --loss triplet\n"
            "siambench run --dataset csv:questions.csv --loss supcon\n"
            "siambench run --dataset npz:features.npz --loss contrastive\n"
        ),
    ]
    assert commands[0] in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def test_every_component_says_what_it_is_and_names_its_paper():
    """Each built-in's factory has a docstring, a file of rules says what it is, and the source is a reference rather than a word."""
    for component in Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components():
        assert about(component.entry), component.name
        assert len(component.entry.source.split()) >= 3, component.name


def test_the_tutorials_loss_runs(siambench, tiny_track, tmp_path):
    """The loss in a file of docs/your_loss.md runs as it stands there."""
    block = next(b for b in re.findall(r"```python\n(.*?)```", page("your_loss"), re.DOTALL) if "class MyLoss" in b)
    (tmp_path / "mine.py").write_text(block)
    done = siambench("run", "--track", tiny_track, "--loss", "./mine.py:MyLoss", "--trials", "2", "--repetitions", "1", "--json")
    assert 0 == done.returncode, done.stderr
    row = json.loads(done.stdout)["rows"][0]
    assert "mine.py:MyLoss" == row["method"]
    assert "local" in row["flags"]


def test_the_tutorials_embeddings_are_scored(capsys):
    """The embeddings of docs/your_embeddings.md are scored as it stands there: each metric that it names has a number."""
    block = next(b for b in re.findall(r"```python\n(.*?)```", page("your_embeddings"), re.DOTALL) if "siambench.evaluate(" in b)
    exec(block, {})  # it is ours
    found = ast.literal_eval(capsys.readouterr().out)
    for name in ast.literal_eval(re.search(r"metrics=(\[.*?\])", block).group(1)):
        assert 0 <= found[name] <= 1, name


def test_the_documented_json_is_valid():
    """The JSON example in leaderboards/README.md parses and has a row's keys."""
    block = re.search(r"```json\n(.*?)```", BOARDS, re.DOTALL).group(1)
    keys = {"schema", "track", "exam", "other_exams", "primary", "metrics", "rows", "units"}
    assert keys | {"minimum_detectable_difference", "spread_over_studies", "unseen"} == set(json.loads(block))


def test_the_documented_comparison_is_valid():
    """The TOML example in configs/README.md is a comparison."""
    import tomllib

    block = re.search(r"```toml\n(.*?)```", CONFIGS, re.DOTALL).group(1)
    assert 2 == len(Comparison.model_validate(tomllib.loads(block)).methods)


def test_shipped_comparisons_open_with_command_time_and_expectation():
    """Each config opens with its command, its time and its expected score."""
    for path in (ROOT / "configs").glob("*.toml"):
        head = path.read_text().splitlines()[:2]
        assert head[0] == f"# siambench run configs/{path.name}"
        assert "minutes" in head[1]
        assert "xpected" in head[1]


def test_links_between_pages_lead_somewhere():
    """Each relative link of the pages names a file or folder of the checkout."""
    for page in [
        ROOT / "README.md",
        *ROOT.glob("*/README.md"),
        *ROOT.glob("plugins/*/README.md"),
        *ROOT.glob("docs/**/*.md"),
        ROOT / "CONTRIBUTING.md",
    ]:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page}: {target}"


def test_no_module_is_longer_than_400_lines():
    """The house's ceiling holds for every module."""
    found = [*(ROOT / "siambench").rglob("*.py"), *(ROOT / "plugins").rglob("src/**/*.py")]
    assert [] == [str(path.relative_to(ROOT)) for path in found if len(path.read_text().splitlines()) > 400]


def test_no_module_bears_the_name_of_a_public_function():
    """Importing a submodule must not shadow `siambench.run` and its like."""
    for name in ("run", "leaderboard", "evaluate", "diagnose"):
        assert not (ROOT / "siambench" / f"{name}.py").exists()
        assert not (ROOT / "siambench" / name).exists()
