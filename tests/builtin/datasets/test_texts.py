"""CLINC150 and the STS benchmark in their real forms, small; CLINC150 as published, where it is."""

import json
import os
from pathlib import Path

import dataset_layouts as layouts
import numpy as np
import pytest

from siambench.builtin.datasets import texts
from siambench.data.tokens import byte_tokens, hashed_words
from siambench.errors import DataError, DataMissingError
from siambench.tracks.rules import SplitRules
from siambench.tracks.split import cut

DOMAINS = {"banking": ["transfer", "balance"], "travel": ["book_flight", "visa"], "home": ["lights"]}


@pytest.fixture
def clinc(tmp_path, monkeypatch):
    """Five intents of three domains, in the form of the repository; the questions in order."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(texts, "INTENTS", (5, 3, 20))
    intents = [intent for group in DOMAINS.values() for intent in group]
    held = {
        "oos_val": [["what is two", "oos"]],
        "val": [[f"val {intent} now", intent] for intent in intents],
        "train": [[f"train {intent} please {n}", intent] for n in range(2) for intent in intents],
        "oos_test": [["who am i", "oos"], ["why", "oos"]],
        "test": [[f"test {intent}?", intent] for intent in intents],
        "oos_train": [],
    }
    folder = tmp_path / "clinc150"
    folder.mkdir()
    (folder / "data_full.json").write_text(json.dumps(held))
    (folder / "domains.json").write_text(json.dumps(DOMAINS))
    return folder, held


def test_questions_are_in_order_of_train_val_and_test(build, every, clinc):
    """Items are those of train, val, test; classes the intents in order of their domains, which they carry; no intent is passed over."""
    _, held = clinc
    dataset = build("clinc150", length=8, vocabulary=1000)
    questions = [text for part in ("train", "val", "test") for text, _ in held[part]]

    assert np.array_equal(every(dataset), hashed_words(questions, vocabulary=1000, length=8))
    assert dataset.class_names == ["transfer", "balance", "book_flight", "visa", "lights"]
    assert dataset.class_attributes == {"domain": ["banking", "banking", "travel", "travel", "home"]}
    assert dataset.parts["test"].tolist() == [15, 16, 17, 18, 19]
    assert (dataset.form, dataset.vocabulary) == ("tokens", 1000)
    assert "passed over: 3 questions of no intent" in dataset.notes
    assert any(note.startswith("no checksum is published; SHA-256 of what was read: data_full.json ") for note in dataset.notes)


def test_questions_may_be_bytes(build, every, clinc):
    """Tokens by bytes are those of siambench.data.tokens, and what is longer is cut and told."""
    _, held = clinc
    dataset = build("clinc150", tokens="bytes", length=5)

    assert np.array_equal(every(dataset)[:1], byte_tokens([held["train"][0][0]], length=5))
    assert "20 texts are cut after 5 bytes" in dataset.notes
    with pytest.raises(DataError, match="clinc150: tokens must be words or bytes, got 'word'"):
        build("clinc150", tokens="word")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("data_full.json", "{", r"data_full\.json is no JSON"),
        ("data_full.json", "[]", r"data_full\.json must hold an object, got list"),
        ("data_full.json", "{}", r"train of .*data_full\.json must be a list of questions with their intents"),
        ("data_full.json", '{"train": [["a"]]}', r"train of .*: entry 1 must be a question and its intent"),
        ("data_full.json", '{"train": [["a", "fly"]]}', r"entry 1 has the intent 'fly', which .*domains\.json puts in no domain"),
        (
            "data_full.json",
            '{"train": [["a", "visa"]], "val": [["b", "visa"]], "test": [["c", "visa"]]}',
            r"clinc150 has 5 intents, here are 1",
        ),
        ("domains.json", '{"a": ["visa"], "b": ["visa"]}', r"domains\.json has the intent 'visa' twice"),
        ("domains.json", '{"a": "visa"}', r"domains\.json: 'a' must be a list of intents"),
        ("domains.json", "\xff", r"domains\.json is no JSON"),
    ],
)
def test_files_that_do_not_hold_are_one_sentence(build, clinc, name, content, message):
    """Other JSON, other fields, unknown intents."""
    (clinc[0] / name).write_bytes(content.encode("latin1"))

    with pytest.raises(DataError, match=message):
        build("clinc150")


def test_what_is_absent_says_what_belongs_where(build, clinc):
    """Without its file the page and the place are named."""
    (clinc[0] / "data_full.json").unlink()
    with pytest.raises(DataMissingError, match=r"clinc150 is not whole: .*has domains\.json and lacks data_full\.json"):
        build("clinc150")


def official():
    root = os.environ.get("SIAMBENCH_DATA")
    return root is not None and Path(root, "clinc150", "data_full.json").is_file()


@pytest.mark.skipif(not official(), reason="SIAMBENCH_DATA is unset or holds no clinc150")
def test_the_published_questions_are_counted(build):
    """150 intents of 150 questions in ten domains of 15; held apart by domain they can be sat."""
    dataset = build("clinc150")

    assert np.bincount(dataset.labels).tolist() == [150] * 150
    assert sorted(map(dataset.class_attributes["domain"].count, set(dataset.class_attributes["domain"]))) == [15] * 10
    assert "passed over: 1200 questions of no intent" in dataset.notes


# ---- STS


def sts_line(score, one, other, *more):
    return "\t".join(["main-news", "headlines", "2015", "0001", str(score), one, other, *more])


@pytest.fixture
def sts(tmp_path, monkeypatch):
    """Three lists of pairs as the benchmark has them: no heading, quotation marks that close nothing, sources behind."""
    monkeypatch.setenv("SIAMBENCH_DATA", str(tmp_path))
    monkeypatch.setattr(texts, "STS_PAIRS", (5, 1, 3))
    folder = tmp_path / "sts" / "stsbenchmark"
    layouts.text(
        folder / "sts-train.csv",
        [
            sts_line(5.0, "A plane takes off.", "A plane is taking off."),
            sts_line(4.2, "A plane is taking off.", 'An air plane "takes off.'),
            sts_line(0.4, "A plane takes off.", 'An air plane "takes off.'),
            sts_line(1.0, "A man plays.", "A cat sleeps.", "http://a", "http://b"),
            sts_line(4.6, "A dog runs.", "Dogs run."),
        ],
    )
    layouts.text(folder / "sts-dev.csv", [sts_line(3.999, "It rains.", "Rain falls.")])
    layouts.text(
        folder / "sts-test.csv",
        [
            sts_line(4.0, "Dogs run.", "The dog is running."),
            sts_line(2, "Two men sing.", "A cat sleeps."),
            sts_line(0, "Two men sing.", "Dogs run."),
        ],
    )
    return folder


def names(dataset, part):
    return dataset.parts[part].tolist()


def test_sentences_that_mean_the_same_are_a_class(build, every, sts):
    """Each text is an item once; pairs of 4 and more join a class; pairs that contradict that are left out and told of."""
    dataset = build("sts", length=8, vocabulary=1000)
    wanted = [
        "A plane takes off.",
        "A plane is taking off.",
        'An air plane "takes off.',
        "A man plays.",
        "A cat sleeps.",
        "A dog runs.",
        "Dogs run.",
    ]

    assert np.array_equal(every(dataset)[:7], hashed_words(wanted, vocabulary=1000, length=8))
    assert len(dataset.labels) == 11
    assert dataset.labels.tolist() == [0, 0, 0, 1, 2, 3, 3, 4, 5, 3, 6]
    assert "1 pairs that are not the same are left out, since others join their items" in dataset.notes


def test_the_test_is_that_of_the_list(build, sts):
    """Sentences of sts-test.csv are the test; what means the same as one of them is not trained on; its pairs keep their scores."""
    dataset = build("sts")

    assert names(dataset, "test") == [4, 6, 9, 10]
    assert names(dataset, "trainval") == [0, 1, 2, 3, 7, 8]
    assert "1 sentences to train that mean what one of the test does are left out" in dataset.notes
    pairs = dataset.pairs
    assert [(int(a), int(b)) for a, b in zip(pairs.left, pairs.right, strict=True)] == [(6, 9), (10, 4), (10, 6)]
    assert pairs.score.tolist() == [4, 2, 0]
    assert pairs.same.tolist() == [True, False, False]


def test_the_threshold_can_be_said(build, sts):
    """With 3.9 the pair of 3.999 is the same, with 5 only the one of 5; beyond 0 … 5 there is none."""
    assert build("sts", threshold=3.9).labels[[7, 8]].tolist() == [4, 4]
    assert len(set(build("sts", threshold=5.0).labels.tolist())) == 10
    with pytest.raises(DataError, match="sts: threshold must lie in 0 … 5, 0 left out, got 6"):
        build("sts", threshold=6.0)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("main-news\theadlines\t2015\t1\t4.0\tOnly one", r"sts-dev\.csv: line 1 has 6 fields, expected 7"),
        (sts_line("high", "a", "b"), r"sts-dev\.csv: line 1: the score must lie in 0 … 5, got 'high'"),
        (sts_line("nan", "a", "b"), r"the score must lie in 0 … 5, got 'nan'"),
        (sts_line(5.1, "a", "b"), r"the score must lie in 0 … 5, got '5\.1'"),
        (sts_line(1, "", "b"), r"sts-dev\.csv: line 1 has an empty sentence"),
        ("", r"sts-dev\.csv lists nothing"),
    ],
)
def test_lists_of_pairs_that_do_not_hold_are_one_sentence(build, sts, line, message):
    """A field too few, a score that is none, an empty sentence."""
    layouts.text(sts / "sts-dev.csv", [line])

    with pytest.raises(DataError, match=message):
        build("sts")


def test_sentences_of_the_test_and_of_training_can_be_split(build, sts):
    """No sentence and no meaning is on both sides, so that the official split holds."""
    dataset = build("sts")

    assert not set(dataset.labels[dataset.parts["trainval"]]) & set(dataset.labels[dataset.parts["test"]])
    with pytest.raises(DataError, match=r"folds? "):
        cut(dataset, SplitRules(rule="official", folds=2).spec)
