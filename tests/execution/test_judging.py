"""What is said of a unit, by the worker: it stands in the record's telemetry, and changes nothing else."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from measured import each, healthy
from shared import exam_of
from torch import nn

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.execution import judging
from siambench.execution import worker as units
from siambench.execution.worker import execute
from siambench.identity import canonical
from siambench.interfaces import Epoch
from siambench.plugin import Fingerprint, LossEntry
from siambench.records.record import Record
from siambench.spec import Context, Method
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track
from siambench.training.loop import Trained
from siambench.training.model import build_model

ALIKE = {"spread": 1e-6, "auc": 0.6, "moved": 1e-5}
FEW = {"classes": 4.0}
"""As many as the batches of the tiny exam hold."""


class Free(nn.Module):
    """A loss whose value depends on nothing that could be trained."""

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        return embeddings.detach().sum()


class NotANumber(nn.Module):
    """A loss that is none."""

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        return embeddings.sum() * torch.nan


class Raising(nn.Module):
    """A loss with a bug."""

    def forward(self, embeddings, labels):
        """The loss of a batch."""
        raise ValueError("a bug")


LOSSES = {"free": Free, "nan": NotANumber, "raising": Raising}


@pytest.fixture
def catalogue(monkeypatch):
    """Everything installed, synthetic data, and three losses that cannot train; given to units."""
    base = synthetic_catalogue(noise=60.0)
    made = [
        Component("losses", name, LossEntry(build, source="made up"), Provenance("tests", "tests", "0")) for name, build in LOSSES.items()
    ]
    found = Catalogue((*base.components(), *made), base.plugins)
    units._data.cache_clear()
    monkeypatch.setattr(units, "_catalogue", lambda distributions: found)
    yield found
    units._data.cache_clear()


@pytest.fixture
def measured(monkeypatch):
    """Have training leave these rows, one tuple for each model."""
    return lambda *rows: monkeypatch.setattr(units.Kept, "models", property(lambda _: rows))


def study_of(catalogue, method="contrastive", **changes):
    """A study on the tiny exam."""
    return synthetic_study(Method(method), track=synthetic_track(**changes), catalogue=catalogue)


def tune(study):
    """The unit of trial 0 on fold 0."""
    return study.tune_unit(0, 0, study.defaults)


def final(study):
    """A final unit of trial 0."""
    return study.final_unit(0, 2, study.defaults, 0)


def run(unit):
    """Its record, as it is read back from its file."""
    record = execute(unit, Context(exam=exam_of(unit)))
    return Record.from_json(canonical(record.to_json()))


def test_a_unit_of_which_nothing_was_measured_has_no_diagnosis(catalogue, measured):
    """Without rows there is nothing to judge by: the record has no key of it, and its telemetry the keys that it had."""
    measured(())
    record = run(tune(study_of(catalogue)))

    assert record.outcome.state == "done"
    assert not {"diagnosis", "undiagnosed"} & set(record.telemetry)
    assert record.diagnosis is None


def test_rows_are_judged_and_the_outcome_is_what_it_was(catalogue, measured):
    """A record with rows has a verdict, whatever kind its unit is; its outcome is that of the unit without rows, to the last digit."""
    for unit in (tune(study_of(catalogue)), final(study_of(catalogue))):
        measured(())
        plain = run(unit)
        measured(each(healthy(), **FEW, dead_units=0.9))
        judged = run(unit)

        assert judged.diagnosis.verdict == "ok"
        assert [one.name for one in judged.diagnosis.findings] == ["dead-units"]
        assert canonical(judged.to_json()["outcome"]) == canonical(plain.to_json()["outcome"])
        assert judged.to_json()["outcome_digest"] == plain.to_json()["outcome_digest"]


def test_the_untrained_network_is_asked_for_where_embeddings_look_alike_alone(catalogue, measured, monkeypatch):
    """Of a tune unit whose rows are alike its score on the validation part is that of the network that the unit began with."""
    study, scores = study_of(catalogue), []
    real = judging.facts_of
    monkeypatch.setattr(judging, "facts_of", lambda *given, **named: scores.append(named["untrained"]) or real(*given, **named))

    measured(each(healthy(), **FEW))
    run(tune(study))
    measured(each(healthy(), **ALIKE, **FEW))
    judged = run(tune(study))
    measured(each(healthy(), **ALIKE, **FEW))
    run(final(study))

    def untouched(unit, entries, items, validate, **named):
        model = build_model(unit, entries.backbone, items.dataset)
        return Trained(model, (Epoch(1, 0.0, None, None, dict(validate(model))),))

    measured(())
    monkeypatch.setattr(units, "train", untouched)
    untrained = run(tune(study)).outcome.curve[-1].validation["map@r"]
    best = max(epoch.validation["map@r"] for epoch in judged.outcome.curve if epoch.validation)
    assert scores == [None, untrained, None]
    assert judged.diagnosis.verdict == ("ok" if best > untrained else "collapsed")


def test_of_several_fold_models_the_verdict_that_comes_first_is_told(catalogue, measured):
    """Under the Reality Check's protocol a unit trains a model a fold: one that starves among healthy ones makes the unit starved."""
    study = study_of(catalogue, evaluation={"protocol": "reality-check"})
    measured(each(healthy(), **FEW), *(each(healthy(auc=0.7), **FEW, idle=1.0, loss=0.0) for _ in range(3)))
    record = run(final(study))

    assert record.outcome.error is None
    assert record.diagnosis.verdict == "starved"


def test_what_raised_is_judged_by_how_it_ended(catalogue):
    """A loss that is not finite is `diverged`, a value without a gradient `frozen`; of what raised anything else nothing is said."""
    found = {name: run(tune(study_of(catalogue, name))) for name in LOSSES}

    assert {name: record.outcome.state for name, record in found.items()} == dict.fromkeys(LOSSES, "failed")
    assert found["nan"].diagnosis.verdict == "diverged"
    assert found["free"].diagnosis.verdict == "frozen"
    assert "without a gradient" in found["free"].diagnosis.findings[0].evidence
    assert found["raising"].diagnosis is None


def test_a_baseline_has_no_diagnosis(catalogue):
    """What nothing is trained for is not judged."""
    for unit in baselines_of([study_of(catalogue)]):
        assert not {"diagnosis", "undiagnosed"} & set(run(unit).telemetry)


def test_a_rule_that_breaks_costs_no_unit(catalogue, measured, monkeypatch):
    """Where judging raises, the record is there with its outcome, and says why it was not judged."""
    monkeypatch.setattr(judging, "judged", lambda facts: 1 / 0)
    measured(each(healthy(), **FEW))
    record = run(tune(study_of(catalogue)))

    assert record.outcome.state == "done"
    assert record.telemetry["undiagnosed"] == "ZeroDivisionError: division by zero"
    assert record.diagnosis is None


def test_a_fingerprint_that_leaves_costs_no_unit(catalogue, measured, monkeypatch):
    """A plugin's value at equality may raise whatever it likes, SystemExit too: the unit is what it was."""

    def leaves(params, classes, items):
        raise SystemExit(3)

    def entries_of(*given, real=units.entries_of):
        found = real(*given)
        return dataclasses.replace(
            found, loss=dataclasses.replace(found.loss, fingerprint=Fingerprint(forms_tuples=True, at_equality=leaves))
        )

    monkeypatch.setattr(units, "entries_of", entries_of)
    measured(each(healthy(), **FEW))
    record = run(tune(study_of(catalogue)))

    assert record.outcome.state == "done"
    assert record.telemetry["undiagnosed"].startswith("SystemExit")


@pytest.mark.parametrize(
    "told", [None, 3, "ok", {"verdict": 3}, {"verdict": "ok", "findings": [{"name": "x"}]}, {"verdict": "ok", "more": 1}]
)
def test_a_diagnosis_that_cannot_be_read_is_none(catalogue, measured, told):
    """No digest vouches for telemetry: whatever stands there, the record is read, and nothing is said of it."""
    measured(each(healthy(), **FEW))
    document = run(tune(study_of(catalogue))).to_json()
    document["telemetry"]["diagnosis"] = told

    assert Record.from_json(canonical(document)).diagnosis is None


# ---- what a track keeps as it is


@pytest.mark.parametrize(
    "rules",
    [
        {"trained_stages": 0},
        {"frozen_batchnorm": True},
        {"trained_stages": 1, "frozen_batchnorm": True},
        {"trunk_warmup": 1, "epochs": 2, "schedule": "constant"},
        {"rate_warmup": 0.9, "schedule": "constant"},
        {"trunk_rate": 1e-3},
        {"clip_norm": 1e-3},
        {"ema": 0.9},
    ],
)
def test_what_a_track_keeps_as_it_is_is_not_frozen(catalogue, rules):
    """A trunk, stages or BatchNorm that the rules freeze, and steps of a warm-up, are no verdict `frozen`, in trials and final models."""
    study = study_of(catalogue, training=rules)
    for unit in (tune(study), final(study), study.final_unit(0, 1, study.defaults, 0)):
        record = run(unit)
        assert record.outcome.state == "done"
        assert record.diagnosis is not None
        assert record.diagnosis.verdict not in ("frozen", "diverged")
        assert not {"frozen", "unlisted"} & {one.name for one in record.diagnosis.findings}


def test_a_loss_that_trains_nothing_is_frozen_whatever_the_track_keeps(catalogue):
    """A rule that freezes a part does not hide that nothing else learns."""
    record = run(tune(study_of(catalogue, "free", training={"trained_stages": 0})))
    assert record.diagnosis.verdict == "frozen"
