"""A folder of images without two classes: no exam, and things to embed all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

import numpy as np

from siambench.data.collection import check_image_options, read_images
from siambench.data.images import is_image
from siambench.data.names import as_path, as_text
from siambench.data.walk import walk
from siambench.interfaces import Dataset

if TYPE_CHECKING:
    from siambench.spaces import Value


def without_classes(path: str, options: Mapping[str, Value]) -> Dataset | None:
    """The images of a folder that holds no two folders of classes: each a class of its own, or, all in one folder below it, of that.

    Args:
        path: of the folder.
        options: of the loader ``folder``, resolved.

    Returns:
        None where the folder is one for the loader: it holds two classes or no image, is no folder, or options say where classes lie.

    Raises:
        DataError: if an image cannot be read.
    """
    root = as_path(path)
    if options["level"] or options["group"] or not root.is_dir() or root.samefile(root.absolute().anchor):
        return None
    found = walk(root, is_image)
    folders = {place[0] for place in found.names if len(place) > 1}
    if not found.names or len(folders) > 1:
        return None
    size, mode, resize = (cast("int", options["size"]), cast("str", options["mode"]), cast("int", options["resize"]))
    check_image_options(size, mode, called="folder", resize=resize)
    collection = read_images([root.joinpath(*place) for place in found.names], size=size, mode=mode, root=root, resize=resize)
    names = ["/".join(as_text(part) for part in place) for place in found.names]
    alone = any(len(place) == 1 for place in found.names)
    told = "no folders of classes: each image is a class of its own" if alone else "one folder: all images are of one class"
    return Dataset(
        labels=np.arange(len(names)) if alone else np.zeros(len(names), dtype=np.int64),
        read=lambda indices: np.asarray(collection.images[indices]),
        shape=cast("tuple[int, int, int]", collection.images.shape[1:]),
        digests=collection.digests,
        class_names=names if alone else [as_text(folder) for folder in folders],
        class_attributes={},
        item_names=names,
        colour="as in the files",
        notes=(told, *([f"passed over: {', '.join(found.passed_over)}"] if found.passed_over else []), *collection.notes),
        whole=collection.whole,
    )
