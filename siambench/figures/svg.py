"""Pictures as SVG in a page of HTML: text, deterministic to the byte, coloured by the page's style.

`STYLE` stands once in the page. Shapes bear classes, so that one drawing is light, dark and printed.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Sequence
from itertools import groupby

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
    # Nobody points at anything on a telephone.
    narrow = svg(picture, NARROW, classes="narrow", tips=False)
    return f'<div class="figure">\n{wide}\n{narrow}\n</div>'


def svg(picture: Picture, width: float = WIDE, *, titled: bool = False, classes: str = "", tips: bool = True) -> str:
    """A picture as one ``<svg>`` element, to be set into HTML within an element of the class ``figure``, beside `STYLE`.

    Args:
        picture: what to draw.
        width: at which it is laid out, in pixels; it is shown at that of the page.
        titled: whether its title is drawn.
        classes: of the element.
        tips: whether marks say what they are when they are pointed at.
    """
    return written(laid_out(picture, width, titled=titled), classes=classes, tips=tips)


def written(drawing: Drawing, *, classes: str = "", tips: bool = True) -> str:
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
    pen, run = _Pen(name, tips=tips), list[Drawn]()
    for clips, shape in enumerate((*drawing.shapes, None)):
        if shape is not None and not isinstance(shape, Clip):
            run.append(shape)
            continue
        lines += pen.lines(run)
        run = []
        if shape is not None:
            place = f'x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'
            lines.append(f'<clipPath id="{name}-clip{clips}"><rect {place}/></clipPath><g clip-path="url(#{name}-clip{clips})">')
            lines += [*pen.lines(shape.shapes), "</g>"]
    return "\n".join([*lines, "</svg>"])


class _Pen:
    """Writes shapes: neighbours that look alike as a group that says so once, and an image that comes again as a use of the first."""

    def __init__(self, name: str, *, tips: bool) -> None:
        self._name, self._tips = name, tips
        self._images: dict[tuple[bytes, float, float], tuple[str, float, float]] = {}

    def lines(self, shapes: Sequence[Drawn]) -> list[str]:
        """The elements of some shapes, in their order."""
        found: list[str] = []
        for look, several in groupby(shapes, key=_look):
            written = [self._element(shape) for shape in several]
            if look and len(written) > 1:
                found += [f"<g{look}>", *(f"<{tag}{place}{rest}" for tag, place, rest in written), "</g>"]
            else:
                found += [f"<{tag}{place}{look}{rest}" for tag, place, rest in written]
        return found

    def _element(self, shape: Drawn) -> tuple[str, str, str]:
        """Its name, the attributes that say where it is, and what comes behind all attributes."""
        if isinstance(shape, Label):
            return "text", _place_of(shape), f">{self._told(shape.tip)}{_text(shape.text)}</text>"
        if isinstance(shape, Path):
            tag, place = "path", f' d="{_course(shape)}"'
        elif isinstance(shape, Box):
            tag, place = "rect", _at(shape)
        elif isinstance(shape, Image):
            tag, place = self._image(shape)
        elif shape.shape == "circle":
            tag, place = "circle", f' cx="{_number(shape.x)}" cy="{_number(shape.y)}" r="{_number(shape.radius)}"'
        else:
            tag, place = "path", f' d="{_course(Path(tuple(corners(shape)), shape.ink, closed=True))}"'
        tip = self._told(shape.tip)
        return tag, place, f">{tip}</{tag}>" if tip else "/>"

    def _told(self, tip: str) -> str:
        return f"<title>{_text(tip)}</title>" if tip and self._tips else ""

    def _image(self, shape: Image) -> tuple[str, str]:
        known = self._images.get((shape.png, shape.width, shape.height))
        if known is not None:
            name, x, y = known
            return "use", f' href="#{name}" x="{_number(shape.x - x)}" y="{_number(shape.y - y)}"'
        name = f"{self._name}-image{len(self._images)}"
        self._images[shape.png, shape.width, shape.height] = name, shape.x, shape.y
        return "image", f'{_at(shape)} id="{name}" href="data:image/png;base64,{base64.b64encode(shape.png).decode("ascii")}"'


def _at(shape: Box | Image) -> str:
    return f' x="{_number(shape.x)}" y="{_number(shape.y)}" width="{_number(shape.width)}" height="{_number(shape.height)}"'


def _course(path: Path) -> str:
    """The places of a path, in few letters: what goes straight across or down says one number alone."""
    found, before = "", None
    for x, y in ((_number(x), _number(y)) for x, y in path.at):
        if before is None:
            found = f"M{x} {y}"
        elif (x, y) != before:
            found += f"H{x}" if y == before[1] else f"V{y}" if x == before[0] else f"L{x} {y}"
        before = (x, y)
    return f"{found}Z" if path.closed else found


def corners(marker: Marker) -> list[tuple[float, float]]:
    """The corners of a marker that is no circle."""
    return [(marker.x + x * marker.radius, marker.y + y * marker.radius) for x, y in _SHAPES[marker.shape]]


def _place_of(label: Label) -> str:
    turned = "" if label.upright else f' transform="rotate(-90 {_number(label.x)} {_number(label.y)})"'
    return f' x="{_number(label.x)}" y="{_number(label.y)}"{turned}'


def _look(shape: Drawn) -> str:
    """The attributes that say how a shape looks, and may stand on a group of such shapes."""
    if isinstance(shape, Image):
        return ""
    if isinstance(shape, Label):
        classes = " ".join([f"f-{shape.colour}", *(["halo"] if shape.halo else []), *(["bold"] if shape.bold else [])])
        anchor = "" if shape.align == "start" else f' text-anchor="{shape.align}"'
        return f' font-size="{_number(shape.size)}" class="{classes}"{anchor}'
    return _ink(shape.ink)


def _ink(ink: Ink) -> str:
    names = [f"f-{ink.fill}"] if ink.fill else []
    names += [f"s-{ink.stroke}"] if ink.stroke else []
    found = f' class="{" ".join(names)}"' + ("" if ink.fill else ' fill="none"')
    if ink.stroke and ink.width != 1:
        found += f' stroke-width="{_number(ink.width)}"'
    if ink.dash:
        found += f' stroke-dasharray="{" ".join(map(_number, ink.dash))}"'
    return found + (f' fill-opacity="{ink.opacity:g}"' if ink.opacity < 1 else "")


def _text(text: str) -> str:
    return in_html(in_a_line(text))


def _number(value: float) -> str:
    """With a decimal at most."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
