"""The parts of the data card that are counted, and the contact sheet."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, features
from PIL import __version__ as pillow_version

from drawing_glyphs.draw import IMAGE_SIDE, Face

BEGIN, END = "<!-- begin: written by make_glyphs.py -->", "<!-- end: written by make_glyphs.py -->"
DPKG_STATUS = Path("/var/lib/dpkg/status")

Arrays = Mapping[str, NDArray[np.generic]]


def update_card(path: Path, arrays: Arrays, faces: Sequence[Face], counts: Mapping[str, int], digest: str) -> None:
    """Replaces what stands between the two marks of the card."""
    text = path.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    parts = [_file(arrays, counts, digest), _scripts(arrays), _fonts(arrays, faces)]
    path.write_text("\n\n".join((before + BEGIN, *parts, END + after)), encoding="utf-8")


def _table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def _file(arrays: Arrays, counts: Mapping[str, int], digest: str) -> str:
    images = np.bincount(arrays["labels"].astype(np.int64))
    rows = [
        ("SHA-256 of `glyphs.npz`", f"`{digest}`"),
        ("images", f"{len(arrays['images'])}, {IMAGE_SIDE} x {IMAGE_SIDE}"),
        ("images of one class", f"{images.min()} to {images.max()}"),
        ("candidate letters", counts["candidates"]),
        ("... drawn by enough faces", counts["drawn by enough faces"]),
        ("... that look like none before", counts["look like none before"]),
        ("... after thinning large syllabaries: classes", counts["classes"]),
        ("faces, families of faces", f"{len(arrays['faces'])}, {len(arrays['face_families'])}"),
        ("drawn with", f"Pillow {pillow_version}, FreeType {features.version('freetype2')}"),
    ]
    return "## Numbers\n\n" + _table(("what", "value"), rows)


def _scripts(arrays: Arrays) -> str:
    scripts_of_images = arrays["class_scripts"][arrays["labels"].astype(np.int64)]
    rows: list[tuple[object, ...]] = []
    columns = (arrays["script_names"], arrays["script_families"], arrays["script_parts"])
    for name, family, part in zip(*columns, strict=True):
        rows.append((name, family, part, (arrays["class_scripts"] == name).sum(), (scripts_of_images == name).sum()))
    rows.sort(key=lambda row: (str(row[2]) == "test", str(row[1]), str(row[0])))
    for part in ("trainval", "test"):
        own = [row for row in rows if row[2] == part and row[0]]
        classes, images = (sum(int(str(row[column])) for row in own) for column in (3, 4))
        rows.append(("", f"**{part}**", part, classes, images))
    return "## Scripts\n\n" + _table(("script", "family", "part", "classes", "images"), rows)


def _fonts(arrays: Arrays, faces: Sequence[Face]) -> str:
    status = DPKG_STATUS.read_text(encoding="utf-8") if DPKG_STATUS.is_file() else ""
    installed = dict(re.findall(r"^Package: (\S+)\n(?:.+\n)*?Version: (\S+)$", status, flags=re.MULTILINE))
    used = set(arrays["faces"].tolist())
    grouped: dict[tuple[tuple[str, ...], str], dict[str, int]] = {}
    for face in faces:
        if face.name in used:
            families = grouped.setdefault((face.family.packages, face.family.licence), {})
            families[face.family.name] = families.get(face.family.name, 0) + 1
    rows = []
    for (packages, licence), families in sorted(grouped.items()):
        names = "<br>".join(f"{package} {installed.get(package, '?')}" for package in packages)
        rows.append((names, licence, ", ".join(f"{family} ({count})" for family, count in families.items())))
    return "## Fonts\n\n" + _table(("Debian package and version", "licence", "families (styles used)"), rows)


def contact_sheet(arrays: Arrays, classes: int = 10, images: int = 4, zoom: int = 2) -> Image.Image:
    """One labelled row per script: some of its classes, evenly spaced, with a few images of each."""
    step, gap, label_width, row_height = IMAGE_SIDE + 1, 6, 110, IMAGE_SIDE + 4
    width = label_width + classes * (images * step + gap)
    sheet = Image.new("L", (width * zoom, len(arrays["script_names"]) * row_height * zoom), 64)
    pen = ImageDraw.Draw(sheet)
    for row, script in enumerate(arrays["script_names"]):
        top = row * row_height + 2
        pen.text((4 * zoom, (top + 6) * zoom), str(script), fill=255, font_size=11 * zoom)
        own = np.flatnonzero(arrays["class_scripts"] == script)
        for column, label in enumerate(own[np.linspace(0, len(own) - 1, classes).round().astype(int)]):
            members = np.flatnonzero(arrays["labels"] == label)[:images]
            for place, index in enumerate(members):
                left = label_width + column * (images * step + gap) + place * step
                image = Image.fromarray(arrays["images"][index])
                sheet.paste(image.resize((IMAGE_SIDE * zoom,) * 2, Image.Resampling.NEAREST), (left * zoom, top * zoom))
    return sheet
