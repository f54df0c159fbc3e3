"""What is in a file, an image in memory, or a text → items as a model takes them, as the data set did that it was trained on."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from siambench.components.component import Component
from siambench.data.collection import Depth
from siambench.data.images import DEEPEST, decode
from siambench.data.names import as_text
from siambench.data.tokens import byte_tokens, hashed_words
from siambench.errors import DataError, SiambenchError, named
from siambench.models.document import AsTheyAre, ByDataSet, Given, OfImages, OfTexts, Preprocessing
from siambench.plugin import call_factory

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from siambench.interfaces import Dataset
    from siambench.spaces import Params

Loader = Callable[[ByDataSet], Component]
"""Finds the data set that knows how a file becomes an item."""

_CHANNELS = {1: "grey", 3: "rgb"}


def given_of(dataset: Dataset, component: Component, options: Params) -> Given:
    """What a model is given that is trained on a data set.

    Args:
        dataset: loaded.
        component: of its loader.
        options: of its loader, resolved.

    Raises:
        DataError: if its items have two sides.
    """
    if dataset.sides or dataset.form == "sides":
        raise DataError("items have two sides, an encoder each: a file holds one encoder")
    return Given(
        form=dataset.form,
        shape=tuple(int(edge) for edge in dataset.shape),
        vocabulary=dataset.vocabulary,
        colour=dataset.colour,
        preprocessing=_preprocessing(dataset, component, options),
    )


def _preprocessing(dataset: Dataset, component: Component, options: Params) -> Preprocessing:
    entry = component.entry
    resolved = {name: options.get(name, default) for name, default in entry.defaults.items()}
    if entry.from_file is not None:
        about = " ".join((getattr(entry.from_file, "__doc__", None) or "").partition("\n\n")[0].split())
        return ByDataSet(dataset=component.name, options=resolved, about=about)
    if dataset.form == "images" and dataset.shape[0] in _CHANNELS:
        channels, height, width = (int(edge) for edge in dataset.shape)
        resize = resolved.get("resize", 0)
        return OfImages(
            mode=cast("Any", _CHANNELS[channels]),
            height=height,
            width=width,
            # What is resized first is cut to a square.
            resize=resize if isinstance(resize, int) and height == width else 0,
            white=next((note.white for note in dataset.notes if isinstance(note, Depth)), DEEPEST),
            inverted=entry.inverted,
        )
    kind = resolved.get("tokens")
    if dataset.form == "tokens" and dataset.vocabulary is not None and kind in ("words", "bytes"):
        return OfTexts(tokens=cast("Any", kind), vocabulary=int(dataset.vocabulary), length=int(dataset.shape[0]))
    return AsTheyAre()


def items_from(things: Sequence[Any], given: Given, loader: Loader) -> NDArray[Any]:
    """Items in the form of the data set, [N, …]: images uint8, tokens int64.

    Args:
        things: files, images of Pillow's or uint8 [H, W], [H, W, 3] or [H, W, 4]; or of a model of texts, texts.
        given: what the model is given.
        loader: finds the data set, where only that knows how a file becomes an item.

    Raises:
        DataMissingError: if there is no such file.
        DataError: naming the file that is none that can be read, or the model that is given arrays alone.
    """
    rule = given.preprocessing
    if isinstance(rule, OfTexts):
        return _of_texts(things, rule)
    if isinstance(rule, AsTheyAre):
        raise DataError(
            f"this model is given {given.form} {list(given.shape)} as they are, and no files: embed(array) takes them, [N, "
            f"{', '.join(map(str, given.shape))}]"
        )
    read = _reader(rule, loader)
    found = np.stack([_checked(read(*_opened(thing, place)), thing, given) for place, thing in enumerate(things)])
    return cast("NDArray[Any]", found)


def _of_texts(texts: Sequence[Any], rule: OfTexts) -> NDArray[np.int64]:
    wrong = next((text for text in texts if not isinstance(text, str)), None)
    if wrong is not None:
        raise DataError(f"this model is given texts, got {type(wrong).__name__}")
    if rule.tokens == "bytes":
        found = byte_tokens(texts, length=rule.length)
    else:
        found = hashed_words(texts, vocabulary=rule.vocabulary, length=rule.length)
    empty = np.flatnonzero(found[:, 0] == 0)
    if len(empty):
        raise DataError(f"text {int(empty[0]) + 1} has no word: {texts[int(empty[0])][:60]!r}")
    return found


def _reader(rule: OfImages | ByDataSet, loader: Loader) -> Callable[[Any, str], NDArray[np.uint8]]:
    if isinstance(rule, ByDataSet):
        component = loader(rule)
        called = f"data set {component.name!r} of {component.provenance}"

        def by_data_set(file: Any, name: str) -> NDArray[np.uint8]:
            try:
                found: NDArray[np.uint8] = call_factory(component.entry.from_file, {**rule.options, "file": file, "name": name})
            except (SiambenchError, MemoryError, KeyboardInterrupt):
                raise
            except BaseException as error:
                raise DataError(f"{name} cannot be read by the {called}: {named(error)}") from error
            return found

        return by_data_set
    return lambda file, name: _image(file, name, rule)


def _image(file: Any, name: str, rule: OfImages) -> NDArray[np.uint8]:
    if rule.resize:
        whole = decode(file, size=rule.resize, mode=rule.mode, name=name, white=rule.white, keep=True)
        top, left = (whole.shape[1] - rule.height) // 2, (whole.shape[2] - rule.width) // 2
        found = whole[:, top : top + rule.height, left : left + rule.width]
    elif rule.height == rule.width:
        found = decode(file, size=rule.height, mode=rule.mode, name=name, white=rule.white)
    else:
        found = _squeezed(decode(file, size=None, mode=rule.mode, name=name, white=rule.white), rule)
    return 255 - found if rule.inverted else np.ascontiguousarray(found)


def _squeezed(image: NDArray[np.uint8], rule: OfImages) -> NDArray[np.uint8]:
    from PIL import Image as Pillow

    wanted = (rule.width, rule.height)
    smaller = image.shape[1] >= rule.height and image.shape[2] >= rule.width
    how = Pillow.Resampling.BOX if smaller else Pillow.Resampling.BICUBIC
    return np.stack([np.asarray(Pillow.fromarray(channel).resize(wanted, how)) for channel in image])


def _opened(thing: Any, place: int) -> tuple[Any, str]:
    """What can be decoded, and what errors call it."""
    from PIL import Image as Pillow

    if isinstance(thing, str | Path):
        path = Path(thing).expanduser()
        return path, as_text(path)
    name = f"image {place + 1}"
    if isinstance(thing, np.ndarray):
        if thing.dtype != np.uint8 or not (thing.ndim == 2 or (thing.ndim == 3 and thing.shape[2] in (3, 4))):
            raise DataError(f"{name} must be uint8 [H, W], [H, W, 3] or [H, W, 4], got {thing.dtype} {list(thing.shape)}")
        thing = Pillow.fromarray(thing)
    if not isinstance(thing, Pillow.Image):
        raise DataError(f"{name} must be a path, an image of Pillow's or a uint8 array, got {type(thing).__name__}")
    held = io.BytesIO()
    # What each of them can hold without loss.
    form = "PNG" if thing.mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    try:
        thing.save(held, format=form)
    except (OSError, ValueError) as error:
        raise DataError(f"{name} is of Pillow's mode {thing.mode}, which cannot be read: convert it to RGB or L") from error
    held.seek(0)
    return held, name


def _checked(item: Any, thing: Any, given: Given) -> NDArray[np.uint8]:
    if not isinstance(item, np.ndarray) or item.dtype != np.uint8 or item.shape != given.shape:
        got = f"{item.dtype} {list(item.shape)}" if isinstance(item, np.ndarray) else type(item).__name__
        raise DataError(f"{str(thing)[:200]} must become uint8 {list(given.shape)}, and became {got}")
    return item
