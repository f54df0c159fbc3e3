import pytest

from siambench.data.walk import walk
from siambench.errors import DataError


def test_files_are_found_in_order_and_what_is_not_wanted_is_counted(tmp_path):
    """Files come sorted by the names on their way; hidden ones, links to nowhere and others are counted with an example each."""
    for name in ("b/1.x", "a/10.x", "a/2.x", "a/b/1.x", "c.y", "d.y", ".git/1.x", "a/.1.x"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "link.x").symlink_to("gone")

    found = walk(tmp_path, lambda path: path.suffix == ".x")

    assert found.names == (("a", "10.x"), ("a", "2.x"), ("a", "b", "1.x"), ("b", "1.x"))
    assert found.passed_over == ("2 files (c.y)", "2 hidden (.git)", "1 link to nowhere (link.x)")


def test_links_in_a_circle_end(tmp_path):
    """A link to a folder above, or to itself, is not followed for ever."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "up").symlink_to(tmp_path / "a")
    (tmp_path / "a" / "self").symlink_to("self")
    (tmp_path / "a" / "1.x").touch()

    found = walk(tmp_path, lambda path: True)

    assert found.names == (("a", "1.x"),)
    assert found.passed_over == ("1 link to nowhere (a/self)", "1 link in a circle (a/b/up)")


def test_more_folders_than_anybody_has_are_refused(tmp_path, monkeypatch):
    """Links can make more ways than there are folders: there is an end to it."""
    monkeypatch.setattr("siambench.data.walk._MOST_FOLDERS", 3)
    for name in "abc":
        (tmp_path / name).mkdir()

    with pytest.raises(DataError, match="holds more than 3 folders, links followed"):
        walk(tmp_path, lambda path: True)
