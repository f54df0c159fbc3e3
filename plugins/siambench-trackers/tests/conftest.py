from __future__ import annotations

import pytest
from siambench.interfaces import Done, Epoch, EpochEnded, Failed, Measures, PartMeasures, Quantiles, UnitEnded, UnitStarted

WHO = {"unit": "1a2b3c4d" + "0" * 56, "label": "triplet+hard trial 3 fold 1"}


@pytest.fixture(autouse=True)
def _own_folders(tmp_path, monkeypatch):
    """No test sees the data, caches, plugins or trackers of the machine."""
    for name in ("SIAMBENCH_CACHE", "SIAMBENCH_DATA", "WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "machine" / name.lower()))
    for name in ("SIAMBENCH_PLUGINS", "MLFLOW_TRACKING_URI", "MLFLOW_TRACKING_USERNAME", "WANDB_PROJECT", "WANDB_MODE", "WANDB_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def life():
    """A function that gives the events of a unit: a trial that ends well, or with ``error`` does not."""

    def events(error=None, **changes):
        started = {
            **WHO,
            "track": "glyphs",
            "method": "triplet+hard",
            "kind": "tune",
            "trial": 3,
            "fold": 1,
            "repetition": 0,
            "params": {"loss.margin": 0.25, "loss.swap": True, "miner.count": 2, "loss.kind": "plain"},
            "epochs": 2,
        }
        part = PartMeasures(parameters=2, unreached=0, unlisted=0, gradient_norm=0.5, update_ratio=None, rate=0.001)
        row = Measures(
            epoch=1, steps=3, loss=None, parts={"trunk": part}, branches=(0.5, None), positive=Quantiles(mean=1.0, low=0.5, high=2.0)
        )
        epochs = [
            EpochEnded(**WHO, epoch=1, epochs=2, figures=Epoch(1, 0.75, None, 8.0, None), seconds=1.5, measures=row),
            EpochEnded(**WHO, epoch=2, epochs=2, figures=Epoch(2, 0.5, 1.25, 6.0, {"map@r": 0.25, "eer": None}), seconds=3.0),
        ]
        done = Done(
            scores={"map@r": 0.5, "nmi": None},
            per_class={},
            class_queries=None,
            curve=(),
            notes={},
            repeat_rate=None,
            directions={},
            ranges={},
            over_pairs=(),
        )
        outcome = done if error is None else Failed(error=error, ended="raised")
        return [UnitStarted(**{**started, **changes}), *epochs, UnitEnded(**WHO, outcome=outcome, seconds=4.5)]

    return events


@pytest.fixture
def tell():
    """A function that tells an observer events, each by its method."""

    def told(observer, events):
        names = {UnitStarted: "unit_started", EpochEnded: "epoch_ended", UnitEnded: "unit_ended"}
        return [getattr(observer, names[type(event)])(event) for event in events]

    return told
