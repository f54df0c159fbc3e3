"""The same job by siambench and by hand (`by_hand.py`): CPU seconds by loss, and whether the scores are those of one method.

    python tests/benchmarks/beside_by_hand.py cost --out OUT [METHOD …]
    python tests/benchmarks/beside_by_hand.py scores --out OUT --studies 5 [METHOD …]

The job is a study of the track glyphs, with 4 trials of two folds and two final models unless told otherwise: the same images, folds,
spaces, defaults, steps and batches on both sides. What differs is what the two make of it: siambench's folds race, and it validates after
the last epoch alone. The ways of a method run one after the other. CPU seconds are those of the whole tree of processes: whoever measures
makes itself the reaper of orphans (`PR_SET_CHILD_SUBREAPER`) and waits for all of them, so that a fork server and its workers count too.

What has run stands in ``OUT/runs.jsonl`` and is not run again. Prints a Markdown table.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from siambench.components.catalogue import Catalogue
from siambench.studies.plan import StudyPlan
from siambench.studies.request import Request, prepare
from siambench.tracks.split import cut

METHODS = (
    "contrastive", "triplet", "triplet+hard", "npair", "angular", "ntxent", "supcon", "multi-similarity", "proxy-anchor", "arcface",
)  # fmt: skip
SCORED = ("contrastive", "triplet+hard", "proxy-anchor")
SET_CHILD_SUBREAPER = 36
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
BY_HAND = Path(__file__).with_name("by_hand.py")


def cpu_seconds(command: list[str]) -> tuple[float, float, str]:
    """Run a command to its end and that of all that it left.

    Returns:
        CPU seconds of all its processes, wall seconds, and its stdout.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this system has no subreapers")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    # What is told goes into files: an orphan that keeps a pipe open would be waited for twice.
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        code = subprocess.run(command, check=False, stdout=told, stderr=errors, env={**os.environ, **ONE_THREAD}).returncode
        with contextlib.suppress(ChildProcessError):
            while True:
                os.waitpid(-1, 0)
        wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        for file in (told, errors):
            file.seek(0)
        output, complaint = told.read(), errors.read()
    if code:
        raise SystemExit(f"{' '.join(command)} ended with {code}: {complaint[-2000:]}")
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall, output


def plan_of(method: str, changes: dict[str, Any]) -> StudyPlan:
    """The study of a method on glyphs."""
    loss, _, miner = method.partition("+")
    request = Request(losses=(loss,), miners=(miner,) if miner else (), changes=changes)
    return prepare(request, Catalogue.load()).studies[0]


def write_job(path: Path, method: str, arguments: argparse.Namespace) -> None:
    """What `by_hand.py` is given: arrays, and what is to be done."""
    plan = plan_of(method, changes_of(arguments))
    unit = plan.template
    rules = unit.training
    assert rules is not None
    dataset = Catalogue.load().dataset(unit.data.dataset, unit.data.options)
    split = cut(dataset, unit.data.split)
    fold, test = np.full(len(dataset.labels), -1), np.zeros(len(dataset.labels), dtype=bool)
    for number, (_, validation) in enumerate(split.folds):
        fold[validation] = number
    test[split.test] = True
    job = {
        "loss": plan.method.loss,
        "miner": plan.method.miner,
        "space": {name: {key: rule[key] for key in ("low", "high", "log")} for name, rule in unit.space.items()},
        "defaults": dict(plan.defaults),
        "sampler": rules.sampler,
        "images_per_class": rules.images_per_class,
        "batch_size": rules.batch_size,
        "augment": dict(rules.augment),
        "epochs": rules.epochs,
        "steps": plan.steps * rules.epochs,
        "final_steps": rules.steps,
        "folds": plan.folds,
        "trials": arguments.trials,
        "repetitions": arguments.repetitions,
    }
    images = np.ascontiguousarray(dataset.read(np.arange(len(dataset.labels))))
    np.savez_compressed(path, images=images, labels=dataset.labels, fold=fold, test=test, job=np.array(json.dumps(job)))


def changes_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the track says otherwise; for a look at whether this still runs."""
    return {} if arguments.epochs is None else {"training.epochs": arguments.epochs, "training.steps_per_epoch": 3}


def ours(method: str, studies: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """A run by siambench: its cost, and the means of its studies' final models."""
    loss, _, miner = method.partition("+")
    with tempfile.TemporaryDirectory() as out:
        words = [sys.executable, "-m", "siambench", "run", "--loss", loss, *(("--miner", miner) if miner else ()), "--jobs", "1", "--json"]
        words += ["--trials", str(arguments.trials), "--repetitions", str(arguments.repetitions), "--studies", str(studies), "--out", out]
        words += [word for name, value in changes_of(arguments).items() for word in ("--set", f"{name}={value}")]
        cpu, wall, _ = cpu_seconds(words)
        records = [json.loads(path.read_text()) for path in Path(out).rglob("records/*.json")]
    scores: dict[int, list[float]] = {}
    for record in records:
        if record["unit"]["kind"] == "final" and record["unit"]["method"]["loss"] == loss:
            scores.setdefault(record["unit"]["study"], []).append(record["outcome"]["scores"]["map@r"])
    return {"cpu": cpu, "wall": wall, "scores": [statistics.fmean(found) for _, found in sorted(scores.items())]}


def by_hand(method: str, way: str, study: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """A study by hand: its cost, and the mean of its final models."""
    with tempfile.TemporaryDirectory() as folder:
        job = Path(folder) / "job.npz"
        write_job(job, method, arguments)
        cpu, wall, output = cpu_seconds([sys.executable, str(BY_HAND), str(job), way, "--study", str(study)])
    return {"cpu": cpu, "wall": wall, "scores": [statistics.fmean(found["map@r"] for found in json.loads(output)["scores"])]}


class Runs:
    """What has run, by its name."""

    def __init__(self, out: Path) -> None:
        out.mkdir(parents=True, exist_ok=True)
        self._path = out / "runs.jsonl"
        lines = self._path.read_text().splitlines() if self._path.exists() else []
        self._found = {line["name"]: line for line in map(json.loads, lines)}

    def get(self, name: str, make: Any) -> dict[str, Any]:
        """What is known under a name, or what is made now."""
        if name not in self._found:
            self._found[name] = {"name": name, **make()}
            with self._path.open("a") as file:
                file.write(json.dumps(self._found[name]) + "\n")
        return self._found[name]


def cost(runs: Runs, arguments: argparse.Namespace) -> None:
    """CPU seconds of one study by loss."""
    say("| method | siambench | by hand | ratio | tuned script | ratio |\n|---|---|---|---|---|---|")
    budget = f"{arguments.trials}x{arguments.repetitions}"
    beside: dict[str, list[float]] = {"hand": [], "tuned": []}
    for method in arguments.methods or METHODS:
        own = runs.get(f"cost ours {method} {budget}", lambda method=method: ours(method, 1, arguments))["cpu"]
        cells = [method, f"{own:.0f} s"]
        for way in ("hand", "tuned"):
            name = f"cost {way} {method} {budget}"
            theirs = runs.get(name, lambda method=method, way=way: by_hand(method, way, 0, arguments))["cpu"]
            beside[way].append(own / theirs)
            cells += [f"{theirs:.0f} s", f"{own / theirs:.2f}"]
        say(f"| {' | '.join(cells)} |")
    say(f"\nlargest ratio {max(beside['hand']):.2f} by hand, {max(beside['tuned']):.2f} beside the tuned script")


def scores(runs: Runs, arguments: argparse.Namespace) -> None:
    """Means over studies, and whether they differ by more than chance explains."""
    say("| method | siambench, mean ± sd over studies | by hand | difference | allowed |\n|---|---|---|---|---|")
    budget, count = f"{arguments.trials}x{arguments.repetitions}", arguments.studies
    for method in arguments.methods or SCORED:
        own = runs.get(f"scores ours {method} {budget} {count}", lambda method=method: ours(method, count, arguments))["scores"]
        theirs = [
            runs.get(
                f"scores hand {method} {budget} {study}", lambda method=method, study=study: by_hand(method, "hand", study, arguments)
            )["scores"][0]
            for study in range(count)
        ]
        allowed = stats.t.ppf(0.975, count - 1) * math.sqrt((statistics.variance(own) + statistics.variance(theirs)) / count)
        told = [f"{statistics.fmean(found):.4f} ± {statistics.stdev(found):.4f}" for found in (own, theirs)]
        say(f"| {method} | {told[0]} | {told[1]} | {statistics.fmean(own) - statistics.fmean(theirs):+.4f} | ± {allowed:.4f} |")


def say(text: str) -> None:
    """A line on stdout, at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, call in (("cost", cost), ("scores", scores)):
        command = commands.add_parser(name)
        command.add_argument("methods", nargs="*")
        command.add_argument("--trials", type=int, default=4)
        command.add_argument("--repetitions", type=int, default=2)
        command.add_argument("--studies", type=int, default=5)
        command.add_argument("--epochs", type=int, help="of three steps each, to see that this still runs")
        command.add_argument("--out", type=Path, required=True)
        command.set_defaults(call=call)
    arguments = parser.parse_args()
    arguments.call(Runs(arguments.out), arguments)


if __name__ == "__main__":
    main()
