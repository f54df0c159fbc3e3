"""A final model of a loss with a similarity of its own is judged by that too."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from siambench.cli import main
from siambench.errors import RecordError
from siambench.execution import worker
from siambench.interfaces import Done
from siambench.plugin import LossEntry
from siambench.records.damage import check_scores
from siambench.records.folder import Folder
from siambench.spec import Method
from siambench.testing import synthetic_study
from siambench.training.loop import Trained

QUICK = {"training.epochs": 1, "training.steps_per_epoch": 3}


WORDS = ("--loss", "verification-head", "--feed", "pairs", "--trials", "1", "--repetitions", "1")


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A run of the verification head fed pairs, on a few steps: its document, and where it left its records."""
    out = tmp_path_factory.mktemp("out")
    words = [word for name, value in QUICK.items() for word in ("--set", f"{name}={value}")]
    told = io.StringIO()
    with contextlib.redirect_stdout(told), pytest.raises(SystemExit) as ended:
        main(["run", *WORDS, *words, "--jobs", "1", "--out", str(out), "--json"])
    assert ended.value.code == 0
    return json.loads(told.getvalue()), out


def test_final_models_have_scores_by_it_and_tune_units_have_not(ran):
    """``own:`` metrics of neighbours and of pairs stand beside those by the distance, each in its metric's range."""
    _, out = ran
    records = [record for folder in Path(out).iterdir() for record in Folder(folder).read().records]
    finals = [one for one in records if one.unit.kind == "final" and one.unit.method.loss == "verification-head"]
    (final,) = finals
    assert isinstance(final.outcome, Done)
    own = {name.removeprefix("own:") for name in final.outcome.scores if name.startswith("own:")}
    assert {"map@r", "recall@1", "roc_auc", "eer", "verification_accuracy"} <= own
    assert not own & {"effective_rank"}
    assert final.outcome.scores["own:map@r"] != final.outcome.scores["map@r"]
    assert 0 <= final.outcome.scores["own:map@r"] <= 1
    tune = [one for one in records if one.unit.kind == "tune"]
    assert tune
    assert not any(name.startswith("own:") for one in tune for epoch in one.outcome.curve for name in epoch.validation or {})


def test_the_table_has_columns_of_their_own(ran):
    """They are there with the direction of their metric; a row without has none."""
    document, _ = ran
    rows = {row["method"]: row["scores"] for row in document["rows"]}
    assert "own:recall@1" in rows["verification-head:pairs"]
    assert "own:recall@1" not in rows["raw"]
    directions = {metric["name"]: metric["direction"] for metric in document["metrics"]}
    assert ("min", "max") == (directions["own:eer"], directions["own:map@r"])


def test_an_own_score_outside_its_range_is_damage(ran):
    """A record whose own score was edited does not hold, as any other score's would not."""
    _, out = ran
    records = [record for folder in Path(out).iterdir() for record in Folder(folder).read().records]
    final = next(one for one in records if one.unit.kind == "final" and one.unit.method.loss == "verification-head")
    broken = dataclasses.replace(final.outcome, scores={**final.outcome.scores, "own:map@r": 1.5})
    with pytest.raises(RecordError, match="own:map@r"):
        check_scores(broken, "here")


class Comparing(nn.Module):
    """A loss with a similarity of its own."""

    def similarity(self, left, right):
        """The inner product."""
        return left @ right.T


@pytest.mark.parametrize(("declared", "unit_says", "has"), [((8,), "8", False), ((8,), "none", True), ((), "8", False), ((), None, True)])
def test_it_is_the_unit_that_says_whether_a_projector_stands_before_it(declared, unit_says, has):
    """Behind a projector the similarity is not of what the model gives; a row without the projector of its entry is judged by it."""
    study = synthetic_study(Method("contrastive"))
    unit = study.final_unit(0, 1, study.defaults | ({} if unit_says is None else {"loss.projector": unit_says}), 0)
    ready = SimpleNamespace(entries=SimpleNamespace(loss=LossEntry(Comparing, source="made up", projector=declared)))
    found = worker._own_similarity(unit, ready, Trained(nn.Identity(), loss=Comparing()))
    assert has == (found is not None)
    if found is not None:
        assert 1.0 == float(found[1](torch.ones(1, 4), torch.full((1, 4), 3.0)))
