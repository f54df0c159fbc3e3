import os
from pathlib import Path

import pytest

from siambench.data.files import meant_by, open_regular, read_regular, write_whole
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


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("poeple", "people"),
        ("poeple/ann", "people/ann"),
        ("people/anne", "people/ann"),
        ("list.cvs", "list.csv"),
        ("poeple/bob", None),
        ("zzz", None),
        ("hiden", None),
        ("people", None),
        ("no\0name", None),
    ],
)
def test_the_nearest_path_that_there_is_takes_the_place_of_a_missing_one(tmp_path, monkeypatch, name, meant):
    """Of a path the first part that is missing is replaced by the nearest beside it, if the whole is there then; hidden names are none."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "people" / "ann").mkdir(parents=True)
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "list.csv").touch()

    assert meant_by(Path(name)) == ("" if meant is None else f", did you mean {meant!r}?")
    assert meant_by(tmp_path / name) == ("" if meant is None else f", did you mean {str(tmp_path / meant)!r}?")


def test_a_folder_that_may_not_be_read_gives_no_guess(tmp_path, monkeypatch):
    """Where what lies beside cannot be listed nothing is guessed, and nothing is raised."""

    def refused(_):
        raise PermissionError

    (tmp_path / "people").mkdir()
    monkeypatch.setattr(os, "scandir", refused)

    assert not meant_by(tmp_path / "poeple")


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path, monkeypatch):
    """What is written takes the place of what was there, with its permissions; a failing writer leaves the old one and nothing beside."""
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        write_whole(path, b"first")
    finally:
        os.umask(before)
    assert 0o640 == path.stat().st_mode & 0o777
    path.chmod(0o604)
    write_whole(path, b"second")
    assert (b"second", 0o604) == (path.read_bytes(), path.stat().st_mode & 0o777)

    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"third")
    assert [path] == list(tmp_path.iterdir())
    assert b"second" == path.read_bytes()
