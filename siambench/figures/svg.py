"""Pictures as SVG in a page of HTML: text, deterministic to the byte, coloured by the page's style.

`STYLE` stands once in the page. Shapes bear classes, so that one drawing is light, dark and printed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from siambench.figures.drawing import Box, Clip, Drawing, Drawn, Image, Ink, Label, Marker, Path
from siambench.figures.layout import NARROW, WIDE, laid_out
from siambench.figures.palette import DARK, LIGHT
from siambench.figures.picture import Picture
from siambench.wording import in_a_line, in_html

_SHAPES = {
    "square": ((-0.86, -0.86), (0.86, -0.86), (0.86, 0.86), (-0.86, 0.86)),
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "triangle": ((0, -1.15), (1.1, 0.8), (-1.1, 0.8)),
    "down": ((0, 1.15), (1.1, -0.8), (-1.1, -0.8)),
    "cross": (
        *((-0.4, -1.1), (0.4, -1.1), (0.4, -0.4), (1.1, -0.4), (1.1, 0.4), (0.4, 0.4)),
        *((0.4, 1.1), (-0.4, 1.1), (-0.4, 0.4), (-1.1, 0.4), (-1.1, -0.4), (-0.4, -0.4)),
    ),
}


def _variables(colours: Iterable[tuple[str, str]]) -> str:
    return "".join(f"--fig-{name}:{value};" for name, value in colours)


_LIGHT, _DARK = _variables(LIGHT.items()), _variables(DARK.items())
_FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif"

STYLE = "\n".join(
    [
        f".figure{{{_LIGHT}}}",
        f"@media screen and (prefers-color-scheme:dark){{.figure{{{_DARK}}}}}",
        "@media screen{",
        f'[data-theme="dark"] .figure{{{_DARK}}}',
        f'[data-theme="light"] .figure{{{_LIGHT}}}',
        "}",
        f".figure svg{{display:block;width:100%;height:auto;max-width:1000px;font-family:{_FONTS}}}",
        ".figure text{stroke:none}",
        ".figure .halo{paint-order:stroke;stroke:var(--fig-paper);stroke-width:3px;stroke-linejoin:round}",
        ".figure .bold{font-weight:600}",
        ".figure .narrow{display:none}",
        "@media screen and (max-width:560px){.figure .wide{display:none}.figure .narrow{display:block}}",
        *(f".figure .f-{name}{{fill:var(--fig-{name})}}.figure .s-{name}{{stroke:var(--fig-{name})}}" for name in LIGHT),
    ]
)
"""CSS for all figures of a page. The page may force a theme by ``data-theme="dark"`` or ``"light"`` on any element around them."""


def figure(picture: Picture) -> str:
    """A picture as HTML: one drawing for wide pages and one for narrow ones, of which `STYLE` shows the fitting one.

    Args:
        picture: what to draw; its title and caption are only told to those who cannot see it, and the page shows them beside it.
    """
    wide = svg(picture, WIDE, classes="wide")
    narrow = svg(picture, NARROW, classes="narrow")
    return f'<div class="figure">\n{wide}\n{narrow}\n</div>'


def svg(picture: Picture, width: float = WIDE, *, titled: bool = False, classes: str = "") -> str:
    """A picture as one ``<svg>`` element, to be set into HTML within an element of the class ``figure``, beside `STYLE`.

    Args:
        picture: what to draw.
        width: at which it is laid out, in pixels; it is shown at that of the page.
        titled: whether its title is drawn.
        classes: of the element.
    """
    return written(laid_out(picture, width, titled=titled), classes=classes)


def written(drawing: Drawing, *, classes: str = "") -> str:
    """A drawing as one ``<svg>`` element."""
    name = re.sub(r"[^A-Za-z0-9.-]", "-", drawing.name) + (f"-{classes}" if classes else "")
    head = (
        f'<svg viewBox="0 0 {_number(drawing.width)} {_number(drawing.height)}" role="img"'
        f' aria-labelledby="{name}-title {name}-text"' + (f' class="{in_html(classes)}"' if classes else "") + ">"
    )
    lines = [
        head,
        f'<title id="{name}-title">{_text(drawing.title)}</title>',
        f'<desc id="{name}-text">{_text(drawing.description)}</desc>',
    ]
    clips = 0
    for shape in drawing.shapes:
        if isinstance(shape, Clip):
            clips += 1
            place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'
            lines.append(f'<clipPath id="{name}-clip{clips}"><rect {place}/></clipPath><g clip-path="url(#{name}-clip{clips})">')
            lines += [_shape(inner) for inner in shape.shapes]
            lines.append("</g>")
        else:
            lines.append(_shape(shape))
    return "\n".join([*lines, "</svg>"])


def _shape(shape: Drawn) -> str:
    if isinstance(shape, Path):
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in shape.at)
        return _element("polygon" if shape.closed else "polyline", f'points="{points}"{_ink(shape.ink)}', shape.tip)
    if isinstance(shape, Box):
        place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'
        return _element("rect", f"{place}{_ink(shape.ink)}", shape.tip)
    if isinstance(shape, Marker):
        if shape.shape == "circle":
            place = f'cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
            return _element("circle", f"{place}{_ink(shape.ink)}", shape.tip)
        points = " ".join(f"{_number(x)},{_number(y)}" for x, y in corners(shape))
        return _element("polygon", f'points="{points}"{_ink(shape.ink)}', shape.tip)
    if isinstance(shape, Image):
        place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'
        return _element("image", f'{place} href="data:image/png;base64,{base64.b64encode(shape.png).decode("ascii")}"', shape.tip)
    return _label(shape)


def corners(marker: Marker) -> list[tuple[float, float]]:
    """The corners of a marker that is no circle."""
    return [(marker.x + x * marker.radius, marker.y + y * marker.radius) for x, y in _SHAPES[marker.shape]]


def _label(label: Label) -> str:
    classes = " ".join([f"f-{label.colour}", *(["halo"] if label.halo else []), *(["bold"] if label.bold else [])])
    place = f'x="{_number(label.x)}" y="{_number(label.y)}" font-size="{_number(label.size)}" class="{classes}"'
    place += "" if label.align == "start" else f' text-anchor="{label.align}"'
    place += "" if label.upright else f' transform="rotate(-90 {_number(label.x)} {_number(label.y)})"'
    tip = f"<title>{_text(label.tip)}</title>" if label.tip else ""
    return f"<text {place}>{tip}{_text(label.text)}</text>"


def _ink(ink: Ink) -> str:
    names = [f"f-{ink.fill}"] if ink.fill else []
    names += [f"s-{ink.stroke}"] if ink.stroke else []
    found = f' class="{" ".join(names)}"' + ("" if ink.fill else ' fill="none"')
    if ink.stroke and ink.width != 1:
        found += f' stroke-width="{_number(ink.width)}"'
    if ink.dash:
        found += f' stroke-dasharray="{" ".join(map(_number, ink.dash))}"'
    return found + (f' fill-opacity="{ink.opacity:g}"' if ink.opacity < 1 else "")


def _element(name: str, attributes: str, tip: str) -> str:
    return f"<{name} {attributes}><title>{_text(tip)}</title></{name}>" if tip else f"<{name} {attributes}/>"


def _text(text: str) -> str:
    return in_html(in_a_line(text))


def _number(value: float) -> str:
    """With a decimal at most."""
    text = f"{value:.1f}"
    return text.removesuffix(".0")
