"""Methods whose training starts from a model that was taken away: the file by its content, and whether it fits."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.components.two_sided import BETWEEN
from siambench.data.names import as_path, as_text, dataset_name
from siambench.errors import ConfigError, LeakageError
from siambench.models.document import ModelDocument
from siambench.models.file import read_document
from siambench.spec import INIT, Method

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.plugin import BackboneEntry
    from siambench.spaces import Params
    from siambench.tracks.rules import Track


@dataclass(frozen=True)
class Start:
    """A model that training starts from.

    Args:
        path: of its file, a fact of this machine.
        digest: SHA-256 of the file.
        document: what the file says of it.
    """

    path: Path
    digest: str
    document: ModelDocument

    @property
    def place(self) -> dict[str, str]:
        """Where the context finds it."""
        return {INIT: str(self.path)}


def start_of(asked: str) -> Start:
    """The model of ``--init FILE``.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no model.
    """
    path = as_path(asked).absolute()
    document = read_document(path)
    with path.open("rb") as file:
        return Start(path, hashlib.file_digest(file, "sha256").hexdigest(), document)


def starting(methods: Sequence[Method], asked: str | None) -> tuple[list[Method], Start | None]:
    """The methods as they are where training starts from the model of a file, and that; None asks for none.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no model.
    """
    if asked is None:
        return list(methods), None
    start = start_of(asked)
    return [dataclasses.replace(method, init=start.digest) for method in methods], start


def check_start(start: Start, asked: Sequence[tuple[Method, BackboneEntry, Params]], track: Track, dataset: Dataset) -> None:
    """See that the networks of all methods can start from a model, and that its data is not that of the exam.

    Args:
        start: the model.
        asked: methods, the entries of their backbones, and options.
        track: the rules.
        dataset: loaded.

    Raises:
        ConfigError: if the file's network is another than a method's.
        LeakageError: if the model was trained on the data set that it is to be examined on.
    """
    document, called, short = start.document, as_text(start.path.name), dataset_name(track.dataset.name)[0]
    if document.data.dataset == short:
        raise LeakageError(
            f"--init {called}: its model was trained on {short} too, so that it knows classes of these folds, and may know the test: "
            f"a row starts from the model of another data set's exam"
        )
    network, given = document.network, document.given
    if not network.head or network.side_by_side > 1:
        what = "features without a head" if not network.head else f"{network.side_by_side} networks side by side"
        raise ConfigError(f"--init {called} holds {what}: training starts from one network with its head")
    if dataset.form != given.form or tuple(dataset.shape) != given.shape or dataset.vocabulary != given.vocabulary:
        raise ConfigError(
            f"--init {called} takes {_items(given.form, given.shape, given.vocabulary)}, "
            f"{short} gives {_items(dataset.form, dataset.shape, dataset.vocabulary)}"
        )
    for method, entry, options in asked:
        name = method.backbone or track.model.backbone
        own, theirs = _told(options, entry.scratch), _told(network.model.options, entry.scratch)
        if BETWEEN in name or name != network.model.backbone or own != theirs:
            raise ConfigError(
                f"--init {called} is a {network.model.backbone}{_with(theirs)}, {method.name} trains a {name}{_with(own)}: "
                f"--backbone and --set model.options.KEY=VALUE may make them one"
            )
    if track.model.embedding_size != network.model.embedding_size:
        raise ConfigError(
            f"--init {called} gives embeddings of {network.model.embedding_size} numbers, the track's have {track.model.embedding_size}: "
            f"--set model.embedding_size={network.model.embedding_size} is another exam, in which they fit"
        )


def _told(options: Params, scratch: Mapping[str, object]) -> dict[str, object]:
    """Options that say how a network is made, without those of what its weights start from."""
    return {name: value for name, value in sorted(options.items()) if name not in scratch}


def _with(options: Mapping[str, object]) -> str:
    return f" with {', '.join(f'{name} = {value}' for name, value in options.items())}" if options else ""


def _items(form: str, shape: Sequence[int], vocabulary: int | None) -> str:
    return f"{form} {list(shape)}" + ("" if vocabulary is None else f" below {vocabulary}")
