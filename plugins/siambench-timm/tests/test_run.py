from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
import siambench
from PIL import Image
from siambench.records.folder import Folder, track_folders

TINY = {"training.epochs": 1, "training.steps_per_epoch": 2, "training.batch_size": 16, "metrics.report": ["map@r"]}


@pytest.fixture
def images(tmp_path):
    """A folder of eight classes of noise, six images of 32 × 32 pixels each."""
    generator = np.random.default_rng(5)
    for label in range(8):
        folder = tmp_path / "shapes" / f"class{label}"
        folder.mkdir(parents=True)
        for number in range(6):
            Image.fromarray(generator.integers(0, 256, (32, 32, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return tmp_path / "shapes"


def test_a_backbone_of_timm_sits_an_exam(images, tmp_path):
    """`siambench.run` tunes, trains and scores a timm backbone on a folder of images; the record says what it was."""
    table = siambench.run(
        loss="triplet",
        dataset=f"folder:{images}",
        backbone="timm",
        trials=1,
        repetitions=1,
        jobs=1,
        changes={**TINY, "dataset.options.size": 32, "model.options.model": "test_efficientnet", "model.options.drop_path": 0.1},
        out=tmp_path / "out",
    )
    row = table[table["method"] == "triplet"].iloc[0]
    (folder,) = track_folders(tmp_path / "out")
    trained = [record.unit for record in Folder(folder).read().records if record.unit.method.loss == "triplet"]

    assert row["reason"] is None
    assert 0 < row["map@r"] <= 1
    assert len(trained) == 3
    assert {unit.model.options["model"] for unit in trained} == {"test_efficientnet"}
    where = {(unit.components["backbone"].plugin, unit.components["backbone"].distribution) for unit in trained}
    assert where == {("timm", "siambench-timm")}


def test_a_backbone_of_timm_runs_by_name_from_the_command_line(tmp_path):
    """`siambench run --backbone timm-lcnet_050 --dataset digits` exits 0 with a row for the loss, on grey images of 8 × 8."""
    result = subprocess.run(
        [
            *(sys.executable, "-m", "siambench", "run", "--loss", "triplet", "--dataset", "digits", "--backbone", "timm-lcnet_050"),
            *("--trials", "1", "--repetitions", "1", "--jobs", "1", "--json", "--out", str(tmp_path / "out")),
            *("--set", "training.epochs=1", "--set", "training.steps_per_epoch=2", "--set", "training.batch_size=16"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )

    assert result.returncode == 0, result.stderr
    rows = {row["method"]: row for row in json.loads(result.stdout)["rows"]}
    assert rows["triplet"]["reason"] is None
    assert rows["triplet"]["scores"]["map@r"]["n"] == 1
