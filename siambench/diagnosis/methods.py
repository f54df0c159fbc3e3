"""A method by its flags, or a row: what a trial of it would train on fold 0, looked at. The test part is never read."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from siambench.components.catalogue import Catalogue
from siambench.diagnosis.case import Case, Known
from siambench.diagnosis.given import Given
from siambench.diagnosis.guard import Time, blamed, of_one_side, undisturbed
from siambench.diagnosis.objects import examined
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import Subject
from siambench.errors import UsageError
from siambench.evaluation.scoring import evaluate_items
from siambench.execution.reproduction import final_records
from siambench.execution.roles import entries_of
from siambench.execution.unit_files import contents_of, files_of, list_of, listed, with_files
from siambench.identity import seed_of
from siambench.interfaces import Diagnosis, Done
from siambench.spaces import Value
from siambench.spec import Context, Every, Unit
from siambench.studies.plan import seeds_of
from siambench.studies.request import Request, prepare
from siambench.tracks.parts import Items, Parts, turned, unlabelled
from siambench.tracks.split import cut
from siambench.training.augmentations import Augmentations
from siambench.training.batches import Batch, Batches
from siambench.training.components import (
    Entries,
    LossCall,
    as_seen,
    build_batches,
    build_loss,
    build_miner,
    mine,
    pair_indices,
    plain,
    triplet_indices,
)
from siambench.training.drawing import pool_of
from siambench.training.holding import holding_of
from siambench.training.model import as_trained, build_model, model_in
from siambench.training.optimiser import build_optimiser, build_schedules
from siambench.training.state import seed_globals
from siambench.verdicts import Facts, facts_of
from siambench.wording import several

SECONDS = 60.0

_LOOKED_AT = 6
"""Batches that the checks look at beside training."""

_BRANCHES = {"pairs": 2, "triplets": 3}


@dataclass(frozen=True)
class Asked:
    """What is diagnosed.

    Args:
        unit: fold 0 of a trial.
        local: paths behind what stands for files and folders.
    """

    unit: Unit
    local: dict[str, str]

    @property
    def told(self) -> str:
        """For people."""
        rules = self.unit.training
        assert rules is not None
        length = f"{several(rules.epochs, 'epoch', 'epochs')} of {rules.steps_per_epoch} steps"
        return f"{self.unit.method.name} on {self.unit.track}, fold 0 of its training part, {length}"


def of_flags(catalogue: Catalogue, request: Request, *, epochs: int | None) -> Asked:
    """Fold 0 of the trial that a method's defaults and ``--set`` make.

    Args:
        catalogue: what is installed.
        request: with one loss.
        epochs: how many to train; None: the track's.

    Raises:
        UsageError: with the first thing that does not hold.
    """
    more: dict[str, Value] = {} if epochs is None else {"training.epochs": epochs}
    prepared = prepare(dataclasses.replace(request, changes={**request.changes, **more}), catalogue)
    plan = prepared.studies[0]
    unit = plan.tune_unit(0, 0, plan.defaults)
    return Asked(unit, dict(prepared.local_of(unit)))


def of_row(track: str, row: str, directories: Sequence[Path], *, epochs: int | None) -> Asked:
    """Fold 0 of the trial that a row's first study selected.

    Args:
        track: name of a track, or the path of its folder.
        row: the name of the row.
        directories: output folders of ``run`` that may hold it.
        epochs: how many to train; None: those of its trials.

    Raises:
        UnknownNameError: if there is no such row.
        UsageError: if nothing is trained for it, or it was made with a file.
    """
    found, records = final_records(track, row, directories)
    unit = records[0].unit
    if unit.method.baseline is not None or unit.training is None:
        raise UsageError(f"nothing is trained for the row {row}: there is nothing to diagnose")
    local = [name for name in (unit.data.dataset, unit.method.loss) if ":" in name]
    local += [name for name in contents_of(unit) if name != "pairs"]
    if local:
        raise UsageError(f"the row {row} was made with {local[0]!r}, which is not part of a record: diagnose it by its flags, --loss …")
    rules = found.track.training
    training = dataclasses.replace(unit.training, steps_per_epoch=rules.steps_per_epoch, epochs=epochs or unit.training.epochs)
    tuned = dataclasses.replace(
        unit,
        kind="tune",
        trial=unit.trial or 0,
        fold=0,
        repetition=0,
        stop_epoch=None,
        training=training,
        scoring=dataclasses.replace(unit.scoring, metrics=(unit.scoring.primary,)),
        seeds=seeds_of(unit, "tune", 0, 0),
    )
    return Asked(tuned, {})


def diagnose_method(asked: Asked, catalogue: Catalogue, *, seconds: float = SECONDS) -> Diagnosis:
    """Look at a method as its trial trains it.

    Args:
        asked: from `of_flags` or `of_row`.
        catalogue: what is installed.
        seconds: at the most, but for reading data.

    Raises:
        UsageError: if it cannot be trained at all.
    """
    unit, context = asked.unit, Context(local=asked.local, exact=False)
    with undisturbed([], unit.seeds["loss"]):
        method = _Method.of(unit, context, catalogue)
        return examined(method.subject(), method.batches(_LOOKED_AT), Time(seconds), seed=unit.seeds["loss"], known=method)


class _Seen(nn.Module):
    """From items to embeddings as the loss sees them; the branches of a pair or triplet pass as one batch, as in training."""

    def __init__(self, network: nn.Module, *, memory_format: torch.memory_format, normalise: bool) -> None:
        super().__init__()
        self.network = network
        self._format, self._normalise = memory_format, normalise

    def forward(self, *items: Tensor) -> Any:
        """One embedding [B, D] for each."""
        found = as_seen(self.network(torch.cat(items).contiguous(memory_format=self._format)), normalise=self._normalise)
        return found if len(items) == 1 else found.chunk(len(items))


class _Loss(nn.Module):
    """A loss as its feed calls it, the miner before it where there is one."""

    def __init__(self, unit: Unit, loss: nn.Module, miner: Callable[..., Any] | None, groups: Tensor | None) -> None:
        super().__init__()
        self.loss = loss
        self._call, self._miner, self._groups, self._name = LossCall(loss, unit.method.loss), miner, groups, unit.method.miner
        self._warmup = float(unit.params.get("miner.warmup", 0.0))
        self.progress = 0.0

    def forward(self, *given: Tensor) -> Tensor:
        """The loss of embeddings and labels, of two branches and whether they are the same, or of three branches."""
        if len(given) == 2:
            embeddings, labels = given
            groups = None if self._groups is None else self._groups[labels]
            waits = self._miner is None or self.progress < self._warmup
            indices = None if waits or self._miner is None else mine(self._miner, embeddings, labels, name=self._name)
            return self._call(embeddings, labels, indices, progress=self.progress, groups=groups)
        first = torch.arange(len(given[0]))
        if given[2].ndim == 1:
            labels = torch.cat([first, torch.where(given[2] > 0, first, first + len(first))])
            return self._call(torch.cat(given[:2]), labels, pair_indices(labels), progress=self.progress)
        labels = torch.cat([first, first, first + len(first)])
        return self._call(torch.cat(given), labels, triplet_indices(labels), progress=self.progress)

    def mined(self, embeddings: Tensor, labels: Tensor) -> tuple[Tensor, ...] | None:
        """The tuples that the miner chooses of a batch; None without one."""
        return None if self._miner is None else tuple(plain(mine(self._miner, embeddings, labels, name=self._name)))


@dataclass(frozen=True)
class _MethodSubject(Subject):
    """Trained as its unit is: by its optimiser and schedule, seeded before each step."""

    unit: Unit | None = None
    entries: Entries | None = None

    def trained_by(self) -> torch.optim.Optimizer:
        """The unit's optimiser."""
        assert self.unit is not None
        assert self.unit.training is not None
        assert self.entries is not None
        network, rules, entry = self.model.network, self.unit.training, self.entries.optimiser
        recipe = rules.recipe, model_in(network).trunk
        return build_optimiser(rules.optimiser, self.unit.params, network, self.loss.loss, entry=entry, recipe=recipe)

    def schedule(self, optimiser: torch.optim.Optimizer) -> Any:
        """What changes the rate after each step; one that changes it after epochs is left out."""
        assert self.unit is not None
        assert self.unit.training is not None
        assert self.entries is not None
        return build_schedules(self.unit.training, optimiser, self.unit.params, entry=self.entries.schedule)[0]

    def at(self, progress: float) -> None:
        """Seed what draws, and tell the loss."""
        assert self.unit is not None
        assert self.unit.training is not None
        self.loss.progress = progress
        seed_globals(self.unit.seeds["loss"], round(progress * self.unit.training.steps))


class _Method(Known):
    """A method, ready to be trained."""

    def __init__(self, unit: Unit, entries: Entries, items: Items, validation: Items, catalogue: Catalogue) -> None:
        assert unit.training is not None
        self._unit, self._entries, self._validation = unit, entries, validation
        self._rules, self._feed = unit.training, unit.method.fed
        self._groups, items = items.groups, turned(items) if unit.training.rotate_classes else items
        self._items = unlabelled(items) if self._feed == "views" else items
        self._metrics = catalogue.metrics(unit.scoring.metrics)
        # One of the whole training set is not asked for a batch.
        self._mines = entries.miner is not None and entries.miner.scope != "training-set"

    @classmethod
    def of(cls, unit: Unit, context: Context, catalogue: Catalogue) -> _Method:
        """Read the data and look the components up.

        Raises:
            UsageError: if the data are not those of the row.
        """
        files = files_of(unit, context)
        unit = with_files(unit, files)
        assert unit.model is not None
        data = unit.data
        dataset = of_one_side(catalogue.dataset(context.local.get(data.dataset, data.dataset), dict(data.options)), data.dataset)
        split = cut(dataset, data.split, catalogue.split_rule(data.split.rule))
        if split.fingerprint != data.fingerprint:
            raise UsageError(f"the data set {data.dataset} is another one here than that of the row")
        entries = entries_of(unit, context, catalogue, catalogue.get("backbones", unit.model.backbone).entry)
        parts = Parts(dataset, split, kind="tune", fold=0, opened=lambda: None, group=data.split.group)
        items = listed(parts.training(), list_of(unit, files, dataset))
        return cls(unit, entries, items, parts.validation(), catalogue)

    def subject(self) -> Subject:
        """Model and loss, untrained."""
        unit, entries = self._unit, self._entries
        with blamed(f"the method {unit.method.name}"):
            model = build_model(unit, entries.backbone, self._items.dataset)
            holding_of(model, self._rules.recipe, name=unit.method.name)
            trained, size = as_trained(unit, model)
            loss = build_loss(
                *(entries.loss, unit.own("loss")),
                name=unit.method.loss,
                num_classes=len(self._items.class_names),
                embedding_size=size,
                seed=unit.seeds["loss"],
            )
            miner = None
            if self._mines:
                assert entries.miner is not None
                miner = build_miner(entries.miner, unit.own("miner"), name=unit.method.miner)
        seen = _Seen(trained, memory_format=model.memory_format, normalise=self._rules.normalise).train()
        called, together = _Loss(unit, loss, miner, self._table()), self._feed in _BRANCHES
        return _MethodSubject(seen, called, None, together, own_optimiser=True, unit=unit, entries=entries)

    def _table(self) -> Tensor | None:
        """The group of each class, int64 [K]."""
        if self._groups is None or self._feed == "views":
            return None
        groups = torch.from_numpy(self._groups).repeat(len(self._items) // len(self._groups))
        table = torch.zeros(len(self._items.class_names), dtype=torch.int64)
        table[torch.from_numpy(self._items.labels)] = groups
        return table

    def batches(self, number: int) -> list[Given]:
        """The first batches of training.

        Raises:
            UsageError: if they cannot be drawn.
        """
        with blamed("the sampler"):
            return list(itertools.islice(self._drawn(), number))

    def _drawn(self) -> Iterator[Given]:
        rules, unit = self._rules, self._unit
        pool = pool_of(self._items, rules, self._feed, self._groups)
        order, _ = build_batches(
            *(self._entries.sampler, pool.labels, pool.layout),
            name=rules.sampler,
            seed=unit.seeds["order"],
            groups=pool.groups,
        )
        further = Augmentations(self._entries.augmentations, rules.augment, seed=unit.seeds["augmentation"])
        generator = torch.Generator().manual_seed(unit.seeds["augmentation"])
        device = torch.device("cpu")
        batches = Batches(self._items, order, feed=self._feed, augment=rules.augment, generator=generator, device=device)
        for batch in batches.epoch(rules.steps):
            yield _given(batch, further(batch.items), self._feed)

    def feed(self) -> tuple[Iterator[Given], int]:
        """All batches of training, drawn anew, and their number."""
        return self._drawn(), self._rules.steps

    @property
    def rows(self) -> int:
        """As many as epochs."""
        return self._rules.epochs

    def score(self, subject: Subject) -> float | None:
        """The primary metric on the fold's validation part; a lower one is better where the track says so."""
        model = model_in(subject.model.network)
        scoring = self._unit.scoring
        was = [(module, module.training) for module in model.modules()]
        found = evaluate_items(
            *(model, self._validation, self._metrics),
            seed=seed_of(self._unit.data.fingerprint, "pairs", 0),
            device=torch.device("cpu"),
            distance=scoring.distance,
            pairs="every" if isinstance(scoring.pairs, Every) else None,
        )
        for module, mode in was:
            module.training = mode
        return found.score_of(scoring.primary)

    def facts(self, scores: Sequence[float | None]) -> Facts:
        """What rules may read beside the rows: the first score is the untrained network's."""
        sign = 1.0 if self._unit.scoring.maximise else -1.0
        told = [None if score is None else sign * score for score in scores]
        done = Done(
            scores={},
            per_class={},
            class_queries=None,
            curve=(),
            notes={},
            repeat_rate=None,
            directions={},
            ranges={},
            over_pairs=(),
        )
        loss = self._entries.loss
        facts = facts_of(self._unit, (), done, fingerprint=loss.fingerprint, wants_unit_length=loss.normalise)
        # What was fixed by hand may be tried otherwise: it lies in the spaces of the components still.
        space = {**self._entries.own_space, **facts.space}
        return dataclasses.replace(facts, space=space, untrained=told[0] if told else None, validation=tuple(told[1:]))

    def mining(self, case: Case, report: Report) -> None:
        """What the miner chooses of a batch of the untrained network's embeddings."""
        if self._entries.miner is not None and not self._mines:
            report.skipped("the miner, which is one of the whole training set")
        if not self._mines or case.first.form != "labels":
            return
        subject = case.subject.fresh()
        with torch.no_grad():
            embeddings = subject.embedded(case.first)[0]
            found = subject.loss.mined(embeddings, case.first.numbers)
        anchor, positive, other, negative = (*found[:2], found[0], found[2]) if len(found) == 3 else found
        points = case.seen([embeddings])
        near, far = (points[one] - points[two] for one, two in ((anchor, positive), (other, negative)))
        all_near, all_far = case.tuples(case.first).distances(points)
        report.measured(
            f"before training the miner chooses {len(anchor)} {'triplets' if len(found) == 3 else 'positive pairs'} of a batch, positives "
            f"{_mean(near.norm(dim=1))} apart (all {_mean(all_near)}) and negatives {_mean(far.norm(dim=1))} (all {_mean(all_far)})"
        )


def _mean(distances: Tensor) -> str:
    return f"{float(distances.mean()):.3g}" if len(distances) else "none"


def _given(batch: Batch, items: Tensor, feed: str) -> Given:
    labels = batch.labels
    if feed == "pairs":
        left, right = items.chunk(2)
        return Given("pairs", (left, right), (labels[: len(left)] == labels[len(left) :]).float())
    if feed == "triplets":
        anchor, positive, negative = items.chunk(3)
        return Given("triplets", (anchor, positive, negative), None)
    return Given("labels", (items,), labels)
