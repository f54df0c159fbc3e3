"""One unit into MLflow: a program, with the unit as JSON on standard input."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock

_EXPERIMENT = "siambench {track}"
_BATCH = 100
"""Parameters at once, of which a server takes no more."""

_LONGEST = 500
"""Characters of a parameter's value, of which older servers take no more."""

_METRICS = 1000


def leave(unit: Mapping[str, Any], folder: Path) -> str:
    """Make a run of it; gives the run's id.

    Args:
        unit: as `siambench_trackers.apart` hands it on.
        folder: for the lock of a database of one's own, in which one at a time may write.
    """
    from mlflow.entities import Metric, Param, RunTag
    from mlflow.tracking import MlflowClient

    with FileLock(folder / ".lock"):
        client = MlflowClient(tracking_uri=unit["where"])
        name = _EXPERIMENT.format(track=unit["facts"]["track"])
        experiment = client.get_experiment_by_name(name)
        identity = client.create_experiment(name) if experiment is None else experiment.experiment_id
        begun = round(unit["started"] * 1000)
        run = client.create_run(identity, start_time=begun, run_name=unit["name"]).info.run_id
        params = [Param(key, str(value)[:_LONGEST]) for key, value in unit["params"].items()]
        for start in range(0, len(params), _BATCH):
            client.log_batch(run, params=params[start : start + _BATCH])
        tags = [RunTag(f"siambench.{key}", str(value)) for key, value in unit["facts"].items()]
        if unit["error"] is not None:
            tags.append(RunTag("siambench.error", unit["error"]))
        client.log_batch(run, tags=tags)
        metrics = [
            Metric(_key(key), value, begun + round(1000 * point["seconds"]), point["epoch"])
            for point in unit["points"]
            for key, value in point["numbers"].items()
        ]
        last, ended = max((point["epoch"] for point in unit["points"]), default=0), begun + round(1000 * unit["seconds"])
        metrics += [Metric(_key(key), value, ended, last) for key, value in unit["scores"].items()]
        for start in range(0, len(metrics), _METRICS):
            client.log_batch(run, metrics=metrics[start : start + _METRICS])
        client.set_terminated(run, "FINISHED" if unit["error"] is None else "FAILED", end_time=ended)
    return str(run)


def _key(name: str) -> str:
    """A name as MLflow takes it: ``map@r`` is ``map-at-r``."""
    return name.replace("@", "-at-")


if __name__ == "__main__":
    logging.disable(logging.WARNING)
    leave(json.loads(sys.stdin.buffer.read()), Path(sys.argv[1]))
