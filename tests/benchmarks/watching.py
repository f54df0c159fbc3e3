"""What it costs to measure training: a trial of glyphs with measures beside the same without, in turn in one process.

    python tests/benchmarks/watching.py [--rounds 15] [--every N] [LOSS …]

Each round trains one tune unit of each loss twice, in alternating order, for the track's 4 epochs of 30 steps; what counts is the
processor's time of this process, which another program beside it does not take. Prints a Markdown table: per loss the median CPU
milliseconds a step without measures, and median, smallest and largest of the ratios, pair by pair. Both sides must end with the same
figures, or it fails.
"""

from __future__ import annotations

import argparse
import statistics
import time
from typing import Any

import torch

from siambench.components.catalogue import Catalogue
from siambench.studies.request import Request, prepare
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut
from siambench.training.cadence import EVERY
from siambench.training.components import Entries
from siambench.training.loop import train
from siambench.training.watch import Watcher

LOSSES = ("contrastive", "triplet", "ntxent", "arcface", "multi-similarity")


def ready(catalogue: Catalogue, loss: str) -> tuple[Any, Entries, Any]:
    """The first tune unit of a loss, what it is built from, and what it trains on."""
    plan = prepare(Request(losses=(loss,)), catalogue).studies[0]
    unit = plan.tune_unit(0, 0, plan.defaults)
    dataset = catalogue.dataset("glyphs", unit.data.options)
    items = Parts(dataset, cut(dataset, unit.data.split), kind="tune", fold=0, opened=lambda: None).training()
    entries = Entries(
        backbone=catalogue.get("backbones", unit.model.backbone).entry,
        loss=catalogue.get("losses", loss).entry,
        miner=None,
        sampler=catalogue.get("samplers", unit.training.sampler).entry,
    )
    return unit, entries, items


def once(unit: Any, entries: Entries, items: Any, every: int | None) -> tuple[float, Any]:
    """CPU seconds of one training, and its curve."""
    start = time.process_time()
    trained = train(unit, entries, items, None, watcher=Watcher(every=every))
    seconds = time.process_time() - start
    if bool(trained.measures) != (every is not None):
        raise SystemExit("measures are missing, or are there unasked")
    return seconds, trained.curve


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("losses", nargs="*", default=LOSSES, metavar="LOSS")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--every", type=int, default=EVERY)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    made = {loss: ready(catalogue, loss) for loss in asked.losses}
    seconds: dict[str, list[tuple[float, float]]] = {loss: [] for loss in made}
    for number in range(asked.rounds + 1):
        for loss, unit in made.items():
            ways = (None, asked.every) if number % 2 else (asked.every, None)
            found = {way: once(*unit, way) for way in ways}
            if found[None][1] != found[asked.every][1]:
                raise SystemExit(f"{loss}: measuring changed the figures")
            # The first round fills caches.
            if number:
                seconds[loss].append((found[asked.every][0], found[None][0]))
    print("| loss | ms a step | with measures | spread |\n|---|---|---|---|")  # noqa: T201
    every = []
    for loss, pairs in seconds.items():
        ratios = sorted(own / other for own, other in pairs)
        every += ratios
        step = 1000 * statistics.median(other for _, other in pairs) / made[loss][0].training.steps
        print(f"| {loss} | {step:.1f} | **{statistics.median(ratios):.3f}** | {ratios[0]:.3f} … {ratios[-1]:.3f} |")  # noqa: T201
    print(f"| all | | **{statistics.median(every):.3f}** | {min(every):.3f} … {max(every):.3f} |")  # noqa: T201


if __name__ == "__main__":
    main()
