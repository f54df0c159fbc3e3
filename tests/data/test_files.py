import os

import pytest

from siambench.data.files import open_regular, read_regular
from siambench.errors import DataError, DataMissingError


def test_a_file_is_read_and_a_link_to_it_followed(tmp_path):
    """A file gives its content, by its own name and through a link."""
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to("file")

    for name in ("file", "link"):
        assert read_regular(tmp_path / name, most=7) == b"content"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("folder", "folder is a folder, expected a file"),
        ("pipe", "pipe is a pipe, expected a file"),
        ("zeros", "zeros is a device, expected a file"),
        ("large", "large holds 9 bytes, more than the 8 that are read"),
        ("circle", "circle cannot be read"),
        ("no\0name", "cannot be read"),
    ],
)
def test_what_is_no_file_is_told_at_once(tmp_path, name, message):
    """A folder, a pipe that nobody writes to, a link to a device without an end, and a file too large are refused by name."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    (tmp_path / "large").write_bytes(b"123456789")
    (tmp_path / "circle").symlink_to("circle")

    with pytest.raises(DataError, match=message):
        read_regular(tmp_path / name, most=8)


def test_what_is_not_there_is_missing(tmp_path):
    """No file, a link to nowhere, and a file for a folder are missing data."""
    (tmp_path / "nowhere").symlink_to("gone")
    (tmp_path / "file").touch()
    for path in (tmp_path / "nothing", tmp_path / "nowhere", tmp_path / "file" / "inside"):
        with pytest.raises(DataMissingError, match=f"no such file: {path}"):
            open_regular(path)
