"""What a unit takes whose trunk stays as it is: with the trunk in the loop, the first on kept features, and all others.

``python tests/benchmarks/heads.py`` prints seconds and how far losses and scores lie apart, on glyphs without augmentation, with ResNet-18
of random weights, whose steps take what those of ImageNet's would. The cache is a folder of its own, and empty at first.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from unittest import mock

from siambench.components.catalogue import Catalogue
from siambench.execution import worker
from siambench.interfaces import Done
from siambench.spec import Context, Unit
from siambench.studies.request import Request, prepare

TRACK = """
schema = 1
name = "heads"
version = "1.0"
dataset = {{ name = "glyphs" }}
split = {{ rule = "official", folds = 2, group = "family" }}
model = {{ backbone = "{backbone}", embedding_size = 64 }}
training = {{ epochs = 4, steps_per_epoch = 30, batch_size = 128, trained_stages = 0 }}
augment = {{ rotate = 0.0 }}
metrics = {{ primary = "map@r", report = ["map@r", "recall@1"] }}
"""


def timed(unit: Unit, context: Context) -> tuple[float, Done]:
    """Seconds that a unit took, and what came of it."""
    start = time.perf_counter()
    outcome = worker.execute(unit, context).outcome
    if not isinstance(outcome, Done):
        raise SystemExit(f"the unit ended otherwise: {outcome}")
    return time.perf_counter() - start, outcome


def apart(one: Done, other: Done) -> tuple[float, float]:
    """The largest relative difference of a loss, and the largest difference of a validation score."""
    losses = [abs(a.loss - b.loss) / abs(b.loss) for a, b in zip(one.curve, other.curve, strict=True)]
    scores = [
        abs(float(value) - float((b.validation or {})[name] or 0.0))
        for a, b in zip(one.curve, other.curve, strict=True)
        for name, value in (a.validation or {}).items()
        if value is not None
    ]
    return max(losses), max(scores)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--further", type=int, default=3, help="units after the first")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SIAMBENCH_CACHE"] = folder
        track = Path(folder) / "track.toml"
        track.write_text(TRACK.format(backbone=asked.backbone), encoding="utf-8")
        prepared = prepare(Request(track=str(track), losses=("contrastive",)), Catalogue.load({"SIAMBENCH_PLUGINS": ""}))
        plan, context = prepared.studies[0], Context(exam=prepared.exam, exact=False)
        units = [plan.tune_unit(0, 0, {**plan.defaults, "optimiser.lr": 1e-3 * (1 + place)}) for place in range(1 + asked.further)]
        # Data and libraries are read before anything is timed.
        worker._read(units[0], context)
        with mock.patch.object(worker, "trains_on_features", return_value=False):
            seconds, in_the_loop = timed(units[0], context)
        first, kept = timed(units[0], context)
        others = [timed(unit, context)[0] for unit in units[1:]]
        loss, score = apart(kept, in_the_loop)
        print(f"{asked.backbone}, trunk in the loop: {seconds:.1f} s")  # noqa: T201
        print(f"first unit on features: {first:.1f} s; others: {', '.join(f'{one:.2f}' for one in others)} s")  # noqa: T201
        print(f"largest relative difference of a loss {loss:.2g}, largest difference of a score {score:.2g}")  # noqa: T201


if __name__ == "__main__":
    main()
