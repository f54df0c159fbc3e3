"""Draws the glyphs data set: `python -m drawing_glyphs.make_glyphs`.

Needs the Debian packages of `faces.toml`; the same packages and the same Pillow give the same file, byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import sys
import unicodedata
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from drawing_glyphs.scripts import SCRIPTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from drawing_glyphs.choose import Letter

HERE = Path(__file__).parent
SEED = 20260101
# The earliest date that a zip archive can hold: the file must not depend on when it was made.
ZIP_DATE = (1980, 1, 1, 0, 0, 0)


def class_name(letter: Letter) -> str:
    """`Latin/LATIN SMALL LETTER A`."""
    return f"{letter.script.name}/{unicodedata.name(chr(letter.codepoint))}"


def build(letters: list[Letter], seed: int) -> dict[str, NDArray[np.generic]]:
    """All arrays of the file; what each holds stands in README.md."""
    from drawing_glyphs import choose, draw

    images, labels, names = [], [], []
    for label, letter in enumerate(letters):
        for face in choose.choose_faces(letter.inks):
            images.append(draw.distort(letter.inks[face], draw.generator_of(seed, letter.codepoint, face)))
            labels.append(label)
            names.append(face)
    faces = sorted(set(names))
    families = sorted({choose.family_of(face) for face in faces})
    return {
        "images": np.stack(images),
        "labels": np.array(labels, dtype=np.int64),
        "class_names": np.array([class_name(letter) for letter in letters]),
        "codepoints": np.array([letter.codepoint for letter in letters], dtype=np.int32),
        "class_scripts": np.array([letter.script.name for letter in letters]),
        "script_names": np.array([script.name for script in SCRIPTS]),
        "script_families": np.array([script.family for script in SCRIPTS]),
        "script_parts": np.array([script.part for script in SCRIPTS]),
        "faces": np.array(faces),
        "face_of_image": np.array([faces.index(name) for name in names], dtype=np.int16),
        "face_families": np.array(families),
        "family_of_face": np.array([families.index(choose.family_of(face)) for face in faces], dtype=np.int16),
    }


def write(path: Path, arrays: dict[str, NDArray[np.generic]]) -> str:
    """Writes an npz that depends on nothing but the arrays; returns its SHA-256."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, array in arrays.items():
            buffer = io.BytesIO()
            np.lib.format.write_array(buffer, array, allow_pickle=False)
            entry = zipfile.ZipInfo(f"{name}.npy", ZIP_DATE)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, buffer.getvalue(), compresslevel=9)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main(arguments: list[str] | None = None) -> int:
    """Command line entry; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write to (default: beside this script)")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the distortions (default: %(default)s)")
    options = parser.parse_args(arguments)

    # Imported only here: this module stays importable without Pillow, fontTools and SciPy.
    from drawing_glyphs import card, choose, draw, faces

    try:
        drawn = [draw.Face(family, file) for family in faces.read_families() for file in family.files]
    except draw.FontMissingError as error:
        parser.exit(1, f"error: {error}\n")
    selection = choose.select(drawn)
    arrays = build(selection.letters, options.seed)
    digest = write(options.out / "glyphs.npz", arrays)
    card.contact_sheet(arrays).quantize(16).save(options.out / "contact-sheet.png", optimize=True)
    if (options.out / "README.md").is_file():
        card.update_card(options.out / "README.md", arrays, drawn, selection.counts, digest)
    sys.stdout.write(f"{len(arrays['images'])} images, {selection.counts}, sha256 {digest}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
