"""When verdicts hold: one pure function each, from facts to the numbers of its sentence, or None."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from siambench.spec import is_two_sided
from siambench.verdicts.facts import Facts, clearly_gained, is_alike
from siambench.verdicts.thresholds import (
    BELOW_CHANCE,
    EQUAL_SPREAD,
    EVEN_AUC,
    FALL,
    FEW_AT_RATE,
    IDLE,
    INPUT_ALIKE,
    LONG_STEPS,
    LOSS_RISE,
    MIXED_UP,
    REPEATED,
    SEPARATED,
    SHORT_PATH,
    TINY_GRADIENT,
    UPDATE,
    VALIDATIONS,
)
from siambench.wording import several

if TYPE_CHECKING:
    from siambench.interfaces import Measures

Told = Mapping[str, object] | None
"""The numbers of a rule's sentences, by name; None: it does not hold."""

NO_GRADIENT = ("without a gradient", "does not require grad", "no part can receive a gradient")
"""What the errors say of a loss whose value depends on nothing that could be trained."""


NO_LOSS = 1e-12
"""What is 0 but for rounding."""


def diverged(facts: Facts) -> Told:
    """The numbers are not finite any more."""
    if facts.ended == "diverged":
        return {"what": facts.error or "a number was not finite"}
    if facts.ended == "ok" and facts.last is not None and (facts.last.loss is None or not facts.last.finite):
        what = "the loss" if facts.last.loss is None else "an embedding of the probe"
        return {"what": f"{what} was not finite in epoch {facts.last.epoch}"}
    return None


def frozen(facts: Facts) -> Told:
    """A part that is meant to be trained gets no gradient, or stands in no optimiser."""
    if facts.ended == "raised" and any(words in (facts.error or "") for words in NO_GRADIENT):
        return {"what": f"no part can receive a gradient: {facts.error}"}
    absent = _absent(facts)
    if absent is not None:
        return {"what": absent}
    rows = facts.trained
    if not rows:
        return None
    parts = {name: [row.parts[name] for row in rows if name in row.parts] for name in rows[-1].parts}
    meant = {name: seen for name, seen in parts.items() if len(seen) == len(rows) and seen[-1].parameters > 0}
    for name, seen in meant.items():
        if all(part.unlisted == part.parameters for part in seen):
            return {"what": f"of the {_tensors(seen[-1].parameters)} of {_called(name)} none stands in a group of the optimiser"}
    unreached = {name for name, seen in meant.items() if all(part.unreached == part.parameters for part in seen)}
    if not unreached or (unreached == set(meant) and _may_be_idle(facts)):
        return None
    name = next(name for name in meant if name in unreached)
    steps = sum(row.steps for row in rows)
    return {"what": f"none of the {_tensors(meant[name][-1].parameters)} of {_called(name)} got a gradient in {steps} measured steps"}


def _absent(facts: Facts) -> str | None:
    """What would have to be trained, and is among no parameters."""
    if facts.unregistered:
        return f"{', '.join(facts.unregistered)} would get a gradient, and is no parameter that an optimiser could be given"
    rows = facts.trained
    for name in rows[-1].parts if rows else ():
        # What a loss keeps as a plain tensor.
        if (name == "loss" or name.startswith("loss.")) and all(name in row.parts and row.parts[name].parameters == 0 for row in rows):
            return f"of {_called(name)} parameters are declared, and none is registered that an optimiser could be given"
    return None


def _may_be_idle(facts: Facts) -> bool:
    """Whether nothing gets a gradient because no tuple costs: then nothing is frozen, the loss starves or has nothing left to do."""
    always_teaches = facts.fingerprint is not None and not facts.fingerprint.forms_tuples
    # Where no tuple costs the loss is 0: one that is not, and of which nothing gets a gradient, is cut off.
    costs = any(row.loss is not None and abs(row.loss) > NO_LOSS for row in facts.trained)
    return not always_teaches and not costs and (facts.idle is None or facts.idle >= IDLE.value)


def batch_unfit(facts: Facts) -> Told:
    """Batches hold nothing that the loss could learn from."""
    rows = facts.trained
    if not rows or not facts.forms_tuples:
        return None
    classes = [row.classes for row in rows if row.classes is not None]
    if classes and max(classes) <= 1.0:
        return {"what": "each batch holds items of one class, so that there is no negative pair"}
    # Of two encoders, `A|B`, the sides of one item are each other's positive.
    alone = facts.feed == "classes" and not is_two_sided(facts.backbone)
    if facts.batch_size and alone and classes and min(classes) >= facts.batch_size:
        return {"what": f"each batch holds {several(facts.batch_size, 'item', 'items')} of as many classes: there is no positive pair"}
    repeated = [row.repeated for row in rows if row.repeated is not None]
    if repeated and min(repeated) > REPEATED.value:
        share = sum(repeated) / len(repeated)
        return {"what": f"{share:.0%} of a batch's items stood in it already, so that positives are copies"}
    return None


def label_mixup(facts: Facts) -> Told:
    """Positives of the probe lie further apart than negatives, and training made it so."""
    first, last = facts.first, facts.last
    if first is None or last is None:
        return None
    now, before = _gap(last), _gap(first)
    if (
        now is None
        or before is None
        or now < MIXED_UP.value
        or now <= before
        or (last.auc is not None and last.auc > 0.5 - BELOW_CHANCE.value)
    ):
        return None
    assert last.positive is not None
    assert last.negative is not None
    return {"positive": last.positive.mean, "negative": last.negative.mean, "before": before, "now": now}


def no_signal(facts: Facts) -> Told:
    """Labels have nothing to do with the items, or the items are all one."""
    first, last = facts.first, facts.last
    if first is None or last is None:
        return None
    if first.input_spread is not None and first.input_spread <= INPUT_ALIKE.value:
        return {"what": f"all items of the probe are alike before any network sees them (spread {first.input_spread:.1g})"}
    if not first.finite or first.spread is None or first.spread <= EQUAL_SPREAD.value:
        # A network that gives all items one embedding hides what they say: it is the network's fault, not the labels'.
        return None
    told = (first.auc, last.auc, first.auc if first.input_auc is None else first.input_auc)
    if any(auc is None or abs(auc - 0.5) > EVEN_AUC.value for auc in told):
        return None
    return {"what": f"the AUC of distances on the probe is {first.auc:.3f} before training and {last.auc:.3f} after it, as by chance"}


def starved(facts: Facts) -> Told:
    """No tuple costs, though the classes are not apart."""
    idle, last = facts.idle, facts.last
    if not facts.forms_tuples or idle is None or idle < IDLE.value or last is None or last.auc is None or last.auc >= SEPARATED.value:
        return None
    if any(row.idle == 1.0 and row.loss is not None and abs(row.loss) > NO_LOSS for row in facts.trained):
        # Tuples cost, and what would have to move gets nothing of it.
        return None
    return {"idle": idle, "auc": last.auc}


def collapsed(facts: Facts) -> Told:
    """All embeddings are alike, and no score is above that of the untrained network."""
    last = facts.last
    if last is None or not is_alike(last) or facts.gained is not False:
        return None
    return {"spread": 0.0 if last.spread is None else last.spread, "score": facts.score_told}


def exploding(facts: Facts) -> Told:
    """Steps that are long throughout; or once as long as the weights nearly are, or a loss that rises, and nothing gained."""
    long = _steps_of_all_parts(facts)
    if long is not None and long >= LONG_STEPS.value:
        return {
            "what": f"over all epochs a step changed each part of the network by {long:.1%} of its length and more",
            "score": facts.score_told,
        }
    if facts.gained is not False:
        return None
    ratios = {(name, row.epoch): part.update_ratio for row in facts.trained for name, part in row.parts.items()}
    known = {where: ratio for where, ratio in ratios.items() if ratio is not None}
    where = max(known, key=lambda place: known[place], default=None)
    if where is not None and known[where] >= UPDATE.value:
        told = f"in epoch {where[1]} a step changed {_called(where[0])} by {known[where]:.0%} of its length"
        return {"what": told, "score": facts.score_told}
    losses = [row.loss for row in facts.trained if row.loss is not None]
    if len(losses) > 1 and losses[0] > 0 and losses[-1] >= LOSS_RISE.value * losses[0]:
        return {"what": f"the loss rose from {losses[0]:.3g} in the first epoch to {losses[-1]:.3g}", "score": facts.score_told}
    return None


def vanishing(facts: Facts) -> Told:
    """A part is reached by gradients that are next to nothing, and nothing is gained."""
    rows = facts.trained
    if not rows or facts.gained is not False or (facts.idle is not None and facts.idle >= IDLE.value):
        return None
    for name in rows[-1].parts:
        seen = [row.parts[name] for row in rows if name in row.parts]
        norms = [part.gradient_norm for part in seen if part.gradient_norm is not None and part.unreached < part.parameters]
        if len(norms) == len(rows) and max(norms) <= TINY_GRADIENT.value:
            return {"part": _called(name), "norm": max(norms), "score": facts.score_told}
    return None


def overfitted(facts: Facts) -> Told:
    """Validation falls over its last third while the probe, which is trained on, rises."""
    values = facts.validation
    if len(facts.known) < VALIDATIONS.value or len(facts.known) < len(values) or not facts.trained:
        return None
    start = len(values) - 1 - len(values) // 3
    best, then, now = max(facts.known), facts.known[start], facts.known[-1]
    epochs = facts.trained[-1].epoch
    before = next((row for row in facts.trained if row.epoch >= (start + 1) * epochs / len(values)), None)
    last = facts.trained[-1]
    if before is None or before.auc is None or last.auc is None or last.auc <= before.auc:
        return None
    if then - now < FALL.value * abs(best) or now >= then:
        return None
    return {"then": then, "now": now, "probe_then": before.auc, "probe_now": last.auc}


def under_trained(facts: Facts) -> Told:
    """Twice the steps would raise the score, or embeddings hardly move."""
    if len(facts.known) < VALIDATIONS.value:
        return None
    gain, deviation = facts.gain_of_twice, facts.repetition_sd
    if gain is not None and deviation is not None and gain > deviation:
        return {"what": f"twice the steps raise the score by {gain:.3g}, more than the {deviation:.3g} between repetitions"}
    rows = facts.trained
    if not rows or (facts.idle is not None and facts.idle >= IDLE.value):
        return None
    path = _path(facts)
    if path is not None and path <= SHORT_PATH.value and not clearly_gained(facts.first, facts.last):
        return {"what": f"all steps together changed no part of the network by more than {path:.2g} of its length"}
    at_full = _at_full_rate(rows)
    if at_full is not None and at_full <= FEW_AT_RATE.value:
        steps = round(at_full * facts.pace * len(rows))
        return {"what": f"the rate sank so soon that {round(facts.pace * len(rows))} steps are worth {steps} at the full rate"}
    return None


def _path(facts: Facts) -> float | None:
    """How far steps took that part of the network which they took furthest, over its length; not known where one is not.

    Embeddings would not do: running statistics of BatchNorm move them by more than their length in an epoch in which no weight moves.
    """
    return max((sum(ratios) * facts.pace for ratios in _ratios(facts).values()), default=None)


def _steps_of_all_parts(facts: Facts) -> float | None:
    """How long steps were beside the weights on average, of that part of the network of which they were shortest.

    A head alone says nothing: weight decay makes it as short as one likes, and steps long beside it.
    """
    found = _ratios(facts)
    return (
        None
        if all(name.rpartition(".")[2] == "head" for name in found)
        else min((sum(ratios) / len(ratios) for ratios in found.values()), default=None)
    )


def _ratios(facts: Facts) -> dict[str, list[float]]:
    """By part of the network how long a step was beside its weights, epoch by epoch; nothing where that of one is not known."""
    names = {name for row in facts.trained for name in row.parts if _is_network(name)}
    told = {name: [row.parts[name].update_ratio if name in row.parts else None for row in facts.trained] for name in names}
    known = {name: [ratio for ratio in ratios if ratio is not None] for name, ratios in told.items()}
    return known if all(len(known[name]) == len(ratios) for name, ratios in told.items()) else {}


def _at_full_rate(rows: Sequence[Measures]) -> float | None:
    """The mean learning rate of epochs over the largest, of the part whose is largest, in (0, 1]."""
    found = []
    for name in rows[-1].parts:
        rates = [row.parts[name].rate for row in rows if name in row.parts]
        known = [rate for rate in rates if rate is not None]
        if len(known) == len(rows) and max(known) > 0:
            found.append(sum(known) / len(known) / max(known))
    return max(found, default=None)


def _is_network(part: str) -> bool:
    """Whether a part is of the network, not of the loss, whose proxies may be drawn as short as one likes."""
    return part != "loss" and not part.startswith("loss.")


def _gap(row: Measures) -> float | None:
    """By how much positive distances exceed negative ones, relative to these."""
    positive, negative = row.positive, row.negative
    if positive is None or negative is None or positive.mean is None or not negative.mean:
        return None
    return positive.mean / negative.mean - 1


def _tensors(number: int) -> str:
    return several(number, "tensor", "tensors")


def _called(part: str) -> str:
    """A part, for people."""
    names = {"trunk": "the trunk", "head": "the head", "projector": "the projector", "loss": "the loss"}
    side, _, own = part.partition(".")
    if side in ("first", "second") and own in names:
        return f"{names[own]} of the {side} side"
    return names.get(part, f"the loss's {part.partition('.')[2]}" if part.startswith("loss.") else f"the part {part}")
