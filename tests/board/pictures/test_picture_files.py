"""`board.pictures.files`: from what is asked to the file, whole or not at all."""

from __future__ import annotations

import pytest
from made import leave, several, study, table_of

from siambench.board.pictures.files import Asked, Drawing, check_out, picture_of, write
from siambench.board.pictures.scores import scores
from siambench.errors import UnknownNameError, UsageError


@pytest.fixture
def picture():
    return scores(table_of(several()))


@pytest.mark.parametrize("name", ["a.png", "a.svg", "a.pdf", "A.PDF"])
def test_a_file_of_ours_is_replaced(picture, tmp_path, name):
    """What was written before is written again, keeps its permissions, and leaves nothing beside it."""
    out = tmp_path / name
    write(picture, out)
    out.chmod(0o640)
    write(picture, out, Drawing(width=400))
    assert out.stat().st_mode & 0o777 == 0o640
    assert [name] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n\x1a\n a holiday", b"siambench plot", b"%PDF-1.4"])
def test_a_file_of_somebody_else_stays(picture, tmp_path, content):
    """A file that this has not written is kept as it is, and so are a link and a folder of that name."""
    out = tmp_path / "mine.png"
    out.write_bytes(content)
    with pytest.raises(UsageError, match=r"mine\.png is there and was not written by siambench plot"):
        write(picture, out)
    assert out.read_bytes() == content
    for number, make in enumerate((lambda path: path.symlink_to(out), lambda path: path.symlink_to("nowhere"), lambda path: path.mkdir())):
        other = tmp_path / f"other{number}.png"
        make(other)
        with pytest.raises(UsageError, match="not written by siambench plot"):
            check_out(other)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a.jpg", "written as .png, .svg, .pdf, got 'a.jpg'"),
        ("a", "got 'a'"),
        ("a.pgn", r"got 'a.pgn', did you mean '.png'\?"),
        ("nowhere/a.png", "there is no folder"),
    ],
)
def test_what_cannot_be_written_is_said_before_anything_is_drawn(tmp_path, name, words):
    """A suffix that is no figure's, and a folder that is not there, are one sentence."""
    with pytest.raises(UsageError, match=words):
        check_out(tmp_path / name)


def test_widths_have_bounds(picture, tmp_path):
    """A width below 240 or above 4,000 pixels is refused."""
    for width in (239, 4001):
        with pytest.raises(UsageError, match="lies in 240 … 4000 pixels"):
            write(picture, tmp_path / "a.png", Drawing(width=width))


def test_a_full_disk_leaves_nothing(picture, tmp_path, monkeypatch):
    """A file that cannot be replaced is one sentence, and its beginning is removed."""

    def refuse(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", refuse)
    with pytest.raises(UsageError, match="cannot be written: No space left on device"):
        write(picture, tmp_path / "a.png")
    assert [] == [path.name for path in tmp_path.iterdir()]


def test_names_of_rows_may_stand_in_one_word(tmp_path):
    """Several names with commas are several rows; a name that holds a comma is one row all the same."""
    odd = "triplet,npair"
    path = str(leave(tmp_path, [*several(), *study(odd, [0.3])]))
    assert picture_of(Asked(kind="scores", target=path, rows=("supcon,arcface",)))[0].y.names == ("supcon", "arcface")
    assert picture_of(Asked(kind="scores", target=path, rows=(odd,)))[0].y.names == (odd,)
    with pytest.raises(UnknownNameError, match="'supcom', did you mean 'supcon'"):
        picture_of(Asked(kind="scores", target=path, rows=("supcom, arcface",)))


def test_rows_of_one_name_are_told_by_their_keys(tmp_path):
    """`row:` and the first digits of a key are one of several rows of one name."""
    records = [*study("triplet", [0.5]), *study("triplet", [0.4], row="1234abcd" * 4)]
    path = str(leave(tmp_path, records))
    both, _ = picture_of(Asked(kind="scores", target=path, rows=("triplet",)))
    assert len(both.y.names) == 2
    assert len(set(both.y.names)) == 2
    one, _ = picture_of(Asked(kind="scores", target=path, rows=("row:1234",)))
    assert len(one.y.names) == 1
