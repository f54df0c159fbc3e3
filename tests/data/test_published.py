"""Where published data sets are looked for, and archives that are unpacked into the cache."""

import contextlib
import io
import os
import tarfile
import zipfile

import pytest

from siambench.data.locate import Remote
from siambench.data.published import Published, home_of
from siambench.data.unpack import unpacked
from siambench.errors import DataError, DataMissingError


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    """An empty cache, and data in a folder of its own."""
    monkeypatch.setenv("SIAMBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path / "data"))
    return tmp_path


def archive(path, files, kind="tar"):
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as file:
            for name, content in files.items():
                file.writestr(name, content)
    else:
        with tarfile.open(path, "w:gz") as file:
            for name, content in files.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                if content.startswith(b"->"):
                    entry.type, entry.linkname, entry.size = tarfile.SYMTYPE, content[2:].decode(), 0
                file.addfile(entry, io.BytesIO(content))
    return Remote(path.name, "http://127.0.0.1:9/page", "", "set", by_hand=True)


def wanted(**more):
    return Published("set", "http://127.0.0.1:9/page", ("list.txt", "images"), "Outer", **more)


def put(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x") if "." in name else (folder / name).mkdir()


def test_places_are_looked_at_in_order(folders):
    """Below SIAMBENCH_DATA the folder in the set's own, the set's own, the folder at the top; then the same in the cache."""
    places = wanted().places

    assert [str(place.relative_to(folders)) for place in places] == [
        "data/set/Outer",
        "data/set",
        "data/Outer",
        "cache/set/Outer",
        "cache/set",
        "cache/Outer",
    ]
    for place in reversed(places):
        put(place, "list.txt", "images")
        assert home_of(wanted())[1] == place


def test_the_first_layout_that_is_whole_is_taken(folders):
    """A layout of which a part lacks is passed over for one that is whole."""
    other = Published("set", "http://127.0.0.1:9/page", ("other.txt",))
    put(folders / "data/set/Outer", "list.txt")
    put(folders / "data/set", "other.txt")

    assert home_of(wanted(), other) == (other, folders / "data/set")


def test_what_is_missing_is_told(folders):
    """Nothing at all, a part, archives to be had: each is one sentence with the place."""
    with pytest.raises(
        DataMissingError,
        match=r"^data set set is missing: get it from http://127.*/page and put it into .*/data/set, so that .*/Outer/list\.txt is there$",
    ):
        home_of(wanted())
    remote = Remote("a.tgz", "http://127.0.0.1:9/a.tgz", "", "set", by_hand=True)
    with pytest.raises(
        DataMissingError, match=r"get a\.tgz from .* and put it into .*/data/set, or unpack it there, so that .*/list\.txt is there$"
    ):
        home_of(wanted(archives=(remote,)))
    put(folders / "data/set/Outer", "images")
    with pytest.raises(DataMissingError, match=r"^data set set is not whole: .*Outer has images and lacks list\.txt; http"):
        home_of(wanted())


def test_files_are_those_that_doctor_looks_for(folders):
    """The files of a folder, found in any of its places; or archives, where those are what is there."""
    assert [(remote.name, remote.folder, remote.by_hand) for remote in wanted().files] == [("list.txt", "set/Outer", True)]
    remote = archive(folders / "data/set/a.tgz", {"Outer/list.txt": b"x", "Outer/images/a.png": b"x"})
    assert wanted(archives=(remote,)).files == (remote,)


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_unpacked_once(folders, kind):
    """Tar and zip are unpacked into the cache, and the second time found there; a changed archive is unpacked anew."""
    path = folders / "data/set" / f"a.{kind}"
    remote = archive(path, {"Outer/list.txt": b"one", "Outer/images/a.png": b"x"}, kind)
    _, first = home_of(wanted(archives=(remote,)))
    assert (first / "list.txt").read_text() == "one"
    (first / "list.txt").write_text("kept")
    assert (home_of(wanted(archives=(remote,)))[1] / "list.txt").read_text() == "kept"

    archive(path, {"Outer/list.txt": b"another", "Outer/images/a.png": b"x"}, kind)
    os.utime(path, (1, 1))
    assert (home_of(wanted(archives=(remote,)))[1] / "list.txt").read_text() == "another"


def test_an_archive_of_something_else_is_told(folders):
    """An archive that is whole, and holds other files."""
    remote = archive(folders / "data/set/a.tgz", {"Outer/other.txt": b"x"})

    with pytest.raises(DataMissingError, match=r"a\.tgz of set holds no list\.txt"):
        home_of(wanted(archives=(remote,)))


@pytest.mark.parametrize("name", ["../out.txt", "/tmp/siambench-out.txt", "Outer/../../out.txt"])
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_nothing_is_written_outside(folders, kind, name):
    """Names that lead out of the folder are refused, or stay inside; nothing is written anywhere else."""
    remote = archive(folders / "data/set" / f"a.{kind}", {name: b"x", "Outer/list.txt": b"x"}, kind)
    before = sorted(path.name for path in folders.iterdir())

    with contextlib.suppress(DataError):
        inside = unpacked((remote,), "set")
        assert all(path.resolve().is_relative_to(inside) for path in inside.rglob("*"))
    assert sorted(path.name for path in folders.iterdir()) in (before, sorted({*before, "cache"}))
    assert not os.path.exists("/tmp/siambench-out.txt")  # noqa: PTH110
    assert list(folders.rglob("out.txt")) == [] or all("unpacked" in str(path) for path in folders.rglob("out.txt"))


def test_links_that_lead_outside_are_refused(folders):
    """A link to a file elsewhere is not made."""
    remote = archive(folders / "data/set/a.tgz", {"Outer/list.txt": b"->/etc/passwd"})

    with pytest.raises(DataError, match=r"a\.tgz is damaged \(.*list\.txt.*\): replace it by a\.tgz from"):
        unpacked((remote,), "set")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_one_sentence(folders, content):
    """Files that are none, and empty ones."""
    path = folders / "data/set/a.tgz"
    path.parent.mkdir(parents=True)
    path.write_bytes(content)

    with pytest.raises(DataError, match=r"a\.tgz is damaged \("):
        unpacked((Remote("a.tgz", "http://127.0.0.1:9/", "", "set", by_hand=True),), "set")


def test_a_cache_that_cannot_be_written_is_told(folders, monkeypatch):
    """Where the cache is a file, the sentence says what to set."""
    remote = archive(folders / "data/set/a.tgz", {"Outer/list.txt": b"x"})
    (folders / "file").write_text("")
    monkeypatch.setenv("SIAMBENCH_CACHE", str(folders / "file"))

    with pytest.raises(DataError, match=r"a\.tgz cannot be unpacked into .*: .*; name another folder in SIAMBENCH_CACHE"):
        unpacked((remote,), "set")
