"""Training: what a unit's loop costs beside one written by hand, and what bf16 gains."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from siambench.components.catalogue import Catalogue
from siambench.data.transforms import augment, to_float
from siambench.plugin import call_factory
from siambench.spec import Method
from siambench.studies.request import Request, prepare
from siambench.tracks.parts import Parts
from siambench.tracks.split import cut
from siambench.training.cadence import EVERY
from siambench.training.components import Entries
from siambench.training.loop import train
from siambench.training.model import EmbeddingModel
from siambench.training.state import seed_globals
from siambench.training.watch import Watcher

METHODS = [Method("contrastive"), Method("triplet", "hard"), Method("proxy-anchor")]


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue.load()


@pytest.fixture
def unit_of(catalogue, small):
    """A final unit of glyphs with a method's defaults, what it is built from, and the images it trains on."""

    def make(method, **changes):
        rules = {"training.epochs": 1, "training.steps_per_epoch": 3} if small else {}
        request = Request(losses=(method.loss,), miners=(method.miner,), changes={**rules, **changes})
        prepared = prepare(request, catalogue)
        plan = prepared.studies[0]
        unit = plan.final_unit(0, None, plan.defaults, 0)
        dataset = catalogue.dataset("glyphs", unit.data.options)
        items = Parts(dataset, cut(dataset, unit.data.split), kind="final", fold=None, opened=lambda: None).training()
        entries = Entries(
            backbone=catalogue.get("backbones", unit.model.backbone).entry,
            loss=catalogue.get("losses", method.loss).entry,
            miner=None if method.miner == "none" else catalogue.get("miners", method.miner).entry,
            sampler=catalogue.get("samplers", unit.training.sampler).entry,
        )
        return unit, entries, items

    return make


def by_hand(unit, entries, items, images, *, memory_format):
    """The same training as somebody writes it for one experiment: pixels in an array, no checks, no record."""
    rules, params = unit.training, unit.params
    seed_globals(unit.seeds["weights"])
    trunk = call_factory(entries.backbone.build, {**unit.model.options, "input_shape": images.shape[1:]})
    trunk = trunk.to(memory_format=memory_format)
    with torch.no_grad():
        features = trunk.eval()(torch.zeros(2, *images.shape[1:])).shape[1]
    model = nn.Sequential(trunk, nn.Linear(features, unit.model.embedding_size)).train()
    seed_globals(unit.seeds["loss"])
    available = {"num_classes": len(items.class_names), "embedding_size": unit.model.embedding_size, **unit.own("loss")}
    loss = call_factory(entries.loss.build, available)
    mine = None
    if entries.miner is not None:
        mine = call_factory(entries.miner.build, unit.own("miner"))
    steps = rules.epochs * rules.steps_per_epoch
    warm = round(params.get("miner.warmup", 0.0) * steps)
    groups = [
        {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": params["optimiser.weight_decay"]},
        {"params": [p for p in model.parameters() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    weights = list(loss.parameters())
    if weights:
        groups.append({"params": weights, "lr": params.get("loss.lr", params["optimiser.lr"]), "weight_decay": 0.0})
    optimiser = torch.optim.Adam(groups, lr=params["optimiser.lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=[g["lr"] for g in optimiser.param_groups], total_steps=steps)
    labels = torch.from_numpy(items.labels)
    batches = call_factory(
        entries.sampler.build,
        {
            "labels": labels,
            "batch_size": rules.batch_size,
            "images_per_class": rules.images_per_class,
            "steps": steps,
            "generator": torch.Generator().manual_seed(unit.seeds["order"]),
        },
    )
    noise = torch.Generator().manual_seed(unit.seeds["augmentation"])
    losses = []
    for step, batch in enumerate(batches):
        pixels = augment(to_float(torch.from_numpy(images[batch.numpy()])), rules.augment, generator=noise)
        embeddings = functional.normalize(model(pixels.contiguous(memory_format=memory_format)))
        tuples = mine(embeddings.detach(), labels[batch]) if mine is not None and step >= warm else None
        value = loss(embeddings, labels[batch], tuples) if tuples is not None else loss(embeddings, labels[batch])
        optimiser.zero_grad(set_to_none=True)
        value.backward()
        optimiser.step()
        schedule.step()
        losses.append(value.detach())
    return torch.stack(losses).double()


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_training_beside_a_loop_by_hand(method, unit_of, row, threads):
    """Both loops see the same images in the same order with the same weights, and their losses are the same numbers."""
    threads(1)
    unit, entries, items = unit_of(method)
    images = np.ascontiguousarray(items.read(np.arange(len(items))))
    trained, losses = row(7).pair(
        f"training speed of a unit, {method.name} on glyphs",
        "a loop by hand in the same process",
        aim="≥ 0.97",
        work=lambda: train(unit, entries, items, None, watcher=Watcher(every=EVERY)),
        reference=lambda: by_hand(unit, entries, items, images, memory_format=torch.channels_last),
    )
    epochs = losses.view(unit.training.epochs, -1).mean(dim=1).tolist()
    # The loop moves images by torch's grid, the harness by a matrix product: pixels differ in their last digits.
    assert [epoch.loss for epoch in trained.curve] == pytest.approx(epochs, rel=1e-6)


WIDE = {"model.options.width": 64, "model.options.growth": 1}


@pytest.mark.skipif(not torch.cpu._is_avx512_bf16_supported(), reason="asks a processor with avx512_bf16")
@pytest.mark.parametrize("changes", [{}, WIDE], ids=["16-32-64", "64-64-64"])
@pytest.mark.parametrize("beside", ["fp32", "fp32 with channels first"])
def test_bf16(changes, beside, unit_of, row, threads):
    """The same unit in bf16; the harness lays images out channels-last in either precision."""
    threads(1)
    method = Method("contrastive")
    unit, entries, items = unit_of(method, **changes)
    half = dataclasses.replace(unit, training=dataclasses.replace(unit.training, precision="bf16"))
    images = np.ascontiguousarray(items.read(np.arange(len(items))))
    other = (
        (lambda: train(unit, entries, items, None))
        if beside == "fp32"
        else (lambda: by_hand(unit, entries, items, images, memory_format=torch.contiguous_format))
    )
    width = "16, 32, 64" if not changes else "64, 64, 64"
    trained, _ = row(5).pair(
        f"training speed in bf16, contrastive on glyphs, conv4 of {width} channels",
        beside,
        aim="≥ 2",
        work=lambda: train(half, entries, items, None),
        reference=other,
    )
    assert isinstance(trained.model, EmbeddingModel)
