"""Healthy units, of which none may be called anything but ``ok``: which they are, how they are trained, which of them count.

``python tests/laboratory/healthy.py --out DIR`` trains them one after the other, goes on where it was ended, and prints the table.
``--number 12`` trains so many more and no others.

Which units count is chosen by their score alone, before any verdict is looked at: above the untrained network by three standard
deviations of untrained scores, and within a fifth of the best of their method. Of n that count without an alarm the rate of false alarms
is below 3 / n with 95 % confidence: 1 % for 300.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    # Before torch is imported: one thread, and no plugin but what ships.
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "SIAMBENCH_PLUGINS": ""}

import numpy as np
import torch
from laboratory import Kept, Run, judged_again, run_unit
from unit_runs import DATA, Setting, check_data

WITHIN: Final = 0.2
"""A unit counts if its score is no more than this share below the best of its kind and method."""

ABOVE: Final = 3.0
"""So many standard deviations of untrained scores it must lie above their mean."""

LEAST: Final = 300
OF_EACH: Final = 10


def _rates(*rates: float) -> tuple[dict[str, float], ...]:
    return tuple({"optimiser.lr": rate} for rate in rates)


RATES: Final = _rates(2e-3, 4e-3)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """One kind of healthy unit.

    Args:
        name: of it.
        methods: losses with miner and feed, each a setting's fields.
        rules: changes to the track.
        params: hyperparameters, each combined with each method.
        repetitions: seeds of each.
    """

    name: str
    methods: Sequence[Mapping[str, str]]
    rules: Mapping[str, object]
    params: Sequence[Mapping[str, object]] = RATES
    repetitions: int = 3

    def settings(self) -> Iterator[tuple[Setting, int]]:
        """Every setting with every repetition."""
        for method in self.methods:
            for params in self.params:
                setting = Setting(**method, rules=self.rules, params=params)  # type: ignore[arg-type]
                yield from ((setting, repetition) for repetition in range(self.repetitions))


def _losses(*names: str, **more: str) -> tuple[dict[str, str], ...]:
    return tuple({"loss": name, **more} for name in names)


_TUPLES = _losses("contrastive", "triplet", "multi-similarity", "supcon", "ntxent")
_PROXIES = _losses("proxy-anchor", "arcface", "cosface", "normalised-softmax", "proxy-nca-pp")
_DROPOUT: Final = {"model.backbone": "conv4", "model.options.width": 16, "model.options.growth": 2, "model.options.blocks": 3}
_STEADY: Final = {"training.schedule": "constant"}

KINDS: Final = (
    Kind(name="proxies and margin-softmax", methods=_PROXIES, rules={"training.epochs": 8}),
    Kind(
        name="batch-hard with warm-up",
        methods=_losses("triplet", miner="hard"),
        rules={},
        params=[{"miner.warmup": share, "optimiser.lr": rate} for share in (0.3, 0.4, 0.5) for rate in (2e-3, 4e-3)],
        repetitions=4,
    ),
    Kind(name="semi-hard", methods=_losses("triplet", miner="semihard"), rules={}, params=_rates(1e-3, 2e-3, 4e-3, 6e-3), repetitions=5),
    Kind(name="at most eight dimensions", methods=_TUPLES, rules={"model.embedding_size": 8}),
    Kind(name="dropout", methods=_TUPLES[:4], rules={**_DROPOUT, "model.options.dropout": 0.1}),
    Kind(name="frozen BatchNorm", methods=_TUPLES[:4], rules={"model.options.ending": "frozen-norm"}),
    Kind(name="frozen trunk", methods=_TUPLES, rules={"model.options.ending": "frozen"}),
    Kind(
        name="warm-up of the rate",
        methods=_losses("multi-similarity", "contrastive"),
        rules={"training.schedule": "laboratory-warm-up"},
        repetitions=5,
    ),
    Kind(name="one-cycle", methods=_TUPLES, rules={}, repetitions=4),
    Kind(name="cosine", methods=_TUPLES, rules={"training.schedule": "cosine"}),
    Kind(name="level rate, validated", methods=_TUPLES, rules={**_STEADY, "training.epochs": 8}, repetitions=4),
    Kind(name="two views", methods=_losses("ntxent", "vicreg", "barlow-twins", feed="views"), rules={"training.epochs": 6}, repetitions=4),
    Kind(
        name="pairs",
        methods=_losses("contrastive", feed="pairs"),
        rules={"training.epochs": 12},
        params=_rates(1e-3, 2e-3, 4e-3),
        repetitions=12,
    ),
    Kind(
        name="squared distances",
        methods=_losses("triplet"),
        rules={"loss.squared": True},
        params=[{"loss.margin": margin, "optimiser.lr": rate} for margin in (0.1, 0.2, 0.4) for rate in (2e-3, 4e-3)],
        repetitions=5,
    ),
    Kind(
        name="unnormalised losses",
        methods=_losses("npair", "sphereface", "large-margin-softmax"),
        rules={"training.epochs": 8},
        repetitions=4,
    ),
    Kind(name="triplets", methods=_losses("triplet", feed="triplets"), rules={"training.epochs": 12}, repetitions=5),
)

UNTRAINED: Final = Kind(name="untrained", methods=_losses("contrastive"), rules={}, params=_rates(1e-12), repetitions=5)
"""Units whose weights stay where they began: 1e-12 moves no weight by as much as its last digit."""


def planned() -> int:
    """How many units there are, but for those that are untrained."""
    return sum(1 for kind in KINDS for _ in kind.settings())


def floor_of(untrained: Sequence[float]) -> float:
    """What a score must exceed: mean of untrained scores and three of their standard deviations."""
    return float(np.mean(untrained) + ABOVE * np.std(untrained, ddof=1))


def counted(scores: Mapping[str, Sequence[float]], *, floor: float) -> dict[str, list[bool]]:
    """Which units count, by method and place: by their score alone.

    Args:
        scores: of the units of each method.
        floor: that they must exceed.
    """
    return {name: [value > floor and value >= (1 - WITHIN) * max(values) for value in values] for name, values in scores.items()}


def trained(kept: Kept, *, data: str, number: int | None, again: bool = False) -> Iterator[tuple[str, str, Run]]:
    """Kind, method and run of every unit; only so many that were not there before, and those that were asked of today's rules or not."""
    left = number
    for kind in (UNTRAINED, *KINDS):
        for setting, repetition in kind.settings():
            name = f"{data} {setting.key} {repetition}"
            if name not in kept and left is not None:
                if left == 0:
                    continue
                left -= 1
            if again:
                kept.judge_again(name, lambda run, s=setting, r=repetition: judged_again(run, s, data=data, repetition=r))
            method = f"{setting.loss}:{setting.feed}+{setting.miner}"
            yield kind.name, method, kept.once(name, lambda s=setting, r=repetition: run_unit(s, data=data, repetition=r))


def table(runs: Sequence[tuple[str, str, Run]]) -> str:
    """Of each kind how many units were trained, how many count, how many of those were called anything but ``ok``, and what."""
    untrained = [run.score for kind, _, run in runs if kind == UNTRAINED.name]
    floor = floor_of(untrained) if len(untrained) > 1 else 0.0
    lines = ["| kind | trained | count | judged | alarms | called |", "|---|---|---|---|---|---|"]
    total = np.zeros(4, dtype=int)
    for kind in KINDS:
        own: dict[str, list[Run]] = {}
        for name, method, run in runs:
            if name == kind.name:
                own.setdefault(method, []).append(run)
        good = counted({method: [run.score for run in these] for method, these in own.items()}, floor=floor)
        chosen = [run for method, these in own.items() for run, counts in zip(these, good[method], strict=True) if counts]
        judged = [run for run in chosen if run.verdict is not None]
        alarms = [str(run.verdict) for run in judged if run.verdict != "ok"]
        numbers = sum(map(len, own.values())), len(chosen), len(judged), len(alarms)
        total += numbers
        told = ", ".join(sorted({*alarms})) or "–"
        lines.append(f"| {kind.name} | {' | '.join(map(str, numbers))} | {told} |")
    lines.append(f"| all | {' | '.join(map(str, total))} | |")
    if total[2] and not total[3]:
        lines.append(f"\nNo alarm on {total[2]}: with 95 % confidence the rate lies below {3 / total[2]:.1%}.")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Train what is left, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder in which runs are kept")
    parser.add_argument("--data", choices=DATA, default="glyphs")
    parser.add_argument("--number", type=int, help="train so many more at the most")
    parser.add_argument("--again", action="store_true", help="ask today's rules of units that are kept, which are not trained again")
    given = parser.parse_args(arguments)
    check_data(given.data)
    torch.set_num_threads(1)
    print(table(list(trained(Kept(given.out), data=given.data, number=given.number, again=given.again))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
