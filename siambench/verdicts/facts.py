"""The facts of a training run that rules may read; what is not known is None, and a rule that needs it does not hold."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from siambench.spaces import Space, Value
from siambench.spec import NO_MINER, Method
from siambench.verdicts.thresholds import CLEAR_GAIN, COLLAPSED_NORM, COLLAPSED_SPREAD, EQUAL_SPREAD, PROBE_GAIN

if TYPE_CHECKING:
    from siambench.interfaces import Measures, Outcome
    from siambench.plugin import Fingerprint
    from siambench.spec import Unit


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of one training run.

    Args:
        rows: what was measured; the first is of before the first step.
        ended: ``"ok"``; ``"diverged"``: training left the finite numbers; ``"raised"``: anything else.
        error: why it did not end well.
        validation: the primary metric, once for each validation, higher being better (its sign is changed where lower is).
        untrained: the same of the untrained network.
        planned_steps: how many there were to be.
        steps: how many there were.
        schedule: of the learning rate.
        warmup_steps: during which a miner was left out.
        loss: its name; ``""`` for an object that has none.
        miner: its name, ``"none"`` without one.
        feed: of the method.
        backbone: its name.
        params: all hyperparameters, by flat names such as ``loss.margin``.
        normalised: whether the loss sees embeddings of unit length.
        embedding_size: D.
        fingerprint: what the loss's entry says of itself.
        wants_unit_length: whether the loss is defined for embeddings of unit length.
        at_equality: value of the loss where all embeddings of such a batch are one unit vector.
        at_chance: value of the loss where embeddings say nothing: at equality, or of a softmax over classes of which each is as likely.
        batch_size: items in a batch.
        unregistered: leaves that would get a gradient and are no parameters, by name.
        shared: whether the branches of a pair go through one network.
        draw_correlation: of the draws of augmentation of the two members of a pair, in [-1, 1].
        judged_in_training: whether the model is in training mode when it is judged.
        modes_apart: mean distance between embeddings in training and in evaluation mode, over their mean length.
        space: what of the parameters is tuned, and in which bounds: a command may set a value inside them.
        asked: words of a command line that ask for this method; none where no command trains it.
        gain_of_twice: what twice the steps raise the score by.
        repetition_sd: standard deviation of the score over repetitions.
    """

    rows: tuple[Measures, ...]
    ended: Literal["ok", "raised", "diverged"] = "ok"
    error: str | None = None
    validation: tuple[float | None, ...] = ()
    untrained: float | None = None
    planned_steps: int = 0
    steps: int = 0
    schedule: str = "constant"
    warmup_steps: int = 0
    loss: str = ""
    miner: str = "none"
    feed: str = "classes"
    backbone: str = ""
    params: Mapping[str, Value] = field(default_factory=dict)
    normalised: bool = True
    embedding_size: int = 0
    fingerprint: Fingerprint | None = None
    wants_unit_length: bool | None = None
    at_equality: float | None = None
    at_chance: float | None = None
    batch_size: int | None = None
    unregistered: tuple[str, ...] = ()
    shared: bool | None = None
    draw_correlation: float | None = None
    judged_in_training: bool | None = None
    modes_apart: float | None = None
    space: Space = field(default_factory=dict)
    asked: tuple[str, ...] = ()
    gain_of_twice: float | None = None
    repetition_sd: float | None = None

    @property
    def first(self) -> Measures | None:
        """The row of before the first step."""
        return self.rows[0] if self.rows and self.rows[0].epoch == 0 else None

    @property
    def trained(self) -> tuple[Measures, ...]:
        """The rows of epochs in which steps were measured."""
        return tuple(row for row in self.rows if row.epoch > 0 and row.steps > 0)

    @property
    def last(self) -> Measures | None:
        """The row of the last of them."""
        return self.trained[-1] if self.trained else None

    @property
    def known(self) -> tuple[float, ...]:
        """The validations that have a score."""
        return tuple(value for value in self.validation if value is not None)

    @property
    def idle(self) -> float | None:
        """Share of the measured steps in which no embedding got a gradient, in [0, 1]."""
        told = [(row.idle, row.steps) for row in self.trained]
        if not told or any(idle is None for idle, _ in told):
            return None
        return sum((idle or 0.0) * steps for idle, steps in told) / sum(steps for _, steps in told)

    @property
    def pace(self) -> float:
        """Steps of an epoch, measured or not."""
        if self.last is None:
            return 0.0
        return self.steps / self.last.epoch if self.steps else sum(row.steps for row in self.trained) / len(self.trained)

    @property
    def forms_tuples(self) -> bool:
        """Whether the loss is known to be made of tuples of a batch."""
        return self.fingerprint is not None and self.fingerprint.forms_tuples

    @property
    def gained(self) -> bool | None:
        """Whether training raised the score: on validation where it and the untrained network's are known, else on the probe."""
        if self._is_validated:
            assert self.untrained is not None
            return max(self.known) > self.untrained
        if self.first is None or self.last is None or self.first.auc is None or self.last.auc is None:
            return None
        # Of embeddings that are equal, what is nearer is a matter of rounding.
        before = 0.5 if _is_equal(self.first) else self.first.auc
        return self.last.auc > before + PROBE_GAIN.value

    @property
    def _is_validated(self) -> bool:
        """Whether a score is known that means something: neighbours among embeddings that are equal are what order makes them."""
        return self.untrained is not None and bool(self.known) and not (self.last is not None and _is_equal(self.last))

    @property
    def score_told(self) -> str:
        """What `gained` rests on, with its numbers."""
        if self._is_validated:
            return f"the best validation is {max(self.known):.3g}, the untrained network's {self.untrained:.3g}"
        if self.first is None or self.last is None or self.first.auc is None or self.last.auc is None:
            return "no score is known"
        return f"the AUC of distances on the probe is {self.last.auc:.3f}, before training {self.first.auc:.3f}"

    def margin(self, parameter: str) -> float | None:
        """A parameter of the loss as a number; None where it has none of that name."""
        value = self.params.get(f"loss.{parameter}")
        return None if value is None or isinstance(value, bool | str) else float(value)


def looks_collapsed(rows: Sequence[Measures]) -> bool:
    """Whether embeddings are alike in the last row, and the probe's classes hardly parted: then the untrained score is worth asking for."""
    return bool(rows) and is_alike(rows[-1]) and not clearly_gained(rows[0], rows[-1])


def clearly_gained(first: Measures | None, last: Measures | None) -> bool:
    """Whether the probe's classes have parted from one row to another: what begins with weights of another task need not go far for it."""
    before, now = None if first is None else first.auc, None if last is None else last.auc
    return before is not None and now is not None and now > before + CLEAR_GAIN.value


def _is_equal(row: Measures) -> bool:
    """Whether the probe's embeddings are equal but for rounding."""
    return row.spread is not None and row.spread <= EQUAL_SPREAD.value


def is_alike(row: Measures) -> bool:
    """Whether the probe's embeddings are all alike, or of no length."""
    if not row.finite:
        return False
    vanished = row.norms is not None and row.norms.high is not None and row.norms.high <= COLLAPSED_NORM.value
    return vanished or (row.spread is not None and row.spread <= COLLAPSED_SPREAD.value)


def facts_of(
    unit: Unit,
    rows: Sequence[Measures],
    outcome: Outcome,
    *,
    fingerprint: Fingerprint | None,
    wants_unit_length: bool | None = None,
    untrained: float | None = None,
    num_classes: int | None = None,
) -> Facts:
    """The facts of one model that a unit trained.

    Args:
        unit: that was run; one that trains.
        rows: what was measured of the model.
        outcome: of the unit.
        fingerprint: of the loss's entry.
        wants_unit_length: whether that entry asks for embeddings of unit length.
        untrained: the primary metric of the untrained network on the validation part.
        num_classes: that were trained on.
    """
    rules, model = unit.training, unit.model
    assert rules is not None
    assert model is not None
    sign = 1.0 if unit.scoring.maximise else -1.0
    told = [epoch.validation.get(unit.scoring.primary) for epoch in outcome.curve if epoch.validation is not None]
    epochs = unit.stop_epoch or rules.epochs
    own = unit.own("loss")
    classes, items = rules.batch_size // max(1, rules.images_per_class), rules.images_per_class
    # Batches at random, of pairs, of triplets or of views are not so many items of so many classes.
    at_equality = _at_equality(fingerprint, own, classes, items) if rules.sampler == "m-per-class" else None
    is_softmax = fingerprint is not None and not fingerprint.forms_tuples and (fingerprint.scale or fingerprint.temperature) is not None
    return Facts(
        rows=tuple(rows),
        ended=outcome.ended,
        error=outcome.error,
        validation=tuple(None if value is None else sign * value for value in told),
        untrained=None if untrained is None else sign * untrained,
        planned_steps=epochs * rules.steps_per_epoch,
        steps=max((row.epoch for row in rows), default=0) * rules.steps_per_epoch,
        schedule=rules.schedule,
        warmup_steps=round(float(unit.params.get("miner.warmup", 0.0)) * rules.steps),
        loss=unit.method.loss,
        miner=unit.method.miner,
        feed=str(unit.method.feed),
        backbone=model.backbone,
        params=dict(unit.params),
        normalised=rules.normalise,
        embedding_size=model.embedding_size,
        fingerprint=fingerprint,
        wants_unit_length=wants_unit_length,
        at_equality=at_equality,
        at_chance=math.log(num_classes) if is_softmax and num_classes is not None and num_classes > 1 else at_equality,
        batch_size=rules.batch_size,
        space=unit.dimensions,
        asked=_asked(unit.method),
    )


def _asked(method: Method) -> tuple[str, ...]:
    if method.listed is not None:
        # The list is a file, and where it is a fact of the machine.
        return ()
    chosen = (("--loss", method.loss), ("--miner", method.miner), ("--feed", method.fed), ("--backbone", method.backbone))
    neutral = (NO_MINER, "classes", None)
    return tuple(word for option, name in chosen if name not in neutral for word in (option, str(name)))


def _at_equality(fingerprint: Fingerprint | None, params: Mapping[str, Value], classes: int, items: int) -> float | None:
    if fingerprint is None or fingerprint.at_equality is None or classes < 2 or items < 2:
        return None
    tell: Callable[..., float | None] = fingerprint.at_equality
    try:
        value = tell(params, classes, items)
        return None if value is None else float(value)
    except Exception:  # noqa: BLE001  a plugin's; what cannot be told is not known, and `siambench check` says why
        return None
