"""One unit, anywhere: its result, its record, what is told of it, and what the environment takes."""

from __future__ import annotations

import asyncio
import concurrent.futures
import dataclasses
import importlib.metadata
import json
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from shared import exam_of
from torch import nn

from siambench.components.catalogue import Catalogue
from siambench.components.component import Component, Provenance
from siambench.errors import DataError, DataMissingError, LostError
from siambench.evaluation.embedding import Concatenated
from siambench.evaluation.scoring import Scores, evaluate_items, separated
from siambench.execution import worker as units
from siambench.execution.places import foreign
from siambench.execution.worker import execute
from siambench.identity import canonical, to_json
from siambench.interfaces import Dataset, EpochEnded, UnitEnded, UnitStarted
from siambench.plugin import DatasetEntry, LossEntry, MetricEntry, ObserverEntry, SamplerEntry
from siambench.records.openings import read_openings
from siambench.records.record import read
from siambench.records.running import running
from siambench.spec import FEEDS, FORMS, Context, Listed, Method, Source
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_catalogue, synthetic_dataset, synthetic_study, synthetic_track
from siambench.tracks.parts import Items
from siambench.training import loop as training

HERE = Context()
MADE_UP = Provenance("tests", "tests", "0")


def loss_of(value):
    """An entry of a loss with this value of the embeddings."""

    class Made(nn.Module):
        def forward(self, embeddings, labels, indices=None):
            return value(embeddings)

    return LossEntry(lambda: Made(), source="made up")  # noqa: PLW0108  a factory without parameters, unlike the class


def fail(error):
    """A function that raises."""

    def failing(*arguments, **options):
        raise error

    return failing


class MuteError(Exception):
    """An error that cannot be put into words."""

    def __str__(self):
        raise KeyboardInterrupt


MADE_UP_LOSSES = {
    "raising": loss_of(fail(ValueError("a bug in the loss\nwith a second line"))),
    "diverging": loss_of(lambda embeddings: embeddings.sum() * torch.nan),
    "exploding": loss_of(lambda embeddings: -1e30 * embeddings.square().sum()),
    "vector": loss_of(lambda embeddings: embeddings.sum(dim=1)),
    "greedy": loss_of(fail(MemoryError())),
    "greedy-gpu": loss_of(fail(torch.OutOfMemoryError("CUDA out of memory"))),
    "greedy-cpu": loss_of(fail(RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"))),
    "interrupts": loss_of(fail(KeyboardInterrupt())),
    "generator-exit": loss_of(fail(GeneratorExit("closed"))),
    "cancels": loss_of(fail(asyncio.CancelledError("by a task"))),
    "cancels-future": loss_of(fail(concurrent.futures.CancelledError())),
    "leaves": loss_of(fail(SystemExit(0))),
    "mute": loss_of(fail(MuteError())),
    "surrogate": loss_of(fail(ValueError("half \ud83d of a pair"))),
    "endless": loss_of(fail(ValueError("x" * 50_000_000))),
    "says-lost": loss_of(fail(LostError("the disk is gone, says a loss"))),
    "detached": loss_of(lambda embeddings: embeddings.detach().square().mean()),
    "printing": loss_of(lambda embeddings: print("debugging") or embeddings.square().mean()),  # noqa: T201  what a stranger's loss does
}


@pytest.fixture
def catalogue(monkeypatch):
    """Everything installed, synthetic data with episodes, and losses and metrics that misbehave; given to units."""
    base = synthetic_catalogue(one_shot_runs=2, noise=60.0)
    losses = [Component("losses", name, entry, MADE_UP) for name, entry in MADE_UP_LOSSES.items()]
    nan = Component("metrics", "nan", MetricEntry(lambda evaluation: float("nan"), source="made up"), MADE_UP)
    found = Catalogue((*base.components(), *losses, nan), base.plugins)
    use(monkeypatch, found)
    return found


def use(monkeypatch, catalogue):
    """Let units find this catalogue, and load data anew."""
    units._data.cache_clear()
    monkeypatch.setattr(units, "_catalogue", lambda distributions: catalogue)


@pytest.fixture(autouse=True)
def fresh_data():
    """No data stays in memory between tests."""
    yield
    units._data.cache_clear()


def study_of(catalogue, method="contrastive", miner="none", feed="classes", **changes):
    """A study on the tiny exam."""
    return synthetic_study(Method(method, miner, feed), track=synthetic_track(**changes), catalogue=catalogue)


def tune(study, fold=0):
    """The unit of trial 0 on a fold."""
    return study.tune_unit(0, fold, study.defaults)


def final(study, repetition=0, epoch=2):
    """A final unit of trial 0."""
    return study.final_unit(0, epoch, study.defaults, repetition)


def run(unit, context=HERE):
    """Execute a unit as an engine does: it is pickled on its way, for an exam that suits it."""
    return execute(*pickle.loads(pickle.dumps((unit, dataclasses.replace(context, exam=exam_of(unit))))))


# ---- results


@pytest.mark.parametrize("miner", ["none", "semihard", "distance-weighted"])
@pytest.mark.parametrize("kind", ["tune", "final"])
def test_a_unit_run_twice_gives_one_result(catalogue, kind, miner):
    """Two runs of one unit agree in every digit of the outcome, whatever the global random state was."""
    study = study_of(catalogue, "triplet", miner)
    unit = tune(study) if kind == "tune" else final(study)
    torch.manual_seed(1)
    first = run(unit)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002  the state that must not matter
    second = run(unit)

    assert first.outcome == second.outcome
    assert canonical(to_json(first.outcome)) == canonical(to_json(second.outcome))
    assert first.id == second.id == unit.id
    assert first.outcome.state == "done"


def test_a_unit_gives_the_same_result_in_another_process(catalogue):
    """A built-in unit gives bit-identical results here and in a fresh process."""
    track = synthetic_track(dataset={"name": "digits"}, training={"batch_size": 16}, metrics={"report": ["map@r", "recall@1", "eer"]})
    study = synthetic_study(Method("triplet"), track=track, catalogue=catalogue)
    unit = final(study)
    code = (
        "import json, sys\n"
        "from siambench.spec import Context, Unit\n"
        "from siambench.execution.worker import execute\n"
        "sys.path.insert(0, sys.argv[1])\n"
        "from shared import exam_of\n"
        "unit = Unit.from_json(sys.stdin.read())\n"
        "json.dump(execute(unit, Context(exam=exam_of(unit))).to_json()['outcome'], sys.stdout)\n"
    )

    there = subprocess.run(
        [sys.executable, "-c", code, str(Path(__file__).parents[1])],
        input=json.dumps(unit.to_json()),
        capture_output=True,
        text=True,
        check=True,
    )

    assert canonical(to_json(run(unit).outcome)) == canonical(json.loads(there.stdout))


def test_a_unit_runs_in_one_thread(catalogue):
    """However many threads torch was told to use, a unit computes with one."""
    torch.set_num_threads(3)
    assert run(tune(study_of(catalogue, "triplet", "none"))).outcome.state == "done"

    assert 1 == torch.get_num_threads()


def test_seeds_matter(catalogue):
    """Two repetitions of one method give different models, and a different fold a different curve."""
    study = study_of(catalogue)
    first, second = run(final(study, 0)), run(final(study, 1))

    assert first.outcome.curve != second.outcome.curve
    assert run(tune(study, 0)).outcome.curve != run(tune(study, 1)).outcome.curve


def test_a_final_record_has_scores_of_few_labels_dimensions_and_bad_images(catalogue):
    """A trained model has each of them, also when the primary metric is one; the raw input has all but that of a fine-tuned network."""
    names = ["eer@enrol-2", "eer@enrol-nearest-1", "fine_tune@1", "linear_probe@1", "recall@1-dim-2", "map@r-noise", "recall@2-rotation"]
    study = study_of(catalogue, metrics={"primary": "eer@enrol-2", "report": names})
    outcome = run(final(study)).outcome
    assert set(names) == set(outcome.scores)
    assert all(isinstance(score, float) for score in outcome.scores.values())
    assert outcome.over_pairs == ("eer@enrol-2", "eer@enrol-nearest-1")
    assert set(outcome.per_class) == {"recall@1-dim-2", "map@r-noise", "recall@2-rotation"}
    assert [4] == [len(values) for values in outcome.jackknife.values()]
    raw = run(baselines_of([study])[0]).outcome
    assert [name for name in names if raw.scores[name] is None] == ["fine_tune@1"]
    assert "needs a network" in raw.notes["fine_tune@1"]


def test_a_final_record_has_scores(catalogue):
    """A final record holds every reported score, those per class, what the metrics are, and a curve without validation."""
    study = study_of(catalogue, metrics={"report": ["map@r", "recall@1", "eer", "one_shot_error"]})
    outcome = run(final(study)).outcome

    assert set(outcome.scores) == {"map@r", "recall@1", "eer", "one_shot_error"}
    assert all(isinstance(outcome.scores[name], float) for name in ("map@r", "recall@1", "one_shot_error"))
    assert outcome.directions == {"map@r": "max", "recall@1": "max", "eer": "min", "one_shot_error": "min"}
    assert dict.fromkeys(outcome.directions, (0.0, 1.0)) == outcome.ranges
    assert outcome.over_pairs == ("eer",)
    assert {name: len(values) for name, values in outcome.per_class.items()} == {"map@r": 4, "recall@1": 4}
    assert all(epoch.validation is None for epoch in outcome.curve)
    assert outcome.ended == "ok"
    assert outcome.error is None
    assert outcome.repeat_rate == 0.0


def test_a_tune_record_has_no_test_scores(catalogue, tmp_path, monkeypatch):
    """A tune unit reports validation scores alone, reads no test item, opens no test set and logs nothing."""
    seen = []
    real = Dataset.__init__

    def watched(self, **fields):
        reading = fields["read"]
        fields["read"] = lambda indices: seen.append(int(indices.max())) or reading(indices)
        real(self, **fields)

    study = study_of(catalogue, metrics={"report": ["map@r", "one_shot_error"]})
    unit = tune(study)
    context = Context(records=str(tmp_path / "records"), openings=str(tmp_path / "openings.jsonl"))
    run(unit, context)  # digests of all images are taken when the data is loaded
    monkeypatch.setattr(Dataset, "__init__", watched)
    use(monkeypatch, synthetic_catalogue(one_shot_runs=2, noise=60.0))
    units._data("synthetic", (), unit.data.split, foreign(unit, context))
    seen.clear()

    outcome = run(unit, context).outcome

    assert outcome.scores == {}
    assert outcome.per_class == {}
    assert outcome.class_queries is None
    assert [None, {"map@r"}] == [None if epoch.validation is None else set(epoch.validation) for epoch in outcome.curve]
    assert 0 < max(seen) < 24
    assert not (tmp_path / "openings.jsonl").exists()


def test_each_opening_of_the_test_set_is_logged(catalogue, tmp_path):
    """Every final unit leaves one line with its identity, even if scoring then fails, and so does a baseline."""
    log = tmp_path / "openings.jsonl"
    context = Context(openings=str(log))
    study = study_of(catalogue)
    one, other = final(study, 0), final(study, 1)
    for unit in (one, other, one):
        run(unit, context)
    broken = final(study_of(catalogue, metrics={"primary": "nan", "report": ["map@r", "nan"]}))
    run(broken, context)
    raw = baselines_of([study])[0]
    run(raw, context)

    lines = read_openings(log)
    assert [line["unit"] for line in lines] == [one.id, other.id, one.id, broken.id, raw.id]
    assert {line["track"] for line in lines} == {"synthetic"}
    assert [line["method"] for line in lines] == [*["contrastive"] * 4, "raw"]
    assert [lines[0]["row"], lines[-1]["row"]] == [study.row, "baseline-raw"]


def test_baselines_are_scored(catalogue):
    """The raw input and the untrained backbone are scored without training; the untrained one follows its seed."""
    study = study_of(catalogue)

    found = [run(unit).outcome for unit in baselines_of([study])]

    assert [len(outcome.curve) for outcome in found] == [0, 0, 0]
    assert all(outcome.scores["map@r"] is not None for outcome in found)
    assert found[1].scores != found[2].scores
    assert found[0].repeat_rate is None


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("form", FORMS)
def test_items_of_every_form_are_run_by_every_feed(monkeypatch, form, feed):
    """Images, arrays and tokens, fed by classes, pairs, triplets or views: the unit is done, and so are the baselines beside it."""
    catalogue = synthetic_catalogue(form=form)
    use(monkeypatch, catalogue)
    model = {"backbone": "bag", "options": {}} if form == "tokens" else {}
    study = study_of(catalogue, feed=feed, model=model, training={"batch_size": 12})
    for unit in (tune(study), final(study), *baselines_of([study])):
        assert run(unit).outcome.error is None


# ---- failures are results


def test_a_loss_that_raises_is_a_failed_unit(catalogue, tmp_path):
    """A loss with a bug gives a written record: failed, one line of what happened, the traceback in the telemetry."""
    record = run(final(study_of(catalogue, "raising")), Context(records=str(tmp_path)))
    outcome = record.outcome

    assert outcome.state == "failed"
    assert outcome.ended == "raised"
    assert outcome.scores == {}
    assert "ValueError: a bug in the loss" in outcome.error
    assert "\n" not in outcome.error
    assert "Traceback" in record.traceback
    assert record == read(tmp_path / f"{record.id}.json")


@pytest.mark.parametrize(
    ("loss", "told"),
    [
        ("interrupts", "KeyboardInterrupt"),
        ("generator-exit", "GeneratorExit: closed"),
        ("cancels", "CancelledError: by a task"),
        ("cancels-future", "CancelledError"),
        ("leaves", "SystemExit: 0"),
        ("mute", "MuteError: it cannot say what it is: its __str__ raised KeyboardInterrupt"),
        ("surrogate", "ValueError: half \\ud83d of a pair"),
        ("endless", "ValueError: xxxxxxxx"),
        ("says-lost", "LostError: the disk is gone, says a loss"),
    ],
)
def test_whatever_a_loss_raises_is_a_failed_unit(catalogue, tmp_path, loss, told):
    """What ends processes, what has no words, no UTF-8 or no end, and what only siambench may say: failed, and the record can be read."""
    record = run(tune(study_of(catalogue, loss)), Context(records=str(tmp_path)))

    assert ("failed", "raised") == (record.outcome.state, record.outcome.ended)
    assert record.outcome.error.startswith(told)
    assert len(record.outcome.error) <= 2000
    assert 0 < len(record.traceback) < 25_000
    assert record == read(tmp_path / f"{record.id}.json")
    (tmp_path / f"{record.id}.json").read_bytes().decode("utf-8")


def test_data_that_says_it_is_lost_is_no_result(catalogue, monkeypatch):
    """A data set's own word that its environment took the items is believed, and costs no method anything."""
    study = study_of(catalogue)
    items = Dataset.__init__

    def gone(self, **fields):
        items(
            self,
            **{
                **fields,
                "read": fail(LostError("the store is away")),
                "digests": [bytes([n % 256]) * 32 for n in range(len(fields["labels"]))],
            },
        )

    unit = tune(study)
    dataset, split = units._data("synthetic", (), unit.data.split, foreign(unit, HERE))
    monkeypatch.setattr(Dataset, "__init__", gone)
    lost = dataclasses.replace(dataset)
    monkeypatch.setattr(units, "_data", lambda *given: (lost, split))

    with pytest.raises(LostError, match="the images cannot be read: the store is away"):
        run(unit)


def test_a_loss_of_nan_has_diverged(catalogue):
    """A loss that is not a number ends as ``diverged``."""
    outcome = run(tune(study_of(catalogue, "diverging"))).outcome

    assert outcome.state == "failed"
    assert outcome.ended == "diverged"
    assert "nan" in outcome.error


def test_embeddings_beyond_the_numbers_have_diverged(catalogue):
    """A model whose weights leave the finite numbers ends as ``diverged``, however it shows first."""
    study = study_of(catalogue, "exploding", training={"optimiser": "sgd", "schedule": "constant"})
    outcome = run(final(study)).outcome

    assert outcome.state == "failed"
    assert outcome.ended == "diverged"


@pytest.mark.parametrize("miner", ["hard", "semihard", "multi-similarity", "distance-weighted"])
def test_divergence_is_recognised_under_a_miner(catalogue, miner):
    """Embeddings that are no numbers are a divergence, not whatever a miner makes of them."""
    study = synthetic_study(
        Method("triplet", miner),
        track=synthetic_track(training={"optimiser": "sgd", "schedule": "constant", "epochs": 1, "steps_per_epoch": 5}),
        catalogue=catalogue,
    )
    unit = tune(study)
    params = {**unit.params, "optimiser.lr": 1e38, "loss.margin": 2.0, "miner.warmup": 0.0}
    outcome = run(dataclasses.replace(unit, params=params)).outcome

    assert outcome.state == "failed"
    assert outcome.ended == "diverged", outcome.error


def test_a_broken_contract_is_a_failed_unit(catalogue):
    """A loss that gives no scalar has failed; it is its method's result, not the environment's."""
    outcome = run(final(study_of(catalogue, "vector"))).outcome

    assert outcome.state == "failed"
    assert "must return a scalar tensor" in outcome.error


def test_a_metric_that_misbehaves_costs_its_own_score_alone(catalogue, tmp_path):
    """A reported score that is not finite is None with a note that names its metric; the others are those of a unit without it."""
    record = run(final(study_of(catalogue, metrics={"report": ["map@r", "nan", "recall@1"]})), Context(records=str(tmp_path)))
    alone = run(final(study_of(catalogue, metrics={"report": ["map@r", "recall@1"]})))

    assert record.outcome.scores == {**alone.outcome.scores, "nan": None}
    assert record.outcome.notes["nan"] == "metric nan gave nan, which is no score"
    assert record == read(tmp_path / f"{record.id}.json")


@pytest.mark.parametrize("kind", [tune, final])
def test_a_primary_metric_that_misbehaves_fails_the_unit(catalogue, kind):
    """Without the score that it is ranked by a unit has failed, in tuning as in the end, and its error names the metric."""
    outcome = run(kind(study_of(catalogue, metrics={"primary": "nan", "report": ["map@r", "nan"]}))).outcome

    assert (outcome.state, outcome.ended) == ("failed", "raised")
    assert outcome.error == "metric nan gave nan, which is no score"


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda labels, batch_size: [torch.arange(batch_size)], "gave 1 batches, training takes 6"),
        (lambda labels, batch_size, steps: [torch.arange(batch_size) + len(labels)] * steps, "must give indices in 0 … "),
        (lambda labels, batch_size, steps: [torch.arange(batch_size).int()] * steps, "must give index tensors int64 [8], got int32 [8]"),
        (lambda labels: {}["slots"], "raised KeyError: 'slots'"),
    ],
    ids=["too-few", "out-of-range", "another-dtype", "raises"],
)
def test_a_sampler_that_misbehaves_fails_the_unit(catalogue, monkeypatch, build, words):
    """A sampler that gives too few batches, or what is no batch, fails the unit with one sentence that names it."""
    sampler = Component("samplers", "odd", SamplerEntry(build, source="made up"), MADE_UP)
    loss = Component("losses", "oddly-fed", dataclasses.replace(catalogue.get("losses", "contrastive").entry, sampler="odd"), MADE_UP)
    more = Catalogue((*catalogue.components(), sampler, loss), catalogue.plugins)
    use(monkeypatch, more)
    outcome = run(tune(study_of(more, "oddly-fed"))).outcome

    assert (outcome.state, outcome.ended) == ("failed", "raised")
    assert outcome.error.startswith("sampler 'odd' ")
    assert words in outcome.error


def test_a_batch_that_does_not_fit_is_a_failed_unit(catalogue):
    """A batch size that the method's layout cannot be cut from fails that method, with the numbers."""
    outcome = run(tune(study_of(catalogue, training={"batch_size": 10}))).outcome

    assert outcome.state == "failed"
    assert "batch of 10 images" in outcome.error


# ---- what the environment takes is no result


@pytest.mark.parametrize("loss", ["greedy", "greedy-gpu", "greedy-cpu"])
def test_running_out_of_memory_is_no_result(catalogue, tmp_path, loss):
    """Out of memory is LostError, and leaves no record."""
    with pytest.raises(LostError, match=r"(?i)memory"):
        run(tune(study_of(catalogue, loss)), Context(records=str(tmp_path)))

    assert list(tmp_path.iterdir()) == []


def test_other_data_than_planned_is_no_result(catalogue, tmp_path):
    """Data with another fingerprint than the unit was planned for is LostError, and leaves no record."""
    unit = tune(study_of(catalogue))
    unit = dataclasses.replace(unit, data=dataclasses.replace(unit.data, fingerprint="0" * 64))

    with pytest.raises(LostError, match=r"fingerprint .* planned for 0000000000000000"):
        run(unit, Context(records=str(tmp_path)))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "error",
    [
        DataMissingError("file.zip is missing"),
        DataError("bird.png cannot be read as an image"),
        PermissionError("no access"),
        OSError("stale file handle"),
    ],
)
def test_data_that_cannot_be_loaded_is_no_result(catalogue, monkeypatch, tmp_path, error):
    """Whatever goes wrong while the data is loaded is the environment's doing: LostError, and no record."""
    unit = tune(study_of(catalogue))
    entry = DatasetEntry(fail(error), source="made up")
    others = [c for c in catalogue.components() if c.name != "synthetic"]
    use(monkeypatch, Catalogue((*others, Component("datasets", "synthetic", entry, MADE_UP)), catalogue.plugins))

    with pytest.raises(LostError):
        run(unit, Context(records=str(tmp_path)))

    assert list(tmp_path.iterdir()) == []


def test_data_that_shrank_is_no_result(catalogue, monkeypatch, tmp_path):
    """Data of which too little is left to be cut is not the method's failure."""
    unit = tune(study_of(catalogue))
    entry = DatasetEntry(lambda: synthetic_dataset(classes=3), source="made up")
    others = [c for c in catalogue.components() if c.name != "synthetic"]
    use(monkeypatch, Catalogue((*others, Component("datasets", "synthetic", entry, MADE_UP)), catalogue.plugins))

    with pytest.raises(LostError):
        run(unit, Context(records=str(tmp_path)))


def test_a_component_that_is_not_installed_is_no_result(catalogue):
    """A worker without the plugin that the coordinator had loses the unit; it does not fail it."""
    unit = tune(study_of(catalogue))

    with pytest.raises(LostError, match="unknown loss 'elsewhere'"):
        run(dataclasses.replace(unit, method=Method("elsewhere")))


def test_another_version_of_a_component_is_no_result(catalogue):
    """A worker whose loss is of another version than the unit was planned for loses it: its record would say something else."""
    unit = tune(study_of(catalogue))
    planned = {**unit.components, "loss": Source("siambench", "siambench", "0" * 64)}

    with pytest.raises(LostError, match=r"the loss contrastive is siambench .* here, the unit was planned for siambench\+0000000000000000"):
        run(dataclasses.replace(unit, components=planned))


def test_another_version_may_be_asked_for(catalogue):
    """Where components need not be the very ones, as when a row is reproduced, the unit runs and the record says which ran."""
    unit = tune(study_of(catalogue))
    planned = Source("siambench", "siambench", "0" * 64)
    record = run(dataclasses.replace(unit, components={**unit.components, "loss": planned}), Context(exact=False))

    assert record.outcome.state == "done"
    assert planned == record.unit.components["loss"]
    assert catalogue.get("losses", "contrastive").told == record.telemetry["components"]["loss"]


def test_another_list_of_pairs_is_no_result(catalogue, tmp_path):
    """A list of verification pairs whose content is another than planned, or that is gone, loses a final unit; a tune unit needs none."""
    listed = tmp_path / "pairs.txt"
    listed.write_text("0 1 1\n")
    study = study_of(catalogue)
    scoring = dataclasses.replace(study.template.scoring, pairs=Listed("0" * 64))
    context = Context(local={"pairs": str(listed)})

    with pytest.raises(LostError, match=r"pairs\.txt for pairs has SHA-256 [0-9a-f]{16}…, the unit was planned with 0000000000000000…"):
        run(dataclasses.replace(final(study), scoring=scoring), context)
    listed.unlink()
    with pytest.raises(LostError, match="FileNotFoundError"):
        run(dataclasses.replace(final(study), scoring=scoring), context)
    tuned = dataclasses.replace(tune(study), scoring=dataclasses.replace(scoring, metrics=("map@r",)))
    assert run(tuned, context).outcome.state == "done"


def test_a_local_file_that_is_gone_is_no_result(catalogue, tmp_path):
    """A loss in a file that this machine does not have is the environment's doing as well."""
    unit = dataclasses.replace(tune(study_of(catalogue)), method=Method("mine.py:Mine"))
    context = Context(records=str(tmp_path / "records"), local={"mine.py:Mine": f"{tmp_path / 'mine.py'}:Mine"})

    with pytest.raises(LostError, match="no such file"):
        run(unit, context)


# ---- records


def test_a_record_is_written_under_its_id_and_nothing_else(catalogue, tmp_path):
    """The folder holds one whole file per unit, no temporary one, and the record is what was handed back."""
    record = run(tune(study_of(catalogue)), Context(records=str(tmp_path)))

    assert [f"{record.id}.json"] == [path.name for path in tmp_path.iterdir()]
    assert record == read(tmp_path / f"{record.id}.json")


def test_where_the_folder_is_not_shared_a_record_is_handed_back_alone(catalogue, tmp_path):
    """A worker that does not find the coordinator's folder makes none of its own: neither for the record nor for the opening."""
    there = tmp_path / "elsewhere"
    record = run(final(study_of(catalogue)), Context(records=str(there / "records"), openings=str(there / "openings.jsonl")))

    assert "done" == record.outcome.state
    assert not there.exists()


def test_a_worker_says_why_units_do_not_fit(catalogue):
    """Asked beforehand, a worker with the very components has nothing to say; else it names the first that is missing or another."""
    unit = tune(study_of(catalogue))
    other = dataclasses.replace(unit, components={**unit.components, "loss": Source("siambench", "siambench", "1" * 64)})
    missing = dataclasses.replace(unit, method=Method("tripple"))

    assert units.unfit([unit], HERE) is None
    assert "the unit was planned for siambench+1111111111111111" in units.unfit([unit, other], HERE)
    assert "unknown loss 'tripple', did you mean 'triplet'?" in units.unfit([missing], HERE)
    assert units.unfit([unit], Context(observers=("jsonl:events.txt",))) is None
    assert "unknown observer 'json', did you mean 'jsonl'?" in units.unfit([unit], Context(observers=("json:events.txt",)))


def test_where_a_unit_runs_changes_nothing(catalogue, tmp_path):
    """The context decides where records and logs go, and nothing in the outcome."""
    unit = final(study_of(catalogue))
    context = Context(records=str(tmp_path / "records"), openings=str(tmp_path / "log"), local={"other": "somewhere"})

    assert run(unit).outcome == run(unit, context).outcome


def test_telemetry_says_what_a_result_must_not(catalogue):
    """Times, memory, host, versions and the components that ran stand in the telemetry, and no path or host in unit or outcome."""
    record = run(tune(study_of(catalogue)))

    components = {catalogue.get(f"{kind}s", name).told: name for kind, name in (("losse", "contrastive"), ("backbone", "mlp"))}
    assert {"data", "train", "embed", "evaluate"} == set(record.telemetry["seconds"]) == set(record.phases)
    assert all(seconds >= 0 for seconds in record.phases.values())
    assert record.telemetry["versions"]["torch"] == importlib.metadata.version("torch")
    assert {"loss": "contrastive", "backbone": "mlp"} == {role: components[text] for role, text in record.telemetry["components"].items()}
    document = record.to_json()
    assert record.telemetry["host"] not in json.dumps([document["unit"], document["outcome"]])


def test_what_a_loss_prints_does_not_reach_stdout(catalogue, capfd):
    """A loss that prints writes to stderr: stdout may carry a JSON document."""
    run(tune(study_of(catalogue, "printing")))

    captured = capfd.readouterr()
    assert captured.out == ""
    assert "debugging" in captured.err


def test_a_record_holds_its_whole_unit(catalogue, tmp_path):
    """The unit is read back from its record, identical."""
    unit = final(study_of(catalogue))
    run(unit, Context(records=str(tmp_path)))

    assert unit == read(tmp_path / f"{unit.id}.json").unit


# ---- what is told of a unit


@pytest.fixture
def observe(monkeypatch, catalogue):
    """Let units find observers that call a function with each event; gives the context, and the list of what was heard."""

    def install(**functions):
        heard = []

        class Watch:
            def __init__(self, function):
                self.function = function

            def hear(self, event):
                heard.append(event)
                return self.function(event)

            unit_started = epoch_ended = unit_ended = hear

        entries = {name: ObserverEntry(lambda f=function: Watch(f), source="made up") for name, function in functions.items()}
        observers = [Component("observers", name, entry, MADE_UP) for name, entry in entries.items()]
        use(monkeypatch, Catalogue((*catalogue.components(), *observers), catalogue.plugins))
        return Context(observers=tuple(functions)), heard

    return install


def nothing(event):
    """Listen, and do nothing."""


@pytest.mark.parametrize("kind", ["tune", "final"])
def test_an_observer_is_told_of_a_unit_from_its_start_to_its_end(catalogue, observe, kind):
    """It hears which unit begins, the figures of every epoch as the record holds them, and the outcome; times do not run back."""
    context, heard = observe(watch=nothing)
    study = study_of(catalogue)
    unit = tune(study, 1) if kind == "tune" else final(study, 1)
    record = run(unit, context)
    started, *epochs, ended = heard

    who = {"unit": unit.id, "label": unit.label}
    facts = {"trial": 0, "fold": 1, "repetition": 0} if kind == "tune" else {"trial": 0, "fold": None, "repetition": 1}
    assert UnitStarted(**who, track="synthetic", method="contrastive", kind=kind, params=unit.params, epochs=2, **facts) == started
    curve = zip(record.outcome.curve, record.measures[1:], strict=True)
    assert [
        EpochEnded(**who, epoch=n, epochs=2, figures=figures, seconds=epochs[n - 1].seconds, measures=row)
        for n, (figures, row) in enumerate(curve, 1)
    ] == epochs
    assert len(record.outcome.curve) == 2
    assert UnitEnded(**who, outcome=record.outcome, seconds=ended.seconds) == ended
    assert 0 < epochs[0].seconds <= epochs[1].seconds <= ended.seconds


def test_a_baseline_has_no_epochs_and_the_reality_check_those_of_all_models(catalogue, observe, tmp_path):
    """How many epochs there will be is told at the start, to observers and beside the records: 0, or those of all fold-models."""
    watched = []

    def look(event):
        if isinstance(event, EpochEnded):
            watched.extend(one.told.partition(": ")[2].partition(",")[0] for one in running(tmp_path))

    context, heard = observe(watch=look)
    study = study_of(catalogue, evaluation={"protocol": "reality-check"})
    context = dataclasses.replace(context, running=str(tmp_path))
    run(baselines_of([study])[1], context)
    assert [UnitStarted, UnitEnded] == [type(event) for event in heard]
    assert 0 == heard[0].epochs
    heard.clear()
    run(final(study), context)
    assert 4 == heard[0].epochs
    assert [1, 2, 1, 2] == [event.figures.epoch for event in heard[1:-1]]
    assert [1, 2, 3, 4] == [event.epoch for event in heard[1:-1]]
    assert ["epoch 2 of 4", "epoch 3 of 4", "epoch 4 of 4", "evaluating"] == watched
    assert [] == list(tmp_path.iterdir())


def test_a_failed_unit_is_told_as_it_is(catalogue, observe):
    """Of a unit that fails the end is told, with why; of one that is lost nothing more."""
    context, heard = observe(watch=nothing)
    record = run(tune(study_of(catalogue, "raising")), context)
    assert [UnitStarted, UnitEnded] == [type(event) for event in heard]
    assert record.outcome == heard[-1].outcome
    heard.clear()
    with pytest.raises(LostError):
        run(tune(study_of(catalogue, "greedy")), context)
    assert [UnitStarted] == [type(event) for event in heard]


def meddle(event):
    """Draw, seed, and write into whatever can be written into."""
    torch.manual_seed(3)
    np.random.seed(3)  # noqa: NPY002  the global state that must not matter
    random.seed(3)
    torch.rand(7)
    for holder in (event, getattr(event, "figures", None), getattr(event, "outcome", None)):
        for mapping in vars(holder).values() if holder is not None else ():
            if isinstance(mapping, dict):
                mapping.update(dict.fromkeys(mapping, 9.0), more=9.0)


def fail_at(kind):
    """Raise at one sort of event."""

    def does(event):
        if isinstance(event, kind):
            raise RuntimeError(f"no more after {kind.__name__}")  # noqa: TRY004  not a matter of types

    return does


@pytest.mark.parametrize("kind", ["tune", "final"])
@pytest.mark.parametrize("feed", FEEDS)
def test_observers_change_no_outcome(catalogue, observe, kind, feed):
    """With observers that draw, seed, write and raise, and with none, the outcome is the same to the last bit, whatever the feed."""
    study = study_of(catalogue, feed=feed, training={"batch_size": 12})
    unit = tune(study) if kind == "tune" else final(study)
    alone = run(unit)
    broken = {f"broken-{number}": fail_at(event) for number, event in enumerate((UnitStarted, EpochEnded, UnitEnded))}
    context, heard = observe(meddle=meddle, **broken)
    watched = run(unit, context)

    assert alone.outcome.error is None
    assert canonical(to_json(alone.outcome)) == canonical(to_json(watched.outcome))
    assert alone.to_json()["outcome_digest"] == watched.to_json()["outcome_digest"]
    assert alone.id == watched.id
    # Each hears until it raises: 4 events of the unit, or the first 1, 2 or 4 of them.
    assert 4 + 1 + 2 + 4 == len(heard)
    errors = {name: told["error"] for name, told in watched.observers.items()}
    expected = {f"broken-{n}": f"RuntimeError: no more after {e}" for n, e in enumerate(("UnitStarted", "EpochEnded", "UnitEnded"))}
    assert {"meddle": None, **expected} == errors


def test_what_observers_gather_stands_in_the_telemetry(catalogue, observe, tmp_path):
    """What `unit_ended` returns is written with the record, outside the outcome, with what the observer took."""
    context, _ = observe(watch=lambda event: {"scores": 1} if isinstance(event, UnitEnded) else None, other=nothing)
    record = run(final(study_of(catalogue)), dataclasses.replace(context, records=str(tmp_path)))
    kept = read(tmp_path / f"{record.id}.json")

    assert record == kept
    assert {"scores": 1} == kept.observers["watch"]["gathered"]
    assert {"seconds", "error", "gathered"} == set(kept.observers["other"])
    assert kept.observers["other"]["gathered"] is None
    assert "watch" not in json.dumps(kept.to_json()["outcome"])
    assert "observers" not in run(final(study_of(catalogue))).telemetry


# ---- measures


@pytest.mark.parametrize("kind", ["tune", "final"])
def test_what_is_measured_stands_in_the_record(catalogue, tmp_path, kind):
    """A row before the first step and one of each epoch stand in the telemetry, as JSON that reads back; the outcome is as without them."""
    study = study_of(catalogue)
    unit = tune(study) if kind == "tune" else final(study)
    context = Context(records=str(tmp_path))
    record = run(unit, context)
    kept = read(tmp_path / f"{record.id}.json")

    assert [0, 1, 2] == [row.epoch for row in record.measures]
    assert [to_json(row) for row in record.measures] == kept.telemetry["measures"]
    assert record.measures == kept.measures
    assert "measures_error" not in record.telemetry
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMBENCH_MEASURES", "off")
        bare = run(unit, context)
    assert ("measures" in bare.telemetry, bare.measures) == (False, ())
    assert canonical(to_json(bare.outcome)) == canonical(to_json(record.outcome))


def test_a_baseline_is_not_measured(catalogue):
    """What is not trained has no rows."""
    study = study_of(catalogue)
    assert "measures" not in run(baselines_of([study])[0]).telemetry


def test_a_unit_in_which_nothing_can_receive_a_gradient_says_so(catalogue):
    """It has failed, which is one sentence, and there is what the embeddings looked like before its first step."""
    record = run(tune(study_of(catalogue, "detached")))

    assert ("failed", "raised") == (record.outcome.state, record.outcome.ended)
    assert record.outcome.error == "loss 'detached' returned a value without a gradient"
    assert [0] == [row.epoch for row in record.measures]


@pytest.mark.parametrize(("loss", "epochs"), [("raising", [0]), ("diverging", [0, 1])])
def test_a_unit_that_fails_keeps_its_rows(catalogue, loss, epochs):
    """What was measured before a loss raised or diverged is in the record of the failed unit, and makes it no different a result."""
    record = run(tune(study_of(catalogue, loss)))

    assert record.outcome.state == "failed"
    assert epochs == [row.epoch for row in record.measures]


def test_each_fold_model_has_its_rows(catalogue, observe):
    """Under the Reality Check's protocol rows begin anew with each model, and observers are told of that of the epoch."""
    context, heard = observe(watch=nothing)
    record = run(final(study_of(catalogue, evaluation={"protocol": "reality-check"})), context)

    assert [0, 1, 2] * 2 == [row.epoch for row in record.measures]
    assert [row for row in record.measures if row.epoch] == [event.measures for event in heard if isinstance(event, EpochEnded)]


def test_unmeasured_epochs_are_told_without_a_row(catalogue, observe, monkeypatch):
    """Where the environment wants no measures, observers are told of epochs all the same."""
    monkeypatch.setenv("SIAMBENCH_MEASURES", "off")
    context, heard = observe(watch=nothing)
    run(tune(study_of(catalogue)), context)

    assert [None, None] == [event.measures for event in heard if isinstance(event, EpochEnded)]


def test_what_cannot_be_measured_is_said_in_the_record(catalogue, observe, monkeypatch):
    """Where looking goes wrong, the unit goes on: the reason stands in the telemetry, and the outcome is that of a unit unmeasured."""
    context, heard = observe(watch=nothing)
    unit = tune(study_of(catalogue))
    before = run(unit)
    monkeypatch.setattr("siambench.training.probe.Probe.look", fail(RuntimeError(f"no copy of {Path.home()}/net.py")))
    record = run(unit, context)

    assert record.telemetry["measures_error"].startswith("RuntimeError: no copy of ")
    assert str(Path.home()) not in record.telemetry["measures_error"]
    assert "measures" not in record.telemetry
    assert record.outcome == before.outcome
    assert [None, None] == [event.measures for event in heard if isinstance(event, EpochEnded)]


@pytest.mark.parametrize("said", ["of", "0", "1.5"])
def test_a_worker_whose_environment_says_no_number_loses_the_unit(catalogue, monkeypatch, said):
    """It is the environment's doing, and no method's result."""
    monkeypatch.setenv("SIAMBENCH_MEASURES", said)
    with pytest.raises(LostError, match="SIAMBENCH_MEASURES must be off or a whole number from 1"):
        run(tune(study_of(catalogue)))


def test_an_observer_that_is_not_installed_is_no_result(catalogue):
    """A worker without an observer that was asked for loses the unit: it would go unwatched otherwise."""
    with pytest.raises(LostError, match="unknown observer 'watch'"):
        run(tune(study_of(catalogue)), Context(observers=("watch",)))


def test_an_observer_writes_lines_of_what_happens(catalogue, tmp_path):
    """`jsonl:PATH` appends a line of JSON per event of each unit."""
    study = study_of(catalogue)
    context = Context(observers=(f"jsonl:{tmp_path / 'events.jsonl'}",))
    for unit in (tune(study), final(study)):
        run(unit, context)
    lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]

    assert ["unit_started", "epoch_ended", "epoch_ended", "unit_ended"] * 2 == [line["event"] for line in lines]
    assert [tune(study).id] * 4 + [final(study).id] * 4 == [line["unit"] for line in lines]
    assert run(final(study)).outcome.scores == lines[-1]["scores"]


def test_what_an_observer_prints_does_not_reach_stdout(catalogue, observe, capfd):
    """An observer that prints writes to stderr."""
    context, _ = observe(watch=lambda event: print("seen"))  # noqa: T201  what a stranger's observer does
    run(tune(study_of(catalogue)), context)

    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err.count("seen") == 4


# ---- protocols and ways of scoring


def test_the_reality_check_trains_a_model_per_fold(catalogue):
    """Its scores are the means over the fold-models, and those of their concatenated embeddings stand beside them."""
    study = study_of(catalogue, evaluation={"protocol": "reality-check"}, metrics={"primary": "map@r", "report": ["map@r", "recall@1"]})
    found = run(final(study)).outcome

    assert set(found.scores) == {"map@r", "recall@1", "concatenated:map@r", "concatenated:recall@1"}
    assert [line.epoch for line in found.curve] == [1, 2, 1, 2]
    assert found.scores == run(final(study)).outcome.scores


def test_separated_scores_are_those_of_the_models_alone(catalogue, monkeypatch):
    """The separated score and its class means are the averages of what each fold-model scores on its own."""
    study = study_of(catalogue, evaluation={"protocol": "reality-check"}, metrics={"primary": "map@r", "report": ["map@r"]})
    seen = []

    def watch(model, *arguments, evaluate=units.evaluate_items, **options):
        seen.append(evaluate(model, *arguments, **options))
        return seen[-1]

    monkeypatch.setattr(units, "evaluate_items", watch)
    found = run(final(study)).outcome

    *alone, together = seen
    assert len(alone) == 2
    assert alone[0].scores["map@r"] != alone[1].scores["map@r"]
    assert found.scores["map@r"] == pytest.approx((alone[0].scores["map@r"] + alone[1].scores["map@r"]) / 2)
    assert found.scores["concatenated:map@r"] == together.scores["map@r"]
    for own, first, second in zip(found.per_class["map@r"], alone[0].per_class["map@r"], alone[1].per_class["map@r"], strict=True):
        assert own == pytest.approx((first + second) / 2, abs=1e-6)


def test_fold_models_never_see_their_validation_classes(catalogue, monkeypatch):
    """Each fold-model trains on the training part of its fold, the first on that of the first."""
    study = study_of(catalogue, evaluation={"protocol": "reality-check"})
    seen = []

    def watch(unit, entries, items, validate, train=units.train, **more):
        seen.append((items.indices.tolist(), unit.seeds["weights"]))
        return train(unit, entries, items, validate, **more)

    monkeypatch.setattr(units, "train", watch)
    unit = final(study)
    run(unit)
    dataset = catalogue.dataset("synthetic", {})
    split = units.cut(dataset, unit.data.split)

    assert [training.tolist() for training, _ in split.folds] == [indices for indices, _ in seen]
    assert len({seed for _, seed in seen} | {unit.seeds["weights"]}) == 3


def test_the_arithmetic_of_the_reality_check_on_made_up_embeddings():
    """On given fold embeddings the separated score is the folds' mean, the concatenated one that of unit rows side by side."""
    generator = torch.Generator().manual_seed(4)
    labels = torch.arange(6).repeat_interleave(5)
    folds = [torch.randn(6, 7, generator=generator)[labels] * s + torch.randn(30, 7, generator=generator) for s in (0.5, 1.0, 1.5)]

    class Fold(nn.Module):
        def __init__(self, embeddings):
            super().__init__()
            self.register_buffer("embeddings", embeddings)

        def forward(self, images):
            return self.embeddings[(images[:, 0, 0, 0] * 255).round().long()]

    pixels = np.arange(30, dtype=np.uint8)[:, None, None, None]
    dataset = Dataset(labels=labels.numpy(), read=lambda i: pixels[i], shape=(1, 1, 1), class_names=[str(c) for c in range(6)])
    items = Items(dataset, np.arange(30), labels.numpy(), dataset.class_names)
    named = Catalogue.load({"SIAMBENCH_PLUGINS": ""}).metrics(["map@r", "recall@1", "alignment"])

    def scores(model):
        return evaluate_items(model, items, named, seed=0, device=torch.device("cpu"))

    def by_hand(embeddings):
        unit = embeddings.double() / embeddings.double().norm(dim=1, keepdim=True)
        similar = (unit @ unit.T).fill_diagonal_(-9).numpy()
        total = 0.0
        for query in range(30):
            hits = labels.numpy()[np.argsort(-similar[query])][:4] == int(labels[query])
            total += sum(hits[: i + 1].mean() for i in range(4) if hits[i]) / 4
        return total / 30

    models = [Fold(embeddings) for embeddings in folds]
    found = separated([scores(model) for model in models])
    together = scores(Concatenated(models))

    assert found.scores["map@r"] == pytest.approx(sum(by_hand(e) for e in folds) / 3, abs=1e-12)
    assert together.scores["map@r"] == pytest.approx(by_hand(torch.cat([nn.functional.normalize(e) for e in folds], dim=1)), abs=1e-12)
    assert found.scores["alignment"] == pytest.approx(np.mean([scores(model).scores["alignment"] for model in models]))
    assert together.scores["map@r"] > found.scores["map@r"]


def test_a_metric_that_one_fold_lacks_has_no_mean():
    """Where a metric does not apply to one of the models it has no separated score, rather than one over fewer models."""
    parts = [
        Scores({"a": 0.5, "b": None}, {"a": (0.5, None)}, (2, 0), {}),
        Scores({"a": 0.7, "b": 0.1}, {"a": (0.7, None)}, (2, 0), {}),
    ]

    assert separated(parts).scores == {"a": pytest.approx(0.6), "b": None}
    assert separated(parts).per_class == {"a": (pytest.approx(0.6), None)}


def test_the_distance_of_the_track_is_the_one_that_scores(catalogue):
    """Under the euclidean distance a unit scores embeddings as they are, under the cosine at unit length."""
    report = {"primary": "map@r", "report": ["map@r", "negative_distance"]}
    cosine = run(final(study_of(catalogue, metrics=report))).outcome.scores
    euclid = run(final(study_of(catalogue, metrics=report, evaluation={"distance": "euclidean"}))).outcome.scores

    assert cosine["negative_distance"] <= 2.0
    assert cosine["negative_distance"] != euclid["negative_distance"]
    assert cosine["map@r"] != euclid["map@r"]


def test_a_final_record_counts_the_queries_of_each_class(catalogue):
    """Each test class has as many scored queries as it has images with a positive."""
    found = run(final(study_of(catalogue))).outcome

    assert found.class_queries == (6, 6, 6, 6)
    assert len(found.per_class["map@r"]) == 4


def test_turned_classes_are_trained_on_where_the_track_says_so(catalogue, monkeypatch):
    """With `rotate_classes` a loss is built for four times the classes; scores are of the unturned test items."""
    seen = []

    def watch(entry, params, build=training.build_loss, **options):
        seen.append(options["num_classes"])
        return build(entry, params, **options)

    monkeypatch.setattr(training, "build_loss", watch)
    plain = run(final(study_of(catalogue, "proxy-anchor"))).outcome
    turned = run(final(study_of(catalogue, "proxy-anchor", training={"rotate_classes": True}))).outcome

    assert seen == [4, 16]
    assert plain.class_queries == turned.class_queries
    assert plain.scores != turned.scores


def test_pretrained_features_are_scored_without_a_head(catalogue):
    """The baseline `pretrained` scores the trunk's features as they are: no weight is drawn for it."""
    study = study_of(catalogue)
    plain = baselines_of([study])[1]
    unit = dataclasses.replace(plain, method=Method("pretrained"), row="baseline-pretrained", repetition=0)
    found = run(unit).outcome

    assert found.state == "done"
    assert found.scores["map@r"] != run(plain).outcome.scores["map@r"]
