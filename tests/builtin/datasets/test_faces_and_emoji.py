"""Faces in ORL's layout and emoji from npm packages, small."""

import dataclasses
import json
import shutil

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import emoji, faces
from siambench.data import locate as locating
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

# ---- faces


@pytest.fixture
def people(tmp_path, monkeypatch):
    """Eleven people with three pictures each, and a file that says of what."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(faces, "COUNTS", (11, 33))
    for person in range(1, 12):
        for number in range(1, 4):
            layouts.put(tmp_path / f"faces/s{person}/{number}.pgm", layouts.picture([13, person, number], mode="L"))
    (tmp_path / "faces/README").write_text("about these")
    return tmp_path / "faces"


def test_faces_are_in_order_of_their_numbers(build, every, check_contract, people):
    """s2 comes before s10, and 2.pgm before 10.pgm; images are grey; there is no official split."""
    dataset = build("faces", size=12)

    check_contract(dataset)
    assert dataset.class_names == [f"s{n}" for n in range(1, 12)]
    assert dataset.item_names[3] == "s2/1.pgm"
    assert np.array_equal(every(dataset)[3, 0], np.asarray(layouts.picture([13, 2, 1], mode="L")))
    assert dataset.parts == {}
    assert [remote.name for remote in faces.remotes()] == ["1.pgm"]


def test_faces_may_lie_in_the_folder_of_an_archive(build, people):
    """orl_faces and att_faces, as archives call it, are found, and so is the zip itself."""
    for name in ("orl_faces", "att_faces"):
        target = people.parent / name
        shutil.copytree(people, target)
        shutil.rmtree(people, ignore_errors=True)
        assert len(build("faces", size=12).labels) == 33
        people = target
    layouts.zip_of(
        people.parent / "faces/att_faces.zip", {f"att_faces/{name}": content for name, content in layouts.folder_files(people).items()}
    )
    shutil.rmtree(people)
    assert [remote.name for remote in faces.remotes()] == ["att_faces.zip"]
    assert len(build("faces", size=12).labels) == 33


def test_faces_that_are_not_whole_are_told(build, people):
    """A picture too few, one twice, one that is damaged, and none at all."""
    (people / "s3/2.pgm").write_bytes(b"P5 12 12 255 ")
    with pytest.raises(DataError, match=r"s3/2\.pgm cannot be read as an image"):
        build("faces", size=12)
    (people / "s3/2.pgm").unlink()
    with pytest.raises(DataError, match="faces has 33 pictures, here are 32"):
        build("faces", size=12)
    layouts.put(people / "s3/3.png", layouts.picture([1]))
    with pytest.raises(DataError, match="s3 holds picture 3 twice"):
        build("faces", size=12)
    shutil.rmtree(people)
    with pytest.raises(
        DataMissingError, match=r"data set faces is missing: get it from https://cam-orl\.co\.uk/\S+ and put it into .*/s1 is there"
    ):
        build("faces", size=12)


# ---- emoji

GROUPS = ["cat-face", "drink", "flag", "heart", "music", "phone", "plant-flower", "sound", "time", "weather"]


def described(number, **more):
    group = GROUPS[number % len(GROUPS)]
    return {
        "name": None if number == 3 else f"SIGN {number % 17}",
        "short_name": f"sign_{number}",
        "image": f"1f{number:03x}.png",
        "category": "Things" if number % 2 else "Symbols",
        "subcategory": group,
        "has_img_google": True,
        "has_img_twitter": number != 5,
        **more,
    }


@pytest.fixture
def packages(tmp_path, monkeypatch):
    """Both packages as npm unpacks them, of twenty emoji; Twitter has not drawn number 5, Google's list lacks number 6."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    for place, style in enumerate(("google", "twitter")):
        folder = tmp_path / "emoji" / f"emoji-datasource-{style}"
        rows = [described(n) for n in range(20) if (style, n) != ("google", 6)]
        for row in rows:
            if row[f"has_img_{style}"]:
                layouts.put(folder / f"img/{style}/64" / row["image"], layouts.picture([14, place, int(row["image"][2:5], 16)]))
        (folder / "emoji.json").write_text(json.dumps(rows))
    return tmp_path / "emoji"


def test_googles_emoji_ask_and_twitters_answer(build, every, check_contract, packages):
    """What both have drawn are the classes, two images each; every fifth subgroup is the test, one style queries, the other gallery."""
    dataset = build("emoji", size=12)

    check_contract(dataset)
    assert len(dataset.class_names) == 18
    assert np.bincount(dataset.labels).tolist() == [2] * 18
    tested = {dataset.class_attributes["subgroup"][label].split("/")[1] for label in dataset.labels[dataset.parts["query"]]}
    assert len(tested) == 2
    names = np.array(dataset.item_names)
    assert all(name.startswith("google/") for name in names[dataset.parts["query"]])
    assert all(name.startswith("twitter/") for name in names[dataset.parts["gallery"]])
    assert sorted(dataset.labels[dataset.parts["query"]]) == sorted(dataset.labels[dataset.parts["gallery"]])
    place = int(np.flatnonzero(names == "twitter/1f004.png")[0])
    assert np.array_equal(every(dataset)[place], np.asarray(layouts.picture([14, 1, 4])).transpose(2, 0, 1))


def test_emoji_can_be_sat(build, packages):
    """The official split has queries and a gallery in the test and in each fold, by subgroup."""
    split = cut(build("emoji", size=12), SplitRules(rule="official", group="subgroup").spec)

    assert split.gallery is not None
    assert split.galleries is not None


def test_emoji_that_are_drawn_as_another_are_left_out(build, packages):
    """Where Twitter has drawn two alike, the second cannot be told from the first and is no class; that is said."""
    folder = packages / "emoji-datasource-twitter/img/twitter/64"
    shutil.copy(folder / "1f002.png", folder / "1f009.png")
    dataset = build("emoji", size=12)

    assert len(dataset.class_names) == 17
    assert "google/1f002.png" in dataset.item_names
    assert "google/1f009.png" not in dataset.item_names
    assert "1 emoji that one of both has drawn as another are left out" in dataset.notes


def test_flags_may_be_left_out(build, check_contract, packages):
    """Without flags the classes of that category are gone, that is said, and the other subgroups test as before."""
    waved = ("flag", "phone", "sound", "time", "weather")
    for style in ("google", "twitter"):
        path = packages / f"emoji-datasource-{style}/emoji.json"
        rows = json.loads(path.read_text())
        path.write_text(json.dumps([{**row, "category": "Flags" if row["subcategory"] in waved else "Objects"} for row in rows]))

    def tested(dataset):
        return {dataset.class_attributes["subgroup"][label] for label in dataset.labels[dataset.parts["query"]]}

    whole, without = build("emoji", size=12), build("emoji", size=12, flags=False)

    check_contract(without)
    assert len(set(whole.item_names) - set(without.item_names)) == 2 * 9
    assert set(without.class_attributes["category"]) == {"Objects"}
    assert "flags are left out: 9 emoji" in without.notes
    assert any("of 5 subgroups 1 are the test" in note for note in without.notes)
    assert (tested(whole), tested(without)) == ({"Flags/weather", "Objects/plant-flower"}, {"Objects/plant-flower"})


def test_names_that_several_bear_are_told_apart(build, packages):
    """Emoji of one name are called by their image, too; one without a name by its short one."""
    names = build("emoji", size=12).class_names

    assert "sign_3" in names
    assert {"sign 0 1f000", "sign 0 1f011"} <= set(names)
    assert "sign 4" in names


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[", r"emoji-datasource-twitter/emoji\.json is no JSON"),
        (b"{}", r"emoji\.json must hold a list of emoji"),
        (b'[{"name": "A", "short_name": "a", "image": 3, "category": "x", "subcategory": "y"}]', r"emoji 1 has no text as its image"),
        (b"[]", r"have 0 emoji in common, at least two are needed: are they of one version\?"),
    ],
)
def test_lists_that_do_not_hold_are_one_sentence(build, packages, content, message):
    """A list that is no JSON, no list, or has other fields."""
    (packages / "emoji-datasource-twitter/emoji.json").write_bytes(content)

    with pytest.raises(DataError, match=message):
        build("emoji", size=12)


def test_an_image_that_is_not_there_is_named(build, packages):
    """A list that says that there is an image where there is none."""
    (packages / "emoji-datasource-google/img/google/64/1f002.png").unlink()

    with pytest.raises(DataError, match=r"google/emoji\.json: 1 of the 18 files that it names .* the first in line 3: 1f002\.png"):
        build("emoji", size=12)


def test_packages_are_taken_as_archives(build, packages, monkeypatch):
    """The .tgz of npm, whose folder is called package, is unpacked into the cache."""
    for style, package in list(emoji.PACKAGES.items()):
        folder = packages / package.folder
        digest = layouts.tar_of(
            packages / package.archives[0].name, {f"package/{name}": content for name, content in layouts.folder_files(folder).items()}
        )
        shutil.rmtree(folder)
        remote = dataclasses.replace(package.archives[0], sha256_prefix="", md5=digest)
        monkeypatch.setitem(emoji.PACKAGES, style, dataclasses.replace(package, archives=(remote,)))

    assert len(build("emoji", size=12).class_names) == 18
    assert [remote.name for remote in emoji.remotes()] == ["emoji-datasource-google-16.0.0.tgz", "emoji-datasource-twitter-16.0.0.tgz"]


def test_packages_that_are_nowhere_are_downloaded_or_told(build, tmp_path, monkeypatch):
    """Without a network the sentence names the archive, its address and where to put it."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))

    def fail(url, timeout):
        raise OSError("no route to host")

    monkeypatch.setattr(locating.urllib.request, "urlopen", fail)
    with pytest.raises(
        DataMissingError,
        match=r"emoji-datasource-google-16\.0\.0\.tgz is missing and https://registry\.npmjs\.org/.* put the file into .*/emoji",
    ):
        build("emoji")
