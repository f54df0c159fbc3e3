"""Fewer steps than a user gets: the worlds of these tests are small."""

from __future__ import annotations

import pytest

from siambench.diagnosis.checks import fitting


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    monkeypatch.setattr(fitting, "FIT_STEPS", 24)
    monkeypatch.setattr(fitting, "TRAIN_STEPS", 60)
    monkeypatch.setattr(fitting, "SWEEP_STEPS", 12)
