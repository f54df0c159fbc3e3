"""Pictures as files: PNG, SVG and PDF, painted by matplotlib, which is imported when one is.

Fonts are embedded, and no file tells the time.
"""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any, Literal

from siambench.errors import UsageError
from siambench.figures.drawing import Box, Clip, Drawing, Drawn, Image, Ink, Label, Marker, Path
from siambench.figures.fonts import fonts_of, quiet, what_is_missing
from siambench.figures.layout import WIDE, laid_out
from siambench.figures.letters import clean
from siambench.figures.palette import DARK, LIGHT
from siambench.figures.picture import Picture
from siambench.figures.svg import corners

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

SUFFIXES = (".png", ".svg", ".pdf")
"""Of the files that can be painted."""

MARK = "siambench plot"
"""What painted files say that they were made by, by which they are known again."""

_SETTINGS: Mapping[str, Any] = {
    "pdf.fonttype": 42,  # whole TrueType fonts, as publishers ask for; type 3 is refused by some
    "svg.fonttype": "path",  # outlines look alike wherever the file is opened
    "svg.hashsalt": "siambench",
    "path.simplify": False,
    "text.usetex": False,
    "text.hinting": "none",  # letters fitted to whole pixels are wider than those that were measured
    "pdf.compression": 6,
}
_POINTS = 72.0


def painted(
    picture: Picture,
    suffix: str,
    *,
    width: float = WIDE,
    theme: Literal["light", "dark"] = "light",
    captioned: bool = False,
    dots: int = 200,
) -> bytes:
    """The bytes of a file with a picture.

    Args:
        picture: what to draw.
        suffix: ``".png"``, ``".svg"`` or ``".pdf"``.
        width: at which it is laid out, in pixels of which 96 are an inch.
        theme: its colours.
        captioned: whether its caption is painted below it; files hold it as their description in any case.
        dots: of a PNG, per inch.

    Raises:
        UsageError: if the suffix is another.
    """
    if suffix not in SUFFIXES:
        raise UsageError(f"a figure is written as {', '.join(SUFFIXES)}, got {suffix!r}")
    import matplotlib as mpl

    drawing = laid_out(picture, width, titled=True, captioned=captioned)
    fonts = fonts_of(drawing)
    # What the owner of a machine has set is left out: a figure looks alike everywhere.
    # But for the backend: to ask for it is to choose one, and to load what draws windows.
    known: Mapping[Any, Any] = mpl.rcParamsDefault
    settings: Any = {**{name: known[name] for name in known if "backend" not in name}, **_SETTINGS, "font.family": list(fonts.families)}
    with mpl.rc_context(settings), warnings.catch_warnings(), quiet():
        # A letter that no font here has is painted as a box, of which `unpainted` tells.
        warnings.filterwarnings("ignore", message=".*[Gg]lyph")
        # What a setting of the machine's owner says of a backend means nothing here: none is chosen.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        figure = _figure(drawing, LIGHT if theme == "light" else DARK, fonts.outlined if suffix == ".pdf" else frozenset())
        file = io.BytesIO()
        figure.savefig(file, format=suffix[1:], dpi=dots, metadata=_about(picture, suffix))
    return file.getvalue()


def unpainted(picture: Picture, *, width: float = WIDE, captioned: bool = False) -> str:
    """One sentence about letters of a picture that no font here has, and that `painted` makes boxes of; empty if there are none."""
    return what_is_missing(fonts_of(laid_out(picture, width, titled=True, captioned=captioned)))


def _about(picture: Picture, suffix: str) -> dict[str, str | None]:
    title, caption = clean(picture.title), " ".join(clean(line) for line in picture.caption.splitlines())
    if suffix == ".png":
        return {"Title": title, "Description": caption, "Software": MARK}
    if suffix == ".svg":
        return {"Title": title, "Description": caption, "Creator": MARK, "Date": None}
    return {"Title": title, "Subject": caption, "Creator": MARK, "Producer": None, "CreationDate": None, "ModDate": None}


def _figure(drawing: Drawing, colours: Mapping[str, str], outlined: frozenset[str]) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(drawing.width / 96, drawing.height / 96), facecolor=colours["paper"])
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    brush = _Brush(axes, colours, outlined)
    for shape in drawing.shapes:
        if isinstance(shape, Clip):
            for inner in shape.shapes:
                brush.paint(inner, within=shape)
        else:
            brush.paint(shape)
    return figure


class _Brush:
    """Paints shapes onto axes whose units are pixels, each above those before it; texts with some letters as outlines."""

    def __init__(self, axes: Any, colours: Mapping[str, str], outlined: frozenset[str]) -> None:
        self._axes, self._colours, self._outlined, self._order = axes, colours, outlined, 1

    def paint(self, shape: Drawn, *, within: Clip | None = None) -> None:
        from matplotlib.patches import Circle, Polygon, Rectangle

        self._order += 1
        if isinstance(shape, Path) and not shape.closed:
            self._line(shape, within)
        elif isinstance(shape, Path):
            self._patch(Polygon(shape.at, closed=True, **self._ink(shape.ink)), within)
        elif isinstance(shape, Box):
            self._patch(Rectangle((shape.x, shape.y), shape.width, shape.height, **self._ink(shape.ink)), within)
        elif isinstance(shape, Marker) and shape.shape == "circle":
            self._patch(Circle((shape.x, shape.y), shape.radius, **self._ink(shape.ink)), within)
        elif isinstance(shape, Marker):
            self._patch(Polygon(corners(shape), closed=True, **self._ink(shape.ink)), within)
        elif isinstance(shape, Image):
            self._image(shape)
        else:
            self._text(shape)

    def _ink(self, ink: Ink) -> dict[str, Any]:
        from matplotlib.colors import to_rgba

        fill = "none" if ink.fill is None else to_rgba(self._colours[ink.fill], ink.opacity)
        stroke = "none" if ink.stroke is None else self._colours[ink.stroke]
        width = _points(ink.width) if ink.stroke else 0.0
        return {"facecolor": fill, "edgecolor": stroke, "linewidth": width, "linestyle": _dash(ink), "zorder": self._order}

    def _line(self, shape: Path, within: Clip | None) -> None:
        from matplotlib.lines import Line2D

        line = Line2D(
            [x for x, _ in shape.at],
            [y for _, y in shape.at],
            color=self._colours[shape.ink.stroke or "ink"],
            linewidth=_points(shape.ink.width),
            linestyle=_dash(shape.ink),
            dash_capstyle="butt",
            solid_capstyle="butt",
            zorder=self._order,
        )
        self._axes.add_line(line)
        self._clip(line, within)

    def _patch(self, patch: Any, within: Clip | None) -> None:
        self._axes.add_patch(patch)
        self._clip(patch, within)

    def _clip(self, artist: Any, within: Clip | None) -> None:
        from matplotlib.patches import Rectangle

        if within is None:
            artist.set_clip_on(False)
        else:
            area = Rectangle((within.x, within.y), within.width, within.height, transform=self._axes.transData)
            artist.set_clip_path(area)

    def _image(self, shape: Image) -> None:
        from matplotlib.image import imread

        try:
            pixels = imread(io.BytesIO(shape.png), format="png")
        except (OSError, ValueError, SyntaxError) as error:
            raise UsageError(f"a thumbnail of the picture is no PNG file: {error}") from error
        height, width = pixels.shape[:2]
        scale = min(shape.width / width, shape.height / height)
        x, y = shape.x + (shape.width - width * scale) / 2, shape.y + (shape.height - height * scale) / 2
        self._axes.imshow(
            pixels,
            extent=(x, x + width * scale, y + height * scale, y),
            cmap="gray",
            vmin=0,
            vmax=1,
            aspect="auto",
            interpolation="nearest",
            zorder=self._order,
        )

    def _text(self, shape: Label) -> None:
        from matplotlib.patheffects import Normal, Stroke

        look = {
            "fontsize": _points(shape.size),
            "ha": {"start": "left", "middle": "center", "end": "right"}[shape.align],
            "va": "baseline",
            "fontweight": "bold" if shape.bold else "normal",
            "rotation": 0 if shape.upright else 90,
            "rotation_mode": "anchor",
            # A name may hold dollars, which would begin a formula.
            "parse_math": False,
            "zorder": self._order,
        }
        if shape.halo:
            # By itself, below the letters: what bears an effect is drawn as outlines, which nobody can search for or copy.
            around = Stroke(linewidth=_points(3), foreground=self._colours["paper"])
            self._axes.text(shape.x, shape.y, shape.text, path_effects=[around], **look)
        effects = [Normal()] if self._outlined.intersection(shape.text) else None
        self._axes.text(shape.x, shape.y, shape.text, color=self._colours[shape.colour], path_effects=effects, **look)


def _points(pixels: float) -> float:
    return pixels * _POINTS / 96


def _dash(ink: Ink) -> Any:
    # In units of the line's width, which lengths in pixels have to be divided by.
    return (0, tuple(length / max(ink.width, 0.1) for length in ink.dash)) if ink.dash else "-"
