"""The loaders of Stanford Online Products, In-Shop Clothes Retrieval and iNaturalist 2018, whose lists say what is trained on."""

from __future__ import annotations

from pathlib import Path

from siambench.builtin.datasets.listed import Items, Shown, of_images, parts_by
from siambench.data.lists import Listing, check_counts, files_in, read_list, seen
from siambench.data.locate import Remote
from siambench.data.names import as_text
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset

_SOP_PAGE = "https://cvgl.stanford.edu/projects/lifted_struct"
_SHOP_PAGE = "https://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/InShopRetrieval.html"

_NATURE_PAGE = "https://github.com/visipedia/inat_comp/tree/master/2018"

SOP = Published(
    "sop",
    _SOP_PAGE,
    ("Ebay_train.txt", "Ebay_test.txt"),
    "Stanford_Online_Products",
    (
        # The digest that TensorFlow Datasets publishes beside its loader.
        Remote(
            "Stanford_Online_Products.zip",
            "ftp://cs.stanford.edu/cs/cvgl/Stanford_Online_Products.zip",
            "b04fa78210e69fab050ce73939550e1cd0f96890bdd98ec9fee732c3b756ef48",
            "sop",
            by_hand=True,
        ),
    ),
)
SOP_COUNTS = (22_634, 59_551, 60_502)
"""Classes, images to train, images to test, as published."""

SHOP = tuple(
    Published("in-shop", _SHOP_PAGE, (listed, images))
    for listed in ("Eval/list_eval_partition.txt", "list_eval_partition.txt")
    for images in ("img", "Img/img")
)
"""The layouts in use: the list in the folder ``Eval`` or beside the images, those in ``img``, or as published in ``Img/img``."""

SHOP_COUNTS = (7_982, 25_882, 14_218, 12_612)
"""Classes, images to train, queries, gallery, as published."""

NATURE = Published(
    "inat-2018",
    f"{_NATURE_PAGE} (images) and https://github.com/Andrew-Brown1/Smooth_AP (lists)",
    ("Inat_dataset_splits/Inaturalist_train_set1.txt", "Inat_dataset_splits/Inaturalist_test_set1.txt", "train_val2018"),
)
NATURE_CLASSES = 8_142
"""Species, as published."""

_STATUS = ("train", "query", "gallery")


def sop(*, size: int, resize: int) -> Dataset:
    """Stanford Online Products, uint8 [120053, 3, size, size], split by its lists; classes carry their ``super_class``.

    Raises:
        DataMissingError: if its folder is nowhere.
        DataError: if its lists do not hold.
    """
    shown = Shown("sop", size, resize=resize)
    _, root = home_of(SOP)
    lists = [read_list(root / name, 4, skip=1) for name in ("Ebay_train.txt", "Ebay_test.txt")]
    super_of: dict[str, str] = {}
    class_of: list[str] = []
    for listing in lists:
        for line in listing.lines:
            listing.whole(line, 0, "image_id")
            label = str(listing.whole(line, 1, "class_id"))
            upper = line.fields[3].partition("/")[0].removesuffix("_final")
            if super_of.setdefault(label, upper) != upper:
                raise DataError(f"{listing.called}: line {line.number}: class {label} is {upper!r}, and was {super_of[label]!r} before")
            class_of.append(label)
    sizes = [len(listing.lines) for listing in lists]
    wanted = zip(("classes", "images to train", "images to test"), (len(super_of), *sizes), SOP_COUNTS, strict=True)
    check_counts("sop", list(wanted))
    classes = sorted(super_of, key=int)
    items = Items(
        files=[file for listing in lists for file in files_in(root, listing, 3)],
        names=[line.fields[3] for listing in lists for line in listing.lines],
        class_of=class_of,
        classes=classes,
        parts=parts_by([place >= sizes[0] for place in range(sum(sizes))]),
        attributes={"super_class": [as_text(super_of[name]) for name in classes]},
        notes=[seen(*lists)],
    )
    return of_images(items, root, shown)


def in_shop(*, size: int, resize: int) -> Dataset:
    """In-Shop Clothes Retrieval, uint8 [52712, 3, size, size], with its training set, queries and gallery.

    Raises:
        DataMissingError: if it is nowhere.
        DataError: if its list does not hold.
    """
    shown = Shown("in-shop", size, resize=resize)
    layout, root = home_of(*SHOP)
    listing = read_list(root / layout.marks[0], 3, skip=2)
    _check_first(listing, root / layout.marks[0])
    status = [line.fields[2] for line in listing.lines]
    strange = next((line for line in listing.lines if line.fields[2] not in _STATUS), None)
    if strange is not None:
        text = as_text(strange.fields[2])
        raise DataError(f"{listing.called}: line {strange.number}: evaluation_status must be one of {', '.join(_STATUS)}, got {text!r}")
    classes = sorted({line.fields[1] for line in listing.lines})
    found = (len(classes), *(status.count(part) for part in _STATUS))
    check_counts("in-shop", list(zip(("classes", "images to train", "queries", "images of the gallery"), found, SHOP_COUNTS, strict=True)))
    items = Items(
        # The list names images from the folder that holds img.
        files=files_in(root, listing, 0, below=layout.marks[1].rpartition("img")[0].rstrip("/")),
        names=[line.fields[0] for line in listing.lines],
        class_of=[line.fields[1] for line in listing.lines],
        classes=classes,
        parts={
            part: parts_by([one == name for one in status])["test"]
            for part, name in (("trainval", "train"), ("query", "query"), ("gallery", "gallery"))
        },
        notes=[seen(listing)],
    )
    return of_images(items, root, shown)


def _check_first(listing: Listing, path: Path) -> None:
    """The first line says how many there are."""
    with path.open("rb") as file:
        first = file.readline().removeprefix(b"\xef\xbb\xbf").strip()
    if not first.isdigit() or len(first) > 9 or int(first) != len(listing.lines):
        raise DataError(
            f"{listing.called} must begin with the number of its images, {len(listing.lines)}, got {as_text(first.decode('latin1')[:40])!r}"
        )


def inat_2018(*, size: int, resize: int) -> Dataset:
    """The photographs of iNaturalist 2018, uint8 [N, 3, size, size], split by species by the lists of Smooth-AP.

    Classes carry their ``group``; the split is that of Brown et al., Smooth-AP, ECCV 2020.
    Its folders are ``train_val2018/<group>/<species>``; the groups are the 14 that the competition's images lie in.

    Raises:
        DataMissingError: if it is nowhere.
        DataError: if its lists do not hold.
    """
    shown = Shown("inat-2018", size, resize=resize)
    layout, root = home_of(NATURE)
    lists = [read_list(root / mark, 1) for mark in layout.marks[:2]]
    class_of = []
    for listing in lists:
        for line in listing.lines:
            places = line.fields[0].split("/")
            if len(places) < 3:
                shape = "train_val2018/group/species/image.jpg"
                raise DataError(f"{listing.called}: line {line.number} must name an image as {shape}, got {as_text(line.fields[0][:80])!r}")
            class_of.append("/".join(places[-3:-1]))
    classes = sorted(set(class_of))
    check_counts("inat-2018", [("classes", len(classes), NATURE_CLASSES)])
    trained = len(lists[0].lines)
    items = Items(
        files=[file for listing in lists for file in files_in(root, listing, 0)],
        names=[line.fields[0] for listing in lists for line in listing.lines],
        class_of=class_of,
        classes=classes,
        parts=parts_by([place >= trained for place in range(len(class_of))]),
        attributes={"group": [as_text(name.partition("/")[0]) for name in classes]},
        notes=[seen(*lists)],
    )
    return of_images(items, root, shown)
