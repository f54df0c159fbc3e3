"""What a data set promises. Each function is a contract's ``examine``: see `siambench.testing.contracts.terms`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component
from siambench.data.locate import candidates
from siambench.data.sides import changed_by, draws_of
from siambench.data.transforms import prepared
from siambench.errors import DataMissingError, PluginError
from siambench.interfaces import Dataset, Episodes
from siambench.plugin import DatasetEntry
from siambench.testing.contracts.blame import nothing_printed
from siambench.testing.contracts.draws import draws_nothing
from siambench.testing.contracts.process import SEED, left_alone
from siambench.testing.contracts.terms import PROCESS, PROCESS_PROMISE, Contract
from siambench.tracks.rules import AugmentRules
from siambench.tracks.split import VALIDATION_GALLERY
from siambench.training.state import seed_globals

_PROBED = 64
_JUDGED_READS = 8
_PARTS = ("trainval", "test", "query", "gallery", VALIDATION_GALLERY)


def _not_here(component: Component) -> str | None:
    """Why it cannot be examined here: it is called with a path, or its files are not on this machine."""
    entry: DatasetEntry = component.entry
    if entry.takes_path:
        return f"it is called with a path, as {component.name}:PATH, and there is none here"
    needed = () if entry.files is None else entry.files()
    missing = [remote.name for remote in needed if not any(place.is_file() for place in candidates(remote))]
    if missing:
        return f"{len(missing)} of its {len(needed)} files are not on this machine, among them {missing[0]}"
    return None


def _loaded(component: Component) -> Dataset:
    return Catalogue((component,), ()).dataset(component.name, {})


def _probe(dataset: Dataset) -> NDArray[np.int64]:
    # Neither in order nor next to each other.
    places = np.unique(np.linspace(0, len(dataset.labels) - 1, _PROBED).astype(np.int64))
    return np.random.default_rng(SEED).permutation(places)


def leaves_the_process_alone(component: Component) -> str | None:
    """Loading and reading, judged after each read of one instance, leave the process as it was."""
    reason = _not_here(component)
    if reason is not None:
        return reason

    def run(seed: int) -> Iterator[str]:
        seed_globals(seed)
        dataset = _loaded(component)
        yield "once it is loaded"
        for step, indices in zip(range(_JUDGED_READS), itertools.cycle(np.array_split(_probe(dataset), 4)), strict=False):
            seed_globals(seed, step)
            dataset.read(indices)
            yield f"after read {step + 1}"

    left_alone(run, may_draw=True)
    return None


def loads(component: Component) -> str | None:
    """It is loaded with the default options, and is what `siambench.interfaces.Dataset` promises."""
    try:
        dataset = _loaded(component)
    except DataMissingError as error:
        return str(error)
    present = np.unique(dataset.labels)
    if len(present) < len(dataset.class_names):
        empty = sorted(set(range(len(dataset.class_names))) - set(present.tolist()))
        raise PluginError(
            f"{len(empty)} of its {len(dataset.class_names)} classes have no item, among them {dataset.class_names[empty[0]]!r}"
        )
    return None


def items_are_apart(component: Component) -> None:
    """An item is the same whichever others are read with it, in whatever order, and however often; and so is a whole image."""
    dataset = _loaded(component)
    places = _probe(dataset)
    together = dataset.read(places.copy())
    if not np.array_equal(together[::-1], dataset.read(places[::-1].copy())):
        raise PluginError("items are others when they are read in another order")
    first = places[:4]
    if not np.array_equal(dataset.read(np.repeat(first, 2)), np.repeat(together[:4], 2, axis=0)):
        raise PluginError("items are others when they are read twice in one batch")
    for place, item in zip(first, together, strict=False):
        if not np.array_equal(dataset.read(np.array([place])), item[None]):
            raise PluginError(f"item {place} is another when it is read alone")
    if dataset.whole is None:
        return
    for place in first:
        kept = np.array(dataset.whole(int(place)))
        dataset.whole(int(places[-1]))
        if not np.array_equal(kept, dataset.whole(int(place))):
            raise PluginError(f"the whole image {place} is another when it is asked for again")


def parts_hold(component: Component) -> str | None:
    """The parts of an official split bear the names that siambench knows, and share no item."""
    dataset = _loaded(component)
    if not dataset.parts:
        return "it brings no official split"
    strange = sorted(set(dataset.parts) - set(_PARTS))
    if strange:
        raise PluginError(f"it has the part {strange[0]!r}; parts are {', '.join(_PARTS)}")
    if "trainval" not in dataset.parts or not ("test" in dataset.parts or {"query", "gallery"} <= set(dataset.parts)):
        raise PluginError(f"an official split has trainval, and test or query and gallery, got {', '.join(sorted(dataset.parts))}")
    for name, indices in dataset.parts.items():
        if len(np.unique(indices)) < len(indices):
            raise PluginError(f"the part {name} names an item twice")
    if VALIDATION_GALLERY in dataset.parts:
        outside = np.setdiff1d(dataset.parts[VALIDATION_GALLERY], dataset.parts["trainval"])
        if len(outside):
            raise PluginError(f"the part {VALIDATION_GALLERY} holds {len(outside)} items that are not in trainval, among them {outside[0]}")
    within = {VALIDATION_GALLERY} | ({"query", "gallery"} if "test" in dataset.parts else set())
    apart = [name for name in dataset.parts if name not in within]
    for one, other in itertools.combinations(apart, 2):
        shared = np.intersect1d(dataset.parts[one], dataset.parts[other])
        if len(shared):
            raise PluginError(f"the parts {one} and {other} share {len(shared)} items, among them item {shared[0]}")
    return None


def digests_tell_items_apart(component: Component) -> str | None:
    """Digests are 32 bytes each, equal for equal items and different for different ones."""
    dataset = _loaded(component)
    if dataset.digests is None:
        return "it brings no digests: siambench takes them of what is read"
    places = _probe(dataset)
    items = dataset.read(places.copy())
    digest_of: dict[bytes, bytes] = {}
    item_of: dict[bytes, bytes] = {}
    for place, item in zip(places.tolist(), items, strict=True):
        digest, content = dataset.digests[place], item.tobytes()
        if not isinstance(digest, bytes) or len(digest) != 32:
            raise PluginError(f"a digest is 32 bytes, that of item {place} is {len(digest)} long")
        # Different files may be read as equal items, at a small size; equal files are equal items.
        if item_of.setdefault(digest, content) != content:
            raise PluginError(f"item {place} has the digest of an item with another content")
        digest_of.setdefault(content, digest)
    if len(item_of) == 1 and len(digest_of) > 1:
        raise PluginError("all items have one digest")
    return None


def episodes_hold(component: Component) -> str | None:
    """Each named evaluation gives episodes of items in the form of the data set, with answers that point at support items."""
    dataset = _loaded(component)
    if not dataset.episodes:
        return "it brings no episodes"
    edges = ", ".join(map(str, dataset.shape))
    for name, load in dataset.episodes.items():
        given = load()
        if not isinstance(given, Episodes):
            raise PluginError(f"episodes {name!r} must be siambench.interfaces.Episodes, got {type(given).__name__}")
        for part, items in (("support", given.support), ("query", given.query)):
            if items.ndim != 2 + len(dataset.shape) or items.shape[2:] != tuple(dataset.shape):
                raise PluginError(f"episodes {name!r}: {part} items must be [E, ?, {edges}], got {items.shape}")
            if items.dtype != dataset.read(np.array([0])).dtype:
                raise PluginError(f"episodes {name!r}: {part} items are {items.dtype}, those of the data set are not")
        answer, ways = given.answer, given.support.shape[1]
        if answer.shape != given.query.shape[:2] or answer.dtype != np.int64 or answer.min() < 0 or answer.max() >= ways:
            raise PluginError(f"episodes {name!r}: answers must be int64 {list(given.query.shape[:2])} in 0 … {ways - 1}")
    return None


def augmentation_holds(component: Component) -> str | None:
    """What `augment` says is a track's `[augment]` that suits its items, and gives finite items of the same shape."""
    entry: DatasetEntry = component.entry
    if not entry.augment:
        return "it suggests no augmentation"
    dataset = _loaded(component)
    try:
        forms = dict.fromkeys(side.form for side in dataset.sides) or (dataset.form,)
        rules = AugmentRules.model_validate(dict(entry.augment)).of_form(*forms)
    except Exception as error:
        raise PluginError(f"augment does not hold: {' '.join(str(error).split())[:200]}") from error
    items = prepared(dataset.read(_probe(dataset)), dataset.form, torch.device("cpu"))
    generator = torch.Generator().manual_seed(SEED)
    draws = draws_of(dataset, rules, (1, len(items)), generator=generator, device=items.device)
    found = changed_by(items.clone(), dataset, rules, [each.of(0) for each in draws])
    if found.shape != items.shape or not bool(torch.isfinite(found).all()):
        raise PluginError("augmentation gives items of another shape, or numbers that are not finite")
    return None


def loads_the_same_again(component: Component) -> None:
    """Loaded twice it is the same: names, labels, parts and items."""
    one, other = _loaded(component), _loaded(component)
    places = _probe(one)
    same: list[tuple[str, Any, Any]] = [
        ("class names", list(one.class_names), list(other.class_names)),
        ("labels", one.labels.tolist(), other.labels.tolist()),
        (
            "item names",
            None if one.item_names is None else list(one.item_names),
            None if other.item_names is None else list(other.item_names),
        ),
        ("parts", {n: i.tolist() for n, i in one.parts.items()}, {n: i.tolist() for n, i in other.parts.items()}),
    ]
    for what, first, second in same:
        if first != second:
            raise PluginError(f"loaded twice it has other {what}")
    if not np.array_equal(one.read(places.copy()), other.read(places.copy())):
        raise PluginError("loaded twice it has other items")
    if one.whole is not None and other.whole is not None:
        for place in places[:4]:
            if not np.array_equal(one.whole(int(place)), other.whole(int(place))):
                raise PluginError("loaded twice it has other whole images")


def draws_from_nowhere(component: Component) -> None:
    """Neither loading nor reading moves the global generators, which are the training's."""

    def call() -> None:
        dataset = _loaded(component)
        dataset.read(_probe(dataset))

    draws_nothing(call)


def inputs_are_kept(component: Component) -> None:
    """Indices are the same after a read, and what a reader does to items that it was given does not reach the next read."""
    dataset = _loaded(component)
    places = _probe(dataset)
    before = places.copy()
    items = dataset.read(places)
    if not np.array_equal(before, places):
        raise PluginError("it changes what it is given: the indices")
    kept = items.copy()
    if items.flags.writeable:
        items[:] = 0
    if not np.array_equal(kept, dataset.read(before)):
        raise PluginError("what is done to the items that it gave reaches its own: give copies")


def prints_nothing(component: Component) -> None:
    """Loading and reading write nothing to stdout, where documents go."""
    with nothing_printed():
        dataset = _loaded(component)
        dataset.read(_probe(dataset))


CONTRACTS = (
    Contract(PROCESS, PROCESS_PROMISE, leaves_the_process_alone, first=True),
    Contract("loads", "with its default options it gives what `Dataset` promises, and every class has an item", loads, first=True),
    Contract(
        "reads",
        "an item is the same whichever others are read with it, in any order and however often, and so if whole",
        items_are_apart,
    ),
    Contract("parts", "the parts of its official split bear names that siambench knows, and share no item", parts_hold),
    Contract("digests", "its digests are 32 bytes each, and tell items apart", digests_tell_items_apart),
    Contract("episodes", "its episodes hold items of its form, and answers that point at support items", episodes_hold),
    Contract("augment", "the augmentation that it suggests suits its items", augmentation_holds),
    Contract("determinism", "loaded twice it is the same", loads_the_same_again),
    Contract("own-generator", "it moves no global generator", draws_from_nowhere),
    Contract("inputs-kept", "it leaves indices as they were, and gives items that nobody else holds", inputs_are_kept),
    Contract("quiet", "it prints nothing to stdout", prints_nothing),
)
"""What is examined of a data set, in this order."""
