"""Weights of a network that somebody publishes or has: found, read, and fitted to a module, or refused in one sentence."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from siambench.data.locate import Remote, locate
from siambench.errors import ConfigError, suggestion

NONE = "none"
IMAGENET = "imagenet"
FOLDER = "weights"
"""Below `SIAMBENCH_DATA` or the cache: where files of weights are looked for."""

State = Mapping[str, Tensor]


def path_of(name: str, weights: str, published: Mapping[str, Remote]) -> Path | None:
    """Where the weights lie that are asked for.

    Args:
        name: of the backbone, for people.
        weights: ``none``, a name among those published, ``imagenet`` for the first of these, or a file.
        published: by name, the first of them those that most papers start from.

    Returns:
        A file, or None for random weights.

    Raises:
        ConfigError: if it is nothing of that.
        DataMissingError: if published weights are neither here nor within reach, or what is here has another checksum.
    """
    if weights == NONE:
        return None
    if weights == IMAGENET and published:
        return locate(next(iter(published.values())))
    if weights in published:
        return locate(published[weights])
    path = Path(weights).expanduser()
    if not path.is_file():
        known = [NONE, *([IMAGENET] if published else []), *published]
        raise ConfigError(f"{name}: weights must be {', '.join(known)} or a file, got {weights!r}{suggestion(weights, known)}")
    return path


def fit(module: nn.Module, name: str, path: Path, *, dropped: tuple[str, ...] = (), change: Callable[[State], State] = dict) -> None:
    """Load a file of weights into a module, every parameter and buffer of it.

    Args:
        module: what they are for.
        name: of the backbone, for people.
        path: of a state dict as torch writes it, alone or under the key ``state_dict``; names may begin with ``module.``, as
            those of a network that was trained in parallel do.
        dropped: prefixes of names that are passed over, such as those of a classifier.
        change: brings names and values of an older form to today's.

    Raises:
        ConfigError: if the file is no such state dict, or lacks a name, has another one or another shape.
    """
    try:
        state = change(_read(path))
        kept = {key: value for key, value in state.items() if not key.startswith(dropped)} if dropped else dict(state)
        _check(kept, module)
        module.load_state_dict(kept)
    except Exception as error:  # torch.load raises almost anything for a foreign file
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()[:16]
        raise ConfigError(f"{name}: {path.name} (SHA-256 {checksum}…) holds no weights of {name}: {reason}") from error


def _read(path: Path) -> State:
    found = torch.load(path, map_location="cpu", weights_only=True)
    if isinstance(found, Mapping) and isinstance(found.get("state_dict"), Mapping):
        found = found["state_dict"]
    if not isinstance(found, Mapping) or not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise ConfigError("it is no state dict, which is a mapping from names to tensors")
    parallel = all(str(key).startswith("module.") for key in found)
    return {str(key).removeprefix("module.") if parallel else str(key): value for key, value in found.items()}


def _check(state: State, module: nn.Module) -> None:
    """Say what does not fit before torch says it on a page."""
    # Counters of batches came to BatchNorm later than the files of many networks, and nothing is computed from them.
    expected = {key: value.shape for key, value in module.state_dict().items() if not key.endswith("num_batches_tracked")}
    lacking = [key for key in expected if key not in state]
    if lacking:
        raise ConfigError(f"it lacks {lacking[0]}{_more(len(lacking))}")
    strange = [key for key in state if key not in expected and not key.endswith("num_batches_tracked")]
    if strange:
        raise ConfigError(f"it has {strange[0]}{_more(len(strange))}, which the network has not")
    for key, shape in expected.items():
        if state[key].shape != shape:
            raise ConfigError(f"{key} is {list(state[key].shape)}, and {list(shape)} in the network")


def _more(number: int) -> str:
    return f" and {number - 1} more" if number > 1 else ""
