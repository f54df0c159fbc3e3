"""Golden units: what the harness computes today, in few steps, so that a change to it that moves a score cannot go unnoticed.

``python tests/training/golden.py`` prints them as JSON; with ``--write`` it records them anew in ``tests/assets/golden.json``, which is
right only together with a higher `siambench.spec.TRAINING_REVISION`.
"""

from __future__ import annotations

import os

if __name__ == "__main__":
    # Before torch is imported: the plainest instructions, which every processor of a kind has, and one thread. Not where a test imports
    # this module: whatever that process starts would compute otherwise than it does itself.
    os.environ |= {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import json
import sys
from pathlib import Path

import numpy as np
import torch

from siambench.clock import Clock
from siambench.components.catalogue import Catalogue
from siambench.evaluation.embedding import embed
from siambench.execution import worker
from siambench.spec import TRAINING_REVISION, Context, Method
from siambench.testing import synthetic_catalogue, synthetic_study, synthetic_track
from siambench.training.state import device

FILE = Path(__file__).parents[1] / "assets" / "golden.json"
STEPS = 6
_final_models = worker._final_models
METRICS = (
    *("map@r", "map", "mrr", "recall@1", "recall@4", "precision@2", "r_precision", "ndcg@4", "knn@3", "nmi", "linear_probe"),
    *("one_shot@3", "five_shot@3", "one_shot_error", "verification_accuracy", "roc_auc", "eer", "tar@1e-1"),
    *("alignment", "uniformity", "effective_rank", "positive_distance", "negative_distance"),
)
LOSSES = ("angular", "arcface", "contrastive", "multi-similarity", "npair", "ntxent", "proxy-anchor", "supcon", "triplet")
MINERS = ("distance-weighted", "easy-positive-hard-negative", "hard", "multi-similarity", "semihard")
MORE = (
    Method("sum(contrastive,0.1*npair)"),
    Method("xbm(contrastive)"),
    Method("matryoshka(arcface)"),
    Method("vicreg", feed="views"),
    Method("verification-head", feed="pairs"),
    Method("triplet", "offline-hard"),
)
"""What the harness does for losses: those whose rows ship, each way to feed them, and one of each further kind. What a loss itself computes
its own tests and the digest of its code guard."""
DATA = {"form": "images", "noise": 60.0, "one_shot_runs": 2, "images_per_class": 10}


def cases() -> dict[str, tuple[Method, dict[str, object], dict[str, object]]]:
    """By name: a method, changes to the tiny track, and options of the synthetic data set: losses, feeds, miners and protocols."""
    catalogue = Catalogue.load({"SIAMBENCH_PLUGINS": ""})
    losses = {name: catalogue.get("losses", name).entry for name in LOSSES}
    found: dict[str, tuple[Method, dict[str, object], dict[str, object]]] = {}
    for name, entry in losses.items():
        for feed in entry.feeds:
            found[Method(name, feed=feed).name] = (Method(name, feed=feed), {}, DATA)
    for miner in MINERS:
        found[Method("triplet", miner).name] = (Method("triplet", miner), {}, DATA)
    for method in MORE:
        # By plain gradients: the biases that a projector's BatchNorm or a difference undoes have none but rounding.
        cancels = method.loss in ("vicreg", "verification-head")
        found[method.name] = (method, {"training": {"optimiser": "sgd"}} if cancels else {}, DATA)
    plain = Method("triplet")
    found |= {
        "reality-check": (plain, {"evaluation": {"protocol": "reality-check"}}, DATA),
        "euclidean": (plain, {"evaluation": {"distance": "euclidean"}}, DATA),
        "closed-set": (plain, {"split": {"rule": "closed-set"}}, DATA),
        "sgd, cosine": (plain, {"training": {"optimiser": "sgd", "schedule": "cosine"}}, DATA),
        "adamw, constant": (plain, {"training": {"optimiser": "adamw", "schedule": "constant"}}, DATA),
        "turned, augmented": (
            plain,
            {"training": {"rotate_classes": True}, "augment": {"rotate": 20.0, "scale": [0.8, 1.2]}},
            DATA,
        ),
        "mlp": (plain, {"model": {"backbone": "mlp", "options": {"width": 16, "layers": 1}}, "training": {"optimiser": "sgd"}}, DATA),
        "arrays": (plain, {"augment": {"jitter": 0.1}}, {**DATA, "form": "arrays"}),
        "chunks": (Method("gradcache(contrastive)"), {}, {**DATA, "form": "tokens"}),
        "tokens": (plain, {"augment": {"drop": 0.1}}, {**DATA, "form": "tokens"}),
    }
    return found


NETWORKS = {
    "images": {"backbone": "conv4", "options": {"width": 4, "blocks": 2}},
    "arrays": {"backbone": "cnn1d", "options": {"width": 8, "blocks": 2, "kernel": 3}},
    "tokens": {"backbone": "bag", "options": {"width": 8}},
}
"""Networks of which each parameter has a gradient. The bias in front of BatchNorm that an MLP has gets rounding alone, which differs from
processor to processor (MKL adds as it likes); Adam makes full steps of it, and until the running means follow, embeddings move with it."""


def golden(method: Method, changes: dict[str, object], data: dict[str, object]) -> dict[str, object]:
    """The losses of each step, eight embeddings of test items, and the scores of one final unit."""
    training = {"epochs": STEPS, "steps_per_epoch": 1, "batch_size": 16, **changes.get("training", {})}
    options = {key: value for key, value in data.items() if not (key == "one_shot_runs" and data["form"] != "images")}
    metrics = {"report": [name for name in METRICS if name != "one_shot_error" or "one_shot_runs" in options]}
    model = changes.get("model", NETWORKS[data["form"]])
    track = synthetic_track(**{**changes, "model": model, "training": training, "metrics": metrics})
    catalogue = synthetic_catalogue(**options)
    study = synthetic_study(method, track=track, catalogue=catalogue)
    unit = study.final_unit(0, STEPS, study.defaults, 0)
    worker._catalogue = lambda _: catalogue
    worker._data.cache_clear()
    ready = worker._ready(unit, Context(), Clock())
    models, trained = _final_models(unit, ready, lambda _: None)
    worker._final_models = lambda *_: (models, trained)
    test = ready.parts.test()
    parts = [embed(model, test.read, 8, form=test.dataset.form, device=device()) for model in models]
    vectors = np.concatenate([np.asarray(part.cpu(), dtype=float) for part in parts], axis=1)
    outcome = worker._run(unit, ready, Clock(), lambda _: None)
    return {
        "losses": [epoch.loss for one in trained for epoch in one.curve],
        "embeddings": [[round(float(value), 7) for value in row] for row in vectors],
        "scores": dict(sorted(outcome.scores.items())),
    }


def main() -> None:
    """Print them, or record them anew."""
    torch.set_num_threads(1)
    units = {name: golden(*case) for name, case in cases().items()}
    document = {"revision": TRAINING_REVISION, "torch": torch.__version__.split("+")[0], "units": units}
    if "--write" in sys.argv:
        FILE.write_text(json.dumps(document, indent=0, sort_keys=True) + "\n", encoding="utf-8")
    else:
        json.dump(document, sys.stdout)


if __name__ == "__main__":
    main()
