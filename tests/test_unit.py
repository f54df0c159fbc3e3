import dataclasses
import importlib.metadata
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from siambench import record as records
from siambench import unit as units
from siambench.catalogue import Catalogue, Component, Provenance
from siambench.errors import DataError, DataMissingError, LostError
from siambench.interfaces import Dataset
from siambench.plan import anchor_units
from siambench.plugin import DatasetEntry, LossEntry, MetricEntry
from siambench.spec import Context, Method, Unit
from siambench.testing import synthetic_catalogue, synthetic_dataset, synthetic_study, synthetic_track
from siambench.unit import execute

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


MADE_UP_LOSSES = {
    "raising": loss_of(fail(ValueError("a bug in the loss\nwith a second line"))),
    "diverging": loss_of(lambda embeddings: embeddings.sum() * torch.nan),
    "exploding": loss_of(lambda embeddings: -1e30 * embeddings.square().sum()),
    "vector": loss_of(lambda embeddings: embeddings.sum(dim=1)),
    "greedy": loss_of(fail(MemoryError())),
    "greedy-gpu": loss_of(fail(torch.OutOfMemoryError("CUDA out of memory"))),
    "greedy-cpu": loss_of(fail(RuntimeError("[enforce fail at alloc_cpu.cpp:117] . DefaultCPUAllocator: can't allocate memory"))),
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
    monkeypatch.setattr(units, "_catalogue", lambda: catalogue)


@pytest.fixture(autouse=True)
def fresh_data():
    """No data stays in memory between tests."""
    yield
    units._data.cache_clear()


def study_of(catalogue, method="contrastive", miner="none", **changes):
    """A study on the tiny exam."""
    return synthetic_study(Method(method, miner), track=synthetic_track(**changes), catalogue=catalogue)


def tune(study, fold=0):
    """The unit of trial 0 on a fold."""
    return study.tune_unit(0, fold, study.defaults)


def final(study, repetition=0, epoch=2):
    """A final unit of trial 0."""
    return study.final_unit(0, epoch, study.defaults, repetition)


def run(unit, context=HERE):
    """Execute a unit as an engine does: its document goes through JSON."""
    return execute(json.loads(json.dumps(unit.to_json())), context)


# ---- results


@pytest.mark.parametrize("miner", ["none", "semihard", "distance-weighted"])
@pytest.mark.parametrize("kind", ["tune", "final"])
def test_a_unit_run_twice_gives_one_result(catalogue, kind, miner):
    """Two runs of one unit agree in every digit of ``result``, whatever the global random state was."""
    study = study_of(catalogue, "triplet", miner)
    unit = tune(study) if kind == "tune" else final(study)
    torch.manual_seed(1)
    first = run(unit)
    torch.manual_seed(2)
    np.random.seed(2)  # noqa: NPY002  the state that must not matter
    second = run(unit)

    assert json.dumps(first["result"]) == json.dumps(second["result"])
    assert first["id"] == second["id"] == unit.id
    assert first["result"]["state"] == "done"


def test_a_unit_gives_the_same_result_in_another_process(catalogue):
    """A built-in unit gives bit-identical results here and in a fresh process."""
    track = synthetic_track(dataset={"name": "digits"}, training={"batch_size": 16}, metrics={"report": ["map@r", "recall@1", "eer"]})
    study = synthetic_study(Method("triplet"), track=track, catalogue=catalogue)
    unit = final(study)
    code = (
        "import json, sys\n"
        "from siambench.spec import Context\n"
        "from siambench.unit import execute\n"
        "json.dump(execute(json.load(sys.stdin), Context())['result'], sys.stdout)\n"
    )

    there = subprocess.run([sys.executable, "-c", code], input=json.dumps(unit.to_json()), capture_output=True, text=True, check=True)

    assert json.dumps(run(unit)["result"]) == json.dumps(json.loads(there.stdout))


def test_seeds_matter(catalogue):
    """Two repetitions of one method give different models, and a different fold a different curve."""
    study = study_of(catalogue)
    first, second = run(final(study, 0)), run(final(study, 1))

    assert first["result"]["curve"] != second["result"]["curve"]
    assert run(tune(study, 0))["result"]["curve"] != run(tune(study, 1))["result"]["curve"]


def test_a_final_record_has_scores(catalogue):
    """A final record holds every reported score, those per class, directions, and a curve without validation."""
    study = study_of(catalogue, metrics={"report": ["map@r", "recall@1", "eer", "one_shot_error"]})
    result = run(final(study))["result"]

    assert set(result["scores"]) == {"map@r", "recall@1", "eer", "one_shot_error"}
    assert all(isinstance(result["scores"][name], float) for name in ("map@r", "recall@1", "one_shot_error"))
    assert result["directions"] == {"map@r": "max", "recall@1": "max", "eer": "min", "one_shot_error": "min"}
    assert {name: len(values) for name, values in result["per_class"].items()} == {"map@r": 4, "recall@1": 4}
    assert all("validation" not in epoch for epoch in result["curve"])
    assert result["verdict"] == "ok"
    assert result["error"] is None
    assert result["repeat_rate"] == 0.0


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
    units._data("synthetic", (), tuple(unit.data["split"].items()))
    seen.clear()

    result = run(unit, context)["result"]

    assert result["scores"] == {}
    assert result["per_class"] == {}
    assert [{"map@r"}, {"map@r"}] == [set(epoch["validation"]) for epoch in result["curve"]]
    assert 0 < max(seen) < 24
    assert not (tmp_path / "openings.jsonl").exists()


def test_each_opening_of_the_test_set_is_logged(catalogue, tmp_path):
    """Every final unit and every anchor leaves one line with its identity, even if scoring then fails."""
    log = tmp_path / "log" / "openings.jsonl"
    context = Context(openings=str(log))
    study = study_of(catalogue)
    one, other = final(study, 0), final(study, 1)
    for unit in (one, other, one):
        run(unit, context)
    broken = final(study_of(catalogue, metrics={"report": ["map@r", "nan"]}))
    run(broken, context)

    lines = records.read_openings(log)
    assert [line["unit"] for line in lines] == [one.id, other.id, one.id, broken.id]
    assert {line["track"] for line in lines} == {"synthetic"}
    assert {line["method"] for line in lines} == {"contrastive"}
    assert lines[0]["study"] == study.key


def test_anchors_are_scored(catalogue):
    """Raw pixels and the untrained backbone are scored without training; the untrained one follows its seed."""
    study = study_of(catalogue)
    raw, *untrained = anchor_units(study, "tests")

    found = [run(unit)["result"] for unit in (raw, *untrained)]

    assert [len(result["curve"]) for result in found] == [0, 0, 0]
    assert all(result["scores"]["map@r"] is not None for result in found)
    assert found[1]["scores"] != found[2]["scores"]
    assert found[0]["repeat_rate"] is None


# ---- failures are results


def test_a_loss_that_raises_is_a_failed_unit(catalogue, tmp_path):
    """A loss with a bug gives a written record: failed, one line of what happened, the traceback in the telemetry."""
    record = run(final(study_of(catalogue, "raising")), Context(records=str(tmp_path)))
    result = record["result"]

    assert result["state"] == "failed"
    assert result["verdict"] == "raised"
    assert result["scores"] == {}
    assert "ValueError: a bug in the loss" in result["error"]
    assert "\n" not in result["error"]
    assert "Traceback" in record["telemetry"]["traceback"]
    assert record == records.read(tmp_path / f"{record['id']}.json")


def test_a_loss_of_nan_has_diverged(catalogue):
    """A loss that is not a number gives the verdict ``diverged``."""
    result = run(tune(study_of(catalogue, "diverging")))["result"]

    assert result["state"] == "failed"
    assert result["verdict"] == "diverged"
    assert "nan" in result["error"]


def test_embeddings_beyond_the_numbers_have_diverged(catalogue):
    """A model whose weights leave the finite numbers gives the verdict ``diverged``, however it shows first."""
    study = study_of(catalogue, "exploding", training={"optimiser": "sgd", "schedule": "constant"})
    result = run(final(study))["result"]

    assert result["state"] == "failed"
    assert result["verdict"] == "diverged"


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
    result = run(dataclasses.replace(unit, params=params))["result"]

    assert result["state"] == "failed"
    assert result["verdict"] == "diverged", result["error"]


def test_a_broken_contract_is_a_failed_unit(catalogue):
    """A loss that gives no scalar has failed; it is its method's result, not the environment's."""
    result = run(final(study_of(catalogue, "vector")))["result"]

    assert result["state"] == "failed"
    assert "must return a scalar tensor" in result["error"]


def test_a_metric_that_is_no_number_is_a_failed_unit(catalogue, tmp_path):
    """A score that is not finite can be neither written nor compared: the unit has failed, and its record is there."""
    record = run(final(study_of(catalogue, metrics={"report": ["map@r", "nan"]})), Context(records=str(tmp_path)))

    assert record["result"]["state"] == "failed"
    assert record == records.read(tmp_path / f"{record['id']}.json")


def test_a_batch_that_does_not_fit_is_a_failed_unit(catalogue):
    """A batch size that the method's layout cannot be cut from fails that method, with the numbers."""
    result = run(tune(study_of(catalogue, training={"batch_size": 10})))["result"]

    assert result["state"] == "failed"
    assert "batch of 10 images" in result["error"]


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
    unit = dataclasses.replace(unit, data={**unit.data, "fingerprint": "0" * 64})

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
    planned = {**unit.components, "loss": "siambench 0.0.0"}

    with pytest.raises(LostError, match=r"the loss contrastive is siambench .* here, the unit was planned for siambench 0\.0\.0"):
        run(dataclasses.replace(unit, components=planned))


def test_a_local_file_that_is_gone_is_no_result(catalogue, tmp_path):
    """A loss in a file that this machine does not have is the environment's doing as well."""
    unit = dataclasses.replace(tune(study_of(catalogue)), method=Method("mine.py:Mine"))
    context = Context(records=str(tmp_path / "records"), local={"mine.py:Mine": f"{tmp_path / 'mine.py'}:Mine"})

    with pytest.raises(LostError, match="no such file"):
        run(unit, context)


# ---- records


def test_a_record_is_written_under_its_id_and_nothing_else(catalogue, tmp_path):
    """The folder holds one whole file per unit, no temporary one, and the record is what was handed back."""
    record = run(tune(study_of(catalogue)), Context(records=str(tmp_path / "deep" / "records")))

    assert [f"{record['id']}.json"] == [path.name for path in (tmp_path / "deep" / "records").iterdir()]
    assert record == records.read(tmp_path / "deep" / "records" / f"{record['id']}.json")


def test_where_a_unit_runs_changes_nothing(catalogue, tmp_path):
    """The context decides where records and logs go, and nothing in the result."""
    unit = final(study_of(catalogue))
    context = Context(records=str(tmp_path / "records"), openings=str(tmp_path / "log"), local={"other": "somewhere"})

    assert run(unit)["result"] == run(unit, context)["result"]


def test_telemetry_says_what_a_result_must_not(catalogue):
    """Times, memory, host and versions stand in the telemetry, and no path or host in the result."""
    record = run(tune(study_of(catalogue)))

    assert {"data", "train", "evaluate"} == set(record["telemetry"]["seconds"])
    assert all(seconds >= 0 for seconds in record["telemetry"]["seconds"].values())
    assert record["telemetry"]["versions"]["torch"] == importlib.metadata.version("torch")
    assert record["telemetry"]["host"] not in json.dumps(record["result"])


def test_what_a_loss_prints_does_not_reach_stdout(catalogue, capfd):
    """A loss that prints writes to stderr: stdout may carry a JSON document."""
    run(tune(study_of(catalogue, "printing")))

    captured = capfd.readouterr()
    assert captured.out == ""
    assert "debugging" in captured.err


def test_a_record_holds_its_whole_unit(catalogue):
    """The unit is read back from its record, identical."""
    unit = final(study_of(catalogue))

    assert unit == Unit.from_json(run(unit)["result"]["unit"])
