"""Trackers of experiments as observers. Light to import: what a tracker needs is imported when it is told of something."""

from __future__ import annotations

import importlib.util
import re
import socket
import urllib.parse
from pathlib import Path

from siambench.plugin import Lazy, ObserverEntry, hookimpl

_PATIENCE = 3.0
"""Seconds that a server is given to take a connection, before anything runs."""

_PORTS = {"http": 80, "https": 443}
_PROJECT = re.compile(r"[^/\\#?%:\x00-\x1f]{1,128}")


def _lacks(package: str) -> str | None:
    """What is missing for a tracker, and how it is had."""
    if importlib.util.find_spec(package) is not None:
        return None
    return f"the package {package} is not installed: pip install 'siambench-trackers[{package}]'"


def tensorboard_ready(argument: str | None) -> str | None:
    """Why event files cannot be written: TensorBoard is missing, or the path is a file."""
    lacks = _lacks("tensorboard")
    if lacks is None and argument is not None and Path(argument).expanduser().is_file():
        return f"{argument} is a file: name a folder for its event files"
    return lacks


def mlflow_ready(argument: str | None) -> str | None:
    """Why runs cannot be kept: MLflow is missing, the address is none, or nobody listens there."""
    lacks = _lacks("mlflow")
    return lacks if lacks is not None or argument is None else _unreachable(argument)


def _unreachable(address: str) -> str | None:
    try:
        parts = urllib.parse.urlsplit(address)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"{address!r} is no address: {error}"
    if parts.username is not None or parts.password is not None:
        # The text behind --observe stands in every record.
        return "an address is written into records: say who you are in MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
    if parts.scheme == "sqlite":
        return None
    if parts.scheme not in _PORTS or not host:
        return f"{address!r} is no tracking server (http:// or https://) and no database (sqlite:///FILE)"
    try:
        socket.create_connection((host, port or _PORTS[parts.scheme]), timeout=_PATIENCE).close()
    except OSError as error:
        return f"the tracking server {address} does not answer: {error.strerror or error}"
    return None


def wandb_ready(argument: str | None) -> str | None:
    """Why runs cannot be kept: the package is missing, or the argument is no name of a project."""
    lacks = _lacks("wandb")
    if lacks is None and argument is not None and _PROJECT.fullmatch(argument) is None:
        return f"{argument[:60]!r} is no name of a project: at most 128 characters, none of / \\ # ? % :"
    return lacks


@hookimpl
def siambench_observers() -> dict[str, ObserverEntry]:
    """Three trackers."""
    return {
        "tensorboard": ObserverEntry(
            Lazy("siambench_trackers.event_files:EventFiles"),
            source="TensorBoard's event files, read by `tensorboard --logdir`; --observe tensorboard[:FOLDER]",
            ready=tensorboard_ready,
        ),
        "mlflow": ObserverEntry(
            Lazy("siambench_trackers.apart:mlflow"),
            source="MLflow's runs, in a database of the exam's or on a server; --observe mlflow[:ADDRESS]",
            ready=mlflow_ready,
        ),
        "wandb": ObserverEntry(
            Lazy("siambench_trackers.apart:wandb"),
            source="Weights & Biases, offline, sent by `wandb sync`; --observe wandb[:PROJECT]",
            ready=wandb_ready,
        ),
    }
