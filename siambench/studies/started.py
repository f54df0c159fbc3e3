"""Methods whose training starts from a model that was taken away: the file by its content, and whether it fits."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from siambench.data.names import as_text, dataset_name
from siambench.errors import ConfigError, LeakageError, UsageError
from siambench.models.document import ModelDocument
from siambench.models.file import read_document
from siambench.spec import BETWEEN, Method
from siambench.studies.lists import own_file

if TYPE_CHECKING:
    from siambench.interfaces import Dataset
    from siambench.plugin import BackboneEntry
    from siambench.spaces import Params
    from siambench.tracks.rules import Comparison, MethodRules, Track


_FLAG, _KEY = "--init", "methods.init"


@dataclass(frozen=True)
class Start:
    """A model that training starts from.

    Args:
        path: of its file, a fact of this machine.
        digest: SHA-256 of the file.
        document: what the file says of it.
        asked: by what it was asked for: ``--init`` or ``methods.init``.
    """

    path: Path
    digest: str
    document: ModelDocument
    asked: str = _FLAG


def starting(comparison: Comparison, asked: str | None) -> Comparison:
    """The comparison where all training starts from the model of ``--init FILE``; None asks for none.

    Raises:
        UsageError: if the comparison says itself what a method starts from.
    """
    if asked is None:
        return comparison
    own = next((rule.init for rule in comparison.methods if rule.init is not None), None)
    if own is not None:
        raise UsageError(f"the comparison says what its methods start from, {_KEY} = {own!r}: leave {_FLAG} or the key out")
    return comparison.model_copy(update={"methods": [rule.model_copy(update={"init": asked}) for rule in comparison.methods]})


def starts_of(rules: Iterable[MethodRules], *, beside: Path | None, flag: bool) -> dict[str, Start]:
    """The models that methods start from, by what they are asked for as.

    Args:
        rules: of the methods.
        beside: the folder of the comparison's file, where a model may lie too; None: there is none.
        flag: whether ``--init`` asked for them, and not the comparison.

    Raises:
        DataMissingError: if there is no such file.
        DataError: if it is no model.
    """
    found: dict[str, Start] = {}
    for asked in dict.fromkeys(rule.init for rule in rules if rule.init is not None):
        path = own_file(asked, beside=beside)
        document = read_document(path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        found[asked] = Start(path, digest, document, _FLAG if flag else _KEY)
    return found


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
    document, short = start.document, dataset_name(track.dataset.name)[0]
    called = f"{start.asked} {as_text(start.path.name)}"
    if document.data.dataset == short:
        raise LeakageError(
            f"{called}: its model was trained on {short} too, so that it knows classes of these folds, and may know the test: "
            f"a row starts from the model of another data set's exam"
        )
    network, given = document.network, document.given
    if not network.head or network.side_by_side > 1:
        what = "features without a head" if not network.head else f"{network.side_by_side} networks side by side"
        raise ConfigError(f"{called} holds {what}: training starts from one network with its head")
    if dataset.form != given.form or tuple(dataset.shape) != given.shape or dataset.vocabulary != given.vocabulary:
        raise ConfigError(
            f"{called} takes {_items(given.form, given.shape, given.vocabulary)}, "
            f"{short} gives {_items(dataset.form, dataset.shape, dataset.vocabulary)}"
        )
    for method, entry, options in asked:
        name = method.backbone or track.model.backbone
        own, theirs = _told(options, entry.scratch), _told(network.model.options, entry.scratch)
        if BETWEEN in name or name != network.model.backbone or own != theirs:
            raise ConfigError(
                f"{called} is a {network.model.backbone}{_with(theirs)}, {method.name} trains a {name}{_with(own)}: "
                f"{'--backbone' if start.asked == _FLAG else 'methods.backbone'} and --set model.options.KEY=VALUE may make them one"
            )
    if track.model.embedding_size != network.model.embedding_size:
        raise ConfigError(
            f"{called} gives embeddings of {network.model.embedding_size} numbers, the track's have {track.model.embedding_size}: "
            f"--set model.embedding_size={network.model.embedding_size} is another exam, in which they fit"
        )


def _told(options: Params, scratch: Mapping[str, object]) -> dict[str, object]:
    """Options that say how a network is made, without those of what its weights start from."""
    return {name: value for name, value in sorted(options.items()) if name not in scratch}


def _with(options: Mapping[str, object]) -> str:
    return f" with {', '.join(f'{name} = {value}' for name, value in options.items())}" if options else ""


def _items(form: str, shape: Sequence[int], vocabulary: int | None) -> str:
    return f"{form} {list(shape)}" + ("" if vocabulary is None else f" below {vocabulary}")
