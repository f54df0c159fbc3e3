"""siambench's typed values as a stranger meets them: what mypy makes of them, and that nothing public is of any type."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import typing
from collections.abc import Mapping
from pathlib import Path
from types import FunctionType

import pytest
import typed_api

from siambench.interfaces import Failed
from siambench.records.folder import Folder
from siambench.spec import Context, Method
from siambench.testing import synthetic_study
from siambench.tracks.files import load_track

ROOT = Path(__file__).parents[1]
FILE = Path(typed_api.__file__)


@pytest.fixture(scope="module")
def mypy(tmp_path_factory):
    """What mypy says of a stranger's file and of the same file with mistakes, in one call: exit code, lines on either, the mistaken text.

    With the rules of this checkout; where they were applied before, it is told by its cache in seconds.
    """
    pytest.importorskip("mypy", reason="mypy is not installed: pip install -e '.[dev]'")
    given = "record: Record, unit: Unit, study: StudyPlan, tuning: Tuning, table: Table, seen: TableView"
    text = f"{FILE.read_text(encoding='utf-8')}\n\ndef mistaken({given}) -> None:\n" + "".join(f"    {line}\n" for line in MISTAKES)
    path = tmp_path_factory.mktemp("mistaken") / "mistaken.py"
    path.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--config-file", "pyproject.toml", "--no-error-summary", "--hide-error-context", FILE, path]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    said = {"mistaken": [], "else": [*done.stderr.splitlines()]}
    for line in done.stdout.splitlines():
        said["mistaken" if path.name in line.partition(":")[0] else "else"].append(line)
    return done.returncode, said, text.splitlines()


@pytest.mark.slow
def test_a_strangers_code_is_well_typed(mypy):
    """A file that uses records, units, outcomes, plans, tunings, tables, observers and formats has no error under mypy --strict."""
    _, said, _ = mypy

    assert said["else"] == []


MISTAKES = {
    "unit.data['dataset']": 'Value of type "DataSpec" is not indexable',
    "unit.model.embedding_size": 'Item "None" of "ModelSpec | None" has no attribute "embedding_size"',
    "unit.labl": '"Unit" has no attribute "labl"',
    "unit.study.upper()": '"int" has no attribute "upper"',
    "record.outcome.repeat_rate": 'Item "Failed" of "Done | Failed" has no attribute "repeat_rate"',
    "record['result']": 'Value of type "Record" is not indexable',
    "Record(unit, {}, record.outcome, {})": 'Argument 2 to "Record" has incompatible type',
    "Method(loss=3)": 'Argument "loss" to "Method" has incompatible type "int"',
    "Method('triplet', feed='quadruplets')": 'Argument "feed" to "Method" has incompatible type',
    "study.tune_unit(0, '1', {})": 'Argument 2 to "tune_unit" of "StudyPlan" has incompatible type "str"',
    "tuning.selected.epoch": 'Item "None" of "Trial | None" has no attribute "epoch"',
    "table.lines[0].row.ledger": '"Row" has no attribute "ledger"',
    "seen.shown_to('nobody')": 'Argument 1 to "shown_to" of "TableView" has incompatible type',
    "study_plans(unit)": 'Argument 1 to "study_plans" has incompatible type "Unit"; expected "Resolved"',
}
"""Code with one mistake, and what is said of it."""


@pytest.mark.slow
def test_a_mistake_in_it_is_reported(mypy):
    """Each of some deliberate mistakes is an error of its own line, so that the types are not those of anything."""
    code, said, lines = mypy
    reported = re.findall(r"mistaken\.py:(\d+): error: (.*)", "\n".join(said["mistaken"]))
    found = {lines[int(number) - 1].strip(): message for number, message in reported}

    assert code == 1
    assert list(found) == list(MISTAKES)
    assert [line for line, message in MISTAKES.items() if not found[line].startswith(message)] == []


def test_a_strangers_code_runs(undisturbed):
    """What is well typed also does what it says: a run's records are read, described, tuned and shown."""
    records = Folder(undisturbed.folder).read().records
    row = [record for record in records if record.unit.method == Method("triplet", "hard")]
    table = typed_api.read(undisturbed.folder, load_track(str(undisturbed.track)))

    assert all(typed_api.roundtrip(record) == record for record in records)
    assert re.fullmatch(r"triplet\+hard on digits in 2 folds, 6 steps, size 8, drawn pairs: [0-9a-f]{8}", typed_api.described(row[0].unit))
    assert re.fullmatch(r"0\.\d{3} after \d epochs, loss \d+\.\d{3}", typed_api.told(row[0].outcome))
    assert typed_api.told(Failed(error="no luck", ended="raised")) == "no luck"
    value, parameters = typed_api.tuned(row, 6)
    assert 0 < value < 1
    assert set(parameters) == {"loss.margin", "miner.warmup", "optimiser.lr", "optimiser.weight_decay"}
    assert typed_api.best(table) == ("triplet+hard", table.lines[0].row.scores["map@r"].mean)
    assert typed_api.shown(table).startswith("^ group ^ rank ^ method ^")
    assert typed_api.methods(str(undisturbed.folder)) == ["triplet+hard", "raw", "untrained"]


def test_a_strangers_plan_and_observer_are_what_they_say():
    """A study resolved by hand has units of both kinds, and the observer counts what it is told of."""
    resolved = resolved_triplet()
    tune, final = typed_api.planned(resolved)
    observer = typed_api.observed(Context(observers=("counting:mine",)))

    assert ((tune.kind, tune.trial, tune.fold), (final.kind, final.stop_epoch, final.repetition)) == (("tune", 0, 0), ("final", 3, 1))
    assert tune == synthetic_study(Method("triplet")).tune_unit(0, 0, tune.params)
    assert (observer.name, observer.epochs) == ("mine", 0)


def resolved_triplet():
    """What `synthetic_study` makes its study of, caught on the way."""
    from unittest import mock

    with mock.patch("siambench.testing.synthetic.study_plans", side_effect=lambda resolved: [resolved]):
        return synthetic_study(Method("triplet"))


# ---- nothing public is of any type


ROOMS = ("siambench.spec", "siambench.records", "siambench.board", "siambench.studies")


def modules():
    """Every module of the rooms."""
    for name in ROOMS:
        room = importlib.import_module(name)
        yield room
        for found in pkgutil.walk_packages(getattr(room, "__path__", ()), f"{name}."):
            yield importlib.import_module(found.name)


def only_for_types(module):
    """The names that a module imports for its annotations alone."""
    names = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            exec(compile(ast.Module(node.body, []), module.__file__, "exec"), names)  # its own lines
    return names


def public(module):
    """The public functions of a module, and the public methods of its public classes, each with its qualified name."""
    for name, value in vars(module).items():
        if name.startswith("_") or getattr(value, "__module__", None) != module.__name__:
            continue
        # What is cached stands around the function that it caches.
        if isinstance(inspect.unwrap(value), FunctionType):
            yield value.__qualname__, inspect.unwrap(value)
        elif inspect.isclass(value):
            for method, found in vars(value).items():
                inner = getattr(found, "__func__", None) or getattr(found, "fget", None) or getattr(found, "func", None) or found
                if isinstance(inner, FunctionType) and (not method.startswith("_") or method == "__init__"):
                    yield inner.__qualname__, inner


def vague(annotation):
    """Whether a type holds `Any` elsewhere than as the values of a JSON document, or an older one's bare list or mapping."""
    origin, inner = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (dict, Mapping) and inner == (str, typing.Any):
        return False
    return annotation in (typing.Any, dict, list, tuple) or any(vague(one) for one in inner if one is not ...)


def unsaid(function, names):
    """The parameters of a function that are of any type, `return` among them; those without an annotation are."""
    hints = typing.get_type_hints(function, localns=names)
    parameters = list(inspect.signature(function).parameters)
    methods = "." in function.__qualname__ and parameters[:1] in (["self"], ["cls"])
    asked = [*parameters[methods:], *([] if function.__name__ == "__init__" else ["return"])]
    return [name for name in asked if name not in hints or vague(hints[name])]


def test_nothing_public_is_of_any_type():
    """No public function or method of the specs, records, boards and studies takes or gives Any, but for JSON documents."""
    looked, found = 0, []
    for module in modules():
        names = only_for_types(module)
        for name, function in public(module):
            looked += 1
            found += [f"{module.__name__}.{name}: {parameter}" for parameter in unsaid(function, names)]

    assert looked > 150
    assert found == []


def test_what_is_of_any_type_would_be_found():
    """Any itself, Any in a list or a callable, a bare list, and a missing annotation are found; a JSON document is not."""

    def vaguely(a: typing.Any, b: list[typing.Any], c: typing.Callable[..., typing.Any], d: list, e, f: int | dict[int, typing.Any]): ...

    def plainly(a: dict[str, typing.Any], b: list[Mapping[str, typing.Any]] | None, c: object, d: Mapping[str, int]) -> tuple[int, ...]: ...

    assert unsaid(vaguely, {}) == ["a", "b", "c", "d", "e", "f", "return"]
    assert unsaid(plainly, {}) == []
