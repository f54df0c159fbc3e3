from __future__ import annotations

from pathlib import Path

import pytest
from plugin_packages import ENTRY, EXTRAS, GOOD, OBSERVED, ROGUES, CommandLine, install, pyproject, write


@pytest.fixture(scope="session")
def command_line(tmp_path_factory) -> CommandLine:
    return CommandLine(tmp_path_factory.mktemp("work"))


@pytest.fixture(scope="session")
def extras(tmp_path_factory) -> Path:
    """A plugin package that brings a loss, a miner, a data set and a backbone, installed from its wheel."""
    folder = tmp_path_factory.mktemp("extras")
    return install(write(folder / "source", EXTRAS), folder / "site")


@pytest.fixture(scope="session")
def forms(tmp_path_factory) -> Path:
    """A plugin package that brings a data set of arrays, one of tokens, observers and formats, installed from its wheel."""
    folder = tmp_path_factory.mktemp("forms")
    return install(write(folder / "source", OBSERVED), folder / "site")


@pytest.fixture(scope="session")
def rogues(tmp_path_factory) -> Path:
    """One distribution with many plugins, each broken in its own way; only `prints` keeps its contract."""
    folder = tmp_path_factory.mktemp("rogues")
    files = {"pyproject.toml": pyproject("rogue-extras", "0.9", {name: f"rogue_{name}" for name in ROGUES})}
    files |= {f"src/rogue_{name}.py": text for name, text in ROGUES.items()}
    return install(write(folder / "source", files), folder / "site")


@pytest.fixture(scope="session")
def twin(tmp_path_factory) -> Path:
    """A second distribution that provides a loss by the name `plain-hinge`."""
    folder = tmp_path_factory.mktemp("twin")
    text = f'{GOOD}\n@hookimpl\ndef siambench_losses():\n    return {{"plain-hinge": {ENTRY.format(default=0.5)}}}\n'
    files = {"pyproject.toml": pyproject("twin-extras", "7.0", {"twin": "twin_extras"}), "src/twin_extras.py": text}
    return install(write(folder / "source", files), folder / "site")
