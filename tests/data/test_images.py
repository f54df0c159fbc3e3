"""Files of every mode that Pillow knows, written by Pillow or byte by byte, against what a viewer shows of them."""

import io
import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from siambench.data.images import MOST_PIXELS, decode, is_image, look, suffixes, white_of
from siambench.errors import DataError

RAMP = np.linspace(0, 255, 64).round().astype(np.uint8).reshape(8, 8)
COLOUR = np.stack([RAMP, RAMP[::-1], RAMP.T], axis=2)


def png(pixels, mode=None):
    """An open PNG file."""
    file = io.BytesIO()
    Image.fromarray(np.asarray(pixels, dtype=np.uint8), mode).save(file, format="PNG")
    file.seek(0)
    return file


def test_grey_and_colour_have_one_and_three_channels():
    """An image is read as [1, H, W] or [3, H, W], its pixels unchanged where the size fits."""
    grey = np.arange(16).reshape(4, 4) * 16
    colour = np.stack([grey, grey[::-1], grey.T], axis=2)

    assert np.array_equal(grey[None], decode(png(grey), size=None, mode="grey"))
    assert np.array_equal(grey[None], decode(png(grey), size=4, mode="grey"))
    assert np.array_equal(np.repeat(grey[None], 3, axis=0), decode(png(grey), size=None, mode="rgb"))
    assert np.array_equal(colour.transpose(2, 0, 1), decode(png(colour), size=None, mode="rgb"))


def test_reduction_averages_areas():
    """An image of twice the edge is reduced to the means of 2 × 2 pixels."""
    grey = np.arange(64).reshape(8, 8) * 3
    expected = grey.reshape(4, 2, 4, 2).mean(axis=(1, 3))

    found = decode(png(grey), size=4, mode="grey")[0]

    assert np.abs(found - expected).max() <= 1


def test_images_are_brought_to_a_square():
    """Enlarged or squeezed, the result is [C, size, size]."""
    for shape in ((3, 5), (20, 4), (2, 2)):
        assert decode(png(np.zeros(shape)), size=6, mode="rgb").shape == (3, 6, 6)


@pytest.mark.parametrize("content", [b"", b"no image at all", b"\x89PNG\r\n\x1a\n cut off"])
def test_a_file_that_is_no_image_is_named(content):
    """What cannot be read as an image is a DataError with the name of the file."""
    with pytest.raises(DataError, match=r"^cat\.png cannot be read as an image"):
        decode(io.BytesIO(content), size=4, mode="grey", name="cat.png")


def test_a_truncated_image_is_named(tmp_path):
    """A file that ends too early is a DataError as well."""
    whole = png(np.random.default_rng(0).integers(0, 256, (32, 32))).getvalue()
    path = tmp_path / "cut.png"
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DataError, match=r"cut\.png cannot be read"):
        decode(path, size=8, mode="grey")


# ---- formats


def kept(path, image, **options):
    """Write an image into a file and return its path."""
    image.save(path, **options)
    return path


LOSSLESS = ["png", "bmp", "gif", "pgm", "tif", "TIFF", "tga", "pcx", "sgi", "jp2", "ico", "webp", "dib", "ppm", "qoi"]


@pytest.mark.parametrize("suffix", LOSSLESS)
def test_every_format_that_keeps_greys_gives_them(tmp_path, suffix):
    """A grey image is read as it was, whatever lossless format it is kept in."""
    size = np.kron(RAMP, np.ones((4, 4), np.uint8))
    image = Image.fromarray(size)
    options = {"webp": {"lossless": True}, "ico": {"sizes": [(32, 32)]}}.get(suffix, {})
    image = image.convert({"ico": "RGBA", "qoi": "RGB"}.get(suffix, "L"))
    path = kept(tmp_path / f"a.{suffix}", image, **options)

    assert is_image(path)
    assert np.array_equal(size[None], decode(path, size=None, mode="grey"))


@pytest.mark.parametrize("suffix", ["jpg", "jfif", "jpe", "avif"])
def test_formats_that_lose_a_little_are_read(tmp_path, suffix):
    """JPEG under all its suffixes, and AVIF, are read to within what they lose."""
    smooth = np.kron(np.linspace(20, 230, 4).astype(np.uint8).reshape(2, 2), np.ones((16, 16), np.uint8))
    path = kept(tmp_path / f"a.{suffix}", Image.fromarray(smooth), quality=95, format="AVIF" if suffix == "avif" else "JPEG")

    found = decode(path, size=None, mode="grey")[0].astype(int)

    assert is_image(path)
    assert np.abs(found - smooth).mean() < 3


def test_content_counts_before_the_suffix(tmp_path):
    """A PNG called .jpg is read as what it is, one without a suffix is known by how it begins, and a text without one is none."""
    content = png(RAMP).getvalue()
    for name in ("a.jpg", "a", "a.jpg_large"):
        (tmp_path / name).write_bytes(content)
        assert is_image(tmp_path / name)
        assert np.array_equal(RAMP[None], decode(tmp_path / name, size=None, mode="grey"))
    for name, text in (
        ("README", b"P5 is a format"),
        ("notes.txt", b"BM"),
        ("empty", b""),
        ("page.ps", b"%!PS-Adobe-3.0"),
        ("a.pdf", content),
    ):
        (tmp_path / name).write_bytes(text)
        assert not is_image(tmp_path / name)


def test_no_other_program_is_asked(tmp_path):
    """PostScript and what Pillow only knows by name are no images, even under a suffix that is one."""
    assert not suffixes() & {".eps", ".ps", ".wmf", ".emf", ".h5", ".grib", ".mpg", ".pdf"}
    assert {".png", ".jpg", ".jfif", ".pgm", ".webp", ".tif", ".tiff", ".gif", ".bmp", ".jp2", ".avif"} <= suffixes()
    path = tmp_path / "a.png"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n%%EndComments\n0 0 10 10 rectfill\n")
    with pytest.raises(DataError, match=r"a\.png cannot be read as an image"):
        decode(path, size=None, mode="grey")


# ---- depth


@pytest.mark.parametrize(("largest", "white"), [(0, 255), (255, 255), (256, 1023), (1000, 1023), (2040, 4095), (4095, 4095), (4096, 16383)])
def test_white_is_the_least_depth_that_holds_all(largest, white):
    """The value shown white is that of the smallest depth of cameras, 8, 10, 12, 14 or 16 bits, that holds the largest."""
    assert white_of(largest) == white
    assert white_of(65535) == 65535


@pytest.mark.parametrize("suffix", ["png", "tif", "jp2"])
@pytest.mark.parametrize("white", [4095, 65535])
def test_deep_greys_keep_their_content(tmp_path, suffix, white):
    """Greys of 12 and 16 bits in a file of 16 come out as the nearest of 8 bits, not clipped."""
    values = (RAMP.astype(np.uint16).astype(float) / 255 * white).round().astype(np.uint16)
    path = kept(tmp_path / f"a.{suffix}", Image.fromarray(values))

    assert look(path, colours=True).largest == (65535 if suffix == "jp2" else white)
    assert np.array_equal(RAMP[None], decode(path, size=None, mode="grey", white=white))
    assert np.array_equal(np.repeat(RAMP[None], 3, axis=0), decode(path, size=None, mode="rgb", white=white))


def test_pgm_says_its_depth(tmp_path):
    """A PGM of 12 bits is scaled by the depth that its heading says."""
    values = (RAMP.astype(float) / 255 * 4095).round().astype(">u2")
    path = tmp_path / "a.pgm"
    path.write_bytes(b"P5 8 8 4095\n" + values.tobytes())

    assert look(path, colours=True).largest == 65535
    assert np.array_equal(RAMP[None], decode(path, size=None, mode="grey"))


def test_real_numbers_are_greys_from_0_to_1(tmp_path):
    """A TIFF of mode F in 0 … 1 is scaled to 255; other numbers are refused with the file, the mode and what it holds."""
    path = kept(tmp_path / "a.tif", Image.fromarray((RAMP / 255).astype(np.float32)))
    assert np.array_equal(RAMP[None], decode(path, size=None, mode="grey"))
    for factor, span in ((2, "0 … 2"), (-1, "-1 … -?0"), (np.nan, "nan … nan")):
        kept(path, Image.fromarray((RAMP / 255 * factor).astype(np.float32)))
        with pytest.raises(DataError, match=rf"a\.tif is of mode F, real numbers in {span}"):
            decode(path, size=None, mode="grey")


def test_whole_numbers_of_32_bits_are_greys_of_16(tmp_path):
    """A TIFF of mode I in 0 … 65535 is read as one of 16 bits; other numbers are refused with file, mode and range."""
    path = kept(tmp_path / "a.tif", Image.fromarray(RAMP.astype(np.int32) * 257))
    assert np.array_equal(RAMP[None], decode(path, size=None, mode="grey"))
    kept(path, Image.fromarray(RAMP.astype(np.int32) * 257 - 1))
    with pytest.raises(DataError, match=r"a\.tif is of mode I, whole numbers in -1 … 65534: those in 0 … 65535"):
        look(path, colours=False)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def deep_colour(values):
    """A PNG of 16 bits a channel, which Pillow cannot write: uint16 [H, W, 3]."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def test_colours_of_16_bits_are_read_by_their_upper_8(tmp_path):
    """Of a PNG of 16 bits a channel the upper byte is read, and how much of it is used is told."""
    path = tmp_path / "a.png"
    path.write_bytes(deep_colour(COLOUR.astype(np.uint16) * 257))
    assert np.array_equal(COLOUR.transpose(2, 0, 1), decode(path, size=None, mode="rgb"))
    assert look(path, colours=False).upper == 255
    path.write_bytes(deep_colour(COLOUR.astype(np.uint16) * 16))
    assert look(path, colours=False).upper == 15


# ---- modes


def over_white(alpha):
    return 255 - alpha.astype(int)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_what_is_transparent_shows_white(tmp_path, mode):
    """Black ink on transparent paper is black on white, whichever way the transparency is kept."""
    picture = Image.new("LA", (8, 8), (0, 0))
    picture.putalpha(Image.fromarray(RAMP))
    if mode == "RGBA":
        path = kept(tmp_path / "a.png", picture.convert("RGBA"))
    elif mode == "P":
        path = kept(tmp_path / "a.png", picture.convert("RGBA").quantize(256))
    elif mode == "PA":
        path = kept(tmp_path / "a.tif", picture.convert("RGBA"))
    else:
        path = kept(tmp_path / "a.png", picture)

    found = decode(path, size=None, mode="grey")[0].astype(int)

    assert np.abs(found - over_white(RAMP)).max() <= (16 if mode == "P" else 1)
    assert look(path, colours=True).grey


def test_a_transparent_colour_shows_white(tmp_path):
    """A colour that a PNG or a GIF declares to be transparent is white; the others stay."""
    values = np.where(RAMP > 128, 40, 200).astype(np.uint8)
    path = kept(tmp_path / "a.png", Image.fromarray(values), transparency=40)
    assert np.array_equal(np.where(values == 40, 255, 200)[None], decode(path, size=None, mode="grey"))
    deep = kept(tmp_path / "b.png", Image.fromarray(values.astype(np.uint16) * 257), transparency=40 * 257)
    assert set(np.unique(decode(deep, size=None, mode="grey"))) <= {40, 200, 255}
    indexed = Image.fromarray(values).quantize(2)
    first = indexed.getpixel((0, 0))
    gif = kept(tmp_path / "c.gif", indexed, transparency=first)
    assert decode(gif, size=None, mode="grey")[0, 0, 0] == 255


def test_a_transparent_colour_of_16_bits_shows_white(tmp_path):
    """A PNG of 16 bits for each of three colours, one of which it declares to be transparent: that one is white, the other stays."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    values = np.full((4, 5, 3), (1000, 2000, 3000), dtype=">u2")
    values[0, 0] = 60000, 300, 10
    rows = b"".join(b"\0" + row.tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 5, 4, 16, 2, 0, 0, 0)
    parts = [(b"IHDR", header), (b"tRNS", struct.pack(">HHH", 1000, 2000, 3000)), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts))

    found = decode(path, size=None, mode="rgb")

    assert [60000 >> 8, 1, 0] == found[:, 0, 0].tolist()
    assert (found.reshape(3, -1)[:, 1:] == 255).all()


def test_cmyk_ycbcr_lab_and_palettes_are_shown_in_their_colours(tmp_path):
    """Red is red, in whichever way colours are kept."""
    red = Image.new("RGB", (8, 8), (250, 10, 10))
    lab = ImageCms.profileToProfile(red, ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB")
    files = [
        kept(tmp_path / "a.jpg", red.convert("CMYK"), quality=95),
        kept(tmp_path / "a.tif", red.convert("CMYK")),
        kept(tmp_path / "b.tif", red.convert("YCbCr")),
        kept(tmp_path / "p.png", red.quantize(4)),
        kept(tmp_path / "p.gif", red.quantize(4)),
        kept(tmp_path / "lab.tif", lab),
    ]
    for path in files:
        found = decode(path, size=None, mode="rgb")[:, 4, 4].astype(int)
        assert np.abs(found - (250, 10, 10)).max() < 25, (path.name, found)
        assert look(path, colours=True).grey is False


def test_one_bit_is_black_and_white(tmp_path):
    """An image of one bit a pixel has the values 0 and 255."""
    path = kept(tmp_path / "a.png", Image.fromarray(RAMP > 100))
    assert np.array_equal(np.where(RAMP > 100, 255, 0)[None], decode(path, size=None, mode="grey"))


def test_grey_is_told_from_colour(tmp_path):
    """Greys that are kept as colours are grey; one pixel of colour makes an image coloured."""
    grey = np.repeat(RAMP[..., None], 3, axis=2)
    assert look(kept(tmp_path / "a.png", Image.fromarray(grey)), colours=True).grey is True
    assert look(kept(tmp_path / "a.jpg", Image.fromarray(grey)), colours=True).grey is True
    grey[3, 3, 0] ^= 1
    assert look(kept(tmp_path / "a.png", Image.fromarray(grey)), colours=True).grey is False
    assert look(tmp_path / "a.png", colours=False).grey is None


# ---- orientation, pages


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_are_turned_as_viewers_turn_them(tmp_path, suffix, orientation):
    """Each of the eight orientations of EXIF gives the picture that was meant, in each format that has them."""
    meant = np.zeros((16, 24), np.uint8)
    meant[:8, :8] = 250
    meant[8:, 16:] = 120
    # The way back from what is meant to what such a camera stores.
    back = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = Image.fromarray(meant)
    for step in back.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"jpg": {"quality": 100}, "webp": {"lossless": True}}.get(suffix, {})
    path = kept(tmp_path / f"a.{suffix}", stored, exif=exif, **options)

    found = decode(path, size=None, mode="grey")[0].astype(int)

    assert found.shape == meant.shape
    assert np.abs(found - meant).max() < 12


def test_of_many_pages_the_first_is_read(tmp_path):
    """Of a TIFF of pages, an animated GIF and an APNG the first picture is read, and their number told."""
    pages = [Image.new("L", (8, 8), value) for value in (10, 120, 250)]
    for suffix in ("tif", "gif", "png"):
        path = kept(tmp_path / f"a.{suffix}", pages[0], save_all=True, append_images=pages[1:])
        assert look(path, colours=False).frames == 3
        assert np.array_equal(np.full((1, 8, 8), 10), decode(path, size=None, mode="grey"))


# ---- damage


def test_a_scan_that_is_too_large_is_refused_by_name(tmp_path):
    """More pixels than `MOST_PIXELS` are refused with the file's name before they are read, below and above where Pillow refuses."""
    for width, height in ((10_000, 10_000), (14_000, 14_000), (MOST_PIXELS + 1, 1)):
        head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
        path = tmp_path / "scan.png"
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 2000)) + chunk(b"IEND", b""))
        for reading in (lambda path=path: look(path, colours=True), lambda path=path: decode(path, size=8, mode="grey")):
            with pytest.raises(DataError, match=r"scan\.png .* more than the 89,478,485 .*make it smaller|scan\.png has more than the 89"):
                reading()


def test_a_changed_byte_of_a_png_is_found(tmp_path):
    """Pixels of a PNG are covered by checksums, which are looked at: no byte of them can change unseen."""
    good = png(np.random.default_rng(0).integers(0, 256, (16, 16))).getvalue()
    start, end = good.index(b"IDAT"), good.index(b"IEND") - 4
    for place in range(start, end):
        bad = bytearray(good)
        bad[place] ^= 0x10
        (tmp_path / "a.png").write_bytes(bad)
        with pytest.raises(DataError, match=r"a\.png cannot be read"):
            decode(tmp_path / "a.png", size=None, mode="grey")


@pytest.mark.parametrize("suffix", ["png", "jpg", "gif", "bmp", "tif", "webp", "pgm", "jp2", "tga"])
def test_a_file_that_ends_too_early_is_refused(tmp_path, suffix):
    """Half a file is refused by name, in every format."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 256, (64, 64)).astype(np.uint8))
    path = kept(tmp_path / f"cut.{suffix}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    with pytest.raises(DataError, match=rf"cut\.{suffix} cannot be read"):
        decode(path, size=None, mode="grey")


def test_damaged_exif_data_is_no_damage_of_the_picture(tmp_path):
    """A picture whose EXIF data makes no sense is shown as it is stored."""
    path = kept(tmp_path / "a.png", Image.fromarray(RAMP), exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff")
    assert np.array_equal(RAMP[None], decode(path, size=None, mode="grey"))


def test_a_name_that_is_not_utf8_is_read_and_named(tmp_path):
    """A file whose name is no UTF-8 is read like any other, and an error spells the bytes out."""
    raw = os.fsdecode(os.fsencode(tmp_path) + b"/b\xfcld.png")
    with open(raw, "wb") as file:  # noqa: PTH123  a name of bytes
        file.write(png(RAMP).getvalue())
    assert np.array_equal(RAMP[None], decode(raw, size=None, mode="grey"))
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(b"nothing")
    with pytest.raises(DataError, match=r"b\\xfcld\.png cannot be read"):
        decode(raw, size=None, mode="grey")
