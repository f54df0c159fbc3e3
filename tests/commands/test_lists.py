"""`siambench run --feed triplets=FILE` and `pairs=FILE`: rows of a list are what is trained on, and the list's content names the row."""

from __future__ import annotations

import hashlib
import json
import os

import numpy as np
import pytest
from PIL import Image

BUDGET = ("--trials", "1", "--repetitions", "1", "--jobs", "1")
TRACK = """
schema = 1
name = "faces"
version = "1.0"
[dataset]
name = "folder:{folder}"
[dataset.options]
size = 8
[model]
backbone = "mlp"
embedding_size = 8
[training]
epochs = 1
steps_per_epoch = 2
batch_size = 12
[budget]
trials = 1
studies = 1
repetitions = 1
"""
FOLDERS = [*(f"s{c}" for c in range(7)), os.fsdecode(b"z\xfc")]
"""The first four are trained on, the first two and the next two as folds; the last one's name is no UTF-8."""


@pytest.fixture
def folder(tmp_path):
    """Eight classes of four images each, and a track that is sat on them."""
    random = np.random.default_rng(3)
    for name in FOLDERS:
        (tmp_path / "faces" / name).mkdir(parents=True)
        base = random.integers(40, 200, (8, 8))
        for k in range(4):
            Image.fromarray((base + random.integers(-9, 10, (8, 8))).astype(np.uint8)).save(tmp_path / "faces" / name / f"{k}.png")
    (tmp_path / "track.toml").write_text(TRACK.format(folder=tmp_path / "faces"))
    return tmp_path


def triplets(*rows):
    """A list of them."""
    return "anchor,positive,negative\n" + "".join(f"{','.join(row)}\n" for row in rows)


def ordinary():
    """Five rows of each half of the training classes, one of both, and one with an item of the test part."""
    halves = [(f"s{c}/{k}.png", f"s{c}/{k + 1}.png", f"s{c + 1}/{k}") for c in (0, 2) for k in range(3)]
    return triplets(*halves, ("s0/0", "s0/1", "s3/0"), ("s1/0", "s1/2", "s6/0"), (r"z\xfc/0.png", r"z\xfc/1", "s0/3"))


def digest(path):
    """The SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_plan_says_how_many_rows_each_part_keeps(siambench, folder):
    """Rows with an item of the other fold or of the test part are left out of a part, and counted, in text and as data."""
    (folder / "mined.csv").write_text(ordinary())
    name = digest(folder / "mined.csv")
    options = ("run", "--track", "track.toml", "--loss", "triplet", "--feed", "triplets=mined.csv", "--plan")

    told, document = siambench(*options), siambench(*options, "--json")

    assert 0 == told.returncode, told.stderr
    said = f"list triplets={name[:8]} (mined.csv): 9 rows, of which final models train on 7 and the folds on 3 and 3; 2 name an item of "
    assert said in told.stdout
    assert f"  triplet:triplets={name[:8]}: 1 study" in told.stdout
    assert said in document.stderr
    found = json.loads(document.stdout)
    assert [{"feed": "triplets", "digest": name, "file": "mined.csv", "rows": 9, "final": 7, "folds": [3, 3], "test": 2}] == found["lists"]
    assert [f"triplet:triplets={name[:8]}"] == [study["method"] for study in found["studies"]]


def test_a_row_is_named_by_the_content_of_its_list(siambench, folder):
    """Two lists are two rows of one table, whose units hold no path; the same content elsewhere is the same row, found in the cache."""
    (folder / "a.csv").write_text(ordinary())
    (folder / "b.csv").write_text(ordinary() + "s0/2,s0/3,s1/3\n")
    (folder / "elsewhere").mkdir()
    (folder / "elsewhere" / "c.csv").write_text(ordinary())
    options = ("run", "--track", "track.toml", "--loss", "triplet", *BUDGET, "--json")

    done = [siambench(*options, "--feed", f"triplets={path}") for path in ("a.csv", "b.csv", folder / "elsewhere" / "c.csv")]

    assert [0, 0, 0] == [one.returncode for one in done], done[0].stderr
    first, second, third = (json.loads(one.stdout) for one in done)
    names = [f"triplet:triplets={digest(folder / name)[:8]}" for name in ("a.csv", "b.csv")]
    assert [names[0]] == [row["method"] for row in first["rows"] if row["loss"] == "triplet"]
    assert [names[1]] == [row["method"] for row in second["rows"] if row["loss"] == "triplet"]
    assert f"triplets={digest(folder / 'a.csv')[:8]}" == first["rows"][0]["feed"]
    assert third["units"]["planned"] == third["units"]["cached"]
    records = [json.loads(path.read_text()) for path in folder.glob("siambench-runs/faces-*/records/*.json")]
    assert {digest(folder / "a.csv"), digest(folder / "b.csv")} == {
        record["unit"]["method"]["feed"]["digest"] for record in records if record["unit"]["training"] is not None
    }
    assert not any(str(folder) in json.dumps(record["unit"]) for record in records)
    board = siambench("leaderboard", next(folder.glob("siambench-runs/faces-*")), "--format", "json")
    assert set(names) < {row["method"] for row in json.loads(board.stdout)["rows"]}


def test_a_row_from_a_list_is_reproduced_where_the_list_is_given(siambench, folder):
    """`reproduce` asks for the list by its name in the context, runs the units with it, and takes no other."""
    (folder / "mined.csv").write_text(ordinary())
    place = f"feed.{digest(folder / 'mined.csv')[:8]}"
    row = f"triplet:{place.replace('feed.', 'triplets=')}"
    assert 0 == siambench("run", "--track", "track.toml", "--loss", "triplet", "--feed", "triplets=mined.csv", *BUDGET).returncode
    asked = ("reproduce", next(folder.glob("siambench-runs/faces-*")), row, "--where", "folder:faces=faces", "--jobs", "1")

    without = siambench(*asked)
    given = siambench(*asked, "--where", f"{place}=mined.csv")
    (folder / "mined.csv").write_text(ordinary() + "s0/2,s0/3,s1/3\n")
    changed = siambench(*asked, "--where", f"{place}=mined.csv")

    assert 4 == without.returncode
    assert (
        f"the row was made with {place!r} (mined.csv), which is not part of a record: say where it is, --where {place}=PATH"
        in without.stderr
    )
    assert (0, True) == (given.returncode, f"{row}: all 1 results identical" in given.stderr), given.stderr
    assert 1 == changed.returncode
    assert f"mined.csv for {place} has SHA-256 {digest(folder / 'mined.csv')[:16]}…, the unit was planned with" in changed.stderr


def test_a_comparison_and_python_take_lists_too(siambench, folder):
    """In TOML a list is looked for beside the comparison, and methods with lists stand beside others; so in Python."""
    import siambench as package

    (folder / "deep").mkdir()
    (folder / "deep" / "pairs.csv").write_text(
        "left,right,same\n" + "".join(f"s{c}/{k},s{c + other}/3,{1 - other}\n" for c in (0, 2) for k in range(3) for other in (0, 1))
    )
    text = f"""
schema = 1
track = "{folder / "track.toml"}"
[[methods]]
loss = "contrastive"
[[methods]]
loss = "contrastive"
feed = "pairs=pairs.csv"
"""
    (folder / "deep" / "comparison.toml").write_text(text)
    done = siambench("run", "deep/comparison.toml", *BUDGET, "--json")
    name = f"contrastive:pairs={digest(folder / 'deep' / 'pairs.csv')[:8]}"

    assert 0 == done.returncode, done.stderr
    assert {"contrastive", name} == {row["method"] for row in json.loads(done.stdout)["rows"] if row["loss"] == "contrastive"}
    feed = f"pairs={folder / 'deep' / 'pairs.csv'}"
    frame = package.run(
        track=str(folder / "track.toml"), loss="contrastive", feed=feed, trials=1, repetitions=1, jobs=1, out=folder / "siambench-runs"
    )
    assert name in set(frame["method"])


@pytest.mark.parametrize(
    ("feed", "text", "sentence"),
    [
        ("triplets=gone.csv", None, "no such file: gone.csv; looked for "),
        ("triplets=faces", None, "faces is a folder, expected a file"),
        ("triplets=", None, "triplets= names no file: triplets=FILE, or triplets alone, whose tuples are drawn"),
        ("triples=list.csv", None, "got 'triples=list.csv', did you mean 'triplets'?"),
        ("views=list.csv", None, "a list is of pairs or triplets: pairs=FILE or triplets=FILE, got 'views=list.csv'"),
        ("triplets=list.csv", "", "list.csv: a list of triplets must not be empty"),
        ("triplets=list.csv", "left,right,same\ns0/0,s0/1,1\n", "begins with the columns anchor,positive,negative"),
        ("triplets=list.csv", triplets(("s0/0", "s0/1", "s9/0")), "name 's9/0', which none of the 32 items is called: 1 of 1 triplets"),
        ("triplets=list.csv", triplets(("s0\\0", "s0/1", "s1/0")), "there folders are parted by /, not \\"),
        ("triplets=list.csv", triplets(("s0/0", "s0/0", "s1/0")), "1 of 1 triplets name an item twice, the first: row 1, 's0/0'"),
        (
            "triplets=list.csv",
            triplets(("s4/0", "s4/1", "s5/0")),
            "the training part trains on 16 items, and no row is of those alone; 1 of its 1",
        ),
        ("triplets=list.csv", triplets(("s0/0", "s0/1", "s1/0")), "fold 0 trains on 8 items, and no row is of those alone; it has 1 rows"),
        (
            "pairs=list.csv",
            "left,right,same\ns0/0,s0/1,1\ns2/0,s3/0,0\n",
            "of the pairs that are of those alone each is impostor and none genuine",
        ),
        ("pairs=list.csv", "left,right,same\ns0/0,s0/1,maybe\n", "list.csv: line 2: same must be 1 or 0, got 'maybe'"),
        ("pairs=list.csv", b"\xff\xfel\0e\0f\0t\0", "list.csv holds bytes 0 and is no text"),
        ("pairs=list.csv", b"left,right,same\ns\xff/0,s0/1,1\ns0/0,s1/0,0\n", r"name 's\\xff/0'"),
    ],
)
def test_a_list_that_does_not_hold_is_an_error_before_anything_runs(siambench, folder, feed, text, sentence):
    """Whatever is wrong with a list is one sentence and exit code 4, and nothing has run."""
    if text is not None:
        (folder / "list.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    done = siambench("run", "--track", "track.toml", "--loss", "contrastive", "--feed", feed, *BUDGET)

    assert 4 == done.returncode, done.stderr
    assert sentence in done.stderr
    assert not (folder / "siambench-runs").exists()


def test_a_wrong_feed_in_a_comparison_is_told_with_its_place(siambench, folder):
    """A feed that is none, with a list or without, is an error with the place in the file."""
    for feed, sentence in (
        ("triples=a.csv", "pairs=FILE, triplets=FILE, or one of 'classes'"),
        ("views=a.csv", "a list is of pairs or"),
    ):
        (folder / "c.toml").write_text(f'schema = 1\ntrack = "track.toml"\n[[methods]]\nloss = "triplet"\nfeed = "{feed}"\n')
        done = siambench("run", "c.toml")
        assert (4, True) == (done.returncode, "methods.0.feed: " in done.stderr and sentence in done.stderr), done.stderr


def test_a_loss_that_takes_no_such_feed_is_refused(siambench, folder):
    """A loss that cannot be fed triplets cannot be fed a list of them, and a miner has nothing to choose from a list."""
    (folder / "mined.csv").write_text(ordinary())
    feed = ("--feed", "triplets=mined.csv", "--track", "track.toml")

    assert "arcface cannot be fed triplets: it takes classes" in siambench("run", "--loss", "arcface", *feed).stderr
    assert "so hard would have no effect" in siambench("run", "--loss", "triplet", "--miner", "hard", *feed).stderr
