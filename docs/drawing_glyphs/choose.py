"""Which letters become classes, and which faces draw each of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from drawing_glyphs import alike
from drawing_glyphs.draw import Face, Ink
from drawing_glyphs.scripts import SCRIPTS, Script, candidate_letters

FEWEST_IMAGES = 12
MOST_IMAGES = 20
MOST_OF_ONE_FAMILY = 8
LOOKS_THE_SAME = 0.95
SAME_DRAWING = 0.9995
FOREIGN_DRAWING = 0.75

# Two letters are compared in the same style of the same superfamily, which draws all scripts to match.
REFERENCE_STYLES: dict[str, tuple[str, str]] = {
    "sans": ("Noto Sans", "-Regular"),
    "serif": ("Noto Serif", "-Regular"),
    "looped": ("Noto Looped", "-Regular"),
    "dejavu": ("DejaVu Sans", "DejaVuSans"),
    "freeserif": ("FreeSerif", "FreeSerif"),
}


@dataclass(frozen=True)
class Letter:
    """A character that may become a class, with its glyph in every face that draws it."""

    script: Script
    codepoint: int
    inks: dict[str, Ink]


@dataclass(frozen=True)
class Selection:
    """What came through, and how many fell at each step (for the data card)."""

    letters: list[Letter]
    counts: dict[str, int]


def gather(faces: Sequence[Face]) -> list[Letter]:
    """All candidates that enough faces draw."""
    letters = []
    for script in SCRIPTS:
        own = [face for face in faces if script.name in face.family.scripts]
        for codepoint in candidate_letters(script):
            inks = {face.name: ink for face in own if (ink := face.ink(codepoint)) is not None}
            chosen = choose_faces(inks)
            if len(chosen) >= FEWEST_IMAGES:
                letters.append(Letter(script, codepoint, inks))
    return letters


def family_of(face: str) -> str:
    """The family of a face named `family/style`."""
    return face.split("/", 1)[0]


def choose_faces(inks: dict[str, Ink]) -> list[str]:
    """At most 20 faces, families taking turns, at most eight of one, no drawing twice, no drawing unlike all others."""
    names = list(inks)
    portraits = np.stack([alike.portrait(ink).ravel() for ink in inks.values()]) if inks else np.zeros((0, 1), dtype=np.float32)
    cosines = portraits @ portraits.T
    foreign = {index for index in range(len(names)) if _is_foreign(index, names, inks, portraits)}
    turns: dict[str, int] = {}
    order = []
    for index, name in enumerate(names):
        if index in foreign:
            continue
        turn = turns[family_of(name)] = turns.get(family_of(name), -1) + 1
        if turn < MOST_OF_ONE_FAMILY:
            order.append((turn, index))
    chosen: list[int] = []
    for _, index in sorted(order):
        if len(chosen) < MOST_IMAGES and (not chosen or cosines[index, chosen].max() < SAME_DRAWING):
            chosen.append(index)
    return [names[index] for index in chosen]


def _is_foreign(index: int, names: list[str], inks: dict[str, Ink], portraits: NDArray[np.float32]) -> bool:
    """Whether no other family draws the letter like this: a placeholder, another letter's shape, or an unusual form."""
    others = portraits[[family_of(name) != family_of(names[index]) for name in names]]
    if len(others) == 0 or (others @ portraits[index]).max() >= FOREIGN_DRAWING:
        return False
    return bool((alike.views(inks[names[index]]) @ others.T).max() < FOREIGN_DRAWING)


def likeness_over_styles(letters: Sequence[Letter]) -> NDArray[np.float32]:
    """Largest likeness of each pair of letters over the reference styles, float32 [C, C]."""
    result = np.zeros((len(letters), len(letters)), dtype=np.float32)
    for family, ending in REFERENCE_STYLES.values():
        inks = [
            next((ink for face, ink in letter.inks.items() if face.startswith(family) and face.endswith(ending)), None)
            for letter in letters
        ]
        result = np.maximum(result, alike.likeness(inks))
    return result


def least_alike(among: NDArray[np.float32], most: int) -> list[int]:
    """`most` indices, each the least like those chosen before it, in ascending order."""
    chosen = [0]
    nearest = among[0].copy()
    while len(chosen) < min(most, len(among)):
        nearest[chosen] = np.inf
        chosen.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, among[chosen[-1]])
    return sorted(chosen)


def select(faces: Sequence[Face]) -> Selection:
    """Candidates that enough faces draw, each look once, large syllabaries thinned to the letters least alike."""
    letters = gather(faces)
    candidates = sum(len(candidate_letters(script)) for script in SCRIPTS)
    counts = {"candidates": candidates, "drawn by enough faces": len(letters)}
    alike_matrix = likeness_over_styles(letters)
    kept = alike.keep_first(alike_matrix, LOOKS_THE_SAME)
    counts["look like none before"] = len(kept)
    final: list[int] = []
    for script in SCRIPTS:
        own = np.array([index for index in kept if letters[index].script is script])
        final.extend(own[least_alike(alike_matrix[np.ix_(own, own)], script.most)])
    counts["classes"] = len(final)
    return Selection([letters[index] for index in final], counts)
