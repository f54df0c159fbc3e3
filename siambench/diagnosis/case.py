"""What the checks of a diagnosis are handed: the objects, the batches, and what is known of both."""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from siambench.diagnosis.given import Given
from siambench.diagnosis.guard import Time
from siambench.diagnosis.measured import MOST_ITEMS, Auc, Tuples, pairs_among
from siambench.diagnosis.report import Report
from siambench.diagnosis.subject import Subject
from siambench.verdicts import Facts


class Known(abc.ABC):
    """What is known of objects that siambench itself trains, as a method does."""

    @abc.abstractmethod
    def feed(self) -> tuple[Iterable[Given], int]:
        """The batches of its training, drawn anew, and their number."""

    @property
    @abc.abstractmethod
    def rows(self) -> int:
        """How many rows are measured after the first."""

    @abc.abstractmethod
    def score(self, subject: Subject) -> float | None:
        """How good the model is on what it was not trained on."""

    @abc.abstractmethod
    def facts(self, scores: Sequence[float | None]) -> Facts:
        """What rules may read beside the rows; the scores are those of each row."""

    @abc.abstractmethod
    def mining(self, case: Case, report: Report) -> None:
        """What its miner chooses."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is diagnosed, and what is known of it.

    Args:
        subject: copies of the objects, which no check changes.
        batches: of one size each, at least one.
        time: that is left.
        seed: of all that checks draw.
        lengthless: whether the loss is the same of embeddings twice as long: it looks at their directions alone.
        near: which label the loss takes for the same, 1 or 0; None where it cannot be told, or labels are classes.
        known: of a method; None of somebody's own objects.
    """

    subject: Subject
    batches: Sequence[Given]
    time: Time
    seed: int
    lengthless: bool = False
    near: int | None = None
    known: Known | None = None

    @property
    def first(self) -> Given:
        """The batch that most checks look at."""
        return self.batches[0]

    def generator(self) -> torch.Generator:
        """A new one, of the seed."""
        return torch.Generator().manual_seed(self.seed)

    def seen(self, embeddings: Sequence[Tensor]) -> Tensor:
        """The embeddings of all branches as the loss sees them, one branch after the other, [I, D]."""
        flat = torch.cat([each.detach().float().flatten(1) for each in embeddings])
        return functional.normalize(flat) if self.lengthless else flat

    def tuples(self, given: Given, *, same: int | None = None) -> Tuples:
        """The positive and the negative pairs of a batch.

        Args:
            given: the batch.
            same: which label of pairs is that of positives; None: what the loss takes for the same, or 1.
        """
        size = len(given)
        places = torch.arange(size)
        if given.form == "labels":
            return pairs_among(given.numbers)
        if given.form == "triplets":
            return Tuples(torch.stack([places, size + places]), torch.stack([places, 2 * size + places]), share_anchors=False)
        wanted = same if same is not None else 1 if self.near is None else self.near
        chosen = given.numbers == wanted
        both = torch.stack([places, size + places])
        if bool(chosen.all()):
            # Views of one item each: the others of the batch are its negatives.
            return Tuples(both, torch.stack([places, size + places.roll(1)]), share_anchors=False)
        return Tuples(both[:, chosen], both[:, ~chosen], share_anchors=False)


def stacked(batches: Sequence[Given], most: int = MOST_ITEMS) -> Given:
    """Several batches as one, of so many rows at the most."""
    first = batches[0]
    number = max(1, min(len(batches), -(-most // len(first))))
    chosen = batches[:number]
    items = tuple(torch.cat([each.items[branch] for each in chosen])[:most] for branch in range(len(first.items)))
    target = None if first.target is None else torch.cat([each.target for each in chosen if each.target is not None])[:most]
    return Given(first.form, items, target)


def auc_between(case: Case, given: Given, points: Tensor, *, same: int | None = None) -> Auc | None:
    """The AUC of distances between rows of ``points``, one for each item of a batch, branch after branch."""
    return case.tuples(given, same=same).auc(points)
