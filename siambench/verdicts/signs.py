"""When findings hold: one pure function each, from facts to the numbers of its sentence, or None."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from siambench.verdicts.conditions import Told
from siambench.verdicts.facts import Facts, is_alike
from siambench.verdicts.thresholds import (
    ABOVE_CHANCE,
    AT_PLATEAU,
    DEAD,
    FLAT,
    MODES_APART,
    ONE_DIMENSION,
    OUT_OF_SCALE,
    SAME_DRAW,
    SEPARATED,
    SHARP,
    SMALL_NEGATIVE,
    SMALL_TRIPLET,
    UNVIOLATED,
)

if TYPE_CHECKING:
    from siambench.interfaces import Measures
    from siambench.plugin import Margin

_UNRELATED = math.sqrt(2.0)
"""The distance of unit vectors at a right angle."""


def plateau(facts: Facts) -> Told:
    """The loss stands where it is at equality, the embeddings are nearly equal, and yet they move."""
    last, value = facts.last, facts.at_equality
    if last is None or last.loss is None or value is None or facts.fingerprint is None or not facts.fingerprint.plateau:
        return None
    if not facts.normalised or not is_alike(last) or abs(last.loss - value) > AT_PLATEAU.value * abs(value):
        return None
    norms = [part.gradient_norm for part in last.parts.values() if part.gradient_norm]
    if not norms and not last.moved:
        return None
    gradient = f"the gradient is still {max(norms):.2g}" if norms else f"an epoch still moves embeddings by {last.moved:.2g}"
    return {"loss": last.loss, "value": value, "cosine": 1.0 - (last.spread or 0.0), "gradient": gradient}


def one_sided(facts: Facts) -> Told:
    """One branch of a pair or triplet gets no gradient."""
    rows = [row.branches for row in facts.trained if len(row.branches) > 1]
    if not rows or len({len(row) for row in rows}) > 1:
        return None
    still = [place for place in range(len(rows[0])) if all(row[place] == 0.0 for row in rows)]
    moved = [place for place in range(len(rows[0])) if any(row[place] not in (None, 0.0) for row in rows)]
    if not still or not moved:
        return None
    return {"branch": still[0] + 1, "branches": len(rows[0]), "other": moved[0] + 1, "length": rows[-1][moved[0]] or 0.0}


def unshared(facts: Facts) -> Told:
    """The branches of a pair go through networks that share nothing."""
    return {} if facts.shared is False else None


def same_draw(facts: Facts) -> Told:
    """Both members of a pair get one draw of augmentation."""
    found = facts.draw_correlation
    return {"correlation": found} if found is not None and found >= SAME_DRAW.value else None


def margin_too_small(facts: Facts) -> Told:
    """A margin that asks for next to nothing, or that all negatives are beyond from the first step on."""
    for margin, value in _margins(facts):
        shown = f"loss.{margin.parameter} = {value:.3g}"
        if margin.kind == "triplet" and value <= 0:
            return {"what": f"{shown}: equal embeddings satisfy every triplet"}
        if margin.kind == "positive":
            continue
        usual = _usual(facts, facts.first)
        length = _as_distance(margin, value, facts)
        limit = SMALL_NEGATIVE.value if margin.kind == "negative" else SMALL_TRIPLET.value
        if usual is not None and length is not None and length < limit * usual:
            return {"what": f"{shown}, {length / usual:.2g} of the distance of unrelated embeddings ({usual:.3g})"}
        if margin.kind == "negative":
            shares = [row.violated.get(margin.parameter) for row in facts.trained]
            if shares and all(share is not None and share <= UNVIOLATED.value for share in shares) and not _is_separated(facts.last):
                return {"what": f"{shown}: {shares[-1]:.0%} of the probe's negatives lie within it{_positives(facts)}"}
    return None


def _positives(facts: Facts) -> str:
    """What holds of the positives meanwhile: they still pull."""
    last = facts.last
    of_positives = [one.parameter for one, _ in _margins(facts) if one.kind == "positive"]
    share = None if last is None or not of_positives else last.violated.get(of_positives[0])
    return "" if share is None else f", while {share:.0%} of the positives still cost"


def margin_unreachable(facts: Facts) -> Told:
    """A margin beyond what unit vectors can reach."""
    if not facts.normalised:
        return None
    classes = facts.last.classes if facts.last is not None else None
    for margin, value in _margins(facts):
        shown = f"loss.{margin.parameter} = {value:.3g}"
        if margin.kind == "positive":
            unreachable = value > 1.0 if margin.distance == "cosine" else value < 0.0
            if unreachable:
                return {"what": f"{shown}: no positive pair can be nearer"}
            continue
        for bound, of_what in _bounds(margin, classes):
            if (value < bound) if margin.distance == "cosine" and margin.kind == "negative" else (value > bound):
                return {"what": f"{shown}, and the bound of {of_what} on the sphere is {bound:.3g}"}
    return None


def _bounds(margin: Margin, classes: float | None) -> Iterator[tuple[float, str]]:
    """How far apart one pair of unit vectors can be, and the means of C classes on average over their pairs."""
    several = None if classes is None or classes < 2 else classes
    if margin.distance == "cosine":
        yield (-1.0 if margin.kind == "negative" else 2.0), "one pair"
        if several is not None:
            mean = -1.0 / (several - 1.0)
            yield (mean if margin.kind == "negative" else 1.0 - mean), f"the mean over {several:g} classes"
        return
    power = 2.0 if margin.distance == "squared" else 1.0
    yield 2.0**power, "one pair"
    if several is not None:
        yield math.sqrt(2.0 * several / (several - 1.0)) ** power, f"the mean over {several:g} classes"


def scale_mismatch(facts: Facts) -> Told:
    """Lengths, a temperature or a scale that do not go with what the loss is defined for."""
    last = facts.last
    length = None if last is None or last.norms is None else last.norms.mean
    if facts.wants_unit_length and not facts.normalised and length is not None:
        return {"what": f"the loss is defined on unit vectors and is given embeddings of length {length:.3g}"}
    factor = _factor(facts)
    if factor is not None:
        name, by = factor
        # Of embeddings that have a length an inner product grows with that, if it has one of unit vectors on its other side.
        by *= 1.0 if facts.normalised else length or 1.0
        if by >= SHARP.value or by <= FLAT.value:
            word = "sharp" if by >= SHARP.value else "flat"
            return {"what": f"loss.{name} multiplies similarities by {by:.3g}, which is too {word}"}
    early = facts.trained[0].loss if facts.trained else None
    if not facts.normalised and early is not None and facts.at_chance and early >= ABOVE_CHANCE.value * facts.at_chance:
        return {"what": f"the loss was {early:.3g} in the first epoch, and of embeddings that say nothing it is {facts.at_chance:.3g}"}
    distance = None if facts.normalised or last is None or last.negative is None else last.negative.mean
    for margin, value in _margins(facts) if distance else ():
        size = math.sqrt(value) if margin.distance == "squared" and value > 0 else value
        if margin.distance == "cosine" or margin.kind == "positive" or size <= 0 or not distance:
            continue
        ratio = distance / size
        if max(ratio, 1.0 / ratio) >= OUT_OF_SCALE.value:
            return {"what": f"negatives lie at a distance of {distance:.3g} on average, and loss.{margin.parameter} = {value:.3g}"}
    return None


def _factor(facts: Facts) -> tuple[str, float] | None:
    told = facts.fingerprint
    for name, turn in ((None if told is None else told.temperature, True), (None if told is None else told.scale, False)):
        value = None if name is None else facts.margin(name)
        if name is not None and value is not None and value > 0:
            return name, 1.0 / value if turn else value
    return None


def train_mode(facts: Facts) -> Told:
    """The model is in training mode when it is judged, and that makes a difference."""
    apart = facts.modes_apart
    if not facts.judged_in_training or apart is None or apart < MODES_APART.value:
        return None
    return {"apart": apart}


def low_dimension(facts: Facts) -> Told:
    """Embeddings along a line."""
    last = facts.last
    if facts.embedding_size == 1:
        return {"what": "the embedding has one dimension"}
    if last is None or last.effective_rank is None or is_alike(last) or last.effective_rank > ONE_DIMENSION.value:
        return None
    of = f" of {facts.embedding_size} dimensions" if facts.embedding_size else ""
    return {"what": f"embeddings{of} have an effective rank of {last.effective_rank:.2f}"}


def dead_units(facts: Facts) -> Told:
    """Many units behind a rectifier are 0 for whatever comes."""
    last = facts.last
    if last is None or last.dead_units is None or last.dead_units < DEAD.value:
        return None
    before = "" if facts.first is None or facts.first.dead_units is None else f", {facts.first.dead_units:.0%} before training"
    return {"share": last.dead_units, "before": before}


def _margins(facts: Facts) -> Iterator[tuple[Margin, float]]:
    """The margins of the loss with their values."""
    for margin in () if facts.fingerprint is None else facts.fingerprint.margins:
        value = facts.margin(margin.parameter)
        if value is not None:
            yield margin, value


def _usual(facts: Facts, first: Measures | None) -> float | None:
    """How far apart unrelated embeddings are: on the sphere by geometry, else as before the first step."""
    if facts.normalised:
        return _UNRELATED
    return None if first is None or first.negative is None else first.negative.mean


def _as_distance(margin: Margin, value: float, facts: Facts) -> float | None:
    """A margin as a Euclidean distance; None where it is none."""
    if margin.distance == "cosine":
        if not facts.normalised:
            return None
        # A triplet's is a difference of cosines, a negative's a cosine.
        return value if margin.kind == "triplet" else math.sqrt(max(0.0, 2.0 - 2.0 * value))
    if margin.distance == "squared":
        return math.sqrt(value) if value > 0 else 0.0
    return value


def _is_separated(row: Measures | None) -> bool:
    return row is not None and row.auc is not None and row.auc >= SEPARATED.value
