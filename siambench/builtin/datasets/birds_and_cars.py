"""The loaders of CUB-200-2011 and Cars-196: the first half of the classes trains, the second is the test."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from siambench.builtin.datasets.listed import Items, Shown, of_images, parts_by
from siambench.data.files import read_regular
from siambench.data.lists import Line, Listing, check_counts, files_in, read_list, sha256_of
from siambench.data.locate import Remote, check_file
from siambench.data.names import as_text, reason
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset

_BIRDS_PAGE = "https://data.caltech.edu/records/65de6-vp158"
_CARS = "https://ai.stanford.edu/~jkrause"
_CARS_PAGE = f"{_CARS}/cars/car_dataset.html"
_MOST_BYTES = 1 << 28

CUB = Published(
    "cub-200",
    _BIRDS_PAGE,
    ("images.txt", "image_class_labels.txt", "classes.txt", "images"),
    "CUB_200_2011",
    (
        Remote(
            "CUB_200_2011.tgz",
            f"{_BIRDS_PAGE}/files/CUB_200_2011.tgz",
            "",
            "cub-200",
            md5="97eceeb196236b17998738112f37df78",
            by_hand=True,
        ),
    ),
)
BIRDS = (200, 11_788)
"""Classes and images, as published."""

CARS_IN_ONE = Published("cars-196", _CARS_PAGE, ("cars_annos.mat", "car_ims"))
"""The layout in use for metric learning: all images in one folder."""

CARS_IN_TWO = Published(
    "cars-196",
    _CARS_PAGE,
    ("devkit/cars_train_annos.mat", "devkit/cars_meta.mat", "cars_test_annos_withlabels.mat", "cars_train", "cars_test"),
)
"""The layout of the development kit, `stanford_cars` of torchvision."""

CARS_TEST = Remote(
    "cars_test_annos_withlabels.mat",
    f"{_CARS}/car196/cars_test_annos_withlabels.mat",
    "",
    "cars-196",
    md5="b0a2b23655a3edd16d84508592a98d10",
    by_hand=True,
)
"""Of the tables the one whose checksum is published."""

CARS = (196, 16_185)


def cub_200(*, size: int, resize: int) -> Dataset:
    """CUB-200-2011, uint8 [11788, 3, size, size]; classes 1 to 100 are trainval, 101 to 200 the test, as Song et al., CVPR 2016, cut it.

    Raises:
        DataMissingError: if its folder is nowhere.
        DataError: if its lists do not hold.
    """
    shown = Shown("cub-200", size, resize=resize)
    _, root = home_of(CUB)
    images = read_list(root / "images.txt", 2)
    labels = read_list(root / "image_class_labels.txt", 2)
    classes = read_list(root / "classes.txt", 2)
    names = {classes.whole(line, 0, "the number of a class"): line.fields[1] for line in classes.lines}
    label_of = {labels.whole(line, 0, "the number of an image"): _known(labels, line, names) for line in labels.lines}
    numbers = [images.whole(line, 0, "the number of an image") for line in images.lines]
    without = next((number for number in numbers if number not in label_of), None)
    if without is not None or len(label_of) != len(numbers):
        told = f"image {without} has none" if without is not None else f"{len(label_of)} of {len(numbers)}"
        raise DataError(f"{labels.called} must give each image of {images.called} one class: {told}")
    check_counts("cub-200", (("classes", len(names), BIRDS[0]), ("images", len(numbers), BIRDS[1])))
    of_item = [label_of[number] for number in numbers]
    half = len(names) // 2
    items = Items(
        files=files_in(root, images, 1, below="images"),
        names=[line.fields[1] for line in images.lines],
        class_of=[names[number] for number in of_item],
        classes=[names[number] for number in sorted(names)],
        parts=parts_by([number > half for number in of_item]),
    )
    return of_images(items, root, shown)


def _known(labels: Listing, line: Line, names: dict[int, str]) -> int:
    number = labels.whole(line, 1, "the number of a class")
    if number not in names:
        raise DataError(f"{labels.called}: line {line.number} says class {number}, classes are 1 to {len(names)}")
    return number


def cars_196(*, size: int, resize: int) -> Dataset:
    """Cars-196, uint8 [16185, 3, size, size]; classes 1 to 98 are trainval, 99 to 196 the test, as Song et al., CVPR 2016, cut it.

    Both layouts are read: ``cars_annos.mat`` beside ``car_ims``, and the development kit beside ``cars_train`` and ``cars_test``.

    Raises:
        DataMissingError: if it is nowhere.
        DataError: if its tables do not hold.
    """
    shown = Shown("cars-196", size, resize=resize)
    layout, root = home_of(CARS_IN_ONE, CARS_IN_TWO)
    rows: list[tuple[str, int]] = []
    if layout is CARS_IN_ONE:
        tables = [root / "cars_annos.mat"]
        held = _mat(tables[0], ("annotations", "class_names"))
        names = _names(held["class_names"], tables[0])
        rows += _rows(held["annotations"], "relative_im_path", tables[0])
    else:
        tables = [root / "devkit" / "cars_train_annos.mat", root / CARS_TEST.name]
        check_file(tables[1], CARS_TEST)
        meta = root / "devkit" / "cars_meta.mat"
        names = _names(_mat(meta, ("class_names",))["class_names"], meta)
        for table, folder in zip(tables, ("cars_train", "cars_test"), strict=True):
            found = _rows(_mat(table, ("annotations",))["annotations"], "fname", table)
            rows += [(f"{folder}/{name}", number) for name, number in found]
    wrong = next(((name, number) for name, number in rows if not 1 <= number <= len(names)), None)
    if wrong is not None:
        raise DataError(f"cars-196: {as_text(wrong[0])} has class {wrong[1]}, classes are 1 to {len(names)}")
    check_counts("cars-196", (("classes", len(names), CARS[0]), ("images", len(rows), CARS[1])))
    listing = Listing(as_text(tables[0]), tuple(Line(place, (name,)) for place, (name, _) in enumerate(rows, 1)), "")
    half = len(names) // 2
    items = Items(
        files=files_in(root, listing, 0),
        names=[name for name, _ in rows],
        class_of=[names[number - 1] for _, number in rows],
        classes=names,
        parts=parts_by([number > half for _, number in rows]),
        notes=[]
        if layout is CARS_IN_TWO
        else [f"no checksum is published; SHA-256 of what was read: cars_annos.mat {sha256_of(tables[0])[:16]}…"],
    )
    return of_images(items, root, shown)


def _mat(path: Path, wanted: tuple[str, ...]) -> dict[str, Any]:
    """The named variables of a file of MATLAB's."""
    from scipy.io import loadmat

    called = as_text(path)
    read_regular(path, most=_MOST_BYTES)
    try:
        held: dict[str, Any] = loadmat(path, squeeze_me=True, variable_names=wanted)
    except Exception as error:  # a damaged file has a dozen ways to fail inside scipy
        raise DataError(f"{called} cannot be read as a file of MATLAB's: {reason(error)}") from error
    lacking = [name for name in wanted if name not in held]
    if lacking:
        raise DataError(f"{called} holds no {lacking[0]}")
    return held


def _names(given: Any, path: Path) -> list[str]:
    names = [str(name) for name in given.ravel()] if hasattr(given, "ravel") else []
    if len(names) < 2:
        raise DataError(f"class_names of {as_text(path)} must hold at least two names, got {len(names)}")
    return names


def _rows(given: Any, field: str, path: Path) -> list[tuple[str, int]]:
    """The file of each image, and its class from 1."""
    fields = getattr(getattr(given, "dtype", None), "names", None) or ()
    lacking = [name for name in (field, "class") if name not in fields]
    if lacking:
        raise DataError(f"annotations of {as_text(path)} have no {lacking[0]}")
    try:
        return [(str(row[field]), int(row["class"])) for row in given.ravel()]
    except (TypeError, ValueError) as error:
        raise DataError(f"annotations of {as_text(path)} do not hold a file and a class each: {reason(error)}") from error
