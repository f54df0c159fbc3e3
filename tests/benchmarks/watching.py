"""What it costs to measure training: a trial of glyphs with measures beside the same without, in turn in one process.

    python tests/benchmarks/watching.py [--rounds 15] [--every N] [LOSS …]

Each round trains one tune unit of each loss twice, in alternating order, for the track's 4 epochs of 30 steps; what counts is the
processor's time of this process, which another program beside it does not take. Prints a Markdown table: per loss the median CPU
milliseconds a step without measures; median, smallest and largest of the ratios, pair by pair; and of the measured runs the time
inside the watcher over all other time, which another program beside it moves less. Both sides must end with the same figures, or it fails.
"""

from __future__ import annotations

import argparse
import statistics
import sys
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


class Timed(Watcher):
    """A watcher that counts the CPU time of what it does."""

    seconds = 0.0


def _timed(name: str) -> Any:
    def call(self: Timed, *arguments: Any) -> Any:
        start = time.process_time()
        try:
            return getattr(Watcher, name)(self, *arguments)
        finally:
            self.seconds += time.process_time() - start

    return call


for _name in ("begin", "embedded", "reached", "step", "_measure"):
    setattr(Timed, _name, _timed(_name))


def once(unit: Any, entries: Entries, items: Any, every: int | None) -> tuple[float, float, Any]:
    """CPU seconds of one training, those of them inside the watcher, and its curve."""
    start, watcher = time.process_time(), Timed(every=every)
    trained = train(unit, entries, items, None, watcher=watcher)
    seconds = time.process_time() - start
    if bool(trained.measures) != (every is not None):
        raise SystemExit("measures are missing, or are there unasked")
    return seconds, watcher.seconds, trained.curve


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
    found: dict[str, list[tuple[float, float, float]]] = {loss: [] for loss in made}
    # The first run fills caches.
    once(*next(iter(made.values())), asked.every)
    for number in range(asked.rounds):
        for loss, unit in made.items():
            ways = (None, asked.every) if number % 2 else (asked.every, None)
            of = {way: once(*unit, way) for way in ways}
            if of[None][2] != of[asked.every][2]:
                raise SystemExit(f"{loss}: measuring changed the figures")
            own, inside, _ = of[asked.every]
            found[loss].append((of[None][0], own / of[None][0], inside / (own - inside)))
            print(f"{loss}: {found[loss][-1][1]:.3f}, inside {100 * found[loss][-1][2]:.1f} %", file=sys.stderr, flush=True)  # noqa: T201
    print("| loss | ms a step | with measures | spread | inside the watcher |\n|---|---|---|---|---|")  # noqa: T201
    for loss in (*made, "all"):
        rows = found[loss] if loss in found else [row for rows in found.values() for row in rows]
        seconds, ratios, shares = zip(*rows, strict=True)
        step = f"{1000 * statistics.median(seconds) / made[loss][0].training.steps:.1f}" if loss in made else ""
        spread = f"{min(ratios):.3f} … {max(ratios):.3f}"
        print(f"| {loss} | {step} | **{statistics.median(ratios):.3f}** | {spread} | {100 * statistics.median(shares):.1f} % |")  # noqa: T201


if __name__ == "__main__":
    main()
