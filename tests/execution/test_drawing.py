"""What pictures are drawn from, taken in a unit's worker: outside its result, which it can neither change nor cost."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from shared import exam_of

from siambench.execution import drawing, worker
from siambench.execution.worker import execute
from siambench.identity import canonical, digest, to_json
from siambench.interfaces import Done
from siambench.records import unit_figures
from siambench.records.folder import Folder
from siambench.records.record import read
from siambench.spec import Context, Method
from siambench.studies.baselines import baselines_of
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track


@pytest.fixture(autouse=True)
def catalogue(monkeypatch):
    """The built-in components and the made-up data set, for units that run in this process."""
    found = synthetic_catalogue()
    worker._data.cache_clear()
    monkeypatch.setattr(worker, "_catalogue", lambda distributions: found)
    yield found
    worker._data.cache_clear()


def final(catalogue, **track):
    study = synthetic_study(Method("contrastive"), catalogue=catalogue, track=synthetic_track(**track))
    return study.final_unit(0, 2, study.defaults, 0)


def run(unit, folder=None):
    where = {} if folder is None else {"records": str(folder.records), "figures": str(folder.figures)}
    if folder is not None:
        folder.records.mkdir(parents=True)
    return execute(unit, Context(exam=exam_of(unit), **where))


def test_a_result_is_the_same_with_and_without(catalogue, monkeypatch):
    """The outcome of a final unit, bit for bit, and the state of the generator afterwards, do not depend on whether figures are taken."""
    unit = final(catalogue)
    one, state = run(unit), torch.get_rng_state()
    monkeypatch.setattr(drawing, "figures_of", lambda *_, **__: None)
    other = run(unit)
    assert torch.equal(state, torch.get_rng_state())
    assert one.figures is not None
    assert other.figures is None
    assert canonical(to_json(one.outcome)) == canonical(to_json(other.outcome))


def test_each_final_unit_has_them_and_no_other(catalogue):
    """Final units and baselines do, with their id and the digest of their outcome; a unit that tunes has none and no time for them."""
    study = synthetic_study(Method("contrastive"), catalogue=catalogue)
    for unit in (final(catalogue), *baselines_of([study])[:2]):
        record = run(unit)
        assert isinstance(record.outcome, Done)
        assert record.figures.unit == unit.id
        assert record.figures.outcome == digest(to_json(record.outcome))
        assert 0 < record.phases["figures"] < record.seconds
    tuned = run(study.tune_unit(0, 0, study.defaults))
    assert tuned.figures is None
    assert "figures" not in tuned.phases


def test_they_say_what_the_record_says(catalogue):
    """The equal error rate of the curve is the score that the record has."""
    record = run(final(catalogue, metrics={"report": ["map@r", "eer"]}))
    assert record.figures.verification.equal_error_rate == pytest.approx(record.outcome.scores["eer"], abs=1e-6)


def test_a_fault_in_them_costs_nothing(catalogue, monkeypatch):
    """Whatever is raised, an exit too: the result stays, telemetry names the fault in one line, and no file is left."""
    whole = run(final(catalogue)).outcome
    for error in (ValueError("no\nsuch /home/me/place"), SystemExit(3), MemoryError()):

        def failing(*_, error=error, **__):
            raise error

        monkeypatch.setattr(drawing, "figures_of", failing)
        record = run(final(catalogue))
        assert record.outcome == whole
        assert record.figures is None
        assert type(error).__name__ in record.telemetry["figures_error"]
        assert "\n" not in record.telemetry["figures_error"]


def test_a_unit_that_fails_has_none(catalogue):
    """One whose primary metric has no value has failed: what was seen of its embeddings is dropped."""
    record = run(final(catalogue), None)
    assert record.figures is not None
    ready = drawing.Drawing(record.unit, None)
    ready.found = record.figures
    from siambench.interfaces import Failed

    assert ready.ended(Failed(error="made up", ended="raised")) is None
    assert ready.ended(record.outcome) == record.figures


def test_they_are_written_beside_the_record(catalogue, tmp_path):
    """In a shared folder the worker writes both, under one name, and hands the record back without them."""
    folder, unit = Folder(tmp_path / "exam"), final(catalogue)
    record = run(unit, folder)
    assert record.figures is None
    found = folder.figures_of(unit.id)
    assert found.outcome == digest(to_json(read(folder.records / f"{unit.id}.json").outcome))
    assert [path.name for path in folder.figures.iterdir()] == [f"{unit.id}.json"]


def test_they_come_with_the_record_where_no_folder_is_shared(catalogue, tmp_path):
    """Without a folder, or where it cannot be written, they travel with the record, and the coordinator's folder keeps both."""
    unit = final(catalogue)
    gone = tmp_path / "gone"
    record = execute(unit, Context(exam=exam_of(unit), records=str(gone / "records"), figures=str(gone / "figures")))
    assert record.figures is not None
    assert not gone.exists()
    blocked = Folder(tmp_path / "blocked")
    blocked.path.mkdir()
    blocked.figures.write_text("a file in its place")
    assert run(unit, blocked).figures is not None
    folder = Folder(tmp_path / "exam")
    folder.keep(unit, record)
    assert folder.figures_of(unit.id) == record.figures
    # Kept once: a record that is there keeps what it has.
    folder.keep(unit, dataclasses.replace(record, figures=None))
    assert folder.figures_of(unit.id) == record.figures


def test_of_several_fold_models_the_embeddings_stand_side_by_side(catalogue):
    """Under the Reality Check's protocol the figures are of the concatenated embeddings, and say of how many models."""
    unit = final(catalogue, evaluation={"protocol": "reality-check"}, metrics={"report": ["map@r", "eer"]})
    record = run(unit)
    assert record.figures.models == 2
    assert record.figures.verification.equal_error_rate == pytest.approx(record.outcome.scores["concatenated:eer"], abs=1e-6)


def test_they_survive_the_way_from_a_worker(catalogue, tmp_path):
    """A record with figures is pickled and read back whole, and so are they from their file."""
    import pickle

    record = run(final(catalogue))
    again = pickle.loads(pickle.dumps(record))
    assert again.figures == record.figures
    assert unit_figures.load(unit_figures.write(tmp_path, again.figures)) == record.figures
