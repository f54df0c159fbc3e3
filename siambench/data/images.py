"""One image file → pixels of 8 bits, as a viewer would show it on white paper.

What is done to each file, in this order:

- its first page or frame is taken;
- it is turned as its EXIF orientation says;
- greys deeper than 8 bits become value · 255 / white. White is 2^b - 1 for the smallest b of 8, 10, 12, 14, 16 that holds the
  largest value of the whole data set: the depths that cameras and scanners have, whatever the container. PGM and JPEG 2000 say their
  depth, which then counts;
- real numbers are greys in 0 … 1, whole numbers of 32 bits greys in 0 … 65535; other values are refused;
- what is transparent shows white;
- CMYK, YCbCr, Lab, HSV and palettes become RGB.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import numpy as np

from siambench.data.files import open_regular
from siambench.data.names import as_text, reason
from siambench.errors import DataError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

Mode = Literal["grey", "rgb"]

MOST_PIXELS = 89_478_485
"""Of one image: as many as Pillow takes without a warning, a quarter of a gigabyte in colour."""

_MANY_PIXELS = 1 << 24
_LARGE = threading.Lock()
"""Larger images are read one after the other, by however many threads: several at once would fill the memory."""

DEEPEST = 65535
_DEPTHS = (8, 10, 12, 14, 16)

_NOT_READ = frozenset({"EPS", "WMF", "BUFR", "GRIB", "HDF5", "MPEG", "IPTC", "FPX", "MIC"})
"""Formats that another program would have to draw, or of which Pillow knows the name alone."""

_GREYS = ("1", "L", "LA", "La", "F", "I", "I;16", "I;16B", "I;16L", "I;16N")
_SIXTEEN = ("I;16", "I;16B", "I;16L", "I;16N")
_TRANSPARENT = ("LA", "La", "PA", "RGBA", "RGBa")
_STRAIGHT = {"La": "LA", "RGBa": "RGBA"}
_ORIENTATION = 0x0112
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0
"""A TIFF tag and its value: of 8 bits Pillow turns such greys the right way round itself."""


@dataclass(frozen=True)
class Look:
    """What a file holds, as far as it matters for all files of its data set.

    Args:
        mode: as Pillow calls it.
        grey: whether every pixel is grey; None: it was not asked for.
        frames: pages or frames.
        largest: value of its greys where they are deeper than 8 bits, in 0 … 65535, or in 0 … 1 of real numbers; else 0.
        upper: the largest upper byte of colours of 16 bits, of which Pillow reads no more; None where there are none.
    """

    mode: str
    grey: bool | None
    frames: int
    largest: float = 0.0
    upper: int | None = None


@functools.cache
def _formats() -> tuple[frozenset[str], dict[str, str]]:
    """Formats that are known by how a file begins, and the format of each suffix."""
    from PIL import Image as Pillow

    Pillow.init()
    known = {name for name in Pillow.OPEN if name not in _NOT_READ}
    signed = frozenset(name for name in known if Pillow.OPEN[name][1] is not None)
    # MPO is a JPEG, and opened as one.
    return signed, {suffix: name for suffix, name in Pillow.registered_extensions().items() if name in known or name == "MPO"}


def _allowed(name: str) -> list[str]:
    # What has no mark of its own at its beginning is believed to be what its suffix says, and nothing else.
    signed, by_suffix = _formats()
    own = by_suffix.get(Path(name).suffix.lower())
    return sorted(signed | ({own} if own is not None else set()) - {"MPO"})


def suffixes() -> frozenset[str]:
    """The suffixes that image files have, in lower case, each with its dot."""
    return frozenset(_formats()[1])


def is_image(path: Path) -> bool:
    """Whether a file is taken for an image: by its suffix, and where that says nothing, by how it begins."""
    from PIL import Image as Pillow

    if path.suffix.lower() in suffixes():
        return True
    if path.suffix.lower() in Pillow.EXTENSION:
        return False
    try:
        with Pillow.open(path, formats=sorted(_formats()[0])):
            return True
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning):
        return True
    except Exception:  # noqa: BLE001  a file of any kind at all: what Pillow cannot tell is none
        return False


@contextlib.contextmanager
def _opened(file: Path | IO[bytes], called: str) -> Iterator[Image]:
    """An open image that is no larger than `MOST_PIXELS`; whatever goes wrong with it is said with its name."""
    import PIL
    from PIL import Image as Pillow

    allowed = _allowed(called)
    # Opened here: a pipe is told at once, and Pillow 13 reads some TIFFs that are stored on their side wrongly from a path.
    stream = open_regular(file) if isinstance(file, Path) else file
    try:
        with Pillow.open(stream, formats=allowed) as image:
            _check_size(image, called)
            turn = _LARGE if image.width * image.height > _MANY_PIXELS else contextlib.nullcontext()
            if image.format != "PNG":
                with turn:
                    yield image
                return
            # Of a PNG the pixels are read without a look at the checksums beside them.
            image.verify()
        stream.seek(0)
        with turn, Pillow.open(stream, formats=allowed) as image:
            yield image
    except DataError:
        raise
    except (Pillow.DecompressionBombError, Pillow.DecompressionBombWarning) as error:
        raise DataError(f"{called} has more than the {MOST_PIXELS:,} pixels that an image may have: make it smaller ({error})") from error
    except PIL.UnidentifiedImageError as error:
        raise DataError(f"{called} cannot be read as an image: it is damaged, or none of the formats that Pillow reads") from error
    except MemoryError as error:
        raise DataError(f"{called} cannot be read as an image: there is not enough memory for it") from error
    except Exception as error:  # a damaged file has a dozen ways to fail inside decoders
        raise DataError(f"{called} cannot be read as an image: {reason(error)}") from error
    finally:
        if stream is not file:
            stream.close()


def _check_size(image: Image, called: str) -> None:
    if image.width * image.height > MOST_PIXELS:
        raise DataError(
            f"{called} is {image.width} × {image.height} pixels, more than the {MOST_PIXELS:,} that an image may have: make it smaller"
        )
    if image.width * image.height == 0:
        raise DataError(f"{called} cannot be read as an image: it has no pixels")


def look(path: Path, *, colours: bool) -> Look:
    """What a file holds; its pixels are read only where they matter.

    Args:
        path: of the file.
        colours: whether to find out if it is grey, which takes reading it where its mode does not say so.

    Raises:
        DataError: if it cannot be read as an image.
    """
    called = as_text(path)
    with _opened(path, called) as image:
        frames = _frames(image)
        mode, is_grey = image.mode, image.mode in _GREYS
        if colours and not is_grey and image.format == "JPEG":
            # Whether there is colour shows in a small version, which is read in a fraction of the time.
            image.draft("RGB", (64, 64))
        half = _half_read(image)
        if half:
            pixels = np.asarray(image.convert("RGB" if not is_grey else "L"))
            return Look(mode, is_grey or _no_colour(pixels), frames, upper=int(pixels.max()))
        if mode in (*_SIXTEEN, "I", "F"):
            return Look(mode, grey=True, frames=frames, largest=_largest(image, called))
        if not colours:
            return Look(mode, None, frames)
        return Look(mode, is_grey or _no_colour(np.asarray(_on_white(image).convert("RGB"))), frames)


def _no_colour(pixels: NDArray[np.uint8]) -> bool:
    return bool((pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all())


def _frames(image: Image) -> int:
    # Of a PSD these are its layers, and what comes first is the whole.
    if image.format == "PSD":
        return 1
    try:
        found = int(getattr(image, "n_frames", 1))
        image.seek(0)
    except Exception:  # noqa: BLE001  what follows the first page is not read, so that its damage is no matter
        return 1
    return found


def _half_read(image: Image) -> bool:
    """Whether it has 16 bits for each of several channels, of which Pillow keeps the upper 8."""
    tile = getattr(image, "tile", None)
    arguments = tile[0].args if tile else None
    raw = arguments[0] if isinstance(arguments, tuple) and arguments else arguments
    return isinstance(raw, str) and ";16" in raw and image.mode not in (*_SIXTEEN, "I", "F")


def _largest(image: Image, called: str) -> float:
    values = np.asarray(image)
    low, high = values.min(), values.max()
    if image.mode == "F":
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"{called} is of mode F, real numbers in {low:g} … {high:g}: those in 0 … 1 are read, scale them or save greys of 8 bits"
            )
        return float(high)
    if low < 0 or high > DEEPEST:
        raise DataError(f"{called} is of mode {image.mode}, whole numbers in {low} … {high}: those in 0 … {DEEPEST} are read")
    # These two say how deep they are, and Pillow brings them to 16 bits.
    return float(DEEPEST) if image.format in ("PPM", "JPEG2000") else float(high)


def white_of(largest: float) -> int:
    """The value that is shown white where the largest of a data set is this: 2^b - 1, b one of 8, 10, 12, 14, 16."""
    return next((1 << depth) - 1 for depth in _DEPTHS if largest < 1 << depth or depth == _DEPTHS[-1])


def decode(
    file: str | Path | IO[bytes], *, size: int | None, mode: Mode, name: str | None = None, white: int = DEEPEST, keep: bool = False
) -> NDArray[np.uint8]:
    """One image as uint8 [C, size, size]; squeezed to a square where it is none, or with its proportions kept.

    Args:
        file: a path or an open file.
        size: edge in pixels; None keeps the image's own size.
        mode: ``"grey"`` (C = 1) or ``"rgb"`` (C = 3).
        name: what an error calls the file.
        white: of greys deeper than 8 bits, the value that is shown white; see `white_of`.
        keep: whether its proportions are kept: the shorter edge becomes ``size``, uint8 [C, h, w], as torchvision's ``Resize(size)``
            makes it of an image of Pillow's.

    Raises:
        DataError: if it cannot be read as an image, or is more than `LONGEST` times as long as it is wide and is to keep that; naming
            the file.
    """
    from PIL import Image as Pillow

    source = Path(file) if isinstance(file, str) else file
    called = name or (as_text(source) if isinstance(source, Path) else str(source))
    with _opened(source, called) as image:
        converted = _eight_bits(image, called, white).convert("L" if mode == "grey" else "RGB")
        if size is not None and keep:
            edges = _kept_edges(converted.size, size, called)
            converted = converted if converted.size == edges else converted.resize(edges, Pillow.Resampling.BILINEAR)
        elif size is not None and converted.size != (size, size):
            # Reduction by areas keeps thin strokes that sampling would lose.
            converted = converted.resize((size, size), Pillow.Resampling.BOX if min(converted.size) >= size else Pillow.Resampling.BICUBIC)
        pixels = np.asarray(converted, dtype=np.uint8)
    return pixels[None] if mode == "grey" else pixels.transpose(2, 0, 1)


LONGEST = 16
"""How many times as long as the other an edge may be where proportions are kept."""


def _kept_edges(edges: tuple[int, int], size: int, called: str) -> tuple[int, int]:
    short, long = sorted(edges)
    if long > LONGEST * short:
        raise DataError(
            f"{called} is {edges[0]} × {edges[1]} pixels: with its proportions kept, an edge is at most {LONGEST} times the other; crop it"
        )
    # Rounded down, as torchvision does.
    longer = size * long // short
    return (size, longer) if edges[0] <= edges[1] else (longer, size)


def fitted(image: NDArray[np.uint8], *, height: int, width: int) -> NDArray[np.uint8]:
    """A grey image at the largest size that fits, its proportions kept, in the middle of black: uint8 [H, W] to [height, width]."""
    from PIL import Image as Pillow

    scale = min(height / image.shape[0], width / image.shape[1])
    inner = tuple(max(1, round(edge * scale)) for edge in image.shape)
    # Reduction by areas keeps thin strokes that sampling would lose.
    how = Pillow.Resampling.BOX if scale < 1 else Pillow.Resampling.BICUBIC
    found = np.zeros((height, width), dtype=np.uint8)
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    found[top : top + inner[0], left : left + inner[1]] = np.asarray(Pillow.fromarray(image).resize(inner[::-1], how))
    return found


def _eight_bits(image: Image, called: str, white: int) -> Image:
    from PIL import Image as Pillow

    half = _half_read(image)
    image.load()
    clear = image.info.get("transparency")
    if half and isinstance(clear, tuple):
        # Of a colour that is told in 16 bits, the half that Pillow reads of the pixels.
        image.info["transparency"] = tuple(value >> 8 for value in clear)
    turned = _upright(image)
    if turned.mode not in (*_SIXTEEN, "I", "F"):
        return _on_white(turned)
    _largest(image, called)
    values = np.asarray(turned)
    if turned.mode == "F":
        scaled = np.rint(values * np.float32(255)).astype(np.uint8)
    else:
        # A value beyond white is of a file that changed since all were looked over.
        scaled = np.rint(np.arange(DEEPEST + 1) * (255 / white)).clip(0, 255).astype(np.uint8)[values]
    if getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO and image.mode != "F":
        scaled = 255 - scaled
    if isinstance(clear, int):
        scaled[values == clear] = 255
    return Pillow.fromarray(scaled)


def _upright(image: Image) -> Image:
    """As its orientation says; one whose EXIF data is damaged is shown as it is stored, as viewers do."""
    from PIL import ImageOps

    try:
        orientation = image.getexif().get(_ORIENTATION, 1)
    except Exception:  # noqa: BLE001  damage in what is said about a picture is no damage of the picture
        return image
    if orientation not in range(2, 9):
        return image
    turned: Image = ImageOps.exif_transpose(image)
    return turned


def _on_white(image: Image) -> Image:
    """An image without transparency, of mode L or RGB, or one that Pillow converts to either."""
    from PIL import Image as Pillow

    palette = image.palette.mode if image.mode == "P" and image.palette is not None else ""
    if image.mode in _TRANSPARENT or "transparency" in image.info or palette.endswith("A"):
        straight = image.convert(_STRAIGHT[image.mode]) if image.mode in _STRAIGHT else image
        ink = straight.convert("RGBA")
        paper = Pillow.new("RGB", ink.size, (255, 255, 255))
        paper.paste(ink, mask=ink.getchannel("A"))
        return paper
    if image.mode == "LAB":
        return _from_lab(image)
    return image if image.mode in ("1", "L", "RGB") else image.convert("RGB")


def _from_lab(image: Image) -> Image:
    from PIL import ImageCms

    profiles: tuple[Any, Any] = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    found = ImageCms.profileToProfile(image, *profiles, outputMode="RGB")
    if found is None:
        raise ValueError("its Lab colours cannot be converted")
    return found
