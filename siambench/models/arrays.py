"""A data set embedded by a model, as arrays that `siambench evaluate`, a plot or a search reads."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from siambench.components.catalogue import Catalogue, check_options
from siambench.data.arrays import named_arrays
from siambench.data.files import write_whole
from siambench.data.names import as_path, as_text, dataset_name
from siambench.errors import DataError, DataMissingError, UsageError, suggestion
from siambench.models.document import ByDataSet, OfImages, OfTexts
from siambench.models.loaded import BATCH, LoadedModel
from siambench.models.unlabelled import without_classes
from siambench.tracks.parts import Items, Parts
from siambench.tracks.split import cut

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.components.component import Component
    from siambench.interfaces import Dataset
    from siambench.spaces import Value

PARTS: Final = ("all", "test", "trainval")
"""What can be embedded of a data set, beside its official episodes by their names."""


@dataclass(frozen=True)
class Embedded:
    """A data set, or a part of it, embedded.

    Args:
        arrays: by the names that `siambench evaluate` reads them by, and ``class_names``.
        items: how many.
        classes: of how many classes.
        is_exam: whether it is the test part that the model's record was scored on.
        is_opened: whether it is what models of its exam are judged by: its test part, or its official episodes.
        notes: for people.
    """

    arrays: Mapping[str, NDArray[Any]]
    items: int
    classes: int
    is_exam: bool
    is_opened: bool
    notes: tuple[str, ...]


def embed_data(
    model: LoadedModel, name: str, *, part: str = "all", options: Mapping[str, Value] | None = None, batch_size: int = BATCH
) -> Embedded:
    """Embed what ``--dataset`` can name.

    Options of its loader follow the model: of its own data set those that it was trained with, of others size, colours and tokens.

    Args:
        model: from `siambench.load_model`.
        name: of a data set, or ``folder:PATH``, ``csv:PATH`` and the like.
        part: which of it; ``"test"`` and ``"trainval"`` of the model's own data set as its exam cuts it, of others as they are split; or
            the name of its official episodes, such as ``"one-shot"``.
        options: of the loader, before those that follow the model.
        batch_size: items at once.

    Raises:
        UnknownNameError: if there is no such data set.
        DataError: if its items are not of the model's form and shape, or it has no such part.
    """
    catalogue = Catalogue.load()
    component = catalogue.get("datasets", name)
    document, (short, _) = model.document, dataset_name(name)
    is_own = short == document.data.dataset
    chosen = dict(document.data.options) if is_own else _matching(component, model)
    asked = {**chosen, **(options or {})}
    bare = None
    if component.name == "folder" and part == "all":
        check_options(component, name, asked)
        bare = without_classes(name.partition(":")[2], {**component.entry.defaults, **asked})
    dataset = catalogue.dataset(name, asked) if bare is None else bare
    read, notes = _reader(model, dataset, component, name)
    if read is None:
        _check_fits(model, dataset, name)
    if part not in PARTS:
        arrays = _episodes(model, dataset, part, batch_size, name)
        told = tuple(f"{name}: {note}" for note in dataset.notes)
        number = sum(one.shape[0] * one.shape[1] for one in (arrays["support"], arrays["query"]))
        return Embedded(arrays, number, 0, is_exam=False, is_opened=is_own, notes=told)
    items, is_exam = _part(model, dataset, catalogue, part, name, is_own=is_own)
    arrays = _arrays(model, items, read, batch_size)
    notes = [*(f"{name}: {note}" for note in dataset.notes), *notes]
    return Embedded(arrays, len(items), len(items.class_names), is_exam=is_exam, is_opened=is_exam, notes=tuple(notes))


def _matching(component: Component, model: LoadedModel) -> dict[str, Value]:
    """Options of a loader, as far as it has them, by which its items are those of the model."""
    given, defaults = model.document.given, component.entry.defaults
    wanted: dict[str, Value] = {}
    if given.form == "images":
        channels, height, width = given.shape
        rule = given.preprocessing
        wanted = {"mode": {1: "grey", 3: "rgb"}.get(channels, "auto"), "height": height, "width": width}
        wanted |= {"size": height} if height == width else {}
        wanted |= {"resize": rule.resize} if isinstance(rule, OfImages) else {}
    elif isinstance(given.preprocessing, OfTexts):
        rule_of_texts = given.preprocessing
        wanted = {"tokens": rule_of_texts.tokens, "length": rule_of_texts.length}
        wanted |= {"vocabulary": rule_of_texts.vocabulary} if rule_of_texts.tokens == "words" else {}
    return {name: value for name, value in wanted.items() if name in defaults}


Read = Callable[["NDArray[np.int64]"], Any]


def _reader(model: LoadedModel, dataset: Dataset, component: Component, name: str) -> tuple[Read | None, list[str]]:
    """What gives items otherwise than the data set's own `read`, where somebody's files want what the model's data set does to its own."""
    rule, document = model.document.given.preprocessing, model.document
    is_own = component.name == document.data.dataset.partition(":")[0]
    if is_own or dataset.form != "images":
        return None, []
    if isinstance(rule, ByDataSet) and component.entry.takes_path:
        root = as_path(name.partition(":")[2])
        root = root if root.is_dir() else root.parent
        if dataset.item_names is None or not all((root / as_path(one)).is_file() for one in dataset.item_names[:3]):
            raise DataError(
                f"a model of {rule.dataset} is given files as that data set reads its own, and {name} names none; folder:PATH does"
            )
        names = dataset.item_names
        told = f"read as {rule.dataset} reads its own"
        return lambda places: [root / as_path(names[place]) for place in places], [f"{name}: {told}"]
    inverted = isinstance(rule, OfImages) and rule.inverted and not component.entry.inverted
    if inverted and component.entry.takes_path:
        return lambda places: 255 - dataset.read(places), [f"{name}: turned round, 255 - value, as {document.data.dataset} does"]
    if dataset.colour != document.given.colour:
        return None, [f"{name}: its values mean {dataset.colour or 'nothing told'}, the model was trained on {document.given.colour}"]
    return None, []


def _check_fits(model: LoadedModel, dataset: Dataset, name: str) -> None:
    given = model.document.given
    if dataset.form != given.form or tuple(dataset.shape) != given.shape:
        raise DataError(
            f"the model takes {given.form} {list(given.shape)}, {name} gives {dataset.form} {list(dataset.shape)}: options of its loader "
            f"(--set dataset.options.KEY=VALUE) may bring it to that"
        )
    if given.vocabulary is not None and (dataset.vocabulary or 0) > given.vocabulary:
        raise DataError(f"the model knows tokens below {given.vocabulary}, those of {name} go up to {(dataset.vocabulary or 1) - 1}")


def _part(model: LoadedModel, dataset: Dataset, catalogue: Catalogue, part: str, name: str, *, is_own: bool) -> tuple[Items, bool]:
    everything = np.arange(len(dataset.labels))
    if part == "all":
        return _items(dataset, everything), False
    rules = model.document.data.split
    if is_own:
        split = cut(dataset, rules, catalogue.split_rule(rules.rule))
        if split.fingerprint != model.document.data.fingerprint:
            raise DataError(
                f"{name} is not what the model was trained on: its split has fingerprint {split.fingerprint[:16]}…, that of the exam "
                f"{model.document.data.fingerprint[:16]}…; --part all embeds it whole"
            )
        parts = Parts(dataset, split, kind="final", fold=None, opened=lambda: None, group=rules.group)
        return (parts.test(), True) if part == "test" else (parts.training(), False)
    official = {known: places for known, places in dataset.parts.items() if known in ("test", "query", "gallery", "trainval")}
    if part == "trainval" and "trainval" in official:
        return _items(dataset, official["trainval"]), False
    if part == "test" and "test" in official:
        return _items(dataset, official["test"]), False
    if part == "test" and {"query", "gallery"} <= set(official):
        both = np.concatenate([official["query"], official["gallery"]])
        found = _items(dataset, both)
        is_gallery = np.arange(len(both)) >= len(official["query"])
        return Items(dataset, found.indices, found.labels, found.class_names, is_gallery=is_gallery), False
    raise DataError(f"{name} brings no part {part}, and is not what the model was trained on: --part all embeds it whole")


def _items(dataset: Dataset, places: NDArray[np.int64]) -> Items:
    classes, labels = np.unique(dataset.labels[places], return_inverse=True)
    return Items(dataset, places, labels.astype(np.int64), [str(dataset.class_names[one]) for one in classes])


def _episodes(model: LoadedModel, dataset: Dataset, part: str, batch_size: int, name: str) -> dict[str, NDArray[Any]]:
    """Official episodes: support [E, N, D], query [E, Q, D], and answer [E, Q], which of the N is of the query's class."""
    if part not in dataset.episodes:
        known = [*PARTS, *dataset.episodes]
        raise DataError(f"{name} has no part {part[:60]!r}{suggestion(part, known)}: {', '.join(known)}")
    given = dataset.episodes[part]()
    found: dict[str, NDArray[Any]] = {"answer": given.answer}
    for called, items in (("support", given.support), ("query", given.query)):
        flat = model.embed(items.reshape(-1, *items.shape[2:]), batch_size=batch_size).numpy()
        found[called] = flat.reshape(*items.shape[:2], -1)
    return found


def _arrays(model: LoadedModel, items: Items, read: Read | None, batch_size: int) -> dict[str, NDArray[Any]]:
    order = np.arange(len(items)) if items.is_gallery is None else np.argsort(items.is_gallery, kind="stable")
    places = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    given = (items.read(some) if read is None else read(items.indices[some]) for some in places)
    embeddings = np.concatenate([model.embed(some, batch_size=batch_size).numpy() for some in given])
    labels = items.labels[order]
    names = items.dataset.item_names
    called = [str(place) for place in items.indices[order]] if names is None else [names[place] for place in items.indices[order]]
    queries = len(items) if items.is_gallery is None else int((~items.is_gallery).sum())
    found: dict[str, NDArray[Any]] = {
        "embeddings": embeddings[:queries],
        "labels": labels[:queries],
        "names": np.array(called),
        "class_names": np.array([str(name) for name in items.class_names]),
    }
    if items.is_gallery is not None:
        found |= {"gallery": embeddings[queries:], "gallery_labels": labels[queries:]}
    if items.groups is not None:
        found["groups"] = items.groups[order]
    return found


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write embeddings as a ``.npz`` file, whole or not at all.

    Raises:
        UsageError: if the name has another suffix, or something else lies there.
        OSError: if it cannot be written.
    """
    content = io.BytesIO()
    named: Any = dict(arrays)
    np.savez(content, **named)
    write_whole(path, content.getvalue())


def check_npz(path: Path) -> None:
    """See that embeddings can be written to a file, before they are computed.

    Raises:
        UsageError: if the name has another suffix, its folder is not there, or something else lies there.
    """
    called = as_text(path)
    if path.suffix.lower() != ".npz":
        raise UsageError(f"--out must end in .npz, got {called}")
    if not path.absolute().parent.is_dir():
        raise UsageError(f"--out {called}: there is no folder {as_text(path.absolute().parent)}")
    if path.exists() or path.is_symlink():
        try:
            held = named_arrays(path, "npz", ())[1]
        except (DataError, DataMissingError):
            held = []
        if not ({"embeddings", "labels"} <= set(held) or {"support", "query", "answer"} <= set(held)):
            raise UsageError(f"{called} is there and holds no embeddings: it is left as it is, choose another --out")
