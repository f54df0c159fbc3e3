import io
import zipfile

import numpy as np
import pytest

from siambench.data.arrays import named_arrays
from siambench.errors import DataError


def heading(shape, kind="<f8"):
    """The first bytes of an array that says so of itself."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": kind, "fortran_order": False, "shape": shape})
    return file.getvalue()


def packed(path, members):
    """A zip of these members, compressed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


def test_arrays_that_are_asked_for_are_read(tmp_path):
    """Of a file the wanted arrays are read, and the names of all are told."""
    np.savez_compressed(tmp_path / "a.npz", one=np.eye(3), two=np.arange(4), three=np.array([object()]))

    found, names = named_arrays(tmp_path / "a.npz", "npz", ("one", "two", "four"))

    assert sorted(found) == ["one", "two"]
    assert np.array_equal(np.eye(3), found["one"])
    assert names == ["one", "two", "three"]


@pytest.mark.parametrize("shape", [(2**40,), (2**20, 2**20), (10**9,), (2**62, 2**62), (5,)])
def test_an_array_that_says_it_is_larger_than_it_is_is_refused_before_it_is_read(tmp_path, shape):
    """What the heading of an array says is compared with what the file holds, and no memory is taken."""
    path = packed(tmp_path / "a.npz", [("one.npy", heading(shape) + b"\0" * 32)])
    with pytest.raises(DataError, match=r"a\.npz cannot be read as npz: one says that it holds [\d,]+ bytes, and does not"):
        named_arrays(path, "npz", ("one",))


def test_what_needs_more_memory_than_there_is_is_told_before_it_is_read(tmp_path, monkeypatch):
    """An array that would fill the memory is refused with its size and what is free."""
    np.savez(tmp_path / "a.npz", one=np.zeros(10_000), two=np.zeros(2))
    monkeypatch.setattr("siambench.data.arrays.free_memory", lambda: 100_000)
    with pytest.raises(DataError, match=r"one of .*a\.npz would take 0\.0 GB of memory, more than half of the 0\.0 GB that are free here"):
        named_arrays(tmp_path / "a.npz", "npz", ("one", "two"))
    assert len(named_arrays(tmp_path / "a.npz", "npz", ("two",))[0]) == 1


def test_a_name_that_comes_twice_is_refused(tmp_path):
    """Two arrays of one name are damage: which of them counts?"""
    content = heading((1,)) + b"\0" * 8
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed(tmp_path / "a.npz", [("one.npy", content), ("one.npy", content)])
    with pytest.raises(DataError, match="it holds one twice"):
        named_arrays(tmp_path / "a.npz", "npz", ("one",))


def test_python_objects_are_named(tmp_path):
    """An array of objects is named with what to save instead, and nothing of it is run."""
    np.savez(tmp_path / "a.npz", one=np.eye(2), labels=np.array(["a", "b"], dtype=object))
    with pytest.raises(DataError, match=r"labels of .*a\.npz holds Python objects \(dtype object\).*save labels\.astype\(str\)"):
        named_arrays(tmp_path / "a.npz", "npz", ("one", "labels"))
