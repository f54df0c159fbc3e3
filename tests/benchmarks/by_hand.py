"""One study of one loss as a competent user writes it for one paper, without siambench: what `beside_by_hand.py` measures siambench beside.

    python tests/benchmarks/by_hand.py JOB.npz hand|tuned --study 0

``JOB.npz`` is written by `beside_by_hand.py`: images, labels, folds, and what is to be done, as JSON. ``hand`` is what tutorials show: a
data set that augments image by image, DataLoader, pytorch-metric-learning's loss, miner, sampler and calculator (which searches with
faiss), Optuna, all folds of every trial, validation after each epoch. ``tuned`` is the same job by somebody who has looked at a profile:
images in one tensor, augmented as a batch, channels last, and neighbours searched by a matrix product. Both use one thread.

Prints one line of JSON: the scores of the final models and the trial that was chosen.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import faiss
import numpy as np
import optuna
import torch
from PIL import Image
from pytorch_metric_learning import distances, losses, miners, regularizers, samplers
from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset, RandomSampler
from torchvision import transforms


class UnitAngular(losses.AngularLoss):
    """Of embeddings brought to unit length: the library does so with anchors and positives alone, not with negatives."""

    def forward(self, embeddings: Tensor, *rest: Any) -> Tensor:
        """The loss of a batch."""
        return super().forward(functional.normalize(embeddings), *rest)


LOSSES: dict[str, Callable[..., nn.Module]] = {
    "contrastive": losses.ContrastiveLoss,
    "triplet": losses.TripletMarginLoss,
    "npair": lambda l2_weight: losses.NPairsLoss(
        distance=distances.DotProductSimilarity(normalize_embeddings=False),
        embedding_regularizer=regularizers.LpRegularizer(p=2, power=2),
        embedding_reg_weight=l2_weight,
    ),
    "angular": UnitAngular,
    "ntxent": losses.NTXentLoss,
    "supcon": losses.SupConLoss,
    "multi-similarity": losses.MultiSimilarityLoss,
    "proxy-anchor": losses.ProxyAnchorLoss,
    "arcface": losses.ArcFaceLoss,
}
MINERS: dict[str, Callable[..., nn.Module]] = {"hard": miners.BatchHardMiner}
EMBEDDING = 64


class Network(nn.Module):
    """Three blocks of 16, 32 and 64 channels and a linear head."""

    def __init__(self, size: int) -> None:
        super().__init__()
        blocks, channels = [], 1
        for width in (16, 32, 64):
            blocks += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
            channels = width
        self.trunk = nn.Sequential(*blocks, nn.Flatten())
        self.head = nn.Linear(channels * (size // 8) ** 2, EMBEDDING)

    def forward(self, images: Tensor) -> Tensor:
        """Embeddings [B, 64]."""
        return self.head(self.trunk(images))


class Images(Dataset):
    """Images and labels, each image changed on its own when it is read."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, change: Callable[[Image.Image], Tensor]) -> None:
        self.images, self.labels, self.change = images, labels, change

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, place: int) -> tuple[Tensor, int]:
        return self.change(Image.fromarray(self.images[place, 0])), int(self.labels[place])


def hand_batches(images: np.ndarray, labels: np.ndarray, job: dict[str, Any], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a DataLoader."""
    rules = job["augment"]
    change = transforms.Compose(
        [
            # Between pixels, as siambench moves images; torchvision's default takes the nearest, which costs triplet+hard .04.
            transforms.RandomAffine(
                rules["rotate"],
                translate=(rules["translate"],) * 2,
                scale=tuple(rules["scale"]),
                shear=rules["shear"],
                interpolation=transforms.InterpolationMode.BILINEAR,
            ),
            transforms.ToTensor(),
        ]
    )
    data, size = Images(images, labels, change), job["batch_size"]
    loader = DataLoader(data, batch_size=size, sampler=order_of(labels, job, steps), drop_last=True)
    return iter(loader)


def order_of(labels: np.ndarray, job: dict[str, Any], steps: int) -> Any:
    """So many images of each class in a batch, or any."""
    size = job["batch_size"]
    if job["sampler"] == "random":
        return RandomSampler(labels, replacement=False, num_samples=steps * size)
    return samplers.MPerClassSampler(labels, job["images_per_class"], batch_size=size, length_before_new_iter=steps * size)


def tuned_batches(images: np.ndarray, labels: np.ndarray, job: dict[str, Any], steps: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches that are cut from one tensor and moved by one call."""
    whole, classes = torch.from_numpy(images).float().div_(255), torch.from_numpy(labels)
    rules, size = job["augment"], job["batch_size"]
    order = torch.tensor(list(order_of(labels, job, steps)))
    for places in order[: steps * size].view(steps, size):
        draws = torch.rand(size, 5) * 2 - 1
        angle, shear = draws[:, 0] * math.radians(rules["rotate"]), torch.tan(draws[:, 1] * math.radians(rules["shear"]))
        low, high = rules["scale"]
        scale = low + (draws[:, 2] + 1) / 2 * (high - low)
        cosine, sine, move = torch.cos(angle) / scale, torch.sin(angle) / scale, draws[:, 3:] * 2 * rules["translate"]
        rows = [torch.stack([cosine, shear * cosine - sine, move[:, 0]], 1), torch.stack([sine, shear * sine + cosine, move[:, 1]], 1)]
        chosen = whole[places]
        grid = functional.affine_grid(torch.stack(rows, 1), list(chosen.shape), align_corners=False)
        moved = functional.grid_sample(chosen, grid, align_corners=False)
        yield moved.contiguous(memory_format=torch.channels_last), classes[places]


def embedded(model: nn.Module, images: np.ndarray, labels: np.ndarray, way: str) -> tuple[Tensor, Tensor]:
    """Embeddings of images as they are, of length one, and their labels."""
    model.eval()
    with torch.no_grad():
        if way == "hand":
            loader = DataLoader(Images(images, labels, transforms.ToTensor()), batch_size=512)
            found = [(model(batch), classes) for batch, classes in loader]
            return functional.normalize(torch.cat([rows for rows, _ in found])), torch.cat([classes for _, classes in found])
        whole = torch.from_numpy(images).float().div_(255)
        rows = [model(batch.contiguous(memory_format=torch.channels_last)) for batch in whole.split(512)]
        return functional.normalize(torch.cat(rows)), torch.from_numpy(labels)


def searched(rows: Tensor, classes: Tensor) -> dict[str, float]:
    """MAP@R and recall@1 by a matrix product in blocks."""
    relevant = torch.bincount(classes)[classes] - 1
    most, precision, first = int(relevant.max()), [], []
    for block in torch.arange(len(rows)).split(1024):
        near = rows[block] @ rows.T
        near[torch.arange(len(block)), block] = -2
        hits = classes[near.topk(most).indices] == classes[block, None]
        first.append(hits[:, 0].double())
        ranks = torch.arange(1, most + 1)
        hits = hits & (ranks <= relevant[block, None])
        precision.append((hits.cumsum(1) / ranks * hits).sum(1).double() / relevant[block].clamp(min=1))
    return {"map@r": float(torch.cat(precision).mean()), "recall@1": float(torch.cat(first).mean())}


def scored(model: nn.Module, images: np.ndarray, labels: np.ndarray, way: str, *, only: bool) -> dict[str, float]:
    """MAP@R, and of a final model recall@1 too."""
    rows, classes = embedded(model, images, labels, way)
    if way == "tuned":
        return searched(rows, classes)
    names = ("mean_average_precision_at_r",) if only else ("mean_average_precision_at_r", "precision_at_1")
    found = AccuracyCalculator(include=names, k="max_bin_count", device=torch.device("cpu")).get_accuracy(rows, classes)
    return {"map@r": found["mean_average_precision_at_r"]} | ({} if only else {"recall@1": found["precision_at_1"]})


def trained(
    job: dict[str, Any],
    params: dict[str, float],
    images: np.ndarray,
    labels: np.ndarray,
    way: str,
    steps: int,
    ended: Callable[[nn.Module], None] | None = None,
) -> nn.Module:
    """A model trained for so many steps; ``ended`` is called after each epoch."""
    model = Network(images.shape[-1])
    model = model.to(memory_format=torch.channels_last) if way == "tuned" else model
    own = {name.removeprefix("loss."): value for name, value in params.items() if name.startswith("loss.")}
    rate = own.pop("lr", None)
    classes = int(labels.max()) + 1
    loss = LOSSES[job["loss"]](**own, **({"num_classes": classes, "embedding_size": EMBEDDING} if rate is not None else {}))
    miner = MINERS[job["miner"]]() if job["miner"] != "none" else None
    warm = round(params.get("miner.warmup", 0.0) * steps)
    groups = [{"params": list(model.parameters()), "weight_decay": params["optimiser.weight_decay"]}]
    if rate is not None:
        groups.append({"params": list(loss.parameters()), "lr": rate, "weight_decay": 0.0})
    optimiser = torch.optim.Adam(groups, lr=params["optimiser.lr"])
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, [group["lr"] for group in optimiser.param_groups], total_steps=steps)
    batches = (hand_batches if way == "hand" else tuned_batches)(images, labels, job, steps)
    for step, (batch, wanted) in enumerate(batches):
        model.train()
        rows = model(batch)
        value = loss(rows, wanted, miner(rows, wanted)) if miner is not None and step >= warm else loss(rows, wanted)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        schedule.step()
        if ended is not None and (step + 1) % (steps // job["epochs"]) == 0:
            ended(model)
    return model


def suggested(trial: optuna.Trial, space: dict[str, dict[str, Any]]) -> dict[str, float]:
    """A value for every parameter."""
    return {name: trial.suggest_float(name, rule["low"], rule["high"], log=rule["log"]) for name, rule in space.items()}


def study(job: dict[str, Any], arrays: dict[str, np.ndarray], way: str, number: int) -> dict[str, Any]:
    """Tune, then train the final models and score them on the test part."""
    images, labels, fold, test = (arrays[name] for name in ("images", "labels", "fold", "test"))

    def objective(trial: optuna.Trial) -> float:
        params = suggested(trial, job["space"])
        curves = []
        for held in range(job["folds"]):
            curve: list[float] = []
            inside, outside = ~test & (fold != held), ~test & (fold == held)
            classes = np.unique(labels[inside], return_inverse=True)[1]
            torch.manual_seed(1000 * number + 10 * trial.number + held)
            trained(
                job,
                params,
                images[inside],
                classes,
                way,
                job["steps"],
                lambda model, outside=outside, curve=curve: curve.append(
                    scored(model, images[outside], labels[outside], way, only=True)["map@r"]
                ),
            )
            curves.append(curve)
        return max(statistics.fmean(epoch) for epoch in zip(*curves, strict=True))

    tuning = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=number))
    tuning.enqueue_trial(job["defaults"])
    tuning.optimize(objective, n_trials=job["trials"])
    classes = np.unique(labels[~test], return_inverse=True)[1]
    scores = []
    for repetition in range(job["repetitions"]):
        torch.manual_seed(1000 * number + 500 + repetition)
        model = trained(job, tuning.best_params, images[~test], classes, way, job["final_steps"])
        scores.append(scored(model, images[test], labels[test], way, only=False))
    return {"trial": tuning.best_trial.number, "value": tuning.best_value, "params": tuning.best_params, "scores": scores}


def main() -> None:
    """See the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("job")
    parser.add_argument("way", choices=("hand", "tuned"))
    parser.add_argument("--study", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore")
    with np.load(arguments.job) as file:
        arrays = {name: file[name] for name in file.files}
    job = json.loads(str(arrays.pop("job")))
    print(json.dumps(study(job, arrays, arguments.way, arguments.study)))  # noqa: T201


if __name__ == "__main__":
    main()
