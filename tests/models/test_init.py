"""A row whose training starts from a model of another exam: named by the file's content, another unit, and its own row."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file, save_file
from shared import TINY_TRACK, exam_folder

import siambench as library
from siambench.components.catalogue import Catalogue
from siambench.models.file import KEY, read_document
from siambench.records.record import read
from siambench.spec import Method, Unit
from siambench.studies.request import Request, prepare

OTHER = (
    TINY_TRACK.replace('name = "tiny"', 'name = "other"').replace("trials = 6", "trials = 1").replace("repetitions = 3", "repetitions = 1")
)


@pytest.fixture(scope="module")
def foreign(kept, tmp_path_factory):
    """The kept model as one of another data set: what its file says of its data is changed."""
    path = tmp_path_factory.mktemp("foreign") / "start.safetensors"
    document = read_document(kept.model()).to_json()
    document["data"]["dataset"] = "elsewhere"
    save_file(load_file(kept.model()), path, metadata={KEY: json.dumps(document)})
    return path


@pytest.fixture(scope="module")
def started(foreign, tmp_path_factory):
    """A run that starts from it, with models kept."""
    from conftest import in_process

    folder = tmp_path_factory.mktemp("started")
    (folder / "other.toml").write_text(OTHER)
    arguments = ("run", "--track", folder / "other.toml", "--loss", "triplet", "--init", foreign, "--keep-models", "--jobs", 1)
    done = in_process(*arguments, "--out", folder / "out", "--json", cwd=folder)
    assert 0 == done.returncode, done.stderr
    return folder, json.loads(done.stdout)


def test_such_a_row_bears_the_content_of_its_start(started, foreign):
    """Its name and its flag carry the first digits of the file's SHA-256; its units hold all of them, and other rows none."""
    folder, table = started
    digest = hashlib.sha256(foreign.read_bytes()).hexdigest()
    row = table["rows"][0]
    assert f"triplet@init={digest[:8]}" == row["method"]
    assert "init" in row["flags"]
    records = [read(path) for path in (exam_folder(folder / "out", "other") / "records").glob("*.json")]
    assert {digest, None} == {record.unit.method.init for record in records}
    assert all((record.unit.method.baseline is None) == (record.unit.method.init == digest) for record in records)
    assert "start.safetensors" in {name for record in records for name in record.files.values()}


def test_training_starts_from_its_weights(foreign, siambench, tmp_path):
    """With a rate of nearly nothing the final model is the one that it starts from; from random weights it is another."""
    (tmp_path / "other.toml").write_text(OTHER)
    fixed = ("--set", "optimiser.lr=0.0001", "--jobs", 1, "--keep-models")
    for name, extra in (("from", ("--init", foreign)), ("random", ())):
        done = siambench("run", "--track", "other.toml", "--loss", "triplet", *fixed, *extra, "--out", name)
        assert 0 == done.returncode, done.stderr
    start = load_file(foreign)["network.head.weight"]
    apart = {}
    for name in ("from", "random"):
        places = [path for path in exam_of(tmp_path / name).glob("models/*") if read_document(path).row.startswith("triplet")]
        apart[name] = float((load_file(places[0])["network.head.weight"] - start).abs().max())
    assert apart["from"] < 2e-3
    assert apart["random"] > 1e-2


def exam_of(out):
    return next(path for path in out.iterdir() if path.is_dir())


def test_a_row_from_a_start_is_reproduced_and_handed_over_where_the_start_is_given(started, foreign, siambench):
    """`reproduce` and `model --again` ask where the start is, and take no other file; the file of the model says what it started from."""
    folder, table = started
    row = table["rows"][0]["method"]
    asked = ("other", row, "--from", folder / "out")
    without = siambench("reproduce", *asked, "--jobs", 1)
    assert 4 == without.returncode
    assert "--where init=PATH" in without.stderr
    done = siambench("reproduce", *asked, "--jobs", 1, "--where", f"init={foreign}")
    assert 0 == done.returncode, done.stderr
    done = siambench("model", *asked, "--out", "m.safetensors", "--json")
    assert 0 == done.returncode, done.stderr
    assert hashlib.sha256(foreign.read_bytes()).hexdigest() == json.loads(done.stdout)["started_from"]


def test_what_cannot_be_started_from_is_said_in_a_sentence(siambench, kept, foreign, tmp_path):
    """A file that is none, the model of the same data set, another network, another size of embedding: exit 4, before anything runs."""
    (tmp_path / "other.toml").write_text(OTHER)
    (tmp_path / "wide.toml").write_text(OTHER.replace("width = 16", "width = 17"))
    (tmp_path / "large.toml").write_text(OTHER.replace("embedding_size = 8", "embedding_size = 9"))
    (tmp_path / "none.safetensors").write_text("none")
    for track, init, said in (
        ("other.toml", "gone.safetensors", "no such file"),
        ("other.toml", "none.safetensors", "is no model of siambench's"),
        ("other.toml", kept.model(), "was trained on digits too"),
        ("wide.toml", foreign, "trains a mlp with dropout = 0.0, layers = 1, width = 17"),
        ("large.toml", foreign, "gives embeddings of 8 numbers, the track's have 9"),
    ):
        done = siambench("run", "--track", track, "--loss", "triplet", "--init", init, "--plan")
        assert 4 == done.returncode, (init, done.stderr)
        assert said in done.stderr
        assert 1 == len(done.stderr.strip().splitlines())


def test_a_comparison_says_what_each_method_starts_from(siambench, foreign, tmp_path):
    """Methods of one file start from nothing, from a model, and from another: each row from its own, found beside the file."""
    (tmp_path / "study").mkdir()
    (tmp_path / "study" / "other.toml").write_text(OTHER)
    one, another = (tmp_path / "study" / f"{name}.safetensors" for name in ("one", "another"))
    one.write_bytes(foreign.read_bytes())
    document = json.dumps(read_document(foreign).to_json())
    save_file({name: weights * 1.5 for name, weights in load_file(foreign).items()}, another, metadata={KEY: document})
    (tmp_path / "study" / "starts.toml").write_text(
        'track = "study/other.toml"\nset = { "optimiser.lr" = 0.0001 }\n[[methods]]\nloss = "triplet"\n'
        '[[methods]]\nloss = "triplet"\ninit = "one.safetensors"\n[[methods]]\nloss = "triplet"\ninit = "another.safetensors"\n'
    )
    done = siambench("run", "study/starts.toml", "--keep-models", "--jobs", 1, "--out", "out")
    assert 0 == done.returncode, done.stderr
    models = {read_document(path).row: load_file(path) for path in exam_of(tmp_path / "out").glob("models/*")}
    digests = {path: hashlib.sha256(path.read_bytes()).hexdigest()[:8] for path in (one, another)}
    assert set(models) >= {"triplet", *(f"triplet@init={digest}" for digest in digests.values())}
    for path, digest in digests.items():
        found, start = models[f"triplet@init={digest}"], load_file(path)
        assert float((found["network.head.weight"] - start["network.head.weight"]).abs().max()) < 2e-3
    row = f"triplet@init={digests[another]}"
    where = ("--where", f"init={another}")
    again = siambench("reproduce", "other", row, "--from", "out", "--jobs", 1, *where)
    assert 0 == again.returncode, again.stderr


def test_a_start_in_a_comparison_is_one_of_a_flag(siambench, foreign, tmp_path, monkeypatch):
    """`--init` and the key `init` plan the same units; both at once, and a file that is none, are one sentence that names the key."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.toml").write_text(OTHER)
    heading = 'track = "other.toml"\n[[methods]]\nloss = "triplet"\n'
    (tmp_path / "plain.toml").write_text(heading)
    (tmp_path / "starts.toml").write_text(f"{heading}init = {str(foreign)!r}\n")
    (tmp_path / "gone.toml").write_text(f'{heading}init = "gone.safetensors"\n')
    (tmp_path / "number.toml").write_text(f"{heading}init = 5\n")
    (tmp_path / "wide.toml").write_text(OTHER.replace("width = 16", "width = 17"))
    (tmp_path / "unfit.toml").write_text(f"{heading}init = {str(foreign)!r}\n".replace("other.toml", "wide.toml"))

    def units(**asked):
        plans = prepare(Request(**asked), Catalogue.load()).studies
        return [plan.tune_unit(0, 0, plan.defaults).id for plan in plans]

    by_key = units(comparison="starts.toml")
    assert by_key == units(track="other.toml", losses=("triplet",), init=str(foreign))
    assert by_key == units(comparison="plain.toml", init=str(foreign))
    assert by_key != units(comparison="plain.toml")
    for file, extra, said in (
        ("starts.toml", ("--init", foreign), "leave --init or the key out"),
        ("gone.toml", (), "no such file: gone.safetensors"),
        ("number.toml", (), "init"),
        ("unfit.toml", (), "methods.init start.safetensors is a mlp with"),
    ):
        done = siambench("run", file, *extra, "--plan")
        assert 4 == done.returncode, (file, done.stderr)
        assert said in done.stderr
        assert 1 == len(done.stderr.strip().splitlines())


def test_units_that_start_from_nothing_are_the_same_documents_as_ever(kept):
    """A unit without a start has no key of it, so that its id is what it was before there were any."""
    document = kept.finals["triplet", 0].unit.to_json()
    assert "init" not in document["method"]
    unit = Unit.from_json(json.dumps(document))
    assert unit.id == kept.finals["triplet", 0].id
    assert "triplet@conv4,init=01234567" == Method("triplet", backbone="conv4", init="01234567" * 8).name


def test_load_model_needs_no_start(started):
    """A model that started from another is whole in itself."""
    folder, _ = started
    path = next(one for one in exam_of(folder / "out").glob("models/*") if read_document(one).started_from)
    assert (1, 8) == tuple(library.load_model(path).embed(torch.zeros(1, 1, 8, 8)).shape)
