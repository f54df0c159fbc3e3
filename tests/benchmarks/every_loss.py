"""Every loss that ships, trained at its defaults on glyphs for a quick budget: does it learn, and what does a step cost.

    python tests/benchmarks/every_loss.py --out OUT [--epochs 4] [--steps 30] [LOSS …]

One model each, on the training part of fold 0; MAP@R is on its validation part, so that the test is not opened. Prints a Markdown
table: the mean loss of the first and of the last epoch, seconds a step, MAP@R, and behind it a mark where the untrained network is
better; a loss that glyphs cannot be tried with stands there with the reason. What has run lies in OUT and is not run again.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

import torch
from tuning import asked, running, say, table

from siambench.components.catalogue import Catalogue
from siambench.errors import CombinationError
from siambench.evaluation.scoring import evaluate_items
from siambench.interfaces import Done
from siambench.spec import Unit
from siambench.studies.request import Prepared
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut
from siambench.training.model import build_model


def named(losses: list[str]) -> list[str]:
    """The methods: each loss as it is usually fed."""
    entries = {one.name: one.entry for one in Catalogue.load({"SIAMBENCH_PLUGINS": ""}).components("losses")}
    found = []
    for name in losses or sorted(entries):
        entry = entries[name]
        whole = f"{name}(contrastive)" if entry.wraps else name
        found.append(whole if "classes" in entry.feeds else f"{whole}:{entry.feeds[0]}")
    return found


def untrained(unit: Unit) -> float:
    """MAP@R of the network before training, on the same validation part."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    dataset = catalogue.dataset(unit.data.dataset, unit.data.options)
    items = Parts(dataset, cut(dataset, unit.data.split), kind="tune", fold=0, opened=lambda: None).validation()
    assert unit.model is not None
    model = build_model(unit, catalogue.get("backbones", unit.model.backbone).entry, dataset)
    metrics = catalogue.metrics([unit.scoring.primary])
    found = evaluate_items(model, items, metrics, seed=0, device=torch.device("cpu"))
    return found.scores[unit.scoring.primary] or 0.0


def planned(methods: list[str], changes: dict[str, int]) -> tuple[Prepared, dict[str, str]]:
    """The first study of each method, and why some have none."""
    found, refused = [], {}
    for method in methods:
        try:
            found.append(asked("glyphs", [method], studies=1, **changes))
        except CombinationError as error:
            refused[method] = str(error)
    return dataclasses.replace(found[0], studies=tuple(plan for one in found for plan in one.studies)), refused


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("losses", nargs="*")
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--jobs", type=int)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    changes = {"training.epochs": arguments.epochs, "training.steps_per_epoch": arguments.steps}
    prepared, refused = planned(named(arguments.losses), changes)
    units = [plan.tune_unit(0, 0, plan.defaults) for plan in prepared.studies]
    base, rows = untrained(units[0]), [(name, reason, "", "", "", "refused") for name, reason in refused.items()]
    with running(arguments.out, prepared, arguments.jobs) as runner:
        for unit, record in runner.records(units):
            outcome, seconds = record.outcome, record.phases.get("train", 0.0) / (arguments.epochs * arguments.steps)
            if not isinstance(outcome, Done):
                rows.append((unit.method.name, outcome.error, "", "", "", ""))
                continue
            score = (outcome.curve[-1].validation or {}).get(unit.scoring.primary) or 0.0
            first, last = outcome.curve[0].loss, outcome.curve[-1].loss
            rows.append(
                (unit.method.name, f"{first:.4g}", f"{last:.4g}", f"{seconds:.3f}", f"{score:.3f}", "below" if score < base else "")
            )
    table(("loss", "first epoch", "last epoch", "seconds a step", "MAP@R", f"untrained {base:.3f}"), sorted(rows))
    say(f"\n{sum(row[-1] == 'below' for row in rows)} of {len(rows)} are below the untrained network")


if __name__ == "__main__":
    main()
