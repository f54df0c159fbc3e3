"""The exams that ship: nothing stands on both sides, every table has its baselines, and the official runs are scored as anyone would."""

from __future__ import annotations

import dataclasses
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.metrics import auc, roc_curve

from siambench.board import files
from siambench.components.catalogue import Catalogue
from siambench.errors import DataMissingError
from siambench.evaluation.embedding import RawInput
from siambench.evaluation.scoring import evaluate_items
from siambench.spec import Method, ModelSpec, is_two_sided
from siambench.testing import synthetic_study
from siambench.tracks.files import load_track, track_names
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut, digests
from siambench.training.model import build_model

CATALOGUE = Catalogue.load({"SIAMBENCH_PLUGINS": ""})


def exam(name):
    """Track, data set and split; skipped with the loader's own sentence where the data is not here."""
    track = load_track(name)
    root = os.environ.get("SIAMBENCH_DATA")
    folder = {"omniglot-minimal": "omniglot", "signatures": "signatures"}.get(track.dataset.name)
    if folder is not None and not (root and Path(root, folder).is_dir()):
        pytest.skip(f"SIAMBENCH_DATA is unset or holds no folder {folder}")
    try:
        dataset = CATALOGUE.dataset(track.dataset.name, track.dataset.options)
    except DataMissingError as error:
        pytest.skip(str(error))
    return track, dataset, cut(dataset, track.split.spec)


@pytest.mark.parametrize("name", track_names())
def test_no_group_class_or_image_stands_on_both_sides(name):
    """Training and test, and both parts of every fold, share no script or alphabet, no class and no image."""
    track, dataset, split = exam(name)
    # Where classes come in no groups, each is one.
    attribute = None if track.split.group is None else dataset.class_attributes[track.split.group]
    groups = np.arange(len(dataset.class_names)) if attribute is None else np.array(attribute)
    content = digests(dataset)
    for left, right in [(split.trainval, split.test), *split.folds]:
        assert set(groups[dataset.labels[left]]).isdisjoint(groups[dataset.labels[right]])
        assert set(dataset.labels[left]).isdisjoint(dataset.labels[right])
        assert {content[i] for i in left}.isdisjoint(content[i] for i in right)
    for training, validation in split.folds:
        assert set(split.test).isdisjoint(training)
        assert set(split.test).isdisjoint(validation)


@pytest.mark.parametrize("name", track_names())
def test_the_exam_is_one(name):
    """The table has both baselines, and its best method is better than either by far more than its interval.

    Pictures and names have no coordinates in common, so that two encoders have no baseline raw.
    """
    table, found = files.leaderboard(name)
    if not found.chosen.records:
        pytest.skip(f"{name} ships its rules and no records yet")
    primary = table.track.metrics.primary
    rows = {line.row.name: line.row for line in table.lines}
    sign = 1 if table.direction == "max" else -1
    best = table.lines[0].row.scores[primary]
    baselines = {"untrained"} if is_two_sided(table.track.model.backbone) else {"raw", "untrained"}
    assert baselines == {"raw", "untrained"} & set(rows)
    for baseline in baselines:
        assert sign * (best.mean - rows[baseline].scores[primary].mean) > 3 * (best.ci95 or 0)


def one_shot_error_by_script(embed, size):
    """The official runs scored by a script that knows nothing of siambench but how images are read."""
    wrong, asked = 0, 0
    with zipfile.ZipFile(Path(os.environ["SIAMBENCH_DATA"], "omniglot", "all_runs.zip")) as archive:
        names = archive.namelist()
        for table in sorted(name for name in names if name.endswith("class_labels.txt")):
            pairs = [line.split() for line in archive.read(table).decode().splitlines() if line.strip()]

            def vector(member):
                path = next(name for name in names if name.endswith(member))
                image = Image.open(io.BytesIO(archive.read(path))).convert("L").resize((size, size), Image.Resampling.BOX)
                return embed(255 - np.asarray(image))

            learnt = {learn: vector(learn) for learn in sorted({learn for _, learn in pairs})}
            for test, learn in pairs:
                query = vector(test)
                near = max(learnt, key=lambda name: float(query @ learnt[name]) / float(np.linalg.norm(learnt[name])))
                wrong, asked = wrong + (near != learn), asked + 1
    return wrong / asked


@pytest.mark.parametrize("model", ["raw", "untrained"])
def test_the_official_runs_are_scored_as_a_script_scores_them(model):
    """`one_shot_error` of pixels and of a network's embeddings equals the count of a short script on the same embeddings."""
    track, dataset, split = exam("omniglot-minimal")
    if model == "raw":
        net = RawInput()
    else:
        unit = synthetic_study(Method("contrastive")).final_unit(0, 1, {}, 0)
        backbone = CATALOGUE.get("backbones", "conv4").entry
        model = ModelSpec(backbone="conv4", options={**backbone.defaults, "width": 8}, embedding_size=16)
        net = build_model(dataclasses.replace(unit, model=model), backbone, dataset)

    def embed(image):
        with torch.no_grad():
            return net.eval()(torch.from_numpy(image.copy()).float()[None, None] / 255)[0].double().numpy()

    items = Parts(dataset, split, kind="final", fold=None, opened=lambda: None).test()
    named = CATALOGUE.metrics(["one_shot_error"])
    found = evaluate_items(net, items, named, seed=0, device=torch.device("cpu")).scores["one_shot_error"]

    assert one_shot_error_by_script(embed, track.dataset.options["size"]) == pytest.approx(found, abs=1e-12)


@pytest.mark.parametrize("name", [name for name in track_names() if name.startswith("omniglot")])
def test_no_image_of_the_official_runs_was_trained_on(name):
    """No support or query image of the official runs stands, pixel for pixel, in the training or the test part."""
    _, dataset, split = exam(name)
    runs = dataset.episodes["one-shot"]()
    seen = {image.tobytes() for part in (split.trainval, split.test) for image in dataset.read(part)}
    asked = [image.tobytes() for images in (runs.support, runs.query) for run in images for image in run]
    assert 800 == len(asked)
    assert set(asked).isdisjoint(seen)


@pytest.mark.parametrize("kind", ["fold 0", "fold 1", "test"])
def test_signatures_ask_whether_screens_and_paper_are_of_one_hand(kind):
    """In the test and in both folds each pair is one of screens with one of paper, and raw pixels have the equal error of plain numpy."""
    track, dataset, split = exam("signatures")
    tune = kind != "test"
    parts = Parts(dataset, split, kind="tune" if tune else "final", fold=int(kind[-1]) if tune else None, opened=lambda: None)
    items = parts.validation() if tune else parts.test()
    numbers = np.array([int(dataset.item_names[i].split("/")[1]) for i in items.indices])
    assert np.array_equal(numbers <= 10, items.is_gallery)

    named = CATALOGUE.metrics(["eer", "roc_auc"])
    found = evaluate_items(RawInput(), items, named, seed=0, device=torch.device("cpu"), pairs="every")
    pixels = items.read(np.arange(len(items))).reshape(len(items), -1).astype(np.float64)
    pixels /= np.linalg.norm(pixels, axis=1, keepdims=True)
    queries, gallery = ~items.is_gallery, items.is_gallery
    same = (items.labels[queries, None] == items.labels[None, gallery]).ravel()
    false_accepts, true_accepts, _ = roc_curve(same, (pixels[queries] @ pixels[gallery].T).ravel(), drop_intermediate=False)
    place = np.flatnonzero(1 - true_accepts <= false_accepts)[0]
    expected = (1 - true_accepts[place] + false_accepts[place]) / 2

    assert found.scores["eer"] == pytest.approx(expected, abs=1e-3)
    assert found.scores["roc_auc"] == pytest.approx(auc(false_accepts, true_accepts), abs=1e-4)
    assert track.evaluation.pairs == "all"
