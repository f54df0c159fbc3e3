"""The digest of a component's code: `siambench.components.source`."""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path

import pytest

from siambench.components.catalogue import Catalogue
from siambench.components.source import code_digest, file_digest
from siambench.plugin import Lazy

FILES = {
    "__init__.py": "from made_source.hooks import hooks\n",
    "hooks.py": "from made_source.losses import loss, other\nhooks = 1\n",
    "losses.py": "X = 1\ndef loss():\n    from made_source import helper\n    import made_source.far\n    return helper, X\n"
    "def other(): ...\n",
    "helper.py": "from . import constants as c\nfrom siambench.metrics import averages\n",
    "constants.py": "K = 1\n",
    "far.py": "from .deep.inner import x\n",
    "deep/__init__.py": "",
    "deep/inner.py": "x = 'ümlaut'\n",
    "unused.py": "y = 1\n",
}
COUNTED = ("losses.py", "helper.py", "constants.py", "far.py", "deep/inner.py")


def package(folder: Path) -> Path:
    """A package of nine modules, five of which the factory's module reaches."""
    for name, text in FILES.items():
        path = folder / "made_source" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder / "made_source"


@pytest.fixture
def imported(tmp_path, monkeypatch):
    """That package, importable."""
    folder = package(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "made_source"]:
        monkeypatch.delitem(sys.modules, name)
    yield folder
    for name in [name for name in sys.modules if name.split(".")[0] == "made_source"]:
        del sys.modules[name]


def digest(factory=None):
    factory = factory or importlib.import_module("made_source.losses").loss
    importlib.invalidate_caches()
    return code_digest(factory, "made_source.hooks", None)


@pytest.mark.parametrize("name", FILES)
def test_what_the_factory_reaches_counts_and_nothing_else(imported, name):
    """A comment in a module that the factory's module imports, directly or not, in functions too, changes the digest; none else does."""
    before = digest()
    path = imported / name
    path.write_text(path.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert (before != digest()) == (name in COUNTED)


def test_line_ends_and_place_do_not_count(imported, tmp_path, monkeypatch):
    """CRLF gives the digest of LF, and so do a byte-order mark, a declared encoding apart, and the same package in another folder."""
    before = digest()
    for name in COUNTED:
        path = imported / name
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert before == digest()
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert before == digest()
    elsewhere = package(tmp_path / "elsewhere")
    for name in [name for name in sys.modules if name.split(".")[0] == "made_source"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(elsewhere.parent)
    assert elsewhere == Path(importlib.import_module("made_source").__file__).parent
    assert before == digest()


def test_whatever_a_factory_is_its_module_is_found(imported):
    """A function, a class, a partial of either and a name that is imported later give the digest of one module."""
    loss = importlib.import_module("made_source.losses").loss
    forms = [loss, functools.partial(loss), Lazy("made_source.losses:loss"), functools.wraps(loss)(lambda: None)]
    assert 1 == len({digest(form) for form in forms})
    assert digest() != digest(Lazy("made_source.unused:y"))


def test_a_factory_of_another_distribution_is_known_by_its_name(imported):
    """A class of a library has no code here: its place and name count, which differ from one to the next."""
    first, second = digest(Path), digest(functools.partial)
    assert first != second
    assert first == digest(Path)


def test_code_without_source_is_known_by_its_release(tmp_path, monkeypatch):
    """Where there is no source to be read, version and RECORD of the distribution count."""
    package(tmp_path)

    class Installed:
        def __init__(self, version, record):
            self.version, self.record = version, record

        def read_text(self, name):
            return self.record if name == "RECORD" else None

    def gone():
        """A factory whose module nobody finds."""

    monkeypatch.setattr(gone, "__module__", "made_gone.losses")
    found = [code_digest(gone, "made_gone", Installed(*facts)) for facts in (("1.0", "a"), ("1.0", "a"), ("1.1", "a"), ("1.0", "b"))]
    assert found[0] == found[1]
    assert 3 == len(set(found))


def test_siambenchs_own_doors_are_left_out():
    """Of a built-in component the modules in `builtin` count: a comment in a metric of `siambench.metrics` is the harness's affair."""
    from siambench.components import source

    metric = Catalogue.load().get("metrics", "recall@1")
    names = {one.name for one in source._closure("siambench.builtin.metrics.retrieval", {"siambench"})}
    assert "siambench.builtin.metrics.retrieval" in names
    assert all(name.startswith("siambench.builtin") for name in names)
    assert 64 == len(metric.source.digest)


def test_every_component_has_a_digest():
    """Each installed component has one."""
    catalogue = Catalogue.load()
    found = {(one.kind, one.name): one.source.digest for one in catalogue.components()}
    assert all(isinstance(code, str) and len(code) == 64 for code in found.values())
    assert len(found) == len(catalogue.components())


ALONE = """
from __future__ import annotations

import made_source.far as far
from made_source import helper, unused
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from made_source.constants import K

OTHER = 1


def alone(x: K, n: int = 3) -> K:
    from made_source.constants import K as k

    return [helper for unused in range(n)], k, len(x)


def beside(): ...


def leaning():
    return OTHER


def defaulting(x=OTHER): ...


def calling():
    return beside()


def nested():
    def inner():
        return OTHER

    return inner


@property
def decorated(): ...


class Held:
    def alone(self): ...
"""


@pytest.mark.parametrize(
    ("name", "text", "counts"),
    [
        ("losses.py", ALONE.replace("OTHER = 1", "OTHER = 2").replace("beside(): ...", "beside(): pass"), False),
        ("losses.py", ALONE.replace("range(n)", "range(n + 1)"), True),
        ("losses.py", ALONE.replace("n: int = 3", "n: int = 4"), True),
        ("helper.py", "changed = 1\n", True),
        ("constants.py", "K = 2\n", True),
        ("far.py", "changed = 1\n", False),
        ("unused.py", "changed = 1\n", False),
    ],
)
def test_a_function_that_uses_nothing_of_its_module_counts_alone(imported, name, text, counts):
    """Its own text and what the imports that it uses reach count; what stands beside it, and imports that it does not use, do not."""
    (imported / "losses.py").write_text(ALONE, encoding="utf-8")
    alone = Lazy("made_source.losses:alone")
    before = digest(alone)
    (imported / name).write_text(text, encoding="utf-8")
    assert counts == (before != digest(alone))


@pytest.mark.parametrize("name", ["leaning", "defaulting", "calling", "nested", "decorated", "Held"])
def test_a_factory_that_uses_its_module_counts_with_all_of_it(imported, name):
    """One that uses a constant or a function of its module, has a decorator or is a class changes with whatever stands in the module."""
    (imported / "losses.py").write_text(ALONE, encoding="utf-8")
    before = digest(Lazy(f"made_source.losses:{name}"))
    (imported / "losses.py").write_text(f"{ALONE}\n\nMORE = 1\n", encoding="utf-8")
    assert before != digest(Lazy(f"made_source.losses:{name}"))


def test_two_functions_of_one_module_are_two_components(imported):
    """Though both count alone and are spelled alike but for their names."""
    (imported / "losses.py").write_text("def one(): ...\n\n\ndef two(): ...\n", encoding="utf-8")
    assert digest(Lazy("made_source.losses:one")) != digest(Lazy("made_source.losses:two"))


def test_an_entrys_text_does_not_move_a_builtin():
    """Losses of one module with forms in one have digests of their own: neither space nor words of the entries are among what counts."""
    found = {name: Catalogue.load().get("losses", name).source.digest for name in ("triplet", "contrastive", "arcface")}
    assert 3 == len(set(found.values()))


def test_a_file_counts_with_what_it_imports_beside_it(tmp_path):
    """Of a loss in a file its text counts, not its name, and that of its neighbours that it imports."""
    mine, helper = tmp_path / "mine.py", tmp_path / "helper.py"
    mine.write_text("import torch\n\ndef f():\n    import helper\n")
    helper.write_text("x = 1\n")
    (tmp_path / "stranger.py").write_text("y = 1\n")
    before = file_digest(mine)
    (tmp_path / "stranger.py").write_text("y = 2\n")
    (tmp_path / "again.py").write_bytes(mine.read_bytes().replace(b"\n", b"\r\n"))
    assert before == file_digest(mine) == file_digest(tmp_path / "again.py")
    helper.write_text("x = 2\n")
    assert before != file_digest(mine)


def test_broken_source_is_counted_as_it_stands(imported):
    """A module that cannot be parsed counts with its text, and what it would import is not known."""
    (imported / "helper.py").write_bytes(b"def broken(:\n\xff")
    before = digest()
    (imported / "constants.py").write_text("K = 2\n")
    assert before == digest()
    (imported / "helper.py").write_bytes(b"def broken(:\n\xfe")
    assert before != digest()
