"""Lists of verification pairs: LFW's form, a table, what the names in them mean, and a whole exam on a list."""

import hashlib
import itertools
import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from shared import exam_folder
from sklearn.metrics import roc_auc_score, roc_curve

from siambench.errors import MetricError
from siambench.metrics import NamedPairs, parse_pairs, resolve_pairs
from siambench.records.folder import Folder
from siambench.spec import Listed, Method

FOLDS, EACH = 3, 2
PEOPLE = [f"Person_{letter}" for letter in "ABCDEF"]


def named_pairs():
    """Three folds of two genuine pairs and two impostors, as LFW's list orders them."""
    rows = []
    for fold in range(FOLDS):
        one, other = PEOPLE[2 * fold], PEOPLE[2 * fold + 1]
        rows += [(one, 1, one, 12, fold), (other, 3, other, 2, fold), (one, 1, other, 120, fold), (other, 4, one, 1, fold)]
    return rows


def file_name(person, number):
    """The name of a person's image in LFW."""
    return f"{person}/{person}_{number:04d}"


def expected_pairs(rows):
    """What parsing must give."""
    return NamedPairs(
        tuple(file_name(a, i) for a, i, _, _, _ in rows),
        tuple(file_name(b, j) for _, _, b, j, _ in rows),
        tuple(a == b for a, _, b, _, _ in rows),
        tuple(fold for *_, fold in rows),
    )


def lfw_text(rows, head, *, gap="\t", end="\n"):
    """The same as a file."""
    lines = [gap.join(map(str, head))]
    lines += [gap.join((a, str(i), str(j)) if a == b else (a, str(i), b, str(j))) for a, i, b, j, _ in rows]
    return end.join(lines) + end


@pytest.mark.parametrize("gap", ["\t", " ", "   "])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_the_form_of_lfw_with_folds(gap, end, mark):
    """View 2: folds and pairs of each kind, then the pairs; tabs or spaces, any line ends, with a byte order mark or without."""
    rows = named_pairs()

    assert expected_pairs(rows) == parse_pairs(mark + lfw_text(rows, (FOLDS, EACH), gap=gap, end=end))


def test_the_form_of_lfw_without_folds():
    """View 1: one number, then so many genuine pairs and as many impostors: one fold."""
    rows = [(*row[:4], 0) for row in named_pairs()]
    rows.sort(key=lambda row: row[0] != row[2])

    assert expected_pairs(rows) == parse_pairs(lfw_text(rows, (FOLDS * EACH,)))


def test_names_with_spaces_are_kept_between_tabs():
    """Where a line has tabs, only they separate: a name may hold spaces."""
    found = parse_pairs("1\nAn Na\t1\t2\nAn Na\t1\tDe Bo\t3\n")

    assert ("An Na/An Na_0001", "An Na/An Na_0001") == found.left
    assert ("An Na/An Na_0002", "De Bo/De Bo_0003") == found.right


def table_text(rows, columns, same):
    """The pairs as a table with these columns, `same` written by a function."""
    lines = [",".join(columns)]
    for a, i, b, j, fold in rows:
        cells = {"left": file_name(a, i), "right": file_name(b, j), "same": same(a == b), "fold": str(fold), "note": "kept out"}
        lines.append(",".join(cells[column] for column in columns))
    return "\n".join(lines)


@pytest.mark.parametrize("words", [("0", "1"), ("false", "true"), ("False", "TRUE"), ("no", "yes")])
@pytest.mark.parametrize("columns", [("left", "right", "same", "fold"), ("fold", "same", "note", "right", "left")])
def test_a_table_with_folds(words, columns):
    """A table's columns are found by their names, and `same` is 1 or 0, true or false, yes or no."""
    rows = named_pairs()

    assert expected_pairs(rows) == parse_pairs(table_text(rows, columns, lambda same: words[int(same)]))


def test_a_table_without_folds_is_one_fold():
    """Without the column `fold` all pairs are of one."""
    rows = named_pairs()

    assert expected_pairs([(*row[:4], 0) for row in rows]) == parse_pairs(
        table_text(rows, ("left", "right", "same"), lambda s: str(int(s)))
    )


def test_a_table_may_quote_its_cells():
    """A comma within quotation marks belongs to the name, and spaces around a cell do not."""
    found = parse_pairs('left, right, same\n"a, 1.png",  "b ""2"".png", 1\r\nc,  d ,0\r\n')

    assert NamedPairs(("a, 1.png", "c"), ('b "2".png', "d"), (True, False), (0, 0)) == found


GENUINE, IMPOSTOR = "A\t1\t2", "A\t1\tB\t1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "must not be empty"),
        (" \n\n", "must not be empty"),
        ("\ufeff", "must not be empty"),
        ("pairs of mine\n", "begins with the numbers"),
        ("0\n", "begins with the numbers"),
        ("2 0\n", "begins with the numbers"),
        ("1 1 1\n", "begins with the numbers"),
        ("-1\n", "begins with the numbers"),
        ("1.0\n", "begins with the numbers"),
        ("²\n", "begins with the numbers"),
        ("1" * 5000, "begins with the numbers"),
        ("left;right;same\na;b;1\n", "begins with the numbers"),
        ("left\tright\tsame\na\tb\t1\n", "begins with the numbers"),
        ("1\n", "are 2 lines, got 0"),
        (f"1\n{GENUINE}\n", "are 2 lines, got 1"),
        (f"2\t1\n{GENUINE}\n{IMPOSTOR}\n", "2 folds of 1 genuine and 1 impostor pairs are 4 lines, got 2"),
        (f"1\n{GENUINE}\n{IMPOSTOR}\n{IMPOSTOR}\n", "are 2 lines, got 3"),
        (f"1\n{IMPOSTOR}\n{GENUINE}\n", "line 2 must be a genuine pair"),
        (f"1\n\n{GENUINE}\n{GENUINE}\n", "line 4 must be an impostor pair"),
        (f"1\nA\t1\tx\n{IMPOSTOR}\n", "line 2 must be a genuine pair"),
        (f"1\nA\t1\t²\n{IMPOSTOR}\n", "line 2 must be a genuine pair"),
        (f"1\nA\t-1\t2\n{IMPOSTOR}\n", "line 2 must be a genuine pair"),
        (f"1\nA\t1\t{'9' * 5000}\n{IMPOSTOR}\n", "line 2 must be a genuine pair"),
        (f"1\n{GENUINE}\nA\tx\tB\t1\n", "line 3 must be an impostor pair"),
        (f"1\nA B 1 2\n{IMPOSTOR}\n", "line 2 must be a genuine pair"),
        ("left,right\na,b\n", "columns left, right and same"),
        ("a.png,b.png,1\n", "columns left, right and same"),
        ("left,right,same,left\na,b,1,c\n", "each once"),
        ("left,right,same\n", "a line below its heading"),
        ("left,right,same\na,b,1\n\nc,d\n", "line 4 has 2 cells, the heading has 3"),
        ("left,right,same\na,b,1,2\n", "line 2 has 4 cells"),
        ("left,right,same\na,b,2\n", "line 2: same must be 1 or 0, got '2'"),
        ("left,right,same\na,b,\n", "line 2: same must be 1 or 0, got ''"),
        ("left,right,same,fold\na,b,1,x\n", "line 2: fold must be a whole number from 0, got 'x'"),
        ("left,right,same,fold\na,b,1,-1\n", "line 2: fold must be a whole number from 0, got '-1'"),
        ("left,right,same,fold\na,b,1,²\n", "line 2: fold must be"),
        (f"left,right,same,fold\na,b,1,{'9' * 30}\n", "line 2: fold must be"),
        ('left,right,same\n"a,b,1\nc,d,0\n', "line 2 is no row of a table"),
        (f"left,right,same\n{'a' * 140_000},b,1\n", "line 2 is no row of a table"),
        ("left,right,same\na,b,1\nc,d,1\n", "both kinds, got 2 genuine pairs and 0 impostors"),
        ("left,right,same\na,b,0\n", "both kinds, got 0 genuine pairs and 1 impostors"),
    ],
)
def test_a_list_that_does_not_hold_is_refused(text, reason):
    """Wrong counts, wrong kinds and ragged lines are errors that name the line and what was expected."""
    with pytest.raises(MetricError, match=reason) as caught:
        parse_pairs(text)
    assert len(str(caught.value)) < 300


@given(st.text(alphabet=st.sampled_from("01²٣ab,\"'\t\n\r \ufeff\x00\x1c\u2028leftrightsamefold"), max_size=60))
def test_no_text_breaks_the_reader(text):
    """Any text is a list of pairs or a reason why it is none."""
    try:
        found = parse_pairs(text)
    except MetricError:
        return
    assert len(found.left) == len(found.right) == len(found.same) == len(found.fold) == len(found)


NAMES = ["a/one.jpg", "a/two.jpg", "b/one.png", "b.x/three", "7", "c/one.jpg", "c/one.png"]
LABELS = torch.tensor([0, 0, 1, 1, 2, 3, 3]) + 2**24


def resolved(*rows):
    """The pairs of these rows among the names above."""
    left, right, same = zip(*rows, strict=True)
    return resolve_pairs(NamedPairs(left, right, same, tuple(range(len(rows)))), NAMES, LABELS)


def test_names_are_found_with_and_without_their_suffix():
    """A name is that of an item, the same without its suffix, or a number: first somebody's name, then an index from 0."""
    found = resolved(
        ("a/one.jpg", "a/two", True), ("b.x/three", "a/one", False), ("7", "0", False), ("c/one.png", "5", True), ("3", "4", False)
    )

    assert [0, 0, 0, 5, 3] == found.left.tolist()
    assert [1, 3, 4, 6, 4] == found.right.tolist()
    assert [True, False, False, True, False] == found.same.tolist()
    assert [0, 1, 2, 3, 4] == found.fold.tolist()


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([("a/one", "nobody", False)], "'nobody', which none of the 7 items is called: 1 of 1 pairs are concerned, an item is called "),
        ([("a/one", "a/on", False)], "'a/on', which none"),
        ([("a/one", "A/one", False)], "'A/one', which none"),
        ([("a/one", "8", False)], "'8', which none"),
        ([("a/one", "-1", False)], "'-1', which none"),
        ([("a/one", "²", False)], "'²', which none"),
        ([("a/one", "9" * 5000, False)], "which none"),
        ([("a/one", "", False)], "'', which none"),
        ([("a/one", "b", False)], "'b', which none"),
        ([("a/one", "c/one", False)], "'c/one', which more than one of the 7 items"),
        ([("a/one", "b/one", False), ("a/one", "a/one.jpg", True)], "pair 2 is an item with itself: 'a/one'"),
        ([("7", "4", True)], "pair 1 is an item with itself"),
        ([("a/one", "b/one", False), ("a/two", "b/one", True)], "1 pairs contradict the labels, the first: 'a/two', 'b/one', same = 1"),
        ([("a/one", "a/two", False), ("a/two", "b/one", True)], "2 pairs contradict .* same = 0"),
    ],
)
def test_names_that_mean_nothing_are_refused(rows, reason):
    """A name of nobody or of several, a pair of one item, and a `same` that the labels deny are errors with the name."""
    with pytest.raises(MetricError, match=reason):
        resolved(*rows)


def test_an_item_that_is_there_twice_is_no_name():
    """Where two items have one name a list cannot mean either."""
    with pytest.raises(MetricError, match="'a', which more than one of the 3 items"):
        resolve_pairs(NamedPairs(("a",), ("b",), (False,), (0,)), ["a", "b", "a"], torch.tensor([0, 1, 0]))


# A whole exam: a folder of faces, a list beside the track, and the record of the raw pixels computed again from the files.

TRACK = """
schema = 1
name = "faces"
version = "1.0"
[dataset]
name = "folder:faces"
[dataset.options]
size = 8
mode = "grey"
[model]
backbone = "mlp"
embedding_size = 8
[model.options]
width = 16
layers = 1
[training]
epochs = 2
steps_per_epoch = 3
batch_size = 16
[budget]
trials = 2
studies = 1
repetitions = 2
[evaluation]
pairs = "pairs.txt"
[metrics]
primary = "verification_accuracy"
report = ["verification_accuracy", "roc_auc", "eer", "map@r", "tar@1e-1"]
"""
FACES = [f"Face_{letter}" for letter in "ABCDEFGHIJKLMNOP"]
TESTED = FACES[8:]  # class-halves: the second half in order of name


def listed():
    """Two folds of six genuine pairs and six impostors, disjoint by class."""
    rows = []
    for fold, people in enumerate((TESTED[:4], TESTED[4:])):
        genuine = [(p, i, p, i + 1, fold) for i, p in itertools.islice(itertools.product((1, 3), people), 6)]
        rows += genuine + [(a, 2, b, 4, fold) for a, b in itertools.islice(itertools.permutations(people, 2), 1, 7)]
    return rows


def exam(folder):
    """A folder of noisy faces, five of each person, and a track with its list of pairs."""
    random = np.random.default_rng(0)
    for person in FACES:
        (folder / "faces" / person).mkdir(parents=True)
        face = random.integers(60, 196, (8, 8))
        for number in range(1, 6):
            pixels = np.clip(face + random.normal(0, 90, (8, 8)), 0, 255).astype("uint8")
            Image.fromarray(pixels).save(folder / "faces" / person / f"{person}_{number:04d}.png")
    (folder / "track").mkdir()
    (folder / "track" / "track.toml").write_text(TRACK)
    (folder / "track" / "pairs.txt").write_text(lfw_text(listed(), (2, 6)))


def run(folder, *arguments):
    """`siambench run` on the track, in a process of its own."""
    command = [sys.executable, "-m", "siambench", "run", "--track", "track", "--loss", "contrastive", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300, env=dict(os.environ))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The exam, sat by one method: its folder, the printed document and the records of the units."""
    folder = tmp_path_factory.mktemp("faces")
    exam(folder)
    done = run(folder, "--jobs", "1", "--json")
    assert 0 == done.returncode, done.stderr
    return folder, json.loads(done.stdout), Folder(exam_folder(folder / "siambench-runs", "faces")).read().records


def similarities(folder, rows):
    """The cosine of the pixels of each pair, and whether it is genuine."""

    def pixels(person, number):
        values = np.asarray(Image.open(folder / "faces" / f"{file_name(person, number)}.png"), dtype="f8").ravel()
        return values / np.linalg.norm(values)

    return np.array([pixels(a, i) @ pixels(b, j) for a, i, b, j, _ in rows]), np.array([a == b for a, _, b, _, _ in rows])


@pytest.mark.slow
def test_an_exam_on_a_list_is_scored_on_its_pairs(ran):
    """The raw baseline's verification scores are those of the listed pairs, computed from the image files by numpy and sklearn."""
    folder, _, found = ran
    similarity, same = similarities(folder, listed())
    fold = np.array([row[-1] for row in listed()])
    accuracies = []
    for number in (0, 1):
        others = fold != number
        levels = np.unique(similarity[others])
        tried = [levels[0], *((levels[1:] + levels[:-1]) / 2), math.inf]
        best = max(tried, key=lambda t: (((similarity[others] >= t) == same[others]).sum(), -t))
        accuracies.append(np.mean((similarity[~others] >= best) == same[~others]))
    accepted, caught, _ = roc_curve(same, similarity, drop_intermediate=False)

    raw = next(record.outcome for record in found if record.unit.method.baseline == "raw")

    assert np.mean(accuracies) == pytest.approx(raw.scores["verification_accuracy"], abs=1e-9)
    assert np.std(accuracies, ddof=1) / math.sqrt(2) == pytest.approx(raw.notes["verification_accuracy_se"], abs=1e-9)
    assert roc_auc_score(same, similarity) == pytest.approx(raw.scores["roc_auc"], abs=1e-9)
    assert np.interp(0.0, accepted - (1 - caught), accepted) == pytest.approx(raw.scores["eer"], abs=1e-9)
    assert 0.5 < raw.scores["roc_auc"] < 1
    assert raw.scores["tar@1e-1"] is None
    assert "there are 12" in raw.notes["tar@0.1"]


@pytest.mark.slow
def test_verification_may_be_what_tuning_watches(ran):
    """With verification accuracy as the primary metric every trial has a value, and the row is ordered by it."""
    folder, document, found = ran
    row = document["rows"][0]
    method = Method("contrastive")
    finals = [r.outcome.scores["verification_accuracy"] for r in found if (r.unit.kind, r.unit.method) == ("final", method)]
    tuned = [r.outcome.curve[-1].validation["verification_accuracy"] for r in found if r.unit.kind == "tune"]

    assert {"done": 9, "failed": 0, "lost": 0} == {key: document["units"][key] for key in ("done", "failed", "lost")}
    # Two trials on two folds, each validated where the rate has run out.
    assert 2 * 2 == len(tuned)
    assert all(0 <= value <= 1 for value in tuned)
    # One full row has nobody to be ranked beside.
    assert ("contrastive", None, 2) == (row["method"], row["rank"], row["trials"])
    assert sum(finals) / 2 == pytest.approx(row["scores"]["verification_accuracy"]["mean"], abs=1e-12)
    digest = hashlib.sha256((folder / "track" / "pairs.txt").read_bytes()).hexdigest()
    assert {Listed(digest)} == {r.unit.scoring.pairs for r in found}


@pytest.mark.slow
def test_another_list_is_another_exam(ran):
    """The list's content belongs to the identity of the units: edited, the units that score it are no longer cached."""
    folder, document, found = ran
    finals = sum(record.unit.kind == "final" for record in found)
    path = folder / "track" / "pairs.txt"
    before = path.read_text()
    path.write_text(before.replace("\t1\t2\n", "\t1\t3\n", 1))
    edited = json.loads(run(folder, "--plan", "--json").stdout)
    path.write_text(before)

    assert edited["units"]["cached"] <= document["units"]["planned"] - finals


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda path: path.unlink(), ["no such file: pairs.txt"]),
        (
            lambda path: path.write_text(path.read_text().replace("Face_I\t1\t2", "Face_A\t1\t2")),
            ["'Face_A/Face_A_0001'", "none of the 40 items"],
        ),
    ],
    ids=["missing", "a training image"],
)
def test_a_list_that_does_not_fit_ends_the_run_before_it_begins(siambench, tmp_path, change, words):
    """A missing list, or one that names a training image exits 4 with one sentence, and nothing is trained."""
    exam(tmp_path)
    change(tmp_path / "track" / "pairs.txt")

    done = siambench("run", "--track", "track", "--loss", "contrastive", "--json", cwd=tmp_path)

    assert 4 == done.returncode
    assert "" == done.stdout
    assert 1 == len(done.stderr.strip().splitlines())
    for word in words:
        assert word in done.stderr
    assert not list(tmp_path.glob("siambench-runs/*/records/*"))


def test_windows_names_are_told_with_an_example():
    """Names with backslashes are counted, and an item's own name and the difference are shown."""
    names = [f"P{i // 4}/P{i // 4}_{i % 4 + 1:04d}.jpg" for i in range(24)]
    lines = "".join(
        f"P{i}\\P{i}_0001.jpg,P{i}\\P{i}_0002.jpg,1\nP{i}/P{i}_0001.jpg,P{(i + 1) % 6}/P{(i + 1) % 6}_0001,0\n" for i in range(6)
    )

    with pytest.raises(MetricError) as caught:
        resolve_pairs(parse_pairs("left,right,same\n" + lines), names, torch.arange(24) // 4)

    assert str(caught.value) == (
        r"the pairs name 'P0\\P0_0001.jpg', which none of the 24 items is called: 6 of 12 pairs are concerned, "
        "an item is called 'P0/P0_0001.jpg'; there folders are parted by /, not \\"
    )


def test_a_table_may_hold_scores():
    """A column score is kept with the pairs; what is no finite number is told with its line."""
    named = parse_pairs("left,right,same,score\na,b,1,4.5\na,c,0,-1e-3\n")
    assert named.score == (4.5, -0.001)
    assert resolve_pairs(named, ["a", "b", "c"], torch.tensor([0, 0, 1])).score.tolist() == [4.5, -0.001]
    assert parse_pairs("left,right,same\na,b,1\na,c,0\n").score is None
    for score in ("", "x", "nan", "inf"):
        with pytest.raises(MetricError, match=rf"line 3: score must be a finite number, got '{score}'"):
            parse_pairs(f"left,right,same,score\na,b,1,4.5\na,c,0,{score}\n")
