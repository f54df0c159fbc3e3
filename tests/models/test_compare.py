"""An item compared with references: the nearest decides, at a threshold for as many references, with the errors to expect."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

import siambench as library
from siambench.components.catalogue import Catalogue
from siambench.models.comparison import compare


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Ten digits as files, two of each of five classes, by class."""
    folder = tmp_path_factory.mktemp("digits")
    dataset = Catalogue.load(distributions=()).dataset("digits", {})
    found = {}
    for label in range(5, 10):
        for number, place in enumerate(np.flatnonzero(dataset.labels == label)[:4]):
            path = folder / f"{label}-{number}.png"
            Image.fromarray(dataset.read(np.array([place]))[0, 0]).save(path)
            found.setdefault(label, []).append(path)
    return found


def test_the_nearest_decides_and_the_expected_errors_are_told(siambench, kept, files):
    """The document holds both distances, the threshold for so many references with its interval, the decision and what to expect."""
    model = library.load_model(kept.model())
    item, references = files[5][0], files[5][1:]
    done = siambench("compare", kept.model(), item, *references, "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    embeddings = model.embed([item, *references]).double().numpy()
    embeddings /= np.linalg.norm(embeddings, axis=1, keepdims=True)
    apart = 1 - embeddings[1:] @ embeddings[0]
    centre = embeddings[1:].mean(axis=0)
    assert found["distance"]["nearest"] == pytest.approx(apart.min(), abs=1e-9)
    assert found["distance"]["mean"] == pytest.approx(1 - centre @ embeddings[0] / np.linalg.norm(centre), abs=1e-9)
    assert str(references[int(apart.argmin())]) == found["nearest"]
    (point,) = (one for one in model.document.operating_points if (one.at, one.references) == ("eer", 3))
    assert {"value": point.threshold, "at": "eer", "low": point.low, "high": point.high, "references": 3} == found["threshold"]
    assert found["same"] is bool(apart.min() <= point.threshold)
    assert found["expected"]["accuracy"] == pytest.approx(1 - (point.false_accepts + point.false_rejects) / 2)


def test_either_decision_exits_with_0(siambench, kept, files):
    """Same and different are answers: the exit code is 0 for both, and the first word says which."""
    far, near = (
        siambench("compare", kept.model(), files[5][0], files[6][0], "--threshold", "0"),
        siambench("compare", kept.model(), files[5][0], files[6][0], "--threshold", "2"),
    )
    assert (0, 0) == (far.returncode, near.returncode)
    assert far.stdout.startswith("different: ")
    assert near.stdout.startswith("same: ")
    assert "of a threshold of your own no error is known" in near.stderr


def test_a_rate_may_be_written_in_either_way(siambench, kept, files):
    """far=1e-2 and far=0.01 are one threshold, lower than that at equal error."""
    found = [
        json.loads(siambench("compare", kept.model(), files[5][0], files[6][0], "--threshold", at, "--json").stdout)["threshold"]["value"]
        for at in ("far=1e-2", "far=0.01", "eer")
    ]
    assert found[0] == found[1] < found[2]


def test_a_folder_stands_for_the_images_in_it(siambench, kept, files):
    """A folder of references is the images in it; the item itself among them is pointed out."""
    done = siambench("compare", kept.model(), files[5][0], files[5][0].parent, "--json")
    assert 0 == done.returncode, done.stderr
    found = json.loads(done.stdout)
    assert 20 == found["references"]
    assert 10 == found["threshold"]["references"]
    assert any("the item is one of the references" in note for note in found["notes"])
    assert any("the most that were tried" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gone.png", "REFERENCE"), "no such file: gone.png"),
        (("ITEM", "text.png"), "text.png cannot be read as an image"),
        (("ITEM", "empty"), "the folder empty holds no image"),
        (("ITEM", "people"), "the folder people holds no image to compare with; references are of one class, such as people/ann"),
        (("ITEM",), "Missing argument 'REFERENCE...'"),
        (("ITEM", "REFERENCE", "--threshold", "far=1e-4"), "no threshold at 'far=1e-4'"),
        (("ITEM", "REFERENCE", "--threshold", "err"), "did you mean 'eer'"),
        (("ITEM", "REFERENCE", "--threshold", "-1"), "a distance of at least 0"),
        (("ITEM", "REFERENCE", "--threshold", "nan"), "a distance of at least 0"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(siambench, kept, files, tmp_path, arguments, said):
    """An image that is none, a folder without any, no reference, a threshold that the model does not hold: exit 4, one sentence."""
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty").mkdir()
    (tmp_path / "people" / "ann").mkdir(parents=True)
    names = {"ITEM": str(files[5][0]), "REFERENCE": str(files[6][0])}
    done = siambench("compare", kept.model(), *(names.get(one, one) for one in arguments))
    assert 4 == done.returncode, done.stdout
    assert said in done.stderr
    assert 1 == len(done.stderr.strip().splitlines())


def test_a_model_without_thresholds_takes_a_distance_alone(kept, files):
    """Where a model holds no thresholds a name of one says why there is none, and a distance decides."""
    import dataclasses

    from siambench.errors import UsageError

    model = library.load_model(kept.model())
    model.document = dataclasses.replace(model.document, operating_points=(), unpointed="two classes")
    with pytest.raises(UsageError, match="holds no thresholds \\(two classes\\): give a distance"):
        compare(model, files[5][0], [files[6][0]])
    assert compare(model, files[5][0], [files[6][0]], threshold=2.0).same


def test_a_number_of_references_that_was_not_tried_takes_the_next_larger(siambench, kept, files):
    """Four references are judged by the threshold for five, and it is said."""
    done = siambench("compare", kept.model(), files[5][0], *files[6], "--json")
    found = json.loads(done.stdout)
    assert (4, 5) == (found["references"], found["threshold"]["references"])
    assert any("that for 5 references, the next number that was tried" in note for note in found["notes"])
