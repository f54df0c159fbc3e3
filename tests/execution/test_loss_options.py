"""A row with options of its loss set: planned, run and shown like any other, and told from the row without."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from pathlib import Path

import pytest

from siambench.cli import main
from siambench.errors import LostError
from siambench.execution import worker
from siambench.records.folder import Folder
from siambench.spec import Context

QUICK = ("--trials", "1", "--repetitions", "1", "--jobs", "1", "--set", "training.epochs=1", "--set", "training.steps_per_epoch=2")


def called(*words):
    """What a command prints on stdout, on stderr, and its exit code."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(words))
    return out.getvalue(), err.getvalue(), ended.value.code


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A sum of losses with an option of one part set, on two steps: its document and its final unit."""
    out = tmp_path_factory.mktemp("out")
    settings = ("--set", "loss.triplet.swap=true", "--set", "loss.contrastive.distance=cosine")
    told, _, code = called("run", "--loss", "sum(triplet,contrastive)", *QUICK, *settings, "--out", str(out), "--json")
    assert code == 0
    records = [record for folder in Path(out).iterdir() for record in Folder(folder).read().records]
    return json.loads(told), next(one.unit for one in records if one.unit.kind == "final" and one.unit.training is not None)


def test_a_run_with_options_gives_a_row_that_is_marked_and_says_them(ran):
    """The row's parameters hold the options, and it is flagged as any row with a parameter fixed by hand."""
    document, unit = ran
    (row,) = [one for one in document["rows"] if one["method"] == "sum(triplet,contrastive)"]
    assert True is row["params"]["loss.triplet.swap"]
    assert "cosine" == row["params"]["loss.contrastive.distance"]
    assert any(flag.startswith("edited") for flag in row["flags"])
    assert ("loss.contrastive.distance", "loss.triplet.swap") == unit.edited
    # What is a distance stands where cosines have it.
    assert 1.0 == unit.params["loss.contrastive.pos_margin"]


def test_a_worker_makes_the_loss_that_the_unit_was_planned_with(ran):
    """It finds the same code; a unit whose parameters set no option was planned with another."""
    _, unit = ran
    assert worker.unfit([unit], Context()) is None
    params = {name: value for name, value in unit.params.items() if name not in unit.edited}
    assert "was planned for" in str(worker.unfit([dataclasses.replace(unit, params=params)], Context()))
    with pytest.raises(LostError):
        worker.execute(dataclasses.replace(unit, params={**unit.params, "loss.triplet.swap": "perhaps"}), Context())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("loss.swap=maybe",), "the options of the loss triplet do not hold: swap must be false or true, got 'maybe'"),
        (("loss.swp=true",), "no method here has a parameter 'loss.swp', did you mean 'loss.swap'?"),
        (("loss.p=3",), "the options of the loss triplet do not hold: p is of distance = lp alone"),
        (("loss.distance=manhattan",), "distance must be own or cosine or lp or snr, got 'manhattan'"),
        (("loss.soft=true", "loss.average=all"), "average = all has no effect beside soft = true"),
        (("loss.swap=true", "loss.margin=5"), "--set loss.margin=5 lies outside its space"),
    ],
)
def test_what_cannot_be_is_one_sentence_before_anything_runs(words, sentence, tmp_path):
    """Exit 4, with what was asked, what is allowed and the nearest."""
    settings = [word for setting in words for word in ("--set", setting)]
    _, told, code = called("run", "--loss", "triplet", "--plan", *settings, "--out", str(tmp_path))
    assert 4 == code
    assert sentence in told
    assert 1 == len(told.strip().splitlines())
    assert [] == list(tmp_path.iterdir())


def test_show_tells_each_option_and_that_the_library_has_the_form():
    """What it can be set to, its neutral value first, and in whose form the loss then is; as JSON with its range."""
    told, _, code = called("show", "loss", "triplet")
    assert 0 == code
    assert "options (neither tuned nor in a row unless set):" in told
    assert "  swap: false or true; the negative is compared with the positive where it is nearer to that (Balntas et al. 2016)" in told
    assert "  distance: own or cosine or lp or snr; distance of pytorch-metric-learning, in whose form the loss then is" in told
    document = json.loads(called("show", "loss", "triplet", "--json")[0])
    assert {"type": "float", "low": 1.0, "high": 10.0, "log": False} == document["options"]["p"]["allowed"]
    assert 2.0 == document["options"]["p"]["neutral"]
    assert "options" not in called("show", "loss", "circle")[0]
    assert {} == json.loads(called("show", "loss", "circle", "--json")[0])["options"]
