"""What a GPU makes of units: measured in ten minutes or less on a machine that has one; without one it says so and ends with 4.

``python tests/benchmarks/gpu.py [--minutes 10] [--out FILE]`` measures, of the track glyphs:

1. a step of training beside the same step with everything resident and captured in a CUDA graph;
2. units a minute with 1, 2, 4 and 8 of them at once on one GPU;
3. whether a unit gives the same outcome bit for bit in two processes;
4. scores on the CPU beside those on the GPU.

Each part prints one line of JSON; what there was no time for is named as such.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch

from siambench.components.catalogue import Catalogue
from siambench.execution.calls import PRELOAD, execute
from siambench.execution.engines.local import LocalEngine
from siambench.execution.places import place_of
from siambench.spec import Context, Method
from siambench.studies.request import Request, prepare
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut
from siambench.training.batches import Batches
from siambench.training.components import Entries, Layout, LossCall, as_seen, build_batches, build_loss
from siambench.training.loop import train
from siambench.training.model import build_model
from siambench.training.state import device, settings, settle

NO_GPU = 4
METHODS = (Method("contrastive"), Method("supcon"), Method("triplet"))


def planned(method: Method):
    """The study of a method on glyphs, and what its units are run with."""
    prepared = prepare(Request(losses=(method.loss,), miners=(method.miner,)), Catalogue.load())
    return prepared.studies[0], Context(exam=prepared.exam)


def numbered(plan, number: int):
    """A final unit of the study's defaults, one for each number."""
    unit = plan.final_unit(0, None, plan.defaults, 0)
    return dataclasses.replace(unit, repetition=number, seeds={name: seed + number for name, seed in unit.seeds.items()})


def built(unit):
    """The items that a unit trains on, and its entries."""
    catalogue = Catalogue.load()
    dataset = catalogue.dataset(unit.data.dataset, unit.data.options)
    items = Parts(dataset, cut(dataset, unit.data.split), kind="final", fold=None, opened=lambda: None).training()
    entries = Entries(
        backbone=catalogue.get("backbones", unit.model.backbone).entry,
        loss=catalogue.get("losses", unit.method.loss).entry,
        miner=None,
        sampler=catalogue.get("samplers", unit.training.sampler).entry,
    )
    return items, entries


def seconds_of(work, rounds: int = 5) -> float:
    """The median time of what runs on the GPU, after a first run that is not counted."""
    found = []
    for _ in range(rounds + 1):
        torch.cuda.synchronize()
        start = time.perf_counter()
        work()
        torch.cuda.synchronize()
        found.append(time.perf_counter() - start)
    return statistics.median(found[1:])


def step_beside_a_captured_one(method: Method) -> dict[str, object]:
    """Milliseconds of a step of `train`, and of the same network, loss and optimiser captured with a batch that stays where it is."""
    plan, _ = planned(method)
    unit, target = numbered(plan, 0), device()
    items, entries = built(unit)
    rules = unit.training
    ours = seconds_of(lambda: train(unit, entries, items, None)) / rules.steps

    layout = Layout(batch_size=rules.batch_size, images_per_class=rules.images_per_class, steps=1)
    order, _ = build_batches(entries.sampler, torch.from_numpy(items.labels), layout, name=rules.sampler, seed=1)
    batches = Batches(items, order, feed="classes", augment=rules.augment, generator=torch.Generator().manual_seed(1), device=target)
    batch = next(iter(batches.epoch(1)))
    model = build_model(unit, entries.backbone, items.dataset).to(target).train()
    made = build_loss(
        entries.loss,
        unit.own("loss"),
        name=method.loss,
        num_classes=len(items.class_names),
        embedding_size=unit.model.embedding_size,
        seed=1,
    ).to(target)
    loss = LossCall(made, method.loss)
    parameters = [each for each in (*model.parameters(), *made.parameters()) if each.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr=1e-3, fused=True, capturable=True)
    inputs = batch.items.contiguous(memory_format=model.memory_format)

    def step() -> None:
        optimiser.zero_grad(set_to_none=True)
        loss(as_seen(model(inputs), normalise=rules.normalise), batch.labels).backward()
        optimiser.step()

    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(3):
            step()
    torch.cuda.current_stream().wait_stream(beside)
    try:
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
    except RuntimeError as error:
        return {"method": method.name, "ours_ms": 1e3 * ours, "captured_ms": None, "why": f"the loss waits for the GPU: {error}"[:200]}
    captured = seconds_of(lambda: [graph.replay() for _ in range(rules.steps)]) / rules.steps
    return {"method": method.name, "ours_ms": 1e3 * ours, "captured_ms": 1e3 * captured, "ratio": ours / captured}


def units_a_minute(jobs: int, units: int = 16) -> dict[str, object]:
    """How many final units a minute so many workers get done, the first of each left out: it imports and reads."""
    plan, context = planned(METHODS[0])
    engine = LocalEngine(execute, jobs=jobs, preload=PRELOAD, place=place_of)
    try:
        for part in (range(jobs), range(jobs, jobs + units)):
            start = time.perf_counter()
            for number in part:
                engine.submit(str(number), numbered(plan, number), context)
            ended = []
            while len(ended) < len(part):
                ended += engine.wait(1.0)
            seconds = time.perf_counter() - start
    finally:
        engine.close(now=True)
    lost = [one.reason for one in ended if not hasattr(one, "value")]
    return {"jobs": jobs, "units_a_minute": 60 * (units - len(lost)) / seconds, "lost": lost}


def outcome_elsewhere(number: int, *, gpu: bool) -> dict[str, object]:
    """The outcome of a unit in a process of its own."""
    visible = {} if gpu else {"CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, __file__, "--unit", str(number)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **visible})
    return json.loads(done.stdout.splitlines()[-1])


def bit_for_bit() -> dict[str, object]:
    """Whether two processes give one outcome on this GPU."""
    one, other = outcome_elsewhere(0, gpu=True), outcome_elsewhere(0, gpu=True)
    return {"bit_for_bit": one["scores"] == other["scores"] and one["losses"] == other["losses"], "settings": settings(device())}


def against_the_cpu(units: int = 3) -> dict[str, object]:
    """The largest difference of map@r between CPU and GPU over some units: training amplifies rounding, so it is none of rounding alone."""
    pairs = [[outcome_elsewhere(number, gpu=gpu)["scores"]["map@r"] for gpu in (False, True)] for number in range(units)]
    return {"map@r": pairs, "largest_difference": max(abs(one - other) for one, other in pairs)}


def main() -> int:
    """Measure what there is time for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--unit", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.unit is not None:
        plan, context = planned(METHODS[0])
        outcome = execute(numbered(plan, given.unit), context).outcome
        sys.stdout.write(json.dumps({"scores": dict(outcome.scores), "losses": [epoch.loss for epoch in outcome.curve]}) + "\n")
        return 0
    if not torch.cuda.is_available():
        sys.stderr.write("there is no GPU here that torch can use: nothing was measured\n")
        return NO_GPU
    settle(device())
    end = time.monotonic() + 60 * given.minutes
    parts = [(f"step {method.name}", lambda method=method: step_beside_a_captured_one(method)) for method in METHODS]
    parts += [("bit for bit", bit_for_bit)]
    parts += [(f"jobs {jobs}", lambda jobs=jobs: units_a_minute(jobs)) for jobs in (1, 2, 4, 8)]
    parts += [("cpu", against_the_cpu)]
    found = [{"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "cuda": torch.version.cuda}]
    for name, measure in parts:
        start = time.monotonic()
        one = {"part": name, **(measure() if start < end else {"left_out": "no time was left"})}
        found.append({**one, "seconds": round(time.monotonic() - start, 1)})
        sys.stdout.write(json.dumps(found[-1]) + "\n")
        sys.stdout.flush()
    if given.out is not None:
        given.out.write_text(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
