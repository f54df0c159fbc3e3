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
BLOCKS = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "np.load(" in block]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not (Path(os.environ.get("SIAMBENCH_DATA", "nowhere")) / "omniglot").is_dir(), reason="omniglot is not here"),
]


def test_omniglots_figures_are_recomputed_without_siambench(siambench, tmp_path):
    """Of a row that ships, made again here, at most ten lines of numpy give recall@1 and the error of the official one-shot runs."""
    done = siambench("model", "omniglot-one-shot", "untrained", "--out", "m.safetensors", "--json")
    assert 0 == done.returncode, done.stderr
    scores = json.loads(done.stdout)["scores"]
    for part, out, score, lines in zip(("test", "one-shot"), ("test.npz", "runs.npz"), ("recall@1", "one_shot_error"), BLOCKS, strict=True):
        done = siambench("embed", "m.safetensors", "omniglot-minimal", "--part", part, "--out", out)
        assert 0 == done.returncode, done.stderr
        assert len([line for line in lines.splitlines() if line]) <= 10
        assert "siambench" not in lines
        found = subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, capture_output=True, text=True, check=True)
        assert scores[score] == pytest.approx(float(found.stdout), abs=1e-9), score
