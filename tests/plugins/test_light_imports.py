from __future__ import annotations

import pytest

HEAVY = ("torch", "torchvision", "pytorch_metric_learning", "optuna", "distributed")
COMMANDS = [
    ("--help",),
    ("--version",),
    ("run", "--help"),
    ("new-plugin", "--help"),
    ("list",),
    ("list", "backbones", "--json"),
    ("plugins",),
    ("plugins", "--errors", "--json"),
    ("show", "loss", "triplet"),
    ("show", "engine", "dask"),
    ("show", "backbone", "resnet18", "--json"),
    ("show", "observer", "jsonl"),
    ("show", "format", "csv", "--json"),
    ("show", "loss", "plain-hinge"),
    ("tracks",),
    ("tracks", "--json"),
    ("leaderboard",),
    ("leaderboard", "--format", "json"),
    ("leaderboard", "--format", "md"),
    ("leaderboard", "--format", "csv"),
]
CODE = """
import sys
from siambench.cli import main
try:
    main(sys.argv[1:])
finally:
    print("loaded:", *[name for name in {heavy!r} if name in sys.modules], file=sys.stderr)
"""


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_commands_that_only_show_import_nothing_heavy(command_line, extras, arguments):
    """Help, lists, components, tracks and tables come out without torch, torchvision, pytorch-metric-learning or Optuna."""
    result = command_line.python("-c", CODE.format(heavy=HEAVY), *arguments, plugins=(extras,))

    assert result.returncode == 0, result.stderr
    assert result.stderr.splitlines()[-1] == "loaded:"
