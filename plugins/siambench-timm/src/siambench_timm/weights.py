"""Where published weights of a timm model are, on this machine or on the hub, and what a file of weights holds.

What another version of timm or another file would mend is a `DataMissingError`: such a unit is lost, not failed, so that it
is tried again when it has been mended.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from huggingface_hub import try_to_load_from_cache
from siambench.data.locate import Remote, candidates, locate
from siambench.errors import ConfigError, DataMissingError, suggestion
from timm.models import load_state_dict

if TYPE_CHECKING:
    from torch import Tensor

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
"""How a file of weights may end."""

_FOLDER = "weights"
_HUB = "https://huggingface.co"
_HUB_FILE = "model.safetensors"
_IMAGENET = re.compile(r"in(1k|12k|w?21k|22k)(_|$)")


def published(model: str, config: Any) -> Path:
    """The file of the ImageNet weights that timm publishes under a model's name.

    It is looked for as ``<model>.<tag>.safetensors`` in the folder ``weights`` of `SIAMBENCH_DATA` and of the cache, then in
    the cache of the Hugging Face hub, then fetched.

    Args:
        model: the name, for errors.
        config: timm's ``PretrainedCfg`` of the model.

    Raises:
        DataMissingError: if there are no such weights, they were not trained on ImageNet, or the file is neither here nor
            within reach.
    """
    if not (config.hf_hub_id or config.url):
        raise DataMissingError(f"timm publishes no weights for {model!r}: pretrained must be none or a file")
    if config.tag and not _IMAGENET.search(config.tag):
        raise DataMissingError(
            f"timm's weights {config.tag!r} of {model!r} are not from ImageNet: pretrained must be none or a file of them"
        )
    if not config.hf_hub_id:
        return locate(Remote(config.url.rpartition("/")[2], config.url, "", _FOLDER))
    file = config.hf_hub_filename or _HUB_FILE
    name = f"{config.architecture}.{config.tag}" if config.tag else str(config.architecture)
    url = f"{os.environ.get('HF_ENDPOINT', _HUB)}/{config.hf_hub_id}/resolve/main/{file}"
    # timm knows no checksum of these files; one that breaks off does not load.
    remote = Remote(f"{name}{Path(file).suffix}", url, "", _FOLDER)
    if not any(path.is_file() for path in candidates(remote)):
        cached = try_to_load_from_cache(config.hf_hub_id, file)
        if isinstance(cached, str):
            return Path(cached)
    return locate(remote)


def own_file(text: str) -> Path:
    """The file of weights that a user names: a path, or the bare name of a file in a folder ``weights`` as in `published`.

    Raises:
        ConfigError: if it is not named as such files are.
        DataMissingError: if there is none.
    """
    path = Path(text).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        near = suggestion(text, ("none", "imagenet", "wheel"))
        raise ConfigError(f"pretrained must be none, imagenet, wheel or a file that ends in {', '.join(SUFFIXES)}, got {text[:99]!r}{near}")
    places = [path] if path.parent != Path() else [path, *candidates(Remote(path.name, "", "", _FOLDER))]
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise DataMissingError(f"pretrained: no file of weights {text!r}; looked for {' and '.join(map(str, places))}")
    return found


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; nothing in it is executed.

    Raises:
        DataMissingError: if it holds none.
    """
    try:
        state = load_state_dict(str(path), weights_only=True)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:
        # Readers of three formats raise what they like on a damaged file.
        raise DataMissingError(f"{path.name} cannot be read as weights: {first_line(error)}") from error
    if not isinstance(state, dict) or not any(isinstance(value, torch.Tensor) for value in state.values()):
        raise DataMissingError(f"{path.name} holds no weights")
    return dict(state)


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something: PyTorch's run over many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0].rstrip(":") if lines else type(error).__name__
