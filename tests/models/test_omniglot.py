"""Omniglot's figure again, from saved embeddings and without siambench; where its files are."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text(encoding="utf-8")
LINES = next(block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "np.load(" in block)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (Path(os.environ.get("SIAMBENCH_DATA", "nowhere")) / "omniglot").is_dir(), reason="omniglot is not here"),
]


def test_omniglots_figure_is_recomputed_without_siambench(siambench, tmp_path):
    """Of a row that ships, trained again here, ten lines of numpy give the recall@1 of its test part from the embeddings alone."""
    done = siambench("model", "omniglot-minimal", "untrained", "--out", "m.safetensors", "--json")
    assert 0 == done.returncode, done.stderr
    document = json.loads(done.stdout)
    done = siambench("embed", "m.safetensors", "omniglot-minimal", "--part", "test", "--out", "test.npz")
    assert 0 == done.returncode, done.stderr
    found = subprocess.run([sys.executable, "-c", LINES], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert document["scores"]["recall@1"] == pytest.approx(float(found.stdout), abs=1e-9)
