"""What the module of a plugin promises: that it is light to import."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys

from siambench.components.catalogue import GROUP
from siambench.components.component import Component
from siambench.errors import PluginError
from siambench.testing.contracts.terms import Contract

HEAVY = ("torch", "torchvision")

_CODE = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from siambench.components.catalogue import Catalogue
before = set(sys.modules)
catalogue = Catalogue.load()
failed = [plugin.error for plugin in catalogue.plugins if plugin.error]
heavy = [name for name in json.loads(sys.argv[2]) if name in sys.modules and name not in before]
print("\\n" + json.dumps({"failed": failed, "heavy": heavy}))
"""


def light_import(component: Component) -> str | None:
    """In a fresh process, the plugin's module is imported and its hooks are called; torch and torchvision are not loaded.

    Args:
        component: any of the plugin, or what stands for one that provides none.
    """
    if component.path is not None:
        return "a file may import torch"
    plugin = component.provenance.plugin
    if plugin != "siambench" and plugin not in {entry_point.name for entry_point in importlib.metadata.entry_points(group=GROUP)}:
        return f"no installed package has an entry point {plugin!r} in the group {GROUP!r}"
    done = subprocess.run(  # noqa: S603  this interpreter, with our own code
        [sys.executable, "-c", _CODE, json.dumps(sys.path), json.dumps(HEAVY)],
        env={**os.environ, "SIAMBENCH_PLUGINS": "" if plugin == "siambench" else plugin},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise PluginError(f"it cannot be imported in a fresh process: {last}")
    found = json.loads(done.stdout.splitlines()[-1])
    if found["failed"]:
        raise PluginError(f"it cannot be imported in a fresh process: {found['failed'][0]}")
    if found["heavy"]:
        raise PluginError(f"importing it imports {' and '.join(found['heavy'])}: move the import into the factory")
    return None


CONTRACTS = (Contract("light-import", "importing it and asking what it provides loads neither torch nor torchvision", light_import),)
"""What is examined of a plugin as a whole."""
