"""An import contract for `lint-imports`: a room may import only what its list names, of siambench and of others' packages."""

from __future__ import annotations

import sys

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

_ROOT = "siambench"


class AllowListContract(Contract):
    """Every direct import of a room is in its list; the standard library, the room itself and its parent package are free.

    Options:
        rooms: one line each, ``name: import, import``; an import is a room of siambench, written ``.name``, or a package of others.
    """

    type_name = "allow_list"

    rooms = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: FBT001  the signature is import-linter's
        """Whether every room is listed once, imports only what its line names, and needs all that it names."""
        allowed = dict(_line(text) for text in self.rooms)
        found: dict[str, dict[str, str]] = {module: {} for module in (child.partition(".")[2] for child in graph.find_children(_ROOT))}
        for module in graph.modules:
            room = module.split(".")[1] if module.startswith(f"{_ROOT}.") else None
            if room is None:
                continue
            for imported in graph.find_modules_directly_imported_by(module):
                name = _named(imported)
                if name != f".{room}" and name not in sys.stdlib_module_names:
                    found[room].setdefault(name, f"{module} imports {imported}")
        strange = [f"{room} is in no list" for room in sorted(set(found) - set(allowed))]
        strange += [f"{room} is listed, and there is no such room" for room in sorted(set(allowed) - set(found))]
        for room, imports in sorted(found.items()):
            names = allowed.get(room, set(imports))
            strange += [f"{room}: {where}" for name, where in sorted(imports.items()) if name not in names]
            strange += [f"{room} may import {name}, and does not" for name in sorted(names - set(imports))]
        return ContractCheck(kept=not strange, metadata={"strange": strange})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Say each import that no list allows."""
        for sentence in check.metadata["strange"]:
            output.print_error(sentence)


def _line(text: str) -> tuple[str, set[str]]:
    room, _, imports = text.partition(":")
    return room.strip(), {name.strip() for name in imports.split(",") if name.strip()}


def _named(imported: str) -> str:
    first, _, rest = imported.partition(".")
    return first if first != _ROOT else f".{rest.partition('.')[0]}"
