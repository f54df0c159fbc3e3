"""The lists that data sets bring."""

import hashlib

import pytest

from siambench.data.lists import check_counts, files_in, read_list, seen
from siambench.errors import DataError, DataMissingError


def listing(tmp_path, content, fields=2, **options):
    path = tmp_path / "list.txt"
    path.write_bytes(content)
    return read_list(path, fields, **options)


def test_fields_are_parted_by_white_space_and_the_last_takes_the_rest(tmp_path):
    """Blank lines are none, numbers of lines are those of the file, and a name may hold blanks."""
    found = listing(tmp_path, b"1 a b.png\n\n  2\tc.png  \n")

    assert [(line.number, line.fields) for line in found.lines] == [(1, ("1", "a b.png")), (3, ("2", "c.png"))]
    assert found.sha256 == hashlib.sha256(b"1 a b.png\n\n  2\tc.png  \n").hexdigest()
    assert seen(found) == f"no checksum is published; SHA-256 of what was read: list.txt {found.sha256[:16]}…"


def test_a_heading_is_passed_over(tmp_path):
    """So many lines at the beginning are none."""
    assert [line.fields for line in listing(tmp_path, b"id name\n1 a\n", skip=1).lines] == [("1", "a")]


@pytest.mark.parametrize("content", [b"\xef\xbb\xbf1 a\r\n2 b\r\n", b"1 a\r\n2 b", b"1 a\n2 b\n"])
def test_marks_and_line_ends_are_no_part_of_fields(tmp_path, content):
    """A BOM and CRLF."""
    assert [line.fields for line in listing(tmp_path, content).lines] == [("1", "a"), ("2", "b")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"list\.txt lists nothing"),
        (b"\n \n", r"list\.txt lists nothing"),
        (b"1 a\n2\n", r"list\.txt: line 2 has 1 fields, expected 2: '2'"),
        (b"1 a\x00b\n", r"list\.txt: line 1 holds a zero byte: it is no list"),
    ],
)
def test_lists_that_do_not_hold_are_one_sentence(tmp_path, content, message):
    """Empty ones, lines too short, bytes that are no text."""
    with pytest.raises(DataError, match=message):
        listing(tmp_path, content)
    with pytest.raises(DataMissingError, match="no such file"):
        read_list(tmp_path / "none.txt", 2)


@pytest.mark.parametrize("text", ["x", "-1", "1.0", "", "１", "9" * 13])
def test_whole_numbers_are_digits(tmp_path, text):
    """Nothing but ASCII digits is a number, and not thirteen of them."""
    found = listing(tmp_path, f"{text or '_'} a\n".encode())

    with pytest.raises(DataError, match="line 1: the number must be a whole number, got"):
        found.whole(found.lines[0], 0, "the number")
    assert listing(tmp_path, b"007 a\n").whole(listing(tmp_path, b"007 a\n").lines[0], 0, "the number") == 7


def test_files_that_a_list_names_are_there(tmp_path):
    """Files below a folder; missing ones are counted, with the first line."""
    (tmp_path / "images").mkdir()
    (tmp_path / "images/a.png").write_text("x")
    found = listing(tmp_path, b"1 a.png\n2 b.png\n3 c.png\n")

    with pytest.raises(DataError, match=r"2 of the 3 files that it names are not in .*images, the first in line 2: b\.png"):
        files_in(tmp_path, found, 1, below="images")
    assert files_in(tmp_path, listing(tmp_path, b"1 a.png\n"), 1, below="images") == [tmp_path / "images/a.png"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../a.png", "b/../../a.png", "b\\a.png"])
def test_names_stay_below_the_folder(tmp_path, name):
    """What leads out of the folder is refused."""
    with pytest.raises(DataError, match=r"line 1 names .*, which is no place below"):
        files_in(tmp_path, listing(tmp_path, f"1 {name}\n".encode()), 1)


def test_counts_that_differ_are_told():
    """The first that differs, with both numbers."""
    check_counts("birds", [("classes", 2, 2)])
    with pytest.raises(
        DataError, match="birds has 11,788 images, here are 12: it is not what is published; a part of it is read by csv or folder"
    ):
        check_counts("birds", [("classes", 2, 2), ("images", 12, 11788)])
