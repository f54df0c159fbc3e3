"""The scripts that measure by hand still fit the code: each is imported, as its command would, and says what it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SCRIPTS = sorted(path.name for path in HERE.glob("*.py") if not path.name.startswith(("test_", "conftest")))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_script_can_be_imported(name):
    """No name that a script takes from siambench is gone: importing it ends without an error, and prints nothing."""
    if name in ("by_hand.py", "beside_by_hand.py"):
        pytest.importorskip("faiss", reason="the script by hand searches with faiss, which the extra `benchmark` brings")
    done = subprocess.run(
        [sys.executable, "-c", f"import {name.removesuffix('.py')}"],
        cwd=HERE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (0, "") == (done.returncode, done.stdout), done.stderr
