"""`siambench diagnose`: a method by its flags, a row, what is asked for wrongly; exit 0 for ok and 6 for a verdict."""

from __future__ import annotations

import json

import pytest
from shared import exam_folder

LOST = """
import torch

class Lost(torch.nn.Module):
    def forward(self, embeddings, labels):
        return torch.tensor(float(embeddings.detach().pow(2).sum()), requires_grad=True)
"""


def test_a_method_is_diagnosed_as_its_flags_say(siambench):
    """A method on digits is trained for the epochs that are asked for; the verdict comes first, and the code goes with it."""
    done = siambench("diagnose", "--loss", "contrastive", "--dataset", "digits", "--epochs", "1", "--set", "training.steps_per_epoch=4")
    assert done.stdout.startswith("verdict: "), done.stderr
    assert (0 if "verdict: ok" in done.stdout else 6) == done.returncode
    assert "1 epoch of 4 steps" in done.stderr
    assert "measured (note)" in done.stdout


@pytest.mark.parametrize(
    "flags", [("--feed", "pairs"), ("--feed", "views", "--loss", "ntxent"), ("--feed", "triplets", "--loss", "triplet")]
)
def test_every_feed_is_diagnosed(siambench, flags):
    """Pairs, views and triplets are diagnosed as classes are, and give a document with verdict and findings."""
    loss = () if "--loss" in flags else ("--loss", "contrastive")
    few = ("--epochs", "1", "--set", "training.steps_per_epoch=2", "--dataset", "digits")
    done = siambench("diagnose", *loss, *flags, *few, "--json")
    found = json.loads(done.stdout)
    assert {"schema", "verdict", "findings"} == set(found)
    assert 1 == found["schema"]
    for finding in found["findings"]:
        assert {"name", "severity", "evidence", "remedy", "attempt"} == set(finding)
    assert (0 if found["verdict"] == "ok" else 6) == done.returncode, done.stderr


def test_a_verdict_is_exit_six_with_its_evidence(siambench, tmp_path):
    """A loss in a file that leaves the graph is `frozen`: exit 6, the verdict on both streams, evidence and remedy on stdout."""
    (tmp_path / "mine.py").write_text(LOST)
    few = ("--epochs", "1", "--set", "training.steps_per_epoch=2", "--dataset", "digits")
    done = siambench("diagnose", "--loss", "./mine.py:Lost", *few)
    assert 6 == done.returncode, done.stdout + done.stderr
    assert done.stdout.startswith("verdict: frozen\n\nfrozen (fatal)\n")
    assert "outside of it" in done.stdout
    assert "what to do: " in done.stdout
    assert "the verdict is frozen" in done.stderr


def test_a_row_of_ones_own_run_is_diagnosed(siambench, undisturbed, tmp_path):
    """A row in an output folder is trained with its selected parameters on fold 0; no opening of the test part is logged."""
    before = (exam_folder(undisturbed.out) / "test-openings.jsonl").read_bytes()
    done = siambench("diagnose", undisturbed.track, "triplet+hard", "--from", undisturbed.out, "--json")
    found = json.loads(done.stdout)
    assert (0 if found["verdict"] == "ok" else 6) == done.returncode, done.stderr
    assert "triplet+hard on tiny, fold 0" in done.stderr
    assert before == (exam_folder(undisturbed.out) / "test-openings.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "a method, --loss L, or a row, TRACK ROW"),
        (("glyphs",), "a track and a row of it"),
        (("glyphs", "triplet", "--loss", "triplet"), "either a method or a row"),
        (("glyphs", "triplet", "--miner", "hard"), "--miner goes with --loss"),
        (("--loss", "triplet", "--from", "x"), "--from goes with a row"),
        (("--loss", "tripletx"), "did you mean"),
        (("--loss", "triplet", "--set", "loss.margn=1"), "loss.margn"),
        (("--loss", "triplet", "--epochs", "0"), "epochs"),
        (("glyphs", "no-such-row"), "no-such-row"),
        (("no-such-track", "triplet"), "no-such-track"),
        (("glyphs", "raw"), "nothing is trained for the row raw"),
        (("--loss", "triplet", "--feed", "fours"), "feed"),
        (("--loss", "npz:none"), "npz"),
    ],
)
def test_what_is_asked_for_wrongly_is_one_sentence(siambench, arguments, words):
    """A typo, a mix of method and row, or a row that nothing is trained for is one sentence and exit 4."""
    done = siambench("diagnose", *arguments)
    assert 4 == done.returncode, done.stderr
    assert words in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())
    assert "" == done.stdout
