"""Trains known failures and their healthy twins side by side, and says what siambench called them.

``python tests/laboratory/laboratory.py --out DIR`` trains every scenario on glyphs once, at its mildest dose; ``--data omniglot``,
``--repetitions 5`` and ``--doses all`` do the rest. What has been trained is kept in DIR and not trained again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    # Before torch is imported: one thread, and no plugin but what ships.
    os.environ |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "SIAMBENCH_PLUGINS": ""}

import torch
import unit_runs
from object_runs import build, score, train
from scenario import VERDICTS, Scenario
from scenarios import SCENARIOS
from seam import verdict_of
from unit_runs import DATA, check_data, score_of, validation_of


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training, of a failure or of a twin.

    Args:
        score: MAP@R on classes that it was not trained on.
        ended: ``"ok"``, ``"raised"`` or ``"diverged"``.
        error: why, if it did not end well.
        verdict: what siambench called it; None: it was not judged.
        findings: their names.
        measures: the rows that were measured, where there are any.
        validation: the score after each validation, the last of them is ``score``.
        seconds: of the processor.
    """

    score: float
    ended: str = "ok"
    error: str | None = None
    verdict: str | None = None
    findings: tuple[str, ...] = ()
    measures: list[Mapping[str, Any]] = field(default_factory=list)
    validation: list[float | None] = field(default_factory=list)
    seconds: float = 0.0


def run_unit(setting: unit_runs.Setting, *, data: str, repetition: int) -> Run:
    """Train a unit, and ask what it is called."""
    began = time.process_time()
    record = unit_runs.run(setting, data=data, repetition=repetition)
    found = verdict_of(record)
    return Run(
        score=score_of(record),
        ended=record.outcome.ended,
        error=record.outcome.error,
        verdict=None if found is None else found.verdict,
        findings=() if found is None else tuple(one.name for one in found.findings),
        measures=list(record.telemetry.get("measures") or []),
        validation=validation_of(record),
        seconds=time.process_time() - began,
    )


def judged_again(run: Run, setting: unit_runs.Setting, *, data: str, repetition: int) -> Run:
    """The same run of a unit, called what today's rules call it."""
    found = unit_runs.judged_again(*(setting, run.measures, run.validation), ended=(run.ended, run.error), data=data, repetition=repetition)
    return dataclasses.replace(
        run, verdict=None if found is None else found.verdict, findings=() if found is None else tuple(one.name for one in found.findings)
    )


def run_objects(name: str, *, dose: float, healthy: bool, data: str, repetition: int, judged: bool = True) -> Run:
    """Ask what objects are called, then train them."""
    began = time.process_time()
    objects = build(name, dose=dose, healthy=healthy, seed=repetition, of=data)
    found = verdict_of(objects) if judged else None
    ended, error = "ok", None
    try:
        losses = train(objects)
        ended = "ok" if math.isfinite(losses[-1]) else "diverged"
    except (RuntimeError, TypeError, ValueError) as raised:
        ended, error = "raised", str(raised).splitlines()[0]
    return Run(
        score=score(objects, of=data) if ended == "ok" else 0.0,
        ended=ended,
        error=error,
        verdict=None if found is None else found.verdict,
        findings=() if found is None else tuple(one.name for one in found.findings),
        seconds=time.process_time() - began,
    )


class Kept:
    """Runs by their names, one JSON document a line, so that a call goes on where the last one ended.

    Args:
        folder: where they lie; None: nothing is kept.
        only: whether what is not kept is missing, and nothing is made.
    """

    def __init__(self, folder: Path | None, *, only: bool = False) -> None:
        self._only = only
        self._file = None if folder is None else folder / "runs.jsonl"
        self._runs: dict[str, Run] = {}
        self._again: set[str] = set()
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            for line in self._file.read_text(encoding="utf-8").splitlines() if self._file.exists() else ():
                document = json.loads(line)
                name = document.pop("name")
                self._runs[name] = Run(**{**document, "findings": tuple(document["findings"])})

    def judge_again(self, name: str, judge: Callable[[Run], Run]) -> None:
        """Ask today's rules of a run that is kept; each once, and nothing of it is written."""
        if name in self._runs and name not in self._again:
            self._again.add(name)
            self._runs[name] = judge(self._runs[name])

    def __contains__(self, name: str) -> bool:
        return name in self._runs

    def once(self, name: str, make: Any) -> Run:
        """The run of that name, made where it is not there.

        Raises:
            KeyError: if it is not there and nothing is to be made.
        """
        if name not in self._runs:
            if self._only:
                raise KeyError(name)
            self._runs[name] = made = make()
            if self._file is not None:
                with self._file.open("a", encoding="utf-8") as file:
                    file.write(json.dumps({"name": name, **vars(made)}) + "\n")
        return self._runs[name]


@dataclass(frozen=True, kw_only=True)
class Pair:
    """A failure at one dose beside its twin, over repetitions of the same length."""

    scenario: Scenario
    dose: float
    failing: tuple[Run, ...]
    healthy: tuple[Run, ...]

    @property
    def below(self) -> int:
        """In how many repetitions the failure scored below its twin."""
        return sum(one.score < other.score for one, other in zip(self.failing, self.healthy, strict=True))

    @property
    def costs(self) -> bool:
        """Whether it did so in all of them."""
        return self.below == len(self.failing)

    @property
    def right(self) -> int | None:
        """In how many repetitions it was called what the table says; None where it was not judged."""
        if any(one.verdict is None for one in self.failing):
            return None
        expected = set(self.scenario.findings)
        return sum(one.verdict in self.scenario.verdicts and expected <= {*one.findings} for one in self.failing)

    @property
    def false_alarms(self) -> int | None:
        """In how many repetitions the twin was called anything but ``ok``; None where it was not judged."""
        return None if any(one.verdict is None for one in self.healthy) else sum(one.verdict != "ok" for one in self.healthy)


def pair_of(scenario: Scenario, dose: float, *, data: str, repetitions: int, kept: Kept, again: bool = False) -> Pair:
    """Train a scenario at one dose, and its twin; of units that are kept it may ask today's rules again."""

    def ran(repetition: int, *, healthy: bool) -> Run:
        if scenario.failing is not None and scenario.twin is not None:
            setting = scenario.twin if healthy else scenario.failing(dose)
            name = f"{data} {setting.key} {repetition}"
            if again:
                kept.judge_again(name, lambda run: judged_again(run, setting, data=data, repetition=repetition))
            return kept.once(name, lambda: run_unit(setting, data=data, repetition=repetition))
        name = f"{data} {scenario.name} {dose:g} {'twin' if healthy else 'failing'} {repetition}"
        return kept.once(name, lambda: run_objects(scenario.name, dose=dose, healthy=healthy, data=data, repetition=repetition))

    return Pair(
        scenario=scenario,
        dose=dose,
        failing=tuple(ran(number, healthy=False) for number in range(repetitions)),
        healthy=tuple(ran(number, healthy=True) for number in range(repetitions)),
    )


HEADING = ("| scenario | dose | failing | twin | below | called | must be | findings | twin called |", f"|{'---|' * 9}")


def _called(runs: tuple[Run, ...]) -> str:
    """Verdicts, each once, and in brackets the findings."""
    if any(run.verdict is None for run in runs):
        return "not judged yet"
    verdicts, findings = sorted({str(run.verdict) for run in runs}), sorted({name for run in runs for name in run.findings} - {*VERDICTS})
    return ", ".join(verdicts) + (f" ({', '.join(findings)})" if findings else "")


def row_of(pair: Pair) -> str:
    """One line of the table."""
    ended = {run.ended for run in pair.failing} - {"ok"}
    cells = (
        pair.scenario.name,
        f"{pair.dose:g}",
        f"{sum(one.score for one in pair.failing) / len(pair.failing):.3f}{''.join(f' ({how})' for how in sorted(ended))}",
        f"{sum(one.score for one in pair.healthy) / len(pair.healthy):.3f}",
        f"{pair.below} of {len(pair.failing)}",
        _called(pair.failing),
        " or ".join(pair.scenario.verdicts),
        ", ".join(pair.scenario.findings) or "–",
        _called(pair.healthy),
    )
    return f"| {' | '.join(cells)} |"


def doses_of(scenario: Scenario, which: str) -> tuple[float, ...]:
    """A scenario's doses: ``"first"``, which thresholds come from, ``"other"`` or ``"all"``."""
    return {"first": scenario.doses[:1], "other": scenario.doses[1:], "all": scenario.doses}[which]


def pairs_of(names: list[str], *, data: str, repetitions: int, doses: str, kept: Kept, again: bool = False) -> Iterator[Pair]:
    """The scenarios of these names at one dose or at all."""
    for name in names:
        scenario = SCENARIOS[name]
        if data not in scenario.on:
            continue
        for dose in doses_of(scenario, doses):
            yield pair_of(scenario, dose, data=data, repetitions=repetitions, kept=kept, again=again)


def main(arguments: list[str] | None = None) -> int:
    """Train, print the table, and say how many failures cost and how many were called by their names."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=DATA, default="glyphs")
    parser.add_argument("--repetitions", type=int, default=1)
    parser.add_argument(
        "--doses", choices=("first", "other", "all"), default="first", help="other: all but the first, which thresholds never saw"
    )
    parser.add_argument("--only", nargs="*", choices=list(SCENARIOS), default=list(SCENARIOS), metavar="SCENARIO")
    parser.add_argument("--out", type=Path, help="folder in which runs are kept")
    parser.add_argument("--again", action="store_true", help="ask today's rules of units that are kept, which are not trained again")
    given = parser.parse_args(arguments)
    check_data(given.data)
    torch.set_num_threads(1)
    print(*HEADING, sep="\n", flush=True)
    pairs = []
    kept = Kept(given.out)
    for pair in pairs_of(given.only, data=given.data, repetitions=given.repetitions, doses=given.doses, kept=kept, again=given.again):
        print(row_of(pair), flush=True)
        pairs.append(pair)
    harmless = [f"{pair.scenario.name} at {pair.dose:g}" for pair in pairs if pair.scenario.costs and not pair.costs]
    told = [pair for pair in pairs if pair.right is not None]
    print(f"\n{len(pairs) - len(harmless)} of {len(pairs)} cost or need not; harmless: {', '.join(harmless) or 'none'}")
    if told:
        right = sum(pair.right or 0 for pair in told)
        print(f"{right} of {sum(len(pair.failing) for pair in told)} failures have their name; {_alarms(told)} alarms on twins")
    else:
        print("Nothing was judged: this siambench gives no verdicts.")
    return 0


def _alarms(pairs: list[Pair]) -> int:
    return sum(pair.false_alarms or 0 for pair in pairs)


if __name__ == "__main__":
    sys.exit(main())
