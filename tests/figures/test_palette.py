"""`figures.palette`: what is drawn can be seen."""

from __future__ import annotations

from itertools import combinations

import pytest

from siambench.figures.drawing import SOLID
from siambench.figures.marks import look_of
from siambench.figures.palette import DARK, LIGHT, RAMP, on, ramp


def channels(colour):
    return [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]


def linear(colour):
    return [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels(colour)]


def contrast(one, other):
    """Of WCAG 2.1."""
    light, dark = sorted((0.2126 * r + 0.7152 * g + 0.0722 * b for r, g, b in (linear(one), linear(other))), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
def test_contrasts_are_those_of_the_guidelines(colours):
    """Texts have a contrast of 4.5 to what they stand on, markers and lines of 3 to the paper (WCAG 2.1, 1.4.3 and 1.4.11)."""
    assert min(contrast(colours[name], colours["paper"]) for name in ("ink", "soft")) >= 4.5
    assert min(contrast(colours[f"g{n}"], colours["paper"]) for n in range(8)) >= 3
    assert min(contrast(colours[name], colours["paper"]) for name in ("good", "bad", "line")) >= 3
    areas = [*(f"r{n}" for n in range(RAMP)), *(f"g{n}" for n in range(8)), "good", "bad", "open", "ink"]
    assert {area: contrast(colours[area], colours[on(area)]) for area in areas if contrast(colours[area], colours[on(area)]) < 4.5} == {}


# Machado, Oliveira, Fernandes, A Physiologically-based Model for Simulation of Color Vision Deficiency, 2009; severity 1.
BLIND = {
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
}


def lab(rgb):
    """CIE L*a*b* of linear RGB, D65."""
    r, g, b = (min(max(c, 0.0), 1.0) for c in rgb)
    x, y, z = 0.4124 * r + 0.3576 * g + 0.1805 * b, 0.2126 * r + 0.7152 * g + 0.0722 * b, 0.0193 * r + 0.1192 * g + 0.9505 * b
    fx, fy, fz = ((t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116) for t in (x / 0.95047, y, z / 1.08883))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("colours", [LIGHT, DARK])
@pytest.mark.parametrize("kind", BLIND)
def test_the_first_groups_can_be_told_apart_by_the_colour_blind(colours, kind):
    """The first three groups, and better from worse, lie at least 15 apart (CIE 1976) as protanopes and deuteranopes see them."""

    def seen(name):
        return lab([sum(f * c for f, c in zip(row, linear(colours[name]), strict=True)) for row in BLIND[kind]])

    for one, other in [*combinations([f"g{n}" for n in range(SOLID)], 2), ("good", "bad"), ("good", "open"), ("bad", "open")]:
        assert sum((a - b) ** 2 for a, b in zip(seen(one), seen(other), strict=True)) ** 0.5 >= 15, (one, other)


def test_the_ramp_has_an_end_on_both_sides():
    """Shares from 0 to 1 go through the ten steps, and what lies outside them to the nearest."""
    assert ["r0", "r0", "r5", "r9", "r9"] == [ramp(share) for share in (-1.0, 0.0, 0.5, 1.0, 7.0)]


def test_groups_differ_in_more_than_their_colour():
    """Of eight groups no two have both the same marker and the same dashes, and beyond the first three no line is solid."""
    groups = tuple("abcdefgh")
    looks = [look_of(groups, group, "plain") for group in groups]
    assert len({(look.shape, look.dash) for look in looks}) == 8
    assert [bool(look.dash) for look in looks] == [False] * SOLID + [True] * (8 - SOLID)
    assert len({look.colour for look in looks}) == 8
