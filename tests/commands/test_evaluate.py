"""`siambench evaluate` as somebody with a file of embeddings meets it."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import siambench as package
from siambench.evaluation.arrays import Arrays, evaluate_arrays, read_arrays, read_pairs
from siambench.tracks.rules import DEFAULT_METRICS

CLASSES = 6


def content():
    """Overlapping clouds: four items in each of six classes, and a gallery of other items."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(CLASSES, 5))
    labels, gallery_labels = np.repeat(np.arange(CLASSES), 4), np.repeat(np.arange(CLASSES), 3)
    return {
        "embeddings": (centres[labels] + random.normal(size=(len(labels), 5))).astype("f4"),
        "labels": labels,
        "gallery": (centres[gallery_labels] + random.normal(size=(len(gallery_labels), 5))).astype("f4"),
        "gallery_labels": gallery_labels,
    }


def alone():
    """The same without a gallery."""
    return {name: value for name, value in content().items() if "gallery" not in name}


@pytest.fixture
def file(tmp_path):
    """An .npz of embeddings and labels."""
    np.savez(tmp_path / "mine.npz", **alone())
    return tmp_path / "mine.npz"


@pytest.fixture
def evaluate(siambench):
    """The command in a folder of its own: exit code, stdout and stderr."""

    def call(*arguments):
        done = siambench("evaluate", *arguments)
        return done.returncode, done.stdout, done.stderr

    return call


def test_a_table_of_the_usual_scores(siambench, file):
    """Without options the usual metrics stand on stdout, one a line, with six decimals, and notes on stderr."""
    expected = package.evaluate(**alone())

    done = siambench("evaluate", file)

    assert 0 == done.returncode, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()]
    assert list(DEFAULT_METRICS) == [name for name, _ in rows]
    assert [f"{expected[name]:.6f}" for name in DEFAULT_METRICS] == [value for _, value in rows]
    assert f"verification_accuracy_se: {expected['verification_accuracy_se']:.6g}" in done.stderr.splitlines()


def test_one_json_document(siambench, file):
    """`--json` prints one document with what was asked and what was found, and nothing else."""
    expected = evaluate_arrays(Arrays(**alone()), metrics=["map@r", "tar@1e-3", "nmi"], distance="euclidean", seed=4)

    done = siambench(
        "evaluate", file, "--metrics", "map@r, tar@1e-3", "--metrics", "nmi", "--distance", "euclidean", "--seed", "4", "--json"
    )

    assert (0, "") == (done.returncode, done.stderr)
    document = json.loads(done.stdout)
    assert {
        "schema": 1,
        "queries": 4 * CLASSES,
        "gallery": None,
        "distance": "euclidean",
        "seed": 4,
        "scores": expected.scores,
        "notes": expected.notes,
    } == document
    assert ["map@r", "tar@1e-3", "nmi"] == list(document["scores"])
    assert document["scores"]["tar@1e-3"] is None


@pytest.mark.parametrize("kind", ["npz", "safetensors"])
def test_a_gallery_in_the_file_is_compared_with(evaluate, tmp_path, kind):
    """Both kinds of file give the scores of `siambench.evaluate`, with queries and gallery counted apart."""
    arrays = content()
    path = tmp_path / f"mine.{kind}"
    if kind == "npz":
        np.savez_compressed(path, **arrays)
    else:
        save_file({name: torch.from_numpy(value) for name, value in arrays.items()}, path)

    document = json.loads(evaluate(path, "--metrics", "recall@1,map@r,mrr", "--json")[1])

    assert package.evaluate(**arrays, metrics=["recall@1", "map@r", "mrr"]) == document["scores"]
    assert (4 * CLASSES, 3 * CLASSES) == (document["queries"], document["gallery"])


def test_what_does_not_apply_is_said(evaluate, file):
    """A metric without a score is `n/a` in the table, and its reason stands on stderr."""
    code, printed, said = evaluate(file, "--metrics", "tar@1e-3")

    assert (0, ["tar@1e-3", "n/a"]) == (code, printed.split())
    assert "3000 impostor pairs" in said


def test_pairs_that_no_metric_asks_for_are_told_to_have_no_effect(evaluate, file):
    """Pairs beside metrics of neighbours alone are taken and said to do nothing; beside one of pairs nothing is said."""
    sentence = "pairs: no metric that is asked for is over pairs: those that are given have no effect"

    assert sentence in evaluate(file, "--pairs", "all", "--metrics", "recall@1")[2].splitlines()
    assert sentence not in evaluate(file, "--pairs", "all", "--metrics", "recall@1,eer")[2].splitlines()


def test_text_labels_names_and_groups_are_read(evaluate, tmp_path):
    """A file may hold text: labels, groups, and the names by which a list of pairs calls the items."""
    arrays = alone()
    names = np.array([f"class_{c}/class_{c}_{i % 4 + 1:04d}.png" for i, c in enumerate(arrays["labels"])])
    text = {**arrays, "labels": np.array([f"class {c}" for c in arrays["labels"]]), "names": names}
    np.savez(tmp_path / "mine.npz", **text, groups=np.array([f"half {c % 2}" for c in arrays["labels"]]))
    lines = ["2\t2"]
    for a, b in ((0, 1), (2, 3)):
        lines += [f"class_{a}\t1\t2", f"class_{b}\t3\t4", f"class_{a}\t1\tclass_{b}\t1", f"class_{a}\t4\tclass_{b}\t2"]
    (tmp_path / "pairs.txt").write_text("\n".join(lines))
    metrics = ["verification_accuracy", "roc_auc", "one_shot@3", "one_shot@4"]
    expected = evaluate_arrays(read_arrays(tmp_path / "mine.npz"), metrics=metrics, pairs=read_pairs(tmp_path / "pairs.txt"))

    code, printed, said = evaluate("mine.npz", "--pairs", "pairs.txt", "--metrics", ",".join(metrics), "--json")

    assert (0, "") == (code, said)
    document = json.loads(printed)
    assert expected.scores == document["scores"]
    unit = arrays["embeddings"].astype("f8")
    unit /= np.linalg.norm(unit, axis=1, keepdims=True)
    similarity = unit @ unit.T
    genuine = [similarity[4 * a + i, 4 * a + j] for a, i, j in ((0, 0, 1), (1, 2, 3), (2, 0, 1), (3, 2, 3))]
    impostors = [similarity[4 * a + i, 4 * b + j] for a, b in ((0, 1), (2, 3)) for i, j in ((0, 0), (3, 1))]
    wins = sum((g > i) + (g == i) / 2 for g in genuine for i in impostors)
    assert wins / 16 == pytest.approx(document["scores"]["roc_auc"], abs=1e-12)
    assert document["scores"]["one_shot@3"] is not None
    assert "within a group, got at most 3" in document["notes"]["one_shot@4"]


def test_a_table_of_pairs_by_index(evaluate, file, tmp_path):
    """`--pairs` takes a table; items without names are called by their index, and pairs without folds have no fold accuracy."""
    (tmp_path / "pairs.csv").write_text("left,right,same\n0,1,1\n4,5,1\n0,4,0\n8,12,0\n")
    points = alone()["embeddings"].astype("f8")

    metrics = "eer,roc_auc,verification_accuracy"
    document = json.loads(evaluate(file, "--pairs", "pairs.csv", "--distance", "euclidean", "--metrics", metrics, "--json")[1])

    distance = [np.linalg.norm(points[a] - points[b]) for a, b in ((0, 1), (4, 5), (0, 4), (8, 12))]
    wins = sum((g < i) + (g == i) / 2 for g in distance[:2] for i in distance[2:])
    assert wins / 4 == pytest.approx(document["scores"]["roc_auc"], abs=1e-12)
    assert document["scores"]["verification_accuracy"] is None
    assert "one fold" in document["notes"]["verification_accuracy"]


def test_every_pair_may_be_asked_for(evaluate, file):
    """`--pairs all` counts every pair of items, which draws nothing; it needs the cosine, and a file called so is ./all."""
    names = ("--metrics", "roc_auc", "--pairs", "all", "--json")
    expected = evaluate_arrays(Arrays(**alone()), metrics=["roc_auc"], pairs="every")

    code, printed, _ = evaluate(file, *names)

    assert (0, expected.scores) == (code, json.loads(printed)["scores"])
    assert printed.replace('"seed": 0', '"seed": 9') == evaluate(file, *names, "--seed", "9")[1]
    code, printed, said = evaluate(file, *names, "--distance", "euclidean")
    assert (4, "", 1) == (code, printed, len(said.splitlines()))
    assert "need the distance cosine" in said
    assert "no such file: all" in evaluate(file, "--metrics", "roc_auc", "--pairs", "./all")[2]


def test_the_seed_is_that_of_the_pairs(evaluate, file):
    """The same seed prints the same document, another one draws other pairs."""
    first, again, other = (evaluate(file, "--metrics", "roc_auc", "--seed", seed, "--json")[1] for seed in (1, 1, 2))

    assert first == again
    assert json.loads(first)["scores"] != json.loads(other)["scores"]


def truncated(path):
    """An .npz without its end."""
    np.savez(path, **alone())
    path.write_bytes(path.read_bytes()[:-200])


def damaged(path):
    """An .npz whose packed bytes are wrong."""
    np.savez_compressed(path, embeddings=np.zeros((200, 50)), labels=np.arange(200))
    whole = bytearray(path.read_bytes())
    whole[60:90] = b"\xff" * 30
    path.write_bytes(bytes(whole))


def single(path):
    """One array as numpy.save writes it, under the wrong suffix."""
    with path.open("wb") as stream:
        np.save(stream, alone()["embeddings"])


def garbage(path):
    """A file that is something else."""
    path.write_bytes(b"these are no embeddings\n" * 20)


MADE = {
    "mine.npz": lambda path: np.savez(path, **alone()),
    "truncated.npz": truncated,
    "damaged.npz": damaged,
    "single.npz": single,
    "unlabelled.npz": lambda path: np.savez(path, embeddings=np.eye(4), targets=np.arange(4)),
    "nothing.npz": np.savez,
    "objects.npz": lambda path: np.savez(path, embeddings=np.eye(4), labels=np.arange(4).astype(object)),
    "infinite.npz": lambda path: np.savez(path, embeddings=np.full((4, 2), np.inf), labels=[0, 0, 1, 1]),
    "ragged.npz": lambda path: np.savez(path, embeddings=np.eye(24), labels=np.arange(23)),
    "empty.npz": lambda path: path.write_bytes(b""),
    "garbage.npz": garbage,
    "garbage.safetensors": garbage,
    "mine.txt": garbage,
    "plain": garbage,
    "unlabelled.safetensors": lambda path: save_file({"embeddings": torch.eye(4)}, path),
    "floats.safetensors": lambda path: save_file({"embeddings": torch.eye(4), "labels": torch.zeros(4, dtype=torch.float64)}, path),
}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["missing.npz"], ["no such file", "missing.npz"]),
        (["mine.txt"], [".npz or .safetensors", "got .txt"]),
        (["plain"], [".npz or .safetensors", "no suffix"]),
        (["truncated.npz"], ["truncated.npz", "npz"]),
        (["damaged.npz"], ["damaged.npz", "cannot be read as npz"]),
        (["garbage.npz"], ["garbage.npz", "cannot be read as npz"]),
        (["empty.npz"], ["empty.npz", "cannot be read as npz"]),
        (["single.npz"], ["single array"]),
        (["unlabelled.npz"], ["embeddings and labels", "it holds embeddings, targets"]),
        (["nothing.npz"], ["embeddings and labels", "it holds none"]),
        (["objects.npz"], ["objects.npz", "Python objects", ".astype(str)"]),
        (["infinite.npz"], ["embeddings must be finite", "4 of 4"]),
        (["ragged.npz"], ["labels", "23 for 24"]),
        (["garbage.safetensors"], ["garbage.safetensors", "cannot be read as safetensors"]),
        (["unlabelled.safetensors"], ["it holds embeddings"]),
        (["floats.safetensors"], ["whole numbers or text", "float64"]),
        (["mine.npz", "--metrics", "recal@1"], ["'recal@1'", "did you mean 'recall@k'?"]),
        (["mine.npz", "--metrics", "recall@k"], ["family"]),
        (["mine.npz", "--metrics", "eer@enrol-x"], ["eer@enrol-x", "k must be a whole number of at least 1, got 'x'"]),
        (["mine.npz", "--metrics", "recall@1-dim-999"], ["recall@1-dim-999", "the first 999 dimensions are asked for"]),
        (["mine.npz", "--metrics", "recall@1-nosie"], ["did you mean 'recall@k-noise'?"]),
        (["mine.npz", "--metrics", "one_shot_error"], ["one-shot"]),
        (["mine.npz", "--distance", "manhattan"], ["--distance", "manhattan", "euclidean"]),
        (["mine.npz", "--seed", "-1"], ["--seed", "-1"]),
        (["mine.npz", "--pairs", "missing.txt"], ["no such file", "missing.txt"]),
        (["mine.npz", "--pairs", "mine.txt"], ["mine.txt", "begins with the numbers"]),
        (["mine.npz", "--pairs", "."], [". is a folder, expected a file"]),
        ([], ["FILE"]),
    ],
    ids=lambda value: " ".join(value) if value and isinstance(value, list) else None,
)
def test_what_is_wrong_is_said_in_one_sentence(evaluate, tmp_path, arguments, words):
    """Whatever is wrong with a file or an option, the command exits 4 with one line on stderr that names it, and prints nothing."""
    for name in MADE.keys() & set(arguments):
        MADE[name](tmp_path / name)

    code, printed, said = evaluate(*arguments)

    assert (4, "") == (code, printed), said
    assert 1 == len(said.strip().splitlines())
    assert said.startswith("siambench: ")
    for word in words:
        assert word in said


def test_an_error_is_an_exit_code(siambench_process):
    """A process of its own ends with 4 and one sentence, too."""
    done = siambench_process("evaluate", "missing.npz")

    assert (4, "", "siambench: no such file: missing.npz\n") == (done.returncode, done.stdout, done.stderr)


def test_nothing_in_a_file_is_executed(evaluate, tmp_path):
    """An array that unpickling would turn into a call is refused, and the call is not made."""

    class Call:
        def __reduce__(self):
            return ((tmp_path / "made").touch, ())

    np.savez(tmp_path / "bad.npz", embeddings=np.array([Call()], dtype=object), labels=np.array([0]))

    code, _, said = evaluate("bad.npz")

    assert (4, True) == (code, "embeddings of bad.npz holds Python objects" in said)
    assert not (tmp_path / "made").exists()
