"""What a model cannot be trusted with is said in words: on its card, where it is handed over, and where it is asked."""

from __future__ import annotations

import dataclasses

import pytest

from siambench.data.images import DEEPEST
from siambench.models.card import card
from siambench.models.cautions import cautions
from siambench.models.document import Interval, OfImages
from siambench.models.file import read_document, read_model, write_model


@pytest.fixture(scope="module")
def document(kept):
    """Of a model whose thresholds are from more than a dozen classes, as if it verified well."""
    found = read_document(kept.model())
    points = tuple(dataclasses.replace(one, classes=40, false_accepts=0.05, false_rejects=0.05) for one in found.operating_points)
    return dataclasses.replace(found, operating_points=points, scores={**found.scores, "eer": 0.05}, intervals=eer(0.03, 0.07))


def eer(low, high):
    return {"eer": Interval(low=low, high=high, by="jackknife")}


def changed(document, **values):
    return dataclasses.replace(document, operating_points=tuple(dataclasses.replace(one, **values) for one in document.operating_points))


def test_an_interval_that_reaches_chance_is_no_verification(document):
    """The interval decides: .35 is called no verification where its interval reaches .5, and nothing is said where it ends below."""
    reaching = dataclasses.replace(document, scores={"eer": 0.35}, intervals=eer(0.19, 0.51))
    (told,) = cautions(reaching)
    assert told.startswith(
        "This is no verification: its equal error on the test part is 0.3500, and the interval over test classes, 0.1900 …"
    )
    assert f"**{told}.**" in card(reaching, "m.safetensors")
    assert not cautions(dataclasses.replace(reaching, intervals=eer(0.21, 0.49)))
    assert not cautions(document)
    assert "no verification" not in card(document, "m.safetensors")


def test_an_error_near_chance_is_none_however_sure(document):
    """Of .45 with a narrow interval, or without any, and of the errors to expect where the exam has no such metric, the same is said."""
    sure = dataclasses.replace(document, scores={"eer": 0.45}, intervals=eer(0.44, 0.46))
    alone = dataclasses.replace(document, scores={"eer": 0.45}, intervals={})
    expected = changed(dataclasses.replace(document, scores={}, intervals={}), false_accepts=0.5, false_rejects=0.44)
    assert ["0.4500" in told and "0.4700" not in told for told in (*cautions(sure), *cautions(alone))] == [True, True]
    assert "0.4700" in cautions(expected)[0]
    assert not cautions(dataclasses.replace(document, scores={"eer": 0.39}, intervals={}))


def test_few_test_classes_are_told_with_their_number(document):
    """Thresholds from 4 people are said to be so; from 12 on, where their intervals were tried, nothing is."""
    (told,) = cautions(changed(document, classes=4))
    assert "from 4 test classes alone" in told
    assert not cautions(changed(document, classes=12))
    assert not cautions(dataclasses.replace(document, operating_points=(), unpointed="they are too few"))


def test_whoever_is_handed_a_model_or_asks_it_reads_it(siambench, kept, document, tmp_path):
    """`model` says on stderr what the card warns of, `compare` too; of a distance of one's own it does not."""
    found = read_document(kept.model(row="untrained"))
    handed = siambench("model", kept.track, "untrained", "--from", kept.out, "--out", "u.safetensors")
    assert 0 == handed.returncode, handed.stderr
    assert cautions(found)
    assert all(told in handed.stderr for told in cautions(found))
    held = read_model(kept.model())
    write_model(
        tmp_path / "m.safetensors", dataclasses.replace(document, scores={"eer": 0.48}, intervals=eer(0.4, 0.6)), held.weights, held.probe
    )
    from PIL import Image

    for name in ("a.png", "b.png"):
        Image.new("L", (28, 28), color=len(name)).save(tmp_path / name)
    asked = siambench("compare", tmp_path / "m.safetensors", tmp_path / "a.png", tmp_path / "b.png")
    assert 0 == asked.returncode, asked.stderr
    assert "This is no verification" in asked.stderr
    own = siambench("compare", tmp_path / "m.safetensors", tmp_path / "a.png", tmp_path / "b.png", "--threshold", "0.5")
    assert "This is no verification" not in own.stderr


def test_thresholds_have_the_digits_that_decide(document):
    """A threshold of .00031237 is told with four of its digits, its interval too, and every column of the table is explained."""
    page = card(changed(document, threshold=0.00031237, low=0.00002, high=0.0006), "m.safetensors")
    assert "| 0.0003124 | 0.00002000 … 0.0006000 |" in page
    for column in ("at", "references", "threshold", "interval", "false accepts", "false rejects", "impostors", "genuine"):
        assert f"*{column}*" in page, column


@pytest.mark.parametrize(
    ("white", "said"), [(DEEPEST, "taken as they are (of a file of 16-bit greys"), (1023, "so deep are the data set's")]
)
def test_a_card_speaks_of_the_depth_that_the_data_set_has(document, white, said):
    """Of a data set of 8 bits the card says that values are taken as they are; of a deeper one how they become 8 bits."""
    rule = OfImages(mode="grey", height=8, width=8, resize=0, white=white, inverted=False)
    page = card(dataclasses.replace(document, given=dataclasses.replace(document.given, preprocessing=rule)), "m.safetensors")
    assert said in page
    assert f"value · 255 / {white}" in page
