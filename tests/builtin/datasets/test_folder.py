import os

import numpy as np
import pytest
from PIL import Image

from siambench.errors import DataError, DataMissingError


def fill(root, classes, *, edge=6, suffix="png"):
    """One folder per class, with numbered images of one grey each."""
    for c, (name, number) in enumerate(classes.items()):
        folder = root / name
        folder.mkdir(parents=True)
        for i in range(number):
            Image.new("L", (edge, edge), color=40 * c + i + 1).save(folder / f"{i:02d}.{suffix}")
    return root


def test_a_folder_is_read_class_by_class(build, every, check_contract, tmp_path):
    """Classes are the folders in order of name, images the files in order of name, grey or colour, at the size asked for."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 3})

    for mode, channels in (("grey", 1), ("rgb", 3)):
        dataset = build("folder", path=str(root), size=4, mode=mode)
        check_contract(dataset)
        assert dataset.class_names == ["finch", "wren"]
        assert dataset.labels.tolist() == [0, 0, 0, 1, 1]
        assert dataset.shape == (channels, 4, 4)
        assert every(dataset)[:, 0, 0, 0].tolist() == [41, 42, 43, 1, 2]


def test_hidden_files_and_other_files_are_passed_over(build, tmp_path):
    """Hidden files and folders, texts, and folders without images are no part of the data; images in deeper folders are."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    (root / "wren" / ".hidden.png").write_bytes(b"no image")
    (root / "wren" / "notes.txt").write_text("a note")
    (root / "empty").mkdir()
    (root / "readme.png").write_bytes(b"no class of its own")
    fill(root, {".cache": 2})
    fill(root / "wren", {"more": 1})
    fill(root / "wren", {".thumbnails": 2})
    Image.new("L", (6, 6), color=250).save(root / "finch" / "LARGE.JPG")

    dataset = build("folder", path=str(root))

    assert dataset.class_names == ["finch", "wren"]
    assert np.bincount(dataset.labels).tolist() == [3, 3]


def test_a_folder_of_one_class_is_no_exam(build, tmp_path):
    """One class, or none, is an error with the number that was found."""
    root = fill(tmp_path / "birds", {"wren": 3})
    with pytest.raises(DataError, match="holds 1 folders with images; an exam needs at least two"):
        build("folder", path=str(root))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds 0 folders"):
        build("folder", path=str(tmp_path / "empty"))


def test_a_folder_that_is_not_there_is_named(build, tmp_path):
    """A path that is no folder is missing data."""
    with pytest.raises(DataMissingError, match=r"no such folder: .*nowhere"):
        build("folder", path=str(tmp_path / "nowhere"))


def test_the_root_of_the_file_system_is_no_data_set(build, tmp_path):
    """However it is spelt, a whole disk is refused and not walked through."""
    (tmp_path / "link").symlink_to("/")
    for path in ("/", "/..", str(tmp_path / "link")):
        with pytest.raises(DataError, match="the root of the whole file system: name the folder"):
            build("folder", path=path)


def test_a_file_that_cannot_be_read_is_named(build, tmp_path):
    """A broken image is an error that names the file, and leaves no half of a cache."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    (root / "wren" / "broken.png").write_bytes(b"no image")

    with pytest.raises(DataError, match=r"wren.broken\.png cannot be read as an image"):
        build("folder", path=str(root))

    (root / "wren" / "broken.png").unlink()
    assert len(build("folder", path=str(root)).labels) == 4


def test_a_mode_that_does_not_exist_is_refused(build, tmp_path):
    """Grey and rgb are all there is."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    with pytest.raises(DataError, match="mode must be auto, grey or rgb, got 'cmyk'"):
        build("folder", path=str(root), mode="cmyk")


def test_a_changed_folder_is_read_again(build, every, tmp_path):
    """A file that is added or written anew shows in the next reading, in spite of the cache."""
    root = fill(tmp_path / "birds", {"wren": 2, "finch": 2})
    before = every(build("folder", path=str(root)))
    Image.new("L", (6, 6), color=200).save(root / "wren" / "00.png")
    os.utime(root / "wren" / "00.png", ns=(1, 1))

    after = every(build("folder", path=str(root)))

    assert before[2].max() == 1
    assert after[2].max() == 200


def test_images_of_one_folder_may_differ_in_size(build, tmp_path):
    """Images of any size are brought to one."""
    root = fill(tmp_path / "birds", {"wren": 2}, edge=5)
    fill(root, {"finch": 2}, edge=90)

    assert build("folder", path=str(root), size=16).shape == (1, 16, 16)
