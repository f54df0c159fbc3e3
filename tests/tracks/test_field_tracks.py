"""The field's tracks, from their files through every phase, on small data in the layouts of the published ones."""

from __future__ import annotations

import dataclasses
import json
import tomllib

import dataset_layouts as layouts
import pytest

from siambench.board import files, pages
from siambench.board.formats import markdown
from siambench.board.view import view
from siambench.builtin.datasets import birds_and_cars, lfw, products
from siambench.components.catalogue import Catalogue
from siambench.data.shipped import shipped
from siambench.errors import LostError
from siambench.execution import coordinator
from siambench.execution import worker as units
from siambench.execution.worker import execute
from siambench.interfaces import Finished, Lost
from siambench.records.folder import Folder
from siambench.studies.request import Request, prepare
from siambench.tracks.files import load_comparison, load_track

DATA = ("cub-200", "cars-196", "sop", "in-shop")
RETRAINED = (*DATA, "lfw")
CHECKED = tuple(f"{name}-reality-check" for name in DATA)
FIELD = (*RETRAINED, *CHECKED)

SMALL = {"resize": 14, "size": 10}
TINY = {"backbone": "conv4", "options": {"width": 4, "blocks": 2}, "embedding_size": 8}
"""In the place of a network of 25 million weights."""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Every data set of the field, small, and an empty cache; counts and checksums are those of what is there."""
    root = tmp_path_factory.mktemp("field")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SIAMBENCH_DATA", str(root / "data"))
        patch.setenv("SIAMBENCH_CACHE", str(root / "cache"))
        layouts.cub(root / "data", classes=16)
        # Photographs are no squares.
        folder = root / "data" / "cub-200" / "CUB_200_2011" / "images"
        for number, path in enumerate(sorted(folder.rglob("*.png"))):
            layouts.picture([1, number], size=30).resize((18 + number % 5, 30 - number % 7)).save(path)
        patch.setattr(birds_and_cars, "BIRDS", (16, 56))
        layouts.cars_in_one(root / "data", names=[f"Car {number} 2000" for number in range(16)], images=48)
        patch.setattr(birds_and_cars, "CARS", (16, 48))
        kinds = [("chair", "train")] * 9 + [("lamp", "test")] * 5
        _, lines = layouts.sop(root / "data", kinds)
        patch.setattr(products, "SOP_COUNTS", (14, len(lines["train"]), len(lines["test"])))
        clothes = [("train", "train", "train")] * 8 + [("query", "gallery", "gallery")] * 4
        layouts.in_shop(root / "data", clothes=clothes)
        patch.setattr(products, "SHOP_COUNTS", (12, 24, 4, 8))
        _, digests = layouts.lfw(root / "data", folder="lfw-deepfunneled", more=13)
        patch.setattr(lfw, "COUNTS", (19, 52))
        for name, md5 in digests.items():
            patch.setitem(lfw.LISTS, name, dataclasses.replace(lfw.LISTS[name], md5=md5))
        units._data.cache_clear()
        yield root
    units._data.cache_clear()


@pytest.fixture(scope="module")
def catalogue():
    """What is installed, without plugins."""
    return Catalogue.load({"SIAMBENCH_PLUGINS": ""})


def rules_of(name):
    """A track's file, as it is."""
    return tomllib.loads((shipped("leaderboards") / name / "track.toml").read_text(encoding="utf-8"))


def shortened(name, folder, sizes=SMALL, model=TINY):
    """The same rules for a small network, a few steps and trials, in a file of their own; the protocol and all else stay."""
    rules = rules_of(name)
    rules["dataset"]["options"] |= sizes
    rules["model"] = model
    rules["training"] |= {"epochs": 2, "steps_per_epoch": 1, "batch_size": 8}
    if rules["training"].get("early_stopping"):
        rules["training"]["early_stopping"] = 1
    rules["budget"] |= {"trials": 3, "studies": min(2, rules["budget"]["studies"]), "repetitions": 1}
    if "report" in rules["metrics"]:
        rules["metrics"]["report"] = [metric for metric in rules["metrics"]["report"] if not metric.startswith("tar@")]
    (folder / name).mkdir(parents=True)
    (folder / name / "track.json").write_text(json.dumps(rules), encoding="utf-8")
    return str(folder / name)


class Here:
    """An engine that runs each unit where it is submitted: no process has to be started, and what is patched here holds."""

    def __init__(self):
        self.ended, self.units = [], []

    def submit(self, key, unit, context):
        """Run it."""
        self.units.append(unit)
        try:
            self.ended.append(Finished(key, execute(unit, context)))
        except LostError as error:
            self.ended.append(Lost(key, str(error)))

    def wait(self, seconds):
        """What has ended."""
        found, self.ended = self.ended, []
        return found

    def cancel(self):
        """Nothing waits."""
        return []

    def close(self, *, now):
        """Nothing runs."""

    def describe(self):
        """For people."""
        return "here"


def sat(track, catalogue, out, *, losses=("contrastive",), **request):
    """A run of a track, its engine, and the folder of its records."""
    prepared = prepare(Request(track=track, losses=losses, studies="all", **request), catalogue)
    engine = Here()
    found = coordinator.run(prepared, out=out, engine=lambda: engine)
    return found, engine, Folder.of(out, prepared.track, prepared.exam)


# ---- the files


@pytest.mark.parametrize("name", FIELD)
def test_a_track_of_the_field_keeps_proportions_and_says_that_it_was_not_run(name):
    """Photographs keep their proportions and are cropped; the page says that nobody ran it, and where the data go."""
    track = load_track(name)

    assert track.dataset.options["resize"] > track.dataset.options["size"]
    assert track.augment.crop is not None
    assert track.augment.flip
    assert track.evaluation.protocol == ("reality-check" if name in CHECKED else "retrain")
    page = (shipped("leaderboards") / name / "README.md").read_text(encoding="utf-8")
    assert "Version 1.0 ships without rows: it has not been run yet." in " ".join(page.split())
    assert "below SIAMBENCH_DATA" in " ".join(page.split())
    table, found = files.leaderboard(name)
    if not found.chosen.records:
        assert not table.lines
        assert pages.generated(table)["README.md"] == page


@pytest.mark.parametrize("name", FIELD)
def test_every_method_of_the_config_can_be_planned(name, place, catalogue, tmp_path):
    """The comparison that ships with it has methods that exist, sit the track, and in the Reality Check have its space: none is refused."""
    comparison = load_comparison(f"{name}.toml")
    assert comparison.track == name
    losses = [
        (loss, method.miner) for method in comparison.methods for loss in ([method.loss] if isinstance(method.loss, str) else method.loss)
    ]
    track = shortened(name, tmp_path)
    for miner in sorted({miner for _, miner in losses}):
        chosen = tuple(loss for loss, one in losses if one == miner)
        prepared = prepare(Request(track=track, losses=chosen, miners=(miner,), space=comparison.space), catalogue)
        assert {plan.method.loss for plan in prepared.studies} == set(chosen)
        assert not prepared.refused
        for plan in prepared.studies:
            assert ("optimiser.lr" in plan.space) == (name not in CHECKED)


# ---- through every phase


@pytest.mark.parametrize("name", RETRAINED)
def test_a_track_of_ours_goes_through_every_phase(name, place, catalogue, tmp_path):
    """Trials on folds, final models, baselines and a table with a row of two full studies, on small data in the real layout."""
    found, engine, folder = sat(shortened(name, tmp_path / "rules"), catalogue, tmp_path / "out")

    assert found.units["lost"] == found.units["failed"] == 0
    kinds = [(unit.kind, unit.method.baseline) for unit in engine.units]
    assert kinds.count(("final", None)) == 2
    for study in (0, 1):
        tuned = {(unit.trial, unit.fold) for unit in engine.units if unit.kind == "tune" and unit.study == study}
        # Of three trials that race two or three run every fold.
        assert {(0, 0), (1, 0), (2, 0), (0, 1)} <= tuned
        assert len(tuned) in {3 + kept * (rules_of(name)["split"]["folds"] - 1) for kept in (2, 3)}
    recipe = engine.units[-1].training.recipe.used
    assert recipe == {rule: value for rule, value in rules_of(name)["training"].items() if rule in recipe}
    assert {"trunk_rate", "rate_warmup"} <= set(recipe)
    rows = {line.row.name: line.row for line in found.table.lines}
    assert {"contrastive", "raw", "untrained"} <= set(rows)
    assert rows["contrastive"].studies == 2
    primary = rules_of(name)["metrics"]["primary"]
    assert 0 <= rows["contrastive"].scores[primary].mean <= 1
    assert "| `contrastive` |" in markdown.render(view(found.table))
    assert len(folder.read().records) == len(engine.units)


@pytest.mark.parametrize("name", CHECKED)
def test_the_reality_check_goes_through_every_phase(name, place, catalogue, tmp_path):
    """Each trial runs four folds, validated after every epoch, one trial after the other; a final unit has four models, also as one."""
    found, engine, _ = sat(shortened(name, tmp_path / "rules"), catalogue, tmp_path / "out", space="reality-check")

    assert found.units["lost"] == found.units["failed"] == 0
    tuned = [unit for unit in engine.units if unit.kind == "tune"]
    assert [(unit.trial, unit.fold) for unit in tuned] == [(trial, fold) for trial in range(3) for fold in range(4)]
    assert all(
        unit.params["optimiser.lr"] == 1e-6 and unit.params["optimiser.weight_decay"] == 1e-4 for unit in engine.units if unit.training
    )
    assert all(-0.2 <= unit.params["loss.neg_margin"] <= 2.0 for unit in tuned)
    records = {record.unit.id: record for record in found.records}
    for unit in tuned:
        curve = records[unit.id].outcome.curve
        assert all(epoch.validation is not None for epoch in curve)
        assert records[unit.id].telemetry["search"]["sampler"] == "gp"
        assert records[unit.id].telemetry["search"]["batch"] == 1
    final = next(record for record in found.records if record.unit.kind == "final" and record.unit.method.baseline is None)
    assert {"map@r", "concatenated:map@r"} <= set(final.outcome.scores)
    assert sum(epoch.epoch == 1 for epoch in final.outcome.curve) == 4
    assert "concatenated" in markdown.render(view(found.table))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cub-200", "sop", "cub-200-reality-check", "sop-reality-check"])
def test_the_networks_of_the_tracks_themselves_go_through_every_phase(name, place, catalogue, tmp_path):
    """With ResNet-50 and BN-Inception, from random weights as theirs are not here: trials, final models and a table."""
    rules = rules_of(name)["model"]
    # BN-Inception takes edges of 32 k - 1 to 32 k + 6 pixels, of which 227 is one.
    sizes, model = {"resize": 40, "size": 35}, {**rules, "options": {"weights": "none"}}
    track = shortened(name, tmp_path / "rules", sizes, model)
    found, engine, _ = sat(track, catalogue, tmp_path / "out")

    assert found.units["lost"] == found.units["failed"] == 0
    assert {unit.model.backbone for unit in engine.units if unit.model is not None} == {rules["backbone"]}
    assert "contrastive" in {line.row.name for line in found.table.lines}
