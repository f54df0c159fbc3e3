"""The loader of emoji: each drawn by Google and by Twitter, in colour, from two npm packages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from siambench.builtin.datasets.listed import Items, Shown, of_images
from siambench.data.files import read_regular
from siambench.data.lists import Line, Listing, files_in, sha256_of
from siambench.data.locate import Remote
from siambench.data.names import as_text, reason
from siambench.data.published import Published, home_of
from siambench.errors import DataError
from siambench.interfaces import Dataset

_MOST_BYTES = 1 << 26
_VERSION = "16.0.0"
_TEST_EVERY = 5
_STYLES = ("google", "twitter")
_FLAGS = "Flags"
_CHECKSUMS = {
    "google": "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
    "twitter": "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877",
}


def _package(style: str) -> Published:
    name = f"emoji-datasource-{style}"
    archive = f"{name}-{_VERSION}.tgz"
    return Published(
        "emoji",
        f"https://www.npmjs.com/package/{name}",
        ("emoji.json", f"img/{style}/64"),
        name,
        (Remote(archive, f"https://registry.npmjs.org/{name}/-/{archive}", _CHECKSUMS[style], "emoji"),),
        inside="package",
    )


PACKAGES = {style: _package(style) for style in _STYLES}


def remotes() -> tuple[Remote, ...]:
    """The files of both packages."""
    return tuple(remote for package in PACKAGES.values() for remote in (package.files if package.home else package.archives))


def emoji(*, size: int, flags: bool) -> Dataset:
    """Emoji that both have drawn, uint8 [2 K, 3, size, size]: Google's are the queries, Twitter's the gallery.

    Classes carry their ``subgroup`` and its ``category``. Of the subgroups in order of their names every fifth is the test: the split is
    siambench's own. Transparent paper is white; those of other skin, and such as either has drawn as
    another, are left out.

    Args:
        size: edge of the pictures in pixels.
        flags: whether flags are in it.

    Raises:
        DataMissingError: if a package is not here and cannot be fetched.
        DataError: if one does not hold.
    """
    shown = Shown("emoji", size)
    drawn = drawn_by_both(flags=flags)
    return of_images(drawn.items, drawn.root, shown)


@dataclass(frozen=True)
class Drawn:
    """Emoji that both have drawn, K of them.

    Args:
        names: of each, distinct.
        facts: what Google's list says of each.
        of_test: whether each is of a subgroup that tests.
        items: the images, those of Google and then those of Twitter.
        root: a folder above the images.
    """

    names: tuple[str, ...]
    facts: tuple[Mapping[str, Any], ...]
    of_test: tuple[bool, ...]
    items: Items
    root: Path


def drawn_by_both(*, flags: bool) -> Drawn:
    """What the two packages hold.

    Args:
        flags: whether flags are in it. Which subgroups test does not depend on it.

    Raises:
        DataMissingError: if a package is not here and cannot be fetched.
        DataError: if one does not hold.
    """
    homes = {style: home_of(package, fetch=True)[1] for style, package in PACKAGES.items()}
    lists = {style: home / "emoji.json" for style, home in homes.items()}
    described = {style: _described(path) for style, path in lists.items()}
    both = sorted(set(described["google"]) & set(described["twitter"]))
    kept = [image for image in both if all(described[style][image][f"has_img_{style}"] is True for style in _STYLES)]
    if len(kept) < 2:
        raise DataError(
            f"the lists of the two packages have {len(kept)} emoji in common, at least two are needed: are they of one version?"
        )
    kept, alike = _told_apart(kept, {style: (homes[style], lists[style]) for style in _STYLES})
    facts = [described["google"][image] for image in kept]
    tested = set(sorted({_subgroup(one) for one in facts})[_TEST_EVERY - 1 :: _TEST_EVERY])
    if not flags:
        # Both draw the same flag, and which is whose country's nothing else teaches: pixels know them best.
        kept = [image for image, one in zip(kept, facts, strict=True) if one["category"] != _FLAGS]
        waved, facts = len(facts) - len(kept), [described["google"][image] for image in kept]
    subgroups = [_subgroup(one) for one in facts]
    tested &= set(subgroups)
    names = _distinct([str(one["name"] or one["short_name"]) for one in facts], kept)
    files = [homes[style] / f"img/{style}/64" / image for style in _STYLES for image in kept]
    of_test = [group in tested for group in subgroups]
    items = Items(
        files=files,
        names=[f"{style}/{image}" for style in _STYLES for image in kept],
        class_of=[*names, *names],
        classes=names,
        parts=_parts(of_test),
        attributes={"subgroup": subgroups, "category": [str(one["category"]) for one in facts]},
        notes=[
            *([] if flags else [f"flags are left out: {waved} emoji"]),
            *([f"{alike} emoji that one of both has drawn as another are left out"] if alike else []),
            f"emoji that both packages have drawn: {len(kept)}; of {len(set(subgroups))} subgroups {len(tested)} are the test",
            *(f"{style}: emoji.json with SHA-256 {sha256_of(path)[:16]}…" for style, path in lists.items()),
        ],
    )
    return Drawn(tuple(names), tuple(facts), tuple(of_test), items, homes["google"])


def _subgroup(facts: Mapping[str, Any]) -> str:
    return f"{facts['category']}/{facts['subcategory']}"


def _told_apart(images: list[str], packages: dict[str, tuple[Path, Path]]) -> tuple[list[str], int]:
    """Those whose pictures no emoji before them has in either style, and how many others there are.

    Raises:
        DataError: if a picture is not there.
    """
    seen: set[bytes] = set()
    kept: list[str] = []
    pictures: dict[str, list[bytes]] = {image: [] for image in images}
    for style, (home, path) in packages.items():
        listing = Listing(as_text(path), tuple(Line(place, (image,)) for place, image in enumerate(images, 1)), "")
        for image, file in zip(images, files_in(home, listing, 0, below=f"img/{style}/64"), strict=True):
            pictures[image].append(hashlib.sha256(read_regular(file, most=_MOST_BYTES)).digest())
    for image, digests in pictures.items():
        if not seen & set(digests):
            kept.append(image)
        seen |= set(digests)
    return kept, len(images) - len(kept)


def _parts(of_test: list[bool]) -> dict[str, Any]:
    tested = np.array(of_test, dtype=bool)
    google, twitter = np.arange(len(tested)), np.arange(len(tested)) + len(tested)
    return {
        "trainval": np.sort(np.concatenate([google[~tested], twitter[~tested]])),
        "query": google[tested],
        "gallery": twitter[tested],
        "trainval-gallery": twitter[~tested],
    }


def _described(path: Path) -> dict[str, dict[str, Any]]:
    """What the list of a package says of each emoji, by the name of its image."""
    called = as_text(path)
    try:
        held = json.loads(read_regular(path, most=_MOST_BYTES))
    except (ValueError, RecursionError) as error:
        raise DataError(f"{called} is no JSON: {reason(error)}") from error
    if not isinstance(held, list) or not all(isinstance(one, dict) for one in held):
        raise DataError(f"{called} must hold a list of emoji")
    wanted: dict[str, tuple[type, ...]] = {
        "name": (str, type(None)),
        **dict.fromkeys(("short_name", "image", "category", "subcategory"), (str,)),
    }
    for place, one in enumerate(held, 1):
        bad = next((key for key, kind in wanted.items() if not isinstance(one.get(key, 0), kind)), None)
        if bad is not None:
            raise DataError(f"{called}: emoji {place} has no text as its {bad}")
    return {one["image"]: {"has_img_google": False, "has_img_twitter": False, **one} for one in held}


def _distinct(names: list[str], images: list[str]) -> list[str]:
    """Names, and behind those that several have what their image is called."""
    return [
        name.lower() if names.count(name) == 1 else f"{name.lower()} {image.partition('.')[0]}"
        for name, image in zip(names, images, strict=True)
    ]
