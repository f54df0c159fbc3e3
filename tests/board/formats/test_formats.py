"""The formats that ship: found by looking into their folder, and known to the catalogue by the same names."""

from __future__ import annotations

import pkgutil

from made import final, studies, table_of

from siambench.board import formats
from siambench.board.formats import shipped_formats
from siambench.board.view import view
from siambench.components.catalogue import Catalogue


def test_every_module_is_a_format():
    """Each module of the folder is a format with a name of its own and a sentence on what it is."""
    found = shipped_formats()
    assert {"table", "md", "csv", "json", "html", "latex"} == set(found)
    assert len(list(pkgutil.iter_modules(formats.__path__))) == len(found)
    for name, one in found.items():
        assert name == one.name
        assert len(one.source.split()) >= 2


def test_every_format_renders_text():
    """Each gives text that ends its line, of a table with rows and of one without."""
    for table in (table_of([*studies("triplet", [0.3, 0.31]), final("raw", 0, 0.1)]), table_of([])):
        seen = view(table)
        for one in shipped_formats().values():
            text = one.render(seen)
            assert isinstance(text, str)
            assert text.endswith("\n"), one.name


def test_the_catalogue_has_the_same_formats():
    """What is registered is what the folder holds: the same names, and the same text."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    assert sorted(shipped_formats()) == catalogue.names("formats")
    seen = view(table_of(studies("triplet", [0.3])))
    for name, one in shipped_formats().items():
        assert one.render(seen) == catalogue.get("formats", name).entry.render(seen)
