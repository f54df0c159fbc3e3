"""The colours of figures, by what they say: light, which is printed too, and dark. Groups can be told apart by the colour-blind."""

from __future__ import annotations

from collections.abc import Mapping

LIGHT: Mapping[str, str] = {
    "paper": "#ffffff",
    "ink": "#1b1f24",
    "soft": "#57606a",
    "line": "#8c959f",
    "grid": "#e3e7eb",
    "muted": "#9aa4ae",
    "good": "#0067a8",
    "bad": "#c2570c",
    "open": "#e3e7eb",
    "g0": "#0067a8",
    "g1": "#c2570c",
    "g2": "#00805c",
    "g3": "#b0488c",
    "g4": "#8f6500",
    "g5": "#5b4fc0",
    "g6": "#1a78a5",
    "g7": "#7a4b2a",
    **dict(
        zip(
            (f"r{step}" for step in range(10)),
            ("#f4f8fb", "#e2edf5", "#cde0ee", "#b4d0e5", "#97bddb", "#7fb0d6", "#3a78ad", "#24679b", "#0f5587", "#063f6e"),
            strict=True,
        )
    ),
}
"""Markers and lines have a contrast of at least 3 to the paper, texts of 4.5."""

DARK: Mapping[str, str] = {
    "paper": "#14181d",
    "ink": "#e8ecf0",
    "soft": "#a8b2bc",
    "line": "#6b7580",
    "grid": "#2a313a",
    "muted": "#717c88",
    "good": "#62b5ee",
    "bad": "#f3944f",
    "open": "#2a313a",
    "g0": "#62b5ee",
    "g1": "#f3944f",
    "g2": "#35c79a",
    "g3": "#e49aca",
    "g4": "#e0b040",
    "g5": "#ab9ff7",
    "g6": "#8ad6f7",
    "g7": "#cf9b72",
    **dict(
        zip(
            (f"r{step}" for step in range(10)),
            ("#1a222b", "#1d2d3b", "#203a4e", "#234863", "#275979", "#2b6489", "#5097c2", "#67a9d2", "#7fbae1", "#a9d5f3"),
            strict=True,
        )
    ),
}
"""The same on a dark page."""

RAMP = 10
"""Steps of the ramp of a matrix, ``r0`` … ``r9``."""


def ramp(share: float) -> str:
    """The step of the ramp for a share in [0, 1]."""
    return f"r{min(RAMP - 1, max(0, int(share * RAMP)))}"


def on(colour: str) -> str:
    """The colour of text on an area of a colour."""
    strong = colour in ("good", "bad", "ink", "r6", "r7", "r8", "r9") or (colour[0] == "g" and colour[1:].isdigit())
    return "paper" if strong else "ink"
