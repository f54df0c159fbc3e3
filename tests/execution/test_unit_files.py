"""The files that a unit reads beside its data are found, checked, and put where its options and its feed want them."""

import dataclasses
import hashlib

import numpy as np
import pytest

from siambench.errors import DataError, LostError
from siambench.execution.unit_files import contents_of, files_of, list_of, listed, with_files
from siambench.execution.worker import execute
from siambench.spec import Context, FeedList, Listed, Method
from siambench.testing import synthetic_catalogue, synthetic_dataset, synthetic_study, synthetic_track
from siambench.tracks.parts import Items

ROWS = "anchor,positive,negative\n0,1,6\n6,7,0\n12,13,18\n18,19,12\n0,7,13\n"


@pytest.fixture(scope="module")
def catalogue():
    """Everything installed, and the synthetic data set."""
    return synthetic_catalogue()


@pytest.fixture
def fed(tmp_path, catalogue):
    """A study fed from a list, the list's file, and a context that knows where it is."""
    path = tmp_path / "mined.csv"
    path.write_text(ROWS)
    feed = FeedList("triplets", hashlib.sha256(path.read_bytes()).hexdigest())
    study = synthetic_study(Method("triplet", feed=feed), track=synthetic_track(training={"batch_size": 12}), catalogue=catalogue)
    return study, path, Context(local={feed.place: str(path)})


def final(study):
    """One of its final models."""
    return study.final_unit(0, 1, study.defaults, 0)


def test_the_files_of_a_unit_are_named_as_the_context_names_them(fed):
    """Verification pairs, a list to train on and a file of weights each have a name and the digest of their content."""
    unit = final(fed[0])
    scoring = dataclasses.replace(unit.scoring, pairs=Listed("a" * 64))
    model = dataclasses.replace(unit.model, options={**unit.model.options, "weights": f"sha256:{'b' * 64}"})
    digest = unit.method.listed.digest

    assert {f"feed.{digest[:8]}": digest} == contents_of(unit)
    assert {"pairs": "a" * 64, f"feed.{digest[:8]}": digest, "model.options.weights": "b" * 64} == contents_of(
        dataclasses.replace(unit, scoring=scoring, model=model)
    )


def test_a_file_stands_in_for_its_content(fed, tmp_path):
    """An option that holds a content is given the path of the file; others stay."""
    unit = final(fed[0])
    model = dataclasses.replace(unit.model, options={**unit.model.options, "weights": f"sha256:{'b' * 64}"})
    found = with_files(dataclasses.replace(unit, model=model), {"model.options.weights": tmp_path / "w.pt", "pairs": tmp_path / "p"})

    assert {**unit.model.options, "weights": str(tmp_path / "w.pt")} == dict(found.model.options)
    assert unit == with_files(unit, {})


def test_a_list_is_needed_by_tuning_and_by_final_models(fed):
    """A unit of either kind reads the list that it was planned with; one that was changed, is gone or is not known loses it."""
    study, path, context = fed
    place = study.method.listed.place
    units = [study.tune_unit(0, 0, study.defaults), final(study)]

    assert [{place: path}] * 2 == [files_of(unit, context) for unit in units]
    for unit in units:
        with pytest.raises(LostError, match=rf"where the file for {place} is, .* is not known here"):
            files_of(unit, Context())
    path.write_text(f"{ROWS}1,2,8\n")
    for unit in units:
        with pytest.raises(LostError, match=rf"mined\.csv for {place} has SHA-256 [0-9a-f]{{16}}…, the unit was planned with"):
            files_of(unit, context)


def test_a_list_is_read_once_for_one_data_set(fed):
    """Units that follow each other read their list once, and anew for other data or as another kind of rows."""
    study, path, _ = fed
    files, unit, data = {study.method.listed.place: path}, final(study), synthetic_dataset()
    first = list_of(unit, files, data)

    assert [[0, 1, 6], [6, 7, 0], [12, 13, 18], [18, 19, 12], [0, 7, 13]] == first.items.tolist()
    assert first is list_of(unit, files, data)
    assert first is not list_of(unit, files, synthetic_dataset())
    with pytest.raises(DataError, match="the columns left, right and same"):
        list_of(dataclasses.replace(unit, method=Method("contrastive", feed=FeedList("pairs", study.method.listed.digest))), files, data)
    assert list_of(dataclasses.replace(unit, method=Method("triplet", feed="triplets")), {}, data) is None


def test_a_part_is_given_the_rows_of_its_items(fed):
    """Rows are those of the part's items alone, by their positions in it."""
    study, path, _ = fed
    data, indices = synthetic_dataset(), np.arange(12, 24)
    part = Items(data, indices, data.labels[indices] - 2, ["a", "b"])
    rows = list_of(final(study), {study.method.listed.place: path}, data)

    assert [[0, 1, 6], [6, 7, 0]] == listed(part, rows).rows.items.tolist()
    assert listed(part, None) is part


def test_a_unit_fed_from_a_list_is_run_without_a_test_item(fed, catalogue, monkeypatch):
    """A trial and a final model train on the rows that are theirs, and leave records that hold the list's name and not its path."""
    monkeypatch.setattr("siambench.execution.worker._catalogue", lambda _: catalogue)
    study, path, context = fed
    exam = {"exam": study_exam(study)}
    for unit in (study.tune_unit(0, 0, study.defaults), final(study)):
        record = execute(unit, dataclasses.replace(context, **exam))
        assert ("done", {study.method.listed.place: "mined.csv"}) == (record.outcome.state, record.files)
        assert str(path.parent) not in str(record.unit.to_json())


def study_exam(study):
    """An exam that suits the study."""
    from shared import exam_of

    return exam_of(study.template)
