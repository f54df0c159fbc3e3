from __future__ import annotations

import json

import pytest
import torch
from siambench import cli
from siambench.testing.contracts import check
from siambench.tracks.files import load_track


@pytest.fixture(autouse=True)
def _nothing_is_fetched(monkeypatch):
    """No test downloads the packages of the data set."""

    def refuse(*_):
        raise OSError("no network in tests")

    monkeypatch.setattr("siambench.data.locate._download", refuse)


def called(*arguments):
    """The exit code of the command line, in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    return ended.value.code or 0


def test_the_track_keeps_its_contracts():
    """Its rules hold, and all that it and its comparison name is installed; without its data the rest is skipped."""
    outcomes = [outcome for kind in ("tracks", "configs") for outcome in check("emoji", kind=kind)]

    assert {(outcome.contract, outcome.state) for outcome in outcomes} >= {("rules", "passed"), ("components", "passed")}
    assert [outcome for outcome in outcomes if outcome.state == "failed"] == []


def test_the_track_is_listed(capsys):
    """`siambench tracks` names it beside those that ship."""
    assert called("tracks", "--json") == 0
    assert "emoji" in json.dumps(json.loads(capsys.readouterr().out))


def test_its_batches_hold_both_drawings_of_a_class():
    """A class has two drawings, and a batch both of 64 classes; nothing random is done to them, so that features are computed once."""
    track = load_track("emoji")

    assert (track.training.batch_size, track.training.images_per_class, track.training.trained_stages) == (128, 2, 0)
    assert track.augment is not None
    assert track.augment.of_form("images") == type(track.augment)().of_form("images")
    assert track.model.options == {"pretrained": "wheel"}
    assert track.metrics.primary == "recall@1"


def test_the_network_of_the_track_has_as_many_features_as_embeddings():
    """The head is square: 1,280 features, 1,280 numbers."""
    from siambench_timm.trunk import build

    trunk = build("tf_efficientnet_lite0", (3, 64, 64), pretrained="none", drop_path=0.0, size=0).eval()

    assert trunk(torch.rand(1, 3, 64, 64)).shape == (1, load_track("emoji").model.embedding_size)


def test_without_its_data_it_says_what_to_get(capsys):
    """Nothing is run: one sentence that names the file and where it goes, and exit code 4."""
    assert called("run", "emoji", "--plan") == 4
    told = capsys.readouterr().err
    assert "emoji-datasource-google-16.0.0.tgz is missing" in told
    assert "Traceback" not in told


def test_its_pages_are_what_its_records_give(capsys):
    """The pages of the track that the package brings are those that its records give, byte for byte."""
    assert called("leaderboard", "emoji", "--check") == 0
    assert "287 records" in capsys.readouterr().err


def test_it_is_an_exam(capsys):
    """The interval of each of the five rows lies above raw pixels, the network with drawn weights and the features themselves."""
    assert called("leaderboard", "emoji", "--format", "json") == 0
    scores = {row["method"]: row["scores"]["recall@1"] for row in json.loads(capsys.readouterr().out)["rows"]}
    baselines = [scores.pop(name)["mean"] for name in ("raw", "untrained", "pretrained")]

    assert len(scores) == 5
    assert all(score["mean"] - score["ci95"] > max(baselines) for score in scores.values())
