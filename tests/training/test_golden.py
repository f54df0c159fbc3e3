"""`TRAINING_REVISION` says what the harness computes: golden units, recorded with it, must come out again."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import warnings

import golden
import pytest

from siambench.machine import libraries
from siambench.spec import FEEDS, TRAINING_REVISION

RECORDED = json.loads(golden.FILE.read_text(encoding="utf-8"))
SAME_VERSION, ANOTHER_VERSION = 1e-4, 1e-2
"""How far a number may lie away, relative to its size, or to 1 where it is smaller than a hundredth."""


def tolerance():
    """That of this torch: another minor version may add in another order, which is said."""
    recorded, here = ".".join(RECORDED["torch"].split(".")[:2]), libraries()["torch"]
    if recorded == here:
        return SAME_VERSION
    warnings.warn(f"golden units were recorded with torch {recorded}, here is {here}: they are compared to {ANOTHER_VERSION}", stacklevel=2)
    return ANOTHER_VERSION


def far(recorded, found, allowed):
    """The places at which two documents of numbers differ by more than is allowed."""
    if isinstance(recorded, dict):
        if set(recorded) != set(found):
            return [f"keys {sorted(set(recorded) ^ set(found))}"]
        return [f"{key}: {place}" for key in recorded for place in far(recorded[key], found[key], allowed)]
    if isinstance(recorded, list):
        if len(recorded) != len(found):
            return [f"{len(recorded)} and {len(found)} values"]
        return [f"{place}: {inner}" for place, pair in enumerate(zip(recorded, found, strict=True)) for inner in far(*pair, allowed)]
    if recorded is None or found is None:
        return [] if recorded is found else [f"{recorded} and {found}"]
    near = math.isclose(recorded, found, rel_tol=allowed, abs_tol=allowed * 1e-2)
    return [] if near else [f"{recorded} and {found}"]


@pytest.mark.slow
def test_the_harness_computes_what_its_revision_says():
    """Losses of each step, eight embeddings and all scores of every loss, feed, miner and protocol are those that were recorded.

    Whoever changes them raises `TRAINING_REVISION` and records them anew: ``python tests/training/golden.py --write``.
    """
    done = subprocess.run([sys.executable, golden.__file__], capture_output=True, text=True, check=True, timeout=900)
    found = json.loads(done.stdout)
    assert [] == far(RECORDED["units"], found["units"], tolerance())


def test_golden_units_are_of_this_revision():
    """They were recorded with the revision that units carry today; a higher one asks for new ones."""
    assert TRAINING_REVISION == RECORDED["revision"]


def test_golden_units_are_of_everything():
    """Losses with each of their feeds, those made of others and with layers between, miners and both protocols, in at most eight steps."""
    cases = golden.cases()
    assert set(cases) == set(RECORDED["units"])
    assert set(FEEDS) == {method.feed for method, _, _ in cases.values()}
    assert "reality-check" in cases
    assert all(2 <= len(unit["losses"]) <= 8 * 2 for unit in RECORDED["units"].values())
    assert all(8 == len(unit["embeddings"]) for unit in RECORDED["units"].values())


def test_a_difference_is_found():
    """A number that moved by more than is allowed, a missing one, and another name are found, with their place."""
    unit = RECORDED["units"]["triplet"]
    moved = {**unit, "losses": [unit["losses"][0] * 1.001, *unit["losses"][1:]]}
    assert [] == far(unit, unit, SAME_VERSION) == far(unit, moved, ANOTHER_VERSION)
    (place,) = far(unit, moved, SAME_VERSION)
    assert place.startswith("losses: 0: ")
    assert ["losses: 6 and 5 values"] == far(unit, {**unit, "losses": unit["losses"][1:]}, SAME_VERSION)
    assert ["keys ['more']"] == far(unit, {**unit, "more": 1}, SAME_VERSION)
    assert [f"scores: eer: {unit['scores']['eer']} and None"] == far(
        unit, {**unit, "scores": {**unit["scores"], "eer": None}}, SAME_VERSION
    )
